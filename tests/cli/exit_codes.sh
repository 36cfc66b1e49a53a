#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# One case for each exit code and command; the table is printed by every --help.
. "$(dirname "$0")/lib.sh"

small_model model.safetensors
mkdir noted && cp model.safetensors noted/

# 0: done
expect 0 compress model.safetensors
expect 0 info model.bs
expect 0 stat model.bs
expect 0 verify model.bs
expect 0 verify --fast model.bs
expect 0 verify --sample 0.5 model.bs
expect 0 verify model.bs --source model.safetensors
expect 0 decompress model.bs -o back.safetensors

# 1: the answer is no
expect 1 stat model.bs --tensor no_such_tensor
silent "$out"
said "$err" "no tensor's name contains 'no_such_tensor'"
cp model.safetensors other.safetensors
printf 'X' | dd of=other.safetensors bs=1 seek=$(($(stat -c %s model.safetensors) - 3)) conv=notrunc 2>/dev/null
expect 1 verify model.bs --source other.safetensors
[[ $(tail -1 "$out") == FAIL ]] || fail "no FAIL: $(cat "$out")"

# 2: usage
expect 2 verify model.bs --sample 7

# 3: bad input
echo "not a checkpoint at all" >text.safetensors
expect 3 compress text.safetensors -o x.bs
expect 3 verify text.safetensors
expect 3 info text.safetensors
expect 3 stat text.safetensors
expect 3 decompress text.safetensors -o x
mkfifo pipe
for input in /dev/null pipe; do
    for verb in info stat verify decompress transcode compress benchmark; do
        expect 3 $verb $input
        said "$err" "$input: "
    done
    expect 3 verify model.bs --source $input
done

# 4: I/O
for verb in info stat verify decompress compress; do expect 4 "$verb" missing.bs; done
expect 4 compress model.safetensors -o no/such/folder/model.bs
if [[ $(id -u) != 0 ]]; then
    chmod 0 other.safetensors
    expect 4 compress other.safetensors
    mkdir locked && chmod 555 locked
    expect 4 compress model.safetensors -o locked/model.bs
    chmod 755 locked
else
    note "run by root: files without permission were not tried"
fi
if [[ -w /dev/full ]]; then
    for line in "info model.bs" "stat model.bs" "verify model.bs" "help" "--version" "info model.bs --json" \
        "compress model.safetensors -o -" "decompress model.bs -o -"; do
        code=0
        # shellcheck disable=SC2086
        "$BIGSMALL" $line >/dev/full 2>"$err" || code=$?
        ((code == 4)) || fail "bigsmall $line >/dev/full: exit code $code, not 4"
        said "$err" "standard output"
    done
else
    note "no /dev/full here: a full device was not tried"
fi

# 6: refused
expect 6 compress model.safetensors
expect 6 decompress model.bs

finish
