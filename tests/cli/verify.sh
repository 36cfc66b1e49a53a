#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# verify: OK for what is whole, FAIL and a line for each problem for what is not.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors

for mode in "" --fast "--sample 1" "--sample 0.001" "--source model.safetensors" --file-hashes; do
    # shellcheck disable=SC2086
    expect 0 verify model.bs $mode
    [[ $(tail -1 "$out") == OK ]] || fail "verify $mode: $(cat "$out")"
done
expect 0 verify model.bs --verbose
said "$out" "checked 5 of 5 tensors"
expect 0 verify model.bs --sample 0.3 --seed 11
cp "$out" first
said "$out" "--seed 11"
expect 0 verify model.bs --sample 0.3 --seed 11
same first "$out"

# Which hashes were made is told; what needs all bytes excludes what reads a part of them.
for mode in "" --fast "--sample 1"; do
    # shellcheck disable=SC2086
    expect 0 verify model.bs --json $mode
    [[ $(json_value "$out" file_hashes) == false ]] || fail "file_hashes of '$mode'"
done
for mode in --file-hashes "--source model.safetensors" "--sha256 $(sha256sum <model.safetensors | cut -d' ' -f1)"; do
    # shellcheck disable=SC2086
    expect 0 verify model.bs --json $mode
    [[ $(json_value "$out" file_hashes) == true ]] || fail "file_hashes of '$mode'"
done
expect 2 verify model.bs --fast --file-hashes
expect 2 verify model.bs --sample 1 --file-hashes

# A flipped byte in every part of the file: never OK from the full check, unless the byte is mere padding between
# blocks. What is called DAMAGED decodes to the very same file.
size=$(stat -c %s model.bs)
for ((at = 3; at < size; at += size / 23)); do
    cp model.bs flipped.bs
    byte=$(od -An -tu1 -j "$at" -N 1 model.bs)
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of=flipped.bs bs=1 seek="$at" conv=notrunc 2>/dev/null
    code=0
    "$BIGSMALL" verify flipped.bs >"$out" 2>"$err" || code=$?
    case $code in
        0)
            expect 0 decompress flipped.bs -o flipped.safetensors -f
            same model.safetensors flipped.safetensors ;;
        1)
            [[ $(tail -1 "$out") == FAIL ]] || fail "byte $at: no FAIL"
            (($(wc -l <"$out") > 1)) || fail "byte $at: FAIL without a problem line"
            said "$out" flipped.bs
            [[ $(head -1 "$out") != DAMAGED:* ]] || expect 0 decompress flipped.bs -o flipped.safetensors -f ;;
        *) fail "byte $at: exit code $code: $(cat "$err")" ;;
    esac
done

# Every part that is there twice: named, FAIL, and nothing is lost.
damaged_copy() { # OFFSET WORDS
    cp model.bs copy.bs
    printf '\125\252' | dd of=copy.bs bs=1 seek="$1" conv=notrunc 2>/dev/null
    for mode in "" --fast "--source model.safetensors"; do
        # shellcheck disable=SC2086
        expect 1 verify copy.bs $mode
        said "$out" "DAMAGED: copy.bs: $2"
        [[ $(tail -1 "$out") == FAIL ]] || fail "$2: $(cat "$out")"
    done
    said "$out" "Every tensor and every file is intact"
    expect 0 decompress copy.bs -o copy.safetensors -f
    same model.safetensors copy.safetensors
}
index=$(od -An -tu8 -j $((size - 96 + 16)) -N 8 model.bs)
stored=$(od -An -tu8 -j $((size - 96 + 32)) -N 8 model.bs)
damaged_copy 30 "the file header is damaged"
damaged_copy $((index + 5)) "the first copy of the index is damaged"
damaged_copy $((index + stored + 20)) "the first footer is damaged"
damaged_copy $((index + stored + 96 + 5)) "the second copy of the index is damaged"
damaged_copy $((size - 50)) "the last footer is damaged"
head -c $((size - 30)) model.bs >cut.bs
expect 1 verify cut.bs
said "$out" "DAMAGED: cut.bs: its last 30 bytes are missing"
expect 1 verify cut.bs --json
[[ $(grep -c '"redundant": true' "$out") == 2 ]] || fail "redundant: $(cat "$out")"

