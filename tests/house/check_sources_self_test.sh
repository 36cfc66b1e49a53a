#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Bad samples for check_sources.sh. They are made here, since files that break the rules cannot lie in the tree.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

good=$'// SPDX-License-Identifier: BSL-1.0\n#pragma once\n'
sample() { # sample CASE EXPECTED PATH CONTENT
    mkdir -p "$work/$1/$(dirname "$3")"
    printf '%s' "$4" >"$work/$1/$3"
    printf '%s\n' "$2" >"$work/$1/expect"
}
header=include/bigsmall/core/x.hpp
sample long 'over 400 lines: include/bigsmall/core/x.hpp (402)' $header "$good$(printf '//\n%.0s' {1..400})"$'\n'
sample wide 'over 120 columns' $header "$good// $(printf '%0120d' 0)"$'\n'
sample no_licence 'no SPDX line: include/bigsmall/core/x.hpp' $header $'#pragma once\n'
sample unfinished 'unfinished: include/bigsmall/core/x.hpp:3' $header "$good// TO""DO: think"$'\n'
sample machinery 'not about this project' docs/x.md 'written by an age''nt'$'\n'
sample path 'a path of one machine' docs/x.md 'see /wo''rk/main'$'\n'
sample room 'a room for everything: include/bigsmall/core/utils.hpp' include/bigsmall/core/utils.hpp "$good"
sample prints 'the library prints' $header "$good"'inline void f() { std::cout << 1; }'$'\n'
sample asks 'the library prints' $header "$good"'inline auto f() { return std::getenv("X"); }'$'\n'

# And one that breaks none, so that the refusals above are not refusals of everything.
mkdir -p "$work/.good/include/bigsmall/core"
printf '%s' "$good" >"$work/.good/$header"
bash "$here/check_sources.sh" "$work/.good"
bash "$here/self_test.sh" check_sources.sh "$work"
