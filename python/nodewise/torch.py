"""Batches for PyTorch: tensors that share the loader's memory, also out of the workers of a DataLoader.

    dataset = nodewise.torch.dataset(loader)
    for batch in dataset:                                   # tensors; nothing is copied
        ...
    for batch in DataLoader(dataset, batch_size=None, shuffle=True, num_workers=4):
        ...

docs/howto/pytorch.md explains it. This module imports torch; the rest of nodewise does not.
"""

from __future__ import annotations

import operator
import uuid
import weakref
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.multiprocessing.reductions  # type: ignore[import-not-found,unused-ignore]
import torch.utils.data  # type: ignore[import-not-found,unused-ignore]
import torch.utils.dlpack  # type: ignore[import-not-found,unused-ignore]

from ._errors import InvalidArgument, OutOfRange
from ._loader import ZeroCopyBatchLoader

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BatchDataset", "dataset"]

# The datasets of this process, by token. A dataset keeps its token when it is pickled or its process forks,
# so a process knows its own dataset when a worker hands over a batch of it.
_datasets: weakref.WeakValueDictionary[str, BatchDataset] = weakref.WeakValueDictionary()


class BatchDataset(torch.utils.data.Dataset[torch.Tensor]):  # type: ignore[misc,unused-ignore]
    """The batches of a loader as tensors of PyTorch, for `DataLoader(..., batch_size=None)` and for loops.
    Made by dataset()."""

    def __init__(self, loader: ZeroCopyBatchLoader, read_only: bool, token: str) -> None:
        if not (loader.writable or read_only):
            raise InvalidArgument(
                "dataset: the memory of this loader may only be read, and PyTorch has no such tensors: a "
                "write would end the process; open the dataset with mode='r+', or pass read_only=True if the "
                "program never writes to the batches"
            )
        self.loader = loader
        self._read_only, self._token = read_only, token
        if len(loader) > 0:
            loader.tensor(0)  # says if there can be none
        _datasets[token] = self

    def __len__(self) -> int:
        return len(self.loader)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Batch `index`, a tensor of (rows, features). Negative numbers count from the end. Raises
        OutOfRange, an IndexError."""
        index, count = operator.index(index), len(self)
        if not -count <= index < count:
            raise OutOfRange(f"dataset: there is no batch {index}; there are {count}")
        index %= count
        if torch.utils.data.get_worker_info() is None:
            return self._batch(index)
        if self.loader.segment is None:
            raise InvalidArgument(
                "dataset: the dataset is in memory of one process, and a worker would have to copy its "
                "batches; make the loader with segment=NAME, or use num_workers=0"
            )
        return _SharedBatch.of(self, index)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return map(self.__getitem__, range(len(self)))

    def _batch(self, index: int) -> torch.Tensor:
        # Each batch has a storage of its own. PyTorch moves the whole storage of a tensor that it hands to
        # another process, and with it all tensors that share the storage.
        batch: torch.Tensor = torch.utils.dlpack.from_dlpack(self.loader.tensor(index))
        return batch

    def __reduce__(self) -> Any:
        """A dataset is pickled as its loader: as the name of its segment."""
        return BatchDataset, (self.loader, self._read_only, self._token)

    def __repr__(self) -> str:
        return f"<nodewise.torch.BatchDataset of {self.loader!r}>"


def dataset(loader: ZeroCopyBatchLoader, *, read_only: bool = False) -> BatchDataset:
    """The batches of a loader as tensors of PyTorch that share its memory.

    loader     arranged by rows or columns. DataLoader with workers needs a loader with a segment: a worker
               hands over the number of a batch, and the other process makes the tensor from its own memory
    read_only  True: allows a loader whose memory may only be read. PyTorch has no read-only tensors, so a
               write to a batch then ends the process

    The result is a map-style dataset: `len`, `[i]` and iteration. Give it to `DataLoader(dataset,
    batch_size=None)`, with any number of workers, any start method, and shuffle=True for batches in random
    order. Tensors keep the memory when the loader is gone. Raises InvalidArgument.
    """
    return BatchDataset(loader, read_only, uuid.uuid4().hex)


class _SharedBatch(torch.Tensor):  # type: ignore[misc,unused-ignore]
    """A batch in a worker. It is a tensor like others, but is handed over as its number, because PyTorch
    would copy it into shared memory of its own."""

    _source: tuple[Any, ...]
    # What is computed from it is a plain tensor.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment,unused-ignore]

    @staticmethod
    def of(dataset: BatchDataset, index: int) -> _SharedBatch:
        batch: _SharedBatch = dataset._batch(index).as_subclass(_SharedBatch)
        loader = dataset.loader
        handed = (dataset._token, loader._name, loader._mode, dataset._read_only, index)
        batch._source = (handed, batch._place())
        return batch

    def _place(self) -> tuple[Any, ...]:
        return self.data_ptr(), self.shape, self.stride(), self.dtype, self.requires_grad

    def _plain(self) -> torch.Tensor:
        plain: torch.Tensor = self.detach().as_subclass(torch.Tensor)
        return plain.requires_grad_(self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._plain().__reduce_ex__(protocol)  # type: ignore[no-untyped-call,unused-ignore]


def _reduce(batch: _SharedBatch) -> Any:
    """Hands over the number of a batch. If the tensor was changed into another one, PyTorch hands it over."""
    handed, place = batch._source
    if place == batch._place():
        return _received, handed
    reduce = torch.multiprocessing.reductions.reduce_tensor
    return reduce(batch._plain())  # type: ignore[no-untyped-call,unused-ignore]


def _received(token: str, name: str, mode: str, read_only: bool, index: int) -> torch.Tensor:
    known = _datasets.get(token)
    if known is None:
        from ._load import open

        known = BatchDataset(open(name, mode), read_only, token)
    return known._batch(index)


ForkingPickler.register(_SharedBatch, _reduce)
