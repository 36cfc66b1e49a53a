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

# What the source consists of is never overwritten, wherever it lies: here, in the blobs of a Hub's cache.
mkdir -p cache/blobs cache/snapshots/main
cp model.safetensors cache/blobs/0123
echo '{}' >cache/blobs/config.json
ln -s ../../blobs/0123 cache/snapshots/main/model.safetensors
ln -s ../../blobs/config.json cache/snapshots/main/config.json
ln -s 0123 cache/blobs/alias
for output in cache/blobs/0123 cache/blobs/alias cache/snapshots/main/x.bs; do
    expect 2 compress cache/snapshots/main -o $output -f
    said "$err" "bigsmall: error: $output: the output would "
done
said "$err" "the output would be written into the source cache/snapshots/main"
expect 2 compress cache/snapshots/main/model.safetensors -o cache/blobs/0123 -f
expect 2 compress cache/snapshots/main --per-shard -o cache/blobs -f
said "$err" "cache/blobs/config.json: the output would replace a file that the source consists of"
mkdir -p out tree/sub && cp model.safetensors tree/sub && ln -s ../tree/sub out/sub
expect 2 compress tree --per-shard -o out -f
said "$err" "out/sub/model.bs: the output would be written into the source tree"
[[ $(listing tree) == $'.\n./sub\n./sub/model.safetensors' ]] || fail "left behind in the source: $(listing tree)"
same cache/blobs/0123 model.safetensors
[[ $(cat cache/blobs/config.json) == '{}' ]] || fail "a blob was overwritten"
[[ $(listing cache | wc -l) == 9 ]] || fail "left behind in the cache: $(listing cache)"

# A container that another one borrows from, and what else an archive is read from.
mkdir d && cp model.safetensors d/a.safetensors && cp model.safetensors d/b.safetensors && echo '{}' >d/config.json
expect 0 compress d --per-shard
cp -r d-bs kept-bs
expect 2 transcode d-bs/b.bs d-bs/a.bs -f
said "$err" "d-bs/a.bs: the output would replace the archive itself, a file that it needs, or their parity"
expect 2 decompress d-bs/b.bs -o d-bs/a.bs -f
expect 2 decompress d-bs -o d-bs -f
said "$err" "config.json: the output would replace the archive itself, a file that it needs, or their parity"
expect 2 transcode d-bs d-bs -f
mkdir links && for name in a.bs b.bs config.json bigsmall.index.json; do ln -s "../d-bs/$name" links/$name; done
expect 2 transcode links d-bs -f
expect 2 decompress links -o d-bs -f
same_tree d-bs kept-bs
expect 0 verify links

finish
