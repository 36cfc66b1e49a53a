#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing, builds the tool, and runs the main job on the trained checkpoint in examples/sample:
# compress, verify, restore, compare SHA-256. Arguments are for cmake: with those of scripts/test.sh, that builds the tool
# only once.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh
cmake --preset release -DBIGSMALL_BUILD_TESTS=OFF -DBIGSMALL_BUILD_BENCHMARKS=OFF -DBIGSMALL_BUILD_EXAMPLES=OFF "$@" \
    >/dev/null
cmake --build build/release --target bigsmall_tool
tool=$PWD/build/release/apps/bigsmall

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { printf '\n$ bigsmall %s\n' "$*"; "$tool" "$@"; }

sample=examples/sample/base
run compress "$sample" -o "$work/sample.bs" --no-progress
run verify "$work/sample.bs" --no-progress
run decompress "$work/sample.bs" -o "$work/restored" --no-progress

original=$(sha256sum <"$sample/model.safetensors" | cut -d' ' -f1)
restored=$(sha256sum <"$work/restored/model.safetensors" | cut -d' ' -f1)
printf '\nSHA-256 of model.safetensors\n  original  %s\n  restored  %s\n' "$original" "$restored"
diff -r "$sample" "$work/restored"
[ "$original" = "$restored" ]
echo "The restored directory is the original, byte for byte."
printf 'The tool is %s\n' "$tool"
