#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# check_include_cost.sh [--print] ROOT: preprocesses each umbrella header of ROOT/include/bigsmall and fails when
# one has more lines than its budget in ROOT/tests/house/include_budgets.txt, or has no budget.
#   --print    prints the measured lines and fails never
# CXX and CXXFLAGS (default c++, none) say how; the budgets are for GCC and libstdc++ 12.
set -euo pipefail
print=no
if [[ ${1-} == --print ]]; then
    print=yes
    shift
fi
cd "${1:?usage: check_include_cost.sh [--print] ROOT}"

budget_of() { awk -v header="$1" '$1 == header { print $2 }' tests/house/include_budgets.txt; }

failures=0
seen=0
for header in include/bigsmall/*.hpp; do
    name=$(basename "$header")
    # shellcheck disable=SC2086 # CXXFLAGS is a list
    lines=$("${CXX:-c++}" -std=c++20 ${CXXFLAGS-} -I include -x c++ -E -P "$header" 2>/dev/null | wc -l)
    seen=$((seen + 1))
    if [[ $print == yes ]]; then
        printf '%-16s %8d\n' "$name" "$lines"
        continue
    fi
    budget=$(budget_of "$name")
    if [[ -z $budget ]]; then
        echo "$name has no budget; it has $lines lines"
        failures=$((failures + 1))
    elif ((lines > budget)); then
        echo "$name: $lines preprocessed lines, budget $budget"
        failures=$((failures + 1))
    fi
done
echo "$seen umbrella headers, $failures over budget"
((failures == 0 && seen > 0))
