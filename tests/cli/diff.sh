#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# diff: what is equal and what is not, in words, as JSON and by the exit code; the patch that it writes.
. "$(dirname "$0")/lib.sh"

base=$SOURCE_DIR/examples/sample/base
tuned=$SOURCE_DIR/examples/sample/fine-tune
small_model model.safetensors

# Equal, whatever it lies in.
mkdir dir && cp model.safetensors dir/a.safetensors && echo '{}' >dir/config.json
expect 0 compress model.safetensors
expect 0 compress model.safetensors --storage -o storage.bs
expect 0 compress dir --per-shard
for a in model.safetensors model.bs storage.bs dir dir-bs; do
    for b in model.safetensors model.bs dir-bs; do
        expect 0 diff "$a" "$b"
        silent "$err"
        said "$out" "$a -> $b: equal"
        said "$out" "5 equal"
    done
done
expect 0 diff model.safetensors model.bs --quiet
silent "$out"
expect 0 diff model.bs dir --all
said "$out" "model.layers.1.self_attn.q_proj.weight  BF16[128,256]"

# One bit of one word: 1.0 becomes the float before it.
cp model.safetensors other.safetensors
printf '\377\377\177\077' | dd of=other.safetensors bs=1 seek=$(($(stat -c %s model.safetensors) - 4)) conv=notrunc 2>/dev/null
expect 1 diff model.safetensors other.safetensors
said "$out" "model.safetensors -> other.safetensors: different"
said "$out" "5 -> 5; 4 equal, 1 changed"
said "$out" "1 of 65,793 changed (0.00%)"
grep -qE '^scale +F32\[\] +100\.00% +5\.96e-08 +5\.96e-08 +1 +1$' "$out" || fail "scale: $(cat "$out")"
expect 1 diff model.bs other.safetensors -q
silent "$out"

# documented fields, as in streams.sh: every field is in the page, every documented one of the top level is there.
expect 1 diff model.bs other.safetensors --json
silent "$err"
valid_json "$out" || fail "diff --json is not valid: $(cat "$out")"
[[ $(json_value "$out" equal) == false ]] || fail "equal: $(json_value "$out" equal)"
[[ $(json_value "$out" changed_words) == 1 ]] || fail "changed_words: $(json_value "$out" changed_words)"
[[ $(grep -c '"kind": ' "$out") == 1 ]] || fail "$(grep -c '"kind": ' "$out") tensors are listed"
fields=$(sed -n '/^## The JSON object/,/^## /s/^| `\([^`]*\)`.*/\1/p' "$SOURCE_DIR/docs/cli/diff.md")
known=$(sed -E 's/.*\.//; s/\[\]//g' <<<"$fields" | sort -u)
unknown=$(grep -oE '"[A-Za-z0-9_]+":' "$out" | tr -d '":' | sort -u | comm -23 - <(echo "$known"))
[[ -z $unknown ]] || fail "fields that docs/cli does not describe: $unknown"
for name in $(grep -v '[.]' <<<"$fields"); do
    grep -qE "^  \"$name\":" "$out" || fail "diff --json lacks the documented field $name"
done
expect 1 diff model.bs other.safetensors --json --all
[[ $(grep -c '"kind": ' "$out") == 5 ]] || fail "$(grep -c '"kind": ' "$out") tensors are listed with --all"

# Other forms; what is only called otherwise is no equal model.
header='{"__metadata__":{"step":"2"},"new":{"dtype":"BF16","shape":[128,256],"data_offsets":[0,65536]},'
header+='"model.norm.weight":{"dtype":"F32","shape":[16,16],"data_offsets":[65536,66560]},'
header+='"scale":{"dtype":"I32","shape":[],"data_offsets":[66560,66564]}}'
{ noise 65536 1; noise 1024 2; printf '\0\0\200\077'; } | safetensors forms.safetensors "$header"
expect 1 diff model.safetensors forms.safetensors
said "$out" "1 renamed, 1 reshaped, 1 replaced, 2 removed"
said "$out" "metadata:    differs in format, step"
grep -qE '^reshaped +model\.norm\.weight +F32\[16,16\] +model\.norm\.weight F32\[256\] +0\.00%$' "$out" ||
    fail "reshaped: $(cat "$out")"
