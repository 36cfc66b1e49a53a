#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# compress --resume: killed at hundreds of random moments, it goes on to the file of a run that nothing stopped.
. "$(dirname "$0")/lib.sh"
set +m
RANDOM=${BIGSMALL_SEED:-4711}
note "BIGSMALL_SEED=${BIGSMALL_SEED:-4711}"

# Enough files to be killed among, each a batch of its own, and one of several batches; tensors that occur twice, small
# ones, and files that are carried along.
noise 300000 1 >few.bin
for ((i = 0; i < 40; i++)); do cat few.bin; head -c $((i * 1000 + 1)) few.bin; done >data.bin
mkdir model
for ((i = 0; i < 14; i++)); do
    size=$((i == 3 ? 12000000 : 200002 + i * 90000))
    part=$((size / 3 / 2 * 2))
    header='{"x.weight":{"dtype":"BF16","shape":['$((part / 2))'],"data_offsets":[0,'$part']},'
    header+='"y.weight":{"dtype":"U8","shape":['$((size - part))'],"data_offsets":['$part','$size']}}'
    tail -c +$((1 + i * 2)) data.bin | head -c "$size" | safetensors model/part-$i.safetensors "$header"
done
small_model model/small.safetensors
cp few.bin model/notes.bin
cp model/part-1.safetensors model/twice.safetensors
echo '{}' >model/config.json
expect 0 compress model -o whole.bs

# The next run finishes what is there.
resumes() {
    expect 0 compress model -o out.bs --resume
    same out.bs whole.bs
    absent out.bs.progress
    [[ $(listing . | grep -c 'out\.bs') == 1 ]] || fail "left behind: $(listing . | grep 'out\.bs')"
}

# From the beginning, without a kill.
expect 0 compress model -o out.bs --resume --json
[[ $(json_value "$out" resumed_bytes) == 0 ]] || fail "resumed_bytes of a first run: $(cat "$out")"
same out.bs whole.bs
absent out.bs.progress
start=$(date +%s%N)
expect 0 compress model -o out.bs --resume -f
took=$((($(date +%s%N) - start) / 1000))

# Killed at random moments, again and again; with any number of threads. Each series ends with a run that is let go.
# A slow machine need not kill all of them.
kills=0 resumed=0 series=0 finished=0
while ((kills < ${BIGSMALL_KILLS:-300} && SECONDS < 300)); do
    rm -rf out.bs out.bs.progress
    series=$((series + 1))
    for ((k = 0; k < 1 + RANDOM % 12; k++)); do
        "$BIGSMALL" compress model -o out.bs --resume --threads $((1 + RANDOM % 4)) >"$out" 2>"$err" &
        pid=$!
        # Most of the moments are within the time that a run takes.
        delay=$((RANDOM * 32768 + RANDOM))
        sleep "$(printf '0.%06d' $((delay % (took < 900000 ? took : 900000))))"
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        kills=$((kills + 1))
        ! grep -qF "bigsmall: continuing: " "$err" || resumed=$((resumed + 1))
        if [[ -e out.bs ]]; then
            finished=$((finished + 1))
            same out.bs whole.bs
            break
        fi
    done
    if [[ -e out.bs ]]; then
        # Killed after it gave the output its name: that is refused as every output is, and the rest goes away.
        [[ ! -e out.bs.progress ]] || expect 6 compress model -o out.bs --resume
        absent out.bs.progress
        continue
    fi
    expect 0 compress model -o out.bs --resume --json
    same out.bs whole.bs
    absent out.bs.progress
    ! grep -qF "bigsmall: continuing: " "$err" || resumed=$((resumed + 1))
done
note "$kills kills in $series series; $resumed runs went on with another one, $finished series needed no last run"
((resumed > kills / 10)) || fail "hardly any run has gone on with another one: $resumed, $kills kills"

