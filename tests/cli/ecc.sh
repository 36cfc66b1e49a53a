#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# ecc: parity of any file, beside it or elsewhere, the same from any number of threads.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors
cp model.bs before.bs

expect 0 ecc model.bs
said "$out" "protected model.bs -> model.bs.ecc"
same model.bs before.bs
expect 0 ecc model.bs -o elsewhere.ecc --threads 1 --quiet
silent "$out"
same model.bs.ecc elsewhere.ecc
expect 0 ecc model.bs -o three.ecc --threads 3
same model.bs.ecc three.ecc
(($(stat -c %s model.bs.ecc) * 5 < $(stat -c %s model.bs))) || fail "the parity is too large"

# Nothing is overwritten unasked, and never the file itself.
expect 6 ecc model.bs
expect 0 ecc model.bs -f --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(json_value "$out" parity_bytes) == "$(stat -c %s model.bs.ecc)" ]] || fail "parity_bytes: $(cat "$out")"
expect 2 ecc model.bs -o model.bs -f
same model.bs before.bs
expect 4 ecc nothing.bs
expect 4 ecc . # a directory, but no archive
said "$err" "this directory has no bigsmall.index.json"
expect 2 ecc model.bs -o -
expect 2 ecc

# Parity is not made again of what is damaged, as the old one shows; where nothing shows it, or a file was changed on
# purpose, it is.
cp model.bs.ecc good.ecc
printf XXXX | dd of=model.bs bs=1 seek=1000 conv=notrunc 2>/dev/null
expect 3 ecc model.bs -f
said "$err" "model.bs: the file is damaged"
same model.bs.ecc good.ecc
touch -d "1 minute" model.bs
head -c 64 /dev/zero | dd of=model.bs.ecc bs=1 conv=notrunc 2>/dev/null
expect 3 ecc model.bs -f
echo lost >model.bs.ecc
expect 0 ecc model.bs -f
cp before.bs model.bs
rm model.bs.ecc
expect 0 ecc model.bs
same model.bs.ecc good.ecc
echo one >text
expect 0 ecc text
echo two >text
touch -d "1 minute" text
expect 0 ecc text -f
expect 0 repair text --check
echo one >text
touch -d "2020-01-01" text
expect 3 ecc text -f

# Files that are no archives, however small.
for bytes in 0 1 223 5000; do
    head -c $bytes model.bs >file
    expect 0 ecc file -f
    expect 0 repair file --check
done
[[ -z $(find . -name '*.partial') ]] || fail "left behind: $(find . -name '*.partial')"

