#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What a block's scale tells about its quantised weights, beside what the row tells: scale_context.py FILE.safetensors...

Quantises the matrices of F32 and BF16 checkpoints with one scale for each 64 x 64 block to FP8 E4M3, and with one for 32
elements of a row to INT4, and prints bits an element: order 0; given the quarter of the scales that the block's is in; given
the quarter of the rows that the row's mean magnitude is in. Needs numpy (Debian: python3-numpy).
"""
import json
import struct
import sys

import numpy as np

E4M3 = np.array([m / 8 * 2.0**-6 if e == 0 else (1 + m / 8) * 2.0 ** (e - 7) for e in range(16) for m in range(8)][:127])


def matrices(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header, data = json.loads(data[8 : 8 + size]), data[8 + size :]
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in ("F32", "BF16") or len(entry["shape"]) < 2:
            continue
        raw = data[slice(*entry["data_offsets"])]
        if entry["dtype"] == "F32":
            values = np.frombuffer(raw, np.float32)
        else:
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        if values.size >= 1 << 14:
            yield values.reshape(entry["shape"][0], -1)


def to_e4m3(values):
    magnitudes = np.abs(values)
    above = np.clip(np.searchsorted(E4M3, magnitudes), 1, len(E4M3) - 1)
    nearer_below = magnitudes - E4M3[above - 1] < E4M3[above] - magnitudes
    return (above - nearer_below) | (128 * (values < 0))


def bits(codes, classes):
    total = 0.0
    for k in np.unique(classes):
        counts = np.bincount(codes[classes == k]).astype(float)
        counts = counts[counts > 0]
        total -= (counts * np.log2(counts / counts.sum())).sum()
    return total


def quarters(values):
    return np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values)


def study(matrix, block, quantise, magnitude):
    rows, columns = (matrix.shape[i] // block[i] * block[i] for i in (0, 1))
    if rows == 0 or columns == 0:
        return np.zeros(4)
    blocks = matrix[:rows, :columns].reshape(rows // block[0], block[0], columns // block[1], block[1])
    scales = np.abs(blocks).max(axis=(1, 3), keepdims=True) + 1e-30
    codes = quantise(blocks / scales).astype(np.int64).reshape(rows, columns)
    by_scale = quarters(np.broadcast_to(scales, blocks.shape).reshape(-1))
    by_row = np.repeat(quarters(magnitude(codes).mean(axis=1)), columns)
    flat = codes.reshape(-1)
    return np.array([flat.size, bits(flat, np.zeros_like(flat)), bits(flat, by_scale), bits(flat, by_row)])


def main():
    for path in sys.argv[1:]:
        fp8, int4 = np.zeros(4), np.zeros(4)
        for matrix in matrices(path):
            fp8 += study(matrix, (64, 64), lambda v: to_e4m3(v * 448), lambda c: E4M3[np.minimum(c & 127, 126)])
            int4 += study(matrix, (1, 32), lambda v: np.clip(np.round(v * 7), -8, 7) + 8, lambda c: np.abs(c - 8.0))
        for name, sums in (("FP8", fp8), ("INT4", int4)):
            if sums[0]:
                print(f"{name}  order 0 {sums[1] / sums[0]:.3f}  scale {sums[2] / sums[0]:.3f}  row {sums[3] / sums[0]:.3f}  {path}")


main()
