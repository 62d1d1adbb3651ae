"""The segments in which shared objects lie, and how processes find them: by the names of the segment and of
the object, which is also what is pickled."""

from __future__ import annotations

import itertools
import os
import threading
import weakref

from . import _native
from ._errors import InvalidArgument
from ._waits import open_patiently

_SMALL = 16 << 10  # the bytes of an object that shares its segment with others
_ARENA = 64 << 10  # the room for objects in a shared segment
_MOST_OBJECTS = 512
_NAMED = 1 << 20  # the room for objects in a segment that the caller names
_OVERHEAD = 512  # an object is rounded up to 128 bytes, and may have a lock beside it


class Place:
    """A segment of objects that this process has open. `owners` says which thread holds which lock, and how
    many times. Threads are numbered by the kernel: other numbers are given again as soon as a thread ends.
    """

    __slots__ = ("name", "handle", "owners", "__weakref__")

    def __init__(self, name: str, handle: _native.Handle) -> None:
        self.name, self.handle = name, handle
        self.owners: dict[str, tuple[int, int]] = {}


_open: weakref.WeakValueDictionary[str, Place] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)
_lock = threading.Lock()
_arena: weakref.ref[Place] | None = None


def _forget_arena() -> None:
    """A forked child makes objects in a segment of its own: it does not hold those of its parent."""
    global _arena, _lock
    _arena, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_arena)


def _keep(name: str, handle: _native.Handle) -> Place:
    return _open.setdefault(name, Place(name, handle))


def _create(room: int) -> Place:
    name = f"py.{os.getpid()}.{os.urandom(8).hex()}"
    return _keep(name, _native.objects_create(name, room))


def _arena_with(room: int) -> Place:
    """The segment of small objects. It lives as long as one of its objects. Objects cannot be removed from
    it, so when it is full, another one follows."""
    global _arena
    place = _arena() if _arena is not None else None
    if (
        place is None
        or _native.objects_bytes_left(place.handle) < room
        or _native.objects_count(place.handle) + 2 > _MOST_OBJECTS
    ):
        place = _create(_ARENA)
        _arena = weakref.ref(place)
    return place


def find_place(name: str | None, size: int) -> tuple[Place, str]:
    """Where an object of `size` bytes lies, or is to be made: the segment, and the name of the object. A
    name is SEGMENT/OBJECT; None is an object that other processes find only through a pickle."""
    room = size + _OVERHEAD
    if name is None:
        with _lock:
            place = _create(room) if room > _SMALL else _arena_with(room)
        return place, f"{next(_numbers)}"
    if not isinstance(name, str):
        raise TypeError(f"name is a str or None, and not {type(name).__name__}")
    segment, _, inside = name.partition("/")
    if not segment or not inside:
        raise InvalidArgument(
            f"name is {name!r}; it is SEGMENT/OBJECT: 'job/done' is the object 'done' in the segment 'job'"
        )
    return _open_or_create(segment, max(_NAMED, room)), inside


def _open_or_create(segment: str, room: int) -> Place:
    while True:
        try:
            return open_place(segment)
        except FileNotFoundError:
            pass
        try:
            return _keep(segment, _native.objects_create(segment, room))
        except FileExistsError:  # another process was faster, and may be making it
            pass


def open_place(segment: str) -> Place:
    """A segment that exists."""
    return _open.get(segment) or _keep(segment, open_patiently(_native.objects_open, segment, None))
