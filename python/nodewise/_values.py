"""Numbers and arrays that processes share, spelled as in multiprocessing."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import InvalidArgument, OutOfRange
from ._locks import Lock, RLock
from ._objects import Place, find_place, open_place
from ._types import DTYPES, dtype_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The type codes of the modules array and struct, which are also the formats of buffers, and the numbers of
# the element types.
_CODES = {
    "b": 8,
    "B": 12,
    "h": 7,
    "H": 11,
    "i": 6,
    "I": 10,
    "l": 5,
    "L": 9,
    "q": 5,
    "Q": 9,
    "f": 2,
    "d": 1,
    "?": 12,
}
_OTHERS = {"f16", "bf16"}
_CTYPES = {
    "b": "c_byte",
    "B": "c_ubyte",
    "h": "c_short",
    "H": "c_ushort",
    "i": "c_int",
    "I": "c_uint",
    "l": "c_long",
    "L": "c_ulong",
    "q": "c_longlong",
    "Q": "c_ulonglong",
    "f": "c_float",
    "d": "c_double",
    "?": "c_bool",
}


def _type_of(typecode_or_type: Any) -> tuple[int, str]:
    """The number of the element type, and its format. Takes a type code, a type of ctypes, and what
    dtype_number() takes."""
    code = getattr(typecode_or_type, "_type_", typecode_or_type)  # of a type of ctypes
    if isinstance(code, str) and code in _CODES:
        return _CODES[code], code
    if typecode_or_type in (bool, "bool"):
        return _CODES["?"], "?"
    # NumPy takes None as float64, and has meanings of its own for texts and pointers of ctypes ('c', ...).
    if code is not None and code not in ("c", "u", "z", "Z", "P", "O"):
        try:
            number = dtype_number(typecode_or_type)
        except (InvalidArgument, TypeError):
            number = 0
        if number in DTYPES and DTYPES[number].name not in _OTHERS:
            return number, DTYPES[number].format
    raise InvalidArgument(
        f"{typecode_or_type!r} is no type of shared numbers; it may be one of the type codes "
        f"{' '.join(_CODES)}, a ctypes number, or an integer, float32 or float64 of NumPy"
    )


class _Guarded:
    """What has a lock beside it."""

    _place: Place
    _object: str
    _dtype: int
    _format: str
    _lock: Lock | None

    def _make_lock(self, lock: bool | Lock) -> None:
        if isinstance(lock, Lock):
            self._lock = lock
        else:
            self._lock = RLock._opened(self._place.name, f"{self._object} lock") if lock else None

    def get_lock(self) -> Lock:
        """The lock of this object. Raises InvalidArgument if it was made with lock=False."""
        if self._lock is None:
            raise InvalidArgument("get_lock: this object was made with lock=False")
        return self._lock

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquires the lock, as Lock.acquire()."""
        return self.get_lock().acquire(block, timeout)

    def release(self) -> None:
        """Releases the lock."""
        self.get_lock().release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Value(_Guarded):
    """A number that processes share, as multiprocessing.Value.

    typecode_or_type  'i', 'd', ..., a number type of ctypes such as c_bool, or a NumPy type
    args              the first value; 0 if there is none
    lock              True: get_lock() is a lock of this number; a Lock or RLock: that one; False: none
    name              SEGMENT/OBJECT, by which other processes, also of C++ programs, find the number; None:
                      only those find it that this object is passed to

    Each read and each write is atomic. `value += 1` is a read and a write: use fetch_add(), or hold the lock.

    >>> counter = Value("i", 5)
    >>> with counter.get_lock():
    ...     counter.value += 1
    >>> counter.fetch_add(10), counter.value
    (6, 16)
    """

    _handle: _native.Handle

    def __init__(
        self, typecode_or_type: Any, *args: Any, lock: bool | Lock = True, name: str | None = None
    ) -> None:
        self._dtype, self._format = _type_of(typecode_or_type)
        if len(args) > 1:
            raise TypeError(f"Value takes one first value, and was given {len(args)}")
        self._place, self._object = find_place(name, 8)
        self._open_handle(self._given(args[0] if args else 0))
        self._make_lock(lock)

    def _open_handle(self, first: Any) -> None:
        self._handle = _native.objects_value(self._place.handle, self._object, self._dtype, first)

    def _given(self, number: Any) -> Any:
        return bool(number) if self._format == "?" else number

    def _read(self, number: Any) -> Any:
        return bool(number) if self._format == "?" else number

    @property
    def value(self) -> Any:
        """The number. A write raises ValueError or OverflowError if the type cannot hold the number."""
        return self._read(_native.value_load(self._handle, self._dtype))

    @value.setter
    def value(self, number: Any) -> None:
        _native.value_store(self._handle, self._dtype, self._given(number))

    def load(self) -> Any:
        """The number."""
        return self.value

    def store(self, number: Any) -> None:
        """Sets the number."""
        self.value = number

    def exchange(self, number: Any) -> Any:
        """Sets the number; returns the one that was there."""
        return self._read(_native.value_exchange(self._handle, self._dtype, self._given(number)))

    def compare_exchange(self, expected: Any, desired: Any) -> tuple[bool, Any]:
        """Sets the number to `desired` if it is `expected`, bit by bit. Returns whether it did, and the
        number that was there."""
        stored, before = _native.value_compare_exchange(
            self._handle, self._dtype, self._given(expected), self._given(desired)
        )
        return stored, self._read(before)

    def fetch_add(self, number: Any) -> Any:
        """Adds to the number; returns the one that was there. Integers wrap around."""
        if self._format == "?":
            raise InvalidArgument("fetch_add: a bool is no number to add to; use exchange()")
        return _native.value_fetch_add(self._handle, self._dtype, number)

    def get_obj(self) -> Value:
        """This object, whose reads and writes need no lock."""
        return self

    def __reduce__(self) -> Any:
        return _open_value, (self._place.name, self._object, self._dtype, self._format, self._lock)

    def __repr__(self) -> str:
        return f"<nodewise.Value {self._format!r}: {self.value}>"