# unfinished : leaves a run that was stopped in the middle, by SIGTERM.
unfinished() {
    local code i pid
    for ((i = 0; i < 50; i++)); do
        rm -rf out.bs out.bs.progress
        code=0
        "$BIGSMALL" compress model -o out.bs --resume --threads 1 "$@" >"$out" 2>"$err" &
        pid=$!
        while kill -0 "$pid" 2>/dev/null && [[ ! -s out.bs.progress/payload ]]; do sleep 0.002; done
        kill -TERM "$pid" 2>/dev/null
        wait "$pid" || code=$?
        ((code == 0)) || break
    done
    ((code == 75)) || fail "SIGTERM: exit code $code, not 75: $(cat "$err")"
}

# SIGTERM.
unfinished
said "$err" "bigsmall: interrupted: "
absent out.bs
if [[ -e out.bs.progress ]]; then said "$err" "what is done is kept in out.bs.progress, and the same command continues"; fi
[[ $(listing . | grep -v '^\./out\.bs\.progress' | grep -c partial) == 0 ]] || fail "left behind: $(listing .)"

# A run without --resume does not use it, and says so.
if [[ -e out.bs.progress ]]; then
    expect 0 compress model -o out.bs
    said "$err" "an unfinished run has left out.bs.progress"
    exists out.bs.progress/log
    rm out.bs
fi
resumes

# A changed source starts over and says so.
for ((i = 0; i < 20; i++)); do
    unfinished
    [[ -s out.bs.progress/log ]] && break
done
touch -d '2001-01-01' model/part-9.safetensors
expect 0 compress model -o out.bs --resume
said "$err" 'of no use: "part-9.safetensors" has changed; starting over'
same out.bs whole.bs

# Another operating point is another run.
for ((i = 0; i < 20; i++)); do
    unfinished
    [[ -s out.bs.progress/log ]] && break
done
expect 0 compress model -o out.bs --resume --inference
said "$err" "starting over"
expect 0 compress model -o other.bs --inference
same out.bs other.bs

# A file that may not grow: what is done is kept.
rm -rf out.bs out.bs.progress
size=$(($(stat -c %s whole.bs) / 1024))
code=0
(ulimit -f $((size * 4 / 5)) && exec env --default-signal=XFSZ "$BIGSMALL" compress model -o out.bs --resume) \
    >"$out" 2>"$err" || code=$?
((code == 4)) || fail "a full disk: exit code $code, not 4: $(cat "$err")"
said "$err" "bigsmall: error: out.bs: "
said "$err" "hint: what is done is kept in out.bs.progress"
absent out.bs
expect 0 compress model -o out.bs --resume
said "$err" "bigsmall: continuing: "
same out.bs whole.bs
absent out.bs.progress

# Two runs at once: the second one is refused, the first one is not disturbed.
rm -f out.bs
refused=0
for ((i = 0; i < 20 && !refused; i++)); do
    rm -rf out.bs out.bs.progress
    "$BIGSMALL" compress model -o out.bs --resume -q --threads 1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && [[ ! -s out.bs.progress/log ]]; do sleep 0.002; done
    kill -STOP "$pid" 2>/dev/null
    code=0
    "$BIGSMALL" compress model -o out.bs --resume >"$out" 2>"$err" </dev/null || code=$?
    grep -qF "another run is writing this output" "$err" && ((code == 6)) && refused=1
    kill -CONT "$pid" 2>/dev/null
    wait "$pid" || fail "the first of two runs: exit code $?"
    same out.bs whole.bs
done
((refused)) || fail "a second run was not refused: exit code $code: $(cat "$err")"
absent out.bs.progress