expect 1 diff model.safetensors forms.safetensors --json
valid_json "$out" || fail "diff --json of other forms is not valid: $(cat "$out")"
said "$out" '"metadata_changed": ['

# Metadata alone does not matter.
: | safetensors one.safetensors '{"__metadata__":{"a":"1"},"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
: | safetensors two.safetensors '{"__metadata__":{"a":"2"},"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
expect 0 diff one.safetensors two.safetensors
said "$out" "metadata:    differs in a"

# A fine-tune: tables of so many rows, the same with any number of threads.
expect 1 diff "$base" "$tuned" --top 3 --threads 1
[[ $(sed -n '/^changed tensor/,/^$/p' "$out" | wc -l) == 6 ]] || fail "--top 3: $(cat "$out")"
said "$out" "... and 53 more"
grep -v elapsed "$out" >one.txt
expect 1 diff "$base" "$tuned" --top 3 --threads 4
grep -v elapsed "$out" >four.txt
same one.txt four.txt
expect 1 diff "$base" "$tuned" --top 0
! grep -q '^changed tensor' "$out" || fail "--top 0 prints a table"

# Patches: written on the way, and compared.
expect 1 diff "$base" "$tuned" --patch patch.bs
grep -qE "^  patch:       patch\.bs, $(stat -c %s patch.bs | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta') bytes \([0-9.]+% of B\)$" "$out" ||
    fail "patch: $(head -6 "$out")"
expect 0 apply "$base" patch.bs -o back
same_tree "$tuned" back
expect 0 diff "$tuned" back
expect 6 diff "$base" "$tuned" --patch patch.bs
expect 1 diff "$base" "$tuned" --patch patch.bs -f --json
said "$out" '"path": "patch.bs"'
cp -r "$base" twin
expect 0 diff "$base" twin --patch none.bs
exists none.bs
expect 1 diff "$base" patch.bs
expect 0 diff "$tuned" patch.bs --base "$base"
expect 0 diff patch.bs "$tuned" --base "$base"
expect 2 diff patch.bs "$tuned"
said "$err" "--base BASE"
expect 3 diff "$tuned" patch.bs
said "$err" "another base"
said "$err" "--base BASE"
# B may be an archive, or a patch itself.
expect 0 compress "$tuned" -o tuned.bs
expect 1 diff "$base" tuned.bs --patch of-archive.bs
expect 0 apply "$base" of-archive.bs -o back2
same_tree "$tuned" back2
expect 0 compress twin --delta-from "$tuned" -o return.bs
expect 1 diff "$tuned" return.bs --patch of-patch.bs
expect 0 apply "$tuned" of-patch.bs -o back3
same_tree twin back3
# A pipeline's files have tensors of the same names: the file tells which.
mkdir -p pipe-a/unet pipe-a/vae pipe-b/unet pipe-b/vae
cp "$base/model.safetensors" pipe-a/unet/x.safetensors
cp "$tuned/model.safetensors" pipe-b/unet/x.safetensors
cp model.safetensors pipe-a/vae/x.safetensors
cp "$base/model.safetensors" pipe-a/vae/y.safetensors
cp "$base/model.safetensors" pipe-b/vae/y.safetensors
expect 1 diff pipe-a pipe-b
said "$out" " of unet/x.safetensors"
before=$(listing .)
expect 2 diff "$base" "$tuned" --patch ''
expect 2 diff "$base" "$tuned" --patch -
expect 2 diff "$base" "$tuned" --patch "$tuned/x.bs"
expect 2 diff "$base" tuned.bs --patch tuned.bs -f
expect 2 diff model.bs other.safetensors --base model.bs
expect 2 diff model.bs other.safetensors -f
expect 2 diff model.bs other.safetensors --top many
expect 2 diff model.bs
expect 3 diff model.bs one.txt
expect 4 diff model.bs nothing.safetensors
[[ $(listing .) == "$before" ]] || fail "files left behind: $(listing .)"

finish
