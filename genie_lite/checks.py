"""What a file claims is believed only after a check: each returns the value, or raises ValueError in one line. So are
flags, which raise UsageError."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NoReturn

from genie_lite.errors import UsageError


def whole(value: Any, low: int, high: int) -> int:
    """A whole number from low to high."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is no whole number from {low} to {high}")
    return value


def number(value: Any, low: float, high: float) -> float:
    """A number from low to high."""
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is no number from {low:g} to {high:g}")
    return float(value)


def short_text(value: Any) -> str:
    """Printable text of 1 to 200 characters."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise ValueError(f"{str(value)[:40]!r} is no short text")
    return value


def entries(entry: type) -> set[str]:
    """The names of a dataclass's fields."""
    return {field.name for field in fields(entry)}


def only(values: Any, names: set[str], optional: frozenset[str] | set[str] = frozenset()) -> None:
    """Raises ValueError unless the object has exactly these entries."""
    if not isinstance(values, dict):
        raise ValueError("an object is missing")
    if unknown := set(values) - names:
        raise ValueError(f"unknown entry {min(unknown)[:40]!r}; a newer genie_lite may have written it")
    if lacking := names - set(values) - optional:
        raise ValueError(f"it lacks {min(lacking)!r}")


def printable(text: str) -> str:
    """The text with a question mark for whatever could upset a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def require_least(options: object, **least: int) -> None:
    """Raises UsageError for a flag below its least value; one that was left out (None) is right."""
    for name, bound in least.items():
        value = getattr(options, name)
        if value is not None and value < bound:
            raise UsageError(f"--{name.replace('_', '-')} {value} is too small; give at least {bound}")


def refuse(name: str) -> NoReturn:
    """For json's `parse_constant`: NaN and infinities are no numbers."""
    raise ValueError(f"{name} is no number")
