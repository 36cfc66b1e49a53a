#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Sizes of patches beside what others do with a base: real_pairs.py TOOL BASE TUNED [BASE TUNED...]

Prints for each pair, in bytes: the patch at the storage and at the balanced point, the archive without a base, XOR with the
tensor of the same name and then byte planes and zstd -19 (what has no counterpart of the same type and size goes in as it
is), and the file with zstd -19 --long --patch-from the base. Every patch is applied and compared. Needs numpy and zstd.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

WIDTH = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2, "U16": 2}


def read(path):
    data = open(path, "rb").read()
    size = 8 + struct.unpack("<Q", data[:8])[0]
    entries = {name: e for name, e in json.loads(data[8:size]).items() if name != "__metadata__"}
    return data[:size], {
        name: (e["dtype"], np.frombuffer(data[size:][slice(*e["data_offsets"])], np.uint8)) for name, e in entries.items()
    }


def xor_planes(base, tuned):
    header, tensors = read(tuned)
    _, others = read(base)
    out = [header]
    for name, (dtype, raw) in tensors.items():
        other = others.get(name)
        if other and other[0] == dtype and other[1].size == raw.size:
            raw = raw ^ other[1]
        out.append(raw.reshape(-1, WIDTH.get(dtype, 1)).T.tobytes())
    return b"".join(out)


def zstd(data):
    return len(subprocess.run(["zstd", "-19", "-c"], input=data, capture_output=True, check=True).stdout)


def zstd_patch(base, tuned):
    command = ["zstd", "-19", "--long=27", "--patch-from=" + base, "-c", tuned]
    return len(subprocess.run(command, capture_output=True, check=True).stdout)


def patch_bytes(tool, base, tuned, point, folder):
    patch, back = os.path.join(folder, "p.bs"), os.path.join(folder, "back")
    subprocess.run(
        [tool, "compress", tuned, "--delta-from", base, "-o", patch, "-q", "-f", "--force-delta", "--" + point], check=True
    )
    subprocess.run([tool, "apply", base, patch, "-o", back, "-q", "-f"], check=True)
    if open(back, "rb").read() != open(tuned, "rb").read():
        sys.exit(f"{tuned} did not come back")
    return os.path.getsize(patch)


def main():
    tool, paths = sys.argv[1], sys.argv[2:]
    print("| base -> tuned | bytes | patch, storage | balanced | without a base | XOR, planes, zstd -19 | zstd --patch-from |")
    print("|---|---|---|---|---|---|---|")
    for base, tuned in zip(paths[::2], paths[1::2]):
        with tempfile.TemporaryDirectory() as folder:
            patches = [patch_bytes(tool, base, tuned, point, folder) for point in ("storage", "balanced")]
            alone = os.path.join(folder, "alone.bs")
            subprocess.run([tool, "compress", tuned, "-o", alone, "-q", "--storage"], check=True)
            data = open(tuned, "rb").read()
            sizes = patches + [os.path.getsize(alone), zstd(xor_planes(base, tuned)), zstd_patch(base, tuned)]
            name = " -> ".join(path.split("/")[-2] for path in (base, tuned))
            print(f"| {name} | {len(data):,} | " + " | ".join(f"{size:,}" for size in sizes) + " |", flush=True)


if __name__ == "__main__":
    main()
