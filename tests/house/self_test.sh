#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# self_test.sh CHECKER FIXTURES: a checker that accepts everything would pass too. Each folder of FIXTURES is a small
# tree that breaks one rule; the checker must refuse it and say the text of its file `expect`.
set -euo pipefail
checker=${1:?usage: self_test.sh CHECKER FIXTURES}
fixtures=${2:?usage: self_test.sh CHECKER FIXTURES}
here=$(cd "$(dirname "$0")" && pwd)

failures=0
cases=0
for tree in "$fixtures"/*/; do
    cases=$((cases + 1))
    name=$(basename "$tree")
    expected=$(cat "$tree/expect")
    if output=$(bash "$here/$checker" "$tree" 2>&1); then
        echo "$name: accepted, but should be refused with: $expected"
        failures=$((failures + 1))
    elif ! grep -qF -- "$expected" <<<"$output"; then
        printf '%s: should say "%s" but says:\n%s\n' "$name" "$expected" "$output"
        failures=$((failures + 1))
    fi
done
echo "$cases bad samples, $failures not refused as they should be"
((failures == 0 && cases > 0))
