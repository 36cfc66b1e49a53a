#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Model directories: everything in them comes back, from one file or from one file per shard.
. "$(dirname "$0")/lib.sh"

mkdir -p model/sub
small_model model/model-00001-of-00002.safetensors
cp model/model-00001-of-00002.safetensors model/sub/again.safetensors
printf 'xy' | safetensors model/model-00002-of-00002.safetensors '{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
printf '{"hidden_size": 256}\n' >model/config.json
printf 'a\0b' >"model/odd name.bin"
: >model/empty.txt

expect 0 compress model/
exists model.bs
expect 0 decompress model.bs -o back
same_tree model back
expect 0 verify model.bs
expect 0 verify model.bs --source model
mv model model.kept
expect 0 decompress model.bs
same_tree model.kept model
expect 6 decompress model.bs
expect 4 info model.kept
said "$err" "bigsmall.index.json"

# One file per shard.
expect 0 compress model --per-shard
exists model-bs/bigsmall.index.json
exists model-bs/config.json
[[ $(find model-bs -name '*.bs' | wc -l) == 3 ]] || fail "three shards wanted: $(listing model-bs)"
expect 0 verify model-bs
expect 0 info model-bs
expect 0 stat model-bs
expect 0 decompress model-bs -o from-shards
same_tree model from-shards
rm -r from-shards
expect 6 compress model --per-shard
mv model model.kept2
expect 0 decompress model-bs
same_tree model.kept2 model

# A snapshot of the Hub's cache: links into a folder of blobs.
mkdir -p cache/blobs cache/snapshots/main
cp model/model-00001-of-00002.safetensors cache/blobs/0123
cp model/config.json cache/blobs/4567
ln -s ../../blobs/0123 cache/snapshots/main/model.safetensors
ln -s ../../blobs/4567 cache/snapshots/main/config.json
expect 0 compress cache/snapshots/main -o snapshot.bs
expect 0 decompress snapshot.bs -o snapshot
same_tree cache/snapshots/main snapshot
[[ ! -L snapshot/config.json ]] || fail "a link was restored where a file is wanted"

# The directory one stands in has a name, too.
rm model.bs
(cd model && "$BIGSMALL" compress . -q) || fail "compress ."
exists model.bs

# Several files cannot go down one pipe.
"$BIGSMALL" decompress model.bs -o - >piped 2>"$err" && fail "a directory went to standard output"
silent piped

finish
