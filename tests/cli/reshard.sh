#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# reshard: the blocks of a model in other files, layer by layer; joined again, the very container that it was.
. "$(dirname "$0")/lib.sh"

# model FILE LAYERS ELEMS : layers of one matrix of ELEMS BF16 values and two small vectors each, between an embedding and
# a head that are one tensor, and a norm. FILE's tensors come in the order in which frameworks name them, not by number.
model() {
    local file=$1 layers=$2 elems=$3 json='{"__metadata__":{"format":"pt"}' at=0 i
    : >"$work/.data"
    add() { # NAME SHAPE : the bytes are in .tensor
        local bytes
        bytes=$(stat -c %s "$work/.tensor")
        json+=",\"$1\":{\"dtype\":\"BF16\",\"shape\":$2,\"data_offsets\":[$at,$((at + bytes))]}"
        at=$((at + bytes))
        cat "$work/.tensor" >>"$work/.data"
    }
    noise $((elems * 2)) 1 >"$work/.tensor"
    add lm_head.weight "[$elems]"
    add model.embed_tokens.weight "[$elems]"
    for i in $(seq 0 $((layers - 1)) | sort); do
        noise 128 $((i + 40)) >"$work/.tensor"
        add "model.layers.$i.input_layernorm.weight" '[64]'
        noise $((elems * 2)) $((i + 2)) >"$work/.tensor"
        add "model.layers.$i.mlp.up_proj.weight" "[2,$((elems / 2))]"
        noise 128 $((i + 80)) >"$work/.tensor"
        add "model.layers.$i.post_attention_layernorm.weight" '[64]'
    done
    noise 128 99 >"$work/.tensor"
    add model.norm.weight '[64]'
    safetensors "$file" "$json}   " <"$work/.data"
    rm -f "$work/.data" "$work/.tensor"
}

# shards DIR : "file tensor" of every tensor, by the map for loaders.
shards() {
    sed -nE 's/^    "(.*)": "(.*)",?$/\2 \1/p' "$1/model.safetensors.index.json" | sort
}

model model.safetensors 12 8192
for point in balanced storage inference; do
    expect 0 compress model.safetensors -o $point.bs --$point
done
sha=$(sha256sum <model.safetensors)

# Three shards and back: the same bytes, at every point; with other threads; through other layouts.
for point in balanced storage inference; do
    expect 0 reshard $point.bs --output-dir $point-3 --shards 3
    silent "$err"
    [[ $(ls -A $point-3 | tr '\n' ' ') == "bigsmall.index.json model-00001-of-00003.bs model-00002-of-00003.bs \
model-00003-of-00003.bs model.safetensors.index.json " ]] || fail "files: $(ls -A $point-3)"
    expect 0 verify $point-3
    expect 0 reshard $point-3 --output-dir $point-1 --join --threads 3
    same $point-1/model.bs $point.bs
    expect 0 decompress $point-1/model.bs -o back.safetensors -f
    [[ $(sha256sum <back.safetensors) == "$sha" ]] || fail "$point: the joined container restores another file"
    expect 0 reshard $point-3 --output-dir $point-5 --shards 5 --threads 2
    expect 0 reshard $point.bs --output-dir $point-5-direct --shards 5
    same_tree $point-5 $point-5-direct
    expect 0 reshard $point-5/model-*.bs --output-dir $point-again --join
    same $point-again/model.bs $point.bs
    expect 0 reshard $point.bs --output-dir $point-join --join
    same $point-join/model.bs $point.bs
    rm -r $point-1 $point-5 $point-5-direct $point-again $point-join
done

# Layers are whole, what is outside of them is in the first shard, and nothing is lost.
shards balanced-3 >placed
[[ $(wc -l <placed) == 39 ]] || fail "not 39 tensors: $(wc -l <placed)"
for i in $(seq 0 11); do
    [[ $(grep -F ".layers.$i." placed | cut -d' ' -f1 | sort -u | wc -l) == 1 ]] || fail "layer $i is divided"
done
[[ $(grep -vF .layers. placed | cut -d' ' -f1 | sort -u) == model-00001-of-00003.safetensors ]] ||
    fail "outside of layers: $(grep -vF .layers. placed)"
