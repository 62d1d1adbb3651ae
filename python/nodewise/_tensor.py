"""Tensors: batches for other array libraries, and datasets from them, without a copy."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

from . import _native
from ._arguments import batch_size_of, options_of
from ._errors import ExportError, InvalidArgument
from ._loader import ZeroCopyBatchLoader
from ._types import BF16, DTYPES, array_over, numpy_dtype

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Numbers of dlpack.h.
_CPU = (1, 0)
_READ_ONLY, _COPIED = 1, 2


class Tensor(_native.Memory):
    """An array in placed memory, for any library that reads DLPack or the buffer protocol.

    `torch.from_dlpack(tensor)`, `jax.dlpack.from_dlpack(tensor)`, `np.from_dlpack(tensor)`,
    `np.asarray(tensor)` and `memoryview(tensor)` share its memory, and keep it when the loader is gone.
    Unlike a NumPy array, it also hands out bfloat16 and memory that may only be read. Made by
    ZeroCopyBatchLoader.tensor().

    >>> import nodewise, numpy as np
    >>> loader = nodewise.zeros((10, 3), "f32", batch_size=4)
    >>> tensor = loader.tensor(1)
    >>> tensor
    <nodewise.Tensor: 4 x 3 f32>
    >>> loader.write_to_buffer(4, 0, 7)
    >>> np.from_dlpack(tensor)[0]
    array([7., 0., 0.], dtype=float32)
    """

    __slots__ = ("_dtype", "_place")
    _place: tuple[_native.Handle, int, tuple[int, ...], tuple[int, ...]]
    _dtype: int

    @classmethod
    def _of(
        cls,
        pages: _native.Handle,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: int,
        whole: _native.Memory | None,
    ) -> Tensor:
        element = DTYPES[dtype]
        counted = () if whole is None else (whole,)
        # The buffer protocol has no format for bfloat16.
        form = "" if dtype == BF16 else element.format
        self = cls(pages, offset, shape, strides, form, element.bytes, *counted)
        self._place = (pages, offset, shape, strides)
        self._dtype = dtype
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension: (rows, features) for a batch."""
        return self._place[2]

    @property
    def strides(self) -> tuple[int, ...]:
        """The bytes from one element to the next in each dimension, as in NumPy."""
        return self._place[3]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return self.size * DTYPES[self._dtype].bytes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the elements. bfloat16 needs the package ml_dtypes; without it, uint16."""
        return numpy_dtype(self._dtype)

    @property
    def element_type(self) -> str:
        """nodewise's name of the element type: 'f32', 'bf16', 'u8', ..."""
        return DTYPES[self._dtype].name

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<nodewise.Tensor: {' x '.join(map(str, self.shape))} {self.element_type}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """A NumPy array over the memory; a copy if `dtype` or `copy` asks for one."""
        import numpy as np

        element = DTYPES[self._dtype]
        memory = _native.Memory(*self._place, element.format, element.bytes, self)
        array = array_over(memory, self._dtype)
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise InvalidArgument(f"copy=False: {array.dtype} cannot become {dtype} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack_device__(self) -> tuple[int, int]:
        """(1, 0): memory of the CPU."""
        return _CPU

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of DLPack with a tensor over the memory. Array libraries call this.

        stream       None: memory of the CPU has no streams
        max_version  (1, ...) or later: the form of DLPack 1. None or (0, ...): the form before, which
        cannot
                     say that memory is read-only, and is refused for such memory
        dl_device    None or (1, 0), the CPU
        copy         None or False: the memory is shared. True: a copy, placed on the nodes

        The tensor keeps the memory until its consumer releases it. Raises ExportError, which is a
        BufferError.
        """
        if stream is not None:
            raise ExportError(f"__dlpack__: the stream is {stream!r}; memory of the CPU has none")
        if dl_device is not None and tuple(map(int, dl_device)) != _CPU:
            raise ExportError(
                f"__dlpack__: the tensor is on the CPU, device {_CPU}, and not on {tuple(dl_device)}; "
                f"take it there, and let the consumer copy it"
            )
        if copy is not None and not isinstance(copy, bool):
            raise ExportError(f"__dlpack__: copy is {copy!r}; it may be True, False or None")
        versioned = max_version is not None and operator.index(max_version[0]) >= 1
        if copy:
            return self._copied().dlpack(versioned, self._dtype, _COPIED)
        if self.readonly and not versioned:
            raise ExportError(
                "__dlpack__: this memory may only be read, which DLPack says since version 1.0, and the "
                "consumer asks for an older version; use copy=True, or open the dataset with mode='r+'"
            )
        return self.dlpack(versioned, self._dtype, _READ_ONLY if self.readonly else 0)

    def _copied(self) -> Tensor:
        import numpy as np

        array = np.asarray(self.__array__()).view(
            DTYPES[self._dtype].numpy if self._dtype != BF16 else "u2"
        )
        rows = math.prod(self.shape[:-1])
        matrix = np.ascontiguousarray(array).reshape(rows, self.shape[-1])
        handle = _native.loader_copy(
            matrix, (rows, self.shape[-1], max(rows, 1), self._dtype), options_of()
        )
        strides = tuple(math.prod(self.shape[i + 1 :]) * array.itemsize for i in range(self.ndim))
        return Tensor._of(_native.loader_pages(handle), 0, self.shape, strides, self._dtype, None)


def from_dlpack(x: Any, batch_size: int, **options: Any) -> ZeroCopyBatchLoader:
    """A loader over the memory of a tensor of another library, where it is; nothing is copied.

    x           an object with `__dlpack__`, such as a tensor of PyTorch or an array of JAX or NumPy, or a
                capsule of DLPack. It must be a matrix (samples x features) in memory of the CPU whose rows
                follow one another
    batch_size  the rows of a batch

    `options` as for ZeroCopyBatchLoader. The tensor is released when the loader and all arrays over its
    memory are gone, or at once if this call fails. Memory that the tensor says is read-only may only be
    read. Raises InvalidArgument, which says what the tensor is instead, and what `x.__dlpack__` raises.

    >>> import numpy as np
    >>> data = np.zeros((10, 3))
    >>> loader = from_dlpack(data, batch_size=4)
    >>> data[9, 2] = 5
    >>> loader.get_batch(2)[1]
    array([0., 0., 5.])
    """
    size, chosen = batch_size_of(batch_size), options_of(**options)
    handle = _native.loader_import(_capsule_of(x), size, chosen)
    return ZeroCopyBatchLoader._of(handle, chosen.get("segment"), "r+")


def _capsule_of(x: Any) -> Any:
    if type(x).__name__ == "PyCapsule":
        return x
    export = getattr(x, "__dlpack__", None)
    if export is None:
        raise InvalidArgument(f"from_dlpack: {type(x).__name__} has no method __dlpack__")
    try:
        return export(max_version=(1, 0))
    except TypeError:  # a library from before DLPack 1.0
        return export()
