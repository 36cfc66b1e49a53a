#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# repair: what was damaged comes back, and what cannot is told.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors
expect 0 ecc model.bs
cp model.bs good.bs
cp model.bs.ecc good.ecc
size=$(stat -c %s model.bs)

reset() { cp good.bs model.bs; cp good.ecc model.bs.ecc; }
# zeros FILE OFFSET BYTES
zeros() { dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc 2>/dev/null; }

# Whole: nothing to do.
expect 0 repair model.bs --check
said "$out" "model.bs: whole"
expect 0 repair model.bs --in-place
expect 0 repair model.bs -o copy.bs
same copy.bs good.bs
expect 6 repair model.bs -o copy.bs
expect 0 repair model.bs -o copy.bs -f

# A hole of an eighth, anywhere: header, blocks, index, footer.
hole=$((size / 8))
for at in 0 1000 $((size / 2)) $((size - hole)); do
    reset
    zeros model.bs "$at" "$hole"
    cp model.bs damaged.bs
    expect 1 repair model.bs --check
    said "$out" "can be repaired"
    same model.bs damaged.bs
    expect 0 repair model.bs -o repaired.bs -f
    same repaired.bs good.bs
    same model.bs damaged.bs
    expect 0 repair model.bs --in-place
    said "$out" "repaired model.bs"
    same model.bs good.bs
    expect 0 verify model.bs
done

# A byte every 40: more checksums fail than not.
reset
for ((at = 7; at < size; at += 40)); do printf '%s\n' "$at"; done |
    while read -r at; do printf X | dd of=model.bs bs=1 seek="$at" conv=notrunc 2>/dev/null; done
expect 0 repair model.bs --in-place --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(json_value "$out" whole) == false && $(json_value "$out" repairable) == true ]] || fail "$(cat "$out")"
same model.bs good.bs

# Its end is missing, or something is behind it.
reset
truncate -s $((size - 3000)) model.bs
expect 0 repair model.bs -o repaired.bs -f
said "$out" "3,000 bytes are missing at its end"
same repaired.bs good.bs
expect 0 repair model.bs --in-place
same model.bs good.bs
echo more >>model.bs
expect 1 repair model.bs --check
expect 0 repair model.bs --in-place
same model.bs good.bs

# The parity is damaged, too.
for at in 0 100 $(($(stat -c %s good.ecc) - 500)); do
    reset
    zeros model.bs 500 2000
    zeros model.bs.ecc "$at" 400
    expect 1 repair model.bs --check
    said "$out" "is damaged itself"
    expect 0 repair model.bs --in-place
    same model.bs good.bs
    same model.bs.ecc good.ecc
done

# Beyond repair: told, with the tensors, and what is there is written.
reset
zeros model.bs 100 $((size / 3))
cp model.bs damaged.bs
expect 1 repair model.bs --check
said "$out" "LOST: tensor model.layers.0.self_attn.q_proj.weight"
expect 1 repair model.bs -o rest.bs --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(json_value "$out" repairable) == false ]] || fail "$(cat "$out")"
exists rest.bs
expect 1 repair model.bs --in-place
same model.bs damaged.bs

# The parity of another file, none, something else.
reset
head -c "$size" /dev/urandom >other.bs
cp model.bs.ecc other.bs.ecc
expect 3 repair other.bs -o never.bs
said "$err" "parity of another file"
absent never.bs
cp other.bs before.bs
expect 3 repair other.bs --in-place
same other.bs before.bs
rm other.bs.ecc
expect 3 repair other.bs --check
said "$err" "there is no other.bs.ecc"
expect 4 repair other.bs --check --ecc nothing.ecc
expect 3 repair model.bs --check --ecc good.bs
expect 0 repair model.bs --check --ecc good.ecc

# Two copies, each beyond repair by itself: with parity, and without.
reset
zeros model.bs 100 $((size / 3))
cp good.bs second.bs
zeros second.bs 0 40
zeros second.bs $((size - 400)) 200
expect 1 repair model.bs --check
expect 0 repair model.bs --from second.bs -o repaired.bs -f
same repaired.bs good.bs
rm model.bs.ecc
expect 1 repair model.bs --check
expect 0 repair model.bs --from second.bs -o repaired.bs -f
same repaired.bs good.bs
cp model.bs damaged.bs
expect 0 repair damaged.bs --from second.bs --in-place
same damaged.bs good.bs
expect 0 compress model.safetensors --storage -o another.bs
expect 3 repair model.bs --from another.bs -o never.bs
said "$err" "not a copy"
absent never.bs

