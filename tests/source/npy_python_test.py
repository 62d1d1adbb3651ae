#!/usr/bin/env python3
"""NumPy's files, NumPy's bytes, Python's sums: what nodewise loads and computes, held against all three.

Goal: for every element type of .npy, both element orders, both byte orders and all format versions, nodewise
gives NumPy's own bytes, unrounded means within 1 ulp of math.fsum(batch) / n, and rounded means equal to
round(x, 4). A name of a type that numpy.dtype reads means the same to nodewise, or is refused with a true
reason.
Method: writes arrays (random, ragged, digits, empty) with NumPy into a temporary folder, has npy_dump load
each with the batch sizes 1, 7, 1024 and all, and compares. For the names, asks numpy.dtype what each of
thousands of texts means: all names that this NumPy has, and each letter with sizes and byte orders.

Usage: npy_python_test.py NPY_DUMP DATA_FOLDER
"""

import json
import math
import os
import pathlib
import string
import subprocess
import sys
import tempfile
import unittest
import warnings

try:
    import numpy
except ImportError:
    print("SKIP: this Python has no NumPy; where it has, .npy files are held against it")
    sys.exit(77)

NPY_DUMP, DATA = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
NAMES = {
    "f8": "f64", "f4": "f32", "f2": "f16", "i8": "i64", "i4": "i32", "i2": "i16", "i1": "i8",
    "u8": "u64", "u4": "u32", "u2": "u16", "u1": "u8", "b1": "u8",
}  # fmt: skip
# What a refusal says of the elements, by numpy.dtype(name).kind.
REASONS = {
    "O": "Python objects", "c": "complex", "S": "text", "U": "text", "T": "text",  # "T": NumPy 2
    "M": "dates or durations",
    "m": "dates or durations", "V": "raw bytes", "f": "floating-point numbers of another width",
}  # fmt: skip
BYTES = bytes(range(1, 9))
# Read by NumPy before 2.0 alone, or (the last three) by later versions alone.
OTHER_VERSIONS = """bool8 float_ int0 uint0 longfloat complex_ singlecomplex longcomplex clongfloat cfloat
object0 str0 bytes0 string_ unicode_ void0 a a1 a2 a4 a8 a16 n N T""".split()
VERSIONS = ((1, 0), (2, 0), (3, 0))


def type_names():
    """Texts that numpy.dtype might read as a type, and many that it does not."""
    names = {name for name in numpy.sctypeDict if isinstance(name, str)} | set(OTHER_VERSIONS)
    names |= {"M8[ns]", "m8[s]", "datetime64[10s]", "timedelta64[D]"}
    names |= {"int7", "Float64", "f8 ", " f8", "f8x", "", "<f"}
    for letter in string.ascii_letters + "?":
        names |= {letter} | {f"{letter}{size}" for size in (1, 2, 4, 8, 16)}
    return sorted(order + name for order in ("", "<", ">", "=", "|") for name in names)


def numpy_type(name):
    """What numpy.dtype makes of a name; None where it refuses, or warns that it soon will."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return numpy.dtype(name)
        except (TypeError, ValueError, SyntaxError, Warning):
            return None


def random_array(rng, code, shape):
    """Well-conditioned where sums round: floats are positive; integers span the whole type."""
    if code[0] == "f":
        return (rng.random(shape) * 100 + 1).astype(code)
    if code == "b1":
        return rng.integers(0, 2, shape).astype("?")
    limits = numpy.iinfo(code)
    return rng.integers(limits.min, limits.max, shape, dtype=code, endpoint=True)


def exact_means(rows, batch_size):
    """Correctly rounded sums of Python's own numbers, divided: integers exactly, floats by fsum."""
    rows = rows.tolist()
    for first in range(0, len(rows), batch_size):
        elements = [element for row in rows[first : first + batch_size] for element in row]
        total = math.fsum(elements) if isinstance(elements[0], float) else sum(elements)
        yield total / len(elements)


def save(path, array, version):
    with open(path, "wb") as file:
        numpy.lib.format.write_array(file, array, version=version)


def dump(paths, *options):
    """What npy_dump says: (path, batch size, shape, dtype, means, rounded means, raw bytes) for each load."""
    patient = os.environ | {"OMP_WAIT_POLICY": "passive"}  # spinning workers crawl on a busy machine
    run = subprocess.run([NPY_DUMP, *options, *paths], capture_output=True, text=True, env=patient)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    lines = run.stdout.split("\n")[:-1]
    for title, means, rounded in zip(lines[0::3], lines[1::3], lines[2::3]):
        path, batch_size, samples, features, dtype = title.split()
        raw = pathlib.Path(f"{path}.{batch_size}.raw")
        numbers = [[float.fromhex(word) for word in line.split()] for line in (means, rounded)]
        yield path, int(batch_size), (int(samples), int(features)), dtype, *numbers, raw.read_bytes()
        raw.unlink()


