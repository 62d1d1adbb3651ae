"""Element types and options: the names of Python, and the numbers of the C interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


class ElementType(NamedTuple):
    """An element type: nodewise's name, the format of the buffer protocol, its bytes, NumPy's name."""

    name: str
    format: str
    bytes: int
    numpy: str


# By the number of the C interface. bfloat16 has no format; it is shown as 16-bit numbers.
DTYPES = {
    1: ElementType("f64", "d", 8, "float64"),
    2: ElementType("f32", "f", 4, "float32"),
    3: ElementType("f16", "e", 2, "float16"),
    4: ElementType("bf16", "H", 2, "bfloat16"),
    5: ElementType("i64", "l", 8, "int64"),
    6: ElementType("i32", "i", 4, "int32"),
    7: ElementType("i16", "h", 2, "int16"),
    8: ElementType("i8", "b", 1, "int8"),
    9: ElementType("u64", "L", 8, "uint64"),
    10: ElementType("u32", "I", 4, "uint32"),
    11: ElementType("u16", "H", 2, "uint16"),
    12: ElementType("u8", "B", 1, "uint8"),
}
_NUMBERS = {name: number for number, dtype in DTYPES.items() for name in (dtype.name, dtype.numpy)}
_NUMBERS["bool"] = _NUMBERS["u8"]

POLICIES = {"blocked": 0, "interleaved": 1}
BINDINGS = {"preferred": 1, "required": 2}
WEIGHTS = {"equal": 0, "cpus": 1, "capacity": 2, "given": 3}
PAGES = {"automatic": 1, "base": 2, "transparent": 3, "hugetlb": 4}
SCHEDULING = {"local": 0, "stealing": 1}
LAYOUTS = {"rows": 0, "columns": 1, "tiles": 2}
BF16 = _NUMBERS["bf16"]
U8 = _NUMBERS["u8"]
FLOATS = frozenset(_NUMBERS[name] for name in ("f64", "f32", "f16", "bf16"))
MODES = {"r": 0, "r+": 1}


def choice(table: Mapping[str, int], value: str, what: str) -> int:
    """The number of an option's value. Raises InvalidArgument, which lists the values that there are."""
    try:
        return table[value]
    except (KeyError, TypeError):
        raise InvalidArgument(f"{what} is {value!r}; it may be {', '.join(map(repr, table))}") from None


def dtype_number(dtype: Any) -> int:
    """The number of an element type, by nodewise's name, or by anything that numpy.dtype() takes. Raises
    InvalidArgument."""
    if isinstance(dtype, str) and dtype in _NUMBERS:
        return _NUMBERS[dtype]
    name = getattr(dtype, "name", None)
    if not isinstance(name, str):
        import numpy as np

        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = str(dtype)
    if name in _NUMBERS:
        return _NUMBERS[name]
    known = ", ".join(element.name for element in DTYPES.values())
    raise InvalidArgument(f"{name} is none of nodewise's element types: {known}")


def range_of(number: int) -> tuple[int, int]:
    """The least and the greatest number that an integer element type holds."""
    name, _, octets, _ = DTYPES[number]
    bits = 8 * octets
    return (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def array_over(memory: object, number: int) -> np.ndarray[Any, Any]:
    """A NumPy array over a buffer of elements of this type."""
    import numpy as np

    array: np.ndarray[Any, Any] = np.asarray(memory)
    return array.view(numpy_dtype(number)) if number == BF16 else array


def numpy_dtype(number: int) -> np.dtype[Any]:
    """The NumPy type of an element type. bfloat16 needs the package ml_dtypes; without it, uint16."""
    import numpy as np

    if number != BF16:
        return np.dtype(DTYPES[number].numpy)
    try:
        import ml_dtypes  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return np.dtype(np.uint16)
    bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return bfloat16
