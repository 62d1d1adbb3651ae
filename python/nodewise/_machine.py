"""Topologies and plans: which machine this is, and which data belongs on which node."""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._arguments import dataset_of, weights_of
from ._errors import OutOfRange
from ._types import BINDINGS, DTYPES, POLICIES, choice

if TYPE_CHECKING:
    from collections.abc import Sequence


class Node(NamedTuple):
    """One NUMA node.

    node            the logical index, which counts from 0
    os_index        the kernel's number
    cpus            the number of its CPUs; `allowed_cpus` of them this process may use
    cores           the number of physical cores
    memory_bytes    0 for a node without memory
    free_bytes      when the topology was made; 0 for other machines
    allowed         whether this process may use its memory
    memory_unknown  whether the topology does not state the memory
    """

    node: int
    os_index: int
    cpus: int
    allowed_cpus: int
    cores: int
    memory_bytes: int
    free_bytes: int
    allowed: bool
    memory_unknown: bool


class Topology:
    """A machine: its NUMA nodes, their CPUs and memory. Made by topology()."""

    def __init__(self, handle: _native.Handle) -> None:
        self._handle = handle

    @property
    def nodes(self) -> list[Node]:
        """The nodes, in the order of their logical indices."""
        count = _native.topology_num_nodes(self._handle)
        return [Node(i, *_native.topology_node(self._handle, i)) for i in range(count)]

    def distance(self, start: int, end: int) -> int:
        """The distance between two nodes that the firmware states, without a unit. Raises OutOfRange."""
        self._check_node(start)
        self._check_node(end)
        return _native.topology_distance(self._handle, start, end)

    def _check_node(self, node: int) -> None:
        count = _native.topology_num_nodes(self._handle)
        if not 0 <= operator.index(node) < count:
            raise OutOfRange(f"there is no node {node}; there are {count}, from 0")

    @property
    def default_targets(self) -> list[int]:
        """The logical indices of the nodes that get data unless a plan is given others."""
        return _native.topology_default_targets(self._handle)

    def node_of_cpu(self, cpu: int) -> int:
        """The logical index of the node of a CPU (the kernel's number). Raises OutOfRange."""
        return _native.topology_node_of_cpu(self._handle, cpu)

    @property
    def page_bytes(self) -> int:
        """The size of a base page."""
        return _native.topology_page_bytes(self._handle)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the structure of the machine."""
        return _native.topology_fingerprint(self._handle)

    @property
    def origin(self) -> str:
        """'this machine', or the file or text that was read."""
        return _native.topology_origin(self._handle)

    @property
    def is_this_machine(self) -> bool:
        """False if another machine is described: plans can be made for it, but no memory can be placed."""
        return bool(_native.topology_is_this_machine(self._handle))

    def __repr__(self) -> str:
        nodes = self.nodes
        cpus = sum(node.cpus for node in nodes)
        return f"<nodewise.Topology of {self.origin}: {len(nodes)} nodes, {cpus} CPUs>"


def topology(description: str | None = None, *, xml: str | os.PathLike[str] | None = None) -> Topology:
    """Describes this machine; or another one, by an hwloc synthetic description such as
    'pack:2 numa:2 core:4 pu:2', or by the path of an XML file that `lstopo` wrote.

    Raises FormatError and SystemError.
    """
    if description is not None and xml is not None:
        raise TypeError("topology() takes a description or an XML file, not both")
    if xml is not None:
        return Topology(_native.topology_from_xml(os.fsencode(xml)))
    if description is not None:
        return Topology(_native.topology_from_synthetic(description))
    return Topology(_native.topology_this_machine())


class Shard(NamedTuple):
    """The part of a dataset that one node owns. Ranges are half-open.

    node         the logical index of the node; `os_index` is the kernel's number
    batches      the numbers of its batches
    bytes        their bytes, counted from the first byte of the dataset
    pages        its pages, as bytes from the start of the first page of the dataset
    cut_bytes    bytes of its batches that lie on pages of other shards
    spill_bytes  bytes by which its pages exceed the memory of the node
    """

    node: int
    os_index: int
    batches: range
    bytes: range
    pages: range
    cut_bytes: int
    spill_bytes: int


class Plan:
    """Which node owns which batches and pages of a dataset. Made by plan(), or read by Plan.from_json()."""

    def __init__(self, handle: _native.Handle) -> None:
        self._handle = handle

    @classmethod
    def from_json(cls, text: str, machine: Topology | None = None) -> Plan:
        """Reads a saved plan. Raises FormatError, and PlacementError if it was made for another machine."""
        return cls(_native.plan_from_json(text, (machine or topology())._handle))

    def to_json(self) -> str:
        """JSON with the schema "nodewise.plan/1"."""
        return _native.plan_to_json(self._handle)

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, features)"""
        samples, features, _, _ = _native.plan_dataset(self._handle)
        return samples, features

    @property
    def batch_size(self) -> int:
        """The rows of each batch but the last one, which may have fewer."""
        return _native.plan_dataset(self._handle)[2]

    @property
    def dtype(self) -> str:
        """The element type: 'f32', 'u8', ..."""
        return DTYPES[_native.plan_dataset(self._handle)[3]].name

    @property
    def shards(self) -> list[Shard]:
        """One for each target node."""
        count = _native.plan_num_shards(self._handle)
        return [self._shard(i) for i in range(count)]

    def _shard(self, i: int) -> Shard:
        node, os_index, batches, octets, pages, cut, spill = _native.plan_shard(self._handle, i)
        return Shard(node, os_index, range(*batches), range(*octets), range(*pages), cut, spill)

    def shard_of(self, batch: int) -> int:
        """The index in `shards` of the shard that owns a batch. Raises OutOfRange."""
        return _native.plan_shard_of(self._handle, batch)

    @property
    def cut_bytes(self) -> int:
        """The bytes that lie on pages of other shards, in all."""
        return _native.plan_cut_bytes(self._handle)

    @property
    def page_bytes(self) -> int:
        """The size of a page."""
        return _native.plan_page_bytes(self._handle)

    def __repr__(self) -> str:
        samples, features = self.shape
        parts = ", ".join(f"node {shard.os_index}: {len(shard.batches)} batches" for shard in self.shards)
        return f"<nodewise.Plan of {samples} x {features} {self.dtype}: {parts}>"


def plan(
    shape: tuple[int, int],
    dtype: Any,
    batch_size: int,
    *,
    machine: Topology | None = None,
    policy: str = "blocked",
    binding: str = "preferred",
    weights: str | Sequence[float] = "equal",
    targets: Sequence[int] = (),
) -> Plan:
    """Divides a dataset of `shape` = (samples, features) among the nodes of a machine, without touching
    memory.

    dtype    a name of nodewise ('f32') or anything that numpy.dtype() takes
    machine  a Topology; by default, this machine
    policy   'blocked' (consecutive batches on each node) or 'interleaved' (pages in turn, for comparison)
    binding  'preferred', or 'required' (raises if the data does not fit)
    weights  'equal', 'cpus', 'capacity', or one number for each target
    targets  the logical indices of the nodes that get data; by default, those that this process may use

    Raises InvalidArgument, OutOfRange and PlacementError.
    """
    kind, given = weights_of(weights)
    return Plan(
        _native.plan_make(
            (machine or topology())._handle,
            dataset_of(shape, dtype, batch_size),
            choice(POLICIES, policy, "policy"),
            choice(BINDINGS, binding, "binding"),
            kind,
            given,
            targets,
        )
    )