# compress --ecc: the same as ecc afterwards.
rm -f ./*.bs ./*.ecc
expect 0 compress model.safetensors --ecc
said "$out" "parity:"
mv model.bs.ecc made.ecc
expect 0 ecc model.bs
same made.ecc model.bs.ecc
expect 2 compress model.safetensors -o - --ecc
expect 6 compress model.safetensors --ecc
expect 0 compress model.safetensors --storage --ecc -f --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(grep -c 'model.bs.ecc"' "$out") == 1 ]] || fail "made, and not removed: $(cat "$out")"
expect 0 repair model.bs --check
# An older parity is never left beside a new archive, nor taken for one.
expect 0 compress model.safetensors --inference -f --json
absent model.bs.ecc
grep -q '"model.bs.ecc"' "$out" || fail "removed_files: $(cat "$out")"
echo mine >model.bs.ecc
rm model.bs
expect 6 compress model.safetensors
said "$err" "model.bs.ecc"
absent model.bs
expect 0 compress model.safetensors -f
[[ $(cat model.bs.ecc) == mine ]] || fail "a file that is no parity was removed"
rm model.bs.ecc

# One for each file of a directory.
mkdir -p tree/sub
cp model.safetensors tree/a.safetensors
cp model.safetensors tree/sub/b.safetensors
echo '{}' >tree/config.json
expect 0 compress tree --per-shard --ecc
exists tree-bs/a.bs.ecc
exists tree-bs/sub/b.bs.ecc
exists tree-bs/config.json.ecc
exists tree-bs/bigsmall.index.json.ecc
expect 0 repair tree-bs/sub/b.bs --check
expect 0 repair tree-bs --check
said "$out" "4 of 4 files with parity were whole"
cp -r tree-bs made
find tree-bs -name '*.ecc' -delete
expect 4 repair tree-bs --check
said "$err" "no file in this directory has parity"
expect 2 ecc tree-bs -o elsewhere
: >tree-bs/config.json.ecc # what is in the way is told before anything is written
expect 6 ecc tree-bs
absent tree-bs/a.bs.ecc
expect 0 ecc tree-bs -f --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(grep -c '\.ecc"' "$out") == 4 && $(json_value "$out" output) == null ]] || fail "written: $(cat "$out")"
same_tree tree-bs made
expect 0 verify tree-bs
expect 0 decompress tree-bs -o back
same_tree tree back
expect 0 compress tree --per-shard --storage -f
absent tree-bs/a.bs.ecc
absent tree-bs/sub/b.bs.ecc
absent tree-bs/config.json.ecc
absent tree-bs/bigsmall.index.json.ecc
# Nor beside what other commands replace.
expect 0 ecc tree-bs
expect 0 transcode tree-bs replaced
expect 0 ecc replaced
expect 0 transcode tree-bs replaced -f --json
grep -q '"replaced/a.bs.ecc"' "$out" || fail "removed_files: $(cat "$out")"
expect 0 verify replaced
expect 4 repair replaced --check
expect 0 reshard model.bs --output-dir parts --shards 3
expect 0 ecc parts
expect 0 reshard model.bs --output-dir parts --shards 2 -f
[[ -z $(find parts -name '*.ecc') ]] || fail "left behind: $(find parts -name '*.ecc')"
expect 0 transcode model.bs model.bsr
expect 0 ecc model.bsr
expect 0 transcode model.bs model.bsr -f
absent model.bsr.ecc
rm model.bsr
echo mine >model.bsr.ecc
expect 6 transcode model.bs model.bsr
absent model.bsr
find tree-bs -name '*.ecc' -delete
# A file of the model is not taken for parity, nor overwritten or removed for it, whether it is parity or not.
for mine in "echo mine" "cat made/config.json.ecc"; do
    $mine >tree/config.json.ecc
    expect 6 compress tree --per-shard --ecc -f
    said "$err" "would be taken for the parity of another one"
    expect 0 compress tree --per-shard -f
    same tree/config.json.ecc tree-bs/config.json.ecc
    expect 6 ecc tree-bs -f
    same tree/config.json.ecc tree-bs/config.json.ecc
    expect 0 verify tree-bs
    expect 4 repair tree-bs --check
    said "$err" "no file in this directory has parity"
done
rm tree/config.json.ecc
expect 0 compress tree --per-shard -f
mv tree-bs/sub/b.bs b.bs
expect 4 ecc tree-bs # what is missing is told before anything is written, too
absent tree-bs/a.bs.ecc
mv b.bs tree-bs/sub/b.bs

# verify looks at the parity as well.
expect 0 compress model.safetensors --ecc -f
expect 0 verify model.bs --verbose
said "$out" "2 files"
printf XXXX | dd of=model.bs.ecc bs=1 seek=1000 conv=notrunc 2>/dev/null
expect 1 verify model.bs
said "$out" "DAMAGED: model.bs.ecc: the parity itself is damaged"
expect 0 verify model.bs --fast
expect 0 ecc model.bs -f
printf XXXX | dd of=model.bs bs=1 seek=1000 conv=notrunc 2>/dev/null
expect 1 verify model.bs
said "$out" "bigsmall repair model.bs"
expect 3 decompress model.bs -o never
said "$err" "bigsmall repair"
expect 0 repair model.bs --in-place
expect 0 verify model.bs
cp model.bs.ecc old.ecc
expect 0 compress model.safetensors --storage -f
cp old.ecc model.bs.ecc
expect 1 verify model.bs
said "$out" "DAMAGED: model.bs.ecc"
# A model that was changed in place has parity of another version, which undoes nothing.
small_model changed.safetensors
cp changed.safetensors next.safetensors
printf 'abc' | dd of=next.safetensors bs=1 seek=30000 conv=notrunc 2>/dev/null
expect 0 compress next.safetensors --delta-from changed.safetensors -o update.bs
expect 0 ecc changed.safetensors
expect 0 apply --in-place changed.safetensors update.bs
said "$err" "make it anew with 'bigsmall ecc -f'"
expect 3 repair changed.safetensors --in-place
said "$err" "written after its parity"
same changed.safetensors next.safetensors
expect 0 ecc changed.safetensors -f
expect 0 repair changed.safetensors --in-place

finish
