#!/usr/bin/env python3
"""One DataLoader with workers, for torch_test.py. An assertion fails if a batch was copied or is wrong.

Usage: torch_workers.py METHOD WORKERS
"""

import os
import sys

import torch
import torch.utils.data

import nodewise
import nodewise.torch

ROWS, FEATURES, BATCH = 1000, 16, 64


def work(batch):
    """In a worker: writes the process into the batch, where it is, and computes from it."""
    batch[0, 0] = os.getpid()
    return batch, batch * 2, batch[1:]


def within(tensor, loader):
    start = loader.buffer.ctypes.data
    return start <= tensor.data_ptr() < start + loader.nbytes


def main():
    method, workers = sys.argv[1], int(sys.argv[2])
    options = {"num_workers": workers}
    if workers:
        options["multiprocessing_context"] = method
    loader = nodewise.zeros((ROWS, FEATURES), "f32", BATCH, segment=f"torch.{os.getpid()}")
    loader.buffer[:] = range(ROWS * FEATURES)
    dataset = nodewise.torch.dataset(loader)

    batches = torch.utils.data.DataLoader(
        dataset, batch_size=None, shuffle=True, collate_fn=work, persistent_workers=workers > 0, **options
    )
    for epoch in range(2):
        pids, numbers = set(), []
        for batch, doubled, tail in batches:
            pids.add(int(batch[0, 0]))
            assert type(batch) is torch.Tensor and within(batch, loader)
            i = (batch.data_ptr() - loader.buffer.ctypes.data) // (BATCH * FEATURES * 4)
            numbers.append(i)
            array = loader.get_batch(i)
            assert batch.shape == array.shape and array[0, 0] == batch[0, 0]
            loader.write_to_buffer(i * BATCH, 1, -i)  # written on this side
            assert batch[0, 1] == -i
            batch[0, 2] = -i - 1
            assert array[0, 2] == -i - 1
            # What a worker computes is no batch of the dataset, and comes as PyTorch hands it over.
            assert torch.equal(doubled[1:], batch[1:] * 2) and torch.equal(tail, batch[1:])
        assert sorted(numbers) == list(range(16))
        assert (os.getpid() in pids) == (workers == 0) and len(pids) == max(workers, 1), pids
    print("ok")


if __name__ == "__main__":
    main()
