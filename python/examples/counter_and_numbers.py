"""A counter that a worker sets, ten numbers that it writes, and a sum that two workers add to.

python3 counter_and_numbers.py [fork | spawn | forkserver]
"""

import multiprocessing
import sys

import nodewise


def write(counter: nodewise.Value, numbers: nodewise.Array) -> None:
    counter.value = 10
    for i in range(len(numbers)):
        numbers[i] = i * i


def add(total: nodewise.Value) -> None:
    for _ in range(1000):
        with total.get_lock():  # without the lock, an addition between the read and the write would be lost
            total.value += 1


def main(method: str = "spawn") -> None:
    multiprocessing.set_start_method(method)
    counter, numbers, total = nodewise.Value("i", 0), nodewise.Array("i", 10), nodewise.Value("i", 0)
    processes = [
        multiprocessing.Process(target=write, args=(counter, numbers)),
        multiprocessing.Process(target=add, args=(total,)),
        multiprocessing.Process(target=add, args=(total,)),
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(counter.value, numbers[:], total.value)


if __name__ == "__main__":
    main(*sys.argv[1:])
