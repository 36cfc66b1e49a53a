#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# What is compressed comes back byte for byte, whatever the tool is asked to do on the way.
. "$(dirname "$0")/lib.sh"

# there_and_back FILE : through a file, with the default names and through pipes.
there_and_back() {
    local file=$1 copy=$work/trip/model.safetensors before
    rm -rf "$work/trip" && mkdir "$work/trip"
    cp -L "$file" "$copy"
    before=$(stat -c '%Y %i %s' "$copy")
    expect 0 compress "$copy" --no-progress
    silent "$err"
    [[ $(stat -c '%Y %i %s' "$copy") == "$before" ]] || fail "compress touched $file"
    "$BIGSMALL" compress "$copy" -o - -q | cmp -s - "$work/trip/model.bs" || fail "$file: pipe and file differ"
    mv "$copy" "$work/trip/original"
    expect 0 verify "$work/trip/model.bs" -q
    silent "$out"
    expect 0 decompress "$work/trip/model.bs"
    same "$file" "$copy"
    [[ $(listing "$work/trip") == $'.\n./model.bs\n./model.safetensors\n./original' ]] ||
        fail "files left behind: $(listing "$work/trip")"
    "$BIGSMALL" decompress "$work/trip/model.bs" -o - -q | cmp -s - "$file" || fail "$file: not back through a pipe"
}

small_model small.safetensors
there_and_back "$work/small.safetensors"
: | safetensors nothing.safetensors '{}'
there_and_back "$work/nothing.safetensors"
printf 'abcdefghij' | safetensors odd.safetensors \
    '{"a":{"dtype":"MADE_UP","shape":[3],"data_offsets":[1,4]},"b":{"dtype":"I8","shape":[2],"data_offsets":[6,8]}} '
there_and_back "$work/odd.safetensors"
printf 'x' | safetensors $'name with spaces \xc3\xa9.safetensors' '{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
there_and_back $'./name with spaces \xc3\xa9.safetensors'

# The summary: five lines with the figures of the files.
cp small.safetensors five.safetensors
expect 0 compress five.safetensors
[[ $(wc -l <"$out") == 5 ]] || fail "the summary has not five lines"
[[ $(head -1 "$out") == "compressed five.safetensors -> five.bs" ]] || fail "first line: $(head -1 "$out")"
thousands() { printf "%s" "$1" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'; }
raw=$(stat -c %s five.safetensors) stored=$(stat -c %s five.bs)
said "$out" "  source:     $(thousands "$raw") bytes"
said "$out" "  compressed: $(thousands "$stored") bytes ($(awk -v a="$stored" -v b="$raw" 'BEGIN { printf "%.2f", 100 * a / b }')%)"
said "$out" "  saved:      $(thousands $((raw - stored))) bytes"
grep -qE '^  elapsed:    [0-9]+\.[0-9]s  [0-9.]+ MB/s$' "$out" || fail "elapsed: $(tail -1 "$out")"
rm five.safetensors
expect 0 decompress five.bs
grep -qE '^decompressed five\.bs -> five\.safetensors  \([0-9]+\.[0-9]s\)  [0-9.]+ MB/s$' "$out" ||
    fail "summary: $(cat "$out")"

for sample in "$SOURCE_DIR"/examples/sample/*/*.safetensors "$SOURCE_DIR"/examples/sample/*.safetensors; do
    [[ -e $sample ]] && there_and_back "$sample"
done
if [[ -d ${BIGSMALL_SHARED_DATA:-} ]]; then
    for file in "$BIGSMALL_SHARED_DATA"/*/*.safetensors; do there_and_back "$file"; done
else
    note "BIGSMALL_SHARED_DATA names no folder: its checkpoints were not tried"
fi

finish
