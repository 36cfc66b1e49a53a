#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# check_sources.sh ROOT: rules about every source file, whatever it says.
set -euo pipefail
cd "${1:?usage: check_sources.sh ROOT}"
export LC_ALL=C.UTF-8 # columns are characters, not bytes

max_lines=400
max_columns=120

# Brackets keep this file from finding itself.
unfinished='TOD[O]|FIXM[E]|XX[X]|HAC[K]'
not_ours='a[g]ents?|cl[a]ude|anthrop[i]c'
private_paths='/wor[k]/|/roo[t]/|/tm[p]/bash_'

files=$(find . \( -name .git -o -path './build*' -o -path ./tests/house/fixtures -o -name __pycache__ \) -prune \
    -o -type f -print | sed 's|^\./||' | sort)
matching() { grep -E "$1" <<<"$files" || true; }
sources=$(matching '(\.(hpp|cpp|h|sh|py|cmake)|CMakeLists\.txt|^\.ci/run)$')
texts=$(matching '(\.(hpp|cpp|h|sh|py|cmake|md|txt|in)|^\.ci/run|^\.[a-z-]+)$')
cxx=$(matching '\.(hpp|cpp|h)$')
library=$(matching '^include/.*\.hpp$')

failures=0
# report WHY: each line of the input is a place where the rule is broken.
report() {
    local place
    while IFS= read -r place; do
        [[ -n $place ]] || continue
        echo "$1: $place"
        failures=$((failures + 1))
    done
}
search() { # search FILES GREP_ARGUMENT...
    local list=$1
    shift
    [[ -z $list ]] || tr '\n' '\0' <<<"$list" | sed -z '/^$/d' | xargs -0 grep -nH "$@" || true
}
# What the preprocessor would leave of a header without its comments; the rules for code are about code.
code_of() {
    local file
    while IFS= read -r file; do
        [[ -n $file ]] && sed "s|//.*||; s|^|$file: |" "$file"
    done <<<"$1"
}

# A Python script that makes data is one file so that it can be run alone; it may be long.
report "over $max_lines lines" < <(
    while IFS= read -r file; do
        [[ -n $file && $file != *.py ]] || continue
        lines=$(wc -l <"$file")
        ((lines <= max_lines)) || echo "$file ($lines)"
    done <<<"$sources")
# A compiler message that a test holds is one line, however long.
report "over $max_columns columns" < <(search "$cxx" -E "^.{$((max_columns + 1)),}" | grep -v '// expect: ' | cut -c1-90)
report "no SPDX line" < <(
    while IFS= read -r file; do
        [[ -n $file ]] || continue
        head -n 5 "$file" | grep -qE 'SPDX-License-Identifier: BSL-1\.0|Boost Software License' || echo "$file"
    done <<<"$sources")
report "unfinished" < <(search "$texts" -wE "$unfinished")
report "not about this project" < <(search "$texts" -wiE "$not_ours")
report "a path of one machine" < <(search "$texts" -E "$private_paths")
report "a room for everything" < <(matching '(^|/)(utils?|detail|helpers|misc)\.(hpp|cpp|h)$')
report "the library prints, asks the environment or exits" < <(code_of "$library" |
    grep -E 'std::(cout|cerr|clog)|\b(printf|puts|getenv|exit|abort|quick_exit)[ ]?\(' || true)

echo "$(wc -l <<<"$texts") files read, $failures against the rules"
((failures == 0))
