#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Every call on a file fails in turn: with an error, a full disk, a signal, a transfer of half the bytes, or as the last
# one of a killed program. After each the output is not there, or complete and right; nothing else is left but what the
# next run passes over; what was wrong is said; the inputs are as they were.
# $BIGSMALL_FAULT_SHIM: the library to preload. $BIGSMALL_FAULTS=all tries every call, else some 20 of each kind.
. "$(dirname "$0")/lib.sh"

shim=${BIGSMALL_FAULT_SHIM:-}
[[ -n $shim ]] || { echo "skipped: no library of faults (a sanitizer does not like preloaded ones)"; exit 77; }
tries=0
declare -A tried

# The inputs, made once and compared after every run.
mkdir in
small_model in/model.safetensors
small_model in/tuned.safetensors
printf 'abcdefgh' | dd of=in/tuned.safetensors bs=1 seek=30000 conv=notrunc 2>/dev/null
mkdir in/directory
cp in/model.safetensors in/directory/model-00001-of-00002.safetensors
: | safetensors in/directory/model-00002-of-00002.safetensors '{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
printf '{"model_type":"llama"}' >in/directory/config.json
expect 0 compress in/model.safetensors -o in/model.bs
expect 0 compress in/directory --per-shard -o in/shards
expect 0 compress in/tuned.safetensors --delta-from in/model.safetensors -o in/patch.bs
sums_of() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }
expect 0 ecc in/model.bs
cp in/model.bs in/broken.bs && cp in/model.bs.ecc in/broken.bs.ecc
head -c 300 /dev/zero | dd of=in/broken.bs bs=1 seek=20000 conv=notrunc 2>/dev/null
expect 0 compress in/model.safetensors --inference -o in/fast.bs
inputs=$(sums_of in)

# run_with FAULT AT ARGUMENT... : the tool with a fault, in the directory box; sets `code` and `met`.
run_with() {
    local kind=$1 at=$2
    shift 2
    code=0
    rm -f "$work/.calls"
    # The inner shell would tell of a killed program.
    { (cd box && LD_PRELOAD=$shim BIGSMALL_FAULT=$kind BIGSMALL_FAULT_AT=$at BIGSMALL_FAULT_DIR=$work/ \
        BIGSMALL_FAULT_LOG=$work/.calls "$BIGSMALL" "$@" --threads 1 --no-progress >"$out" 2>"$err" </dev/null) ||
        code=$?; } 2>/dev/null
    calls=0 met=-
    [[ ! -e $work/.calls ]] || read -r calls met <"$work/.calls"
}

# What a killed or failed run may leave: hidden names that the next run passes over.
leftovers() { (cd box && find . -mindepth 1 -maxdepth 1 ! -name "$1" ! -name '.*.partial' ! -name '.*.partial.*'); }
hidden() { find box -name '.*.partial*'; }

# check KIND AT OUTPUT WHAT : after a run; `wanted` has the right output.
check() {
    local kind=$1 what="$4, $1 at call $2 ($met)" output=box/$3
    local whole=no
    if [[ -e $output ]]; then
        if [[ -d $output ]]; then
            [[ $(sums_of "$output") == $(sums_of wanted) ]] && whole=yes
        else
            cmp -s "$output" wanted && whole=yes
        fi
        [[ $whole == yes ]] || fail "$what: the output is there and is not right (exit code $code)"
    fi
    case $kind in
    kill) ((code == 137)) || ((code == 0)) || fail "$what: exit code $code" ;;
    eintr | short)
        ((code == 0)) && [[ $whole == yes ]] || fail "$what: exit code $code: $(head -c 300 "$err")"
        ;;
    *)
        if ((code == 0)); then
            [[ $whole == yes ]] || fail "$what: exit code 0 and no output"
        else
            ((code == 3 || code == 4)) || fail "$what: exit code $code: $(head -c 300 "$err")"
            grep -q 'bigsmall: error: .*: ' "$err" || fail "$what: nothing was said: $(head -c 300 "$err")"
        fi
        ;;
    esac
    [[ -z $(leftovers "$3") ]] || fail "$what: left behind $(leftovers "$3" | tr '\n' ' ')"
    # Only where the removal itself has failed, or the program was killed, may something hidden be left.
    if [[ $kind != kill && $kind != again && $met != unlink* && $met != remove ]]; then
        [[ -z $(hidden) ]] || fail "$what: left behind $(hidden)"
    fi
}

# each_fault COMMAND ARGUMENT... : calls `COMMAND KIND AT` after a run of the tool with each fault in turn, in a box that
# `fill_box` has filled.
each_fault() {
    local after=$1 kind at total step
    shift
    for kind in eio enospc eintr short kill; do
        fill_box
        run_with "$kind" 0 "$@"
        total=$calls
        ((total > 0)) || fail "$1, $kind: no call was counted"
        step=$(((total + 19) / 20))
        [[ ${BIGSMALL_FAULTS:-} == all ]] && step=1
        for ((at = 1; at <= total; at += at < 6 ? 1 : step)); do # the first calls are each of a kind of their own
            fill_box
            run_with "$kind" "$at" "$@"
            [[ $kind == kill || $met != - ]] || fail "$1, $kind at call $at: it was not met"
            "$after" "$kind" "$at" "$@"
            tries=$((tries + 1))
            tried[$kind]=$((${tried[$kind]:-0} + 1))
        done
    done
    [[ $(sums_of in) == "$inputs" ]] || fail "$1: an input has changed"
}

fill_box() { rm -rf box && mkdir box; }

# faults OUTPUT ARGUMENT... : all faults in a command that writes OUTPUT.
faults() {
    output_of_run=$1
    shift
    fill_box
    rm -rf wanted
    run_with count 0 "$@"
    ((code == 0)) || { fail "bigsmall $*: $(head -c 300 "$err")"; return; }
    mv "box/$output_of_run" wanted
    each_fault check_output "$@"
}

