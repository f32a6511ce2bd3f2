"""What words mean, read from lexicon.toml, and which word was meant by one that is misspelt."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from importlib.resources import files

from genie_lite.conditions import BIOMES, STRENGTHS

SHORTEST_TYPED = 4
"""A word of fewer letters is not taken for a misspelling: three letters are too close to too many words."""

CHANGE = 0.3
"""What "more" and "less" add and take away."""

VERY = 0.95


@dataclass(frozen=True)
class Sense:
    """What a phrase sets (biome weights, an hour, one strength), what that implies, and what its negation denies."""

    sets: Mapping[str, float] = field(default_factory=dict)
    implies: Mapping[str, float] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    clock: bool = False
    """An hour read from a clock, which counts more than a word such as "night"."""


@dataclass(frozen=True)
class Degree:
    """How much of something: a level in [0, 1], or a change against the present.

    `exact` levels are meant as numbers (70 %, half); `very` only strengthens the degree that follows; `not_so` is "not
    very": whatever strong degree follows, it is light.
    """

    level: float
    exact: bool = False
    change: bool = False
    very: bool = False
    not_so: bool = False

    @property
    def none(self) -> bool:
        """True for "no" and its kin."""
        return self.level == 0.0 and not self.change

    def then(self, other: Degree) -> Degree:
        """This degree followed by another: very thick, not very, a little more."""
        if self.very:
            return other if other.none or other.change else Degree(other.level / 2 if other.level <= 0.3 else VERY)
        if self.none or self.not_so:
            strong = other.very or (other.level >= 0.6 and not other.change)
            return Degree(0.3, not_so=True) if strong else self
        if other.change and self.level <= 0.3:
            return Degree(other.level / 2, change=True)
        return self if other.very else other


class Mark(Enum):
    """Words that shape a sentence and mean nothing of their own."""

    BREAK = auto()
    OR = auto()
    FREE = auto()
    STOP = auto()


Meaning = Sense | Degree | Mark


@dataclass(frozen=True)
class Lexicon:
    """Phrases (tuples of lower-case words) with their meanings, and every word in them.

    spellable: the words that a misspelt one may stand for, which small words are not: they would swallow unknown words.
    real: English words that are no misspelling of any of them.
    """

    meanings: Mapping[tuple[str, ...], Meaning]
    words: frozenset[str]
    spellable: tuple[str, ...]
    real: frozenset[str]
    longest: int
    everything: re.Pattern[str]

    def speaks_of_everything(self, text: str) -> bool:
        """True if lower-case text names all there is."""
        return self.everything.search(text) is not None

    @property
    def phrases(self) -> list[str]:
        """All phrases that set or imply a condition, or say how much."""
        return [" ".join(words) for words, meaning in self.meanings.items() if not isinstance(meaning, Mark)]

    def meaning(self, *words: str) -> Meaning | None:
        """The meaning of known words together; the last may be a plural."""
        stems = (words[-1], *_stems(words[-1]))
        return next((found for stem in stems if (found := self.meanings.get((*words[:-1], stem)))), None)

    def lack(self, typed: str) -> Sense | None:
        """What a word in -less lacks, even if its last s is: treeless."""
        ending = re.fullmatch(r"(.{3,})less?", typed)
        known = typed in self.real or self.meaning(typed) is not None
        sense = self.meaning(ending[1]) if ending and not known else None
        return sense if isinstance(sense, Sense) else None

    def word(self, typed: str) -> str:
        """The known word that was typed, perhaps as a plural or misspelt by one letter; otherwise `typed` itself."""
        for candidate in (typed, *_stems(typed)):
            if candidate in self.words:
                return candidate
        if typed in self.real:
            return typed
        for candidate in (typed, *_stems(typed)):
            found = self._misspelt(candidate)
            if found:
                return found
        return typed

    def _misspelt(self, typed: str) -> str | None:
        if len(typed) < SHORTEST_TYPED or typed in self.real:
            return None
        found = [word for word in self.spellable if _one_letter_off(word, typed)]
        return min(found, key=lambda word: self._doubts(word, typed), default=None)

    def _doubts(self, word: str, typed: str) -> tuple[bool, bool, bool, str]:
        """Sorts candidates: words with a meaning of their own, swapped letters and the same first letter come first."""
        return (word,) not in self.meanings, sorted(word) != sorted(typed), word[0] != typed[0], word


@lru_cache
def lexicon() -> Lexicon:
    """The one lexicon of this package."""
    data = tomllib.loads(files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8"))
    meanings: dict[tuple[str, ...], Meaning] = {}
    for mark, group in ((Mark.STOP, "stop"), (Mark.BREAK, "breaks")):
        meanings |= dict.fromkeys(_phrases(data[group]["words"]), mark)
    meanings |= {("or",): Mark.OR, ("free",): Mark.FREE}
    for name, phrases in data["strengths"].items():
        meanings |= dict.fromkeys(_phrases(phrases), _degree(name, data["levels"]))
    for entry in data["sense"]:
        meanings |= dict.fromkeys(_phrases(entry["words"]), _sense(entry))
    everything = _phrases(data["everything"]["words"])
    meanings = dict.fromkeys(everything, Mark.STOP) | meanings
    words = frozenset(word for phrase in meanings for word in phrase)
    small = {word for (word, *rest), meaning in meanings.items() if not rest and isinstance(meaning, Mark)}
    telling = {word for phrase, meaning in meanings.items() if not isinstance(meaning, Mark) for word in phrase}
    real = frozenset(data["real"]["words"].replace(",", " ").split())
    named = "|".join(r"\s+".join(map(re.escape, phrase)) for phrase in everything)
    spellable, longest = tuple(sorted(telling - small)), max(map(len, meanings))
    return Lexicon(meanings, words, spellable, real, longest, re.compile(rf"\b(?:{named})\b"))


def _degree(name: str, levels: Mapping[str, float]) -> Degree:
    if name in ("more", "less"):
        return Degree(CHANGE if name == "more" else -CHANGE, change=True)
    return Degree(levels["much"], very=True) if name == "very" else Degree(levels[name], exact=name == "half")


def _sense(entry: Mapping[str, dict[str, float]]) -> Sense:
    """The names a negation denies are, if not given, the biomes and the strength that it sets."""
    sets, implies = entry.get("sets", {}), entry.get("implies", {})
    named = {*sets, *implies, *entry.get("denied", ())}
    if not named <= {*BIOMES, *STRENGTHS, "hour"}:
        raise ValueError(f"lexicon.toml names an unknown condition in {sorted(named)}")
    return Sense(sets, implies, tuple(entry.get("denied", [name for name in sets if name != "hour"])))


def _phrases(listed: str) -> list[tuple[str, ...]]:
    return [tuple(phrase.split()) for phrase in listed.replace("\n", " ").split(",") if phrase.strip()]


def _stems(word: str) -> list[str]:
    """What a plural may be a plural of, most likely first; and noonish is about noon."""
    stems = [word[:-3] + "y"] if word.endswith("ies") else []
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        stems += [word[:-1], *([word[:-2]] if word.endswith("es") else [])]
    return [*stems, word[:-3]] if word.endswith("ish") and len(word) > 6 else stems


def _one_letter_off(word: str, typed: str) -> bool:
    """One letter wrong, missing, doubled or added, or two neighbours swapped; three letters only allow a doubling."""
    longer = len(typed) - len(word)
    if abs(longer) > 1 or len(word) < 3:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, typed, strict=False)) if a != b), min(len(word), len(typed)))
    if longer == 1:
        doubled = start > 0 and typed[start] == typed[start - 1]
        return word[start:] == typed[start + 1 :] and (len(word) > 3 or doubled)
    if len(word) == 3:
        return False
    if longer == -1:
        return word[start + 1 :] == typed[start:]
    swapped = word[start : start + 2] == typed[start : start + 2][::-1] and word[start + 2 :] == typed[start + 2 :]
    return swapped or word[start + 1 :] == typed[start + 1 :]
