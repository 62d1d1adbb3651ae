"""The functions that make loaders: of files, of segments, and of zeros."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import _native
from ._arguments import batch_size_of, dataset_of, options_of
from ._errors import InvalidArgument
from ._loader import ZeroCopyBatchLoader
from ._types import MODES, choice, dtype_number

if TYPE_CHECKING:
    from ._machine import Plan, Topology


def zeros(shape: tuple[int, int], dtype: Any, batch_size: int, **options: Any) -> ZeroCopyBatchLoader:
    """A loader of a dataset of zeros. `shape` is (samples, features); `options` as for
    ZeroCopyBatchLoader."""
    chosen = options_of(**options)
    handle = _native.loader_make(dataset_of(shape, dtype, batch_size), chosen)
    return ZeroCopyBatchLoader._of(handle, chosen.get("segment"), "r+")


def _source(path: str | os.PathLike[str], dtype: Any) -> _native.Handle:
    return _native.source_open(os.fsencode(path), 0 if dtype is None else dtype_number(dtype))


def load(
    path: str | os.PathLike[str],
    batch_size: int,
    *,
    dtype: Any = None,
    plan: Plan | None = None,
    **options: Any,
) -> ZeroCopyBatchLoader:
    """Loads a file, such as a .npy file, straight into placed memory; all nodes read at the same time.

    dtype  None, or 'bf16' to read the two-byte elements of a .npy file as bfloat16
    plan   a saved plan for this batch size, which decides policy, binding, weights and targets

    `options` as for ZeroCopyBatchLoader. Ctrl-C ends the load. Raises SystemError (an OSError),
    FormatError and what ZeroCopyBatchLoader raises.
    """
    chosen = options_of(**options)
    if plan is not None and batch_size != plan.batch_size:
        raise InvalidArgument(f"load: batch_size is {batch_size}, and the plan is for {plan.batch_size}")
    source = _source(path, dtype)
    if plan is None:
        handle = _native.loader_load(source, batch_size_of(batch_size), chosen)
    else:
        handle = _native.loader_load_planned(source, plan._handle, chosen)
    return ZeroCopyBatchLoader._of(handle, chosen.get("segment"), "r+")


def open(
    name: str,
    mode: str = "r",
    *,
    workers: int = 0,
    machine: Topology | None = None,
    timeout: float | None = None,
) -> ZeroCopyBatchLoader:
    """Opens the dataset that another process has placed in the segment `name`, without a copy.

    mode     'r': arrays may only be read; 'r+': they may be written
    timeout  the seconds to wait for a process that has not finished making the segment; None: without a
    limit

    Raises SystemError (FileNotFoundError, PermissionError), FormatError and InvalidArgument.
    """
    handle = _native.loader_open(
        name, choice(MODES, mode, "mode"), options_of(workers=workers, machine=machine, timeout=timeout)
    )
    return ZeroCopyBatchLoader._of(handle, name, mode)


def open_or_create(
    path: str | os.PathLike[str],
    name: str,
    batch_size: int,
    *,
    mode: str = "r",
    dtype: Any = None,
    **options: Any,
) -> ZeroCopyBatchLoader:
    """Keeps one copy of a file for all processes of the machine, in the segment `name`: opens the segment
    if it holds the file as it is now, else loads the file into a new one. If several processes call this
    at once, one of them loads and the others wait.

    mode  the access of the processes that open it; the one that loads may always write

    Raises what load() and open() raise, and InvalidArgument if the segment holds another file.
    """
    chosen = options_of(**options)
    handle = _native.loader_open_or_create(
        _source(path, dtype), name, batch_size_of(batch_size), choice(MODES, mode, "mode"), chosen
    )
    return ZeroCopyBatchLoader._of(handle, name, mode)
