#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Patches: compress --delta-from, apply, decompress --base, squash, and what the other commands say of them.
. "$(dirname "$0")/lib.sh"

base=$SOURCE_DIR/examples/sample/base/model.safetensors
tuned=$SOURCE_DIR/examples/sample/fine-tune/model.safetensors
cp "$base" base.safetensors
cp "$tuned" tuned.safetensors

expect 0 compress tuned.safetensors -o alone.bs
expect 0 compress tuned.safetensors --delta-from base.safetensors -o patch.bs
said "$out" "base:       base.safetensors"
(($(stat -c %s patch.bs) < $(stat -c %s alone.bs))) || fail "the patch is no smaller than the archive"
expect 0 compress tuned.safetensors --base base.safetensors -o same.bs --json
same patch.bs same.bs
said "$out" '"matched_tensors":'
expect 2 compress tuned.safetensors --base base.safetensors --delta-from base.safetensors -o x.bs
expect 2 compress "$SOURCE_DIR/examples/sample/fine-tune" --per-shard --base base.safetensors -o x
expect 4 compress tuned.safetensors --delta-from nothing.safetensors -o x.bs
absent x.bs

expect 0 apply base.safetensors patch.bs -o back.safetensors
same tuned.safetensors back.safetensors
expect 6 apply base.safetensors patch.bs -o back.safetensors
expect 0 decompress patch.bs --base base.safetensors -o - -f
same tuned.safetensors "$out"
expect 0 apply base.safetensors patch.bs
same tuned.safetensors patch.safetensors
expect 0 apply base.safetensors patch.bs -o json.safetensors --json
said "$out" '"command": "apply"'

# The base under another name, compressed, and as a directory.
expect 0 compress base.safetensors
expect 0 apply base.bs patch.bs -o from-archive.safetensors
same tuned.safetensors from-archive.safetensors
expect 0 apply "$SOURCE_DIR/examples/sample/base" patch.bs -o from-directory.safetensors
same tuned.safetensors from-directory.safetensors

# The fine-tune as an archive.
expect 0 compress alone.bs --delta-from base.bs -o of-archive.bs
expect 0 apply base.safetensors of-archive.bs -o of-archive.safetensors
same tuned.safetensors of-archive.safetensors
expect 3 compress alone.bs -o x.bs

# Without the base, with another, and with one for an archive that needs none.
before=$(listing .)
expect 2 decompress patch.bs -o x.safetensors
said "$err" base.safetensors
expect 3 apply tuned.safetensors patch.bs -o x.safetensors
said "$err" tuned.safetensors
said "$err" base.safetensors
said "$err" SHA-256
expect 2 apply base.safetensors alone.bs -o x.safetensors
expect 2 apply base.safetensors
[[ $(listing .) == "$before" ]] || fail "files left behind: $(listing .)"

# The base and the patch are inputs.
expect 2 compress tuned.safetensors --delta-from base.safetensors -o base.safetensors -f
expect 2 apply base.safetensors patch.bs -o base.safetensors -f
expect 2 apply base.safetensors patch.bs -o patch.bs -f
same "$base" base.safetensors

expect 0 verify patch.bs
said "$out" "--base BASE"
[[ $(tail -1 "$out") == OK ]] || fail "verify: $(cat "$out")"
expect 0 verify patch.bs --base base.safetensors --verbose
said "$out" OK
expect 0 verify patch.bs --sample 0.5
expect 0 verify patch.bs --base base.safetensors --source tuned.safetensors
expect 1 verify patch.bs --base tuned.safetensors --json
said "$out" '"ok": false'
expect 2 verify patch.bs --fast --base base.safetensors
expect 3 transcode patch.bs x.bsr
expect 0 stat patch.bs

# A directory against a directory.
cp -r "$SOURCE_DIR/examples/sample/base" dir-base
cp -r "$SOURCE_DIR/examples/sample/fine-tune" dir-tuned
expect 0 compress dir-tuned --delta-from dir-base -o dir.bs
expect 0 apply dir-base dir.bs -o dir-back
same_tree dir-tuned dir-back

# A chain, and one patch instead of it: back to the base here, so that little remains.
expect 0 compress base.safetensors --delta-from tuned.safetensors -o back.bs
expect 0 apply base.safetensors patch.bs back.bs -o chain.safetensors
same base.safetensors chain.safetensors
expect 3 apply base.safetensors back.bs patch.bs -o x.safetensors
expect 0 squash patch.bs back.bs --base base.safetensors -o both.bs
said "$out" "squashed 2 patches"
(($(stat -c %s both.bs) < $(stat -c %s patch.bs) / 10)) || fail "a patch of nothing has $(stat -c %s both.bs) bytes"
expect 0 apply base.safetensors both.bs -o both.safetensors
same base.safetensors both.safetensors
expect 2 squash patch.bs back.bs --base base.safetensors
expect 2 squash patch.bs back.bs --base base.safetensors -o patch.bs -f
# Without a base: what only one patch changes, or one takes back. Parity of what is replaced goes with it.
expect 0 squash patch.bs back.bs -o both.bs -f
expect 0 apply base.safetensors both.bs -o both.safetensors -f
same base.safetensors both.safetensors
expect 0 squash patch.bs -o one.bs --json
said "$out" '"base": null'
expect 0 apply base.safetensors one.bs -o one.safetensors
same tuned.safetensors one.safetensors
expect 0 ecc one.bs
expect 6 squash patch.bs -o one.bs
expect 0 squash patch.bs -o one.bs -f --json
said "$out" '"one.bs.ecc"'
absent one.bs.ecc
expect 0 ecc one.bs
expect 1 diff base.safetensors tuned.safetensors --patch one.bs -f --json
said "$out" '"one.bs.ecc"'
absent one.bs.ecc
expect 0 apply base.safetensors one.bs -o one.safetensors -f
same tuned.safetensors one.safetensors

