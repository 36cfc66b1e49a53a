#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# The operating points: every one gives the file back, balanced is the default, info names the point.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
noise 700000 5 | safetensors wide.safetensors '{"w":{"dtype":"BF16","shape":[350,1000],"data_offsets":[0,700000]}}'
for model in model wide; do
    for point in storage balanced inference; do
        expect 0 compress $model.safetensors --$point -o $model-$point.bs --json
        valid_json "$out" || fail "compress --json is not valid"
        [[ $(json_value "$out" operating_point) == "\"$point\"" ]] || fail "json: $(cat "$out")"
        expect 0 decompress $model-$point.bs -o back.safetensors -f
        same $model.safetensors back.safetensors
        expect 0 verify $model-$point.bs
        expect 0 info $model-$point.bs
        grep -qE "^  operating_point +$point\$" "$out" || fail "info: $(cat "$out")"
        expect 0 info $model-$point.bs --json
        [[ $(json_value "$out" operating_point) == "\"$point\"" ]] || fail "info --json: $(cat "$out")"
    done
    expect 0 compress $model.safetensors -o $model-default.bs
    same $model-balanced.bs $model-default.bs
done

# They are different files, and storage is the smallest.
size() { stat -c %s "$1"; }
(($(size wide-storage.bs) <= $(size wide-balanced.bs))) || fail "storage is larger than balanced"
(($(size wide-storage.bs) < $(size wide-inference.bs))) || fail "storage is not smaller than inference"

# Streams of tensors of one role: what is gained is told, and the file comes back.
header= offset=0
for i in $(seq 0 11); do
    header+="${header:+,}\"layers.$i.k_proj.bias\":{\"dtype\":\"BF16\",\"shape\":[3000],\"data_offsets\":[$offset,$((offset + 6000))]}"
    offset=$((offset + 6000))
done
noise 72000 9 | safetensors roles.safetensors "{$header}"
expect 0 compress roles.safetensors -o plain.bs --json
[[ $(json_value "$out" grouped_tensors) == 0 ]] || fail "6,000 bytes are not small: $(cat "$out")"
expect 0 compress roles.safetensors -o grouped.bs --group-streams --json
[[ $(json_value "$out" grouped_tensors) == 12 ]] || fail "not grouped: $(cat "$out")"
(($(size grouped.bs) < $(size plain.bs))) || fail "grouping gains nothing"
expect 0 decompress grouped.bs -o back.safetensors -f
same roles.safetensors back.safetensors
expect 0 verify grouped.bs

# A directory of shards has a point as well.
mkdir many && cp model.safetensors many/a.safetensors && cp wide.safetensors many/b.safetensors
expect 0 compress many --per-shard --inference
expect 0 info many-bs
grep -qE '^  operating_point +inference$' "$out" || fail "info of shards: $(cat "$out")"

finish
