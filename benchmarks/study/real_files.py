#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Sizes of whole files at the three points beside general compressors: real_files.py TOOL FILE.safetensors...

Prints a table of percentages of the file's size: bigsmall at its points, zstd -19 on the file, zstd -19 on its byte planes
(header first, then for each tensor all first bytes of its elements, all second bytes ...), zlib -9 on the file; and where
storage is not the smallest, by how many bytes the best of the others is smaller. Needs numpy and zstd.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np

WIDTH = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2, "U16": 2}


def byte_planes(data):
    size = 8 + struct.unpack("<Q", data[:8])[0]
    entries = [e for name, e in json.loads(data[8:size]).items() if name != "__metadata__"]
    out = [data[:size]]
    for entry in sorted(entries, key=lambda e: e["data_offsets"]):
        raw = np.frombuffer(data[size:][slice(*entry["data_offsets"])], np.uint8)
        out.append(raw.reshape(-1, WIDTH.get(entry["dtype"], 1)).T.tobytes())
    return b"".join(out)


def zstd(data):
    return len(subprocess.run(["zstd", "-19", "-c"], input=data, capture_output=True, check=True).stdout)


def bigsmall(tool, path, point):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.bs")
        subprocess.run([tool, "compress", path, "-o", out, "-q", "--" + point], check=True)
        return os.path.getsize(out)


def main():
    tool, paths = sys.argv[1], sys.argv[2:]
    print("| file | bytes | storage | balanced | inference | zstd -19 | planes, zstd -19 | zlib -9 | smaller by |")
    print("|---|---|---|---|---|---|---|---|---|")
    ours, others = 0, 0
    for path in paths:
        data = open(path, "rb").read()
        points = [bigsmall(tool, path, point) for point in ("storage", "balanced", "inference")]
        rivals = [zstd(data), zstd(byte_planes(data)), len(zlib.compress(data, 9))]
        ours, others = ours + points[0], others + min(rivals)
        best = min(rivals + points[1:])
        lost = f"{points[0] - best:,}" if best < points[0] else ""
        shares = " | ".join(f"{100 * size / len(data):.2f}" for size in points + rivals)
        name = "/".join(path.split("/")[-2:]).removesuffix("/model.safetensors")
        print(f"| {name} | {len(data):,} | {shares} | {lost} |", flush=True)
    print(f"\nAll: storage {ours:,} bytes, the best of the others for each file {others:,} bytes.")


main()
