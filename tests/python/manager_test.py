#!/usr/bin/env python3
"""Goal: managed lists and dictionaries behave as those of Python, hold every kind of value, and write changes
as a whole. Method: a Manager in a folder of the test, compared with a list and a dict of Python.
processes_test.py does the same between processes.
"""

import math
import pathlib
import pickle
import tempfile
import unittest

import numpy as np

import nodewise
from support import needs_managers

VALUES = [None, True, False, 0, -(2**63), 2**63 - 1, 1.5, -0.0, math.inf]
VALUES += ["", "text ✓", "\udcff", b"", b"\0\xff", b"text"]
ARRAYS = [
    np.arange(6, dtype=dtype).reshape(2, 3)
    for dtype in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")
] + [np.full((), 3, "f4"), np.zeros((0, 4)), np.arange(6)[::2], np.arange(4, dtype=">i4")]


class Managers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "state"
        needs_managers()
        self.manager = nodewise.Manager(self.path)

    def tearDown(self):
        self.manager = None

    def test_values(self):
        values, entries = self.manager.list("values"), self.manager.dict("entries")
        for number, value in enumerate(VALUES):
            values.append(value)
            entries[f"{number:02}"] = value
        for found in (list(values), entries.values()):
            for value, other in zip(VALUES, found, strict=True):
                if value == "\udcff":
                    value = b"\xff"  # no text of UTF-8
                self.assertEqual((type(other), other), (type(value), value))
        self.assertEqual(math.copysign(1, values[7]), -1)

    def test_arrays(self):
        values = self.manager.list("arrays")
        values.extend(ARRAYS)
        for array, other in zip(ARRAYS, values, strict=True):
            self.assertEqual(other.dtype, array.dtype.newbyteorder("="))
            self.assertTrue(other.flags.writeable)
            np.testing.assert_array_equal(array, other)
        values.append(np.float64(2))
        self.assertEqual(values[-1], 2.0)
        self.assertIn(np.arange(6)[::2], values)

    def test_as_a_list(self):
        values, other = self.manager.list("values"), []
        for step in (
            lambda it: it.append(1),
            lambda it: it.extend([2, "three", 4.0, None]),
            lambda it: it.__setitem__(1, 5),
            lambda it: it.__setitem__(-1, True),
            lambda it: it.pop(),
            lambda it: it.pop(0),
            lambda it: it.extend(range(10)),
            lambda it: it.pop(4),
            lambda it: it.pop(-3),
            lambda it: it.__delitem__(2),
            lambda it: it[0],
            lambda it: it[-2],
            lambda it: it[1:7:2],
            lambda it: it.index(8),
            lambda it: it.count(5),
            lambda it: "three" in it,
            lambda it: 99 in it,
            lambda it: it.clear(),
            lambda it: it.extend([]),
        ):
            self.assertEqual(step(values), step(other))
            self.assertEqual((list(values), len(values)), (other, len(other)))
        for call in (lambda: values[0], lambda: values.pop(), lambda: values.pop(3)):
            with self.assertRaises(IndexError):
                call()
        with self.assertRaises(ValueError):
            values.index(1)

    def test_as_a_dictionary(self):
        entries, other = self.manager.dict("entries"), {}
        for step in (
            lambda it: it.__setitem__("a", 1),
            lambda it: it.update({"b": 2, "c": None}, d=4),
            lambda it: it.update([("a", "x")]),
            lambda it: it.get("a"),
            lambda it: it.get("z"),
            lambda it: it.get("z", 5),
            lambda it: it["c"],
            lambda it: "c" in it,
            lambda it: "z" in it,
            lambda it: 5 in it,
            lambda it: it.pop("b"),
            lambda it: it.pop("b", 7),
            lambda it: it.setdefault("e", 8),
            lambda it: it.setdefault("a", 8),
            lambda it: it.__delitem__("d"),
            lambda it: list(it.items()),
            lambda it: list(it.values()),
            lambda it: list(it),
            lambda it: it.clear(),
        ):
            self.assertEqual(step(entries), step(other))
            self.assertEqual((list(entries.keys()), len(entries)), (sorted(other), len(other)))
        with self.assertRaises(ValueError):
            entries.update({"a": 1, "k" * 501: 2})  # the first one is not written either
        self.assertEqual(len(entries), 0)
        for call in (lambda: entries["z"], lambda: entries.pop("z"), lambda: entries.__delitem__("z")):
            with self.assertRaises(KeyError):
                call()

    def test_changes_and_looks(self):
        values = self.manager.list("values")

        def change(transaction):
            transaction.list("values").extend([1, 2])
            self.assertEqual(len(values), 0)  # not yet
            self.assertEqual(transaction.list("values").pop(0), 1)
            transaction.dict("more").update(a=1)
            return transaction.names()

        self.assertEqual(self.manager.change(change), ["more", "values"])
        self.assertEqual(list(values), [2])

        def fail(transaction):
            transaction.list("values").append(3)
            raise KeyError("no")

        with self.assertRaises(KeyError):
            self.manager.change(fail)
        self.assertEqual(list(values), [2])
        kept = self.manager.look(lambda transaction: transaction.list("values"))
        with self.assertRaises(ValueError):
            len(kept)
        with self.assertRaises(OSError):
            self.manager.change(lambda _: values.append(4))
        self.assertTrue(self.manager.remove("more"))
        self.assertFalse(self.manager.remove("more"))
        self.assertEqual(self.manager.names(), ["values"])

    def test_it_outlives_its_objects(self):
        self.manager.dict("entries")["a"] = np.arange(3)
        again = pickle.loads(pickle.dumps(self.manager.dict("entries")))
        self.assertEqual(again["a"].tolist(), [0, 1, 2])
        self.assertEqual(nodewise.Manager(self.path).directory, self.manager.directory)

    def test_a_full_directory(self):
        path = self.path.with_name("small")
        small = nodewise.Manager(path, max_bytes=1 << 20)
        with self.assertRaises(MemoryError):
            small.list("values").append(b"x" * (2 << 20))
        self.assertEqual(small.max_bytes, 1 << 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
