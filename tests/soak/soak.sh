#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# tests/soak/soak.sh [MINUTES] [SEED]: compresses, patches, reshards, damages, repairs and restores checkpoints that
# change a little each time, and compares the SHA-256 of what comes back, until the time is over. $BIGSMALL is the tool.
# Stops at the first difference and keeps the directory. Not part of the tests: it is as long as it is told to be.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")/../.." && pwd)
BIGSMALL=$(realpath "${BIGSMALL:-$here/build/release/apps/bigsmall}")
minutes=${1:-30} RANDOM=${2:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/bigsmall-soak.XXXXXXXX") || exit 1
cd "$work" || exit 1
cycles=0 steps=0

die() {
    echo "FAIL in cycle $cycles (kept: $work): $*"
    exit 1
}

# step CODE ARGUMENT... : the tool must answer with that exit code.
step() {
    local wanted=$1 got=0
    shift
    "$BIGSMALL" "$@" --no-progress >.out 2>.err </dev/null || got=$?
    ((got == wanted)) || die "bigsmall $*: exit code $got, not $wanted: $(cat .err)"
    steps=$((steps + 1))
}

same() { [[ $(sha256sum <"$1") == $(sha256sum <"$2") ]] || die "$1 and $2 differ"; }
big_random() { echo $((RANDOM << 15 | RANDOM)); }
one_of() { local n=$((RANDOM % $# + 1)); echo "${!n}"; }

# damage FILE BYTES : that many bytes somewhere become others.
damage() {
    local size at
    size=$(stat -c %s "$1")
    at=$(($(big_random) % (size > $2 ? size - $2 : 1)))
    head -c "$2" /dev/urandom | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

# change FROM TO WORDS : a copy with other bytes behind the header, at random places.
change() {
    local header size i
    cp "$1" "$2"
    size=$(stat -c %s "$1")
    header=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
    for ((i = 0; i < $3; i++)); do
        head -c $((RANDOM % 32 + 1)) /dev/urandom |
            dd of="$2" bs=1 seek=$((header + 8 + $(big_random) % (size - header - 48))) conv=notrunc 2>/dev/null
    done
}

cp "$here/examples/sample/base/model.safetensors" base.safetensors
until ((SECONDS >= minutes * 60)); do
    cycles=$((cycles + 1))
    rm -rf tuned.safetensors ./*.bs ./*.bsr ./*.ecc ./*.bak parts joined out* repaired* ./*.progress
    change base.safetensors tuned.safetensors $((RANDOM % 200))
    point=$(one_of --storage --balanced --inference)

    # There and back, with parity, any number of threads.
    step 0 compress tuned.safetensors -o whole.bs "$point" --ecc --threads $((RANDOM % 4 + 1))
    step 0 decompress whole.bs -o out.safetensors
    same out.safetensors tuned.safetensors
    step 0 verify whole.bs --sha256 "$(sha256sum <tuned.safetensors | cut -d' ' -f1)"

    # Killed at any moment, and taken up again once it is gone: one that is still dying holds its lock.
    "$BIGSMALL" compress tuned.safetensors -o resumed.bs "$point" --resume -q &
    killed=$!
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -KILL "$killed" 2>/dev/null
    wait "$killed" 2>/dev/null
    [[ -e resumed.bs ]] || step 0 compress tuned.safetensors -o resumed.bs "$point" --resume
    same resumed.bs whole.bs

    # Damaged and mended.
    cp whole.bs broken.bs && cp whole.bs.ecc broken.bs.ecc
    for ((i = RANDOM % 5; i >= 0; i--)); do damage broken.bs $((RANDOM % 600 + 1)); done
    damage broken.bs.ecc $((RANDOM % 200 + 1))
    step 0 repair broken.bs -o repaired.bs
    same repaired.bs whole.bs

    # Split and joined.
    step 0 reshard whole.bs --output-dir parts --shards $((RANDOM % 2 + 1))
    step 0 verify parts
    step 0 reshard parts --output-dir joined --join
    step 0 decompress joined/model.bs -o out.joined
    same out.joined tuned.safetensors

    # A patch, applied, and the next one, squashed with it.
    step 0 compress tuned.safetensors --delta-from base.safetensors -o patch.bs "$point"
    step 0 apply base.safetensors patch.bs -o out.patched
    same out.patched tuned.safetensors
    change tuned.safetensors out.next $((RANDOM % 20))
    step 0 compress out.next --delta-from tuned.safetensors -o next.bs
    step 0 squash patch.bs next.bs --base base.safetensors -o both.bs
    step 0 apply base.safetensors both.bs -o out.both
    same out.both out.next
    cp base.safetensors out.inplace
    step 0 apply --in-place out.inplace patch.bs
    same out.inplace tuned.safetensors

    # Made for another purpose.
    step 0 transcode whole.bs out.bsr --mode "$(one_of ratio balanced speed)"
    step 0 decompress out.bsr -o out.transcoded
    same out.transcoded tuned.safetensors
    ((cycles % 5 != 0)) || cp tuned.safetensors base.safetensors
done
echo "$cycles cycles, $steps runs of the tool in $SECONDS s, every restored file has the SHA-256 of its original"
cd / && rm -rf "$work"
