# Generated from the command table by 'bigsmall generate completions'. Do not edit.
_bigsmall_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_bigsmall_words() {
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_bigsmall_verbs="compress decompress apply squash transcode reshard migrate info verify ecc repair stat diff benchmark help"

_bigsmall() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _bigsmall_words "$word" "$_bigsmall_verbs --help --version"
        return
    fi
    case "$verb $before" in
        "compress --output" | "compress -o") _bigsmall_files "$word"; return ;;
        "compress --delta-from") _bigsmall_files "$word"; return ;;
        "compress --base") _bigsmall_files "$word"; return ;;
        "compress --base-dir") _bigsmall_files "$word"; return ;;
        "compress --threads") return ;;
        "decompress --output" | "decompress -o") _bigsmall_files "$word"; return ;;
        "decompress --base") _bigsmall_files "$word"; return ;;
        "decompress --shards") return ;;
        "decompress --size-gb") return ;;
        "decompress --threads") return ;;
        "apply --output" | "apply -o") _bigsmall_files "$word"; return ;;
        "apply --threads") return ;;
        "squash --base") _bigsmall_files "$word"; return ;;
        "squash --output" | "squash -o") _bigsmall_files "$word"; return ;;
        "squash --threads") return ;;
        "transcode --mode") _bigsmall_words "$word" "ratio balanced speed"; return ;;
        "transcode --n-streams") return ;;
        "transcode --workers") return ;;
        "transcode --threads") return ;;
        "reshard --output-dir") _bigsmall_files "$word"; return ;;
        "reshard --size-gb") return ;;
        "reshard --shards") return ;;
        "reshard --base") _bigsmall_files "$word"; return ;;
        "reshard --threads") return ;;
        "migrate --threads") return ;;
        "verify --sample") return ;;
        "verify --seed") return ;;
        "verify --source") _bigsmall_files "$word"; return ;;
        "verify --sha256") return ;;
        "verify --base") _bigsmall_files "$word"; return ;;
        "verify --threads") return ;;
        "ecc --output" | "ecc -o") _bigsmall_files "$word"; return ;;
        "ecc --threads") return ;;
        "repair --output" | "repair -o") _bigsmall_files "$word"; return ;;
        "repair --ecc") _bigsmall_files "$word"; return ;;
        "repair --from") _bigsmall_files "$word"; return ;;
        "repair --threads") return ;;
        "stat --sort") _bigsmall_words "$word" "ratio size name"; return ;;
        "stat --tensor") return ;;
        "diff --patch") _bigsmall_files "$word"; return ;;
        "diff --base") _bigsmall_files "$word"; return ;;
        "diff --top") return ;;
        "diff --threads") return ;;
        "benchmark --point") _bigsmall_words "$word" "storage balanced inference"; return ;;
        "benchmark --rounds") return ;;
        "benchmark --output" | "benchmark -o") _bigsmall_files "$word"; return ;;
        "benchmark --chart") _bigsmall_files "$word"; return ;;
        "benchmark --threads") return ;;
    esac
    case "$verb" in
        compress)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output -o --per-shard --storage --balanced --inference --group-streams --resume --ecc --delta-from --base --auto-delta --base-dir --force-delta --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        decompress)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output -o --base --shards --size-gb --skip-damaged --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        apply)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output -o --in-place --finish --undo --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        squash)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--base --output -o --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        transcode)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--mode --n-streams --workers --threads --force -f --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        reshard)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output-dir --size-gb --shards --join --base --threads --force -f --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        migrate)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--dry-run --no-backup --storage --balanced --inference --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        info)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--json --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        verify)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--fast --sample --seed --source --sha256 --file-hashes --base --verbose --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        ecc)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output -o --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        repair)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--output -o --in-place --check --ecc --from --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        stat)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--sort --reverse --tensor --json --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        diff)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--patch --base --top --all --force -f --threads --json --quiet -q --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        benchmark)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--point --rounds --detailed --no-detail --output -o --chart --force -f --threads --json --no-progress --help -h"
            else
                _bigsmall_files "$word"
            fi ;;
        help)
            if [[ $word == -* ]]; then
                _bigsmall_words "$word" "--help -h"
            else
                _bigsmall_words "$word" "$_bigsmall_verbs"
            fi ;;
    esac
}

complete -F _bigsmall bigsmall
