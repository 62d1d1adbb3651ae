"""Batches from one Python process to another: through multiprocessing's queue, and through slots in shared
memory, which is the fastest that the standard library has to offer."""
import mmap
import multiprocessing
import os

import numpy

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


def ways(mib, measured):
    kinds = {"mp_queue": Queue, "mp_slots": SlotPool}
    return {way: measured_with(kind, mib, measured) for way, kind in kinds.items()}
