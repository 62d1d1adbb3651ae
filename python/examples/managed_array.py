"""An array in a managed dictionary, which workers change one after the other. The Manager stores a copy: for
large arrays, see array_mean.py.

    python3 managed_array.py [fork | spawn | forkserver]
"""

import multiprocessing
import pathlib
import sys
import tempfile

import numpy as np

import nodewise


def double(manager: nodewise.Manager) -> None:
    def change(transaction: nodewise.Transaction) -> None:  # no other process writes between the two lines
        arrays = transaction.dict("arrays")
        arrays["numbers"] = arrays["numbers"] * 2

    manager.change(change)


def main(method: str = "spawn") -> None:
    multiprocessing.set_start_method(method)
    with tempfile.TemporaryDirectory() as folder:
        manager = nodewise.Manager(pathlib.Path(folder) / "state")
        manager.dict("arrays")["numbers"] = np.arange(6.0).reshape(2, 3)
        processes = [multiprocessing.Process(target=double, args=(manager,)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print(manager.dict("arrays")["numbers"].tolist())


if __name__ == "__main__":
    main(*sys.argv[1:])
