"""Loaders: datasets in placed memory, whose batches are NumPy arrays that share it."""

from __future__ import annotations

import itertools
import operator
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._arguments import batch_size_of, check_adoptable, element_of, matrix_of, options_of
from ._errors import InvalidArgument, MemoryInUse, OutOfRange
from ._machine import Plan
from ._placement import Placement
from ._types import DTYPES, LAYOUTS, array_over, numpy_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from ._tensor import Tensor

    Array = np.ndarray[Any, Any]


class FeatureStatistics(NamedTuple):
    """The mean and the variance of each feature (column) over all samples: arrays of doubles."""

    means: Array
    variances: Array


class ZeroCopyBatchLoader(_native.Batches):
    """A dataset (samples x features) in one buffer, served in batches of rows that are never copied.

    Each page of the buffer lies on the NUMA node whose workers read it. `get_batch(i)` is a NumPy array
    over the buffer, and what is written through any array, or by write_to_buffer(), is seen by all. An
    array keeps its memory: it stays valid when the loader is gone.

    data        a 2-D array, or anything that NumPy can view as one
    batch_size  the rows of a batch; the last batch may have fewer
    copy        True: the data is copied into placed memory (`why_copied` says so). False: the loader uses
    the
                array's own memory where it is; raises InvalidArgument if it cannot.

    The other arguments are the options of a loader: policy, binding, weights, targets, pages, workers,
    scheduling, layout, machine, segment, keep and publish. docs/python.md explains them.

    Raises InvalidArgument, PlacementError, SystemError and ThreadError.

    >>> import numpy as np
    >>> loader = ZeroCopyBatchLoader(np.arange(10.0).reshape(5, 2), batch_size=2)
    >>> loader.num_batches()
    3
    >>> loader.get_batch(2)
    array([[8., 9.]])
    >>> loader.get_batch_means()
    [1.5, 5.5, 8.5]
    >>> loader.write_to_buffer(4, 0, 80)
    >>> loader.get_batch(2)
    array([[80.,  9.]])
    """

    __slots__ = (
        "_handle",
        "_closed",
        "_samples",
        "_features",
        "_batch_size",
        "_dtype",
        "_layout",
        "_full",
        "_last",
        "_flat",
        "_full_count",
        "_count",
        "_memories",
        "_why_copied",
        "_name",
        "_mode",
        "__weakref__",
    )

    def __init__(self, data: Any, batch_size: int, *, copy: bool = True, **options: Any) -> None:
        array, number = matrix_of(data)
        rows, columns = array.shape
        dataset = (rows, columns, batch_size_of(batch_size), number)
        chosen = options_of(**options)
        if copy:
            handle = _native.loader_copy(array, dataset, chosen)
        else:
            check_adoptable(data, array, chosen)
            handle = _native.loader_adopt(array, dataset, array.flags.writeable, chosen)
        why = "copy=True: the data was copied into memory that is placed on the nodes" if copy else None
        self._open(handle, chosen.get("segment"), "r+", why)

    @classmethod
    def _of(cls, handle: _native.Handle, name: str | None, mode: str) -> ZeroCopyBatchLoader:
        self = cls.__new__(cls)
        self._open(handle, name, mode)
        return self

    def _open(self, handle: _native.Handle, name: str | None, mode: str, why: str | None = None) -> None:
        self._handle = handle
        self._closed = False
        self._flat: Any
        self._full: Any
        self._last: Any
        self._why_copied = why
        self._name, self._mode = name, mode
        self._samples, self._features, self._batch_size, self._dtype = _native.loader_dataset(handle)
        self._layout = _native.loader_layout(handle)
        self._full_count = self._samples // self._batch_size
        self._count = -(-self._samples // self._batch_size)
        self._make_arrays()

    def _make_arrays(self) -> None:
        """The arrays that all batches are parts of, over exporters that keep the pages and not the
        loader."""
        pages = _native.loader_pages(self._handle)
        item = DTYPES[self._dtype].bytes
        batch, row = self._batch_size, self._features * item
        last = self._samples - self._full_count * batch
        flat = self._exporter(pages, 0, (self._samples * self._features,), (item,))
        self._memories = [flat]
        self._flat = array_over(flat, self._dtype)
        self._full = self._last = None
        self._serve(None, 0)
        if self._layout == LAYOUTS["tiles"]:
            return
        if self._full_count == 0:
            batch = last  # no array is that large
        strides = self._strides(batch)
        full = self._exporter(pages, 0, (self._full_count, batch, self._features), (batch * row, *strides))
        self._memories.append(full)
        self._full = array_over(full, self._dtype)
        self._serve(self._full, self._full_count)
        if last > 0:
            strides = self._strides(last)
            rest = self._exporter(pages, (self._samples - last) * row, (last, self._features), strides)
            self._memories.append(rest)
            self._last = array_over(rest, self._dtype)

    def _strides(self, rows: int) -> tuple[int, int]:
        """The strides, in bytes, of a batch of so many rows, which is not in tiles."""
        item = DTYPES[self._dtype].bytes
        return (self._features * item, item) if self._layout == LAYOUTS["rows"] else (item, rows * item)

    def _exporter(
        self, pages: _native.Handle, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> _native.Memory:
        element = DTYPES[self._dtype]
        return _native.Memory(pages, offset, shape, strides, element.format, element.bytes)

    def num_batches(self) -> int:
        """The number of batches, the last one of which may be short."""
        return self._count

    # get_batch() is a method of _native.Batches, which calls this one if it has no full batch of that
    # number.
    def _other_batch(self, batch_idx: Any) -> Array:
        index = self._index("get_batch", batch_idx)
        self._check_open()
        if self._layout == LAYOUTS["tiles"]:
            raise InvalidArgument(
                "get_batch: the batches are arranged in tiles, which no NumPy array can be; "
                "load the dataset with layout='rows' or 'columns'"
            )
        batch: Array = self._full[index] if index < self._full_count else self._last[:]
        return batch

    def _index(self, call: str, batch_idx: Any) -> int:
        index = operator.index(batch_idx)
        if not 0 <= index < self._count:
            raise OutOfRange(f"{call}: there is no batch {index}; there are {self._count}, from 0")
        return index

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Array:
        """As get_batch(), but negative numbers count from the end, as in lists."""
        index = operator.index(index)
        batch: Array = self.get_batch(index + self._count if -self._count <= index < 0 else index)
        return batch

    def __iter__(self) -> Iterator[Array]:
        if self._full is None:
            return map(self.get_batch, range(self._count))
        return itertools.chain(self._full, () if self._last is None else (self._last[:],))

    def tensor(self, batch_idx: int | None = None) -> Tensor:
        """A batch for other array libraries: torch.from_dlpack(loader.tensor(3)) shares the buffer.
        Without a number, the whole dataset as a matrix (samples x features), for loaders that arrange it
        by rows.

        Raises OutOfRange and InvalidArgument as get_batch() does."""
        from ._tensor import Tensor

        self._check_open()
        item = DTYPES[self._dtype].bytes
        rows, first = self._samples, 0
        if batch_idx is not None:
            index = self._index("tensor", batch_idx)
            first = index * self._batch_size
            rows = min(self._batch_size, self._samples - first)
        if self._full is None or (batch_idx is None and self._layout != LAYOUTS["rows"]):
            raise InvalidArgument(
                f"tensor: the batches are arranged in {self.layout}, which strides cannot describe; "
                f"load the dataset with layout='rows'"
            )
        row = self._features * item
        strides = self._strides(rows)
        pages = _native.loader_pages(self._handle)
        shape = (rows, self._features)
        return Tensor._of(pages, first * row, shape, strides, self._dtype, self._memories[0])

    def is_zero_copy(self, batch_idx: int) -> bool:
        """Whether get_batch(batch_idx) shares the buffer, and its memory is mapped, as the kernel says.
        Raises OutOfRange. Cost: one system call."""
        self._check_open()
        index = self._index("is_zero_copy", batch_idx)
        return bool(_native.loader_is_zero_copy(self._handle, index))

    def means(self) -> Array:
        """The mean of all elements of each batch, as doubles: the exact sum, divided and rounded once. The
        bits are the same for any number of workers and nodes."""
        import numpy as np

        self._check_open()
        values = np.empty(self._count)
        _native.loader_means(self._handle, values)
        return values

    def get_batch_means(self) -> list[float]:
        """The means, each rounded to four decimals as Python's round(mean, 4)."""
        import numpy as np

        self._check_open()
        values = np.empty(self._count)
        _native.loader_rounded_means(self._handle, values)
        rounded: list[float] = values.tolist()
        return rounded

    def feature_means(self) -> Array:
        """The mean of each feature (column) over all samples."""
        import numpy as np

        self._check_open()
        values = np.empty(self._features)
        _native.loader_feature_statistics(self._handle, 0, values, None)
        return values

    def feature_statistics(self, ddof: int = 0) -> FeatureStatistics:
        """The mean and the variance of each feature over all samples; variances are divided by
        samples - ddof."""
        import numpy as np

        self._check_open()
        found = FeatureStatistics(np.empty(self._features), np.empty(self._features))
        _native.loader_feature_statistics(self._handle, ddof, *found)
        return found

    def write_to_buffer(self, row: int, col: int, value: Any) -> None:
        """Writes one element. All arrays see it, also in other processes. A float is rounded to a
        floating-point element type, as NumPy does; an integer type takes only integers that it can hold.

        Raises OutOfRange, InvalidArgument (the value does not fit, or the memory may only be read)."""
        self._check_open()
        row, col = operator.index(row), operator.index(col)
        if not (0 <= row < self._samples and 0 <= col < self._features):
            raise OutOfRange(
                f"write_to_buffer: ({row}, {col}) is outside of {self._samples} x {self._features}"
            )
        if not self.writable:
            raise InvalidArgument("write_to_buffer: the memory of this loader may only be read")
        _native.loader_write(self._handle, row, col, element_of(value, self._dtype))

    @property
    def buffer(self) -> Array:
        """The whole dataset as a flat array of one dimension, in the order of memory."""
        self._check_open()
        flat: Array = self._flat[:]
        return flat

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, features)"""
        return self._samples, self._features

    @property
    def batch_size(self) -> int:
        """The rows of each batch but a last one that is short."""
        return self._batch_size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the elements. bfloat16 needs the package ml_dtypes; without it, uint16."""
        return numpy_dtype(self._dtype)

    @property
    def element_type(self) -> str:
        """nodewise's name of the element type: 'f32', 'bf16', 'u8', ..."""
        return DTYPES[self._dtype].name

    @property
    def nbytes(self) -> int:
        """The bytes of the dataset."""
        return self._samples * self._features * DTYPES[self._dtype].bytes

    @property
    def layout(self) -> str:
        """How the elements of each batch are arranged: 'rows', 'columns' or 'tiles'."""
        return next(name for name, number in LAYOUTS.items() if number == self._layout)

    @property
    def writable(self) -> bool:
        """Whether the elements may be written."""
        self._check_open()
        return bool(self._flat.flags.writeable)

    @property
    def why_copied(self) -> str | None:
        """Why the data was copied when the loader was made; None if it was not."""
        return self._why_copied

    @property
    def segment(self) -> str | None:
        """The name by which other processes open the dataset; None if it is in memory of this process."""
        return self._name

    @property
    def plan(self) -> Plan:
        """Which node owns which batches and pages."""
        self._check_open()
        return Plan(_native.loader_plan(self._handle))

    def placement(self) -> Placement:
        """Asks the kernel where each page is, and compares the answer with the plan."""
        self._check_open()
        return Placement(_native.loader_placement(self._handle))

    def publish(self) -> None:
        """Lets other processes open the segment of a loader that was made with publish=False."""
        self._check_open()
        _native.loader_publish(self._handle)

    def close(self) -> None:
        """Gives the memory back. Raises MemoryInUse, a BufferError, while arrays over it live; the loader
        then stays open. Further calls do nothing."""
        if self._closed:
            return
        if self._arrays_in_use():
            raise MemoryInUse(_IN_USE)
        self._flat = self._full = self._last = None
        self._serve(None, 0)
        if any(memory.exports > 0 for memory in self._memories):
            self._make_arrays_again()
            raise MemoryInUse(_IN_USE)
        self._memories = []
        self._handle.close()
        self._closed = True

    def _arrays_in_use(self) -> bool:
        """Whether a base array has more references than this object and _native.Batches have."""
        called_with = 2  # the references of sys.getrefcount() and of the name `base`
        for base, own in ((self._flat, 1), (self._full, 2), (self._last, 1)):
            in_tuples = 1
            if base is not None and sys.getrefcount(base) > own + called_with + in_tuples:
                return True
        return False

    def _make_arrays_again(self) -> None:
        self._flat, *rest = (array_over(memory, self._dtype) for memory in self._memories)
        self._full = rest[0] if rest else None
        self._last = rest[1] if len(rest) > 1 else None
        self._serve(self._full, self._full_count)

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidArgument("this loader was closed")

    def __enter__(self) -> ZeroCopyBatchLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return "<nodewise.ZeroCopyBatchLoader, closed>"
        where = f"in segment {self._name!r}" if self._name else "in memory of this process"
        return (
            f"<nodewise.ZeroCopyBatchLoader: {self._samples} x {self._features} {self.element_type}, "
            f"{self._count} batches of {self._batch_size}, {where}>"
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A loader of a segment is pickled as its name. Other loaders are pickled by their memory, which
        must travel out of band (PEP 574)."""
        self._check_open()
        if self._name:
            from ._load import open

            return open, (self._name, self._mode)
        import pickle

        if protocol < 5:
            raise pickle.PicklingError(_IN_BAND)
        description = (self._samples, self._features, self._batch_size, self._dtype, self.layout)
        return _from_buffer, (pickle.PickleBuffer(self._memories[0]), description)


_IN_USE = "close: arrays over the memory of this loader are in use; delete them first"
_IN_BAND = (
    "the dataset of this loader is in memory of one process, and pickling would copy it; make the loader "
    "with segment=NAME, which other processes open without a copy, or use pickle protocol 5 with "
    "buffer_callback"
)


def _from_buffer(buffer: Any, description: tuple[int, int, int, int, str]) -> ZeroCopyBatchLoader:
    """Makes a loader of pickled memory, where it is."""
    if isinstance(buffer, (bytes, bytearray)):
        import pickle

        raise pickle.UnpicklingError(_IN_BAND)
    with memoryview(buffer) as view:
        writable = not view.readonly
    samples, features, batch_size, dtype, layout = description
    dataset = (samples, features, batch_size, dtype)
    handle = _native.loader_adopt(buffer, dataset, writable, options_of(layout=layout))
    return ZeroCopyBatchLoader._of(handle, None, "r+")
