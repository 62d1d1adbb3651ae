"""An array of 1000 x 1000 doubles in shared memory, whose mean a worker prints. Nothing is copied.

python3 array_mean.py [fork | spawn | forkserver]
"""

import multiprocessing
import sys

import numpy as np

import nodewise


def print_mean(shared: nodewise.Array) -> None:
    array = np.frombuffer(shared.get_obj()).reshape(1000, 1000)
    print(array.mean())


def main(method: str = "spawn") -> None:
    shared = nodewise.Array("d", 1000 * 1000)
    array = np.frombuffer(shared.get_obj()).reshape(1000, 1000)
    array[:] = np.arange(1000)  # every row is 0, 1, ..., 999
    multiprocessing.set_start_method(method)
    process = multiprocessing.Process(target=print_mean, args=(shared,))
    process.start()
    process.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
