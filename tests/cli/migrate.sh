#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# migrate: smaller or untouched, with a backup, and always the same files.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors --inference
cp model.bs before.bs
old=$(stat -c %s model.bs)

# The point that the file records has nothing to gain.
expect 0 migrate model.bs
said "$out" "nothing to gain"
same model.bs before.bs
absent model.bs.bak

# A dry run tells what the run does, and changes nothing.
expect 0 migrate model.bs --storage --dry-run --json
valid_json "$out" || fail "migrate --json is not valid"
foretold=$(json_value "$out" new_bytes)
[[ $(json_value "$out" smaller) == true && $(json_value "$out" old_bytes) == "$old" ]] || fail "json: $(cat "$out")"
same model.bs before.bs
expect 0 migrate model.bs --storage --json --threads 3
[[ $(json_value "$out" new_bytes) == "$foretold" && $(stat -c %s model.bs) == "$foretold" ]] ||
    fail "foretold $foretold: $(cat "$out")"
((foretold < old)) || fail "not smaller: $foretold"
same model.bs.bak before.bs
expect 0 verify model.bs --source model.safetensors
expect 0 migrate model.bs --storage
said "$out" "nothing to gain"

# Backups; a parity file that is about the old bytes.
cp before.bs model.bs
expect 6 migrate model.bs --storage
said "$err" "backup of an earlier run"
same model.bs before.bs
touch model.bs.ecc
expect 0 migrate model.bs --storage -f
said "$err" "bigsmall ecc"
said "$out" "backup:"
cp before.bs model.bs
rm model.bs.bak model.bs.ecc
expect 0 migrate model.bs --storage --no-backup -q
silent "$out"
silent "$err"
absent model.bs.bak
[[ $(stat -c %s model.bs) == "$foretold" ]] || fail "size: $(stat -c %s model.bs)"

# What a link leads to is replaced, not the link.
cp before.bs target.bs && ln -s target.bs link.bs
expect 0 migrate link.bs --storage
[[ -L link.bs && $(stat -c %s target.bs) == "$foretold" ]] || fail "the link is no link any more"
same target.bs.bak before.bs

# Every older form of a container.
for golden in "$SOURCE_DIR"/tests/golden/data/container_v1*.bs; do
    cp "$golden" golden.bs
    rm -f golden.bs.bak
    [[ $golden == *patch_index* ]] && continue # an index without a payload
    expect 0 migrate golden.bs --storage
    expect 0 verify golden.bs
    (($(stat -c %s golden.bs) <= $(stat -c %s "$golden"))) || fail "$golden grew"
    rm -rf golden-a golden-b
    expect 0 decompress "$golden" -o golden-a
    expect 0 decompress golden.bs -o golden-b
    [[ -d golden-a ]] && same_tree golden-a golden-b || same golden-a golden-b
done

# A directory of shards, whose containers borrow from each other, is migrated as a whole.
mkdir dir && cp model.safetensors dir/a.safetensors && cp model.safetensors dir/b.safetensors && echo x >dir/x.txt
expect 0 compress dir --per-shard --inference
expect 2 migrate dir-bs/a.bs --storage
said "$err" "migrate the directory"
ln -s dir-bs/a.bs shard-link.bs
expect 2 migrate shard-link.bs --storage
said "$err" "migrate the directory"
mkdir -p pipe/unet && cp dir-bs/bigsmall.index.json pipe && sed -i 's#"a.bs"#"unet/a.bs"#' pipe/bigsmall.index.json
cp dir-bs/a.bs pipe/unet
expect 2 migrate pipe/unet/a.bs --storage
said "$err" "migrate the directory"
expect 0 ecc dir-bs
for file in dir-bs/*.ecc; do touch -d 2020-01-01 "$file"; done # clocks may be coarse
expect 0 migrate dir-bs --storage
for file in a.bs bigsmall.index.json; do said "$err" "dir-bs/$file.ecc is about the file that was there before"; done
expect 0 ecc dir-bs -f
exists dir-bs/a.bs.bak
expect 0 verify dir-bs --source dir
said dir-bs/bigsmall.index.json "\"stored_bytes\": $(stat -c %s dir-bs/a.bs)"

# Differences to a base stay as they are; the base is not needed.
cp model.safetensors tuned.safetensors
printf '\1\2\3' | dd of=tuned.safetensors bs=1 seek=30000 conv=notrunc 2>/dev/null
expect 0 compress tuned.safetensors --delta-from model.safetensors -o patch.bs --inference
expect 0 migrate patch.bs --storage
expect 0 apply model.safetensors patch.bs -o tuned-back
same tuned-back tuned.safetensors

# What cannot be done leaves everything as it is.
mkdir box && cp before.bs box/m.bs
printf '\125\252\125\252' | dd of=box/m.bs bs=1 seek=$((old / 3)) conv=notrunc 2>/dev/null
cp box/m.bs damaged.bs
expect 3 migrate box/m.bs --storage
said "$err" "tensor model.layers.0.self_attn.q_proj.weight"
expect 3 migrate box/m.bs --storage --dry-run
same box/m.bs damaged.bs
[[ $(listing box) == $'.\n./m.bs' ]] || fail "left behind: $(listing box)"
expect 4 migrate none.bs
expect 3 migrate model.safetensors
expect 2 migrate
expect 2 migrate model.bs --storage --inference

finish
