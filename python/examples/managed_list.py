"""A managed list that workers append to, and a managed dictionary.

python3 managed_list.py [fork | spawn | forkserver]
"""

import multiprocessing
import pathlib
import sys
import tempfile

import nodewise


def append(values: nodewise.ManagedList, sums: nodewise.ManagedDict, number: int) -> None:
    values.append(number)
    sums[f"worker {number}"] = number * 100


def main(method: str = "spawn") -> None:
    multiprocessing.set_start_method(method)
    with tempfile.TemporaryDirectory() as folder:  # a folder that stays would keep the data for the next run
        manager = nodewise.Manager(pathlib.Path(folder) / "state")
        values, sums = manager.list("values"), manager.dict("sums")
        processes = [
            multiprocessing.Process(target=append, args=(values, sums, number)) for number in range(3)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print(sorted(values), dict(sums.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
