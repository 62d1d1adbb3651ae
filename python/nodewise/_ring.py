"""Rings: batches that processes hand over where they lie, without a copy."""

from __future__ import annotations

import operator
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._errors import InvalidArgument, Timeout
from ._types import DTYPES, PAGES, array_over, choice, dtype_number, numpy_dtype
from ._waits import open_patiently, timeout_of, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from ._machine import Topology

    Array = np.ndarray[Any, Any]

_ENDS = {"many": 0, "one": 1}


class BatchTag(NamedTuple):
    """Two numbers that a producer attaches to a batch. nodewise does not interpret them."""

    batch: int
    user: int


class RingCounts(NamedTuple):
    """Sums over all producers and consumers since the ring was made; waits are counted and timed when they
    slept."""

    published: int
    returned: int
    redelivered: int
    recovered: int
    producer_waits: int
    consumer_waits: int
    producer_waited_ns: int
    consumer_waited_ns: int


class BatchRing:
    """A ring of slots in shared memory, each with room for one batch. A producer borrows a free slot, fills
    it and publishes it; one consumer gets it, reads it, and gives it back. Processes may start, end and be
    killed at any moment. docs/shared-memory.md explains rings.

    BatchRing.create() and BatchRing.open() make one. A ring is pickled as its name.

    >>> ring = BatchRing.create(rows=2, cols=3, dtype="f64")
    >>> with ring.producer() as producer, ring.consumer() as consumer:
    ...     with producer.loan() as loan:
    ...         loan.array[:] = 1.5
    ...         loan.publish(batch=7)
    ...     ring.close()
    ...     for lease in consumer:
    ...         print(lease.tag.batch, lease.array.sum())
    7 9.0
    """

    __slots__ = ("_handle", "_pages", "_base", "_name", "_slots", "_rows", "_cols", "_dtype", "_arrays")
    _handle: _native.Handle
    _pages: _native.Handle
    _base: int
    _name: str
    _slots: int
    _rows: int
    _cols: int
    _dtype: int
    _arrays: dict[int, Array]

    def __init__(self) -> None:
        raise TypeError("make a ring by BatchRing.create(), or open one by BatchRing.open()")

    @classmethod
    def _of(cls, handle: _native.Handle) -> BatchRing:
        self = cls.__new__(cls)
        self._handle = handle
        self._name, self._slots, self._rows, self._cols, self._dtype, _ = _native.ring_describe(handle)
        self._pages = _native.ring_pages(handle)
        self._base = _native.pages_range(self._pages)[0]
        self._arrays = {}
        return self

    @classmethod
    def create(
        cls,
        name: str | None = None,
        *,
        rows: int = 0,
        cols: int = 0,
        dtype: Any = "f32",
        slots: int = 8,
        producers: str = "many",
        consumers: str = "many",
        node: int | None = None,
        pages: str = "automatic",
        machine: Topology | None = None,
    ) -> BatchRing:
        """Makes a ring.

        name        of its segment; None: a name that no other process knows
        rows, cols  the most rows of a batch, and the columns of every batch; both 0: tags only
        slots       1 to 65536, rounded up to a power of two
        producers   'one' is faster than 'many', and refuses a second producer; so for `consumers`
        node        the node (logical index) of the slots; None: that of the calling thread

        Raises InvalidArgument, SystemError (FileExistsError: the name is taken), PlacementError and
        OutOfRange.
        """
        if slots < 1:
            raise InvalidArgument(f"slots is {slots}; a ring has at least one")
        if node is not None and operator.index(node) < 0:
            raise InvalidArgument(f"node is {node}; nodes are counted from 0")
        handle = _native.ring_create(
            f"py.{os.getpid()}.{os.urandom(8).hex()}" if name is None else name,
            slots,
            rows,
            cols,
            dtype_number(dtype),
            choice(_ENDS, producers, "producers"),
            choice(_ENDS, consumers, "consumers"),
            choice(PAGES, pages, "pages"),
            -1 if node is None else operator.index(node),
            None if machine is None else machine._handle,
        )
        return cls._of(handle)

    @classmethod
    def open(cls, name: str, *, timeout: float | None = None) -> BatchRing:
        """Opens a ring that another process has made; if it is still making it, waits, at most for
        `timeout` (in seconds). Raises SystemError (FileNotFoundError), Timeout and InvalidArgument (the
        segment holds something else)."""
        return cls._of(open_patiently(_native.ring_open, name, timeout))

    def __reduce__(self) -> Any:
        return BatchRing.open, (self._name,)

    def producer(self, *, spin: float | None = None) -> RingProducer:
        """Takes part as a producer. To wait, it polls for `spin` seconds (None: 20 microseconds) and then
        sleeps. Raises SystemError (EBUSY: too many take part)."""
        return RingProducer(self, _native.ring_make_producer(self._handle, _spin_of(spin)))

    def consumer(self, *, spin: float | None = None) -> RingConsumer:
        """Takes part as a consumer. `spin` and errors as for producer()."""
        return RingConsumer(self, _native.ring_make_consumer(self._handle, _spin_of(spin)))

    def close(self) -> None:
        """Ends the work: nothing more is borrowed; what is on loan may be published, and what is published
        is delivered."""
        _native.ring_close(self._handle)

    @property
    def closed(self) -> bool:
        """Whether a process has called close()."""
        return _native.ring_describe(self._handle)[5]

    def drain(self, timeout: float | None = None) -> bool:
        """Waits until the ring is closed and all slots are free. Returns False if `timeout` (in seconds)
        was over first."""
        return bool(wait(lambda seconds: _native.ring_drain(self._handle, seconds), timeout))

    def recover(self) -> int:
        """Takes back the slots of processes that died, and returns their number. Producers and consumers
        that wait do the same."""
        return _native.ring_recover(self._handle)

    def counts(self) -> RingCounts:
        """What happened since the ring was made."""
        return RingCounts(*_native.ring_count(self._handle))

    @property
    def name(self) -> str:
        """The name of the segment, for open()."""
        return self._name

    @property
    def slots(self) -> int:
        """The number of slots."""
        return self._slots

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of a slot"""
        return self._rows, self._cols

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the elements. bfloat16 needs the package ml_dtypes; without it, uint16."""
        return numpy_dtype(self._dtype)

    def _slot(self, address: int) -> Array:
        """The slot at an address, as an array. Each is made once."""
        found = self._arrays.get(address)
        return self._make_array(address) if found is None else found

    def _make_array(self, address: int) -> Array:
        element = DTYPES[self._dtype]
        offset = address - self._base if self._cols > 0 else 0
        strides = (self._cols * element.bytes, element.bytes)
        memory = _native.Memory(self._pages, offset, self.shape, strides, element.format, element.bytes)
        array = array_over(memory, self._dtype)
        self._arrays[address] = array
        return array

    def __repr__(self) -> str:
        return (
            f"<nodewise.BatchRing {self._name!r}: {self._slots} slots of {self._rows} x {self._cols} "
            f"{DTYPES[self._dtype].name}>"
        )


