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
    if ((code == 0)); then
        note "bigsmall $* was done before the signal came"
        return
    fi
    ((code == wanted)) || fail "bigsmall $* after $signal: exit code $code, not $wanted: $(cat "$err")"
    said "$err" "bigsmall: interrupted"
    silent "$out"
    [[ $(listing box) == . ]] || fail "bigsmall $* after $signal left behind: $(listing box)"
}

interrupted INT 130 compress long.safetensors -o box/long.bs
interrupted TERM 143 compress long.safetensors -o box/long.bs
interrupted HUP 129 compress long.safetensors -o box/long.bs
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
if wait "$pid"; then
    note "done before the signal came"
else
    [[ $(cat box/kept.bs) == precious ]] || fail "the old output is gone"
    [[ $(listing box) == $'.\n./kept.bs' ]] || fail "left behind: $(listing box)"
fi

finish
