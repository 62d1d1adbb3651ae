#!/usr/bin/env python3
"""Writes the seeds of segment_fuzz (their layout is in segment_fuzz.cpp) into corpus/segment, by the table of
the reader in python/."""

import pathlib
import struct
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus" / "segment"
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "python"))

from nodewise_segment import CHECKSUM, ELEMENTS, HEADER, LONG_NAMES, Header, layout_hash

PLAN = b'{"schema":"nodewise.plan/1"}'
PATH = b"/data/train.npy"


def header(plan=PLAN, path=PATH, **fields):
    """The first bytes of a file of 3 pages: 100 x 10 elements from the second one on."""
    raw = {name: 0 for name in Header._fields} | {
        "magic": b"nodewise", "byte_order": 0x01020304, "version": 1, "layout_hash": layout_hash(),
        "header_bytes": HEADER.size + len(plan) + len(path), "total_bytes": 3 * 4096, "data_offset": 4096,
        "data_bytes": 8192, "page_bytes": 4096, "owner_pid": 4711, "owner_uid": 1000,
        "owner_start_ticks": 123456, "owner_pid_namespace": 4026531836, "created_ns": 1700000000123456789,
        "plan_bytes": len(plan), "origin_bytes": len(path), "dtype": b"f64", "samples": 100,
        "features": 10, "batch_size": 7, "origin_state": bytes(range(1, 17)),
        "origin_content": bytes(range(17, 33)), "parameters": b"", "reserved": b"",
    } | fields
    start = HEADER.pack(*Header(**raw)) + plan + path
    checksum = zlib.crc32(start[: raw["header_bytes"]])
    return start[:CHECKSUM] + struct.pack("=I", checksum) + start[CHECKSUM + 4 :]


def seeds():
    """Name, whether to mend the checksum, bytes of the file, its first bytes."""
    page = 4096
    for dtype in [*ELEMENTS, *LONG_NAMES]:
        yield dtype, 0, 3 * page, header(dtype=dtype.encode())
    yield "sound", 1, 3 * page, header()
    yield "kept", 1, 3 * page, header(keep=1, placing_rung=1)
    yield "objects", 1, 3 * page, header(kind=1, content_hash=99, parameters=bytes(range(64)), features=0)
    yield "ring", 1, 3 * page, header(kind=2, dtype=b"u8", batch_size=0)
    yield "no-samples", 1, page, header(samples=0, data_bytes=0, total_bytes=page)
    yield "no-texts", 1, 3 * page, header(b"", b"")
    yield "longer", 1, 3 * page, header() + bytes(100)
    yield "half", 1, 3 * page, header()[:-20]
    yield "cut", 1, 2 * page, header()
    yield "short", 0, 100, header()[:100]
    yield "unpublished", 1, 3 * page, bytes(8) + header()[8:]
    yield "big-endian", 1, 3 * page, header(byte_order=0x04030201)
    yield "future", 1, 3 * page, header(version=2)
    yield "past", 1, 3 * page, header(version=0)
    yield "damaged", 0, 3 * page, header()[:-1] + b"?"
    yield "layout", 1, 3 * page, header(layout_hash=1)
    yield "features", 1, 3 * page, header(required_features=1, optional_features=1)
    yield "header-bytes", 1, 3 * page, header(header_bytes=1 << 21)
    yield "kind", 1, 3 * page, header(kind=3)
    yield "keep", 1, 3 * page, header(keep=2)
    yield "rung", 1, 3 * page, header(placing_rung=3)
    yield "dtype", 1, 3 * page, header(dtype=b"\x1b[0mf80")
    yield "pages", 1, 3 * page, header(page_bytes=3)
    yield "offset", 1, 3 * page, header(data_offset=4095)
    yield "too-much", 1, 3 * page, header(data_bytes=8193)
    yield "shape", 1, 3 * page, header(samples=103)
    yield "no-features", 1, 3 * page, header(features=0)
    yield "texts", 1, 3 * page, header(plan_bytes=1)
    huge = (1 << 64) - page
    yield "huge", 1, huge, header(total_bytes=huge, data_bytes=huge - page, samples=1 << 60, batch_size=huge)


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, mend, file_bytes, start in seeds():
        (CORPUS / name).write_bytes(struct.pack("=QB", file_bytes, mend) + start)


if __name__ == "__main__":
    main()
