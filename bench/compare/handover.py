"""Batches from one Python process to another: through multiprocessing's queue, through slots in shared
memory, which is the fastest that the standard library has to offer, and through a ring of nodewise's package
where that can be imported.

    handover.py [MIB [ROUNDS]]

prints how many times as long the others take as the ring, as the median of the rounds.
"""
import mmap
import multiprocessing
import os
import statistics
import sys
import time

import numpy

try:
    import nodewise
except ImportError:
    nodewise = None

TIMES = 16  # batches that are handed over in one piece of work, as in ring_bench
SLOTS = 4
PATIENCE = 300  # seconds, should the partner have ended
FORK = multiprocessing.get_context("fork")


class Queue:
    """Arrays as they are, by multiprocessing.Queue."""

    def __init__(self, elements):
        self.elements, self.queue = elements, FORK.Queue(SLOTS)

    def produce(self):
        for batch in range(TIMES):
            self.queue.put(numpy.full(self.elements, batch, "float64"))

    def consume(self):
        return [self.queue.get(timeout=PATIENCE).sum() for _ in range(TIMES)]


class SlotPool:
    """Slots that both have mapped, and two semaphores that count the free and the filled ones."""

    def __init__(self, elements):
        shared = numpy.frombuffer(mmap.mmap(-1, SLOTS * elements * 8), "float64")
        self.slots = shared.reshape(SLOTS, elements)
        self.free, self.filled = FORK.Semaphore(SLOTS), FORK.Semaphore(0)

    def produce(self):
        for batch in range(TIMES):
            self.free.acquire()
            self.slots[batch % SLOTS].fill(batch)
            self.filled.release()

    def consume(self):
        sums = []
        for batch in range(TIMES):
            if not self.filled.acquire(timeout=PATIENCE):
                raise RuntimeError("handover: the producer has ended")
            sums.append(self.slots[batch % SLOTS].sum())
            self.free.release()
        return sums


class Ring:
    """A BatchRing of nodewise, used as its documentation shows."""

    def __init__(self, elements):
        self.ring = nodewise.BatchRing.create(
            rows=1, cols=elements, dtype="f64", slots=SLOTS, producers="one", consumers="one"
        )
        self.consumer = None

    def produce(self):
        with self.ring.producer() as producer:
            for batch in range(TIMES):
                with producer.loan() as loan:
                    loan.array.fill(batch)
                    loan.publish()

    def consume(self):
        if self.consumer is None:
            self.consumer = self.ring.consumer()
        sums = []
        for _ in range(TIMES):
            with self.consumer.lease(PATIENCE) as lease:
                sums.append(lease.array.sum())
        return sums


def serve(way, go, cpus):
    os.sched_setaffinity(0, {max(cpus)})
    while go.recv():
        way.produce()


def measured_with(kind, mib, measured):
    """The time of one piece of work: TIMES batches of so many MiB, filled by another process, summed here."""
    elements = (mib << 20) // 8
    cpus = os.sched_getaffinity(0)
    way = kind(elements)
    here, there = FORK.Pipe()
    partner = FORK.Process(target=serve, args=(way, there, cpus), daemon=True)
    partner.start()
    os.sched_setaffinity(0, {min(cpus)})

    def work():
        here.send(True)
        return way.consume()
    nanoseconds, sums = measured(work)
    os.sched_setaffinity(0, cpus)
    here.send(False)
    partner.join()
    if sums != [batch * elements for batch in range(TIMES)]:
        raise RuntimeError("handover: something else arrived than was sent")
    return nanoseconds


KINDS = {"mp_queue": Queue, "mp_slots": SlotPool} | ({"nodewise_python": Ring} if nodewise else {})


def ways(mib, measured, order=tuple(KINDS)):
    return {way: measured_with(KINDS[way], mib, measured) for way in order}


def measured_once(work):
    """How many nanoseconds it takes after a first run, and what it gives."""
    work()
    begin = time.perf_counter_ns()
    given = work()
    return time.perf_counter_ns() - begin, given


def main(mib=32, rounds=9):
    forth, back = tuple(KINDS), tuple(reversed(KINDS))  # so that no way always comes after the same one
    results = [ways(int(mib), measured_once, back if i % 2 else forth) for i in range(int(rounds))]
    for way in KINDS:
        times = [result[way] / TIMES / 1e6 for result in results]
        line = f"{way}: {statistics.median(times):.2f} ms for a batch of {mib} MiB"
        if nodewise:
            ratios = sorted(result[way] / result["nodewise_python"] for result in results)
            line += f", {statistics.median(ratios):.2f} times the ring ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
