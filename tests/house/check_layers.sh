#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# check_layers.sh ROOT: reads every #include under ROOT/include/bigsmall and fails when a layer reaches up, takes
# a package that is not in its row of layers.txt, or when an umbrella header holds more than includes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:?usage: check_layers.sh ROOT}/include/bigsmall"

find . -name '*.hpp' | sed 's|^\./||' | LC_ALL=C sort | xargs awk -v rules="$here/layers.txt" '
function fail(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failures++ }

# core/bytes.hpp -> core, core.hpp -> core. fwd.hpp is the map of the codec.
function layer_of(path) {
    if (path == "fwd.hpp") return "codec"
    if (path !~ /\//) { sub(/\.hpp$/, "", path); return path }
    sub(/\/.*/, "", path)
    return path
}
function has(list, word) { return index(" " list " ", " " word " ") > 0 }
function is_allowed_package(layer, header,    i, n, names) {
    n = split(packages[layer], names, " ")
    for (i = 1; i <= n; i++) {
        if (header == names[i]) return 1
        if (names[i] ~ /\/$/ && index(header, names[i]) == 1) return 1
    }
    return 0
}
function check_ours(layer, target,    other) {
    other = layer_of(target)
    if (!(other in known)) fail("no layer is called " other " (tests/house/layers.txt)")
    else if (other != layer && !has(below[layer], other)) fail(layer " must not include " other ": " target)
}
function check_theirs(layer, header) {
    if (header ~ /^[a-z_]+$/) { # the C++ standard library
        if (has(banned[layer], header)) fail(layer " must not include <" header ">")
        return
    }
    if (!is_allowed_package(layer, header)) fail(layer " must not include <" header ">")
    if (header ~ /^(oneapi\/)?tbb\//) {
        if (tbb_header == "") tbb_header = FILENAME
        if (tbb_header != FILENAME) fail("oneTBB stays in one header, " tbb_header)
    }
}

BEGIN {
    while ((getline line < rules) > 0) {
        if (line ~ /^#/ || line !~ /\|/) continue
        split(line, column, "|")
        gsub(/ /, "", column[1])
        known[column[1]] = 1
        below[column[1]] = column[2]
        packages[column[1]] = column[3]
        banned[column[1]] = column[4]
        for (i = 2; i <= 4; i++) gsub(/ +/, " ", column[i])
    }
}
FNR == 1 {
    layer = layer_of(FILENAME)
    umbrella = FILENAME !~ /\// && FILENAME != "fwd.hpp"
    if (!(layer in known)) fail("no layer is called " layer " (tests/house/layers.txt)")
}
/^[ \t]*#[ \t]*include/ {
    target = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
    quote = substr(target, 1, 1)
    sub(/^[<"]/, "", target)
    sub(/[>"].*/, "", target)
    includes++
    if (quote != "<") fail("headers include each other as <bigsmall/...>")
    else if (target == "bigsmall/bigsmall.hpp") fail("only users include everything")
    else if (sub(/^bigsmall\//, "", target)) check_ours(layer, target)
    else check_theirs(layer, target)
    next
}
umbrella && !/^[ \t]*(\/\/.*|#pragma once.*)?$/ { fail("an umbrella header is an include list and nothing else") }
END {
    printf "%d includes read, %d against the rules\n", includes, failures
    exit failures > 0 || includes == 0
}'
