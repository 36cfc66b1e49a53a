#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Data on standard output and nothing else; JSON that is JSON; streams that are closed or go away.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors

# documented VERB : every field of the object in $out is in docs/cli/VERB.md, and every documented field of
# the top level is in the object.
documented() {
    local fields known
    fields=$(sed -n '/^## The JSON object/,/^## /s/^| `\([^`]*\)`.*/\1/p' "$SOURCE_DIR/docs/cli/$1.md")
    known=$(sed -E 's/.*\.//; s/\[\]//g' <<<"$fields" | sort -u)
    local unknown
    unknown=$(grep -oE '"[A-Za-z0-9_]+":' "$out" | tr -d '":' | sort -u | comm -23 - <(echo "$known"))
    [[ -z $unknown ]] || fail "$1 --json has fields that docs/cli does not describe: $unknown"
    local name
    for name in $(grep -v '[.]' <<<"$fields"); do
        grep -qE "^  \"$name\":" "$out" || fail "$1 --json lacks the documented field $name"
    done
}

# json ARGUMENT... : exit code 0, one valid object with its documented fields, silence on standard error.
json() {
    expect 0 "$@" --json
    silent "$err"
    valid_json "$out" || fail "bigsmall $* --json is not valid JSON: $(head -c 300 "$out")"
    documented "$1"
    [[ $(json_value "$out" command) == "\"$1\"" ]] || fail "$1 --json: command is $(json_value "$out" command)"
}

json compress model.safetensors
raw=$(stat -c %s model.safetensors) stored=$(stat -c %s model.bs)
[[ $(json_value "$out" source_bytes) == "$raw" ]] || fail "source_bytes"
[[ $(json_value "$out" compressed_bytes) == "$stored" ]] || fail "compressed_bytes"
[[ $(json_value "$out" saved_bytes) == $((raw - stored)) ]] || fail "saved_bytes"
json info model.bs
[[ $(json_value "$out" file_size) == "$stored" ]] || fail "file_size"
[[ $(json_value "$out" raw_bytes) == $((65536 + 65536 + 1024 + 4)) ]] || fail "raw_bytes"
[[ $(json_value "$out" tensor_count) == 5 ]] || fail "tensor_count"
[[ $(json_value "$out" layer_count) == 2 ]] || fail "layer_count"
said "$out" "\"sha256\": \"$(sha256sum <model.safetensors | cut -d' ' -f1)\""
json stat model.bs
json verify model.bs
[[ $(json_value "$out" ok) == true && $(json_value "$out" tensors_checked) == 5 ]] || fail "verify --json"
json verify model.bs --fast
json verify model.bs --sample 0.2 --seed 7
[[ $(json_value "$out" seed) == 7 ]] || fail "seed"
json verify model.bs --source model.safetensors
json decompress model.bs -o back.safetensors
[[ $(json_value "$out" restored_bytes) == "$raw" ]] || fail "restored_bytes"
if command -v jq >/dev/null; then
    expect 0 info model.bs --json
    jq -e '.members[0].sha256 | length == 64' "$out" >/dev/null || fail "jq reads the object otherwise"
fi
expect 1 stat model.bs --tensor nothing --json
valid_json "$out" || fail "stat --json without a match is not valid"

# Names with every kind of character still make valid JSON and harmless text.
printf '12' | safetensors names.safetensors \
    '{"\u0007\u001b[2J\n\"quoted\" \\ \u00e9\ud83d\ude00":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
expect 0 compress names.safetensors
json stat names.bs
json info names.bs
for verb in stat info verify; do
    expect 0 "$verb" names.bs
    ! grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$out" || fail "$verb prints control characters"
done

# A duplicate is found again by name and file: two files may have tensors of one name, in one container or in two.
mkdir twice
printf '%064d' 7 | safetensors twice/a.safetensors '{"w":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}}'
cp twice/a.safetensors twice/b.safetensors
expect 0 compress twice
json stat twice.bs
[[ $(grep -cE '"duplicate_(of": "w"|member": "a.safetensors")' "$out") == 2 ]] || fail "duplicate: $(cat "$out")"
[[ $(grep -cE '"duplicate_(of|member)": null' "$out") == 2 ]] || fail "no duplicate: $(cat "$out")"
noise 300000 9 | safetensors twice/a.safetensors '{"w":{"dtype":"BF16","shape":[150000],"data_offsets":[0,300000]}}'
cp twice/a.safetensors twice/b.safetensors
expect 0 compress twice --per-shard
for archive in twice-bs twice-bs/b.bs; do
    json stat $archive
    [[ $(grep -cE '"duplicate_(of": "w"|member": "a.safetensors")' "$out") == 2 ]] || fail "$archive: $(cat "$out")"
done
rm twice-bs/a.bs
json stat twice-bs/b.bs
[[ $(grep -cE '"duplicate_(of|member)": "a.bs"' "$out") == 2 ]] || fail "absent sibling: $(cat "$out")"

# A warning is no chatter: it comes with -q, too.
echo '{"weight_map":{"t":"c.safetensors"}}' >twice/model.safetensors.index.json
expect 0 compress twice -f -q
silent "$out"
said "$err" "bigsmall: warning: model.safetensors.index.json names c.safetensors, which is not there"

# Quiet is quiet, and plain runs say nothing on standard error when it is no terminal.
expect 0 compress model.safetensors -f -q
silent "$out"
silent "$err"
expect 0 decompress model.bs -f -q
silent "$out"
silent "$err"
expect 0 verify model.bs -q
silent "$out"
expect 0 verify model.bs
[[ $(cat "$out") == OK ]] || fail "verify prints: $(cat "$out")"
silent "$err"

# With data on standard output the summary goes to standard error.
"$BIGSMALL" compress model.safetensors -o - 2>"$err" | cmp - model.bs || fail "compress -o -"
said "$err" "compressed model.safetensors -> standard output"
"$BIGSMALL" decompress model.bs -o - 2>"$err" | cmp - model.safetensors || fail "decompress -o -"
said "$err" "decompressed model.bs -> standard output"
absent ./-

# A reader that goes away: exit code 4, and nothing to say about it. A closed standard output is an error in words.
sparse_model big.safetensors 64
expect 0 compress big.safetensors
for line in "decompress big.bs -o -" "compress model.safetensors -o -" "stat model.bs" "info model.bs --json" help; do
    # shellcheck disable=SC2086
    code=$({ sleep 0.1; "$BIGSMALL" $line 2>"$err"; echo $? >&3; } 3>&1 1> >(exec <&-) || true)
    [[ $code == 4 ]] || fail "bigsmall $line | head: exit code $code, not 4"
    silent "$err"
done
code=0
"$BIGSMALL" info model.bs >&- 2>"$err" || code=$?
((code == 4)) || fail "closed standard output: exit code $code, not 4"
said "$err" "bigsmall: error: cannot write to standard output: "
code=0
"$BIGSMALL" compress model.safetensors -f -q >&- 2>&- <&- || code=$?
((code == 0)) || fail "all streams closed: exit code $code, not 0"
expect 0 verify model.bs -q

# Numbers do not follow the locale.
for locale in de_DE.UTF-8 fr_FR.utf8 C.UTF-8; do
    LC_ALL=$locale "$BIGSMALL" stat model.bs >localized 2>/dev/null
    expect 0 stat model.bs
    same localized "$out"
done

finish
