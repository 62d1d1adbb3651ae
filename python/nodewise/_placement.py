"""Where memory lies, as the kernel says."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from . import _native
from ._machine import Topology, topology


class PlacementBytes(NamedTuple):
    """Counts of bytes of a dataset; `planned` is the sum of the others.

    local      on the node of their shard
    misplaced  on another node
    cut        on a page that the plan gave to another shard
    absent     not in memory
    unknown    the kernel did not say where
    on_target  with the policy 'interleaved' only: on any target node
    """

    planned: int
    local: int
    misplaced: int
    cut: int
    absent: int
    unknown: int
    on_target: int


class Placement:
    """Where each page of a dataset was at one moment, compared with the plan. Made by a loader's
    placement()."""

    def __init__(self, handle: _native.Handle) -> None:
        self._handle = handle

    @property
    def total(self) -> PlacementBytes:
        """The bytes of the dataset, by where they lie."""
        return PlacementBytes(*_native.placement_total(self._handle))

    @property
    def local_fraction(self) -> float | None:
        """The part of the bytes that is local; None if the plan is interleaved or the kernel could not be
        asked."""
        fraction = _native.placement_local_fraction(self._handle)
        return None if math.isnan(fraction) else fraction

    def require(self, fraction: float) -> None:
        """Raises PlacementError, naming the shards, unless at least this part of the bytes is local."""
        _native.placement_require(self._handle, fraction)

    def to_dict(self) -> dict[str, Any]:
        """The report with the schema "nodewise.placement/1"."""
        import json

        report: dict[str, Any] = json.loads(_native.placement_to_json(self._handle))
        return report

    @property
    def degradations(self) -> list[dict[str, Any]]:
        """What the system refused: a list of dicts with `name` and `message`."""
        degradations: list[dict[str, Any]] = self.to_dict()["degradations"]
        return degradations

    def __str__(self) -> str:
        """Text for people: the batches of each node, a table of bytes, and whether all lie as planned."""
        return _native.placement_summary(self._handle)

    def __repr__(self) -> str:
        fraction = self.local_fraction
        local = "unknown" if fraction is None else f"{fraction:.4g} local"
        return f"<nodewise.Placement: {self.total.planned} bytes, {local}>"


class Residency(NamedTuple):
    """Where the bytes of any memory lie.

    bytes_on_node  by logical index of the node
    absent         bytes that are not in memory
    unknown        bytes of which the kernel does not say where they are
    """

    bytes_on_node: list[int]
    absent: int
    unknown: int


def placement(array: Any, *, machine: Topology | None = None) -> Residency:
    """Where the memory of an array lies: of NumPy, or anything else with a contiguous buffer. Raises
    SystemError and BufferError."""
    return Residency(*_native.residency((machine or topology())._handle, array))
