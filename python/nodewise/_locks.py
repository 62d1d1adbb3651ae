"""Locks, events and barriers between processes, spelled as in multiprocessing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from . import _native
from ._errors import InvalidArgument
from ._objects import Place, find_place, open_place
from ._waits import timeout_of, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    Self = TypeVar("Self", bound="_Named")


class _Named:
    """An object in a segment. It is pickled as two names."""

    __slots__ = ("_place", "_object", "_handle", "__weakref__")
    _place: Place
    _object: str
    _handle: _native.Handle

    def __init__(self, name: str | None) -> None:
        self._at(*find_place(name, 0))

    def _at(self, place: Place, inside: str) -> None:
        self._place, self._object = place, inside
        self._handle = self._open_handle()

    def _open_handle(self) -> _native.Handle:
        raise NotImplementedError

    @classmethod
    def _opened(cls: type[Self], segment: str, inside: str) -> Self:
        self = cls.__new__(cls)
        self._at(open_place(segment), inside)
        return self

    def __reduce__(self) -> Any:
        return _reopen, (type(self), self._place.name, self._object)

    def __repr__(self) -> str:
        return f"<nodewise.{type(self).__name__} {self._place.name}/{self._object}>"


def _reopen(kind: type[_Named], segment: str, inside: str) -> _Named:
    return kind._opened(segment, inside)


class Lock(_Named):
    """A lock between processes and threads, as multiprocessing.Lock. Not recursive.

    name  SEGMENT/OBJECT, by which other processes, also of C++ programs, find the lock; None: only those
          find it that this object is passed to

    If a process dies while it holds the lock, acquire() raises OwnerDied until repair() is called. The
    thread that acquired the lock releases it.
    """

    __slots__ = ()

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name)

    def _open_handle(self) -> _native.Handle:
        return _native.objects_mutex(self._place.handle, self._object)

    def _try(self, seconds: float) -> bool:
        """Also records that this thread is the owner."""
        return _native.mutex_lock(self._handle, seconds, self._place.owners, self._object)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquires the lock. Returns False if it is held by another thread or process: at once if `block`
        is False, else when `timeout` (in seconds) is over.

        Raises OwnerDied (the lock is not acquired) and SystemError (this thread holds the lock: EDEADLK).
        """
        limit = timeout_of(timeout) if block else 0.0
        # The first attempt does not wait: usually, the lock is free.
        return self._try(0.0) or (limit != 0 and wait(self._try, limit))

    def release(self) -> None:
        """Releases the lock. Raises InvalidArgument, a ValueError, if this thread does not hold it."""
        self._depth_held()
        _native.mutex_unlock(self._handle, self._place.owners, self._object)

    def _depth(self) -> int:
        """How often this thread has acquired the lock."""
        thread, depth = self._place.owners.get(self._object, (0, 0))
        return depth if thread == threading.get_native_id() else 0

    def _depth_held(self) -> int:
        depth = self._depth()
        if depth == 0:
            raise InvalidArgument("release: this thread does not hold the lock")
        return depth

    def repair(self, function: Callable[[], object] | None = None) -> bool:
        """Locks; if a process died while it held the lock, calls `function`, which repairs the data that
        the lock guards, and marks the data as repaired, unless the function raises; then unlocks. Returns
        whether the data was marked."""
        return _native.mutex_repair(self._handle, function)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    """As Lock, but the thread that holds it may acquire it again; it then releases it as often."""

    __slots__ = ()

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquires the lock, as Lock.acquire(), or once more."""
        depth = self._depth()
        if depth == 0:
            return super().acquire(block, timeout)
        self._place.owners[self._object] = (threading.get_native_id(), depth + 1)
        return True

    def release(self) -> None:
        """Takes back one acquire(). Raises InvalidArgument if this thread does not hold the lock."""
        depth = self._depth_held()
        if depth == 1:
            super().release()
        else:
            self._place.owners[self._object] = (threading.get_native_id(), depth - 1)


class Event(_Named):
    """A flag that processes wait for, as multiprocessing.Event. `name` as for Lock."""

    __slots__ = ()

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name)

    def _open_handle(self) -> _native.Handle:
        return _native.objects_event(self._place.handle, self._object)

    def set(self) -> None:
        """Sets the flag, and wakes all that wait."""
        _native.event_set(self._handle)

    def clear(self) -> None:
        """Takes the flag down."""
        _native.event_clear(self._handle)

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return bool(_native.event_is_set(self._handle))

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the flag is set, or `timeout` (in seconds) is over; returns whether it was set. A
        flag that is cleared at once after it was set may not be noticed."""
        return bool(wait(lambda seconds: _native.event_wait(self._handle, seconds), timeout))


class Barrier(_Named):
    """A barrier for `parties` processes or threads, as multiprocessing.Barrier.

    action   must be None: no action can be run before the parties are released
    timeout  the timeout of wait() if that is given none
    name     as for Lock
    """

    __slots__ = ("_parties", "_timeout")

    def __init__(
        self, parties: int, action: None = None, timeout: float | None = None, *, name: str | None = None
    ) -> None:
        if action is not None:
            raise InvalidArgument(
                "Barrier: there are no actions; let the party that gets 0 from wait() act"
            )
        self._parties, self._timeout = parties, timeout_of(timeout)
        super().__init__(name)

    def _open_handle(self) -> _native.Handle:
        return _native.objects_barrier(self._place.handle, self._object, self._parties)

    def __reduce__(self) -> Any:
        return _reopen_barrier, (self._place.name, self._object, self._parties, self._timeout)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the other parties; returns how many had arrived before, 0 to parties - 1. When
        `timeout` (in seconds) is over, or an exception of a signal handler such as KeyboardInterrupt ends
        the wait, the barrier breaks for all parties. Raises BrokenBarrier."""
        limit = self._timeout if timeout is None else timeout_of(timeout)
        return _native.barrier_wait(self._handle, -1.0 if limit is None else limit)

    def reset(self) -> None:
        """Makes a broken barrier usable again. Parties that wait get BrokenBarrier."""
        _native.barrier_reset(self._handle)

    def abort(self) -> None:
        """Breaks the barrier until reset() is called."""
        _native.barrier_give_up(self._handle)

    @property
    def parties(self) -> int:
        """How many have to arrive."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many wait now."""
        return _native.barrier_describe(self._handle)[1]

    @property
    def broken(self) -> bool:
        """Whether the barrier is broken."""
        return _native.barrier_describe(self._handle)[2]


def _reopen_barrier(segment: str, inside: str, parties: int, timeout: float | None) -> Barrier:
    self = Barrier.__new__(Barrier)
    self._parties, self._timeout = parties, timeout
    self._at(open_place(segment), inside)
    return self
