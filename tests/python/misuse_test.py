#!/usr/bin/env python3
"""Goal: the package answers every misuse by an exception that says what is wrong, and never by a crash.
Method: a table of wrong calls. Each raises a nodewise.Error that is also the built-in that programs expect
(or, where Python itself refuses an argument, that built-in alone), and its message names what is wrong."""

import unittest

import numpy as np

import nodewise as nw

DATA = np.arange(30, dtype=np.float32).reshape(10, 3)


def closed():
    loader = nw.zeros((4, 2), "f32", 2)
    loader.close()
    return loader


def read_only():
    data = DATA.copy()
    data.flags.writeable = False
    return nw.ZeroCopyBatchLoader(data, 4, copy=False)


def u8():
    return nw.zeros((4, 2), "u8", 2)


def planned():
    plan = nw.plan((4, 2), "f32", 2)
    return nw.load("/nowhere.npy", 4, plan=plan)


def machine():
    return nw.topology("numa:2 core:2 pu:1")


# (what, call, exception, part of its message)
TABLE = [
    ("one dimension", lambda: nw.ZeroCopyBatchLoader(DATA[0], 4), ValueError, "1 dimensions"),
    (
        "three dimensions",
        lambda: nw.ZeroCopyBatchLoader(DATA.reshape(2, 5, 3), 4),
        ValueError,
        "3 dimensions",
    ),
    ("a number", lambda: nw.ZeroCopyBatchLoader(5, 4), ValueError, "0 dimensions"),
    ("nothing", lambda: nw.ZeroCopyBatchLoader(None, 4), ValueError, "dimensions"),
    ("text", lambda: nw.ZeroCopyBatchLoader([["a", "b"]], 4), ValueError, "element types"),
    ("complex numbers", lambda: nw.ZeroCopyBatchLoader(DATA.astype(complex), 4), ValueError, "complex128"),
    ("objects", lambda: nw.ZeroCopyBatchLoader(DATA.astype(object), 4), ValueError, "object"),
    ("no columns", lambda: nw.ZeroCopyBatchLoader(np.zeros((4, 0)), 2), ValueError, "feature"),
    ("batch size 0", lambda: nw.ZeroCopyBatchLoader(DATA, 0), ValueError, "batch_size is 0"),
    ("batch size -1", lambda: nw.ZeroCopyBatchLoader(DATA, -1), ValueError, "batch_size is -1"),
    ("batch size 1.5", lambda: nw.ZeroCopyBatchLoader(DATA, 1.5), TypeError, "float"),
    ("batch size 10**30", lambda: nw.ZeroCopyBatchLoader(DATA, 10**30), ValueError, "batch_size"),
    ("unknown option", lambda: nw.ZeroCopyBatchLoader(DATA, 4, colour="red"), TypeError, "colour"),
    ("unknown policy", lambda: nw.ZeroCopyBatchLoader(DATA, 4, policy="random"), ValueError, "'blocked'"),
    ("unknown layout", lambda: nw.ZeroCopyBatchLoader(DATA, 4, layout=7), ValueError, "'rows'"),
    ("negative workers", lambda: nw.ZeroCopyBatchLoader(DATA, 4, workers=-1), ValueError, "-1"),
    ("too many workers", lambda: nw.ZeroCopyBatchLoader(DATA, 4, workers=10**6), ValueError, ""),
    ("target 4000", lambda: nw.ZeroCopyBatchLoader(DATA, 4, targets=[4000]), IndexError, "4000"),
    ("target twice", lambda: nw.ZeroCopyBatchLoader(DATA, 4, targets=[0, 0]), ValueError, ""),
    ("two weights", lambda: nw.ZeroCopyBatchLoader(DATA, 4, targets=[0], weights=[1, 2]), ValueError, ""),
    (
        "weight nan",
        lambda: nw.ZeroCopyBatchLoader(DATA, 4, targets=[0], weights=[float("nan")]),
        ValueError,
        "",
    ),
    ("a bad name", lambda: nw.ZeroCopyBatchLoader(DATA, 4, segment="../up"), ValueError, ""),
    ("a list adopted", lambda: nw.ZeroCopyBatchLoader([[1, 2]], 1, copy=False), ValueError, "copy=True"),
    (
        "strides adopted",
        lambda: nw.ZeroCopyBatchLoader(DATA[:, ::2], 4, copy=False),
        ValueError,
        "copy=True",
    ),
    (
        "fortran adopted",
        lambda: nw.ZeroCopyBatchLoader(np.asfortranarray(DATA), 4, copy=False),
        ValueError,
        "stri",
    ),
    (
        "swapped bytes adopted",
        lambda: nw.ZeroCopyBatchLoader(DATA.astype(">f4"), 4, copy=False),
        ValueError,
        "",
    ),
    ("negative shape", lambda: nw.zeros((-1, 2), "f32", 4), ValueError, "negative"),
    ("a type that is none", lambda: nw.zeros((1, 2), "f8_e4m3", 4), ValueError, "f8_e4m3"),
    ("sizes that overflow", lambda: nw.zeros((2**62, 16), "f64", 4), ValueError, ""),
    ("more than there is", lambda: nw.zeros((2**40, 16), "f64", 4), RuntimeError, ""),
    ("read-only memory", lambda: read_only().write_to_buffer(0, 0, 1), ValueError, "read"),
    ("row 10", lambda: nw.ZeroCopyBatchLoader(DATA, 4).write_to_buffer(10, 0, 1), IndexError, "(10, 0)"),
    ("row -1", lambda: nw.ZeroCopyBatchLoader(DATA, 4).write_to_buffer(-1, 0, 1), IndexError, "(-1, 0)"),
    (
        "text as an element",
        lambda: nw.ZeroCopyBatchLoader(DATA, 4).write_to_buffer(0, 0, "x"),
        TypeError,
        "",
    ),
    ("256 as u8", lambda: u8().write_to_buffer(0, 0, 256), ValueError, "256"),
    ("-1 as u8", lambda: u8().write_to_buffer(0, 0, -1), ValueError, "-1"),
    ("1.5 as u8", lambda: u8().write_to_buffer(0, 0, 1.5), ValueError, "1.5"),
    ("10**30 as u8", lambda: u8().write_to_buffer(0, 0, 10**30), ValueError, ""),
    ("None as an element", lambda: u8().write_to_buffer(0, 0, None), TypeError, ""),
    (
        "0.5 in tiles of u8",
        lambda: nw.zeros((4, 2), "u8", 2, layout="tiles").write_to_buffer(0, 0, 0.5),
        ValueError,
        "",
    ),
    (
        "columns adopted",
        lambda: nw.ZeroCopyBatchLoader(DATA, 4, copy=False, layout="columns"),
        ValueError,
        "rows",
    ),
    (
        "a segment adopted",
        lambda: nw.ZeroCopyBatchLoader(DATA, 4, copy=False, segment="x"),
        ValueError,
        "segment",
    ),
    ("2**64 + 1 rows", lambda: nw.zeros((2**64 + 1, 2), "f32", 1), ValueError, ""),
    ("a plan of -1", lambda: nw.plan((10, 4), "f32", -1, machine=machine()), ValueError, "-1"),
    ("a name with a zero", lambda: nw.zeros((4, 2), "f32", 2, segment="a\0b"), ValueError, "0"),
    ("a file with a zero", lambda: nw.load("a\0b", 2), ValueError, ""),
    ("another batch size than the plan's", lambda: planned(), ValueError, "the plan is for 2"),
    ("not published, but what?", lambda: nw.zeros((4, 2), "f32", 2, publish=False), ValueError, "segment"),
    ("a tuple", lambda: u8().get_batch((1,)), TypeError, ""),
    ("node -1", lambda: machine().distance(-1, 0), IndexError, "-1"),
    ("after close", lambda: closed().means(), ValueError, "closed"),
    ("no file", lambda: nw.load("/nowhere.npy", 4), FileNotFoundError, "/nowhere.npy"),
    ("a directory", lambda: nw.load("/tmp", 4), OSError, ""),
    ("no segment", lambda: nw.open("misuse-none"), FileNotFoundError, "misuse-none"),
    ("mode w", lambda: nw.open("misuse-none", "w"), ValueError, "'r'"),
    ("no topology", lambda: nw.topology("numa:x"), ValueError, ""),
    ("two topologies", lambda: nw.topology("numa:1", xml="x"), TypeError, "both"),
    ("node 7", lambda: machine().distance(0, 7), IndexError, "7"),
    ("CPU 99", lambda: machine().node_of_cpu(99), IndexError, "99"),
    ("no plan", lambda: nw.Plan.from_json("{}"), ValueError, ""),
    ("another machine", lambda: nw.ZeroCopyBatchLoader(DATA, 4, machine=machine()), RuntimeError, ""),
    ("placement of a list", lambda: nw.placement([1, 2]), TypeError, "list"),
]


class Misuse(unittest.TestCase):
    def test_each_is_an_exception_that_says_what_is_wrong(self):
        for what, call, kind, message in TABLE:
            with self.subTest(what):
                with self.assertRaises(kind) as caught:
                    call()
                self.assertIn(message, str(caught.exception))
                own = type(caught.exception).__module__ == "nodewise._errors"
                self.assertTrue(own or kind in (TypeError, ValueError, OverflowError), caught.exception)

    def test_names(self):
        for name in nw.__all__:
            with self.subTest(name):
                self.assertTrue(getattr(nw, name).__doc__)
        with self.assertRaises(AttributeError):
            nw.nothing
        self.assertLessEqual(set(nw.__all__), set(dir(nw)))


if __name__ == "__main__":
    unittest.main()
