"""Lists and dictionaries that processes share, in a directory that outlives them."""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, TypeVar

from . import _native
from ._errors import Error, InvalidArgument, OutOfRange
from ._types import DTYPES, U8, dtype_number, numpy_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Result = TypeVar("Result")

# C++ stores text and bytes alike. So bytes are stored as an array of u8 with a shape that no other array
# may have: seven dimensions of 1, and the bytes.
_BYTES_SHAPE = (1,) * 7
_MISSING = object()


class KeyNotFound(Error, KeyError):
    """There is no such key in a managed dictionary."""


def _stored(value: Any) -> Any:
    """A value as the extension takes it."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytes, bytearray)):
        return U8, (*_BYTES_SHAPE, len(value)), bytes(value)
    if not hasattr(value, "__array_interface__"):
        raise TypeError(
            f"a Manager stores None, bool, int, float, str, bytes and arrays of NumPy, and no "
            f"{type(value).__name__}"
        )
    import numpy as np

    if isinstance(value, np.generic) and value.dtype.name != "bfloat16":
        return _stored(value.item())
    array = np.asarray(value)
    number = dtype_number(array.dtype)
    if array.ndim == 8 and array.shape[:7] == _BYTES_SHAPE and DTYPES[number].name == "u8":
        raise InvalidArgument(f"an array of u8 with the shape {array.shape} is read as bytes; reshape it")
    return number, array.shape, array.astype(array.dtype.newbyteorder("="), copy=False).tobytes()


def _loaded(value: Any) -> Any:
    """A value from the extension as Python's."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value  # a program in C++ stored bytes that are no text
    if not isinstance(value, tuple):
        return value
    number, shape, data = value
    if number == U8 and len(shape) == 8 and shape[:7] == _BYTES_SHAPE:
        return data
    import numpy as np

    return np.frombuffer(data, numpy_dtype(number)).reshape(shape).copy()


