#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# The committed man pages, completions and pages of docs/cli are what the command table gives. To renew them:
#   bigsmall generate man docs/man
#   bigsmall generate completions apps/bigsmall/completions
#   bigsmall generate docs docs/cli
. "$(dirname "$0")/lib.sh"

# held KIND FOLDER : the folder holds the generated files and no others.
held() {
    expect 0 generate "$1" "$work/$1"
    silent "$out"
    diff -ru "$SOURCE_DIR/$2" "$work/$1" || fail "$2 is not what 'bigsmall generate $1 $2' writes"
}

held man docs/man
held completions apps/bigsmall/completions
held docs docs/cli

bash -n "$work/completions/bigsmall.bash" || fail "the bash completion has a syntax error"
if command -v zsh >/dev/null; then
    zsh -n "$work/completions/_bigsmall" || fail "the zsh completion has a syntax error"
else
    note "no zsh here: its completion was not parsed"
fi
if command -v fish >/dev/null; then
    fish -n "$work/completions/bigsmall.fish" || fail "the fish completion has a syntax error"
else
    note "no fish here: its completion was not parsed"
fi
if command -v man >/dev/null; then
    for page in "$work"/man/*.1; do
        warnings=$(man --warnings=all -E UTF-8 -l "$page" 2>&1 >/dev/null | grep -v 'cannot adjust line\|break .* line')
        [[ -z $warnings ]] || fail "$(basename "$page"): $warnings"
    done
else
    note "no man here: its pages were not rendered"
fi

# The bash completion answers as it should.
complete_words() { # WORD... : the last one is being typed
    (
        set +u
        . "$work/completions/bigsmall.bash"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _bigsmall
        printf '%s\n' "${COMPREPLY[@]}"
    ) 2>/dev/null
}
[[ $(complete_words bigsmall comp) == compress ]] || fail "completion of 'comp'"
[[ $(complete_words bigsmall compress --per) == --per-shard ]] || fail "completion of 'compress --per'"
[[ $(complete_words bigsmall stat x --sort s) == size ]] || fail "completion of 'stat x --sort s'"
touch "$work/a file.bs"
[[ $(complete_words bigsmall info "$work/a f") == "$work/a file.bs" ]] || fail "completion of a file"
[[ $(complete_words bigsmall help ver) == verify ]] || fail "completion of 'help ver'"

finish
