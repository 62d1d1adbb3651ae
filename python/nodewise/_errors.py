"""The exceptions of nodewise. Each is a nodewise.Error, and also the built-in that programs expect."""

import threading


class Error(Exception):
    """The base class of all exceptions of nodewise."""


class OutOfRange(Error, IndexError):
    """An index past the end: of a batch, row, column or node."""


class InvalidArgument(Error, ValueError):
    """An argument that is wrong on every machine: no features, a bad name, the wrong element type."""


class FormatError(Error, ValueError):
    """A file or text that is not what it should be: a .npy header, a saved plan, a topology description."""


class SystemError(Error, OSError):  # noqa: A001 - nodewise.SystemError, as in C++
    """The system refused a call; `errno` says why."""


class PlacementError(Error, RuntimeError):
    """A placement that is required is impossible here, was not achieved, or cannot be verified."""


class OwnerDied(Error, RuntimeError):
    """A process died while it held a lock, and the data that the lock guards was not repaired since."""


class BrokenBarrier(Error, threading.BrokenBarrierError):
    """A party of a barrier gave up."""


class OutOfMemory(Error, MemoryError):
    """There is no more memory."""


class ForeignError(Error, RuntimeError):
    """A function of the caller failed, or an unexpected error happened in the library."""


class Stopped(Error, RuntimeError):
    """A long call ended early, because it was told to stop."""


class ThreadError(Error, OSError):
    """The system does not let OpenMP start the threads that a call needs; `errno` says why."""


class Timeout(Error, TimeoutError):
    """A wait took longer than the caller allowed."""


class MemoryInUse(Error, BufferError):
    """Arrays use the memory that was to be given back."""


class ExportError(Error, BufferError):
    """Memory cannot be handed to another library in the way that the library asks for."""


# By the number of the kind, as in <nodewise/c/base.h>.
_KINDS = {
    1: OutOfRange,
    2: InvalidArgument,
    3: FormatError,
    4: SystemError,
    5: PlacementError,
    6: OwnerDied,
    7: BrokenBarrier,
    8: OutOfMemory,
    9: ForeignError,
    10: Stopped,
    11: ThreadError,
}


class _NotFound(SystemError, FileNotFoundError):
    """There is no such file or segment."""


class _Exists(SystemError, FileExistsError):
    """The name is taken."""


class _NotPermitted(SystemError, PermissionError):
    """The file or segment belongs to another user, or may not be written."""


class _TimedOut(SystemError, Timeout):
    """Another process did not finish in time."""


_BY_BUILTIN = {
    TimeoutError: _TimedOut,
    FileNotFoundError: _NotFound,
    FileExistsError: _Exists,
    PermissionError: _NotPermitted,
}


def exception(kind: int, message: str, number: int) -> Error:
    """The exception for a failed call of the C interface; the extension raises it."""
    if kind == 4:
        return _BY_BUILTIN.get(type(OSError(number, "")), SystemError)(number, message)
    if kind == 11:
        return ThreadError(number, message)
    return _KINDS.get(kind, Error)(message)
