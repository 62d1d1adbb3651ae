#!/usr/bin/env python3
"""Goal: Python, by its own arithmetic, gets the same means and the same roundings.

Method: exact rational means (equal to the bit), math.fsum (within one unit in the last place where the data
are well-conditioned) and round(x, 4) (equal to the bit, 350000 values).
Usage: means_python_test.py MEANS_FILTER
"""

import math
import random
import struct
import subprocess
import sys
from fractions import Fraction

try:
    import numpy
except ImportError:
    print("SKIP: NumPy is missing; this test runs where it is installed")
    sys.exit(77)

FILTER = sys.argv[1]
TYPES = {"f64": "f8", "f32": "f4", "f16": "f2", "i64": "i8", "i32": "i4", "i16": "i2", "i8": "i1",
         "u64": "u8", "u32": "u4", "u16": "u2", "u8": "u1"}
NUMPY_LACKS = {"bf16"}
failures = []


def check(condition, *what):
    if not condition:
        failures.append(what)


def filtered(arguments, data):
    command = [FILTER, *map(str, arguments)]
    output = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    return [value for (value,) in struct.iter_unpack("<d", output)]


def same(a, b):
    return struct.pack("<d", a) == struct.pack("<d", b)


def exact_mean(values):
    mean = sum(map(Fraction, values)) / len(values)
    return mean.numerator / mean.denominator  # int / int is rounded once


def drawn(rng, dtype, count):
    kind = TYPES[dtype]
    if kind[0] == "f":
        return rng.standard_normal(count).astype(kind)
    bounds = numpy.iinfo(kind)
    return rng.integers(bounds.min, bounds.max, count, dtype=kind, endpoint=True)


def test_every_type_is_tested():
    listed = subprocess.run([FILTER, "types"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    check({*TYPES} | NUMPY_LACKS == {*listed}, "types", *listed)


def test_means():
    rng = numpy.random.default_rng(1)
    for dtype in TYPES:
        for batch in (1, 7, 1024, 10007):
            counts = [min(batch, 10007 - first) for first in range(0, 10007, batch)][:200]
            data = drawn(rng, dtype, sum(counts))
            means = filtered([dtype, *counts], data.tobytes())
            check(len(means) == len(counts), dtype, batch, "number of means")
            first = 0
            for count, mean in zip(counts, means):
                values = data[first : first + count].tolist()
                first += count
                check(same(mean, exact_mean(values)), dtype, count, mean)
                if max(map(abs, values)) < 2**53:  # fsum makes doubles of its elements
                    check_fsum(values, mean, dtype)


def check_fsum(values, mean, dtype):
    total = math.fsum(values)
    if math.fsum(map(abs, values)) < 1e3 * abs(total):
        other = total / len(values)
        check(abs(mean - other) <= math.ulp(other), "fsum", dtype, len(values), mean, other)


def test_hostile_doubles():
    rng = random.Random(2)
    for case in range(60):
        scale = rng.choice((1, 30, 300, 1000))
        count = rng.randint(1, 3000)
        values = [math.ldexp(rng.uniform(-1, 1), rng.randint(-scale, scale)) for _ in range(count)]
        if case % 2:
            values += [-value for value in values] + [rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 0)]
            rng.shuffle(values)
        (mean,) = filtered(["f64", len(values)], numpy.array(values).tobytes())
        check(same(mean, exact_mean(values)), case, scale, mean)


def test_round_to_4():
    rng = random.Random(3)
    values = [0.12345, 0.00005, -0.00005, 2.5, 1e16, 1e22, -1e-300, 0.0, -0.0, math.inf, -math.inf, math.nan]
    for _ in range(50000):
        values.append(rng.uniform(-1e4, 1e4))
        values.append(rng.gauss(0, 1) * 10.0 ** rng.randint(-8, 14))
        tie = (rng.randint(0, 10 ** rng.randint(1, 15)) + 0.5) / 10000
        values += [tie, -math.nextafter(tie, math.inf), math.nextafter(tie, 0)]
        values.append(rng.randint(0, 2**40) / 32)
        values.append(rng.choice((-1, 1)) * struct.unpack("<d", struct.pack("<Q", rng.getrandbits(63)))[0])
    got = filtered(["round_to_4"], struct.pack(f"<{len(values)}d", *values))
    check(len(got) == len(values), "number of roundings")
    for value, rounded in zip(values, got):
        expected = round(value, 4)
        both_nan = math.isnan(rounded) and math.isnan(expected)
        check(same(rounded, expected) or both_nan, value, rounded, expected)


if __name__ == "__main__":
    test_every_type_is_tested()
    test_means()
    test_hostile_doubles()
    test_round_to_4()
    for failure in failures[:20]:
        print("FAILED:", *failure)
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)
