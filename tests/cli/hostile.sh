#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Broken and hostile inputs: exit code 3 or 4, one line that names the file, nothing written.
. "$(dirname "$0")/lib.sh"

mkdir in

# refused CODE VERB FILE : says why, names the file, and leaves no file behind.
refused() {
    local code=$1 verb=$2 file=$3
    rm -rf box && mkdir box
    expect "$code" "$verb" "$file" -o box/out --no-progress
    silent "$out"
    said "$err" "bigsmall: error: "
    said "$err" "$(basename "$file")"
    [[ $(listing box) == . ]] || fail "$verb $file left behind: $(listing box)"
}

# bad NAME HEADER : a header that must be refused, over eight bytes of data.
bad() {
    printf '12345678' | safetensors "in/$1" "$2"
    refused 3 compress "in/$1"
}

entry='{"dtype":"U8","shape":[8],"data_offsets":[0,8]}'
bad not-json.safetensors 'hello, this is not JSON'
bad array.safetensors '[1,2,3]'
bad cut-json.safetensors '{"a":{"dtype":"U8"'
bad duplicate-name.safetensors "{\"a\":$entry,\"a\":$entry}"
bad duplicate-key.safetensors '{"a":{"dtype":"U8","dtype":"I8","shape":[8],"data_offsets":[0,8]}}'
bad no-dtype.safetensors '{"a":{"shape":[8],"data_offsets":[0,8]}}'
bad no-offsets.safetensors '{"a":{"dtype":"U8","shape":[8]}}'
bad backwards.safetensors '{"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}}'
bad beyond-end.safetensors '{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}'
bad wrong-size.safetensors '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}'
bad overlap.safetensors '{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}'
bad negative.safetensors '{"a":{"dtype":"U8","shape":[8],"data_offsets":[-8,0]}}'
bad fraction.safetensors '{"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}}'
bad overflow.safetensors '{"a":{"dtype":"U8","shape":[4294967296,4294967296,16],"data_offsets":[0,8]}}'
bad huge-number.safetensors '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,99999999999999999999999]}}'
bad dtype-number.safetensors '{"a":{"dtype":8,"shape":[8],"data_offsets":[0,8]}}'
bad deep.safetensors "{\"a\":$(printf '[%.0s' {1..5000})"

: >in/empty.safetensors
refused 3 compress in/empty.safetensors
printf '1234567' >in/seven.safetensors
refused 3 compress in/seven.safetensors
{ u64 9000000000; printf '{}'; } >in/long-header.safetensors
refused 3 compress in/long-header.safetensors
printf '\377\377\377\377\377\377\377\377{}' >in/longest-header.safetensors
refused 3 compress in/longest-header.safetensors
{ u64 0; printf '{}'; } >in/no-header.safetensors
refused 3 compress in/no-header.safetensors
! grep -q hint: "$err" || fail "a file that is no safetensors file looks like one: $(cat "$err")"
refused 4 compress in/missing.safetensors
refused 4 decompress in/missing.bs

# Names that try to write to the terminal are shown, not sent.
bad escape.safetensors $'{"\\u001b[31mred\\n":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}'
! grep -q $'\x1b' "$err" || fail "an escape sequence reached the terminal"
(($(wc -l <"$err") <= 2)) || fail "a name forged a line: $(cat "$err")"

# Archives: cut short, of other formats, of the original tool.
small_model model.safetensors
expect 0 compress model.safetensors -o model.bs
size=$(stat -c %s model.bs)
for cut in 0 1 8 63 64 100 $((size / 2)); do
    head -c "$cut" model.bs >in/cut.bs
    refused 3 decompress in/cut.bs
    expect 3 info in/cut.bs
    expect 3 stat in/cut.bs
done
# The end of the file is there twice: without a part of the last copy, the first one serves.
for cut in $((size - 96)) $((size - 1)); do
    head -c "$cut" model.bs >in/shorn.bs
    expect 0 decompress in/shorn.bs -o shorn.safetensors -f
    same model.safetensors shorn.safetensors
    expect 0 info in/shorn.bs
    said "$out" "damaged: "
done
printf 'BGSM\001\000\002\000\000\000{}' >in/original.bs
refused 3 decompress in/original.bs
grep -qi 'original' "$err" || fail "the original's container is not named: $(cat "$err")"
refused 3 decompress model.safetensors
expect 3 info model.safetensors
head -c 5000 /dev/urandom >in/random.bs
refused 3 decompress in/random.bs

# Sizes that no sum can hold.
mkdir huge && cp model.safetensors huge && echo 1 >huge/a && echo 2 >huge/b
expect 0 compress huge --per-shard
sed -i 's/"bytes": 2,/"bytes": 18446744073709551615,/' huge-bs/bigsmall.index.json
for verb in info stat; do
    expect 3 "$verb" huge-bs
    said "$err" "more than 2^63 bytes"
done
expect 1 verify huge-bs # an archive that cannot be opened is a problem found, not a request refused
said "$out" "FAIL"
said "$out" "more than 2^63 bytes"
refused 3 decompress huge-bs

# Damage inside the payload is found, and the half-made output is removed.
cp model.bs in/damaged.bs
printf '\125\252\125' | dd of=in/damaged.bs bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
refused 3 decompress in/damaged.bs
! grep -q 'block [0-9]*: block' "$err" || fail "the block is named twice: $(cat "$err")"
expect 0 decompress model.bs -o model.back
same model.safetensors model.back

finish