class Npy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nodewise-npy-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.rng = numpy.random.default_rng(20231)

    def check(self, paths, rows, name, *options):
        """All of `paths` hold `rows` (2-D, native); `name` is what nodewise calls their type."""
        checked = {}
        loads = 0
        for path, batch_size, shape, dtype, means, rounded, raw in dump(paths, *options):
            where = f"{path}, batch size {batch_size}"
            self.assertEqual((shape, dtype), (rows.shape, name), where)
            self.assertEqual(raw, rows.tobytes(), where)
            if batch_size not in checked:
                self.check_means(means, rounded, list(exact_means(rows, batch_size)), where)
                checked[batch_size] = (means, rounded)
            self.assertEqual((means, rounded), checked[batch_size], where)  # the same, however it was stored
            loads += 1
        self.assertEqual(loads, len({1, 7, 1024, max(1, len(rows))}) * len(paths))

    def check_means(self, means, rounded, exact, where):
        self.assertEqual(len(means), len(exact), where)
        for mean, best in zip(means, exact):
            self.assertLessEqual(abs(mean - best), math.ulp(best), where)
        self.assertEqual(rounded, [round(mean, 4) for mean in means], where)
        self.assertEqual(rounded, [round(best, 4) for best in exact], where)

    def save_all_ways(self, array):
        """Every element order, byte order and version; the array is native and C-ordered."""
        paths = []
        byte_orders = "<>" if array.dtype.itemsize > 1 else "|"
        for element_order in "CF":
            for byte_order in byte_orders:
                stored = numpy.array(array, array.dtype.newbyteorder(byte_order), order=element_order)
                for version in VERSIONS:
                    path = self.folder / f"{array.dtype}-{element_order}-{len(paths)}.npy"
                    save(path, stored, version)
                    paths.append(path)
        return paths

    def check_types(self, make):
        for code, name in NAMES.items():
            with self.subTest(code):
                array = make(code)
                rows = array.reshape(len(array), math.prod(array.shape[1:]))
                self.check(self.save_all_ways(array), rows, name)

    def types_read(self, names):
        """What nodewise says of a file whose header has each name, and whose only element is BYTES."""
        paths = []
        for number, name in enumerate(names):
            header = f"{{'descr': {name!r}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
            path = self.folder / f"{number}.npy"
            path.write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + BYTES)
            paths.append(path)
        run = subprocess.run([NPY_DUMP, "--types", *paths], capture_output=True, text=True, check=True)
        return dict(zip(names, run.stdout.splitlines(), strict=True))

    def test_names_of_types(self):
        numbers = 0
        for name, said in self.types_read(type_names()).items():
            with self.subTest(name):
                dtype = numpy_type(name)
                if dtype is not None and dtype.str[1:] in NAMES:
                    element = numpy.frombuffer(BYTES, dtype, 1).astype(dtype.newbyteorder("="))
                    self.assertEqual(said, f"{NAMES[dtype.str[1:]]} {element.tobytes().hex()}")
                    numbers += 1
                elif dtype is not None:
                    self.assertIn(f'its elements, "{name}", are {REASONS[dtype.kind]}', said)
                elif name.lstrip("<>=|") not in OTHER_VERSIONS:
                    self.assertRegex(said, "^refused: .*(not known|another width)")
        self.assertGreaterEqual(numbers, 4 * 28 + 62)  # codes with four byte orders, and all names without

    def test_names_of_structures(self):
        for name in ("f8,i4", "(2,)f8", "3f8", "<3f8", "u1,u1"):
            self.assertRegex(self.types_read([name])[name], "^refused: .*structured")

    def test_every_element_type_is_tested(self):
        run = subprocess.run([NPY_DUMP, "--element-types"], capture_output=True, text=True, check=True)
        self.assertEqual({*NAMES.values(), "bf16"}, {*run.stdout.split()})

    def test_random(self):
        self.check_types(lambda code: random_array(self.rng, code, (2048, 16)))

    def test_ragged(self):
        self.check_types(lambda code: random_array(self.rng, code, (1031, 13)))

    def test_one_dimension(self):
        self.check_types(lambda code: random_array(self.rng, code, 1500))

    def test_digits(self):
        digits = numpy.load(DATA / "digits.npy")
        self.check_types(lambda code: digits.astype(code))

    def test_wide(self):
        self.check_types(lambda code: random_array(self.rng, code, (5, 3000)))

    def test_no_samples(self):
        self.check_types(lambda code: numpy.zeros((0, 3), code))

    def test_bfloat16(self):
        singles = (self.rng.random((1031, 13)) * 100 + 1).astype("f4")
        halves = (singles.view("u4") >> 16).astype("u2")
        values = (halves.astype("u4") << 16).view("f4")
        paths = self.save_all_ways(halves)
        paths.append(self.folder / "void.npy")
        save(paths[-1], halves.view("V2"), (1, 0))
        for path, batch_size, shape, dtype, means, rounded, raw in dump(paths, "--bf16"):
            self.assertEqual((shape, dtype, raw), ((1031, 13), "bf16", halves.tobytes()), path)
            self.check_means(means, rounded, list(exact_means(values, batch_size)), path)

    def test_stored_means_of_the_digits(self):
        digits = numpy.load(DATA / "digits.npy")
        stored = json.loads((DATA / "digits_means.json").read_text())
        for batch_size, entry in stored.items():
            exact = list(exact_means(digits, int(batch_size)))
            self.assertEqual(entry, {"means": exact, "rounded": [round(mean, 4) for mean in exact]})

    def test_refused(self):
        arrays = {
            "Python objects": numpy.array([None, 1], object),
            "complex": numpy.zeros(3, "c16"),
            "text": numpy.array(["a", "bc"]),
            "structured": numpy.zeros(3, [("x", "f8"), ("y", "i4")]),
            "dates": numpy.zeros(3, "M8[s]"),
            "raw bytes": numpy.zeros(3, "V5"),
            "3 dimensions": numpy.zeros((2, 3, 4)),
            "single value": numpy.float64(3),
            "0 features": numpy.zeros((3, 0)),
        }
        for word, array in arrays.items():
            path = self.folder / "refused.npy"
            numpy.save(path, array)
            with self.assertRaisesRegex(AssertionError, f"refused.npy: .*{word}"):
                list(dump([path]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
