#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# benchmark: the sizes are those of compress, every point is measured, and nothing is left behind.
. "$(dirname "$0")/lib.sh"
set +m

small_model model.safetensors
mkdir "$work/tmp"
export TMPDIR=$work/tmp
clean() { [[ $(listing "$work/tmp") == . ]] || fail "left behind in TMPDIR: $(listing "$work/tmp")"; }
before=$(sha256sum model.safetensors)

expect 0 benchmark model.safetensors --rounds 2
silent "$err"
clean
[[ $(listing . | grep -vc '^\./\.std\|^\.$\|/tmp$') == 1 ]] || fail "left behind: $(listing .)"
[[ $(sha256sum model.safetensors) == "$before" ]] || fail "the source was touched"
[[ $(head -1 "$out") == "benchmark model.safetensors" ]] || fail "first line: $(head -1 "$out")"
grep -qE '^  [0-9]+ threads, 2 rounds, memcpy [0-9.]+ MB/s$' "$out" || fail "memcpy: $(cat "$out")"
for point in storage balanced inference; do
    expect 0 compress model.safetensors --$point -o $point.bs
    bytes=$(json_value <("$BIGSMALL" compress model.safetensors --$point -o again.bs -f --json) compressed_bytes)
    [[ $bytes == "$(stat -c %s $point.bs)" ]] || fail "compress --json"
    expect 0 benchmark model.safetensors --rounds 1 --point $point --json
    valid_json "$out" || fail "benchmark --json is not valid"
    grep -qF "\"compressed_bytes\": $bytes," "$out" || fail "$point: not the bytes of compress: $(cat "$out")"
    [[ $(grep -c '"point":' "$out") == 1 ]] || fail "$point: other points"
    [[ $(json_value "$out" source_bytes) == "$(stat -c %s model.safetensors)" ]] || fail "source_bytes"
    [[ $(json_value "$out" tensors) == 5 ]] || fail "tensors"
    [[ $(json_value "$out" rounds) == 1 ]] || fail "rounds"
    grep -qE '"(en|de)code_ns": [1-9][0-9]*,' "$out" || fail "no times: $(cat "$out")"
done

# The table of layers: one, none, all.
expect 0 benchmark model.safetensors --rounds 1
[[ $(grep -c '^layers, ' "$out") == 1 ]] || fail "one table of layers: $(cat "$out")"
grep -qE '^attn_qkv +2 +131,072 +[0-9,]+ +[0-9.]+%$' "$out" || fail "attn_qkv: $(cat "$out")"
grep -qE '^norm +1 +1,024 +[0-9,]+ +[0-9.]+%$' "$out" || fail "norm: $(cat "$out")"
expect 0 benchmark model.safetensors --rounds 1 --no-detail
[[ $(grep -c '^layers, ' "$out") == 0 ]] || fail "no table of layers"
expect 0 benchmark model.safetensors --rounds 1 --detailed --point inference --point storage --threads 1
[[ $(grep '^layers, ' "$out") == $'layers, inference\nlayers, storage' ]] || fail "tables: $(cat "$out")"
said "$out" "  1 thread, 1 round, memcpy "

# The kept file and the chart.
expect 0 benchmark model.safetensors --rounds 1 -o kept.bs --chart chart.svg
same kept.bs balanced.bs
grep -q '^<svg xmlns="http://www.w3.org/2000/svg"' chart.svg || fail "no SVG: $(head -1 chart.svg)"
[[ $(tail -1 chart.svg) == "</svg>" ]] || fail "the SVG does not end"
for name in storage balanced inference memcpy; do said chart.svg ">$name "; done
[[ $(grep -o '<[a-z]*[ >]' chart.svg | grep -c '<text') == $(grep -o '</text>' chart.svg | wc -l) ]] || fail "texts"
expect 0 benchmark model.safetensors --rounds 1 -o kept.bs --point storage -f
same kept.bs storage.bs

# A directory.
mkdir dir && cp model.safetensors dir/a.safetensors && echo hello >dir/notes.txt && : >dir/empty
expect 0 benchmark dir --rounds 1 --json
[[ $(json_value "$out" source_bytes) == $(($(stat -c %s model.safetensors) + 6)) ]] || fail "directory"
: | safetensors nothing.safetensors '{}'
expect 0 benchmark nothing.safetensors --rounds 1 --chart nothing.svg
expect 0 benchmark nothing.safetensors --rounds 1 --json
valid_json "$out" || fail "nothing --json: $(cat "$out")"
clean

# What cannot be done.
expect 2 benchmark model.safetensors --rounds 0
said "$err" "--rounds takes a number from 1 to 1000"
expect 2 benchmark model.safetensors --point fast
said "$err" "--point takes storage, balanced or inference, not 'fast'"
expect 2 benchmark model.safetensors --point storage --point storage
said "$err" "--point storage is given twice"
expect 2 benchmark model.safetensors --detailed --no-detail
expect 2 benchmark model.safetensors -o x --chart x
expect 2 benchmark model.safetensors -o x --chart ./x
said "$err" "--output and --chart name the same file"
for option in --output --chart; do
    expect 2 benchmark model.safetensors $option - --rounds 1
    said "$err" "$option cannot be standard output"
done
absent ./-
expect 6 benchmark model.safetensors -o kept.bs
same kept.bs storage.bs
expect 6 benchmark model.safetensors --chart chart.svg
expect 4 benchmark none.safetensors -o new.bs
expect 3 benchmark kept.bs -o new.bs
expect 4 benchmark model.safetensors -o none/new.bs
absent new.bs
TMPDIR=$work/none expect 4 benchmark model.safetensors
said "$err" "TMPDIR"
clean

# The source is never written to.
ln -s model.safetensors link
cp -r dir dir.before
mkdir links && ln -s ../dir/notes.txt links/notes.txt && ln -s ../model.safetensors links/a.safetensors
for option in -o --chart; do
    for output in model.safetensors ./model.safetensors link; do
        expect 2 benchmark model.safetensors $option $output -f --rounds 1
        said "$err" "$output: the output would be written into the source model.safetensors"
    done
    for output in dir/notes.txt dir/x.bs dir/new.svg; do
        expect 2 benchmark dir $option $output -f --rounds 1
        said "$err" "$output: the output would be written into the source dir"
    done
    expect 2 benchmark links $option dir/notes.txt -f --rounds 1
    said "$err" "dir/notes.txt: the output would replace a file that the source consists of"
done
same_tree dir dir.before
[[ $(sha256sum model.safetensors) == "$before" ]] || fail "the source was overwritten"

# Ctrl-C.
sparse_model long.safetensors 6144
env --default-signal=INT "$BIGSMALL" benchmark long.safetensors -o new.bs >"$out" 2>"$err" &
pid=$!
for ((i = 0; i < 2000; i++)); do
    [[ $(listing "$work/tmp") != . ]] && break
    sleep 0.005
done
kill -INT "$pid"
code=0
wait "$pid" || code=$?
((code == 130)) || fail "after INT: exit code $code: $(cat "$err")"
said "$err" "bigsmall: interrupted"
silent "$out"
absent new.bs
clean

finish
