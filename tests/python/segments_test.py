#!/usr/bin/env python3
"""Goal: the package and the reader of the standard library see the same segments.
Method: the package makes a segment of each element type and layout; both read it, each writes, and the other
one sees it.
"""

import os
import pickle
import unittest

import numpy as np

import nodewise
import nodewise_segment

TYPES = ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8")
NAME = f"segments-py.{os.getpid()}"


class Segments(unittest.TestCase):
    def test_every_type(self):
        for dtype in TYPES:
            with self.subTest(dtype):
                name = f"{NAME}.{dtype}"
                data = np.arange(70).reshape(10, 7).astype(nodewise_segment.ELEMENTS[dtype].numpy)
                maker = nodewise.ZeroCopyBatchLoader(data, 4, segment=name)
                reader = nodewise.open(name)
                with nodewise_segment.open_segment(name) as segment:
                    self.assertEqual((segment.dtype, segment.shape), (reader.element_type, reader.shape))
                    self.assertEqual(len(segment), len(reader))
                    for i, batch in enumerate(reader):
                        self.assertEqual(bytes(segment[i]), batch.tobytes())
                        np.testing.assert_array_equal(segment.array(i), batch)
                    self.assertEqual([bytes(batch) for batch in segment], [b.tobytes() for b in reader])
                    self.assertEqual(bytes(segment.flat()), reader.buffer.tobytes())
                del maker, reader

    def test_layouts(self):
        data = np.arange(70.0).reshape(10, 7)
        for layout in ("rows", "columns"):
            name = f"{NAME}.{layout}"
            maker = nodewise.ZeroCopyBatchLoader(data, 4, segment=name, layout=layout)
            with nodewise_segment.open_segment(name) as segment:
                for i, batch in enumerate(nodewise.open(name)):
                    np.testing.assert_array_equal(segment.array(i), batch)
                    self.assertEqual(segment.array(i).strides, batch.strides)
            del maker, batch

    def test_each_sees_what_the_other_writes(self):
        loader = nodewise.zeros((10, 7), "f64", 4, segment=NAME)
        with nodewise_segment.open_segment(NAME, writable=True) as segment:
            segment[-1][1, 6] = 2.5
            self.assertEqual(loader.get_batch(2)[1, 6], 2.5)
            loader.write_to_buffer(0, 3, 4)
            self.assertEqual(segment.flat()[3], 4)
            with pickle.loads(pickle.dumps(segment)) as again:
                self.assertEqual(again[0][0, 3], 4)
        self.assertEqual(pickle.loads(pickle.dumps(loader)).get_batch(0)[0, 3], 4)


if __name__ == "__main__":
    unittest.main()
