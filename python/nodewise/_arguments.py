"""The arguments of loaders: data, batch sizes and options, as the C interface takes them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ._errors import InvalidArgument
from ._types import BINDINGS, LAYOUTS, PAGES, POLICIES, SCHEDULING, WEIGHTS, choice, dtype_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ._machine import Topology

    Array = np.ndarray[Any, Any]


def options_of(
    *,
    policy: str = "blocked",
    binding: str | None = None,
    weights: str | Sequence[float] = "equal",
    targets: Sequence[int] = (),
    pages: str | None = None,
    workers: int = 0,
    scheduling: str = "local",
    layout: str = "rows",
    machine: Topology | None = None,
    segment: str | None = None,
    keep: bool = False,
    publish: bool = True,
    timeout: float | None = None,
) -> dict[str, Any]:
    """The options of the C interface. docs/python.md lists what they mean."""
    options: dict[str, Any] = {
        "policy": choice(POLICIES, policy, "policy"),
        "scheduling": choice(SCHEDULING, scheduling, "scheduling"),
        "layout": choice(LAYOUTS, layout, "layout"),
        "workers": workers,
        "keep": int(keep),
        "publish_later": int(not publish),
    }
    if binding is not None:
        options["binding"] = choice(BINDINGS, binding, "binding")
    if pages is not None:
        options["pages"] = choice(PAGES, pages, "pages")
    if isinstance(weights, str):
        options["weights"] = choice(WEIGHTS, weights, "weights")
    else:
        options["weights"], options["given_weights"] = WEIGHTS["given"], weights
    if len(targets) > 0:
        options["targets"] = targets
    if machine is not None:
        options["topology"] = machine._handle
    if timeout is not None:
        options["patience"] = max(timeout, 1e-3)  # 0 means without a limit
    if segment is not None:
        options["segment"] = segment
    return options


def matrix_of(data: Any) -> Array:
    """The data as a 2-D NumPy array of one of nodewise's types. Nothing is copied unless NumPy must."""
    import numpy as np

    array = np.asarray(data)
    if array.ndim != 2:
        raise InvalidArgument(f"data has {array.ndim} dimensions; a dataset has two: samples and features")
    if array.dtype.name == "bfloat16":
        return array.view(np.uint16)
    dtype_number(array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def batch_size_of(batch_size: Any) -> int:
    size = operator.index(batch_size)
    if not 0 < size < 2**63:
        raise InvalidArgument(f"batch_size is {size}; a batch has at least one row")
    return size


def dtype_of(data: Any, array: Array) -> int:
    """The number of the element type; `array` shows bfloat16 as 16-bit numbers."""
    name = getattr(getattr(data, "dtype", None), "name", "")
    return dtype_number("bf16" if name == "bfloat16" else array.dtype)


def check_adoptable(data: Any, array: Array, options: dict[str, Any]) -> None:
    import numpy as np

    if options["layout"] != LAYOUTS["rows"]:
        raise InvalidArgument(
            "copy=False: the array stays as it is, in rows; use copy=True for another layout"
        )

    if not (isinstance(data, np.ndarray) and np.shares_memory(data, array) or array.size == 0):
        raise InvalidArgument(
            "copy=False: the data is no NumPy array whose memory can be used where it is; use " "copy=True"
        )
    if not array.flags.c_contiguous:
        raise InvalidArgument(
            f"copy=False: the rows must follow one another in memory, and the strides are "
            f"{array.strides}; use copy=True"
        )


def float_of(value: Any) -> float:
    """A number to be written as a floating-point element. Raises InvalidArgument, and TypeError for what
    is no number."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"write_to_buffer: {value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidArgument(f"write_to_buffer: {value} is too large for a float") from None


def integer_of(value: Any) -> int:
    """A number to be written as an integer element. Raises InvalidArgument unless it is an integer of 64
    bits, and TypeError for what is no number."""
    number = float_of(value) if not hasattr(value, "__index__") else None
    whole = operator.index(value) if number is None else int(number) if number.is_integer() else None
    if whole is None or not -(2**63) <= whole < 2**64:
        raise InvalidArgument(f"write_to_buffer: {value} is no integer of 64 bits")
    return whole


def bfloat16_bits(value: float) -> int:
    """The bits of the bfloat16 that is nearest to a number; half way, the even one."""
    import numpy as np

    if value != value:
        return 0x7FC0
    with np.errstate(over="ignore"):
        bits = int(np.float32(value).view(np.uint32))
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
