#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# The help texts, as committed in golden/. After a wanted change: UPDATE_GOLDEN=1 tests/cli/help.sh
. "$(dirname "$0")/lib.sh"

golden=$SOURCE_DIR/tests/cli/golden

# compare NAME ARGUMENT... : what the tool prints is golden/NAME.txt, and nothing else is said.
compare() {
    local name=$1
    shift
    expect 0 "$@"
    silent "$err"
    [[ -z ${UPDATE_GOLDEN:-} ]] || cp "$out" "$golden/$name.txt"
    diff -u "$golden/$name.txt" "$out" || fail "bigsmall $* : not as in golden/$name.txt"
    awk 'length > 80 { exit 1 }' "$out" || fail "bigsmall $* : a line is wider than 80 characters"
}

compare version --version
compare help help
compare help --help
compare help -h
for verb in compress decompress apply squash transcode reshard migrate info verify ecc repair stat diff benchmark help; do
    compare "help-$verb" help "$verb"
    compare "help-$verb" "$verb" --help
    compare "help-$verb" "$verb" -h
done
compare help-compress compress --help no-such-file --threads 2   # help wins over what else is wrong

expect 0 help
for verb in $(sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$out"); do
    [[ -e $golden/help-$verb.txt ]] || fail "no golden help for $verb"
done
! grep -q generate "$out" || fail "the maintainers' command is listed"

finish
