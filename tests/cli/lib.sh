# SPDX-License-Identifier: BSL-1.0
# Helpers of the command line tests; each test sources this file. Plain bash and coreutils.
#   BIGSMALL               the tool
#   SOURCE_DIR             the source tree
#   BIGSMALL_SHARED_DATA   a folder of checkpoints, when there is one

# Run by itself it has nothing to test.
[[ ${BASH_SOURCE[0]} != "$0" ]] || exit 0

set -u
export LC_ALL=C
BIGSMALL=${BIGSMALL:?the path of the tool}
SOURCE_DIR=${SOURCE_DIR:?the path of the source tree}
[[ $BIGSMALL == */* ]] && BIGSMALL=$(realpath "$BIGSMALL")

work=$(mktemp -d "${TMPDIR:-/tmp}/bigsmall-cli.XXXXXXXX") || exit 1
out=$work/.stdout err=$work/.stderr
failures=0
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

note() { echo "note: $*"; }

# The last line of every test.
finish() {
    ((failures == 0)) || { echo "$failures checks failed"; exit 1; }
    exit 0
}

# expect CODE ARGUMENT... : runs the tool; its exit code must be CODE. Its streams land in $out and $err.
expect() {
    local wanted=$1 got=0
    shift
    "$BIGSMALL" "$@" >"$out" 2>"$err" </dev/null || got=$?
    ((got == wanted)) || fail "bigsmall $* : exit code $got, not $wanted: $(head -c 500 "$err")"
}

# The text must stand in the stream's file.
said() { grep -qF -- "$2" "$1" || fail "expected '$2' in: $(head -c 500 "$1")"; }
silent() { [[ ! -s $1 ]] || fail "expected nothing in $(basename "$1"), found: $(head -c 500 "$1")"; }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
exists() { [[ -e $1 ]] || fail "$1 should be there"; }
absent() { [[ ! -e $1 && ! -L $1 ]] || fail "$1 should not be there"; }

# Everything below a folder, hidden files too, one name a line: shows what a failed run left behind.
listing() { (cd "$1" && find . | sort); }

# same_tree A B : equal names and equal bytes; links count as what they point to.
same_tree() {
    [[ "$(cd "$1" && find -L . -type f | sort)" == "$(cd "$2" && find -L . -type f | sort)" ]] ||
        { fail "$1 and $2 hold different files"; return; }
    local name
    while IFS= read -r -d '' name; do same "$1/$name" "$2/$name"; done < <(cd "$1" && find -L . -type f -print0)
}

# An 8-byte little-endian number.
u64() {
    local n=$1 i
    for ((i = 0; i < 8; i++)); do
        printf "\\x$(printf %02x $((n & 255)))"
        n=$((n >> 8))
    done
}

# safetensors FILE JSON < DATA : a file with that header, then the data.
safetensors() {
    { u64 "${#2}"; printf %s "$2"; cat; } >"$1"
}

# noise BYTES SEED : bytes that look like trained BF16 weights enough to compress: a small range of high bytes.
noise() {
    awk -v n="$1" -v seed="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < n / 2; i++) {
            low = int(rand() * 256)
            high = 58 + int(rand() * rand() * 6) + (rand() < 0.5 ? 128 : 0)
            printf "\\x%02x\\x%02x", low, high
            if (i % 512 == 511) printf "\n"
        }
    }' | while IFS= read -r line || [[ -n $line ]]; do printf "$line"; done
}

# A small checkpoint with a matrix, a duplicate of it, a vector, a scalar and an empty tensor.
small_model() {
    local matrix='"dtype":"BF16","shape":[128,256]'
    local header='{"__metadata__":{"format":"pt"},'
    header+='"model.layers.0.self_attn.q_proj.weight":{'$matrix',"data_offsets":[0,65536]},'
    header+='"model.layers.1.self_attn.q_proj.weight":{'$matrix',"data_offsets":[65536,131072]},'
    header+='"model.norm.weight":{"dtype":"F32","shape":[256],"data_offsets":[131072,132096]},'
    header+='"scale":{"dtype":"F32","shape":[],"data_offsets":[132096,132100]},'
    header+='"empty":{"dtype":"I64","shape":[0,4],"data_offsets":[132100,132100]}}   '
    noise 65536 1 >"$work/.matrix"
    { cat "$work/.matrix" "$work/.matrix"; noise 1024 2; printf '\0\0\200\077'; } | safetensors "$1" "$header"
    rm -f "$work/.matrix"
}

# A checkpoint of N MiB of zeros that takes no room on disk: long work without a large file.
sparse_model() {
    local bytes=$(($2 << 20))
    : | safetensors "$1" '{"zeros":{"dtype":"U8","shape":['$bytes'],"data_offsets":[0,'$bytes']}}'
    truncate -s $(($(stat -c %s "$1") + bytes)) "$1"
}

# Succeeds when the file is one JSON text: strings, numbers and words become single letters, then complete
# arrays and objects are folded into values until one value is left.
valid_json() {
    local folded
    folded=$(tr '\n' ' ' <"$1" | sed -E '
        s/"([^"\\]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/S/g
        s/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/N/g
        s/true|false|null/N/g
        s/[ \t\r]+//g
        :again
        s/\[([SN](,[SN])*)?\]/N/g
        s/\{(S:[SN](,S:[SN])*)?\}/N/g
        t again')
    [[ $folded == N ]]
}

# The value of a field on the top level of a printed object, as it stands there.
json_value() {
    sed -nE "s/^  \"$2\": (.*[^,]),?\$/\1/p" "$1"
}