# A directory of outputs: the same, of each container that is begun or done.
expect 0 compress model --per-shard -o shards.whole
took=$((took * 2))
kills=0 resumed=0
while ((kills < ${BIGSMALL_KILLS:-60} && SECONDS < 400)); do
    rm -rf shards shards.progress
    for ((k = 0; k < 1 + RANDOM % 8; k++)); do
        "$BIGSMALL" compress model -o shards --per-shard --resume --threads $((1 + RANDOM % 4)) >"$out" 2>"$err" &
        pid=$!
        sleep "$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % (took < 900000 ? took : 900000))))"
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        kills=$((kills + 1))
        ! grep -qF "bigsmall: continuing: " "$err" || resumed=$((resumed + 1))
        [[ ! -e shards ]] || break
    done
    if [[ -e shards ]]; then
        [[ ! -e shards.progress ]] || expect 6 compress model -o shards --per-shard --resume
    else
        expect 0 compress model -o shards --per-shard --resume
        ! grep -qF "bigsmall: continuing: " "$err" || resumed=$((resumed + 1))
    fi
    diff -r shards shards.whole >/dev/null || fail "per shard: other files: $(diff -rq shards shards.whole)"
    absent shards.progress
done
note "per shard: $kills kills; $resumed runs went on with another one"
((resumed > kills / 10)) || fail "hardly any run per shard has gone on with another one: $resumed, $kills kills"

rm -rf shards
code=0
(ulimit -f $(($(stat -c %s shards.whole/part-3.bs) / 1024 * 4 / 5)) &&
    exec env --default-signal=XFSZ "$BIGSMALL" compress model -o shards --per-shard --resume) >"$out" 2>"$err" || code=$?
((code == 4)) || fail "a full disk, per shard: exit code $code, not 4: $(cat "$err")"
said "$err" "bigsmall: error: shards/part-3.bs: "
said "$err" "hint: what is done is kept in shards.progress"
absent shards
expect 0 compress model -o other-shards --per-shard
absent shards
expect 0 compress model -o shards --per-shard -q # not used, and told
said "$err" "an unfinished run has left shards.progress"
rm -rf shards other-shards
touch -d '2001-01-02' model/part-1.safetensors
expect 0 compress model -o shards --per-shard --resume --json
said "$err" 'of no use for "part-1.bs": "part-1.safetensors" has changed; starting over'
said "$err" "bigsmall: continuing: "
(($(json_value "$out" resumed_bytes) > 1000000)) || fail "resumed_bytes, per shard: $(cat "$out")"
diff -r shards shards.whole >/dev/null || fail "per shard, after a change: $(diff -rq shards shards.whole)"
absent shards.progress
expect 6 compress model -o shards --per-shard --resume
expect 0 compress model -o shards --per-shard --resume -f
diff -r shards shards.whole >/dev/null || fail "per shard, over an older output: $(diff -rq shards shards.whole)"

# A directory into which nothing can be written is told before the work. The superuser can write everywhere.
as_another() { if ((EUID == 0)); then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }
chmod 755 . && mkdir -m 777 theirs && mkdir -m 555 theirs/shards && cp "$BIGSMALL" theirs/tool
code=0
as_another theirs/tool compress model -o theirs/shards --per-shard --resume >"$out" 2>"$err" || code=$?
((code == 4)) || fail "a directory that cannot be written: exit code $code, not 4: $(cat "$err")"
said "$err" "theirs/shards: cannot write into the directory"
absent theirs/shards.progress

# What cannot be.
expect 2 compress model -o - --resume
said "$err" "--resume keeps what is done beside the output"
expect 6 compress model -o out.bs --resume
mkdir -p new.bs.progress && echo precious >new.bs.progress/file
expect 6 compress model -o new.bs --resume
said "$err" "holds what no run of this program has put there"
[[ $(cat new.bs.progress/file) == precious ]] || fail "somebody's file is gone"
mkdir elsewhere
ln -s elsewhere link.bs.progress
expect 6 compress model -o link.bs --resume
[[ $(listing elsewhere) == . ]] || fail "something was written through a link"

# Permissions are those of the umask, and no others.
(umask 027 && expect 0 compress model -o private.bs --resume)
[[ $(stat -c %a private.bs) == 640 ]] || fail "permissions: $(stat -c %a private.bs)"

finish
