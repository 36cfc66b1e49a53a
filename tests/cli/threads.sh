#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# The bytes written do not depend on the number of threads.
. "$(dirname "$0")/lib.sh"

mkdir model
small_model model/a.safetensors
noise 400000 3 >weights
for n in 1 2 3 4 5 6; do cat weights; done |
    safetensors model/b.safetensors '{"w":{"dtype":"BF16","shape":[1200000],"data_offsets":[0,2400000]}}'
echo '{}' >model/config.json

for threads in 1 2 4 7; do
    expect 0 compress model -o "model.$threads.bs" --threads "$threads"
    same model.1.bs "model.$threads.bs"
    expect 0 compress model --per-shard -o "shards.$threads" --threads "$threads"
    same_tree shards.1 "shards.$threads"
    expect 0 decompress model.1.bs -o "back.$threads" --threads "$threads"
    same_tree model "back.$threads"
    expect 0 verify model.1.bs --threads "$threads"
done
expect 0 compress model -o model.all.bs
same model.1.bs model.all.bs

finish