def _open_value(segment: str, inside: str, dtype: int, code: str, lock: Lock | None) -> Value:
    self = Value.__new__(Value)
    self._place, self._object = open_place(segment), inside
    self._dtype, self._format, self._lock = dtype, code, lock
    self._open_handle(0)
    return self


class Array(_native.Elements, _Guarded):
    """An array that processes share, as multiprocessing.Array: it has a length, indices and slices, and it is
    a buffer, so that np.frombuffer(array, dtype) and np.asarray(array) share its memory.

    typecode_or_type     as for Value
    size_or_initializer  the number of elements, which are 0 at first, or a sequence of them
    lock, name           as for Value; the elements of a named array are 0 at first

    Elements are plain memory: hold the lock where one process writes what another one uses. An array of NumPy
    over the memory keeps it.

    >>> numbers = Array("d", [1.5, 2.5])
    >>> numbers[1] = 4
    >>> numbers[:], len(numbers)
    ([1.5, 4.0], 2)
    >>> import numpy as np
    >>> np.frombuffer(numbers.get_obj()).sum()
    5.5
    """

    _view: memoryview[Any]

    def __init__(
        self,
        typecode_or_type: Any,
        size_or_initializer: Any,
        *,
        lock: bool | Lock = True,
        name: str | None = None,
    ) -> None:
        self._dtype, self._format = _type_of(typecode_or_type)
        first: list[Any] | None = None
        try:
            size = operator.index(size_or_initializer)
        except TypeError:
            first = list(size_or_initializer)
            size = len(first)
        if not 0 < size < 2**60:
            raise InvalidArgument(f"Array: {size} elements; an array has at least one, and less than 2**60")
        if first is not None and name is not None:
            raise InvalidArgument(
                "Array: the elements of a named array are 0 at first, because any process may make it; give "
                "its size"
            )
        self._place, self._object = find_place(name, size * DTYPES[self._dtype].bytes)
        self._open(size)
        self._make_lock(lock)
        if first is not None:
            self[:] = first

    def _open(self, size: int) -> None:
        item = DTYPES[self._dtype].bytes
        handle = _native.objects_array(self._place.handle, self._object, self._dtype, size)
        memory = _native.Memory(_native.array_pages(handle), 0, (size,), (item,), self._format, item)
        self._share(memory)
        self._view = memoryview(memory)

    def __len__(self) -> int:
        return len(self._view)

    def _index(self, index: Any) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise OutOfRange(f"there is no element {number}; there are {len(self)}")
        return number

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._view[index].tolist()
        return self._view[self._index(index)]

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            self._view[self._index(index)] = value
            return
        part = self._view[index]
        values = value if hasattr(value, "__len__") else list(value)
        if len(values) != len(part):
            raise InvalidArgument(f"{len(values)} values for {len(part)} elements; an array does not grow")
        part[:] = _packed(values, self._format)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view)

    def get_obj(self) -> Any:
        """The elements as an array of ctypes, which shares the memory: np.frombuffer(array.get_obj()) is the
        usual way from multiprocessing.Array to NumPy."""
        import ctypes

        kind = getattr(ctypes, _CTYPES[self._format])
        return (kind * len(self)).from_buffer(self._view)

    def __reduce__(self) -> Any:
        return _open_array, (
            self._place.name,
            self._object,
            self._dtype,
            self._format,
            len(self),
            self._lock,
        )

    def __repr__(self) -> str:
        return f"<nodewise.Array {self._format!r}: {len(self)} elements>"


def _packed(values: Iterable[Any], code: str) -> memoryview[Any]:
    """The numbers as a buffer of the format."""
    try:
        given: memoryview[Any] = memoryview(values)  # type: ignore[arg-type]
        if given.format == code and given.ndim == 1:
            return given
    except TypeError:
        pass
    numbers = list(values)
    try:
        packed: Any = memoryview(struct.pack(f"{len(numbers)}{code}", *numbers))
    except struct.error as error:
        raise InvalidArgument(f"the values do not fit the type {code!r}: {error}") from None
    view: memoryview[Any] = packed.cast(code)
    return view


def _open_array(segment: str, inside: str, dtype: int, code: str, size: int, lock: Lock | None) -> Array:
    self = Array.__new__(Array)
    self._place, self._object = open_place(segment), inside
    self._dtype, self._format, self._lock = dtype, code, lock
    self._open(size)
    return self
