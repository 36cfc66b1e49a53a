#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Model directories: everything in them comes back, from one file or from one file per shard.
. "$(dirname "$0")/lib.sh"

mkdir -p model/sub
small_model model/model-00001-of-00002.safetensors
cp model/model-00001-of-00002.safetensors model/sub/again.safetensors
printf 'xy' | safetensors model/model-00002-of-00002.safetensors '{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
printf '{"hidden_size": 256}\n' >model/config.json
printf 'a\0b' >"model/odd name.bin"
: >model/empty.txt

expect 0 compress model/
exists model.bs
expect 0 decompress model.bs -o back
same_tree model back
expect 0 verify model.bs
expect 0 verify model.bs --source model
mv model model.kept
expect 0 decompress model.bs
same_tree model.kept model
expect 6 decompress model.bs
expect 4 info model.kept
said "$err" "bigsmall.index.json"

# One file per shard.
expect 0 compress model --per-shard
exists model-bs/bigsmall.index.json
exists model-bs/config.json
[[ $(find model-bs -name '*.bs' | wc -l) == 3 ]] || fail "three shards wanted: $(listing model-bs)"
expect 0 verify model-bs
expect 0 info model-bs
expect 0 stat model-bs
expect 0 decompress model-bs -o from-shards
same_tree model from-shards
rm -r from-shards
expect 6 compress model --per-shard
mv model model.kept2
expect 0 decompress model-bs
same_tree model.kept2 model

# An older output in the same place: what only its index lists goes, once the new one is there; what is not as that
# index says is somebody else's.
mkdir -p older/sub && cp model.kept2/model-00002-of-00002.safetensors older/a.safetensors
for name in b.safetensors sub/c.safetensors d.safetensors; do cp older/a.safetensors older/$name; done
echo '{}' >older/config.json && echo 1 >older/gone.txt && echo 2 >older/edited.txt
expect 0 compress older --per-shard -o reused
echo mine >reused/edited.txt && echo mine >reused/notes.txt && echo mine >reused/d.bs && cp reused/a.bs reused/foreign.bs
mkdir newer && cp older/a.safetensors older/config.json newer
expect 6 compress newer --per-shard -o reused
exists reused/b.bs
expect 0 compress newer --per-shard -o reused -f
grep -qE '^  removed: +3 files of the output that was there before$' "$out" || fail "removed: $(cat "$out")"
[[ $(cd reused && find . -type f | sort | tr '\n' ' ') == "./a.bs ./bigsmall.index.json ./config.json ./d.bs \
./edited.txt ./foreign.bs ./notes.txt " ]] || fail "left in an older output: $(listing reused)"
expect 0 verify reused --source newer
expect 0 compress older --per-shard -o reused -f
expect 0 compress newer --per-shard -o reused -f --json
[[ $(grep -c '"reused/.*",\{0,1\}$' <(sed -n '/"removed_files"/,/\]/p' "$out")) == 5 ]] || fail "removed_files: $(cat "$out")"
# Not when the new one fails, nor what the source links to.
expect 0 compress older --per-shard -o reused -f
mkdir linking && cp older/a.safetensors linking && ln -s ../reused/gone.txt linking/kept.txt
printf 'short' >newer/broken.safetensors
expect 3 compress newer --per-shard -o reused -f
exists reused/b.bs
expect 0 compress linking --per-shard -o reused -f
exists reused/gone.txt
absent reused/b.bs
rm newer/broken.safetensors
# The same for transcode.
expect 0 compress older --per-shard -o older-bs
expect 0 compress newer --per-shard -o newer-bs
expect 0 transcode newer-bs older-bs -f
grep -qE '^  removed: +5 files' "$out" || fail "removed: $(cat "$out")"
expect 0 verify older-bs --source newer
[[ ! -e older-bs/b.bs && ! -e older-bs/gone.txt ]] || fail "left in an older output: $(listing older-bs)"

# A directory X-bs or X-bsr is restored as X, one of another name as NAME-restored.
mv older-bs named-bsr && cp -r named-bsr named
expect 0 decompress named
same_tree newer named-restored
rm -r named named-restored
expect 0 decompress named-bsr
same_tree newer named

