#!/usr/bin/env python3
"""Goal: TensorFlow shares the memory of batches.
Method: what nodewise writes is read in tensors of TensorFlow, which cannot write. Skips where TensorFlow is
not installed."""

import gc
import os
import sys
import unittest

import nodewise

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
try:
    import tensorflow as tf
except ImportError as error:
    print(f"SKIP: TensorFlow is not installed ({error}); tools/dev test --peers installs it")
    sys.exit(77)


class TensorFlow(unittest.TestCase):
    def test_batches(self):
        for dtype in ("f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8"):
            with self.subTest(dtype=dtype):
                loader = nodewise.zeros((256, 64), dtype, 64)
                tensor = tf.experimental.dlpack.from_dlpack(loader.tensor(1).__dlpack__())
                self.assertEqual(tensor.shape, (64, 64))
                loader.write_to_buffer(64, 5, 7)
                self.assertEqual(float(tensor[0, 5]), 7)
                with self.assertRaises(BufferError):
                    loader.close()
                del loader
                gc.collect()
                self.assertEqual(float(tensor[0, 5]), 7)

    def test_into_a_loader(self):
        tensor = tf.reshape(tf.range(40, dtype=tf.float32), (10, 4))
        loader = nodewise.from_dlpack(tf.experimental.dlpack.to_dlpack(tensor), 4)
        back = tf.experimental.dlpack.from_dlpack(loader.tensor(0).__dlpack__())
        loader.write_to_buffer(0, 0, 100)
        self.assertEqual((float(tensor[0, 0]), float(back[0, 0])), (100, 100))


if __name__ == "__main__":
    unittest.main()
