#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# Wrong command lines: exit code 2, one clear line and a hint, nothing on standard output.
. "$(dirname "$0")/lib.sh"

# wrong TEXT ARGUMENT... : refused with that text on standard error.
wrong() {
    local text=$1
    shift
    expect 2 "$@"
    silent "$out"
    said "$err" "$text"
    [[ $(grep -c '^bigsmall: error: ' "$err") == 1 ]] || fail "bigsmall $* : not one error line"
}

expect 2
silent "$out"
said "$err" "usage: bigsmall COMMAND"

wrong "unknown command 'compres'" compres
said "$err" "did you mean 'compress'?"
wrong "unknown command 'ifno'" ifno
said "$err" "did you mean 'info'?"
wrong "unknown command 'frobnicate'" frobnicate
said "$err" "'bigsmall help' lists the commands"
wrong "unknown command 'verfy'" help verfy
said "$err" "did you mean 'verify'?"
wrong "unknown option '--versoin'" --versoin
said "$err" "did you mean '--version'?"
wrong "unknown option '--fats'" verify --fats x.bs
said "$err" "did you mean '--fast'?"
wrong "unknown option '--per-shrad'" compress x --per-shrad
said "$err" "did you mean '--per-shard'?"
wrong "unknown option '--thread'" compress --thread=2 x   # a beginning is not the option
wrong "unknown option '-z'" compress -z x
wrong "unknown option '-fx'" compress x -fx

wrong "missing argument SRC" compress
wrong "missing argument FILE" verify --fast
wrong "one argument too many: 'b'" info a b
wrong "option --output needs a value" compress x --output
wrong "option --output is given twice" compress x -o a -o b
wrong "option --json takes no value" compress x --json=yes
wrong "argument SRC is empty" compress ""
wrong "cannot be standard input" compress -
wrong "--output needs a name" compress x -o ""
wrong "--threads takes a number from 1 to 1024" compress x --threads 0
wrong "--threads takes a number from 1 to 1024" compress x --threads 1025
wrong "--threads takes a whole number" compress x --threads two
wrong "--threads takes a whole number" compress x --threads -1
wrong "--threads takes a number from 1 to 1024, not '99999999999999999999'" compress x --threads 99999999999999999999
wrong "--seed takes a number from 0 to 18446744073709551615" verify x --sample 0.5 --seed 99999999999999999999
wrong "argument OUT cannot be standard output" transcode x.bs -
wrong "--sample takes a number above 0 and at most 1" verify x --sample 0
wrong "--sample takes a number above 0 and at most 1" verify x --sample 1.5
wrong "--sample takes a number above 0 and at most 1" verify x --sample nan
wrong "--sample takes a number above 0 and at most 1" verify x --sample 0,5
wrong "--storage and --balanced exclude each other" compress x --balanced --storage
wrong "--storage and --inference exclude each other" compress x --storage --inference
wrong "--balanced and --inference exclude each other" compress x --inference --balanced
wrong "--fast and --sample exclude each other" verify x --fast --sample 0.5
wrong "--fast and --source exclude each other" verify x --fast --source y
wrong "--seed needs --sample" verify x --seed 1
wrong "--sort takes ratio, size or name, not 'sise'" stat x --sort sise
said "$err" "did you mean 'size'?"
wrong "--json and '-o -' both want standard output" compress x -o - --json
wrong "--json and '-o -' both want standard output" decompress x -o - --json
wrong "cannot go to standard output" compress . --per-shard -o -
small_model file.safetensors
wrong "--per-shard needs a directory" compress file.safetensors --per-shard

# What is compressed already says so.
expect 0 compress file.safetensors
cp file.bs renamed.safetensors
for name in file.bs renamed.safetensors; do
    expect 3 compress $name -o new.bs
    said "$err" "$name: this is a bigsmall container already, not a safetensors file"
done

# A file whose name begins with a dash is reached behind "--".
expect 4 info -- -missing.bs
said "$err" "-missing.bs"

finish