# A carried file that is another one: bad input for decompress, the answer "no" from verify.
cp -r model-bs altered-bs
printf ' ' >>altered-bs/config.json
expect 3 decompress altered-bs -o altered
absent altered
said "$err" altered-bs/config.json
expect 1 verify altered-bs

# A name that a shard needs is taken: the reason is said.
mkdir taken && cp model.kept2/model-00002-of-00002.safetensors taken/a.safetensors && echo mine >taken/a.bs
expect 3 compress taken --per-shard
said "$err" 'the name of this file is needed for the container of "a.safetensors"'
said "$err" "taken/a.bs"
absent taken-bs

# So is a file name that the index of shards cannot express; the bytes that are no UTF-8 are shown as such.
mkdir latin && cp taken/a.safetensors latin && echo 1 >latin/"$(printf 'caf\351.txt')"
expect 3 compress latin --per-shard
said "$err" 'the file name "caf\xe9.txt" is not UTF-8'
absent latin-bs
expect 0 compress latin

# A shard that the model's own index names and that is not there: a warning, and the rest is packed.
mkdir partial && cp model.kept2/model-00002-of-00002.safetensors partial/a.safetensors
echo '{"weight_map":{"t":"a.safetensors","u":"b.safetensors"}}' >partial/model.safetensors.index.json
for layout in "" --per-shard; do
    # shellcheck disable=SC2086
    expect 0 compress partial $layout
    said "$err" "bigsmall: warning: model.safetensors.index.json names b.safetensors, which is not there"
    (($(wc -l <"$err") == 1)) || fail "more than one warning: $(cat "$err")"
done
printf '2' | safetensors partial/b.safetensors '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
expect 0 compress partial -f
silent "$err"

# config.json says what model it is.
echo '{"model_type": "llama"}' >partial/config.json
expect 0 compress partial -f
expect 0 info partial.bs
grep -qE '^  model_type +llama$' "$out" || fail "no model_type: $(head -5 "$out")"
expect 0 info partial.bs --json
[[ $(json_value "$out" model_type) == '"llama"' ]] || fail "model_type in JSON"

# A subdirectory that cannot be read is named. Root reads everything, so somebody else has to try.
mkdir -p unreadable/inner && cp partial/a.safetensors unreadable && chmod 0 unreadable/inner && chmod 777 .
as_nobody=()
[[ $(id -u) != 0 ]] || as_nobody=(setpriv --reuid=65534 --clear-groups)
if [[ $(id -u) == 0 ]] && ! "${as_nobody[@]}" test -x "$BIGSMALL" 2>/dev/null; then
    note "no other user can run the tool: an unreadable directory was not tried"
else
    code=0
    "${as_nobody[@]}" "$BIGSMALL" compress unreadable -o unreadable.bs 2>"$err" || code=$?
    ((code == 4)) || fail "an unreadable directory: exit code $code, not 4"
    said "$err" "unreadable/inner: cannot read the directory"
fi
chmod 755 unreadable/inner

# The directory one stands in may be gone.
mkdir gone
(cd gone && rmdir ../gone && "$BIGSMALL" compress . 2>"$err") && fail "compressed a directory that is gone"
said "$err" "bigsmall: error: the working directory cannot be used: "

# A snapshot of the Hub's cache: links into a folder of blobs.
mkdir -p cache/blobs cache/snapshots/main
cp model/model-00001-of-00002.safetensors cache/blobs/0123
cp model/config.json cache/blobs/4567
ln -s ../../blobs/0123 cache/snapshots/main/model.safetensors
ln -s ../../blobs/4567 cache/snapshots/main/config.json
expect 0 compress cache/snapshots/main -o snapshot.bs
expect 0 decompress snapshot.bs -o snapshot
same_tree cache/snapshots/main snapshot
[[ ! -L snapshot/config.json ]] || fail "a link was restored where a file is wanted"

# The directory one stands in has a name, too.
rm model.bs
(cd model && "$BIGSMALL" compress . -q) || fail "compress ."
exists model.bs

# Several files cannot go down one pipe.
"$BIGSMALL" decompress model.bs -o - >piped 2>"$err" && fail "a directory went to standard output"
silent piped

finish
