#!/usr/bin/env python3
"""Goal: a ring hands batches over without a copy, with their tags, and says when it is closed, full or empty.
Method: producer and consumer in one process, on threads where one waits for the other; what is written into a
loan is read from the lease. processes_test.py does the same between processes.
"""

import os
import pickle
import threading
import unittest

import numpy as np

import nodewise
from nodewise import BatchRing, Timeout
from support import forked

LONG = 60  # seconds, for waits that end early


class Rings(unittest.TestCase):
    def test_a_batch(self):
        ring = BatchRing.create(rows=3, cols=2, dtype="i32", slots=2)
        with ring.producer() as producer, ring.consumer() as consumer:
            with producer.loan() as loan:
                self.assertEqual((loan.array.shape, loan.array.dtype), ((3, 2), np.int32))
                loan.array[:2] = [[1, 2], [3, 4]]
                loan.publish(2, batch=2**64 - 1, user=9)
            with consumer.lease() as lease:
                self.assertEqual(lease.array.tolist(), [[1, 2], [3, 4]])
                self.assertEqual(lease.tag, (2**64 - 1, 9))
                self.assertFalse(lease.redelivered)
                with self.assertRaises(ValueError):
                    lease.array[0, 0] = 1
            with self.assertRaises(ValueError):
                lease.array
        counts = ring.counts()
        self.assertEqual((counts.published, counts.returned), (1, 1))

    def test_the_slot_itself_is_handed_over(self):
        ring = BatchRing.create(rows=2, cols=2, dtype="f64", slots=1)
        with ring.producer() as producer, ring.consumer() as consumer:
            loan = producer.loan()
            written = loan.array
            loan.publish()
            lease = consumer.lease()
            self.assertTrue(np.shares_memory(written, lease.array))
            lease.close()

    def test_every_type(self):
        for name in ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bf16"):
            ring = BatchRing.create(rows=2, cols=3, dtype=name)
            with ring.producer() as producer, ring.consumer() as consumer:
                loan = producer.loan()
                self.assertEqual(loan.array.dtype, ring.dtype)
                loan.array[:] = 5
                loan.publish()
                self.assertEqual(float(consumer.lease().array.sum()), 30, name)

    def test_time_and_ends(self):
        ring = BatchRing.create(slots=1, rows=1, cols=1)
        with ring.producer() as producer, ring.consumer() as consumer:
            with self.assertRaises(TimeoutError):
                consumer.lease(0)
            with self.assertRaises(Timeout):
                consumer.lease(0.12)
            loan = producer.loan()
            with self.assertRaises(TimeoutError):
                producer.loan(0.12)
            loan.close()
            loan = producer.loan(0)  # the slot came back
            self.assertFalse(ring.closed)
            ring.close()
            self.assertTrue(ring.closed)
            self.assertIsNone(producer.loan())
            self.assertFalse(ring.drain(0.12))
            loan.publish(batch=4)
            self.assertFalse(consumer.ended())
            self.assertEqual([lease.tag.batch for lease in consumer], [4])
            self.assertTrue(consumer.ended())
            self.assertIsNone(consumer.lease())
            self.assertTrue(ring.drain())

    def test_a_loan_that_is_dropped_comes_back(self):
        ring = BatchRing.create(slots=1, rows=1, cols=1)
        producer, consumer = ring.producer(), ring.consumer()
        for _ in range(3):
            producer.loan(0)  # nothing keeps it
        producer.loan(0).publish()
        consumer.lease(0)
        producer.loan(0).publish()

    def test_tags_alone(self):
        ring = BatchRing.create(slots=4)
        with ring.producer() as producer, ring.consumer() as consumer:
            for batch in range(4):
                producer.loan().publish(0, batch=batch)
            ring.close()
            self.assertEqual([lease.tag.batch for lease in consumer], [0, 1, 2, 3])

    def test_names_and_pickles(self):
        name = f"ring-py.{os.getpid()}"
        ring = BatchRing.create(name, rows=5, cols=2, dtype="u8", slots=3, producers="one", node=0)
        for other in (BatchRing.open(name, timeout=LONG), pickle.loads(pickle.dumps(ring))):
            self.assertEqual((other.name, other.shape, other.slots), (name, (5, 2), 4))
        with ring.producer():
            with self.assertRaises(OSError):
                ring.producer()
        with self.assertRaises(FileExistsError):
            BatchRing.create(name)
        del ring, other
        with self.assertRaises(FileNotFoundError):
            BatchRing.open(name)

    def test_an_array_outlives_the_ring(self):
        ring = BatchRing.create(rows=2, cols=2)
        producer = ring.producer()
        array = producer.loan().array
        del ring, producer
        array[:] = 3
        self.assertEqual(array.sum(), 12)

    def test_one_thread_at_a_time(self):
        """What another thread gives back while one waits is freed, and other calls are an error."""
        ring = BatchRing.create(slots=1, rows=1, cols=1)
        producer, consumer = ring.producer(), ring.consumer()
        producer.loan().publish(batch=1)
        lease = consumer.lease()
        found = []
        thread = threading.Thread(target=lambda: found.append(consumer.lease(LONG)))
        thread.start()
        while True:  # until the thread is inside its wait
            try:
                consumer.ended()
            except ValueError as error:
                self.assertIn("thread", str(error))
                break
        lease.close()
        producer.loan(LONG).publish(batch=2)  # once the slot is back
        thread.join()
        self.assertEqual(found[0].tag.batch, 2)

    def test_a_forked_child(self):
        """It takes part by itself; the loans and leases of its parent remain the parent's."""
        ring = BatchRing.create(slots=4, rows=1, cols=1)
        producer, consumer = ring.producer(), ring.consumer()
        producer.loan().publish(batch=1)
        loan, lease = producer.loan(), consumer.lease()

        def in_child():
            lease.close()
            loan.close()
            producer.loan(LONG).publish(batch=3)

        self.assertEqual(forked(in_child), 0)
        loan.publish(batch=2)
        self.assertEqual(lease.tag.batch, 1)
        lease.close()
        self.assertEqual([consumer.lease(LONG).tag.batch for _ in range(2)], [2, 3])
        self.assertEqual(ring.counts().redelivered, 0)

    def test_a_producer_that_is_killed(self):
        ring = BatchRing.create(slots=1, rows=1, cols=1)

        def in_child():
            producer = ring.producer()
            loan = producer.loan()
            os.kill(os.getpid(), 9 if loan is not None else 15)

        self.assertEqual(forked(in_child), 9)
        with ring.producer() as producer:
            producer.loan(LONG).publish()

    def test_a_consumer_that_is_killed(self):
        ring = BatchRing.create(slots=2, rows=1, cols=1)
        with ring.producer() as producer:
            producer.loan().publish(batch=3)

        def in_child():
            consumer = ring.consumer()
            lease = consumer.lease()
            os.kill(os.getpid(), 9 if lease.tag.batch == 3 else 15)

        self.assertEqual(forked(in_child), 9)
        with ring.consumer() as consumer:
            lease = consumer.lease(LONG)
            self.assertTrue(lease.redelivered)
            self.assertEqual(lease.tag.batch, 3)
            lease.close()
        self.assertEqual(ring.counts().redelivered, 1)
        self.assertEqual(ring.recover(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
