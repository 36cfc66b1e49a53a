#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Nothing is overwritten without -f, and refusing leaves everything as it was.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
echo precious >model.bs
expect 6 compress model.safetensors
silent "$out"
said "$err" "bigsmall: error: model.bs: "
said "$err" "bigsmall: hint: "
[[ $(cat model.bs) == precious ]] || fail "model.bs was overwritten"
expect 2 compress model.safetensors -o model.safetensors -f   # never over the source
expect 6 compress model.safetensors --json
silent "$out"
[[ $(listing .) == $'.\n./.stderr\n./.stdout\n./model.bs\n./model.safetensors' ]] || fail "left behind: $(listing .)"

expect 0 compress model.safetensors -f
cp model.safetensors original
expect 6 decompress model.bs
same model.safetensors original
echo other >model.safetensors
expect 6 decompress model.bs
[[ $(cat model.safetensors) == other ]] || fail "model.safetensors was overwritten"
expect 0 decompress model.bs --force
same model.safetensors original

# A link that leads nowhere is in the way as well.
ln -s nowhere dangling.bs
expect 6 compress model.safetensors -o dangling.bs
[[ -L dangling.bs ]] || fail "the link was replaced"
absent nowhere

# Devices and directories are never replaced.
mkdir folder
expect 6 compress model.safetensors -o folder
said "$err" "hint: choose another name for the output"
"$BIGSMALL" compress model.safetensors -f -o folder >/dev/null 2>&1 && fail "a folder was replaced by a file"
[[ -d folder ]] || fail "the folder is gone"
expect 2 compress model.safetensors -f -o folder
! grep -q -- '-f' "$err" || fail "-f was given and is offered: $(cat "$err")"

# Nor does a directory take the place of a file.
mkdir many && cp model.safetensors many
expect 0 compress many
echo precious >file
expect 6 decompress many.bs -o file
! grep -q -- '-f' "$err" || fail "-f is offered and would not help: $(cat "$err")"
expect 2 decompress many.bs -o file -f
[[ $(cat file) == precious ]] || fail "file was overwritten"

finish
