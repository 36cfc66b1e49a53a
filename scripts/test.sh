#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Builds and runs all tests: under AddressSanitizer and UndefinedBehaviorSanitizer those that look for mistakes in
# handling bytes, then the release build, without what would find the same there. Ends with ctest's own summary.
# $SANITIZED_CXX: the compiler of the first build, if it should be another.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh
jobs=$(nproc)

cmake --preset asan -DBIGSMALL_WERROR=ON ${SANITIZED_CXX:+"-DCMAKE_CXX_COMPILER=$SANITIZED_CXX"} >/dev/null
cmake --build build/asan -j "$jobs"
ctest --test-dir build/asan --output-on-failure -j "$jobs"

cmake --preset release -DBIGSMALL_BUILD_TESTS=ON -DBIGSMALL_BUILD_BENCHMARKS=ON -DBIGSMALL_BUILD_EXAMPLES=ON \
    -DBIGSMALL_BUILD_ARCHIVE_TESTS=OFF -DBIGSMALL_WERROR=ON >/dev/null
cmake --build build/release -j "$jobs"
ctest --test-dir build/release --output-on-failure -j "$jobs"