said balanced-3/model.safetensors.index.json "\"total_size\": $((14 * 16384 + 25 * 128))"
sizes=$(stat -c %s balanced-3/*.bs | sort -n | tr '\n' ' ')
awk '{ exit !($3 < 1.6 * $1) }' <<<"$sizes" || fail "not of about one size: $sizes"

# What they restore: whole safetensors files that hold the tensors of the map.
expect 0 decompress balanced-3 -o restored
[[ $(ls restored | tr '\n' ' ') == "model-00001-of-00003.safetensors model-00002-of-00003.safetensors \
model-00003-of-00003.safetensors model.safetensors.index.json " ]] || fail "restored: $(ls restored)"
same restored/model.safetensors.index.json balanced-3/model.safetensors.index.json
expect 0 diff restored model.safetensors
expect 0 compress restored -o packed.bs
for i in 1 2 3; do
    expect 0 decompress balanced-3/model-0000$i-of-00003.bs -o one.safetensors -f
    same one.safetensors restored/model-0000$i-of-00003.safetensors
    [[ $(grep -ao '"[a-z_.0-9]*":{"dtype"' one.safetensors | cut -d'"' -f2 | sort | tr '\n' ' ') == \
        "$(grep "^model-0000$i" placed | cut -d' ' -f2 | sort | tr '\n' ' ')" ]] || fail "shard $i has other tensors"
    said one.safetensors '"__metadata__":{"format":"pt"}'
done

# The same layout straight from a container, with headers of its own.
expect 0 decompress balanced.bs -o straight --shards 3 --json
valid_json "$out" || fail "decompress --json is not valid"
[[ $(ls straight | wc -l) == 4 ]] || fail "straight: $(ls straight)"
expect 0 diff straight model.safetensors
expect 0 decompress balanced-3 -o straight-2 --shards 3 --threads 2
same_tree straight straight-2
expect 0 decompress balanced.bs -o small --size-gb 0.00005
(($(ls small/*.safetensors | wc -l) > 3)) || fail "by size: $(ls small)"
expect 0 diff small model.safetensors
expect 2 decompress balanced.bs -o x --shards 14
absent x
expect 2 decompress balanced.bs -o - --shards 2
expect 6 decompress balanced.bs -o small --shards 2

# By size: as many as needed; a layer that is larger than that gets a shard of its own.
expect 0 reshard balanced.bs --output-dir by-size --size-gb 0.00005 --json
valid_json "$out" || fail "reshard --json is not valid"
[[ $(json_value "$out" original) == true && $(json_value "$out" tensors) == 39 ]] || fail "json: $(cat "$out")"
[[ $(json_value "$out" reencoded_tensors) == 0 ]] || fail "json: $(cat "$out")"
for file in by-size/model-0000[2-9]*.bs; do
    (($(stat -c %s "$file") <= 60000)) || fail "$file is larger than asked for"
done
expect 0 verify by-size
expect 0 reshard balanced.bs --output-dir tiny --size-gb 0.000001 -q
silent "$out"
[[ $(ls tiny/*.bs | wc -l) == 13 ]] || fail "not a shard for each layer: $(ls tiny)"
expect 0 reshard tiny --output-dir tiny-1 --join
same tiny-1/model.bs balanced.bs
expect 0 reshard balanced.bs --output-dir big
[[ $(ls big) == $'bigsmall.index.json\nmodel.bs' ]] || fail "one shard: $(ls big)"
same big/model.bs balanced.bs

# Two runs with -f over each other: what only the older layout had is gone.
expect 6 reshard balanced.bs --output-dir tiny --shards 2
expect 0 reshard balanced.bs --output-dir tiny --shards 2 -f
[[ $(ls tiny/*.bs | wc -l) == 2 ]] || fail "left over: $(ls tiny)"
expect 0 verify tiny

# A directory: per shard and in one container; other files come along, maps of shards are made anew.
mkdir -p dir/docs
cp restored/*.safetensors restored/*.json dir && echo '{"model_type":"llama"}' >dir/config.json && echo hi >dir/docs/a.txt
expect 0 compress dir --per-shard
expect 0 compress dir
expect 0 reshard dir-bs --output-dir r1 --shards 4
expect 0 reshard dir.bs --output-dir r2 --shards 4
for r in r1 r2; do
    expect 0 verify $r
    expect 0 decompress $r -o $r-back
    same $r-back/config.json dir/config.json
    same $r-back/docs/a.txt dir/docs/a.txt
    [[ $(ls $r-back/*.safetensors | wc -l) == 4 ]] || fail "not four shards: $(ls $r-back)"
    expect 0 diff $r-back model.safetensors
    expect 0 reshard $r --output-dir $r-join --join
    expect 0 decompress $r-join -o $r-join-back
    expect 0 diff $r-join-back model.safetensors
    absent $r-join-back/model.safetensors.index.json
    same $r-join-back/config.json dir/config.json
done
expect 0 reshard dir-bs --output-dir d1 --join
same d1/model.bs r1-join/model.bs
expect 0 reshard dir.bs --output-dir d2 --join
same d2/model.bs r2-join/model.bs
same r1-join/model.bs d1/model.bs

# A directory of one safetensors file keeps that file.
mkdir single && cp model.safetensors single/weights.safetensors && echo x >single/x.txt
expect 0 compress single
expect 0 reshard single.bs --output-dir s3 --shards 3
expect 0 reshard s3 --output-dir s1 --join
expect 0 decompress s1 -o s-back
same_tree single s-back

# Files that need each other may be given one by one.
expect 0 reshard dir-bs/*.bs --output-dir files --shards 2
expect 0 verify files
expect 0 diff files model.safetensors

# Wrong use.
before=$(listing .)
expect 2 reshard balanced.bs
said "$err" "--output-dir"
expect 2 reshard balanced.bs --output-dir x --shards 14
said "$err" "13 groups of tensors that stay together"
expect 2 reshard balanced.bs --output-dir x --shards 0
expect 2 reshard balanced.bs --output-dir x --size-gb 0
said "$err" "--size-gb takes a number"
expect 2 reshard balanced.bs --output-dir x --size-gb two
expect 2 reshard balanced-3 --output-dir balanced-3/x
said "$err" "written into the source"
expect 2 reshard balanced-3 --output-dir balanced-3 -f
expect 2 reshard balanced-3/model-*.bs --output-dir balanced-3 -f
expect 4 reshard none.bs --output-dir x
expect 4 reshard balanced.bs --output-dir none/x
expect 3 reshard model.safetensors --output-dir x
cp one.safetensors other.safetensors
printf '\1\2' | dd of=other.safetensors bs=1 seek=$(($(stat -c %s other.safetensors) - 4)) conv=notrunc 2>/dev/null
expect 0 compress other.safetensors
expect 3 reshard balanced.bs other.bs --output-dir x
said "$err" "another tensor of that name"
rm other.safetensors other.bs
expect 2 reshard balanced.bs --base model.safetensors --output-dir x
said "$err" "no patch"
[[ $(listing .) == "$before" ]] || fail "left behind: $(diff <(listing .) <(echo "$before"))"

# A damaged block: the tensor is named and nothing is written.
cp balanced.bs damaged.bs
printf '\125\252\125\252' | dd of=damaged.bs bs=1 seek=$(($(stat -c %s damaged.bs) / 2)) conv=notrunc 2>/dev/null
before=$(listing .)
for layout in "--shards 3" --join; do
    expect 3 reshard damaged.bs --output-dir x $layout
    said "$err" "tensor model.layers."
    said "$err" "checksum fails"
done
[[ $(listing .) == "$before" ]] || fail "left behind: $(diff <(listing .) <(echo "$before"))"

# Patches need their base, and stay patches.
cp model.safetensors tuned.safetensors
noise 16384 7 | dd of=tuned.safetensors bs=1 seek=$(($(stat -c %s tuned.safetensors) - 40000)) conv=notrunc 2>/dev/null
expect 0 compress tuned.safetensors --delta-from model.safetensors -o patch.bs
expect 2 reshard patch.bs --output-dir x
said "$err" "this is a patch"
expect 0 reshard patch.bs --base model.safetensors --output-dir patch-3 --shards 3
expect 0 decompress patch-3 --base model.safetensors -o tuned-back
expect 0 diff tuned-back tuned.safetensors
expect 0 reshard patch-3 --base model.safetensors --output-dir patch-1 --join
same patch-1/model.bs patch.bs
expect 0 apply model.safetensors patch-1/model.bs -o tuned-file
same tuned-file tuned.safetensors

# A tensor all of whose blocks are those of an earlier one has no place of its own, and joins to none.
head -c 2097152 /dev/urandom >noise.bin
{ cat noise.bin; head -c 1048576 noise.bin; } | safetensors shares.safetensors \
    '{"a":{"dtype":"U8","shape":[2097152],"data_offsets":[0,2097152]},"b":{"dtype":"U8","shape":[1048576],"data_offsets":[2097152,3145728]}}'
expect 0 compress shares.safetensors
expect 0 reshard shares.bs --output-dir shares-1 --join
same shares-1/model.bs shares.bs

# Maps of another folder than the model's are files like others.
mkdir -p maps/original && cp model.safetensors maps/
printf '{"weight_map":{}}' >maps/original/consolidated.safetensors.index.json
expect 0 compress maps
expect 0 reshard maps.bs --output-dir maps-2 --shards 2
same maps-2/original/consolidated.safetensors.index.json maps/original/consolidated.safetensors.index.json

finish
