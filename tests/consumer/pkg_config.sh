#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# pkg_config.sh PREFIX PACKAGE SOURCE: a user without CMake; a compiler and pkg-config build SOURCE, and it runs.
set -euo pipefail
prefix=${1:?}
package=${2:?}
source=${3:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export PKG_CONFIG_PATH=$prefix/share/pkgconfig
read -ra flags < <(pkg-config --cflags --libs "$package")
"${CXX:-c++}" -std=c++20 "$source" -o consumer "${flags[@]}"
./consumer
