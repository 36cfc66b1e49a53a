#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# transcode: another operating point, the same files; checked on the way, and whole or not there at all.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
expect 0 compress model.safetensors --storage
cp model.bs before.bs

# The default: speed, beside the source. Three lines, and figures that are those of the files.
expect 0 transcode model.bs
silent "$err"
[[ $(wc -l <"$out") == 3 ]] || fail "the summary has not three lines"
[[ $(head -1 "$out") == "transcode[speed]: model.bs -> model.bsr" ]] || fail "first line: $(head -1 "$out")"
grep -qE '^  tensors: 5 \(4 re-encoded, all md5-verified\)  wall: [0-9.]+s  [0-9.-]+ MB/s$' "$out" ||
    fail "tensors: $(tail -1 "$out")"
same model.bs before.bs
thousands() { printf "%s" "$1" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'; }
old=$(stat -c %s model.bs) new=$(stat -c %s model.bsr)
said "$out" "  $(thousands "$old") -> $(thousands "$new") bytes ($(
    awk -v a="$new" -v b="$old" 'BEGIN { printf "%+.2f", 100 * (a - b) / b }')% vs source)"

# It is the very file that compress writes for that point, and every command reads it.
expect 0 compress model.safetensors --inference -o direct.bs
same model.bsr direct.bs
expect 0 verify model.bsr
expect 0 verify model.bsr --source model.safetensors
expect 0 stat model.bsr
expect 0 info model.bsr
grep -qE '^  operating_point +inference$' "$out" || fail "info: $(cat "$out")"
mv model.safetensors original
expect 0 decompress model.bsr
same model.safetensors original
rm model.safetensors

# Every mode, there and back; the threads do not matter.
for mode in ratio balanced speed; do
    expect 0 transcode model.bsr "$mode.bsr" --mode "$mode" --json --threads 3
    silent "$err"
    valid_json "$out" || fail "transcode --json is not valid"
    [[ $(json_value "$out" mode) == "\"$mode\"" ]] || fail "json: $(cat "$out")"
    [[ $(json_value "$out" written_bytes) == "$(stat -c %s "$mode.bsr")" ]] || fail "json: $(cat "$out")"
    [[ $(json_value "$out" source_bytes) == "$new" ]] || fail "json: $(cat "$out")"
    expect 0 transcode model.bsr "$mode.bsr" --mode "$mode" -f -q --workers 1
    silent "$out"
    expect 0 decompress "$mode.bsr" -o back -f
    same back original
done
same ratio.bsr model.bs
same speed.bsr model.bsr

# Streams: more blocks, the same tensors.
noise 700000 5 | safetensors wide.safetensors '{"w":{"dtype":"BF16","shape":[350,1000],"data_offsets":[0,700000]}}'
expect 0 compress wide.safetensors
expect 0 transcode wide.bs --json
[[ $(json_value "$out" blocks) == 3 ]] || fail "blocks: $(cat "$out")"
expect 0 transcode wide.bs --json --n-streams 8 -f
[[ $(json_value "$out" blocks) == 11 && $(json_value "$out" n_streams) == 8 ]] || fail "blocks: $(cat "$out")"
expect 0 verify wide.bsr --source wide.safetensors

# A directory in one file, and one file per shard.
mkdir dir && cp original dir/a.safetensors && cp wide.safetensors dir/b.safetensors && echo hello >dir/notes.txt
expect 0 compress dir
expect 0 transcode dir.bs
expect 0 decompress dir.bsr -o dir-back
same_tree dir dir-back
expect 0 compress dir --per-shard
expect 0 transcode dir-bs --mode ratio
expect 0 verify dir-bsr --source dir
rm -rf dir-back && mv dir dir-original
expect 0 decompress dir-bsr
same_tree dir-original dir

# What cannot be done says why and leaves nothing behind.
rm -rf box && mkdir box && cp model.bs box/a.bs && cp model.bsr box/a.bsr
expect 6 transcode box/a.bs
said "$err" "is there already"
expect 2 transcode box/a.bsr
said "$err" "give the output a name"
cp -r dir-bsr box/q-bsr
expect 2 transcode box/q-bsr
said "$err" "give the output a name"
rm -r box/q-bsr
expect 2 transcode box/a.bs box/a.bs -f
said "$err" "would replace the archive itself"
expect 2 transcode box/a.bs box/b.bsr --mode fast
said "$err" "--mode takes ratio, balanced or speed, not 'fast'"
expect 2 transcode box/a.bs box/b.bsr --n-streams 0
said "$err" "--n-streams takes a number from 1 to 1024"
expect 2 transcode box/a.bs box/b.bsr --workers 0
said "$err" "--workers takes a number from 1 to 1024"
expect 2 transcode box/a.bs box/b.bsr --workers 2 --threads 2
said "$err" "--workers and --threads exclude each other"
expect 4 transcode box/none.bs box/b.bsr
expect 4 transcode box/a.bs box/none/b.bsr
expect 3 transcode original box/b.bsr
printf '\125\252\125\252' | dd of=box/a.bs bs=1 seek=$((old / 3)) conv=notrunc 2>/dev/null
expect 3 transcode box/a.bs box/b.bsr
said "$err" "tensor model.layers.0.self_attn.q_proj.weight"
[[ $(listing box) == $'.\n./a.bs\n./a.bsr' ]] || fail "left behind: $(listing box)"
same box/a.bsr model.bsr

finish
