#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# The operating points: different files, the same bytes back, whatever wrote them.
. "$(dirname "$0")/lib.sh"

sample=$SOURCE_DIR/examples/sample/base/model.safetensors
for point in storage balanced inference; do
    expect 0 compress "$sample" --$point -o "$point.bs" --json
    said "$out" "\"point\": \"$point\""
    expect 0 verify "$point.bs" -q
    expect 0 decompress "$point.bs" -o back.safetensors -f -q
    same "$sample" back.safetensors
    for threads in 1 3; do
        expect 0 compress "$sample" --$point -o again.bs -f -q --threads $threads
        same "$point.bs" again.bs
    done
done
# Balanced is what you get when you say nothing.
expect 0 compress "$sample" -o default.bs -q
same default.bs balanced.bs
size() { stat -c %s "$1"; }
(($(size storage.bs) < $(size balanced.bs) && $(size balanced.bs) < $(size inference.bs))) ||
    fail "sizes are not in order: $(size storage.bs) $(size balanced.bs) $(size inference.bs)"

expect 2 compress "$sample" --storage --inference -o both.bs
said "$err" "--storage"
[[ ! -e both.bs ]] || fail "a usage error wrote a file"
