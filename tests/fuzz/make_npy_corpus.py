#!/usr/bin/env python3
"""Writes the seeds of npy_fuzz (their layout is in npy_fuzz.cpp) into corpus/npy."""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus" / "npy"
MAGIC = b"\x93NUMPY"


def preamble(literal, major=1):
    return MAGIC + bytes([major, 0]) + struct.pack("<H" if major == 1 else "<I", len(literal)) + literal


def literal(descr, shape, order="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


def seeds():
    """Name, whether bf16 is asked for, bytes behind, first bytes of the file."""
    for code in ("f8", "f4", "f2", "i8", "i4", "i2", "u8", "u4", "u2"):
        for name, order in {"little": "<", "big": ">"}.items():
            yield f"{code}-{name}", 0, 12 * int(code[1]), preamble(literal(order + code, "(3, 4)"))
    for code in ("i1", "u1", "b1"):
        yield code, 0, 12, preamble(literal("|" + code, "(3, 4)"))
    for name in ("float64", "double", "bool", "?", "l", ">d"):
        yield f"name-{name.strip('?>') or 'question'}", 0, 96, preamble(literal(name, "(3, 4)"))
    yield "bf16-u2", 1, 24, preamble(literal("<u2", "(3, 4)"))
    yield "bf16-V2", 1, 24, preamble(literal("|V2", "(3, 4)"))
    yield "bf16-f2", 1, 24, preamble(literal("<f2", "(3, 4)"))
    yield "version-2", 0, 96, preamble(literal("<f8", "(3, 4)"), 2)
    yield "version-3", 0, 96, preamble(literal("<f8", "(3, 4)"), 3)
    yield "version-4", 0, 96, preamble(literal("<f8", "(3, 4)"), 4)
    yield "preamble-of-2", 0, 0, preamble(literal("<f8", "(3, 4)"), 2)[:12]
    yield "long-file", 0, 1 << 40, preamble(literal("<f8", "(3, 4)"), 2)
    yield "too-short", 0, 5, preamble(literal("<f8", "(3, 4)"))
    yield "large", 0, 1 << 63, preamble(literal("<f8", "(1152921504606846976, 1)"))
    yield "wide", 0, 100, preamble(literal("<f8", "(0, 2305843009213693951)"))
    yield "one-dimension", 0, 40, preamble(literal("<f8", "(5,)"))
    yield "old-integers", 0, 48, preamble(b"{'shape': (3L, 2L), 'descr': '<f8', 'fortran_order': True}")
    yield "double-quotes", 0, 48, preamble(b'{"shape":(3,2,),"descr":"=f8","fortran_order":True}   \n')
    shapes = {"none": "()", "three": "(1, 2, 3)", "zero": "(3, 0)", "negative": "(-1, 2)"}
    for name, shape in shapes.items():
        yield f"shape-{name}", 0, 1000, preamble(literal("<f8", shape))
    refused = {"object": "|O", "complex": "<c16", "text": "<U7", "bytes": "|S7", "old-bytes": "|a7",
               "date": "<M8[ns]", "void": "|V8", "long": "<f16",
               "character": "c", "fields": "f8,i4", "name": "longdouble", "unknown": "<q8"}
    for name, descr in refused.items():
        yield f"refused-{name}", 0, 1000, preamble(literal(descr, "(3, 4)"))
    rest = b", 'fortran_order': False, 'shape': (3,), }\n"
    yield "structured", 0, 24, preamble(b"{'descr': [('x', '<f8')]" + rest)
    yield "twice", 0, 24, preamble(b"{'descr': '<f8', 'descr': '<f8'" + rest)
    yield "missing-descr", 0, 24, preamble(b"{'fortran_order': False, 'shape': (3,), }\n")
    yield "missing-order", 0, 24, preamble(b"{'descr': '<f8', 'shape': (3,), }\n")
    yield "unknown-key", 0, 24, preamble(b"{'descr': '<f8', 'order': 'C'}")
    yield "npz", 0, 0, b"PK\x03\x04"


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, bf16, behind, start in seeds():
        (CORPUS / name).write_bytes(bytes([bf16]) + struct.pack("<Q", behind) + start)


if __name__ == "__main__":
    main()
