#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# aarch64.sh SOURCE_DIR BUILD_DIR: builds the tests of kernels and codec for aarch64 and runs them under an emulator,
# the kernels with AddressSanitizer, because what they may read and write too much is part of their contract. Then codes
# many blocks there and here ($CXX): the bytes must be the same. $LAUNCHER: ccache, if anything.
set -euo pipefail
source_dir=${1:?usage: aarch64.sh SOURCE_DIR BUILD_DIR}
build=${2:?usage: aarch64.sh SOURCE_DIR BUILD_DIR}

skip() { echo "skipped: $1"; exit 77; }
target=aarch64-linux-gnu
command -v $target-g++ >/dev/null || skip "no $target-g++"
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || skip "no qemu-aarch64"
# Version 3 of Catch2 is a library, which would be one for another processor.
printf '#if !__has_include(<catch2/catch.hpp>)\n#error\n#endif\n' | $target-g++ -E -x c++ - >/dev/null 2>&1 ||
    skip "no header-only Catch2 2"

mkdir -p "$build"
cd "$build"
flags=(-std=c++20 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
    -I "$source_dir/include" -I "$source_dir/tests")
cross=($target-g++ "${flags[@]}" -Wno-restrict) # see cmake/bigsmall_own_target.cmake
[[ -z ${LAUNCHER:-} ]] || cross=("$LAUNCHER" "${cross[@]}")
sanitize=(-g1 -fsanitize=address,undefined -fno-sanitize-recover=all)
run=("$emulator" -L /usr/$target)
export ASAN_OPTIONS=detect_leaks=0 # the leak detector cannot work under an emulator

step() { echo "== $*"; }

step catch
"${cross[@]}" -c "$source_dir/tests/support/main.cpp" -o main.o
for name in tables galois; do
    step "unit/kernel/$name"
    "${cross[@]}" "${sanitize[@]}" -c "$source_dir/tests/unit/kernel/$name.cpp" -o "$name.o"
    "${cross[@]}" "${sanitize[@]}" "$name.o" main.o -o "$name"
    "${run[@]}" "./$name"
    # Intrinsics are functions to one compiler and macros to the other: what one takes the other may not.
    if clang=$(command -v clang++-16 || command -v clang++); then
        step "unit/kernel/$name, clang"
        "$clang" --target=$target "${flags[@]}" -c "$source_dir/tests/unit/kernel/$name.cpp" -o "${name}_clang.o"
        "$clang" --target=$target "${name}_clang.o" main.o -o "${name}_clang"
        "${run[@]}" "./${name}_clang"
    fi
done
for source in "$source_dir"/tests/unit/codec/*.cpp; do
    name=$(basename "$source" .cpp)
    step "unit/codec/$name"
    "${cross[@]}" -c "$source" -o "$name.o"
    "${cross[@]}" "$name.o" main.o -o "$name"
    "${run[@]}" "./$name"
done

step blocks
"${cross[@]}" "$source_dir/tests/cross/blocks.cpp" -o blocks
"${run[@]}" ./blocks "$source_dir/tests/golden/data" >there.txt || { grep FAIL there.txt; exit 1; }
"${CXX:-g++}" -std=c++20 -O1 -I "$source_dir/include" "$source_dir/tests/cross/blocks.cpp" -o blocks_here
./blocks_here "$source_dir/tests/golden/data" >here.txt || { grep FAIL here.txt; exit 1; }
diff here.txt there.txt || { echo "FAIL: blocks differ between processors"; exit 1; }
echo "$(wc -l <here.txt) blocks are the same"
