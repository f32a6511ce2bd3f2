import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightly import run_lightly

from genie_lite.cli import main
from genie_lite.conditions import BIOMES, CONDITION_NAMES, STRENGTHS, Conditions, biome
from genie_lite.errors import PromptError
from genie_lite.prompt.lexicon import lexicon
from genie_lite.prompt.parser import parse

RAINY = biome("autumn", hour=15.0, fog=0.3, rain=0.5, clouds=0.7, settlement=0.4)
WORDS = sorted(phrase for phrase in lexicon().phrases if len(phrase) >= 5 and " " not in phrase)


def misspellings(word: str) -> set[str]:
    """One letter in the middle dropped, doubled, wrong, or swapped with the one before it."""
    middle = len(word) // 2
    before, letter, after = word[: middle - 1], word[middle], word[middle + 1 :]
    head = word[:middle]
    return {head + after, head + letter + word[middle:], head + "q" + after, before + letter + word[middle - 1] + after}


def test_the_lexicon_knows_at_least_400_words_and_phrases() -> None:
    assert len(lexicon().phrases) >= 400


def test_words_are_recognised_when_one_letter_is_wrong() -> None:
    known = lexicon()
    read, lost = 0, []
    for word in WORDS:
        for typed in misspellings(word) - known.words - known.real:
            same = known.meaning(known.word(typed)) == known.meaning(word)
            read += same
            lost += [] if same else [f"{typed} for {word}, taken for {known.word(typed)}"]
    assert len(lost) <= 0.03 * read, lost


@pytest.mark.parametrize("word", ["brain", "know", "make", "frog", "harsh", "could", "moose", "clean", "branch"])
def test_real_words_are_no_misspellings(word: str) -> None:
    assert parse(f"fog, {word}").conditions == parse("fog").conditions


def test_short_words_are_not_guessed() -> None:
    assert parse("fog and sow, ran, lke").not_understood == ("sow", "ran", "lke")


PIECES = [*lexicon().phrases, "or", ",", ".", "7 am", "80%", "wombat"]


@given(st.text() | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_any_text_gives_lawful_conditions_or_the_one_error(text: str) -> None:
    for now in (None, RAINY):
        try:
            reading = parse(text, now)
        except PromptError as error:
            assert "\n" not in str(error)
            continue
        conditions = reading.conditions
        assert sum(conditions.biomes) == pytest.approx(1) and 0 <= conditions.hour < 24
        assert all(0 <= getattr(conditions, name) <= 1 for name in (*BIOMES, *STRENGTHS))
        assert reading.understood and reading == parse(text, now)


@given(st.lists(st.sampled_from(["wombat", "xylophone", "fog", "no houses", "at dawn", "thick", "zzz"]), min_size=1))
def test_no_unknown_word_is_dropped(words: list[str]) -> None:
    text = " and ".join([*words, "snow"])
    assert {word for word in words if word in ("wombat", "xylophone", "zzz")} == set(parse(text).not_understood)


def test_what_is_not_mentioned_keeps_its_default() -> None:
    assert parse("thick fog").conditions == replace(Conditions(meadow=1.0), fog=0.9)


def test_each_phrase_tells_what_it_set() -> None:
    reading = parse("thick fog over a desert with wombats at 7 pm")
    told = {chip.phrase: dict(chip.sets) for chip in reading.understood}
    assert told == {"thick fog": {"fog": 0.9}, "desert": {"desert": 1.0}, "at 7 pm": {"hour": 19.0}}
    assert reading.not_understood == ("wombats",)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("fog at 7 am", 7.0),
        ("fog at 3 o'clock in the afternoon", 15.0),
        ("half past four in the afternoon", 16.5),
        ("quarter to six in the morning", 5.75),
        ("18:45", 18.75),
        ("12 am", 0.0),
        ("noon on a dark night, 4 pm", 16.0),
        ("at ten at night", 22.0),
        ("2 at night", 2.0),
        ("7.30 p.m.", 19.5),
    ],
)
def test_clock_times(text: str, hour: float) -> None:
    assert parse(text).conditions.hour == pytest.approx(hour)


@pytest.mark.parametrize("text", ["about three houses", "fog at 99", "one evening with 70 wombats"])
def test_other_numbers_are_no_times(text: str) -> None:
    assert parse(text).conditions.hour in (12.0, 19.0)


@pytest.mark.parametrize(
    ("text", "vegetation"),
    [
        ("trees", 0.6),
        ("no trees", 0.0),
        ("treeless", 0.0),
        ("treeles", 0.0),
        ("tree-free", 0.0),
        ("free of trees", 0.0),
        ("no houses, lakes or trees", 0.0),
        ("no dinosaurs, trees", 0.6),
        ("hardly any trees", 0.15),
        ("not many trees", 0.15),
        ("a few trees", 0.3),
        ("not very many trees", 0.3),
        ("not too dense trees", 0.3),
        ("a little more trees", 0.65),
        ("20% trees", 0.2),
        ("the trees are dense, fog", 0.9),
        ("very dense trees", 0.95),
    ],
)
def test_degrees(text: str, vegetation: float) -> None:
    assert parse(text).conditions.vegetation == pytest.approx(vegetation)


def test_falling_snow_makes_a_snowy_world_only_where_no_other_biome_is_named() -> None:
    assert parse("snowflakes").conditions.snow == 1
    tropical = parse("snowflakes over a tropical sea").conditions
    assert (tropical.snow, tropical.tropical, tropical.snowfall) == (0, 1, 0.6)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("let it snow", {"snowfall": 0.6, "rain": 0.0}),
        ("night falls", {"hour": 23.0}),
        ("thick fog", {"fog": 0.9}),
        ("storm", {"rain": 0.9, "clouds": 0.9}),
        ("clear up", {"clouds": 0.08, "rain": 0.0, "fog": 0.03}),
        ("the desert begins here", {"autumn": 0.0, "desert": 1.0}),
        ("a village ahead", {"settlement": 0.6}),
        ("the rain stops", {"rain": 0.0}),
        ("more fog", {"fog": 0.6}),
        ("a little more fog", {"fog": 0.45}),
        ("less rain", {"rain": 0.2}),
        ("snow creeps in", {"autumn": 0.5, "snow": 0.5}),
        ("a beach", {"water": 0.6}),
    ],
)
def test_an_event_changes_only_what_it_mentions(text: str, changes: dict[str, float]) -> None:
    assert parse(text, RAINY).conditions == replace(RAINY, **changes)


def test_prompt_prints_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "a foggy desert at dawn with wombats"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told.keys() == {"conditions", "understood", "not_understood"}
    assert {*CONDITION_NAMES} - {"hour_sin", "hour_cos"} <= told["conditions"].keys()
    assert told["conditions"]["desert"] == 1 and told["conditions"]["fog"] == 0.6 and told["conditions"]["hour"] == 6
    assert {"phrase": "foggy", "sets": {"fog": 0.6}} in told["understood"] and told["not_understood"] == ["wombats"]


def test_words_need_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "thick", "fog"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["conditions"]["fog"] == 0.9


def test_nothing_understood_is_wrong_usage_with_three_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "qwxz vrtl"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.count('"') == 6


def test_a_prompt_is_read_without_anything_heavy() -> None:
    run_lightly("prompt", "fog")
