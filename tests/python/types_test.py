#!/usr/bin/env python3
"""Goal: the table of element types in docs/python.md is true.
Method: each cell is found out by using the face with the type, and compared with the page. `--write` writes
the table into the page.

    types_test.py ROOT [--write]
"""

import os
import pathlib
import re
import sys
import tempfile

import numpy as np

import nodewise

import nodewise_segment

PAGE = pathlib.Path(sys.argv[1]) / "docs" / "python.md"
TYPES = ("f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8")
TABLE = re.compile(r"^\| nodewise \| C \|.*?\n\n", re.M | re.S)


def works(use):
    """Whether a call works; a type that it does not take is an error."""
    try:
        use()
    except (nodewise.Error, TypeError, ValueError, RuntimeError, BufferError):
        return False
    return True


def numpy_name(name):
    """The type of the arrays of a loader; ml_dtypes may be installed or not."""
    if name == "bf16":
        return "`uint16`, or `bfloat16` of `ml_dtypes`"
    return f"`{nodewise.zeros((2, 2), name, 1).get_batch(0).dtype.name}`"


def segment_name(name):
    """The type of the arrays of the reader that needs no build."""
    segment = f"types-{os.getpid()}"
    maker = nodewise.zeros((2, 2), name, 1, segment=segment)
    array = nodewise_segment.open_segment(segment).array(0)
    assert maker.num_batches() == 2
    return f"`{array.dtype.name}`"


def file_name(name):
    """The type of a .npy file that is loaded as this type."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "data.npy"
        stored = "uint16" if name == "bf16" else np.dtype(nodewise.zeros((1, 1), name, 1).dtype).name
        np.save(path, np.zeros((2, 2), stored))
        loader = nodewise.load(path, 1, dtype="bf16" if name == "bf16" else None)
        assert loader.element_type == name
    return f'`{stored}` with `dtype="bf16"`' if name == "bf16" else f"`{stored}`"


def cells(name):
    yes = {True: "yes", False: "no"}
    loader = nodewise.zeros((2, 2), name, 1)
    yield f"`{name}`"
    yield f"`NW_{name.upper()}`"
    yield numpy_name(name)
    yield file_name(name)
    yield segment_name(name)
    yield yes[works(lambda: np.from_dlpack(loader.tensor(0)))]
    yield yes[works(lambda: loader.tensor(0).__dlpack__())]
    yield yes[works(lambda: nodewise.Value(name, 1))]


def table():
    heads = ("nodewise", "C", "NumPy array", "`.npy` file", "`nodewise_segment`", "NumPy by DLPack")
    heads += ("other libraries by DLPack", "`Value`, `Array`")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(cells(name))} |" for name in TYPES]
    return "\n".join(lines) + "\n\n"


def main():
    page, found = PAGE.read_text(encoding="utf-8"), table()
    if "--write" in sys.argv:
        PAGE.write_text(TABLE.sub(lambda _: found, page), encoding="utf-8")
        return 0
    stated = TABLE.search(page)
    if stated and stated[0] == found:
        print(f"{len(TYPES)} element types, as the page says")
        return 0
    print(f"docs/python.md has another table; it should be (types_test.py ROOT --write):\n{found}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
