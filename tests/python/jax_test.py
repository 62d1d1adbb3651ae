#!/usr/bin/env python3
"""Goal: JAX shares the memory of batches.
Method: what nodewise writes is read in arrays of JAX, and addresses are compared. JAX may only read. Skips
where JAX is not installed."""

import gc
import os
import sys
import unittest

import numpy as np

import nodewise

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    print(f"SKIP: JAX is not installed ({error}); tools/dev test --peers installs it")
    sys.exit(77)


class Jax(unittest.TestCase):
    def test_batches(self):
        for dtype in ("f32", "f16", "bf16", "i32", "i16", "i8", "u32", "u16", "u8"):
            with self.subTest(dtype=dtype):
                loader = nodewise.zeros((256, 64), dtype, 64)  # batches begin at multiples of 64 bytes
                array = jax.dlpack.from_dlpack(loader.tensor(1))
                self.assertEqual(array.shape, (64, 64))
                self.assertEqual(array.unsafe_buffer_pointer(), loader.get_batch(1).ctypes.data)
                loader.write_to_buffer(64, 5, 7)
                self.assertEqual(float(array[0, 5]), 7)
                self.assertEqual(float(jax.jit(jnp.sum)(array)), 7)
                with self.assertRaises(BufferError):
                    loader.close()
                del loader
                gc.collect()
                self.assertEqual(float(array[0, 5]), 7)

    def test_into_a_loader(self):
        for dtype in (jnp.float32, jnp.bfloat16):
            array = jnp.arange(40).reshape(10, 4).astype(dtype)
            loader = nodewise.from_dlpack(array, 4)
            self.assertEqual(loader.buffer.ctypes.data, array.unsafe_buffer_pointer())
            self.assertEqual(loader.means().tolist(), [7.5, 23.5, 35.5])
            del array
            gc.collect()
            self.assertEqual(loader.means().tolist(), [7.5, 23.5, 35.5])

    def test_segments(self):
        name = f"jax.{os.getpid()}"
        made = nodewise.ZeroCopyBatchLoader(np.ones((256, 64), np.float32), 64, segment=name)
        array = jax.dlpack.from_dlpack(nodewise.open(name, mode="r+").tensor(0))
        made.write_to_buffer(0, 0, 5)
        self.assertEqual(float(array[0, 0]), 5)


if __name__ == "__main__":
    unittest.main()
