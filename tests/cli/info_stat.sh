#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# info and stat: every field of the reference, and figures that agree with the files.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors
expect 0 info model.bs
silent "$err"
said "$out" "BigSmall container: model.bs"
for field in format container_version tensor_count file_size raw_bytes "overall ratio_pct" layer_count \
    non_layer_raw_bytes largest_layer_raw_bytes streaming_peak_ram_est format_breakdown codec_breakdown \
    best worst members index; do
    grep -qE "^  $field( |\$)" "$out" || fail "info lacks $field"
done
grep -qE '^  format +BF16$' "$out" || fail "format: $(grep '^  format ' "$out")"
grep -qE '^  tensor_count +5$' "$out" || fail "tensor_count"
grep -qE '^  raw_bytes +132,100 bytes \(129\.00 KiB\)$' "$out" || fail "raw_bytes: $(grep raw_bytes "$out")"
grep -qE '^  layer_count +2$' "$out" || fail "layer_count"
grep -qE '^  non_layer_raw_bytes +1,028 bytes \(1\.00 KiB\)$' "$out" || fail "non_layer_raw_bytes"
grep -qE '^  largest_layer_raw_bytes +65,536 bytes \(64\.00 KiB\)$' "$out" || fail "largest_layer_raw_bytes"
grep -qE '^  streaming_peak_ram_est +66,564 bytes \(65\.00 KiB\)$' "$out" || fail "streaming_peak_ram_est"
said "$out" "$(sha256sum <model.safetensors | cut -d' ' -f1)"

names() { awk '$1 ~ /^[0-9]+$/ { print $2 }' "$out"; }
expect 0 stat model.bs
silent "$err"
[[ $(names | wc -l) == 5 ]] || fail "stat lists $(names | wc -l) tensors"
grep -qE '^ *# +name +shape +dtype +codec +raw +cmp +ratio$' "$out" || fail "columns: $(head -1 "$out")"
for label in "tensors:   5" "total raw: 132,100 bytes (129.00 KiB)" "total cmp: " "overall:   " "codecs:"; do
    said "$out" "$label"
done
expect 0 stat model.bs --sort name
[[ $(names) == "$(names | sort)" ]] || fail "--sort name: $(names)"
expect 0 stat model.bs --sort name --reverse
[[ $(names) == "$(names | sort -r)" ]] || fail "--sort name --reverse"
sizes() { awk '$1 ~ /^[0-9]+$/ { gsub(",", "", $(NF - 1)); print $(NF - 1) }' "$out"; }
expect 0 stat model.bs --sort size
[[ $(sizes) == "$(sizes | sort -rn)" ]] || fail "--sort size: $(sizes)"
expect 0 stat model.bs --sort size --reverse
[[ $(sizes) == "$(sizes | sort -n)" ]] || fail "--sort size --reverse"
expect 0 stat model.bs --tensor q_proj
[[ $(names | wc -l) == 2 ]] || fail "--tensor q_proj"
expect 1 stat model.bs --tensor Q_PROJ

# Long names are cut to 60 characters, long shapes to 19, and never inside a character.
long=$(printf 'n\303\266%.0s' {1..60})
printf '1' | safetensors long.safetensors \
    "{\"$long\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}"
expect 0 compress long.safetensors
expect 0 stat long.bs
said "$out" "$(printf 'n\303\266%.0s' {1..28})n..."
said "$out" "[1,1,1,1,1,1,1,1..."
iconv -f UTF-8 -t UTF-8 "$out" >/dev/null 2>&1 || fail "a character was cut in two"

# Nothing in it is still an archive.
: | safetensors none.safetensors '{}'
expect 0 compress none.safetensors
expect 0 info none.bs
expect 0 stat none.bs
said "$out" "tensors:   0"

finish
