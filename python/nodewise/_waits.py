"""Waits that Ctrl-C can end: they are made of short waits, between which Python looks for signals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from ._errors import InvalidArgument, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

SLICE = 0.05  # the seconds after which a wait looks for signals


def timeout_of(timeout: float | None) -> float | None:
    """A timeout as in multiprocessing: None is no limit, and negative times are zero."""
    if timeout is None:
        return None
    seconds = float(timeout)
    if seconds != seconds:
        raise InvalidArgument(f"a timeout is a number of seconds, or None, and not {timeout}")
    return max(seconds, 0.0)


def wait(once: Callable[[float], Result], timeout: float | None) -> Result:
    """Calls once(seconds), which waits so long at most, until its result is true or the time is over.
    Returns the last result."""
    limit = timeout_of(timeout)
    until = None if limit is None else time.monotonic() + limit
    left = SLICE if limit is None else limit
    while True:
        result = once(min(left, SLICE))
        if result:
            return result
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:
                return result


def open_patiently(once: Callable[[str, float], Result], name: str, timeout: float | None) -> Result:
    """Opens the segment `name` by once(name, seconds). While another process is still making it, waits, at
    most for `timeout`; then raises Timeout."""
    limit = timeout_of(timeout)
    until = None if limit is None else time.monotonic() + limit
    while True:
        left = SLICE if until is None else max(until - time.monotonic(), 0.0)
        try:
            return once(name, min(left, SLICE))
        except Timeout:
            if until is not None and left <= SLICE:
                raise