def _spin_of(spin: float | None) -> float:
    seconds = timeout_of(spin)
    return -1.0 if seconds is None else seconds


class _Member:
    """A producer or consumer. It takes part until it is closed and its loans or leases have ended. One
    thread at a time may use it; what another thread gives back meanwhile is freed as soon as that thread
    is done.
    """

    __slots__ = ("_ring", "_handle", "_alone", "_given_back", "_process", "__weakref__")

    def __init__(self, ring: BatchRing, handle: _native.Handle) -> None:
        self._ring, self._handle = ring, handle
        self._alone = threading.Lock()
        self._given_back: list[_native.Handle] = []
        self._process = os.getpid()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._process != os.getpid():  # a thread of the parent may have held the lock during the fork
            self._alone, self._process = threading.Lock(), os.getpid()
        if not self._alone.acquire(blocking=False):
            raise InvalidArgument("another thread uses this producer or consumer; give each thread its own")
        try:
            return function(*arguments)
        finally:
            self._alone.release()
            self._free_given_back()

    def _give_back(self, handle: _native.Handle) -> None:
        self._given_back.append(handle)
        self._free_given_back()

    def _free_given_back(self) -> None:
        while self._given_back and self._alone.acquire(blocking=False):
            try:
                while self._given_back:
                    self._given_back.pop().close()
            finally:
                self._alone.release()

    def close(self) -> None:
        """Takes part no longer, as soon as the loans or leases have ended. Further calls do nothing."""
        self._call(self._handle.close)

    def __exit__(self, *_: object) -> None:
        self.close()