def _key_of(key: Any) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"the keys of a managed dictionary are str, and not {type(key).__name__}")
    return key.encode("utf-8", "surrogateescape")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; arrays are if type, shape and elements are."""
    first, second = _stored(one), _stored(other)
    if isinstance(first, tuple) or isinstance(second, tuple):
        return bool(first == second)
    return bool(one == other)


class ManagedList:
    """A list that processes share. Manager.list() gives it. Every call is a transaction, which others see
    as a whole or not at all. Values are None, bool, int (64 bits), float, str, bytes and arrays of NumPy,
    and what is read is a copy: to change a value, assign it.

    As a list of Python, without insert(), sort() and assigned slices. Iteration shows the values of one
    moment. Raises OutOfRange, an IndexError.
    """

    __slots__ = ("_manager", "_name", "_handle")

    def __init__(self, manager: Manager | None, name: str, handle: _native.Handle) -> None:
        self._manager, self._name, self._handle = manager, name, handle

    def _change(self, body: Callable[[ManagedList], Result]) -> Result:
        """Several steps as one transaction."""
        if self._manager is None:
            return body(self)
        return self._manager.change(lambda transaction: body(transaction.list(self._name)))

    def _look(self, body: Callable[[ManagedList], Result]) -> Result:
        if self._manager is None:
            return body(self)
        return self._manager.look(lambda transaction: body(transaction.list(self._name)))

    def _at(self, index: Any) -> int:
        """A valid index, from 0."""
        number, size = operator.index(index), len(self)
        if not -size <= number < size:
            raise OutOfRange(f"list {self._name!r}: there is no value {number}; there are {size}")
        return number + size if number < 0 else number

    def __len__(self) -> int:
        return _native.managed_list_size(self._handle)

    def values(self) -> list[Any]:
        """All values at one moment, as a list of Python."""
        return [
            _loaded(value) for value in _native.managed_values(_native.managed_list_values(self._handle))
        ]

    def _get(self, index: int) -> Any:
        return _loaded(_native.managed_values(_native.managed_list_get(self._handle, index))[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.values()[index]
        return self._look(lambda values: values._get(values._at(index)))

    def __setitem__(self, index: Any, value: Any) -> None:
        stored = _stored(value)
        self._change(lambda values: _native.managed_list_set(values._handle, values._at(index), stored))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda values: _native.managed_list_erase(values._handle, values._at(index)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def __contains__(self, value: Any) -> bool:
        return any(_same(value, present) for present in self.values())

    def append(self, value: Any) -> None:
        """Appends a value."""
        _native.managed_list_append(self._handle, [_stored(value)])

    def extend(self, values: Iterable[Any]) -> None:
        """Appends values; other processes see all of them at once."""
        _native.managed_list_append(self._handle, [_stored(value) for value in values])

    def pop(self, index: int = -1) -> Any:
        """Removes a value and returns it. Removing the first or the last one is fastest."""

        def take(values: ManagedList) -> Any:
            place = values._at(index)
            found = values._get(place)
            _native.managed_list_erase(values._handle, place)
            return found

        ends = {-1: _native.managed_list_pop_back, 0: _native.managed_list_pop_front}
        if operator.index(index) not in ends:
            return self._change(take)
        found = ends[operator.index(index)](self._handle)
        if found is None:
            raise OutOfRange(f"pop: the list {self._name!r} is empty")
        return _loaded(_native.managed_values(found)[0])

    def index(self, value: Any) -> int:
        """The index of the first such value. Raises InvalidArgument, a ValueError, if there is none."""
        for index, present in enumerate(self.values()):
            if _same(value, present):
                return index
        raise InvalidArgument(f"list {self._name!r}: there is no value {value!r}")

    def count(self, value: Any) -> int:
        """How many such values there are."""
        return sum(_same(value, present) for present in self.values())

    def clear(self) -> None:
        """Removes all values."""
        _native.managed_list_clear(self._handle)

    def __reduce__(self) -> Any:
        return _reopen, (_manager_of(self._manager).directory, "list", self._name)

    def __repr__(self) -> str:
        return f"<nodewise.ManagedList {self._name!r}: {self.values()!r}>"


class ManagedDict:
    """A dictionary that processes share. Manager.dict() gives it. Keys are str of at most 500 bytes, and
    come in the order of their bytes; values and transactions as for ManagedList.

    keys(), values(), items() and iteration show one moment, as lists. Raises KeyNotFound, a KeyError.
    """

    __slots__ = ("_manager", "_name", "_handle")

    def __init__(self, manager: Manager | None, name: str, handle: _native.Handle) -> None:
        self._manager, self._name, self._handle = manager, name, handle

    def _change(self, body: Callable[[ManagedDict], Result]) -> Result:
        if self._manager is None:
            return body(self)
        return self._manager.change(lambda transaction: body(transaction.dict(self._name)))

    def __len__(self) -> int:
        return _native.managed_dict_size(self._handle)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`."""
        found = _native.managed_dict_get(self._handle, _key_of(key))
        return default if found is None else _loaded(_native.managed_values(found)[0])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, _MISSING) is not _MISSING

    def __getitem__(self, key: str) -> Any:
        found = self.get(key, _MISSING)
        if found is _MISSING:
            raise KeyNotFound(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        _native.managed_dict_set(self._handle, _key_of(key), _stored(value))

    def __delitem__(self, key: str) -> None:
        if not _native.managed_dict_erase(self._handle, _key_of(key)):
            raise KeyNotFound(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """All keys."""
        return list(map(_text, _native.managed_keys(_native.managed_dict_keys(self._handle))))

    def values(self) -> list[Any]:
        """All values."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[str, Any]]:
        """All pairs of key and value."""
        found = _native.managed_dict_items(self._handle)
        keys, values = _native.managed_keys(found), _native.managed_values(found)
        return [(_text(key), _loaded(value)) for key, value in zip(keys, values)]

    def update(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        """Sets many values; other processes see all of them at once."""
        pairs = [(_key_of(key), _stored(value)) for key, value in dict(other, **more).items()]

        def write(entries: ManagedDict) -> None:
            for key, value in pairs:
                _native.managed_dict_set(entries._handle, key, value)

        self._change(write)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Removes a key and returns its value; if there is none, `default`."""

        def take(entries: ManagedDict) -> Any:
            found = entries.get(key, _MISSING)
            if found is not _MISSING:
                del entries[key]
            return found

        found = self._change(take)
        if found is _MISSING and default is _MISSING:
            raise KeyNotFound(key)
        return default if found is _MISSING else found

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to `default` if there is none."""

        def find(entries: ManagedDict) -> Any:
            found = entries.get(key, _MISSING)
            if found is _MISSING:
                entries[key] = found = default
            return found

        return self._change(find)

    def clear(self) -> None:
        """Removes all keys."""
        _native.managed_dict_clear(self._handle)

    def __reduce__(self) -> Any:
        return _reopen, (_manager_of(self._manager).directory, "dict", self._name)

    def __repr__(self) -> str:
        return f"<nodewise.ManagedDict {self._name!r}: {dict(self.items())!r}>"


class Transaction:
    """Several reads and writes that belong together. Manager.change() and Manager.look() give it to a
    function, and it ends with the function."""

    __slots__ = ("_handle",)

    def __init__(self, handle: _native.Handle) -> None:
        self._handle = handle

    def list(self, name: str) -> ManagedList:
        """The list of this name, inside the transaction."""
        return ManagedList(None, name, _native.transaction_list(self._handle, _name_of(name)))

    def dict(self, name: str) -> ManagedDict:
        """The dictionary of this name, inside the transaction."""
        return ManagedDict(None, name, _native.transaction_dict(self._handle, _name_of(name)))

    def names(self) -> Any:
        """The names of all lists and dictionaries."""
        return [_text(name) for name in _native.managed_keys(_native.transaction_names(self._handle))]

    def remove(self, name: str) -> bool:
        """Removes a list or dictionary; returns whether there was one."""
        return bool(_native.transaction_remove(self._handle, _name_of(name)))


class Manager:
    """Lists and dictionaries with names in a directory, for all processes of one user: what
    multiprocessing.Manager does, without a server process, and it outlives the processes.

    path       the directory; it is made if there is none, and its parent must exist. In /dev/shm, writes
    wait
               for no disk, and the data is lost when the machine restarts
    max_bytes  the most bytes that it may hold; 0: its present limit (1 GiB if it is new)

    A Manager and its lists and dictionaries are pickled as their names. If a process is killed while it
    writes, its transaction takes effect as a whole or not at all. docs/manager.md explains the rest.

    Raises SystemError, FormatError, OutOfMemory (the directory is full), and InvalidArgument, also if this
    build has no Manager, because it was made without LMDB.
    """

    __slots__ = ("_handle", "_directory", "__weakref__")

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 0) -> None:
        self._handle = _native.manager_open_or_create(os.fspath(path), max_bytes)
        self._directory = _native.manager_directory(self._handle)

    def list(self, name: str) -> ManagedList:
        """The list of this name. It is empty until something is written to it."""
        return ManagedList(self, name, _native.manager_list(self._handle, _name_of(name)))

    def dict(self, name: str) -> ManagedDict:
        """The dictionary of this name. It is empty until something is written to it."""
        return ManagedDict(self, name, _native.manager_dict(self._handle, _name_of(name)))

    def names(self) -> Any:
        """The names of all lists and dictionaries."""
        return [_text(name) for name in _native.managed_keys(_native.manager_names(self._handle))]

    def remove(self, name: str) -> bool:
        """Removes a list or dictionary; returns whether there was one."""
        return bool(_native.manager_remove(self._handle, _name_of(name)))

    def change(self, function: Callable[[Transaction], Result]) -> Result:
        """Calls function(transaction), and applies all its writes at once; returns what it returns. If it
        raises, nothing is written. Other writers wait meanwhile. If there was no room, and room was made,
        the function is called a second time. Within the function, use the lists and dictionaries of the
        transaction: others raise SystemError (EDEADLK) when they write."""
        return _in_transaction(_native.manager_change, self._handle, function)

    def look(self, function: Callable[[Transaction], Result]) -> Result:
        """Calls function(transaction), which sees everything as it is now, whatever others write meanwhile;
        returns what it returns."""
        return _in_transaction(_native.manager_look, self._handle, function)

    @property
    def directory(self) -> str:
        """The absolute path."""
        return self._directory

    @property
    def max_bytes(self) -> int:
        """The most bytes that the directory may hold."""
        return _native.manager_max_bytes(self._handle)

    def __reduce__(self) -> Any:
        return Manager, (self._directory,)

    def __repr__(self) -> str:
        return f"<nodewise.Manager {self._directory!r}>"


def _name_of(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name is a str, and not {type(name).__name__}")
    if "\0" in name:
        raise InvalidArgument(f"name is {name!r}; it may have no zero byte")
    return name


def _in_transaction(
    call: Callable[[_native.Handle, Callable[[_native.Handle], None]], None],
    manager: _native.Handle,
    function: Callable[[Transaction], Result],
) -> Result:
    results: list[Result] = []
    call(manager, lambda handle: results.append(function(Transaction(handle))))
    return results[-1]


def _manager_of(manager: Manager | None) -> Manager:
    if manager is None:
        raise InvalidArgument("what belongs to a transaction ends with it, and cannot be pickled")
    return manager


def _reopen(directory: str, kind: str, name: str) -> Any:
    return getattr(Manager(directory), kind)(name)
