"""Datasets in memory that is placed on the NUMA nodes, served in batches that are never copied.

    loader = nodewise.load("data.npy", batch_size=256)
    for batch in loader:                  # NumPy arrays over one buffer
        ...
    print(loader.get_batch_means())       # computed by workers beside their data
    print(loader.placement())             # where each page lies, as the kernel says

docs/python.md explains the package.
"""

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from ._errors import (
        BrokenBarrier,
        Error,
        ExportError,
        ForeignError,
        FormatError,
        InvalidArgument,
        MemoryInUse,
        OutOfMemory,
        OutOfRange,
        OwnerDied,
        PlacementError,
        Stopped,
        SystemError,
        ThreadError,
        Timeout,
    )
    from ._load import load, open, open_or_create, zeros
    from ._loader import FeatureStatistics, ZeroCopyBatchLoader
    from ._locks import Barrier, Event, Lock, RLock
    from ._machine import Node, Plan, Shard, Topology, plan, topology
    from ._manager import KeyNotFound, ManagedDict, ManagedList, Manager, Transaction
    from ._native import version as __version__
    from ._placement import Placement, PlacementBytes, Residency, placement
    from ._ring import BatchRing, BatchTag, RingConsumer, RingCounts, RingLease, RingLoan, RingProducer
    from ._tensor import Tensor, from_dlpack
    from ._values import Array, Value

# The module of each public name. A name is imported when it is first used, so that a program pays only for
# what it uses.
_MODULES = {
    "_errors": (
        "BrokenBarrier",
        "Error",
        "ExportError",
        "ForeignError",
        "FormatError",
        "InvalidArgument",
        "MemoryInUse",
        "OutOfMemory",
        "OutOfRange",
        "OwnerDied",
        "PlacementError",
        "Stopped",
        "SystemError",
        "ThreadError",
        "Timeout",
    ),
    "_load": ("load", "open", "open_or_create", "zeros"),
    "_loader": ("FeatureStatistics", "ZeroCopyBatchLoader"),
    "_locks": ("Barrier", "Event", "Lock", "RLock"),
    "_machine": ("Node", "Plan", "Shard", "Topology", "plan", "topology"),
    "_manager": ("KeyNotFound", "ManagedDict", "ManagedList", "Manager", "Transaction"),
    "_placement": ("Placement", "PlacementBytes", "Residency", "placement"),
    "_ring": (
        "BatchRing",
        "BatchTag",
        "RingConsumer",
        "RingCounts",
        "RingLease",
        "RingLoan",
        "RingProducer",
    ),
    "_tensor": ("Tensor", "from_dlpack"),
    "_values": ("Array", "Value"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Array",
    "Barrier",
    "BatchRing",
    "BatchTag",
    "BrokenBarrier",
    "Error",
    "Event",
    "ExportError",
    "FeatureStatistics",
    "ForeignError",
    "FormatError",
    "InvalidArgument",
    "KeyNotFound",
    "Lock",
    "ManagedDict",
    "ManagedList",
    "Manager",
    "MemoryInUse",
    "Node",
    "OutOfMemory",
    "OutOfRange",
    "OwnerDied",
    "Placement",
    "PlacementBytes",
    "PlacementError",
    "Plan",
    "RLock",
    "Residency",
    "RingConsumer",
    "RingCounts",
    "RingLease",
    "RingLoan",
    "RingProducer",
    "Shard",
    "Stopped",
    "SystemError",
    "Tensor",
    "ThreadError",
    "Timeout",
    "Topology",
    "Transaction",
    "Value",
    "ZeroCopyBatchLoader",
    "from_dlpack",
    "load",
    "open",
    "open_or_create",
    "placement",
    "plan",
    "topology",
    "zeros",
]


def __getattr__(name: str) -> object:
    import importlib

    if name == "__version__":
        value = importlib.import_module("._native", __name__).version
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
