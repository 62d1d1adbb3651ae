#!/usr/bin/env python3
"""Headers of segments that are damaged, cut short, forged or of the future, shown to
python/nodewise_segment.py.

Goal: none is believed, and Python opens exactly what the library opens.
Method: a kept segment's file is changed byte by byte, cut, and changed field by field with its checksum
mended; of the latter segment_peer says whether the library opens them.

Usage: segment_headers_test.py SEGMENT_PEER PYTHON_FOLDER
"""
import os
import pathlib
import struct
import subprocess
import sys
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from segments import PEER, SegmentTest
import nodewise_segment
from nodewise_segment import ELEMENTS, SegmentError, open_segment


class Headers(SegmentTest):
    def setUp(self):
        super().setUp()
        name = self.new_name("original")
        self.hold(name, keep=True).end()
        self.whole = pathlib.Path(self.path(name)).read_bytes()
        self.copy = self.new_name("copy")
        self.header_bytes = struct.unpack_from("=I", self.whole, 40)[0]

    def refusal(self, content):
        """What Python says to a file of this content; None if it opens it."""
        pathlib.Path(self.path(self.copy)).write_bytes(content)
        try:
            open_segment(self.copy).close()
        except (SegmentError, FileNotFoundError) as error:
            return error
        return None

    def forge(self, **fields):
        """The file with other fields and a checksum that holds."""
        raw = nodewise_segment.Header._make(nodewise_segment.HEADER.unpack_from(self.whole))
        size = fields.get("header_bytes", self.header_bytes)
        fixed = nodewise_segment.HEADER.pack(*raw._replace(checksum=0, **fields))
        content = fixed + self.whole[len(fixed) :]
        checksum = struct.pack("=I", zlib.crc32(content[:size]))
        return content[:44] + checksum + content[48:]

    def test_every_byte_flipped(self):
        self.assertIsNone(self.refusal(self.whole))
        for byte in range(self.header_bytes):
            for bits in (0x01, 0x80, 0xFF):
                content = bytearray(self.whole)
                content[byte] ^= bits
                self.assertIsInstance(self.refusal(content), SegmentError, byte)
        self.assertIsInstance(self.refusal(bytes(8) + self.whole[8:]), FileNotFoundError)

    def test_every_length(self):
        for size in [*range(0, 2000, 7), *range(2000, len(self.whole), 512), len(self.whole) - 1]:
            expected = SegmentError if size > 0 else FileNotFoundError  # as nothing, it was never finished
            self.assertIsInstance(self.refusal(self.whole[:size]), expected, size)
        self.assertIsInstance(self.refusal(self.whole + b"x"), SegmentError)

    def test_the_future(self):
        self.assertIsNone(self.refusal(self.forge()))
        self.assertRegex(str(self.refusal(self.forge(version=2))), "version 2.*newer")
        self.assertIn("features", str(self.refusal(self.forge(required_features=4))))
        self.assertIn("layout", str(self.refusal(self.forge(layout_hash=4))))
        self.assertIsNone(self.refusal(self.forge(optional_features=4, reserved=b"\1" * 48, reserved_word=9)))

    def test_layouts_are_believed_under_their_feature_alone(self):
        for word, opens in {0: True, 1: True, 2: True, 3: False, 1 << 31: False}.items():
            self.assertEqual(self.refusal(self.forge(required_features=2, reserved_word=word)) is None, opens)
        self.assertIn("layout 3", str(self.refusal(self.forge(required_features=2, reserved_word=3))))

    def test_python_opens_what_the_library_opens(self):
        """And refuses what it refuses, whatever is in the header's fields."""
        peer = subprocess.Popen([PEER, "open"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(peer.communicate)
        page, opened = os.sysconf("SC_PAGE_SIZE"), 0
        numbers = [0, 1, 2, 3, 7, 319, 320, page - 1, page, page + 1, 2 * page, self.header_bytes,
                   len(self.whole), 1 << 20, (1 << 20) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
        longs = numbers + [1 << 32, 1 << 61, (1 << 61) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - page,
                           (1 << 64) - 1]
        dtypes = [name.encode() for name in [*ELEMENTS, *nodewise_segment.LONG_NAMES]] + [
            b"", b"f65", b"f64\0xyz", b"\0f64", b"float642", b"\xff\x1b[0m"]
        cases = [{name: value} for name, code in nodewise_segment.FIELDS
                 for value in {"I": numbers, "Q": longs}.get(code, ())]
        cases += [{"dtype": dtype} for dtype in dtypes] + [{"magic": magic} for magic in (b"nodewisf", b"")]
        codes = [(name, code) for name, code in nodewise_segment.FIELDS if code in "IQ"]
        for _ in range(600):
            pairs = self.rng.sample(codes, 2)
            cases.append({name: self.rng.choice(numbers if code == "I" else longs) for name, code in pairs})
        for case in cases:
            case.pop("checksum", None)
            refusal = self.refusal(self.forge(**case))
            pathlib.Path(self.path(self.copy)).write_bytes(self.forge(**case))
            peer.stdin.write(self.copy + "\n")
            peer.stdin.flush()
            verdict = peer.stdout.readline()
            self.assertEqual(refusal is None, verdict == "opened\n", f"{case}: {refusal!r}, {verdict!r}")
            opened += refusal is None
        self.assertGreater(opened, len(cases) // 10)
        self.assertGreater(len(cases) - opened, len(cases) // 4)

    def test_the_longest_header(self):
        for size, opens in {1 << 20: True, (1 << 20) + 1: False}.items():
            long = {"header_bytes": size, "plan_bytes": size - 320, "origin_bytes": 0,
                    "data_offset": 2 << 20, "total_bytes": (2 << 20) + 4096}
            self.whole = self.whole.ljust((2 << 20) + 4096, b"\0")
            self.assertEqual(self.refusal(self.forge(**long)) is None, opens)

    def test_texts_are_believed_as_far_as_they_add_up(self):
        plan = nodewise_segment.Header._make(nodewise_segment.HEADER.unpack_from(self.whole)).plan_bytes
        path = self.header_bytes - 320 - plan
        self.assertIsNone(self.refusal(self.forge(plan_bytes=plan + path, origin_bytes=0)))
        wrapped = {"plan_bytes": (1 << 32) - 8, "origin_bytes": plan + path + 8}
        self.assertIsInstance(self.refusal(self.forge(**wrapped)), SegmentError)
        pathlib.Path(self.path(self.copy)).write_bytes(self.forge(plan_bytes=plan + path,
                                                                  origin_bytes=0))
        with open_segment(self.copy) as segment:
            self.assertIsNone(segment.origin)
            self.assertRaises(SegmentError, lambda: segment.plan)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
