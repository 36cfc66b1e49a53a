#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""A chain of checkpoints of one training as patches: patch_chain.py TOOL FIRST SECOND...

Prints for each step, in bytes: the patch against the checkpoint before, and XOR with it, byte planes and zstd -19; then the
same from the first to the last, and the chain squashed. Every patch is applied and compared; at the end the whole chain is
applied at once, the squashed patch too, and the first checkpoint is made the last in place. Needs numpy and zstd.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from real_pairs import xor_planes, zstd


def same(path, wanted):
    if open(path, "rb").read() != open(wanted, "rb").read():
        sys.exit(f"{path} is not {wanted}")


def main():
    tool, files = sys.argv[1], sys.argv[2:]

    def run(*arguments):
        subprocess.run([tool, *arguments, "-q"], check=True)

    with tempfile.TemporaryDirectory() as folder:
        back, squashed = os.path.join(folder, "back"), os.path.join(folder, "squashed.bs")
        patches = []

        def row(name, before, after, patch):
            run("apply", before, patch, "-o", back, "-f")
            same(back, after)
            print(
                f"| {name} | {os.path.getsize(after):,} | {os.path.getsize(patch):,} | {zstd(xor_planes(before, after)):,} |",
                flush=True,
            )

        print("| step | bytes | patch | XOR, planes, zstd -19 |")
        print("|---|---|---|---|")
        for number, (before, after) in enumerate(zip(files, files[1:]), 1):
            patches.append(os.path.join(folder, f"{number}.bs"))
            run("compress", after, "--delta-from", before, "-o", patches[-1])
            row(str(number), before, after, patches[-1])
        run("squash", *patches, "--base", files[0], "-o", squashed)
        row(f"1 to {len(patches)}, squashed", files[0], files[-1], squashed)
        run("apply", files[0], *patches, "-o", back, "-f")
        same(back, files[-1])
        for chain in (patches, [squashed]):
            model = os.path.join(folder, "model.safetensors")
            shutil.copy(files[0], model)
            for patch in chain:
                run("apply", "--in-place", model, patch)
            same(model, files[-1])


if __name__ == "__main__":
    main()
