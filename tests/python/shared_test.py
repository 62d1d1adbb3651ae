#!/usr/bin/env python3
"""Goal: values, arrays, locks, events and barriers behave as those of multiprocessing, and as C++ sees them.
Method: in one process, with threads as the other side; what is written through one object is read through
another one of the same name or pickle. processes_test.py does the same between processes.
"""

import ctypes
import errno
import gc
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest

import numpy as np

import nodewise
from nodewise import Array, Barrier, Event, Lock, RLock, Value
from support import forked

NAME = f"shared-py.{os.getpid()}"
LONG = 60  # seconds, for waits that end early

# (type code or type, a number, the least and the greatest number)
TYPES = [
    ("b", -3, -128, 127),
    ("B", 3, 0, 255),
    ("h", -3, -(2**15), 2**15 - 1),
    ("H", 3, 0, 2**16 - 1),
    ("i", -3, -(2**31), 2**31 - 1),
    ("I", 3, 0, 2**32 - 1),
    ("l", -3, -(2**63), 2**63 - 1),
    ("L", 3, 0, 2**64 - 1),
    ("q", -3, -(2**63), 2**63 - 1),
    ("Q", 3, 0, 2**64 - 1),
    (ctypes.c_int, -3, -(2**31), 2**31 - 1),
    (ctypes.c_ulonglong, 3, 0, 2**64 - 1),
    (np.int16, -3, -(2**15), 2**15 - 1),
    ("u8", 3, 0, 255),
]


def segments(process=None):
    """The segments that a process (None: this one) made without a name of its own."""
    process = os.getpid() if process is None else process
    return {path.name for path in pathlib.Path("/dev/shm").glob(f"nodewise.*.py.{process}.*")}


