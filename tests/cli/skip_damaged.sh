#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# decompress --skip-damaged: what is whole of a damaged archive comes back, what is not is listed.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
mkdir tree
cp model.safetensors tree/model.safetensors
head -c 9000 /dev/urandom >tree/notes.bin
echo '{"a": 1}' >tree/config.json
expect 0 compress model.safetensors
expect 0 compress tree

# differs_only A B FROM TO : outside of these bytes, the files are equal; both have the same size.
differs_only() {
    [[ $(stat -c %s "$1") == "$(stat -c %s "$2")" ]] || fail "$1 and $2 differ in size"
    cmp -l "$1" "$2" | awk -v from="$3" -v to="$4" '$1 <= from || $1 > to { exit 1 }' ||
        fail "$1 and $2 differ outside of $3 to $4"
    ! cmp -s "$1" "$2" || fail "$1 and $2 should differ"
}

# Nothing is damaged: the flag changes nothing.
expect 0 decompress model.bs --skip-damaged -o whole.safetensors
same model.safetensors whole.safetensors
silent "$err"

# A matrix that two tensors share.
cp model.bs damaged.bs
printf XXXX | dd of=damaged.bs bs=1 seek=5000 conv=notrunc 2>/dev/null
expect 3 decompress damaged.bs -o never.safetensors
said "$err" "--skip-damaged"
absent never.safetensors
expect 1 decompress damaged.bs --skip-damaged -o rest.safetensors
said "$err" "SKIPPED: damaged.bs: model.safetensors: tensor model.layers.0.self_attn.q_proj.weight: block 0"
said "$err" "tensor model.layers.1.self_attn.q_proj.weight"
header=$(($(od -An -tu8 -N 8 model.safetensors) + 8))
differs_only model.safetensors rest.safetensors "$header" $((header + 131072))
tail -c +$((header + 1)) rest.safetensors | head -c 131072 | tr -d '\0' >nonzero
[[ ! -s nonzero ]] || fail "a damaged tensor is not zeros"
expect 1 decompress damaged.bs --skip-damaged -o rest2.safetensors --json
valid_json "$out" || fail "not JSON: $(cat "$out")"
said "$out" '"tensor": "model.layers.0.self_attn.q_proj.weight"'
same rest.safetensors rest2.safetensors
expect 2 decompress damaged.bs --skip-damaged -o -

# Every part of a directory in turn: either nothing is lost, or the exit code is 1 and all else is right.
size=$(stat -c %s tree.bs)
for ((at = 100; at < size; at += size / 19)); do
    cp tree.bs damaged.bs
    printf XXXXXXXX | dd of=damaged.bs bs=1 seek="$at" conv=notrunc 2>/dev/null
    rm -rf out
    code=0
    "$BIGSMALL" decompress damaged.bs --skip-damaged -o out >"$out" 2>"$err" || code=$?
    case $code in
        0) same_tree tree out ;;
        1)
            said "$err" SKIPPED
            for name in notes.bin config.json; do
                [[ ! -e out/$name ]] || same "tree/$name" "out/$name"
            done
            exists out/model.safetensors
            [[ $(stat -c %s out/model.safetensors) == "$(stat -c %s tree/model.safetensors)" ]] || fail "size" ;;
        *) fail "byte $at: exit code $code: $(cat "$err")" ;;
    esac
done

# A directory of containers: one is gone, a carried file is another.
cp -r tree shards
cp model.safetensors shards/second.safetensors
expect 0 compress shards --per-shard
truncate -s 1000 shards-bs/second.bs
echo changed >shards-bs/config.json
expect 3 decompress shards-bs -o never
absent never
expect 1 decompress shards-bs --skip-damaged -o rest
said "$err" "second"
said "$err" "config.json"
same rest/model.safetensors model.safetensors
same rest/notes.bin tree/notes.bin
absent rest/config.json

# No index: nothing can be told.
head -c 3000 model.bs >cut.bs
expect 3 decompress cut.bs --skip-damaged -o never
absent never
finish