# Damage in the middle of the payload names the tensor, the block and the bytes.
cp model.bs damaged.bs
printf '\125\252\125\252' | dd of=damaged.bs bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
expect 1 verify damaged.bs
said "$out" "tensor model.layers."
said "$out" "block "
[[ $(tail -1 "$out") == FAIL ]] || fail "damaged: $(cat "$out")"
expect 1 verify damaged.bs --json
valid_json "$out" || fail "verify --json of a damaged file is not valid"
[[ $(json_value "$out" ok) == false ]] || fail "ok should be false"
expect 1 verify damaged.bs -q
silent "$out"

# Another source is a mismatch; the same bytes elsewhere are none.
cp model.safetensors same.safetensors
expect 0 verify model.bs --source same.safetensors
printf 'Q' | dd of=same.safetensors bs=1 seek=5000 conv=notrunc 2>/dev/null
expect 1 verify model.bs --source same.safetensors
said "$out" "tensor model.layers.0.self_attn.q_proj.weight"
expect 4 verify model.bs --source missing.safetensors

# A source that is broken itself is named, and so is a file of a source directory.
mkdir -p broken/sub
cp model.safetensors broken/sub/a.safetensors
expect 0 compress broken
head -c 70000 model.safetensors >broken/sub/a.safetensors
expect 3 verify broken.bs --source broken
said "$err" "broken/sub/a.safetensors: tensor "
: | safetensors broken/sub/a.safetensors '{"t":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}'
expect 3 verify broken.bs --source broken
said "$err" 'broken/sub/a.safetensors: tensor t: the key "shape" is in one JSON object twice'
: | safetensors broken/sub/a.safetensors '{"t":{"dtype":"U8","shape":[0],'
expect 3 verify broken.bs --source broken
said "$err" "broken/sub/a.safetensors: at byte "
cp broken/sub/a.safetensors single.safetensors
expect 3 verify model.bs --source single.safetensors
said "$err" "single.safetensors: at byte "

# The published hash of the original, alone or in a list, without the original.
sum=$(sha256sum <model.safetensors | cut -d' ' -f1)
expect 0 verify model.bs --sha256 "$sum"
expect 0 verify model.bs --sha256 "${sum^^}"
expect 1 verify model.bs --sha256 "${sum//0/1}"
said "$out" "the published SHA-256 is ${sum//0/1}, that of the file in the archive is $sum"
[[ $(tail -1 "$out") == FAIL ]] || fail "another published hash: $(cat "$out")"
expect 1 verify model.bs --sha256 "${sum//0/1}" --json
valid_json "$out" || fail "verify --sha256 --json is not valid"
sha256sum model.safetensors >sums
expect 0 verify model.bs --sha256 sums
printf '# of a mirror\r\n\r\n%s */mirror/model.safetensors\n' "$sum" >mirror
expect 1 verify model.bs --sha256 mirror
said "$out" "no file of that name is in the archive"
printf 'model.safetensors %s\n' "$sum" >turned
expect 3 verify model.bs --sha256 turned
said "$err" "line 1 is not a SHA-256"
: >none
expect 3 verify model.bs --sha256 none
expect 4 verify model.bs --sha256 missing
expect 2 verify model.bs --sha256 "$sum" --fast
mkdir -p several/sub
cp model.safetensors several/sub/a.safetensors
small_model several/b.safetensors
printf '{}' >several/config.json
expect 0 compress several
(cd several && find . -type f -exec sha256sum {} +) >sums
expect 0 verify several.bs --sha256 sums
printf '%s  a.safetensors\n' "$sum" >one
expect 0 verify several.bs --sha256 one
expect 1 verify several.bs --sha256 "$sum"
said "$out" "a hash needs a name"
expect 0 compress several --per-shard -o shards
expect 0 verify shards --sha256 sums
sed 's/^\(.*\)  .*config.json/'"$sum"'  config.json/' sums >wrong
expect 1 verify shards --sha256 wrong
said "$out" "config.json: the published SHA-256 is"
# What is damaged is damaged, even where the recorded hash is the published one.
expect 1 verify damaged.bs --sha256 "$sum"


