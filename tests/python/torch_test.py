#!/usr/bin/env python3
"""Goal: PyTorch's tensors share the memory of a loader, in loops and out of the workers of a DataLoader.
Method: what is written on one side is read on the other. torch_workers.py runs in a process of its own for
each start method and number of workers, and is ended if it hangs. Skips where PyTorch is not installed."""

import gc
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from multiprocessing.reduction import ForkingPickler

import numpy as np

import nodewise

try:
    import torch
    import torch.utils.data

    import nodewise.torch
except ImportError as error:
    print(f"SKIP: PyTorch is not installed ({error}); tools/dev test --peers installs it")
    sys.exit(77)

HANG = 240  # seconds; four workers that import PyTorch on a busy machine need tens


def loader_of_ten(**options):
    return nodewise.ZeroCopyBatchLoader(np.arange(30, dtype=np.float32).reshape(10, 3), 4, **options)


class Tensors(unittest.TestCase):
    def test_from_dlpack(self):
        for dtype in ("f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8"):
            with self.subTest(dtype=dtype):
                loader = nodewise.zeros((10, 3), dtype, 4)
                tensor = torch.from_dlpack(loader.tensor(2))
                self.assertEqual(tensor.shape, (2, 3))
                loader.write_to_buffer(8, 1, 3)
                self.assertEqual(tensor[0, 1].item(), 3)
                tensor[1, 2] = 5
                self.assertEqual(loader.means()[2], (3 + 5) / 6)
                del loader
                gc.collect()
                self.assertEqual(tensor[1, 2].item(), 5)

    def test_into_a_loader(self):
        for dtype in (torch.float32, torch.bfloat16):
            tensor = torch.ones(10, 3, dtype=dtype)
            loader = nodewise.from_dlpack(tensor, 4)
            tensor[9, 0] = 9
            self.assertEqual(loader.means().tolist(), [1, 1, (5 + 9) / 6])
        for wrong in (torch.ones(3, 10).t(), torch.ones(10), torch.ones(10, 3) > 0):
            with self.assertRaises(nodewise.InvalidArgument):
                nodewise.from_dlpack(wrong, 4)


class Datasets(unittest.TestCase):
    def test_loops(self):
        for layout in ("rows", "columns"):
            loader = loader_of_ten(layout=layout)
            dataset = nodewise.torch.dataset(loader)
            self.assertIsInstance(dataset, torch.utils.data.Dataset)
            self.assertEqual(len(dataset), 3)
            for i, batch in enumerate(dataset):
                np.testing.assert_array_equal(batch.numpy(), loader.get_batch(i))
                batch[0, 0] = -i
                self.assertEqual(loader.get_batch(i)[0, 0], -i)
                loader.write_to_buffer(4 * i, 1, 50)
                self.assertEqual(batch[0, 1], 50)
            np.testing.assert_array_equal(dataset[-1].numpy(), loader.get_batch(2))

    def test_tensors_keep_the_memory(self):
        dataset = nodewise.torch.dataset(loader_of_ten())
        batch = dataset[2]
        with self.assertRaises(BufferError):
            dataset.loader.close()
        del dataset
        gc.collect()
        self.assertEqual(batch[0, 0], 24)

    def test_tensors_that_pytorch_moves_leave_others_alone(self):
        loader = loader_of_ten()
        dataset = nodewise.torch.dataset(loader)
        dataset[0].share_memory_()
        dataset[0][0, 0] = 70
        self.assertEqual(loader.get_batch(0)[0, 0], 70)

    def test_misuse(self):
        dataset = nodewise.torch.dataset(loader_of_ten())
        for bad in (3, -4, 10**30):
            with self.assertRaises(IndexError):
                dataset[bad]
        with self.assertRaises(TypeError):
            dataset[1.5]
        with self.assertRaisesRegex(ValueError, "tiles"):
            nodewise.torch.dataset(loader_of_ten(layout="tiles"))
        # Private memory cannot be handed over by workers.
        workers = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=1,
                                              multiprocessing_context="fork")  # fmt: skip
        with self.assertRaisesRegex(ValueError, "segment=NAME"):
            next(iter(workers))
        name = f"torch.misuse.{os.getpid()}"
        loader = loader_of_ten(segment=name)
        with nodewise.open(name) as opened:
            with self.assertRaisesRegex(ValueError, "read_only=True"):
                nodewise.torch.dataset(opened)
        read_only = nodewise.torch.dataset(nodewise.open(name), read_only=True)
        loader.write_to_buffer(0, 0, 7)
        self.assertEqual(read_only[0][0, 0], 7)

    def test_what_a_worker_hands_over(self):
        loader = nodewise.zeros((4096, 64), "f32", 1024, segment=f"torch.handed.{os.getpid()}")
        dataset = nodewise.torch.dataset(loader)
        shared = nodewise.torch._SharedBatch.of
        self.assertLess(len(ForkingPickler.dumps(dataset)), 1024)
        self.assertLess(len(ForkingPickler.dumps(shared(dataset, 1))), 1024)
        for change in (
            lambda batch: batch.resize_(2, 3),
            lambda batch: batch.t_(),
            lambda batch: batch.requires_grad_(),
        ):
            batch = shared(dataset, 1)
            change(batch)
            received = ForkingPickler.loads(ForkingPickler.dumps(batch))
            self.assertTrue(torch.equal(received, batch))
            self.assertEqual(received.requires_grad, batch.requires_grad)

    def test_workers(self):
        program = pathlib.Path(__file__).with_name("torch_workers.py")
        for method, workers in (("fork", 0), ("fork", 4), ("spawn", 4), ("forkserver", 4)):
            with self.subTest(method=method, workers=workers):
                done = subprocess.run(
                    [sys.executable, "-W", "ignore", str(program), method, str(workers)],
                    capture_output=True, text=True, timeout=HANG,
                )  # fmt: skip
                self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)


class Ranks(unittest.TestCase):
    """Four ranks of PyTorch's launcher hold one copy of a dataset."""

    def run_job(self, *arguments):
        program = pathlib.Path(__file__).with_name("torch_ranks.py")
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4",
             str(program), *arguments], capture_output=True, text=True, timeout=HANG,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        memory, total = done.stdout.split()
        return int(memory), float(total)

    def test_one_copy(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "data.npy")
            data = np.ones((1 << 20, 64), np.float32)  # 256 MiB
            np.save(path, data)
            without, _ = self.run_job()
            with_data, total = self.run_job(path, f"torch.ranks.{os.getpid()}")
        self.assertEqual(total, data.size)
        ratio = (with_data - without) / data.nbytes
        print(f"4 ranks: {with_data} bytes of Pss, {without} without data: {ratio:.3f} of the dataset")
        self.assertLessEqual(ratio, 1.1)


class Imports(unittest.TestCase):
    def test_both_orders(self):
        for first, second in (("torch", "nodewise"), ("nodewise", "torch")):
            code = (
                f"import {first}, {second}; import nodewise.torch\n"
                "loader = nodewise.zeros((1000, 64), 'f32', 100)\n"
                "x = torch.from_dlpack(loader.tensor(0)); x.fill_(2)\n"
                "assert loader.means()[0] == 2 and (x @ torch.ones(64, 8)).sum() == 102400\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
