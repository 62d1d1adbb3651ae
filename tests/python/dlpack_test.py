#!/usr/bin/env python3
"""Goal: tensors leave and enter by DLPack without a copy, and each is released exactly once.
Method: NumPy, and a consumer and a producer made by hand (dlpack_structs.py), which read the structs and
count releases: by the owner, by other threads, by failed calls, and after the interpreter has ended."""

import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
import unittest

import numpy as np

import nodewise
from dlpack_structs import UNVERSIONED, VERSIONED, Consumed, Producer

TYPES = {
    "f64": (2, 64), "f32": (2, 32), "f16": (2, 16), "bf16": (4, 16),
    "i64": (0, 64), "i32": (0, 32), "i16": (0, 16), "i8": (0, 8),
    "u64": (1, 64), "u32": (1, 32), "u16": (1, 16), "u8": (1, 8),
}  # fmt: skip
READ_ONLY, COPIED = 1, 2


def loader_of_ten(**options):
    return nodewise.ZeroCopyBatchLoader(np.arange(30, dtype=np.float32).reshape(10, 3), 4, **options)


def read_only():
    data = np.arange(30, dtype=np.float32).reshape(10, 3)
    data.flags.writeable = False
    return nodewise.ZeroCopyBatchLoader(data, 4, copy=False)


