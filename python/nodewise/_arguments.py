"""The arguments of loaders: data, batch sizes and options, as the C interface takes them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ._errors import InvalidArgument
from ._types import (
    BF16,
    BINDINGS,
    DTYPES,
    FLOATS,
    LAYOUTS,
    PAGES,
    POLICIES,
    SCHEDULING,
    WEIGHTS,
    choice,
    dtype_number,
    range_of,
)
from ._waits import timeout_of

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
    options["weights"], options["given_weights"] = weights_of(weights)
    if len(targets) > 0:
        options["targets"] = targets
    if machine is not None:
        options["topology"] = machine._handle
    if timeout is not None:
        options["patience"] = max(timeout_of(timeout) or 0.0, 1e-9)  # 0 means without a limit
    if segment is not None:
        options["segment"] = segment
    elif not publish:
        raise InvalidArgument("publish=False needs segment=NAME")
    return options


def matrix_of(data: Any) -> tuple[Array, int]:
    """The data as a 2-D NumPy array, and the number of its element type; bfloat16 is shown as 16-bit
    numbers. Nothing is copied unless NumPy must."""
    import numpy as np

    array = np.asarray(data)
    if array.ndim != 2:
        raise InvalidArgument(f"data has {array.ndim} dimensions; a dataset has two: samples and features")
    number = dtype_number(array.dtype)
    if number == BF16:
        return array.view(np.uint16), number
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view(np.uint8) if array.dtype == np.bool_ else array, number


def dataset_of(shape: tuple[int, int], dtype: Any, batch_size: Any) -> tuple[int, int, int, int]:
    """(samples, features, batch size, element type), as the C interface takes them. Raises
    InvalidArgument."""
    samples, features = map(operator.index, shape)
    if samples < 0 or features < 0:
        raise InvalidArgument(f"the shape is {shape}; it may not be negative")
    return samples, features, batch_size_of(batch_size), dtype_number(dtype)


def weights_of(weights: str | Sequence[float]) -> tuple[int, Sequence[float]]:
    """The number of the weights, and the given ones."""
    if isinstance(weights, str):
        return choice(WEIGHTS, weights, "weights"), ()
    return WEIGHTS["given"], weights


def batch_size_of(batch_size: Any) -> int:
    size = operator.index(batch_size)
    if not 0 < size < 2**63:
        raise InvalidArgument(f"batch_size is {size}; a batch has at least one row")
    return size


def check_adoptable(data: Any, array: Array, options: dict[str, Any]) -> None:
    import numpy as np

    if options["layout"] != LAYOUTS["rows"]:
        raise InvalidArgument(
            "copy=False: the array stays as it is, in rows; use copy=True for another layout"
        )

    if not (isinstance(data, np.ndarray) and np.shares_memory(data, array) or array.size == 0):
        raise InvalidArgument(
            "copy=False: the data is no NumPy array whose memory can be used where it is; use copy=True"
        )
    if not array.flags.c_contiguous:
        raise InvalidArgument(
            f"copy=False: the rows must follow one another in memory, and the strides are "
            f"{array.strides}; use copy=True"
        )


def element_of(value: Any, number: int) -> int | float:
    """A number as it will be in an element of this type: a float is rounded to a floating-point type.
    Raises InvalidArgument if an integer type cannot hold it, and TypeError for what is no number."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"write_to_buffer: {value!r} is no number")
    return _rounded(value, number) if number in FLOATS else _whole(value, number)


def _rounded(value: Any, number: int) -> float:
    import numpy as np

    try:
        real = float(value)
    except OverflowError:
        raise InvalidArgument(f"write_to_buffer: {value} is too large for a float") from None
    with np.errstate(over="ignore"):
        if number != BF16:
            return float(np.dtype(DTYPES[number].numpy).type(real))
        bits = int(np.float32(real).view(np.uint32))
    if real != real:
        return real
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000  # half way: to the even one
    return float(np.uint32(rounded).view(np.float32))


def _whole(value: Any, number: int) -> int:
    name, (least, most) = DTYPES[number].name, range_of(number)
    whole = operator.index(value) if hasattr(value, "__index__") else float(value)
    if whole != whole or whole in (float("inf"), float("-inf")) or whole != int(whole):
        raise InvalidArgument(f"write_to_buffer: {value} is no integer, and the elements are {name}")
    if not least <= whole <= most:
        raise InvalidArgument(f"write_to_buffer: {value} is no {name}, which holds {least} to {most}")
    return int(whole)
