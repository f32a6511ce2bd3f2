"""How well the parser reads sentences that were written before it: tests/prompts.jsonl, explained in prompts.md."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from genie_lite.conditions import BIOMES, STRENGTHS, Conditions
from genie_lite.errors import PromptError
from genie_lite.prompt.parser import Reading, parse

SENTENCES = [json.loads(line) for line in (Path(__file__).parent / "prompts.jsonl").read_text("utf-8").splitlines()]
SHARE_TO_READ = 0.9
HOURS = {"dawn": (5, 8), "noon": (11, 14), "evening": (17, 20.5), "night": (21, 4.5)}
LEVELS = {"none": (0, 0.001), "hint": (0.05, 0.25), "light": (0.2, 0.4), "some": (0.5, 0.7), "much": (0.8, 1)}
FAIR_SHARE = 0.7
"""A listed biome must weigh this part of an equal share at least."""

DEFAULTS = {field.name: field.default for field in fields(Conditions)}


def hour_is(hour: float, expected: str | float | list[float]) -> bool:
    if isinstance(expected, int | float):
        expected = [(expected - 0.5) % 24, (expected + 0.5) % 24]
    low, high = HOURS[expected] if isinstance(expected, str) else expected
    return low <= hour <= high if low <= high else hour >= low or hour <= high


def biomes_are(conditions: Conditions, expected: list[str] | dict[str, list[float]]) -> bool:
    weights = dict(zip(BIOMES, conditions.biomes, strict=True))
    if isinstance(expected, list):
        least = FAIR_SHARE / len(expected)
        expected = {name: [least, 1.0] for name in expected}
    others = sum(weight for name, weight in weights.items() if name not in expected)
    return others <= 0.1 and all(low <= weights[name] <= high for name, (low, high) in expected.items())


def strength_is(conditions: Conditions, name: str, expected: str | list[float] | None) -> bool:
    value = getattr(conditions, name)
    if expected is None:
        falls = max(conditions.rain, conditions.snowfall) >= 0.15
        return value == pytest.approx(DEFAULTS[name]) or (name == "clouds" and falls and value > DEFAULTS[name])
    low, high = LEVELS[expected] if isinstance(expected, str) else expected
    return low - 1e-6 <= value <= high + 1e-6


def mistakes(reading: Reading, sentence: dict[str, object]) -> list[str]:
    """What of the conditions was read otherwise than expected, and which unknown words were lost."""
    conditions, wrong = reading.conditions, []
    if sentence.get("hour") != "any" and not hour_is(conditions.hour, sentence.get("hour", DEFAULTS["hour"])):
        wrong.append(f"hour {conditions.hour:g}")
    if not biomes_are(conditions, sentence.get("biomes", ["meadow"])):
        named = {name: round(weight, 2) for name, weight in zip(BIOMES, conditions.biomes, strict=True) if weight}
        wrong.append(f"biomes {named}")
    for name in STRENGTHS:
        if sentence.get(name) != "any" and not strength_is(conditions, name, sentence.get(name)):
            wrong.append(f"{name} {getattr(conditions, name):g}")
    return wrong + [f"lost {word}" for word in sentence.get("unknown", []) if word not in reading.not_understood]


def failure(sentence: dict[str, object]) -> str | None:
    try:
        wrong = mistakes(parse(sentence["text"]), sentence)
    except PromptError:
        wrong = ["nothing understood"]
    return f"{sentence['text']!r}: {', '.join(wrong)}" if wrong else None


def test_nine_in_ten_held_out_sentences_are_read_right(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [told for told in map(failure, SENTENCES) if told]
    share = 1 - len(failures) / len(SENTENCES)
    with capsys.disabled():
        print(f"\n{share:.1%} of {len(SENTENCES)} held-out sentences are read right; not these:", *failures, sep="\n  ")
    assert share >= SHARE_TO_READ


def test_there_are_enough_sentences_and_none_twice() -> None:
    assert len({sentence["text"] for sentence in SENTENCES}) == len(SENTENCES) >= 150