check_output() {
    local kind=$1 at=$2
    shift 2
    check "$kind" "$at" "$output_of_run" "$1"
    [[ $kind == kill && $((at % 4)) == 1 ]] || return
    run_with none 0 "$@" -f
    ((code == 0)) || fail "$1: a run after a killed one: exit code $code: $(head -c 300 "$err")"
    check again "$at" "$output_of_run" "$1"
}

# in_place OLD FILE ARGUMENT... : all faults in a command that changes FILE, a copy of ../in/OLD: it is the old one or the new
# one, or the same command again makes it the new one.
in_place() {
    old=in/$1 changed=box/$2
    shift 2
    fill_box() { rm -rf box && mkdir box && cp "$old" "$changed" && { [[ ! -e $old.ecc ]] || cp "$old.ecc" "$changed.ecc"; }; }
    fill_box
    rm -rf wanted
    run_with count 0 "$@"
    ((code == 0)) || { fail "bigsmall $*: $(head -c 300 "$err")"; return; }
    mv "$changed" wanted
    each_fault check_in_place "$@"
    fill_box() { rm -rf box && mkdir box; }
}

check_in_place() {
    local kind=$1 what="$3, $1 at call $2 ($met)"
    shift 2
    if ((code == 0)); then
        cmp -s "$changed" wanted || fail "$what: exit code 0 and not the new file"
    elif [[ $kind == eintr || $kind == short ]]; then
        fail "$what: exit code $code: $(head -c 300 "$err")"
    elif [[ $kind != kill ]]; then
        grep -q 'bigsmall: error: .*: ' "$err" || fail "$what: nothing was said: $(head -c 300 "$err")"
    fi
    [[ ! -e $changed.bak ]] || cmp -s "$changed.bak" "$old" || fail "$what: the backup is not the old file"
    cmp -s "$changed" wanted && return
    [[ $1 == repair ]] || cmp -s "$changed" "$old" || fail "$what: neither the old file nor the new one"
    rm -f "$changed.bak"
    run_with none 0 "$@"
    cmp -s "$changed" wanted || fail "$what: the same command again gives not the new file: $(head -c 300 "$err")"
}

faults out.bs compress ../in/model.safetensors -o out.bs
faults shards compress ../in/directory --per-shard -o shards
faults out.safetensors decompress ../in/model.bs -o out.safetensors
faults restored decompress ../in/shards -o restored
faults patch.bs compress ../in/tuned.safetensors --delta-from ../in/model.safetensors -o patch.bs
faults out.safetensors apply ../in/model.safetensors ../in/patch.bs -o out.safetensors
faults out.bsr transcode ../in/model.bs out.bsr
faults model.ecc ecc ../in/model.bs -o model.ecc
faults out.bs repair ../in/broken.bs -o out.bs
faults parts reshard ../in/model.bs --output-dir parts --shards 2
in_place fast.bs fast.bs migrate fast.bs --storage
in_place broken.bs broken.bs repair broken.bs --in-place

# With --resume a run may leave what it has done: the next one, in which nothing fails, ends it.
resumed_faults() {
    local kind at total step
    rm -rf box wanted && mkdir box
    run_with count 0 "$@"
    ((code == 0)) || { fail "bigsmall $*: $(head -c 300 "$err")"; return; }
    mv box/out.bs wanted
    for kind in eio enospc eintr short kill; do
        run_with "$kind" 0 "$@" --resume
        rm -rf box && mkdir box
        total=$calls
        ((total > 0)) || fail "--resume, $kind: no call was counted"
        step=$(((total + 39) / 40))
        [[ ${BIGSMALL_FAULTS:-} == all ]] && step=1
        for ((at = 1; at <= total; at += step)); do
            run_with "$kind" "$at" "$@" --resume
            [[ ! -e box/out.bs ]] || diff -rq box/out.bs wanted >/dev/null ||
                fail "--resume, $kind at call $at ($met): the output is there and is not right"
            case $kind in
            eintr | short) ((code == 0)) || fail "--resume, $kind at call $at ($met): exit code $code: $(head -c 300 "$err")" ;;
            kill) ((code == 137 || code == 0)) || fail "--resume, $kind at call $at ($met): exit code $code" ;;
            *)
                ((code == 0 || code == 3 || code == 4)) ||
                    fail "--resume, $kind at call $at ($met): exit code $code: $(head -c 300 "$err")"
                ;;
            esac
            run_with none 0 "$@" --resume
            # Refused where the output has its name already.
            ((code == 0 || code == 6)) || fail "--resume after $kind at call $at: exit code $code: $(head -c 300 "$err")"
            diff -rq box/out.bs wanted >/dev/null || fail "--resume after $kind at call $at: the output is not right"
            [[ -z $(find box -mindepth 1 -maxdepth 1 ! -name out.bs) ]] ||
                fail "--resume after $kind at call $at: left behind $(find box -mindepth 1 -maxdepth 1 ! -name out.bs | tr '\n' ' ')"
            tries=$((tries + 1))
            tried[$kind]=$((${tried[$kind]:-0} + 1))
            rm -rf box && mkdir box
        done
    done
    [[ $(sums_of in) == "$inputs" ]] || fail "--resume: an input has changed"
}
resumed_faults compress ../in/directory -o out.bs
resumed_faults compress ../in/directory --per-shard -o out.bs
resumed_faults compress ../in/tuned.safetensors --delta-from ../in/model.safetensors -o out.bs

for kind in "${!tried[@]}"; do note "$kind: ${tried[$kind]} runs"; done
note "$tries runs with a fault, $failures failures"
finish
