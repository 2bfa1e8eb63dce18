"""Numbers out of JSON: each is checked where it is read, and an error names it."""

from __future__ import annotations


def read_number(name: str, value: object) -> float:
    """Return a number as a float.

    Raises:
        ValueError: it is none; a boolean is none either.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; needed is a number")  # noqa: TRY004 - wrong data
    return float(value)


def read_whole_number(name: str, value: object) -> int:
    """Return a whole number.

    Raises:
        ValueError: it is none; a boolean and 1.0 are none either.
    """
    if type(value) is not int:
        raise ValueError(f"{name} is {value!r}; needed is a whole number")
    return value
