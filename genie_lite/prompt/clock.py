"""Times of day as people write them: 7 am, 18:30, half past four in the afternoon, five in the morning."""

from __future__ import annotations

import re

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_HOUR = rf"(?:\d{{1,2}}|{'|'.join(_UNITS[1:])})"
_PART = r"(?:a\.?m\b\.?|p\.?m\b\.?|(?:in\s+the|this)\s+(?:morning|afternoon|evening)\b|at\s+night\b)"
_LEAD = r"\b(?:(?:at|around|about|near|by)\s+)?"

_PATTERNS = (
    rf"{_LEAD}(?P<past>half|(?:a\s+)?quarter|five|ten|twenty|\d{{1,2}})\s+(?P<side>past|after|to|before)\s+"
    rf"(?P<hour>{_HOUR})\b(?:\s*o.?clock\b)?(?:\s*(?P<part>{_PART}))?",
    rf"{_LEAD}(?P<hour>{_HOUR})(?:[:.](?P<minute>[0-5]\d))?(?:\s*o.?clock\b)?\s*(?P<part>{_PART})",
    rf"{_LEAD}(?P<hour>\d{{1,2}}):(?P<minute>[0-5]\d)\b",
    rf"{_LEAD}(?P<hour>{_HOUR})\s*(?:o.?clock|h)\b",
    rf"\b(?:at|around|about)\s+(?P<hour>{_HOUR})(?=\s*(?:$|[.,;!?)]|(?:in|on|by|over|under|near|and)\b))",
)
"""The more a pattern asks for, the earlier it is tried; a bare number is an hour only after `at` and its like."""

_TIMES = tuple(re.compile(pattern) for pattern in _PATTERNS)


def match_time(text: str, at: int) -> tuple[float, int] | None:
    """The hour in [0, 24) that lower-case text names at this place, and where that ends; None if it names none."""
    for pattern in _TIMES:
        found = pattern.match(text, at)
        if found:
            said = found.groupdict()
            hour = _number(said["hour"])
            minutes = int(said.get("minute") or 0)
            if said.get("past"):
                minutes = _minutes(said["past"]) * (1 if said["side"] in ("past", "after") else -1)
            return ((_by_part(hour, said.get("part")) + minutes / 60) % 24, found.end()) if hour <= 24 else None
    return None


def _number(word: str) -> int:
    return _UNITS.index(word) if word in _UNITS else int(word)


def _minutes(word: str) -> int:
    word = word.split()[-1]
    return {"half": 30, "quarter": 15, "twenty": 20}.get(word) or _number(word)


def _by_part(hour: int, part: str | None) -> int:
    """The hour of 24: 12 am is midnight; 10 at night is 22 but 2 at night is 2."""
    if part is None or hour > 12:
        return hour
    if part.endswith("night"):
        return hour % 12 + (12 if 6 <= hour < 12 else 0)
    return hour % 12 + (0 if part.startswith("a") or part.endswith("morning") else 12)
