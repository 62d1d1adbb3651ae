#!/usr/bin/env python3
"""Goal: shared objects, rings and managers answer every misuse by an exception that says what is wrong, and
never by a crash. Method: a table of wrong calls, as in misuse_test.py."""

import ctypes
import os
import pathlib
import pickle
import tempfile
import unittest

import numpy as np

import nodewise as nw
from support import needs_managers

NAME = f"misuse-py.{os.getpid()}"
FOLDER = tempfile.TemporaryDirectory()


def beside(kind, *arguments):
    """Asks for an object under the name of an array of four doubles."""
    array = nw.Array("d", 4, name=f"{NAME}/array")
    try:
        return kind(*arguments, name=f"{NAME}/array")
    finally:
        del array


def ring(**options):
    return nw.BatchRing.create(rows=2, cols=2, **options)


def loan():
    return ring().producer().loan()


def published():
    given = loan()
    given.publish()
    return given


def closed_producer():
    producer = ring().producer()
    producer.close()
    return producer


def manager():
    return nw.Manager(pathlib.Path(FOLDER.name) / "state")


def other_kind():
    manager().list("both").append(1)
    return len(manager().dict("both"))


def cyclic():
    found = []
    found.append(found)
    return found


# (what, call, exception, part of its message)
SHARED = [
    ("type code x", lambda: nw.Value("x"), ValueError, "'x'"),
    ("type code c", lambda: nw.Value("c"), ValueError, "'c'"),
    ("ctypes.c_char", lambda: nw.Array(ctypes.c_char, 4), ValueError, "c_char"),
    ("a pointer", lambda: nw.Value(ctypes.c_void_p), ValueError, "c_void_p"),
    ("no type", lambda: nw.Value(None), ValueError, "None"),
    ("complex numbers", lambda: nw.Value(np.complex128), ValueError, "complex"),
    ("float16", lambda: nw.Array("f16", 4), ValueError, "f16"),
    ("two first values", lambda: nw.Value("i", 1, 2), TypeError, "2"),
    ("text as a number", lambda: nw.Value("i", "1"), TypeError, ""),
    ("a float as an integer", lambda: nw.Value("i", 1.5), TypeError, "float"),
    ("300 as a byte", lambda: nw.Value("B", 300), ValueError, "300"),
    ("-1 as unsigned", lambda: nw.Value("L", -1), ValueError, "-1"),
    ("2**200", lambda: nw.Value("q", 2**200), ValueError, "too large"),
    ("None as a number", lambda: nw.Value("d").store(None), TypeError, ""),
    ("adding to a bool", lambda: nw.Value("?").fetch_add(1), ValueError, "bool"),
    ("no lock", lambda: nw.Value("i", lock=False).acquire(), ValueError, "lock=False"),
    ("no elements", lambda: nw.Array("i", 0), ValueError, "0 elements"),
    ("a negative size", lambda: nw.Array("i", -4), ValueError, "-4"),
    ("a size of 10**30", lambda: nw.Array("i", 10**30), (ValueError, OverflowError), ""),
    ("more than there is", lambda: nw.Array("d", 2**50), (RuntimeError, ValueError, OSError), ""),
    ("an empty sequence", lambda: nw.Array("i", []), ValueError, "0 elements"),
    ("a float as a size", lambda: nw.Array("i", 1.5), TypeError, "float"),
    ("element 4", lambda: nw.Array("i", 4)[4], IndexError, "4"),
    ("element x", lambda: nw.Array("i", 4)["x"], TypeError, "str"),
    ("a text as an element", lambda: nw.Array("i", 4).__setitem__(0, "x"), TypeError, ""),
    ("a text as elements", lambda: nw.Array("i", 1).__setitem__(slice(None), "x"), ValueError, "fit"),
    (
        "too many elements",
        lambda: nw.Array("i", 1).__setitem__(slice(None), [1, 2]),
        ValueError,
        "2 values",
    ),
    ("a name without an object", lambda: nw.Value("i", name="job"), ValueError, "SEGMENT/OBJECT"),
    ("a name without a segment", lambda: nw.Lock(name="/done"), ValueError, "SEGMENT/OBJECT"),
    ("a path as a name", lambda: nw.Event(name="../etc/passwd"), ValueError, '".."'),
    ("a number as a name", lambda: nw.Event(name=5), TypeError, "int"),
    ("a long name", lambda: nw.Event(name=f"{NAME}/" + "x" * 64), ValueError, "63"),
    ("a named list", lambda: nw.Array("i", [1], name=f"{NAME}/list"), ValueError, "size"),
    ("another type", lambda: beside(nw.Array, "i", 4), ValueError, "array"),
    ("another size", lambda: beside(nw.Array, "d", 5), ValueError, "array"),
    ("another kind", lambda: beside(nw.Lock), ValueError, "array"),
    ("a dataset's segment", lambda: nw.BatchRing.open("misuse-none"), FileNotFoundError, "misuse-none"),
    ("release", lambda: nw.Lock().release(), ValueError, "does not hold"),
    ("a text as a timeout", lambda: nw.Event().wait("long"), ValueError, "long"),
    ("nan as a timeout", lambda: nw.Event().wait(float("nan")), ValueError, "nan"),
    ("a list as a timeout", lambda: nw.Lock().acquire(timeout=[]), TypeError, ""),
    ("no parties", lambda: nw.Barrier(0), ValueError, "0"),
    ("70000 parties", lambda: nw.Barrier(70000), ValueError, "70000"),
    ("-1 parties", lambda: nw.Barrier(-1), ValueError, "-1"),
    ("an action", lambda: nw.Barrier(2, print), ValueError, "action"),
    ("a broken barrier", lambda: nw.Barrier(2).wait(0), RuntimeError, ""),
    ("a lock as a number", lambda: nw.Value(nw.Lock()), ValueError, "Lock"),
    ("a pickle of what is gone", lambda: pickle.loads(pickle.dumps(nw.Array("d", 10**5))), OSError, "py."),
]
RINGS = [
    ("BatchRing()", lambda: nw.BatchRing(), TypeError, "create"),
    ("no slots", lambda: ring(slots=0), ValueError, "slots is 0"),
    ("10**6 slots", lambda: ring(slots=10**6), ValueError, "1000000"),
    ("columns alone", lambda: nw.BatchRing.create(cols=3), ValueError, ""),
    ("negative rows", lambda: nw.BatchRing.create(rows=-1, cols=2), ValueError, "-1"),
    ("no room", lambda: nw.BatchRing.create(rows=2**40, cols=2**10), (ValueError, RuntimeError), ""),
    ("type x", lambda: ring(dtype="x"), ValueError, "x"),
    ("two ends", lambda: ring(producers="two"), ValueError, "'many'"),
    ("node 4000", lambda: ring(node=4000), IndexError, "4000"),
    ("node -1", lambda: ring(node=-1), ValueError, "-1"),
    ("pages of nothing", lambda: ring(pages="none"), ValueError, "'base'"),
    ("a bad name", lambda: nw.BatchRing.create("a/b"), ValueError, "a/b"),
    ("no ring", lambda: nw.BatchRing.open("misuse-none"), FileNotFoundError, "misuse-none"),
    ("rows 3", lambda: loan().publish(3), ValueError, "3"),
    ("rows -1", lambda: loan().publish(-1), ValueError, "-1"),
    ("tag -1", lambda: loan().publish(batch=-1), ValueError, "-1"),
    ("published twice", lambda: published().publish(), ValueError, "ended"),
    ("the array of a published loan", lambda: published().array, ValueError, "ended"),
    ("a closed producer", lambda: closed_producer().loan(), ValueError, "closed"),
    ("two producers", lambda: [it := ring(producers="one"), it.producer(), it.producer()], OSError, ""),
    ("an empty ring", lambda: ring().consumer().lease(0), TimeoutError, "no batch"),
    ("spin nan", lambda: ring().producer(spin=float("nan")), ValueError, "nan"),
]
MANAGERS = [
    ("no parent", lambda: nw.Manager("/nowhere/at/all"), FileNotFoundError, "/nowhere"),
    ("a file", lambda: nw.Manager(__file__), OSError, ""),
    ("other files", lambda: nw.Manager(pathlib.Path(__file__).parent), ValueError, ""),
    ("a few bytes", lambda: nw.Manager(pathlib.Path(FOLDER.name) / "few", max_bytes=5), ValueError, "5"),
    ("no name", lambda: manager().list(""), ValueError, ""),
    ("a number as a name", lambda: manager().list(5), TypeError, "int"),
    ("a zero byte", lambda: manager().dict("a\0b"), ValueError, "zero"),
    ("a set", lambda: manager().list("l").append({1}), TypeError, "set"),
    ("an object", lambda: manager().list("l").append(object()), TypeError, "object"),
    ("a list of itself", lambda: manager().list("l").append(cyclic()), TypeError, "list"),
    ("complex numbers", lambda: manager().list("l").append(np.zeros(2, complex)), ValueError, "complex128"),
    ("texts", lambda: manager().list("l").append(np.array(["a"])), ValueError, "str"),
    ("2**63", lambda: manager().list("l").append(2**63), nw.InvalidArgument, "too large"),
    ("as bytes", lambda: manager().list("l").append(np.zeros((1,) * 8, "u1")), ValueError, "reshape"),
    ("value 0 of none", lambda: manager().list("e")[0], IndexError, "'e'"),
    ("value x", lambda: manager().list("e")["x"], TypeError, "str"),
    ("pop of none", lambda: manager().list("e").pop(), IndexError, "empty"),
    ("no such value", lambda: manager().list("e").index(3), ValueError, "3"),
    ("no such key", lambda: manager().dict("d")["k"], KeyError, "k"),
    ("a number as a key", lambda: manager().dict("d").__setitem__(5, 1), TypeError, "int"),
    ("a long key", lambda: manager().dict("d").__setitem__("k" * 501, 1), ValueError, "500"),
    ("no function", lambda: manager().change(None), TypeError, ""),
    ("a pickle", lambda: manager().look(lambda t: pickle.dumps(t.list("l"))), ValueError, "pickled"),
    ("the other kind", lambda: other_kind(), ValueError, "both"),
]


class Misuse(unittest.TestCase):
    def check(self, table):
        for what, call, kind, message in table:
            with self.subTest(what):
                with self.assertRaises(kind) as caught:
                    call()
                self.assertIn(message, str(caught.exception))
                own = isinstance(caught.exception, nw.Error)
                self.assertTrue(own or kind in (TypeError, ValueError, OverflowError), caught.exception)

    def test_shared_objects(self):
        self.check(SHARED)

    def test_rings(self):
        self.check(RINGS)

    def test_managers(self):
        needs_managers()
        self.check(MANAGERS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
