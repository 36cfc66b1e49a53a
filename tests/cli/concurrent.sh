#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# What others do meanwhile: processes that write the same output, a source that is changed or cut while it is read; and
# who may read what was written.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors -o right.bs

# all_at_once ARGUMENT... : eight processes of the same command; `codes` has their exit codes, sorted.
all_at_once() {
    local i pids=()
    for i in 1 2 3 4 5 6 7 8; do
        { "$BIGSMALL" "$@" --threads 1 -q </dev/null >/dev/null 2>"err.$i"; echo $? >"code.$i"; } &
        pids+=($!)
    done
    wait "${pids[@]}"
    codes=$(cat code.[1-8] | sort -n | tr '\n' ' ')
    rm -f code.[1-8]
}
nothing_hidden() { [[ -z $(find . -name '.*.partial*') ]] || fail "left behind: $(find . -name '.*.partial*')"; }

# One of them writes it, the others see that it is there.
all_at_once compress model.safetensors -o shared.bs
[[ $codes == "0 6 6 6 6 6 6 6 " ]] || fail "eight without -f: exit codes $codes"
same shared.bs right.bs
all_at_once decompress right.bs -o shared.safetensors
[[ $codes == "0 6 6 6 6 6 6 6 " ]] || fail "eight that restore: exit codes $codes"
same shared.safetensors model.safetensors
# With -f the last one wins, and at no time is the file another than one of theirs.
all_at_once compress model.safetensors -o shared.bs -f
[[ $codes == "0 0 0 0 0 0 0 0 " ]] || fail "eight with -f: exit codes $codes"
same shared.bs right.bs
nothing_hidden

# A directory is whole or not there, too.
mkdir directory && cp model.safetensors directory/a.safetensors && printf '{}' >directory/config.json
all_at_once compress directory --per-shard -o shards
[[ $(tr -d ' ' <<<"${codes//6/}") == 0 ]] || fail "eight shards: exit codes $codes"
expect 0 verify shards --source directory
nothing_hidden

# A source that changes or is cut while it is read gives no archive. (Started late, it is found cut at once.)
for change in 'truncate -s 1000000 long.safetensors' 'touch -d 2001-01-01 long.safetensors' 'printf x >>long.safetensors'; do
    sparse_model long.safetensors 800
    code=0
    "$BIGSMALL" compress long.safetensors -o long.bs --threads 1 --no-progress >"$out" 2>"$err" </dev/null &
    pid=$!
    sleep 0.1
    kill -STOP "$pid" 2>/dev/null
    running=yes
    [[ -e long.bs ]] && running=no # it was that fast: nothing to be seen
    eval "$change"
    kill -CONT "$pid" 2>/dev/null
    wait "$pid" || code=$?
    if [[ $running == no ]]; then
        note "compress was done before '$change'"
    elif ((code == 0)); then
        # Right only when the change came before the first look at the file.
        rm -f back.safetensors && expect 0 decompress long.bs -o back.safetensors && same back.safetensors long.safetensors
        note "compress saw the file after '$change' only"
    else
        ((code == 3 || code == 4)) || fail "$change: exit code $code: $(cat "$err")"
        said "$err" long.safetensors
        absent long.bs
    fi
    nothing_hidden
    rm -f long.safetensors long.bs back.safetensors
done

# An archive that is cut while it is read is an error, not a crash.
sparse_model long.safetensors 100
expect 0 compress long.safetensors -o long.bs
cp right.bs cut.bs
"$BIGSMALL" verify cut.bs --threads 1 -q </dev/null >"$out" 2>"$err" &
pid=$!
: >cut.bs
code=0
wait "$pid" || code=$?
((code == 0 || code == 1 || code == 3 || code == 4)) || fail "an archive that is cut while it is verified: exit code $code"

# Outputs have the rights that the umask leaves, never more.
mode() { stat -c %a "$1"; }
for mask in 022 077 027; do
    rm -rf m.bs m.safetensors m-shards
    wanted=$(printf %o $((8#666 & ~8#$mask))) folder=$(printf %o $((8#777 & ~8#$mask)))
    (umask $mask
        "$BIGSMALL" compress model.safetensors -o m.bs -q
        "$BIGSMALL" decompress m.bs -o m.safetensors -q
        "$BIGSMALL" compress directory --per-shard -o m-shards -q) </dev/null
    for file in m.bs m.safetensors m-shards/a.bs m-shards/config.json m-shards/bigsmall.index.json; do
        [[ $(mode $file) == "$wanted" ]] || fail "umask $mask: $file has the rights $(mode $file), not $wanted"
    done
    [[ $(mode m-shards) == "$folder" ]] || fail "umask $mask: the directory has the rights $(mode m-shards)"
done

finish