class RingProducer(_Member):
    """Borrows slots and publishes batches. BatchRing.producer() makes it. A context manager."""

    __slots__ = ()

    def __enter__(self) -> RingProducer:
        return self

    def loan(self, timeout: float | None = None) -> RingLoan | None:
        """Waits for a free slot. Returns None if the ring is closed. Raises Timeout when `timeout` (in
        seconds) is over, and FormatError if the ring is damaged."""

        def borrow(seconds: float) -> RingLoan | bool:
            handle = _native.ring_borrow(self._handle, seconds)
            return self._ring.closed if handle is None else RingLoan(self, handle)

        found: RingLoan | bool = wait(lambda seconds: self._call(borrow, seconds), timeout)
        if found is False:
            raise Timeout(f"loan: no slot of {self._ring!r} was free within {timeout} s")
        return found if isinstance(found, RingLoan) else None


class RingConsumer(_Member):
    """Gets published batches. BatchRing.consumer() makes it. A context manager, and an iterator over
    leases, each of which ends when the next one is asked for."""

    __slots__ = ()

    def __enter__(self) -> RingConsumer:
        return self

    def lease(self, timeout: float | None = None) -> RingLease | None:
        """Waits for a batch. Returns None if the ring is closed and no batch comes any more. Raises Timeout
        when `timeout` (in seconds) is over, and FormatError if the ring is damaged."""

        def take(seconds: float) -> RingLease | bool:
            handle = _native.ring_take(self._handle, seconds)
            if handle is None:
                return bool(_native.ring_consumer_ended(self._handle))
            return RingLease(self, handle)

        found: RingLease | bool = wait(lambda seconds: self._call(take, seconds), timeout)
        if found is False:
            raise Timeout(f"lease: no batch came through {self._ring!r} within {timeout} s")
        return found if isinstance(found, RingLease) else None

    def ended(self) -> bool:
        """Whether the ring is closed and no batch comes any more for this consumer."""
        return bool(self._call(_native.ring_consumer_ended, self._handle))

    def __iter__(self) -> Iterator[RingLease]:
        while (lease := self.lease()) is not None:
            with lease:
                yield lease


class _Borrowed:
    """A slot that is borrowed, until close()."""

    __slots__ = ("_member", "_handle", "_address", "_rows")

    def __init__(self, member: _Member, handle: _native.Handle, view: tuple[int, int, int]) -> None:
        self._member = member
        self._handle: _native.Handle | None = handle
        self._address, self._rows, _ = view

    def _check(self) -> _native.Handle:
        if self._handle is None:
            raise InvalidArgument("the slot was given back: this loan or lease has ended")
        return self._handle

    @property
    def array(self) -> Array:
        """The rows as an array of (rows, columns) over the slot: nothing is copied. When the loan or lease
        has ended, the array shows what other processes do with the slot; copy what is still needed."""
        self._check()
        return self._member._ring._slot(self._address)[: self._rows]

    def close(self) -> None:
        """Gives the slot back. Further calls do nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._member._give_back(handle)

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


class RingLoan(_Borrowed):
    """A slot to fill. If it ends before publish(), the slot is free again. A context manager."""

    __slots__ = ()

    def __init__(self, producer: RingProducer, handle: _native.Handle) -> None:
        super().__init__(producer, handle, _native.ring_loan_view(handle))

    def __enter__(self) -> RingLoan:
        return self

    def publish(self, rows: int | None = None, *, batch: int = 0, user: int = 0) -> None:
        """Lets a consumer have the first `rows` rows (None: all), with a tag of two numbers, 0 to 2**64 -
        1. Ends the loan. Raises InvalidArgument if the slot has fewer rows; the loan then goes on."""
        handle = self._check()
        count = self._rows if rows is None else operator.index(rows)
        self._member._call(_native.ring_publish, handle, count, batch, user)
        self.close()


class RingLease(_Borrowed):
    """A published batch. A context manager."""

    __slots__ = ("_tag", "_redelivered")

    def __init__(self, consumer: RingConsumer, handle: _native.Handle) -> None:
        super().__init__(consumer, handle, _native.ring_lease_view(handle))
        batch, user, redelivered = _native.ring_lease_tag(handle)
        self._tag, self._redelivered = BatchTag(batch, user), bool(redelivered)

    def __enter__(self) -> RingLease:
        return self

    @property
    def array(self) -> Array:
        """The published rows, which may only be read; else as RingLoan.array."""
        rows = super().array
        rows.flags.writeable = False
        return rows

    @property
    def tag(self) -> BatchTag:
        """The numbers that the producer gave."""
        return self._tag

    @property
    def redelivered(self) -> bool:
        """Whether another consumer had this batch, and died. It may have done a part of its work."""
        return self._redelivered