# The chain: no detours, and nothing that starts from its own end.
cp tuned.safetensors third.safetensors
printf 'third' | dd of=third.safetensors bs=1 seek=$(($(stat -c %s third.safetensors) - 5)) conv=notrunc status=none
expect 0 compress third.safetensors --delta-from tuned.safetensors -o third.bs
expect 2 squash patch.bs third.bs -o x.bs
said "$err" "builds on what an earlier patch of the chain has changed"
said "$err" "--base BASE"
absent x.bs
mkdir chain
cp patch.bs third.bs back.bs chain
expect 0 info chain/third.bs
said "$out" "base.safetensors -> patch.bs -> third.bs"
expect 0 info chain/patch.bs
said "$out" "base.safetensors -> patch.bs"
cp base.bs chain
expect 0 info chain/third.bs --json
[[ $(grep -c '"file": "chain/' "$out") -ge 3 ]] || fail "the chain: $(cat "$out")"
cp alone.bs chain
expect 0 info chain/third.bs
said "$out" "alone.bs -> third.bs"
# A patch that takes another one back leads to where that led.
mkdir undo
cp patch.bs third.bs undo
expect 0 compress tuned.safetensors --delta-from third.safetensors -o undo/undo.bs
expect 0 info undo/undo.bs
said "$out" "base.safetensors -> patch.bs -> third.bs -> undo.bs"
# A file that is the same in all versions does not make a circle.
cp base.safetensors vae.safetensors
printf 'other' | dd of=vae.safetensors bs=1 seek=$(($(stat -c %s vae.safetensors) - 5)) conv=notrunc status=none
for version in base tuned third; do
    mkdir -p "pipe-$version"
    cp "$version.safetensors" "pipe-$version/unet.safetensors"
    cp vae.safetensors "pipe-$version/vae.safetensors"
done
mkdir pipes
expect 0 compress pipe-tuned --delta-from pipe-base -o pipes/first.bs
expect 0 compress pipe-third --delta-from pipe-tuned -o pipes/second.bs
expect 0 info pipes/second.bs
said "$out" "first.bs -> second.bs"
expect 0 info base.bs --json
said "$out" '"chain": []'

# In place: what differs is written, and a file of another layout is put in the place of the old one.
cp base.safetensors model.safetensors
expect 0 apply --in-place model.safetensors patch.bs
said "$out" "bytes rewritten"
same tuned.safetensors model.safetensors
expect 3 apply --in-place model.safetensors patch.bs
same tuned.safetensors model.safetensors
expect 0 apply --in-place model.safetensors back.bs --json
said "$out" '"in_place": "applied"'
same base.safetensors model.safetensors
printf 'abcdefgh' | safetensors longer.safetensors \
    '{"model.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
expect 0 compress longer.safetensors --delta-from base.safetensors -o longer.bs --force-delta -q
expect 0 apply --in-place model.safetensors longer.bs
said "$out" "rewritten whole"
same longer.safetensors model.safetensors
ln -s base.safetensors link.safetensors
expect 2 apply --in-place link.safetensors patch.bs
expect 2 apply --in-place base.bs patch.bs
expect 2 apply --in-place base.safetensors patch.bs back.bs
expect 2 apply --in-place base.safetensors patch.bs -o x.safetensors
expect 2 apply base.safetensors --finish --undo
expect 4 apply base.safetensors --finish
expect 4 apply base.safetensors --undo
expect 2 apply base.safetensors patch.bs --undo
same "$base" base.safetensors

# The nearest base of several.
mkdir -p zoo/near zoo/far
cp base.safetensors zoo/near/model.safetensors
cp alone.bs zoo/far/not-this.bs.txt
small_model zoo/far/model.safetensors
expect 0 compress tuned.safetensors --auto-delta --base-dir zoo -o auto.bs
said "$err" zoo/near
expect 0 apply zoo/near auto.bs -o auto.safetensors
same tuned.safetensors auto.safetensors
expect 0 compress tuned.safetensors --auto-delta --base-dir zoo -o auto.bs -f --json
said "$out" '"candidates": 2'
expect 0 compress tuned.safetensors --auto-delta --base-dir zoo/far -o none.bs
expect 0 decompress none.bs
same tuned.safetensors none.safetensors
expect 2 compress tuned.safetensors --auto-delta -o x.bs
expect 2 compress tuned.safetensors --base-dir zoo -o x.bs

# Of little use: a warning, and the patch works all the same.
head -c 40000 /dev/zero | safetensors zeros.safetensors '{"z":{"dtype":"F32","shape":[10000],"data_offsets":[0,40000]}}'
expect 0 compress tuned.safetensors --delta-from zeros.safetensors -o useless.bs
said "$err" warning
expect 0 compress tuned.safetensors --delta-from zeros.safetensors -o useless.bs -f --force-delta
silent "$err"
expect 0 apply zeros.safetensors useless.bs -o useless.safetensors
same tuned.safetensors useless.safetensors
finish
