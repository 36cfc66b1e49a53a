#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# check_readme.sh ROOT: the policy that README.md quotes is the one that the example compiles.
set -euo pipefail
cd "${1:?usage: check_readme.sh ROOT}"
example=$(awk '/^\/\/ \[readme\]/ { inside = !inside; next } inside' examples/02_own_entropy_policy.cpp)
quoted=$(awk '/quoted from examples\/02_own_entropy_policy.cpp/ { found = 1; next }
    found && /^```cpp/ { inside = 1; next } inside && /^```/ { exit } inside' README.md)
[[ -n $example ]] || { echo "examples/02_own_entropy_policy.cpp has nothing between its [readme] marks"; exit 1; }
diff <(echo "$example") <(echo "$quoted") || { echo "README.md does not quote examples/02_own_entropy_policy.cpp"; exit 1; }
