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
        [[ -z $(find box -name '.*.partial*') ]] || fail "$what: left behind $(find box -name '.*.partial*')"
    fi
}

# faults OUTPUT ARGUMENT... : all faults in a command that writes OUTPUT.
faults() {
    local output=$1 kind at total step
    shift
    rm -rf box wanted && mkdir box
    run_with count 0 "$@"
    ((code == 0)) || { fail "bigsmall $*: $(head -c 300 "$err")"; return; }
    mv "box/$output" wanted
    for kind in eio enospc eintr short kill; do
        run_with "$kind" 0 "$@"
        rm -rf box && mkdir box
        total=$calls
        ((total > 0)) || fail "$1, $kind: no call was counted"
        step=$(((total + 19) / 20))
        [[ ${BIGSMALL_FAULTS:-} == all ]] && step=1
        for ((at = 1; at <= total; at += step)); do
            run_with "$kind" "$at" "$@"
            [[ $kind == kill ]] || [[ $met != - ]] || fail "$1, $kind at call $at: it was not met"
            check "$kind" "$at" "$output" "$1"
            tries=$((tries + 1))
            tried[$kind]=$((${tried[$kind]:-0} + 1))
            if [[ $kind == kill && $((at % (step * 4))) == 1 ]]; then
                run_with none 0 "$@" -f
                ((code == 0)) || fail "$1: a run after a killed one: exit code $code: $(head -c 300 "$err")"
                check again "$at" "$output" "$1"
            fi
            rm -rf box && mkdir box
        done
    done
    [[ $(sums_of in) == "$inputs" ]] || fail "$1: an input has changed"
}

faults out.bs compress ../in/model.safetensors -o out.bs
faults shards compress ../in/directory --per-shard -o shards
faults out.safetensors decompress ../in/model.bs -o out.safetensors
faults restored decompress ../in/shards -o restored
faults patch.bs compress ../in/tuned.safetensors --delta-from ../in/model.safetensors -o patch.bs
faults out.safetensors apply ../in/model.safetensors ../in/patch.bs -o out.safetensors
faults out.bsr transcode ../in/model.bs out.bsr

for kind in "${!tried[@]}"; do note "$kind: ${tried[$kind]} runs"; done
note "$tries runs with a fault, $failures failures"
finish