class Exports(unittest.TestCase):
    def test_numpy_shares_the_memory(self):
        loader = loader_of_ten()
        for i in range(3):
            for array in (np.from_dlpack(loader.tensor(i)), np.asarray(loader.tensor(i))):
                np.testing.assert_array_equal(array, loader.get_batch(i))
                self.assertTrue(np.shares_memory(array, loader.buffer))
        array = np.from_dlpack(loader.tensor(2))
        loader.write_to_buffer(8, 1, 77)
        del loader
        gc.collect()
        self.assertEqual(array[0, 1], 77)

    def test_the_whole_dataset(self):
        loader = loader_of_ten()
        whole = np.asarray(loader.tensor())
        self.assertEqual(whole.shape, (10, 3))
        self.assertTrue(np.shares_memory(whole, loader.buffer))
        self.assertEqual(loader.tensor().__dlpack_device__(), (1, 0))

    def test_indices_that_are_none(self):
        loader = loader_of_ten()
        for bad in (-1, 3, 10**30):
            with self.subTest(bad=bad), self.assertRaises(IndexError):
                loader.tensor(bad)
        with self.assertRaises(TypeError):
            loader.tensor(1.0)
        loader.close()
        with self.assertRaises(nodewise.InvalidArgument):
            loader.tensor(0)

    def test_attributes(self):
        tensor = loader_of_ten().tensor(2)
        self.assertEqual((tensor.shape, tensor.strides, tensor.ndim), ((2, 3), (12, 4), 2))
        self.assertEqual((tensor.size, tensor.nbytes, len(tensor)), (6, 24, 2))
        self.assertEqual((tensor.dtype, tensor.element_type), (np.float32, "f32"))
        self.assertEqual(memoryview(tensor).shape, (2, 3))
        self.assertFalse(tensor.readonly)
        self.assertTrue(read_only().tensor(0).readonly)
        self.assertEqual(np.asarray(tensor, np.float64).dtype, np.float64)

    def test_the_version_decides_the_form(self):
        tensor = loader_of_ten().tensor(1)
        for version, name in ((None, UNVERSIONED), ((0, 8), UNVERSIONED), ((1, 0), VERSIONED),
                              ((1, 3), VERSIONED), ((2, 0), VERSIONED)):  # fmt: skip
            with self.subTest(version=version):
                consumed = Consumed(tensor.__dlpack__(max_version=version))
                self.assertEqual(consumed.name, name)
                if name == VERSIONED:
                    self.assertEqual(tuple(consumed.managed.version), (1, 0))
                consumed.release()

    def test_what_the_structs_say(self):
        for dtype, code in TYPES.items():
            loader = nodewise.zeros((10, 3), dtype, 4)
            for version in (None, (1, 0)):
                with self.subTest(dtype=dtype, version=version):
                    consumed = Consumed(loader.tensor(1).__dlpack__(max_version=version))
                    tensor = consumed.managed.tensor
                    self.assertEqual(consumed.dtype, (*code, 1))
                    self.assertEqual((consumed.shape, consumed.strides), ((4, 3), (3, 1)))
                    self.assertEqual((tuple(tensor.device), tensor.byte_offset), ((1, 0), 0))
                    self.assertEqual(consumed.data, loader.buffer.ctypes.data + 12 * code[1] // 8)
                    self.assertEqual(consumed.flags, 0)
                    consumed.release()

    def test_layouts(self):
        columns = loader_of_ten(layout="columns")
        consumed = Consumed(columns.tensor(2).__dlpack__())
        self.assertEqual((consumed.shape, consumed.strides), ((2, 3), (1, 2)))
        consumed.release()
        np.testing.assert_array_equal(np.from_dlpack(columns.tensor(2)), columns.get_batch(2))
        for refused in (columns.tensor, lambda: loader_of_ten(layout="tiles").tensor(0)):
            with self.assertRaisesRegex(nodewise.InvalidArgument, "layout='rows'"):
                refused()

    def test_no_elements(self):
        consumed = Consumed(nodewise.zeros((0, 3), "f32", 4).tensor().__dlpack__())
        self.assertEqual((consumed.shape, consumed.strides, consumed.data), ((0, 3), (3, 1), None))
        consumed.release()
        copied = Consumed(nodewise.zeros((0, 3), "f32", 4).tensor().__dlpack__(copy=True))
        self.assertEqual((copied.shape, copied.data), ((0, 3), None))
        copied.release()

    def test_read_only_memory(self):
        tensor = read_only().tensor(0)
        for version in (None, (0, 8)):
            for copy in (None, False):
                with self.assertRaisesRegex(BufferError, "copy=True"):
                    tensor.__dlpack__(max_version=version, copy=copy)
        consumed = Consumed(tensor.__dlpack__(max_version=(1, 0), copy=False))
        self.assertEqual(consumed.flags, READ_ONLY)
        consumed.release()

    def test_copies(self):
        loader = loader_of_ten()
        columns = loader_of_ten(layout="columns")
        for made, version in ((loader, (1, 0)), (columns, (1, 0)), (read_only(), None)):
            copied = Consumed(made.tensor(1).__dlpack__(copy=True, max_version=version))
            self.assertEqual(copied.flags, COPIED if version else 0)
            self.assertEqual(copied.strides, (3, 1))
            values = (ctypes.c_float * 12).from_address(copied.data)
            np.testing.assert_array_equal(values, made.get_batch(1).ravel())
            self.assertFalse(np.shares_memory(np.frombuffer(values, np.float32), made.buffer))
            values[0] = 1000
            self.assertEqual(made.get_batch(1)[0, 0], 12)
            copied.release()
        shared = Consumed(loader.tensor(1).__dlpack__(copy=False, dl_device=(1, 0)))
        self.assertEqual(shared.data, loader.get_batch(1).ctypes.data)
        shared.release()

    def test_what_cannot_be(self):
        tensor = loader_of_ten().tensor(0)
        for wrong in ({"dl_device": (2, 0)}, {"dl_device": (1, 1)}, {"dl_device": (2, 0), "copy": True},
                      {"stream": 1}, {"copy": "yes"}):  # fmt: skip
            with self.subTest(**wrong), self.assertRaises(BufferError) as caught:
                tensor.__dlpack__(**wrong)
            self.assertIsInstance(caught.exception, nodewise.Error)

    def test_bfloat16_has_no_buffer(self):
        loader = nodewise.zeros((10, 3), "bf16", 4)
        with self.assertRaisesRegex(BufferError, "bfloat16"):
            memoryview(loader.tensor(0))
        array = np.asarray(loader.tensor(0))
        self.assertEqual(array.dtype, loader.dtype)
        self.assertTrue(np.shares_memory(array, loader.buffer))


class Releases(unittest.TestCase):
    """A loader over a producer's tensor: the producer is told once, after the last owner is gone."""

    def setUp(self):
        self.producer = Producer(np.zeros((10, 3), np.float32))
        self.loader = nodewise.from_dlpack(self.producer, 4)

    def drop(self):
        del self.loader
        gc.collect()

    def test_of_capsules_that_nobody_used(self):
        for version in (None, (1, 0)):
            capsule = self.loader.tensor(0).__dlpack__(max_version=version)
            with self.assertRaises(BufferError):
                self.loader.close()
            del capsule
        self.loader.close()
        self.drop()
        self.assertEqual(self.producer.released, 1)

    def test_of_tensors_by_their_consumer(self):
        capsules = [self.loader.tensor(0).__dlpack__(max_version=version) for version in (None, (1, 0))]
        consumed = [Consumed(capsule) for capsule in capsules]
        del capsules
        self.drop()
        for tensor in consumed:
            self.assertEqual(self.producer.released, 0)
            tensor.release()
        self.assertEqual(self.producer.released, 1)

    def test_of_tensors_arrays_and_buffers_that_close_waits_for(self):
        for hold in (np.from_dlpack, np.asarray, memoryview, lambda tensor: tensor):
            held = hold(self.loader.tensor(0))
            with self.assertRaises(nodewise.MemoryInUse):
                self.loader.close()
            del held
        self.loader.close()
        self.assertEqual(self.producer.released, 1)

    def test_by_a_thread_without_an_interpreter(self):
        libc = ctypes.CDLL(None)
        consumed = Consumed(nodewise.zeros((1000, 100), "f32", 10).tensor().__dlpack__())
        thread = ctypes.c_ulong()
        started = libc.pthread_create(ctypes.byref(thread), None, ctypes.c_void_p(consumed.deleter),
                                      ctypes.c_void_p(consumed.address))  # fmt: skip
        self.assertEqual(started, 0)
        # The interpreter is held while this waits: a deleter that needed it would never end.
        ctypes.PyDLL(None).pthread_join(thread, None)

    def test_by_many_threads(self):
        def export(times):
            for i in range(times):
                consumed = Consumed(self.loader.tensor(i % 3).__dlpack__(max_version=(i % 2, 0)))
                array = np.from_dlpack(self.loader.tensor(i % 3))
                imported = nodewise.from_dlpack(self.loader.tensor(i % 3), 2)
                consumed.release()
                del array, imported

        threads = [threading.Thread(target=export, args=(25,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.loader.close()
        self.assertEqual((self.producer.made, self.producer.released), (1, 1))


class Imports(unittest.TestCase):
    def test_both_forms(self):
        for versioned in (True, False):
            for no_strides in (True, False):
                with self.subTest(versioned=versioned, no_strides=no_strides):
                    data = np.arange(30, dtype=np.int32).reshape(10, 3)
                    producer = Producer(data, versioned=versioned, no_strides=no_strides)
                    loader = nodewise.from_dlpack(producer, 4)
                    self.assertEqual(producer.asked[0], {"max_version": (1, 0)})
                    self.assertEqual(len(producer.asked), 1 if versioned else 2)
                    data[4, 0] = 100
                    self.assertEqual(loader.get_batch(1)[0, 0], 100)
                    loader.write_to_buffer(9, 2, 200)
                    self.assertEqual(data[9, 2], 200)
                    self.assertEqual((loader.why_copied, producer.released), (None, 0))
                    batch = loader.get_batch(2)
                    del loader
                    gc.collect()
                    self.assertEqual(producer.released, 0)
                    del batch
                    self.assertEqual((producer.made, producer.released), (1, 1))

    def test_capsules(self):
        producer = Producer(np.ones((10, 3), np.float32))
        capsule = producer.capsule()
        loader = nodewise.from_dlpack(capsule, 4)
        self.assertEqual(loader.means().tolist(), [1, 1, 1])
        with self.assertRaisesRegex(ValueError, "capsule"):
            nodewise.from_dlpack(capsule, 4)
        loader.close()
        del loader, capsule
        self.assertEqual(producer.released, 1)

    def test_read_only_memory(self):
        producer = Producer(np.ones((10, 3), np.float32), flags=READ_ONLY)
        loader = nodewise.from_dlpack(producer, 4)
        self.assertFalse(loader.writable or loader.get_batch(0).flags.writeable)
        with self.assertRaises(nodewise.InvalidArgument):
            loader.write_to_buffer(0, 0, 1)
        loader.close()
        self.assertEqual(producer.released, 1)

    def test_what_is_refused_is_released(self):
        good = np.zeros((10, 4), np.float32)
        cases = (
            (good[:, ::2], {}, {}, "stride"),
            (np.zeros((2, 3, 4), np.float32), {}, {}, "3"),
            (good[0], {}, {}, "1"),
            (good, {"device": (2, 0)}, {}, "CPU"),
            (good, {"code": 6}, {}, "type"),
            (good, {"lanes": 4}, {}, "float32 x 4"),
            (good, {"version": (2, 0)}, {}, "version"),
            (good, {}, {"layout": "columns"}, "rows"),
            (good, {}, {"targets": [4000]}, "4000"),
            (good, {}, {"workers": 10**6}, "1000000"),
            (good, {}, {"workers": -1}, "-1"),
        )
        for versioned in (True, False):
            for array, wrong, options, text in cases:
                if "version" in wrong and not versioned:
                    continue
                with self.subTest(versioned=versioned, **wrong, **options):
                    producer = Producer(array, versioned=versioned, **wrong)
                    with self.assertRaisesRegex((ValueError, IndexError), text):
                        nodewise.from_dlpack(producer, 4, **options)
                    self.assertEqual((producer.made, producer.released), (1, 1))

    def test_what_is_refused_before_the_producer_is_asked(self):
        for call in (
            lambda p: nodewise.from_dlpack(p, 0),
            lambda p: nodewise.from_dlpack(p, 4, layout="x"),
        ):
            producer = Producer(np.zeros((10, 4), np.float32))
            with self.assertRaises(ValueError):
                call(producer)
            self.assertEqual(producer.made, 0)
        with self.assertRaisesRegex(ValueError, "int has no method __dlpack__"):
            nodewise.from_dlpack(5, 4)

    def test_our_own_tensors(self):
        first = loader_of_ten()
        second = nodewise.from_dlpack(first.tensor(), 5)
        self.assertTrue(np.shares_memory(first.buffer, second.buffer))
        with self.assertRaises(BufferError):
            first.close()
        second.close()
        first.close()


class Exit(unittest.TestCase):
    """The interpreter ends while tensors live."""

    def run_program(self, code):
        program = "import ctypes, sys, numpy as np, nodewise\nfrom dlpack_structs import *\n"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run([sys.executable, "-c", program + textwrap.dedent(code)], env=environment,
                              capture_output=True, text=True, timeout=120)  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_with_live_exports(self):
        self.run_program("""
            loader = nodewise.zeros((1000, 100), "f32", 10)
            arrays = [np.from_dlpack(loader.tensor(i)) for i in range(10)]
            capsules = [loader.tensor(i).__dlpack__() for i in range(10)]
            sys.modules["kept"] = (arrays, capsules)
            """)

    def test_with_releases_after_the_end(self):
        self.run_program("""
            libc = ctypes.CDLL(None)
            loader = nodewise.zeros((1000, 100), "f32", 10)
            for version in (None, (1, 0)):
                consumed = Consumed(loader.tensor().__dlpack__(max_version=version))
                assert libc.__cxa_atexit(ctypes.c_void_p(consumed.deleter), ctypes.c_void_p(consumed.address),
                                         None) == 0
            """)

    def test_with_live_imports(self):
        self.run_program("""
            producers = [Producer(np.zeros((10, 3), np.float32)) for _ in range(3)]
            loaders = [nodewise.from_dlpack(producer, 4) for producer in producers]
            sys.modules["kept"] = (loaders, producers)
            """)


if __name__ == "__main__":
    unittest.main()
