#!/usr/bin/env python3
"""Writes golden.txt: means of pseudo-random elements, from exact integers and one correct rounding.

Usage: make_golden.py            (writes beside itself; needs no NumPy)

A line is: element type, kind, count, the mean's bits in hexadecimal. Elements come from SplitMix64, seeded
with the count. Kind "any": any bits, but for infinities and NaNs, whose highest exponent bit is cleared. Kind
"mild" (floats): in [-1, 1), evenly spaced, as finely as the significand allows.
"""

import pathlib
import struct
from fractions import Fraction

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = (1, 2, 31, 32, 33, 127, 128, 129, 2047, 2048, 2049, 4095, 4096, 4097, 20000)
FLOATS = {"f64": (64, 52), "f32": (32, 23), "f16": (16, 10), "bf16": (16, 7)}  # bits, bits of the fraction
INTEGERS = {f"{sign}{bits}": bits for sign in "iu" for bits in (64, 32, 16, 8)}
LEAST = 1074  # every element is an integer times 2^-LEAST


def splitmix64(state):
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def float_units(bits, width, fraction_bits):
    """The value of a finite float, in units of 2^-LEAST."""
    exponent_bits = width - 1 - fraction_bits
    top = 1 << (exponent_bits - 1)
    exponent = bits >> fraction_bits & (2 * top - 1)
    if exponent == 2 * top - 1:
        exponent -= top
    fraction = bits & ((1 << fraction_bits) - 1)
    significand = fraction if exponent == 0 else fraction | 1 << fraction_bits
    units = significand << (max(exponent, 1) - (top - 1) - fraction_bits + LEAST)
    return -units if bits >> (width - 1) else units


def elements(dtype, kind, count):
    for _, random in zip(range(count), splitmix64(count)):
        if dtype in INTEGERS:
            width = INTEGERS[dtype]
            bits = random >> (64 - width)
            negative = dtype[0] == "i" and bits >> (width - 1)
            yield (bits - (1 << width) if negative else bits) << LEAST
        elif kind == "any":
            width, fraction_bits = FLOATS[dtype]
            yield float_units(random >> (64 - width), width, fraction_bits)
        else:
            _, fraction_bits = FLOATS[dtype]
            steps = random >> (63 - fraction_bits)
            yield (steps - (1 << fraction_bits)) << (LEAST - fraction_bits)


def mean_bits(dtype, kind, count):
    mean = Fraction(sum(elements(dtype, kind, count)), count << LEAST)
    rounded = mean.numerator / mean.denominator  # of integers: rounded once
    return struct.unpack("<Q", struct.pack("<d", rounded))[0]


def main():
    cases = [(dtype, kind) for dtype in FLOATS for kind in ("any", "mild")]
    cases += [(dtype, "any") for dtype in INTEGERS]
    lines = [
        f"{dtype} {kind} {count} {mean_bits(dtype, kind, count):016x}"
        for dtype, kind in cases
        for count in COUNTS
    ]
    (HERE / "golden.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
