#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Peak resident memory stays below 256 MiB and 8 MiB a thread, however large the file and its one tensor are, and when
# many tensors are hashed at once.
. "$(dirname "$0")/lib.sh"

[[ -r /proc/self/status ]] || { echo "no /proc here"; exit 77; }

threads=4
limit=$(((256 + 8 * threads) << 10)) # KiB

# Half of it bytes that compress a little, again and again, and half zeros.
mebibytes=512
noise 262144 1 >piece
for ((i = 0; i < 64; i++)); do cat piece; done >sixteen
bytes=$((mebibytes << 20))
{
    for ((i = 0; i < mebibytes / 32; i++)); do cat sixteen; done
} | safetensors big.safetensors '{"w":{"dtype":"BF16","shape":['$((bytes / 2))'],"data_offsets":[0,'$bytes']}}'
truncate -s $(($(head -c 8 big.safetensors | od -An -tu8) + 8 + bytes)) big.safetensors

exec 9<> <(:)
# bounded ARGUMENT... : runs the tool and reads its peak until it ends: the figure of the kernel only grows.
bounded() {
    local pid line peak=0 code=0
    "$BIGSMALL" "$@" --threads $threads >"$out" 2>"$err" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        while IFS= read -r line; do
            [[ $line == VmHWM:* ]] || continue
            line=${line//[^0-9]/}
            ((line > peak)) && peak=$line
        done 2>/dev/null <"/proc/$pid/status"
        read -rt 0.03 -u 9 # nothing ever comes: a pause without a process
    done
    wait $pid || code=$?
    ((code == 0)) || fail "bigsmall $* : exit code $code: $(cat "$err")"
    ((peak > 4096)) || fail "bigsmall $* : the peak of $peak KiB was not measured"
    ((peak < limit)) || fail "bigsmall $* : peak of $peak KiB, more than $limit"
    note "$1: $((peak >> 10)) MiB of $((limit >> 10))"
}

bounded compress big.safetensors
bounded verify big.bs
bounded decompress big.bs -o back.safetensors
rm big.safetensors big.bs back.safetensors

# Sixteen tensors, of which no two are equal, in the largest blocks that an operating point has.
shapes=
for ((i = 0; i < 16; i++)); do
    shapes+=${shapes:+,}'"t'$i'":{"dtype":"BF16","shape":[8388608],"data_offsets":['$((i << 24)),$(((i + 1) << 24))']}'
done
for ((i = 0; i < 16; i++)); do
    noise 4096 "$i"
    tail -c +4097 sixteen
done | safetensors many.safetensors "{$shapes}"
expect 0 compress --storage many.safetensors
bounded verify many.bs

finish