# The model that was packed: its blocks are coded again.
for point in storage balanced inference; do
    expect 0 compress model.safetensors --$point -o point.bs -f
    cp point.bs broken.bs
    zeros broken.bs 0 70
    zeros broken.bs 5000 3
    expect 1 repair broken.bs --check
    said "$out" "LOST: tensor model.layers.1.self_attn.q_proj.weight"
    expect 0 repair broken.bs --from model.safetensors -o repaired.bs -f
    same repaired.bs point.bs
    cp broken.bs broken2.bs
    expect 0 repair broken2.bs --from model.safetensors --in-place
    same broken2.bs point.bs
done

# What a container holds twice or can do without, with nothing else at hand.
rm -f ./*.ecc
index=$(od -An -tu8 -j $((size - 96 + 16)) -N 8 good.bs)
second=$(od -An -tu8 -j $((size - 96 + 24)) -N 8 good.bs)
stored=$(od -An -tu8 -j $((size - 96 + 32)) -N 8 good.bs)
for at in 10 $((index - 40)) $((index + 10)) $((index + stored + 20)) $((second + 10)) $((size - 50)); do
    cp good.bs model.bs
    zeros model.bs "$at" 16
    expect 1 verify model.bs
    expect 1 repair model.bs --check
    said "$out" "can be repaired"
    expect 0 repair model.bs -o repaired.bs -f
    same repaired.bs good.bs
    expect 0 repair model.bs --in-place
    same model.bs good.bs
done
((index != second)) || fail "the sample should have two copies of its index"
truncate -s $((size - 300)) model.bs
expect 0 repair model.bs --in-place
same model.bs good.bs
echo more >>model.bs
expect 0 repair model.bs --in-place
same model.bs good.bs
head -c 3000 good.bs >model.bs
expect 3 repair model.bs -o never.bs
absent never.bs
cp good.bs model.bs
cp good.ecc model.bs.ecc 2>/dev/null || expect 0 ecc model.bs

# An archive in a directory: its index and what it carries come back as its containers do.
mkdir -p tree/sub
cp model.safetensors tree/a.safetensors
cp model.safetensors tree/sub/b.safetensors
echo '{"model_type": "llama"}' >tree/config.json
expect 0 compress tree --per-shard --ecc
cp -rp tree-bs whole
damage_tree() {
    rm -rf tree-bs && cp -rp whole tree-bs
    for file in bigsmall.index.json config.json sub/b.bs sub/b.bs.ecc; do
        printf zz | dd of=tree-bs/$file bs=1 seek=9 conv=notrunc 2>/dev/null
        touch -r whole/$file tree-bs/$file # as a disk does it
    done
}
damage_tree
expect 1 verify tree-bs
said "$out" "There is parity: 'bigsmall repair tree-bs/bigsmall.index.json --check'"
cp -rp tree-bs damaged
expect 1 repair tree-bs --check
for file in bigsmall.index.json config.json sub/b.bs; do said "$out" "tree-bs/$file: damaged, can be repaired"; done
said "$out" "tree-bs: 1 of 4 files with parity were whole"
same_tree tree-bs damaged
expect 0 repair tree-bs --in-place --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
[[ $(grep -c '"repairable": true' "$out") == 5 ]] || fail "the directory and its files: $(cat "$out")"
[[ $(grep -c '"whole": false' "$out") == 4 ]] || fail "what was repaired: $(cat "$out")"
same_tree tree-bs whole
expect 0 repair tree-bs --in-place
# What cannot be repaired does not keep the others from it.
damage_tree
rm tree-bs/a.bs
expect 1 repair tree-bs --in-place
said "$out" "tree-bs/a.bs: "
cp whole/a.bs tree-bs/
same_tree tree-bs whole
mv tree-bs/a.bs . # of what cannot be looked at, nothing is told
expect 1 repair tree-bs --check --json
[[ $(json_value "$out" ecc_whole) == false && $(json_value "$out" failure) == *a.bs* ]] || fail "failing: $(cat "$out")"
mv a.bs tree-bs/
for option in "-o never" "--in-place --from model.bs" "--check --ecc model.bs.ecc" "--in-place -f"; do
    # shellcheck disable=SC2086
    expect 2 repair tree-bs $option
done
# A copy whose files are all whole needs no repair, however new they are; what was edited is not set back.
for file in config.json bigsmall.index.json; do touch -d "1 minute" tree-bs/$file; done
expect 0 repair tree-bs --in-place
printf 'L' | dd of=tree-bs/config.json bs=1 seek=16 conv=notrunc 2>/dev/null
touch -d "1 minute" tree-bs/config.json
expect 1 repair tree-bs --in-place --json
[[ $(json_value "$out" restored_pieces) == 0 ]] || fail "nothing was restored: $(cat "$out")"
printf zz | dd of=tree-bs/bigsmall.index.json bs=1 seek=9 conv=notrunc 2>/dev/null
touch -r whole/bigsmall.index.json tree-bs/bigsmall.index.json
expect 1 repair tree-bs --in-place # nor does that keep others from being repaired
said "$out" "tree-bs/config.json: the file was written after its parity"
same tree-bs/bigsmall.index.json whole/bigsmall.index.json
expect 0 repair tree-bs/config.json --in-place -f
same_tree tree-bs whole
# Also where links lead to the files.
mkdir links && for file in whole/*.*; do ln -s ../"$file" links/; done && ln -s ../whole/sub links/sub
expect 0 repair links --in-place
# An index that migrate has written is no damage, nor is the old one put back.
cp -rp whole moved
expect 0 migrate moved --storage --no-backup
cp moved/bigsmall.index.json new.json
touch -d "1 minute" moved/bigsmall.index.json
for how in --check --in-place; do
    expect 1 repair moved $how
    said "$out" "moved/bigsmall.index.json: the file was written after its parity"
done
same moved/bigsmall.index.json new.json
# decompress says who is to be repaired.
cp -rp whole broken
printf zz | dd of=broken/sub/b.bs bs=1 seek=3000 conv=notrunc 2>/dev/null
expect 3 decompress broken -o never
said "$err" "'bigsmall repair broken/sub/b.bs --check'"
expect 1 repair broken/sub/b.bs --check
expect 0 repair broken --in-place
printf zz | dd of=broken/config.json bs=1 seek=9 conv=notrunc 2>/dev/null
expect 3 decompress broken -o never
said "$err" "'bigsmall repair broken/config.json --check'"
absent never
# Nor is it where times tell nothing: the containers know their versions.
touch -d 2020-01-01 moved/bigsmall.index.json
expect 1 repair moved --in-place
said "$out" "moved/bigsmall.index.json: it differs from its parity, and other files here are of another version"
same moved/bigsmall.index.json new.json
# An index that is damaged and has no parity is told, whatever else is whole.
cp -rp whole no-index
rm no-index/bigsmall.index.json.ecc
printf zz | dd of=no-index/bigsmall.index.json bs=1 seek=9 conv=notrunc 2>/dev/null
expect 1 repair no-index --check
said "$out" "no-index/bigsmall.index.json: "
said "$out" "no-index: 3 of 4 files"
# Of what is left without parity is told; foreign files are passed over.
rm tree-bs/config.json.ecc
echo key >tree-bs/my.ecc
expect 0 repair tree-bs --check
said "$out" "tree-bs: 3 of 3 files with parity were whole"
said "$out" "1 other files of the archive have none"
# Without an index, what lies there.
mkdir loose && cp good.bs loose/model.bs && echo key >loose/my.ecc
expect 0 ecc loose/model.bs
zeros loose/model.bs 1000 50
zeros loose/model.bs.ecc 0 16 # it has its header twice
ln -s loop.ecc loose/loop.ecc
expect 1 repair loose --check
said "$out" "loose/model.bs: damaged, can be repaired"
expect 0 repair loose --in-place
same loose/model.bs good.bs

# Usage.
expect 2 repair model.bs
expect 2 repair model.bs -o a --in-place
expect 2 repair model.bs --check -o a
expect 2 repair model.bs -o model.bs -f
expect 2 repair model.bs -o model.bs.ecc -f
expect 2 repair model.bs -o -
ln -s model.bs link.bs
expect 2 repair link.bs --in-place
[[ -z $(find . -name '*.partial') ]] || fail "left behind: $(find . -name '*.partial')"
finish
