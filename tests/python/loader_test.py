#!/usr/bin/env python3
"""Goal: the Python loader does every clause of the exercise, and shares memory wherever it says so.
Method: loaders of small arrays are compared with NumPy; what is written on one side is read on the other.
"""

import gc
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

import nodewise

TYPES = ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8")


def ten_by_three(dtype=np.float32):
    return np.arange(30).reshape(10, 3).astype(dtype)


def rss():
    """The memory of this process, in bytes."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Exercise(unittest.TestCase):
    """The six clauses of the exercise."""

    def setUp(self):
        self.data = ten_by_three()
        self.loader = nodewise.ZeroCopyBatchLoader(self.data, 4)

    def test_buffer_is_flat_and_contiguous(self):
        buffer = self.loader.buffer
        self.assertEqual(buffer.ndim, 1)
        self.assertTrue(buffer.flags.c_contiguous)
        np.testing.assert_array_equal(buffer, self.data.ravel())

    def test_num_batches_counts_a_short_last_one(self):
        self.assertEqual(self.loader.num_batches(), 3)
        self.assertEqual(len(self.loader), 3)
        for rows, size, batches in ((8, 4, 2), (1, 4, 1), (0, 4, 0), (9, 1, 9), (5, 10**12, 1)):
            with self.subTest(rows=rows, size=size):
                self.assertEqual(
                    nodewise.ZeroCopyBatchLoader(np.zeros((rows, 2)), size).num_batches(), batches
                )

    def test_batches_are_views(self):
        for i in range(3):
            batch = self.loader.get_batch(i)
            np.testing.assert_array_equal(batch, self.data[4 * i : 4 * i + 4])
            self.assertTrue(np.shares_memory(batch, self.loader.buffer))
            self.assertTrue(self.loader.is_zero_copy(i))
        self.assertEqual(self.loader.get_batch(2).shape, (2, 3))

    def test_indices_that_are_none(self):
        for call in (self.loader.get_batch, self.loader.is_zero_copy):
            for bad in (-1, 3, 10**30, -(10**30)):
                with self.subTest(call=call.__name__, bad=bad), self.assertRaises(IndexError):
                    call(bad)
            for bad in (1.0, "1", None, slice(2), np.array([0, 1])):
                with self.subTest(call=call.__name__, bad=bad), self.assertRaises(TypeError):
                    call(bad)
        np.testing.assert_array_equal(self.loader.get_batch(np.int64(1)), self.loader.get_batch(1))
        self.assertEqual(self.loader.get_batch(True).shape, (4, 3))  # an integer, and no mask

    def test_means_are_rounded_as_python_rounds(self):
        values = np.random.default_rng(1).normal(size=(50, 7))
        loader = nodewise.ZeroCopyBatchLoader(values, 8)
        self.assertEqual(loader.get_batch_means(), [round(mean, 4) for mean in loader.means()])
        self.assertIsInstance(loader.get_batch_means()[0], float)
        np.testing.assert_allclose(loader.means(), [batch.mean() for batch in loader], rtol=1e-12)
        half = nodewise.ZeroCopyBatchLoader(np.full((4, 1), 0.12345), 2)
        self.assertEqual(half.get_batch_means(), [round(0.12345, 4)] * 2)

    def test_writes_are_seen_everywhere(self):
        before = self.loader.get_batch(1)
        self.loader.write_to_buffer(5, 2, 0.1)
        after = self.loader.get_batch(1)
        self.assertEqual(before[1, 2], np.float32(0.1))
        self.assertEqual(after[1, 2], np.float32(0.1))
        self.assertEqual(self.loader.buffer[5 * 3 + 2], np.float32(0.1))
        after[0, 0] = 42
        self.assertEqual(self.loader.buffer[12], 42)
        self.assertEqual(before[0, 0], 42)
        self.assertNotEqual(self.data[4, 0], 42)  # the caller's array was copied


class Loaders(unittest.TestCase):
    def test_each_type(self):
        for name in TYPES:
            with self.subTest(name):
                loader = nodewise.zeros((5, 2), name, 2)
                self.assertEqual(loader.element_type, name)
                self.assertEqual(loader.get_batch(0).dtype, loader.dtype)
                loader.write_to_buffer(4, 1, 7)
                self.assertEqual(loader.get_batch(2)[0, 1], 7)
                copy = nodewise.ZeroCopyBatchLoader(np.ones((3, 2), loader.dtype), 2)
                self.assertEqual(copy.get_batch_means(), [1, 1])

    def test_bfloat16_is_shown_as_words_or_by_ml_dtypes(self):
        loader = nodewise.zeros((2, 2), "bf16", 1)
        loader.write_to_buffer(0, 0, 1.5)
        self.assertEqual(loader.buffer.view(np.uint16)[0], 0x3FC0)
        self.assertEqual(loader.get_batch_means(), [0.75, 0.0])

    def test_any_array_that_numpy_can_view(self):
        data = ten_by_three(np.float64)
        wide = np.zeros((10, 6))
        wide[:, ::2] = data
        arrays = {
            "list": data.tolist(),
            "fortran": np.asfortranarray(data),
            "columns": wide[:, ::2],
            "reversed": data[::-1][::-1],
            "big endian": data.astype(">f8"),
            "memoryview": memoryview(data),
        }
        for name, array in arrays.items():
            with self.subTest(name):
                loader = nodewise.ZeroCopyBatchLoader(array, 4)
                np.testing.assert_array_equal(loader.buffer.reshape(10, 3), data)
                self.assertIn("copied", loader.why_copied)
        flags = nodewise.ZeroCopyBatchLoader(np.ones((4, 2), bool), 2)
        self.assertEqual(flags.get_batch_means(), [1, 1])

    def test_adopted_memory_is_used_where_it_is(self):
        data = ten_by_three()
        loader = nodewise.ZeroCopyBatchLoader(data, 4, copy=False)
        self.assertIsNone(loader.why_copied)
        self.assertTrue(np.shares_memory(loader.buffer, data))
        loader.write_to_buffer(0, 0, 99)
        self.assertEqual(data[0, 0], 99)
        data[1, 1] = 98
        self.assertEqual(loader.get_batch(0)[1, 1], 98)

    def test_adopted_memory_is_given_back(self):
        data = ten_by_three()
        before = sys.getrefcount(data)
        batch = nodewise.ZeroCopyBatchLoader(data, 4, copy=False).get_batch(0)
        self.assertGreater(sys.getrefcount(data), before)
        del batch
        gc.collect()
        self.assertEqual(sys.getrefcount(data), before)
        with self.assertRaises(nodewise.InvalidArgument):
            nodewise.ZeroCopyBatchLoader(data, 4, copy=False, targets=[0, 0])
        self.assertEqual(sys.getrefcount(data), before)

    def test_read_only_memory_stays_read_only(self):
        data = ten_by_three()
        data.flags.writeable = False
        loader = nodewise.ZeroCopyBatchLoader(data, 4, copy=False)
        self.assertFalse(loader.writable)
        with self.assertRaises(ValueError):
            loader.get_batch(0)[0, 0] = 1
        with self.assertRaises(nodewise.InvalidArgument):
            loader.write_to_buffer(0, 0, 1)

    def test_iteration_is_get_batch(self):
        loader = nodewise.ZeroCopyBatchLoader(ten_by_three(), 4)
        for batch, i in itertools.zip_longest(loader, range(3)):
            np.testing.assert_array_equal(batch, loader.get_batch(i))
            self.assertTrue(np.shares_memory(batch, loader.buffer))
        np.testing.assert_array_equal(loader[-1], loader.get_batch(2))
        self.assertEqual(len(list(nodewise.zeros((0, 2), "f32", 4))), 0)

    def test_layouts(self):
        data = ten_by_three()
        columns = nodewise.ZeroCopyBatchLoader(data, 4, layout="columns")
        for i, batch in enumerate(columns):
            np.testing.assert_array_equal(batch, data[4 * i : 4 * i + 4])
            self.assertTrue(np.shares_memory(batch, columns.buffer))
        tiles = nodewise.ZeroCopyBatchLoader(data, 4, layout="tiles")
        self.assertEqual(tiles.get_batch_means(), columns.get_batch_means())
        with self.assertRaisesRegex(nodewise.InvalidArgument, "tiles"):
            tiles.get_batch(0)

    def test_writes_in_every_layout_and_type(self):
        for layout, dtype in itertools.product(
            ("rows", "columns", "tiles"), ("f64", "f32", "f16", "bf16", "i32")
        ):
            with self.subTest(layout=layout, dtype=dtype):
                loader = nodewise.zeros((50, 3), dtype, 40, layout=layout)
                for row, col in ((0, 0), (17, 1), (39, 2), (40, 0), (49, 2)):
                    before = loader.get_batch_means()[row // 40]
                    loader.write_to_buffer(row, col, np.float64(3))
                    rows = 40 if row < 40 else 10
                    self.assertAlmostEqual(loader.get_batch_means()[row // 40] - before, 3 / (3 * rows), 3)
                    if layout != "tiles" and dtype != "bf16":
                        self.assertEqual(loader.get_batch(row // 40)[row % 40, col], 3)

    def test_buffers_are_as_consumers_ask(self):
        """A consumer that asks for contiguous memory, as bytes() does, gets no other."""
        columns = nodewise.ZeroCopyBatchLoader(ten_by_three(), 4, layout="columns")
        view = memoryview(columns.tensor(0))
        self.assertFalse(view.c_contiguous)
        self.assertTrue(view.f_contiguous)
        with self.assertRaises(BufferError):
            nodewise.placement(columns.tensor(0))

    def test_a_batch_larger_than_the_data(self):
        loader = nodewise.ZeroCopyBatchLoader(ten_by_three(), 2**58)
        self.assertEqual(loader.get_batch(0).shape, (10, 3))

    def test_feature_statistics(self):
        data = np.random.default_rng(2).normal(size=(40, 5))
        loader = nodewise.ZeroCopyBatchLoader(data, 7)
        found = loader.feature_statistics()
        np.testing.assert_allclose(found.means, data.mean(axis=0))
        np.testing.assert_allclose(found.variances, data.var(axis=0))
        np.testing.assert_array_equal(loader.feature_means(), found.means)

    def test_views_outlive_the_loader(self):
        data = ten_by_three()
        batch = nodewise.ZeroCopyBatchLoader(data, 4).get_batch(1)
        gc.collect()
        np.testing.assert_array_equal(batch, data[4:8])

    def test_close_while_arrays_live_is_an_error(self):
        loader = nodewise.ZeroCopyBatchLoader(ten_by_three(), 4)
        batch = loader.get_batch(0)
        with self.assertRaises(BufferError):
            loader.close()
        self.assertEqual(loader.get_batch(0)[0, 1], 1)
        del batch
        loader.close()
        loader.close()
        for call in (
            loader.means,
            loader.get_batch_means,
            loader.placement,
            lambda: loader.get_batch(0),
            lambda: loader.buffer,
            lambda: loader.write_to_buffer(0, 0, 1),
        ):
            with self.assertRaisesRegex(nodewise.InvalidArgument, "closed"):
                call()
        with nodewise.zeros((4, 2), "f32", 2) as other:
            other.write_to_buffer(0, 0, 1)
        self.assertIn("closed", repr(other))

    def test_placement_and_plan(self):
        loader = nodewise.ZeroCopyBatchLoader(np.zeros((1000, 64)), 50)
        self.assertEqual(loader.placement().total.planned, loader.nbytes)
        self.assertIn("nodewise.placement/1", loader.placement().to_dict()["schema"])
        with self.assertRaises(nodewise.PlacementError):
            loader.placement().require(1.1)
        self.assertEqual(loader.plan.shape, (1000, 64))
        self.assertEqual(sum(len(shard.batches) for shard in loader.plan.shards), 20)
        self.assertEqual(sum(nodewise.placement(loader.buffer).bytes_on_node), loader.nbytes)
        four = nodewise.topology("numa:4 core:2 pu:1")
        plan = nodewise.plan((1000, 64), "f64", 50, machine=four, weights=[1, 1, 2, 1])
        self.assertEqual([len(shard.batches) for shard in plan.shards], [4, 4, 8, 4])
        self.assertEqual(nodewise.Plan.from_json(plan.to_json(), four).to_json(), plan.to_json())

    def test_many_loaders_leave_no_memory(self):
        """Sixty loaders of 32 MiB; one that a cycle keeps would show at once."""

        def use():
            loader = nodewise.zeros((8192, 1024), "f32", 256)
            return [loader.get_batch(3)[0, 0], next(iter(loader))[0, 0]]

        for _ in range(5):
            use()
        before = rss()
        for _ in range(60):
            use()
        self.assertLess(rss() - before, 32 << 20)

    def test_threads_share_a_loader(self):
        loader = nodewise.ZeroCopyBatchLoader(ten_by_three(), 4)
        wrong = []

        def work():
            for _ in range(200):
                if loader.get_batch_means() != [5.5, 17.5, 26.5] or loader.get_batch(1)[0, 0] != 12:
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "data.npy"
        self.data = np.random.default_rng(3).normal(size=(1000, 16)).astype(np.float32)
        np.save(self.path, self.data)
        self.name = f"python-{os.getpid()}"

    def test_load(self):
        loader = nodewise.load(self.path, 64)
        np.testing.assert_array_equal(np.concatenate(list(loader)), self.data)
        with self.assertRaises(FileNotFoundError):
            nodewise.load(self.path.with_name("none.npy"), 64)
        self.path.write_bytes(b"no numbers")
        with self.assertRaises(nodewise.FormatError):
            nodewise.load(self.path, 64)

    def test_segments(self):
        maker = nodewise.load(self.path, 64, segment=self.name)
        reader = nodewise.open(self.name)
        np.testing.assert_array_equal(np.concatenate(list(reader)), self.data)
        self.assertFalse(reader.writable)
        maker.write_to_buffer(0, 0, 5)
        self.assertEqual(reader.get_batch(0)[0, 0], 5)
        writer = nodewise.open(self.name, "r+")
        writer.get_batch(0)[0, 1] = 6
        self.assertEqual(maker.get_batch(0)[0, 1], 6)
        with self.assertRaises(FileExistsError):
            nodewise.load(self.path, 64, segment=self.name)
        del maker, reader, writer
        with self.assertRaises(FileNotFoundError):
            nodewise.open(self.name)

    def test_open_or_create(self):
        first = nodewise.open_or_create(self.path, self.name, 64)
        second = nodewise.open_or_create(self.path, self.name, 64)
        first.write_to_buffer(0, 0, 5)
        self.assertEqual(second.get_batch(0)[0, 0], 5)
        with self.assertRaises(nodewise.InvalidArgument):
            nodewise.open_or_create(self.path, self.name, 32)

    def test_pickling(self):
        maker = nodewise.load(self.path, 64, segment=self.name)
        pickled = pickle.dumps(maker)
        self.assertLess(len(pickled), 1024)
        other = pickle.loads(pickled)
        other.write_to_buffer(3, 3, 9)
        self.assertEqual(maker.get_batch(0)[3, 3], 9)
        private = nodewise.load(self.path, 64)
        buffers = []
        pickled = pickle.dumps(private, 5, buffer_callback=buffers.append)
        self.assertLess(len(pickled), 1024)
        same = pickle.loads(pickled, buffers=buffers)
        private.write_to_buffer(1, 1, 8)
        self.assertEqual(same.get_batch(0)[1, 1], 8)
        columns = nodewise.load(self.path, 64, layout="columns")
        pickled = pickle.dumps(columns, 5, buffer_callback=(buffers := []).append)
        np.testing.assert_array_equal(
            pickle.loads(pickled, buffers=buffers).get_batch(3), columns.get_batch(3)
        )
        with self.assertRaisesRegex(pickle.PicklingError, "segment=NAME"):
            pickle.dumps(private, 4)
        with self.assertRaisesRegex(pickle.UnpicklingError, "segment=NAME"):
            pickle.loads(pickle.dumps(private, 5))


class Importing(unittest.TestCase):
    """In processes of their own."""

    def run_python(self, code, **environment):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_importing_changes_no_mask_and_starts_no_thread(self):
        code = (
            "import os; before = os.sched_getaffinity(0)\n"
            "import nodewise; nodewise.ZeroCopyBatchLoader; nodewise.topology()\n"
            "assert os.sched_getaffinity(0) == before\n"
            "assert len(os.listdir('/proc/self/task')) == 1\n"
            "import sys; assert 'numpy' not in sys.modules\n"
        )
        for environment in (
            {},
            {"OMP_PROC_BIND": "close"},
            {"OMP_PROC_BIND": "spread", "OMP_PLACES": "cores"},
        ):
            with self.subTest(environment):
                self.run_python(code, **environment)

    def test_a_signal_ends_a_load(self):
        """The handler runs while the segment that is loaded is unfinished: if signals were looked at only
        after the load, it would be published, that is, begin with the format's name."""
        code = (
            "import nodewise, os, pathlib, signal, tempfile, numpy as np\n"
            "folder = tempfile.TemporaryDirectory()\n"
            "path = pathlib.Path(folder.name) / 'data.npy'\n"
            "np.save(path, np.asfortranarray(np.zeros((1 << 17, 256), np.float32)))\n"
            "name = f'loading-{os.getpid()}'\n"
            "file = pathlib.Path(f'/dev/shm/nodewise.{os.getuid()}.{name}')\n"
            "def handler(*_):\n"
            "    try: begin = file.open('rb').read(8)\n"
            "    except FileNotFoundError: return signal.setitimer(signal.ITIMER_REAL, 0.002)\n"
            "    print('unfinished' if begin == bytes(8) else f'finished: {begin}')\n"
            "    raise KeyboardInterrupt\n"
            "signal.signal(signal.SIGALRM, handler)\n"
            "try:\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0.002)\n"
            "    nodewise.load(path, 64, segment=name)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted', file.exists())\n"
        )
        self.assertEqual(self.run_python(code), "unfinished\ninterrupted False\n")

    def test_ctrl_c_and_a_timeout_end_the_wait_for_a_maker(self):
        self.run_python(
            "import nodewise, os, signal, threading\n"
            "name = f'waiting-{os.getpid()}'\n"
            "maker = nodewise.zeros((10, 2), 'f32', 2, segment=name, publish=False)\n"
            "try: nodewise.open(name, timeout=0.05); raise SystemExit('opened')\n"
            "except TimeoutError as error: assert isinstance(error, nodewise.SystemError)\n"
            "threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
            "try: nodewise.open(name); raise SystemExit('opened')\n"
            "except KeyboardInterrupt: pass\n"
            "maker.publish(); nodewise.open(name)\n"
        )

    def test_arrays_at_the_end_of_the_interpreter(self):
        self.run_python(
            "import nodewise, numpy as np\n"
            "keep = [nodewise.zeros((100, 10), 'f32', 10)]\n"
            "keep += [keep[0].get_batch(0), keep[0].buffer, nodewise.topology()]\n"
            "data = np.zeros((10, 10)); keep.append(nodewise.ZeroCopyBatchLoader(data, 5, copy=False))\n"
            "import sys; sys.modules['keep'] = keep\n"
        )

    def test_daemon_threads_in_calls_at_the_end_of_the_interpreter(self):
        self.run_python(
            "import nodewise, threading, time\n"
            "loader = nodewise.zeros((20000, 64), 'f32', 100)\n"
            "def work():\n"
            "    while True: loader.means()\n"
            "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
            "time.sleep(0.2)\n"
        )

    def test_a_forked_child_uses_its_parents_loader(self):
        self.run_python(
            "import nodewise, os\n"
            "loader = nodewise.zeros((100, 10), 'f32', 10); loader.get_batch_means()\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    os._exit(0 if loader.get_batch_means() == [0.0] * 10 else 1)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
        )


if __name__ == "__main__":
    unittest.main()
