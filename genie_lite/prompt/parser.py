"""Free English into conditions: phrases are looked up longest first, degrees ("thick", "no") join what they belong to.

A degree belongs to the next meaning, across small words; where its clause has none left it belongs to the one before
("the fog is thick"). Words that are neither known nor small are reported, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from genie_lite.conditions import Conditions
from genie_lite.errors import PromptError
from genie_lite.prompt.clock import match_time
from genie_lite.prompt.lexicon import Degree, Lexicon, Mark, Sense, lexicon
from genie_lite.prompt.settle import Mention, settle

EXAMPLES = '"a foggy meadow at dawn", "snow creeping into a desert", "thick jungle, no houses, 5 pm"'
_PERCENT = re.compile(r"(\d{1,3})\s*(?:%|per\s*cent\b)(?:\s+of\b)?")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")
_PUNCTUATION = re.compile(r"[.,;:!?()/\n]+")


@dataclass(frozen=True)
class Chip:
    """A phrase that was understood, and the conditions it set, by name."""

    phrase: str
    sets: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.phrase}: " + ", ".join(f"{name} {value:.4g}" for name, value in self.sets.items())


@dataclass(frozen=True)
class Reading:
    """What a text was taken to mean, and the words in it that meant nothing.

    everywhere: it speaks of all there is, not only of what comes next ("everything turns to snow").
    """

    conditions: Conditions
    understood: tuple[Chip, ...]
    not_understood: tuple[str, ...]
    everywhere: bool = False


@dataclass(frozen=True)
class _Item:
    """A stretch of the text: a meaning, a time of day (as a Sense), or None for an unknown word."""

    meaning: Sense | Degree | Mark | None
    start: int
    end: int
    comma: bool = False


def parse(text: str, now: Conditions | None = None) -> Reading:
    """What the text says about a world.

    Without `now` it describes a new world: what it does not mention keeps its default. With `now` it is an event in
    a world as it is: what it does not mention stays, and biomes change only where the text names one.
    Raises PromptError if nothing in the text was understood.
    """
    lowered = text.lower().replace("\u2019", "'")
    mentions, unknown = _mentions(list(_items(lowered)), lowered)
    conditions, effects = settle(mentions, now)
    chips = []
    for mention, names in zip(mentions, effects, strict=True):
        phrase = " ".join(lowered[mention.start : mention.end].split())
        if names:
            chips.append(Chip(phrase, {name: round(getattr(conditions, name), 3) for name in names}))
        else:
            unknown.append((mention.start, phrase))
    if not chips:
        raise PromptError(f"nothing in {_shortened(text)!r} was understood; try {EXAMPLES}")
    lost = tuple(dict.fromkeys(word for _, word in sorted(unknown)))
    return Reading(conditions, tuple(chips), lost, lexicon().speaks_of_everything(lowered))


def _items(text: str) -> Iterator[_Item]:
    """The text cut into items, from left to right."""
    words: list[re.Match[str]] = []
    at = 0
    while at < len(text):
        item, word = _literal(text, at), _WORD.match(text, at)
        if item is not None:
            yield from _phrases(words, lexicon())
            yield item
            words = []
            at = item.end
        elif word:
            words.append(word)
            at = word.end()
        else:
            at += 1
    yield from _phrases(words, lexicon())


def _literal(text: str, at: int) -> _Item | None:
    """The time, percentage or punctuation that begins at this place."""
    clock = match_time(text, at)
    if clock is not None:
        return _Item(Sense({"hour": clock[0]}, clock=True), at, clock[1])
    percent, mark = _PERCENT.match(text, at), _PUNCTUATION.match(text, at)
    if percent:
        return _Item(Degree(min(100, int(percent[1])) / 100, exact=True), at, percent.end())
    return _Item(Mark.BREAK, at, mark.end(), comma=True) if mark else None


def _phrases(words: list[re.Match[str]], known: Lexicon) -> Iterator[_Item]:
    """Words without punctuation between them, as the longest phrases that the lexicon has."""
    read, at = [known.word(word[0]) for word in words], 0
    while at < len(words):
        start, length = words[at].start(), 1
        meaning: Sense | Degree | Mark | None = known.lack(words[at][0])
        if meaning is not None:
            yield _Item(Degree(0.0), start, start)
        else:
            for length in range(min(known.longest, len(words) - at), 0, -1):
                meaning = known.meaning(*read[at : at + length])
                if meaning is not None:
                    break
        yield _Item(meaning, start, words[at + length - 1].end())
        at += length


def _mentions(items: list[_Item], text: str) -> tuple[list[Mention], list[tuple[int, str]]]:
    """Joins degrees and senses; also the unknown words, each with its place."""
    mentions: list[Mention] = []
    unknown: list[tuple[int, str]] = []
    degree: Degree | None = None
    begin, in_clause, stray, carried = 0, False, False, False
    for number, item in enumerate([*items, _Item(Mark.BREAK, len(text), len(text))]):
        meaning = item.meaning
        if isinstance(meaning, Degree):
            begin = item.start if degree is None else begin
            degree = meaning if degree is None else degree.then(meaning)
            stray = False
        elif isinstance(meaning, Sense):
            start = item.start if degree is None else begin
            mentions.append(Mention(meaning, degree, start, item.end))
            carried = degree is not None and degree.none
            degree, in_clause = None, True
        elif meaning is None:
            unknown.append((item.start, text[item.start : item.end]))
            stray = True
        elif meaning is Mark.FREE:
            if in_clause and mentions[-1].degree is None and item.start == mentions[-1].end + 1:
                mentions[-1] = replace(mentions[-1], degree=Degree(0.0), end=item.end)
        elif meaning is Mark.OR or (item.comma and carried and _list_goes_on(items[number + 1 :])):
            if carried and degree is None:
                degree, begin, stray = Degree(0.0), item.end, False
        elif meaning is Mark.BREAK:
            last = mentions[-1] if mentions else None
            if degree is not None and in_clause and last is not None and last.degree is None:
                mentions[-1] = replace(last, degree=degree, end=max(last.end, _end_before(items, item.start)))
                degree = None
            elif stray or (item.comma and degree is not None and degree.none):
                degree = None
            in_clause = carried = False
    return mentions, unknown


def _list_goes_on(items: list[_Item]) -> bool:
    """True if what follows a comma is one more of a list that ends in "or": no houses, trees or fog."""
    after = [item for item in items if item.meaning is not Mark.STOP]
    for sense, link in zip(after[::2], after[1::2], strict=False):
        if not isinstance(sense.meaning, Sense):
            return False
        if not link.comma:
            return link.meaning is Mark.OR
    return False


def _end_before(items: list[_Item], place: int) -> int:
    return max(item.end for item in items if item.end <= place and isinstance(item.meaning, Degree))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
