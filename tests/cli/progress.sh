#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Progress is drawn on a terminal, not on pipes, and not when it is not wanted.
. "$(dirname "$0")/lib.sh"

sparse_model long.safetensors 768
small_model small.safetensors

# Standard error is no terminal here, and the runs are shorter than the 30 s between plain lines.
expect 0 compress long.safetensors
silent "$err"

if ! command -v script >/dev/null; then
    note "no script(1) here: progress on a terminal was not tried"
    finish
fi

# on_terminal COMMAND : runs it with all streams on a terminal; what that shows lands in ./shown.
on_terminal() {
    script -qec "stty cols 70; $1" /dev/null >shown 2>&1 </dev/null
}

on_terminal "'$BIGSMALL' compress long.safetensors -f" || fail "compress on a terminal"
grep -qE 'compress +[0-9]+%  [0-9.]+ MB/s  ratio [0-9.]+%  ETA [0-9:]+  zeros' shown ||
    fail "no progress on a terminal: $(head -c 300 shown)"
tr '\r' '\n' <shown | awk 'length > 70 { exit 1 }' || fail "a progress line is wider than the terminal"
grep -q 'compressed long.safetensors -> long.bs' shown || fail "no summary on a terminal"
on_terminal "'$BIGSMALL' verify long.bs" || fail "verify on a terminal"
grep -qE 'verify +[0-9]+%  [0-9.]+ MB/s  ETA' shown || fail "no progress of verify: $(head -c 300 shown)"
for flag in --no-progress --quiet; do
    on_terminal "'$BIGSMALL' compress long.safetensors -f $flag" || fail "compress $flag"
    ! grep -q '%  ' shown || fail "progress in spite of $flag: $(head -c 300 shown)"
done

# Compressed data is not for eyes, unless they insist.
code=0
on_terminal "'$BIGSMALL' compress small.safetensors -o -" || code=$?
((code == 6)) || fail "data to a terminal: exit code $code, not 6"
on_terminal "'$BIGSMALL' compress small.safetensors -o - -f" || fail "data to a terminal with -f"

finish
