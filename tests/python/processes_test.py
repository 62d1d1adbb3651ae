#!/usr/bin/env python3
"""Goal: shared objects, rings, managers and loaders pass to other processes by every way of Python to start
them: fork, spawn and forkserver, through Process(args=...) and ProcessPoolExecutor.
Method: each start method is named. Workers change what they are given, and this process looks at the result.
A watchdog ends the test if a process hangs; at the end, no process is left.
"""

import concurrent.futures
import faulthandler
import gc
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import pathlib
import pickle
import tempfile
import time
import unittest

import numpy as np

import nodewise
from support import needs_managers

METHODS = ("fork", "spawn", "forkserver")
LONG = 120  # seconds, for what should end at once
HERE = f"processes-py.{os.getpid()}"


def count(value, array, lock, turns):
    for turn in range(turns):
        value.fetch_add(1)
        with array.get_lock():
            array[turn % len(array)] += 1
        with lock:
            array[0] += 1


def meet(event, barrier, array, index):
    event.wait(LONG)
    array[index] = barrier.wait(LONG) + 1


def scale(array, factor):
    np.frombuffer(array)[:] *= factor
    return float(np.frombuffer(array).sum())


def double(lease_sum, ring):
    with ring.consumer() as consumer:
        for lease in consumer:
            lease_sum.fetch_add(int(lease.array.sum()) + lease.tag.batch)


def fill(ring, batches):
    with ring.producer() as producer:
        for batch in range(batches):
            loan = producer.loan(LONG)
            loan.array[:] = batch
            loan.publish(batch=batch)


def append(values, entries, number):
    values.append(number)
    entries[f"worker {number}"] = np.full(3, number)


def mean_of(loader):
    return loader.get_batch_means()


def die_with(lock):
    lock.acquire()
    os.kill(os.getpid(), 9)


def with_each_method(test):
    """Runs test(self, context) for each start method."""

    def run(self):
        for method in METHODS:
            with self.subTest(method=method):
                test(self, multiprocessing.get_context(method))

    return run


class Processes(unittest.TestCase):
    def tearDown(self):
        for child in multiprocessing.active_children():
            child.join(LONG)
            self.assertIsNotNone(child.exitcode)

    def run_all(self, context, *calls):
        processes = [context.Process(target=target, args=arguments) for target, *arguments in calls]
        for process in processes:
            process.start()
        for process in processes:
            process.join(LONG)
            if process.is_alive():
                process.kill()
            self.assertEqual(process.exitcode, 0)

    @with_each_method
    def test_values_arrays_and_locks(self, context):
        value, array, lock = nodewise.Value("i", 0), nodewise.Array("i", 10), nodewise.Lock()
        self.run_all(context, *[(count, value, array, lock, 50)] * 2)
        self.assertEqual(value.value, 100)
        self.assertEqual(sum(array[1:]), 90)

    @with_each_method
    def test_events_and_barriers(self, context):
        event, barrier, array = nodewise.Event(), nodewise.Barrier(2), nodewise.Array("i", 2)
        event.set()
        self.run_all(context, *[(meet, event, barrier, array, i) for i in range(2)])
        self.assertEqual(sorted(array), [1, 2])

    @with_each_method
    def test_an_event_wakes_a_process(self, context):
        event, barrier, array = nodewise.Event(), nodewise.Barrier(1), nodewise.Array("i", 1)
        process = context.Process(target=meet, args=(event, barrier, array, 0))
        process.start()
        event.set()
        process.join(LONG)
        self.assertEqual((process.exitcode, array[0]), (0, 1))

    @with_each_method
    def test_an_owner_that_is_killed(self, context):
        lock = nodewise.Lock()
        process = context.Process(target=die_with, args=(lock,))
        process.start()
        process.join(LONG)
        self.assertEqual(process.exitcode, -9)
        with self.assertRaises(nodewise.OwnerDied):
            lock.acquire(timeout=LONG)
        self.assertTrue(lock.repair())
        self.assertTrue(lock.acquire(False))
        lock.release()

    @with_each_method
    def test_executors(self, context):
        array = nodewise.Array("d", np.arange(1000.0))
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            self.assertEqual(pool.submit(scale, array, 2).result(LONG), 999000)
            self.assertEqual(pool.submit(scale, array, 3).result(LONG), 2997000)
        self.assertEqual(array[1], 6)

    @with_each_method
    def test_rings(self, context):
        ring, total = nodewise.BatchRing.create(rows=4, cols=8, dtype="f64", slots=2), nodewise.Value("q")
        consumers = [context.Process(target=double, args=(total, ring)) for _ in range(2)]
        for process in consumers:
            process.start()
        self.run_all(context, (fill, ring, 10), (fill, ring, 5))
        ring.close()
        self.assertTrue(ring.drain(LONG))
        for process in consumers:
            process.join(LONG)
            self.assertEqual(process.exitcode, 0)
        self.assertEqual(total.value, (45 + 10) * 33)
        self.assertEqual(ring.counts().published, 15)

    @with_each_method
    def test_managers(self, context):
        with tempfile.TemporaryDirectory() as folder:
            needs_managers()
            manager = nodewise.Manager(pathlib.Path(folder) / "state")
            values, entries = manager.list("values"), manager.dict("entries")
            for handle in (manager, values, entries):
                self.assertLess(len(pickle.dumps(handle)), 1024)
            self.run_all(context, *[(append, values, entries, number) for number in range(2)])
            self.assertEqual(sorted(values), [0, 1])
            self.assertEqual(entries["worker 1"].tolist(), [1, 1, 1])
            del manager, values, entries

    @with_each_method
    def test_loaders(self, context):
        data = np.arange(40.0).reshape(10, 4)
        loader = nodewise.ZeroCopyBatchLoader(data, 4, segment=f"{HERE}.{context.get_start_method()}")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            self.assertEqual(pool.submit(mean_of, loader).result(LONG), loader.get_batch_means())
        del loader

    @with_each_method
    def test_a_process_that_starts_a_process(self, context):
        value, array, lock = nodewise.Value("i", 0), nodewise.Array("i", 10), nodewise.Lock()
        self.run_all(context, (start_another, context.get_start_method(), value, array, lock))
        self.assertEqual(value.value, 7)


def start_another(method, value, array, lock):
    process = multiprocessing.get_context(method).Process(target=count, args=(value, array, lock, 7))
    process.start()
    process.join(LONG)


def children():
    """The processes that this process started and that still run."""
    path = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def tearDownModule():
    """No process is left, and no segment."""
    gc.collect()
    # What Python's own modules start for spawn and forkserver.
    multiprocessing.forkserver._forkserver._stop()
    multiprocessing.resource_tracker._resource_tracker._stop()
    until = time.monotonic() + LONG
    while children() and time.monotonic() < until:
        time.sleep(0.01)
    left = [path.name for path in pathlib.Path("/dev/shm").glob(f"nodewise.*py.{os.getpid()}*")]
    if children() or left:
        raise AssertionError(f"left: processes {children()}, segments {left}")


if __name__ == "__main__":
    faulthandler.dump_traceback_later(280, exit=True)
    unittest.main(verbosity=2)