class Values(unittest.TestCase):
    def test_integers(self):
        for code, number, least, greatest in TYPES:
            with self.subTest(code):
                value = Value(code, number)
                self.assertEqual(value.value, number)
                for bound in (least, greatest):
                    value.value = bound
                    self.assertEqual(value.load(), bound)
                for wrong in (least - 1, greatest + 1):
                    with self.assertRaises((ValueError, OverflowError)):
                        value.value = wrong
                self.assertEqual(value.value, greatest)
                value.fetch_add(1)  # wraps around
                self.assertEqual(value.value, least)

    def test_floats_and_bools(self):
        for code in ("d", "f", ctypes.c_double, np.float32):
            value = Value(code, 1.5)
            self.assertEqual(value.fetch_add(2), 1.5)
            self.assertEqual(value.value, 3.5)
        flag = Value(ctypes.c_bool, True)
        self.assertIs(flag.value, True)
        flag.value = 0
        self.assertIs(flag.exchange(7), False)
        self.assertIs(flag.load(), True)
        self.assertEqual(Value("i").value, 0)

    def test_compare_exchange(self):
        value = Value("i", 4)
        self.assertEqual(value.compare_exchange(5, 6), (False, 4))
        self.assertEqual(value.compare_exchange(4, 6), (True, 4))
        self.assertEqual(value.value, 6)

    def test_the_lock_guards_a_read_and_a_write(self):
        value, atomic = Value("i", 0), Value("i", 0)

        def add():
            for _ in range(200):
                with value.get_lock():
                    value.value += 1
                atomic.fetch_add(1)

        threads = [threading.Thread(target=add) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual((value.value, atomic.value), (600, 600))
        with value, value:  # recursive, as in multiprocessing
            self.assertEqual(value.get_obj().value, 600)
        own = Lock()
        self.assertIs(Value("i", lock=own).get_lock(), own)
        with self.assertRaises(ValueError):
            Value("i", lock=False).get_lock()

    def test_names(self):
        first = Value("l", 7, name=f"{NAME}/done")
        second = Value("l", 99, name=f"{NAME}/done")
        self.assertEqual(second.value, 7)
        second.value = 8
        self.assertEqual(first.value, 8)
        with self.assertRaises(ValueError):
            Value("i", name=f"{NAME}/done")  # another type
        del first, second


class Arrays(unittest.TestCase):
    def test_as_a_list(self):
        array = Array("i", 10)
        self.assertEqual(array[:], [0] * 10)
        for i in range(10):
            array[i] = i * i
        self.assertEqual((array[3], array[-1], len(array)), (9, 81, 10))
        self.assertEqual(list(array), [i * i for i in range(10)])
        array[2:5] = [7, 8, 9]
        array[::-3] = range(4)
        self.assertEqual(array[:], [3, 1, 7, 2, 9, 25, 1, 49, 64, 0])
        for bad in (10, -11, 10**30):
            with self.assertRaises(IndexError):
                array[bad]
            with self.assertRaises(IndexError):
                array[bad] = 1
        with self.assertRaises(ValueError):
            array[:] = [1]
        with self.assertRaises(ValueError):
            array[0] = 2**31
        with self.assertRaises(ValueError):
            array[0:1] = [2**31]

    def test_every_type(self):
        for code, number, least, greatest in TYPES:
            with self.subTest(code):
                array = Array(code, [number, least, greatest])
                self.assertEqual(array[:], [number, least, greatest])
                self.assertEqual(np.asarray(array).tolist(), array[:])
                self.assertEqual(list(array.get_obj()), array[:])
        self.assertEqual(Array(bool, [1, 0, 5])[:], [True, False, True])

    def test_numpy_shares_the_memory(self):
        array = Array("d", 6)
        view = np.frombuffer(array)
        other = np.frombuffer(array.get_obj()).reshape(2, 3)
        view[4] = 2.5
        self.assertEqual((array[4], other[1, 1]), (2.5, 2.5))
        self.assertTrue(np.shares_memory(view, other))
        del array, view
        gc.collect()
        self.assertEqual(other[1, 1], 2.5)  # the memory is kept
        array = Array("f", np.arange(5, dtype=np.float32))
        array[1:3] = np.float32([8, 9])
        self.assertEqual(array[:], [0, 8, 9, 3, 4])

    def test_large_arrays(self):
        array = Array("d", 1000 * 1000)
        np.frombuffer(array)[:] = 1
        self.assertEqual(np.frombuffer(array).sum(), 1e6)
        named = Array("d", 1000 * 1000, name=f"{NAME}.large/data")
        self.assertEqual(len(named), 1000 * 1000)


class Locks(unittest.TestCase):
    def test_threads_exclude_each_other(self):
        for kind in (Lock, RLock):
            lock, total = kind(), [0]

            def add():
                for _ in range(300):
                    with lock:
                        now = total[0]
                        time.sleep(0)
                        total[0] = now + 1

            threads = [threading.Thread(target=add) for _ in range(3)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            self.assertEqual(total[0], 900)

    def held_elsewhere(self, lock, call):
        """Calls while another thread holds the lock."""
        held, done = threading.Event(), threading.Event()

        def hold():
            with lock:
                held.set()
                done.wait(LONG)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(LONG)
        try:
            return call()
        finally:
            done.set()
            thread.join()

    def test_timeouts(self):
        for lock in (Lock(), RLock()):
            self.assertFalse(self.held_elsewhere(lock, lambda: lock.acquire(False)))
            self.assertFalse(self.held_elsewhere(lock, lambda: lock.acquire(timeout=0.12)))
            self.assertFalse(self.held_elsewhere(lock, lambda: lock.acquire(timeout=-1)))
            self.assertTrue(lock.acquire(timeout=LONG))
            lock.release()

    def test_misuse(self):
        lock = Lock()
        with self.assertRaises(ValueError):
            lock.release()
        with self.assertRaises(ValueError):
            self.held_elsewhere(lock, lock.release)
        with lock:
            self.assertFalse(lock.acquire(False))
            with self.assertRaises(OSError) as caught:
                lock.acquire()
            self.assertEqual(caught.exception.errno, errno.EDEADLK)

    def test_two_objects_of_one_lock(self):
        lock = RLock(name=f"{NAME}/lock")
        again = RLock(name=f"{NAME}/lock")
        with lock, again:
            self.assertTrue(again.acquire())
            again.release()
        with self.assertRaises(ValueError):
            lock.release()

    def test_an_owner_that_dies(self):
        lock = Lock()
        self.assertEqual(forked(lambda: 0 if lock.acquire() else 1), 0)
        with self.assertRaises(nodewise.OwnerDied):
            lock.acquire()

        def fail():
            raise KeyError("repair")

        with self.assertRaises(KeyError):
            lock.repair(fail)
        with self.assertRaises(nodewise.OwnerDied):
            lock.acquire(False)
        called = []
        self.assertTrue(lock.repair(lambda: called.append(1)))
        self.assertEqual(called, [1])
        self.assertFalse(lock.repair())
        with lock:
            pass

    def test_a_thread_that_ends_with_it(self):
        for kind in (Lock, RLock):
            lock, found = kind(), []

            def attempt():
                try:
                    found.append(lock.acquire(False))
                except nodewise.OwnerDied:
                    found.append(None)

            for call in (lock.acquire, attempt, attempt, attempt):
                thread = threading.Thread(target=call)
                thread.start()
                thread.join()
            self.assertEqual(found, [None] * 3)

    def test_a_forked_child_does_not_hold_it(self):
        lock = RLock()
        with lock:
            self.assertEqual(forked(lambda: 1 if lock.acquire(False) else 0), 0)


class Events(unittest.TestCase):
    def test_events(self):
        event = Event()
        self.assertFalse(event.is_set())
        self.assertFalse(event.wait(0.12))
        self.assertFalse(event.wait(-1))
        thread = threading.Timer(0.1, event.set)
        thread.start()
        self.assertTrue(event.wait(LONG))
        thread.join()
        self.assertTrue(event.is_set())
        event.clear()
        self.assertFalse(event.wait(0))

    def test_barriers(self):
        barrier = Barrier(3)
        self.assertEqual((barrier.parties, barrier.n_waiting, barrier.broken), (3, 0, False))
        found = []
        threads = [threading.Thread(target=lambda: found.append(barrier.wait(LONG))) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(sorted(found), [0, 1, 2])
        with self.assertRaises(threading.BrokenBarrierError):
            barrier.wait(0.05)
        with self.assertRaises(nodewise.BrokenBarrier):
            barrier.wait()
        self.assertTrue(barrier.broken)
        barrier.reset()
        self.assertFalse(barrier.broken)
        barrier.abort()
        self.assertTrue(barrier.broken)
        with self.assertRaises(nodewise.BrokenBarrier):
            Barrier(2, timeout=0.05).wait()


class Handles(unittest.TestCase):
    OBJECTS = [
        Value("i", 5),
        Array("d", [1, 2]),
        Array("d", 10**5),
        Lock(),
        RLock(),
        Event(),
        Barrier(2, timeout=3),
        nodewise.BatchRing.create(rows=2, cols=2),
    ]

    def test_a_pickle_is_small_and_means_the_same_object(self):
        for shared in self.OBJECTS:
            with self.subTest(repr(shared)):
                for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                    data = pickle.dumps(shared, protocol)
                    self.assertLess(len(data), 1024)
                    again = pickle.loads(data)
                    self.assertIs(type(again), type(shared))
        again = pickle.loads(pickle.dumps(self.OBJECTS[0]))
        again.value = 6
        self.assertEqual(self.OBJECTS[0].value, 6)
        again = pickle.loads(pickle.dumps(self.OBJECTS[1]))
        again[1] = 4
        self.assertEqual(self.OBJECTS[1][:], [1, 4])
        again = pickle.loads(pickle.dumps(self.OBJECTS[3]))
        with again:
            self.assertFalse(self.OBJECTS[3].acquire(False))
        self.assertEqual(pickle.loads(pickle.dumps(self.OBJECTS[6])).parties, 2)

    def test_nothing_stays(self):
        before = segments()
        large, small = Array("d", 10**5), [Value("i") for _ in range(600)]
        self.assertGreater(len(segments()), len(before))
        del large, small
        gc.collect()
        # The segment of small objects that is in use now may stay with the objects of this class.
        self.assertLessEqual(len(segments() - before), 0)

    def test_a_gone_object_is_not_found(self):
        array = Array("d", 10**5)
        data = pickle.dumps(array)
        del array
        with self.assertRaises(FileNotFoundError):
            pickle.loads(data)

    def test_multiprocessing_is_not_needed(self):
        """Nothing goes through the resource tracker: it is not even loaded."""
        code = (
            "import sys, nodewise as n; v = n.Value('i'); a = n.Array('d', 100000); l = n.Lock(); "
            "r = n.BatchRing.create(rows=1, cols=1); "
            "sys.exit(any(m.startswith('multiprocessing') for m in sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Signals(unittest.TestCase):
    """Ctrl-C ends every wait."""

    WAITS = {
        "lock": "lock.acquire()",
        "event": "n.Event().wait()",
        "event with a timeout": "n.Event().wait(100)",
        "barrier": "n.Barrier(2).wait()",
        "loan": "p = ring.producer(); loan = p.loan(); p.loan()",
        "lease": "ring.consumer().lease()",
        "iteration": "next(iter(ring.consumer()))",
        "drain": "ring.drain()",
    }
    PROGRAM = """
import sys, threading, nodewise as n
lock, ring = n.Lock(), n.BatchRing.create(slots=1, rows=1, cols=1)
held, done = threading.Event(), threading.Event()

def hold():
    with lock:
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
print("waiting", flush=True)
try:
    {wait}
except KeyboardInterrupt:
    done.set()
    thread.join()
    sys.exit(7)
"""

    def test_each(self):
        for what, wait in self.WAITS.items():
            with self.subTest(what):
                program = subprocess.Popen(
                    [sys.executable, "-c", self.PROGRAM.format(wait=wait)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                with program:
                    self.assertEqual(program.stdout.readline(), "waiting\n")
                    time.sleep(0.3)  # so that the wait has begun
                    self.assertIsNone(program.poll())
                    program.send_signal(signal.SIGINT)
                    self.assertEqual(program.wait(LONG), 7)
                self.assertEqual(segments(program.pid), set())

    def test_the_interpreter_runs_meanwhile(self):
        """A wait that kept the interpreter would last until its time is over, and then return False."""
        event, found = Event(), []
        thread = threading.Thread(target=lambda: found.append(event.wait(LONG)))
        thread.start()
        event.set()
        thread.join()
        self.assertEqual(found, [True])

    def test_an_exception_of_a_signal_handler_leaves_no_lock_without_an_owner(self):
        """Thousands of them fall between the steps of acquire() and release(). A lock that is held is then
        one that this thread may release."""

        class Interruption(Exception):
            pass

        def interrupt(*_):
            raise Interruption

        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        lock = Lock()
        for turn in range(4000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 3e-5 + turn % 50 * 1e-6)
                for _ in range(1000):
                    lock.acquire()
                    lock.release()
            except Interruption:
                pass
            if lock._depth() > 0:
                lock.release()
            self.assertTrue(lock.acquire(timeout=30))
            lock.release()


if __name__ == "__main__":
    unittest.main(verbosity=2)