# What is there twice may be damaged once: all comes back, and the user is told.
head -c $(($(stat -c %s model.bs) - 1)) model.bs >cut.bs
expect 0 decompress cut.bs -o cut.safetensors
same model.safetensors cut.safetensors
said "$err" "warning: cut.bs is damaged"
expect 0 decompress model.bs -o whole.safetensors
silent "$err"

# Who is to be repaired is said: the file that is damaged and has parity, or the parity itself.
mkdir -p two
cp model.safetensors two/1.safetensors
cp model.safetensors two/2.safetensors
expect 0 compress two --per-shard -o two-bs
expect 0 ecc two-bs/1.bs
expect 0 ecc two-bs/2.bs
expect 0 verify two-bs/2.bs
printf Z | dd of=two-bs/1.bs bs=1 seek=5000 conv=notrunc 2>/dev/null
for file in two-bs two-bs/2.bs; do
    expect 1 verify "$file"
    said "$out" "'bigsmall repair two-bs/1.bs --check'"
done
expect 0 repair two-bs/1.bs --in-place
printf Z | dd of=two-bs/2.bs.ecc bs=1 seek=3000 conv=notrunc 2>/dev/null
for file in two-bs two-bs/2.bs; do
    expect 1 verify "$file"
    said "$out" "its parity is not: make that again with 'bigsmall ecc -f two-bs/2.bs'"
done

# What cannot even be opened is damaged like anything else, where it is an archive for sure.
cp -r two-bs bad-index && sed -i '1s/{/[/' bad-index/bigsmall.index.json
for mode in "" --fast "--sample 0.5" "--source two" "--sha256 $sum"; do
    # shellcheck disable=SC2086
    expect 1 verify bad-index $mode
    said "$out" "bad-index/bigsmall.index.json: the index of shards is damaged"
    [[ $(tail -1 "$out") == FAIL ]] || fail "damaged index: $(cat "$out")"
done
expect 0 verify model.bs --source model.safetensors --sha256 "$(sha256sum <model.safetensors | cut -d' ' -f1)"
expect 1 verify model.bs --source model.safetensors --sha256 "$(sha256sum <model.bs | cut -d' ' -f1)"
said "$out" "the published SHA-256 is"
expect 1 verify bad-index/ --json
valid_json "$out" || fail "verify --json of a damaged index is not valid"
[[ $(json_value "$out" ok) == false ]] || fail "a damaged index is ok"
cp model.bs gone.bs
expect 0 ecc gone.bs
for at in 0 $((index + stored)) $((size - 96)); do # the header and both footers
    head -c 96 /dev/zero | dd of=gone.bs bs=1 seek="$at" conv=notrunc 2>/dev/null
done
expect 1 verify gone.bs
said "$out" "gone.bs: this is not a bigsmall container"
said "$out" "'bigsmall repair gone.bs --check'"
cp gone.bs.ecc right.ecc
echo nothing >gone.bs.ecc # then nobody knows what it was
expect 3 verify gone.bs
said "$err" "gone.bs: this is not a bigsmall container"
mv right.ecc gone.bs.ecc
expect 0 repair gone.bs --in-place
expect 0 verify gone.bs
cp -r two-bs new-index
expect 0 ecc new-index -f
sed -i 's/"bigsmall-shards"/"bogsmall-shards"/' new-index/bigsmall.index.json
expect 1 verify new-index
said "$out" "'bigsmall repair new-index/bigsmall.index.json --check'"
# Neither a file that never was one, nor a damaged source, is a damaged archive.
cp model.safetensors other
expect 0 ecc other
printf Z | dd of=other bs=1 seek=5000 conv=notrunc 2>/dev/null
expect 3 verify other
head -c 5000 model.safetensors >cut.safetensors
expect 3 verify model.bs --source cut.safetensors

# The hashes of what a patch restores cannot be made without its base.
expect 0 compress same.safetensors --base model.safetensors -o patch.bs
expect 0 verify patch.bs
for mode in --file-hashes "--sha256 $(sha256sum <same.safetensors | cut -d' ' -f1)"; do
    # shellcheck disable=SC2086
    expect 2 verify patch.bs $mode
    said "$err" "this is a patch"
    # shellcheck disable=SC2086
    expect 0 verify patch.bs $mode --base model.safetensors
done

finish
