"""From mentions to conditions: what was said outright beats what was said in passing, and both beat what is implied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genie_lite.conditions import BIOMES, STRENGTHS, Conditions
from genie_lite.prompt.lexicon import Degree, Sense

PLAIN = 0.6
"""What a plain mention weighs."""

LACK = 0.3
"""A sense whose plain value is below this says that there is little of something: flat, dry, sunny."""

CLOCK, DEGREE, WORD = 3, 2, 1
"""What counts more: a clock beats "night", a degree beats a plain word; what words only imply counts least."""


@dataclass(frozen=True)
class Mention:
    """A sense with its degree, and where in the text it stands."""

    sense: Sense
    degree: Degree | None
    start: int
    end: int


def settle(mentions: Sequence[Mention], now: Conditions | None) -> tuple[Conditions, list[list[str]]]:
    """The conditions that all mentions make together, and for each mention the names of those it had a say in.

    now: the world as it is, which an event changes; None for a new world, where what is implied counts too: without
    a biome named outright, the implied ones are taken ("snowflakes" make a snowy world, "snowflakes over the desert"
    a desert).
    """
    before = now or Conditions(meadow=1.0)
    chosen: dict[str, tuple[int, float]] = {}
    effects: list[list[str]] = []
    for mention in mentions:
        said = _said(mention, before)
        for name, (rank, value) in said.items():
            held = chosen.get(name)
            if held is None or rank > held[0] or (rank == held[0] and _prevails(name, rank, value, held[1])):
                chosen[name] = (rank, value)
        effects.append(list(said))
    implied = _implied(mentions, before, set(chosen))
    values = {name: value for name, (_, value) in chosen.items() if name not in BIOMES} | implied
    weights, counted = _biomes(mentions, before, now is not None)
    for mention, names in zip(mentions, effects, strict=True):
        if not (mention.degree and mention.degree.none):
            names += [name for name in mention.sense.implies if name in implied]
        own = (*mention.sense.sets, *mention.sense.implies, *_denied(mention))
        names += [name for name in dict.fromkeys(own) if name in counted and name not in names]
    rounded = {name: round(value, 4) for name, value in values.items()}
    rounded["hour"] = rounded.get("hour", before.hour) % 24.0
    return replace(before, **rounded).with_biomes(weights), effects


def _said(mention: Mention, before: Conditions) -> dict[str, tuple[int, float]]:
    """The hour and strengths that a mention sets, with what they count. A negated hour says nothing."""
    degree, sets = mention.degree, mention.sense.sets
    if degree is not None and degree.none:
        return {
            name: (DEGREE, PLAIN if 0 <= sets.get(name, 1.0) < LACK else 0.0)
            for name in mention.sense.denied
            if name in STRENGTHS
        }
    rank = WORD if degree is None else DEGREE
    strengths = {name: plain for name, plain in sets.items() if name in STRENGTHS}
    said = {name: (rank, _level(plain, degree, getattr(before, name))) for name, plain in strengths.items()}
    if "hour" in sets:
        said["hour"] = (CLOCK if mention.sense.clock else WORD, sets["hour"])
    return said


def _level(plain: float, degree: Degree | None, present: float) -> float:
    if degree is None:
        return plain
    if degree.change:
        sign = -1 if plain < LACK else 1
        return min(1.0, max(0.0, present + sign * degree.level))
    if plain < LACK:
        return plain / 2 if degree.level > PLAIN else plain
    if degree.exact:
        return degree.level
    if degree.level == PLAIN:
        return plain
    return max(degree.level, plain) if degree.level > PLAIN else min(degree.level, plain)


def _prevails(name: str, rank: int, value: float, held: float) -> bool:
    """Between equals, the later degree and the later hour count, but the stronger plain word."""
    return rank == DEGREE or name == "hour" or value > held


def _implied(mentions: Sequence[Mention], before: Conditions, taken: set[str]) -> dict[str, float]:
    """Strengths that come with what was said: rain brings clouds, and sunshine ends the rain. Never the other way."""
    values: dict[str, float] = {}
    for mention in mentions:
        if mention.degree is not None and mention.degree.none:
            continue
        for name, value in mention.sense.implies.items():
            if name in STRENGTHS and name not in taken:
                present = values.get(name, getattr(before, name))
                values[name] = max(value, present) if value >= LACK else min(value, present)
    return values


def _denied(mention: Mention) -> tuple[str, ...]:
    return mention.sense.denied if mention.degree is not None and mention.degree.none else ()


def _biomes(mentions: Sequence[Mention], before: Conditions, event: bool) -> tuple[list[float], set[str]]:
    """The new weights (8) and the biomes that mentions brought about or excluded."""
    denied = {name for mention in mentions for name in _denied(mention) if name in BIOMES}
    named = _weights(mentions, "sets", denied)
    if not named and not event:
        named = _weights(mentions, "implies", denied)
    present = np.array([0.0 if name in denied else weight for name, weight in zip(BIOMES, before.biomes, strict=True)])
    weights = np.array([named.get(name, (0.0, 0.0))[0] for name in BIOMES])
    if event and named:
        share = min(1.0, sum(share for _, share in named.values()))
        weights = present / max(present.sum(), 1e-9) * (1 - share) + weights / weights.sum() * share
    elif not named:
        weights = present
    if weights.sum() <= 0:
        weights = np.eye(len(BIOMES))[next((i for i, name in enumerate(BIOMES) if name not in denied), 0)]
    return [float(weight) for weight in weights], {*named, *denied}


def _weights(mentions: Sequence[Mention], kind: str, denied: set[str]) -> dict[str, tuple[float, float]]:
    """By biome: its weight among those named, and the share of the land that an event gives it."""
    named: dict[str, tuple[float, float]] = {}
    for mention in mentions:
        degree = mention.degree
        if degree is not None and (degree.none or (degree.change and degree.level < 0)):
            continue
        for name, share in getattr(mention.sense, kind).items():
            if name in BIOMES and name not in denied:
                level = PLAIN if degree is None else degree.level
                exact = degree is not None and (degree.exact or degree.change)
                found = (level * share, level * share if exact else min(1.0, level / PLAIN) * share)
                named[name] = max(named.get(name, (0.0, 0.0)), found)
    return named
