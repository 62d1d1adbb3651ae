#!/usr/bin/env python3
"""Writes digits_means.json: the per-batch means of digits.npy, summed exactly by math.fsum.

Usage: make_digits_means.py            (reads and writes beside itself; needs no NumPy)
"""

import json
import math
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
BATCH_SIZES = (1, 7, 32, 1024, 1797)


def read_pixels(path):
    """The 1797 rows of 64 bytes of a version 1.0 .npy file of type |u1."""
    raw = path.read_bytes()
    (header_bytes,) = struct.unpack_from("<H", raw, 8)
    header = raw[10 : 10 + header_bytes].decode("ascii")
    assert header.startswith("{'descr': '|u1', 'fortran_order': False, 'shape': (1797, 64), }"), header
    pixels = raw[10 + header_bytes :]
    assert len(pixels) == 1797 * 64
    return [pixels[row * 64 : (row + 1) * 64] for row in range(1797)]


def batch_means(rows, batch_size):
    for first in range(0, len(rows), batch_size):
        elements = [pixel for row in rows[first : first + batch_size] for pixel in row]
        yield math.fsum(elements) / len(elements)


def main():
    rows = read_pixels(HERE / "digits.npy")
    result = {}
    for batch_size in BATCH_SIZES:
        means = list(batch_means(rows, batch_size))
        result[str(batch_size)] = {"means": means, "rounded": [round(mean, 4) for mean in means]}
    lines = [f'"{size}": {json.dumps(entry)}' for size, entry in result.items()]
    (HERE / "digits_means.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


if __name__ == "__main__":
    main()
