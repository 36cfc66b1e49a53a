#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Ctrl-C and kill: the run stops with its exit code and leaves no file behind.
. "$(dirname "$0")/lib.sh"
set +m

# The checkpoint must keep the tool busy until the signal comes; it is a sparse file.
sparse_model long.safetensors 6144
sparse_model short.safetensors 768
"$BIGSMALL" compress short.safetensors -q || fail "compress short"

# interrupted SIGNAL CODE ARGUMENT... : the signal is sent as soon as the run has begun to write in box/.
interrupted() {
    local signal=$1 wanted=$2 code=0 i pid
    shift 2
    rm -rf box && mkdir box
    # A shell's background jobs ignore SIGINT; env gives it back.
    env --default-signal="$signal" "$BIGSMALL" "$@" >"$out" 2>"$err" &
    pid=$!
    for ((i = 0; i < 2000; i++)); do
        [[ $(listing box) != . ]] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.005
    done
    kill -"$signal" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null || code=$?
    ((code == wanted)) || fail "bigsmall $* after $signal: exit code $code, not $wanted: $(cat "$err")"
    said "$err" "bigsmall: interrupted"
    silent "$out"
    [[ $(listing box) == . ]] || fail "bigsmall $* after $signal left behind: $(listing box)"
}

interrupted INT 130 compress long.safetensors -o box/long.bs
interrupted TERM 143 compress long.safetensors -o box/long.bs
interrupted HUP 129 compress long.safetensors -o box/long.bs
interrupted QUIT 131 compress long.safetensors -o box/long.bs
interrupted INT 130 decompress short.bs -o box/short.safetensors
interrupted INT 130 transcode short.bs box/short.bsr
mkdir many && ln long.safetensors many/a.safetensors && ln short.safetensors many/b.safetensors
interrupted INT 130 compress many --per-shard -o box/many-bs

# What the output replaces is kept when the run is stopped.
rm -rf box && mkdir box && echo precious >box/kept.bs
env --default-signal=INT "$BIGSMALL" compress long.safetensors -f -o box/kept.bs >"$out" 2>"$err" &
pid=$!
sleep 0.3
kill -INT "$pid" 2>/dev/null
code=0
wait "$pid" || code=$?
((code == 130)) || fail "replacing: exit code $code, not 130: $(cat "$err")"
[[ $(cat box/kept.bs) == precious ]] || fail "the old output is gone"
[[ $(listing box) == $'.\n./kept.bs' ]] || fail "left behind: $(listing box)"

# A file that may not grow: an error that names the output, not the hidden file, and nothing left behind. The limit
# comes as a signal, which would end a program that does not ignore it.
limited() { # FILE-IN-MESSAGE ARGUMENT...
    local named=$1 code=0
    shift
    rm -rf box && mkdir box
    (ulimit -f 100 && exec env --default-signal=XFSZ "$BIGSMALL" "$@") >"$out" 2>"$err" || code=$?
    ((code == 4)) || fail "bigsmall $* under a limit: exit code $code, not 4"
    said "$err" "bigsmall: error: $named: cannot write: "
    [[ $(listing box) == . ]] || fail "bigsmall $* under a limit left behind: $(listing box)"
}
mkdir few && noise 400000 1 >few/noise.bin && small_model few/model.safetensors
expect 0 compress few -o few.bs
expect 0 compress few --per-shard -o few-bs
limited box/few.bs compress few -o box/few.bs
limited box/few-bs/noise.bin compress few --per-shard -o box/few-bs
limited box/back/model.safetensors decompress few.bs -o box/back
limited box/back/model.safetensors decompress few-bs -o box/back

finish
