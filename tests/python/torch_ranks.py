#!/usr/bin/env python3
"""A job of PyTorch's launcher, for torch_test.py. The first rank prints the sum of the Pss of all ranks.

Usage: torch_ranks.py FILE SEGMENT, or without arguments for the same job without data
"""

import pathlib
import re
import sys

import torch
import torch.distributed

import nodewise
import nodewise.torch


def pss():
    rollup = pathlib.Path("/proc/self/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1])


def main():
    torch.distributed.init_process_group("gloo")
    nodewise.zeros((1, 1), "f32", 1).means()
    dataset = []
    if len(sys.argv) > 1:
        path, segment = sys.argv[1:]
        loader = nodewise.open_or_create(path, segment, batch_size=1024, mode="r+")
        dataset = nodewise.torch.dataset(loader)
    total = sum(batch.sum(dtype=torch.float64) for batch in dataset)  # every rank maps every page
    torch.distributed.barrier()
    memory = torch.tensor([pss()])
    torch.distributed.all_reduce(memory)
    torch.distributed.barrier()
    if torch.distributed.get_rank() == 0:
        print(memory.item(), float(total))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
