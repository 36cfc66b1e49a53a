#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Where a base stops to pay: patch_gate.py TOOL. Generated BF16 pairs, per cent of raw at the balanced point: the patch, the
archive without a base, what the patch saves of that. Needs numpy."""
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

COUNT = 1 << 21


def bf16(values):
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write(path, values):
    words = bf16(values)
    entry = {"dtype": "BF16", "shape": [COUNT // 1024, 1024], "data_offsets": [0, 2 * COUNT]}
    header = json.dumps({"w": entry}).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header + words.tobytes())


def main():
    tool = sys.argv[1]
    random = np.random.default_rng(1)
    weights = random.standard_normal(COUNT) * 0.02
    with tempfile.TemporaryDirectory() as folder:
        base, tuned, alone, patch = (os.path.join(folder, name) for name in ("b", "t", "a.bs", "p.bs"))
        write(base, weights)
        for kind in ("relative", "additive"):
            for size in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0):
                step = size * random.standard_normal(COUNT)
                write(tuned, weights + (weights if kind == "relative" else 0.02) * step)
                subprocess.run([tool, "compress", tuned, "-o", alone, "-q", "-f"], check=True)
                delta = ["--delta-from", base, "--force-delta"]
                subprocess.run([tool, "compress", tuned, "-o", patch, "-q", "-f", *delta], check=True)
                sizes = [os.path.getsize(path) for path in (patch, alone)]
                shares = " | ".join(f"{100 * bytes_ / (2 * COUNT):.2f}" for bytes_ in sizes)
                print(f"| {kind} {size} | {shares} | {100 - 100 * sizes[0] / sizes[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
