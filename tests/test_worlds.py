"""`genie-lite worlds`, and `genie-lite play` with a world's file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly import run_lightly
from PIL import Image
from some_worlds import LAKE, PHOTO, SAND, SHIPPED, any_conditions, written
from tiny import saved, tiny_model

from genie_lite.cli import main
from genie_lite.commands import play, visit
from genie_lite.commands.surprise import HOURS, SCENES, surprise
from genie_lite.commands.worlds import folders
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import ENGINE, Frame, Start
from genie_lite.engine.shipped import weights_hash
from genie_lite.errors import CheckpointError
from genie_lite.model.checkpoint import PARTS, load_model
from genie_lite.play.choice import reading_of
from genie_lite.play.loop import PlayLoop
from genie_lite.play.screen import Screen
from genie_lite.prompt.parser import parse
from genie_lite.recording.reader import read_log
from genie_lite.recording.replay import verify
from genie_lite.session.calibration import METER, Calibration, Linear, write_calibration
from genie_lite.world_file import SUFFIX, WorldFile, read_world


def complaint(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Exit status and what was said on stderr, which must be one line."""
    capsys.readouterr()
    status = main([str(word) for word in words])
    said = capsys.readouterr().err
    assert said.startswith("genie-lite: ") and said.count("\n") == 1, said
    return status, said


def test_words_become_a_world_that_play_would_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "foggy-lake.world.json"
    words = ["worlds", "save", str(out), "--prompt", "a foggy lake, wombats", "--hour", "20", "--any-weights"]
    assert main(words) == 0
    world, told = read_world(out), capsys.readouterr().out
    assert world.name == "foggy lake" and world.prompt == "a foggy lake, wombats" and world.checkpoint is None
    assert world.conditions == replace(parse("a foggy lake").conditions, hour=20.0)
    assert "understood      foggy: fog 0.6" in told and "not understood  wombats" in told and str(out) in told


def test_a_picture_is_packed_into_the_file(tmp_path: Path) -> None:
    Image.effect_noise((2000, 1200), 20).convert("RGB").save(tmp_path / "photo.png")
    out = tmp_path / "photo.world.json"
    words = ["--image", str(tmp_path / "photo.png"), "--seed", "3", "--name", "Noise", "--any-weights"]
    assert main(["worlds", "save", str(out), *words]) == 0
    world = read_world(out)
    start = world.start()
    assert isinstance(start, np.ndarray) and start.shape == (720, 1280, 3) and start.dtype == np.uint8
    assert (world.name, world.seed, world.conditions) == ("Noise", 3, None)


def test_it_notes_the_weights(tmp_path: Path) -> None:
    weights, out = saved(tmp_path / "tiny", tiny_model()), tmp_path / "a.world.json"
    assert main(["worlds", "save", str(out), "--checkpoint", str(weights)]) == 0
    known = load_model(weights).hash
    assert read_world(out).checkpoint == weights_hash(weights) == known


def test_weights_that_are_not_there_have_no_hash(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        weights_hash(tmp_path)


@pytest.mark.parametrize(
    ("words", "told", "status"),
    [
        (["save", "a.json", "--any-weights"], "call it a.world.json", 2),
        (["save", "there.world.json", "--any-weights"], "exists", 1),
        (["save", "there.world.json/a.world.json", "--any-weights"], "cannot write", 1),
        (["save", "a.world.json", "--checkpoint", "nowhere"], "nowhere", 1),
        (["save", "a.world.json", "--seed", "-1", "--any-weights"], "seed -1", 2),
        (["save", "a.world.json", "--name", "", "--any-weights"], "name", 2),
        (["save", "a.world.json", "--prompt", "qwxz"], "qwxz", 2),
        (["save", "a.world.json", "--image", "p.png", "--hour", "4"], "--image", 2),
        (["save", "a.world.json", "--image", "p.png"], "no picture", 1),
        (["save"], "required", 2),
        (["remix", "lake.world.json", "--out", "there.world.json"], "exists", 1),
        (["remix", "nowhere", "--out", "a.world.json"], "nowhere", 1),
        (["remix", "lake.world.json", "--out", "a.world.json", "--biome", "moon"], "moon", 2),
        (["remix", "lake.world.json", "--out", "a.world.json", "--prompt", "qwxz"], "qwxz", 2),
        (["remix", "photo.world.json", "--out", "a.world.json", "--prompt", "qwxz"], "qwxz", 2),
        (["remix", "photo.world.json", "--out", "a.world.json", "--fog", "1"], "begins from a picture", 2),
        (["blend", "lake.world.json", "photo.world.json", "--out", "a.world.json"], "photo.world.json begins", 2),
        (["blend", "lake.world.json", "sand.world.json", "--out", "a.world.json", "--share", "2"], "--share 2", 2),
        (["blend", "lake.world.json", "sand.world.json", "--out", "a.world.json", "--share", "nan"], "--share", 2),
        (["surprise", "--out", "there.world.json"], "exists", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_leaves_no_file(
    words: list[str],
    told: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for world in (LAKE, SAND, PHOTO, replace(LAKE, name="there")):
        written(tmp_path, world)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    said = complaint(capsys, "worlds", *words)
    assert said[0] == status and told in said[1]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def remix(tmp_path: Path, world: WorldFile, *words: str) -> WorldFile:
    out = tmp_path / "out.world.json"
    assert main(["worlds", "remix", str(written(tmp_path, world)), "--out", str(out), *words]) == 0
    return read_world(out)


def test_nothing_asked_changes_nothing(tmp_path: Path) -> None:
    world = replace(LAKE, checkpoint="0123456789abcdef")
    assert remix(tmp_path, world) == world


def test_a_flag_a_seed_and_a_name_change_alone(tmp_path: Path) -> None:
    changed = remix(tmp_path, LAKE, "--hour", "5", "--seed", "70", "--name", "Early")
    assert LAKE.conditions is not None
    assert changed == replace(LAKE, name="Early", seed=70, conditions=replace(LAKE.conditions, hour=5.0))


def test_words_are_an_event_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = remix(tmp_path, LAKE, "--prompt", "let it snow")
    assert changed.conditions == parse("let it snow", LAKE.conditions).conditions
    assert changed.conditions is not None and changed.conditions.water == 0.6 and changed.conditions.autumn == 1
    assert changed.prompt == "an autumn lake at dusk; let it snow"
    assert "understood      let it snow: snowfall 0.6" in capsys.readouterr().out


def test_a_world_from_a_picture_takes_more_words(tmp_path: Path) -> None:
    assert remix(tmp_path, PHOTO, "--prompt", "at night") == replace(PHOTO, prompt="thick fog; at night")


def test_only_words_that_are_still_true_are_told() -> None:
    assert LAKE.conditions is not None
    reading = reading_of(replace(LAKE, conditions=replace(LAKE.conditions, hour=5.0)))
    assert reading is not None and [chip.phrase for chip in reading.understood] == ["autumn", "lake"]
    assert reading_of(replace(LAKE, prompt=None)) is None
    assert reading_of(replace(LAKE, prompt="qwxz")) is None


def blend(tmp_path: Path, *words: str) -> WorldFile:
    paths = [str(written(tmp_path, world)) for world in (LAKE, SAND)]
    out = tmp_path / "out.world.json"
    assert main(["worlds", "blend", *paths, "--out", str(out), *words]) == 0
    return read_world(out)


def test_half_and_half_lies_between_and_near_midnight(tmp_path: Path) -> None:
    world = blend(tmp_path)
    assert (world.name, world.seed, world.prompt) == ("between Lake and Sand", LAKE.seed, None)
    assert world.conditions is not None
    assert (world.conditions.autumn, world.conditions.desert, world.conditions.hour) == (0.5, 0.5, 22.5)


def test_a_share_a_seed_and_a_name(tmp_path: Path) -> None:
    world = blend(tmp_path, "--share", "1", "--seed", "5", "--name", "All sand")
    assert (world.name, world.seed) == ("All sand", 5)
    assert world.conditions is not None and SAND.conditions is not None
    assert world.conditions.to_dict() == pytest.approx(SAND.conditions.to_dict())


@given(first=any_conditions(), second=any_conditions(), share=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_any_two_conditions_can_be_mixed(first: Conditions, second: Conditions, share: float) -> None:
    mixed = first.towards(second, share)
    gone, whole = ((b - a + 12) % 24 - 12 for a, b in ((first.hour, mixed.hour), (first.hour, second.hour)))
    assert abs(gone) == pytest.approx(abs(whole) * share, abs=1e-6)


@pytest.mark.parametrize("land", SCENES)
def test_whatever_chance_may_say_is_understood(land: str) -> None:
    places, weathers = SCENES[land]
    for text in (f"{place} {hour}, {weather}" for place in places for hour in HOURS for weather in weathers):
        reading = parse(text)
        assert not reading.not_understood and getattr(reading.conditions, land) == 1, text
        assert reading.conditions.hour == parse(text.split(", ")[0]).conditions.hour, text


def test_every_land_and_hour_comes_up_and_the_seed_decides() -> None:
    said = [surprise(seed) for seed in range(400)]
    assert said == [surprise(seed) for seed in range(400)]
    lands = {max(BIOMES, key=lambda name: getattr(parse(text).conditions, name)) for text in said}
    assert lands == set(BIOMES) and all(any(hour in text for text in said) for hour in HOURS)


def test_a_surprise_is_a_world_that_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert main(["worlds", "surprise", "--seed", "11", "--out", str(tmp_path / f"{name}.world.json")]) == 0
    world = read_world(tmp_path / "a.world.json")
    assert world == read_world(tmp_path / "b.world.json") and world.seed == 11
    assert world.prompt is not None and parse(world.prompt).conditions == world.conditions
    assert f"prompt  {world.prompt}\n" in capsys.readouterr().out


def test_it_shows_a_folder_with_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, LAKE), written(tmp_path, PHOTO)
    (tmp_path / "torn.world.json").write_text("{")
    assert main(["worlds", "list", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("lake", "19:00", "autumn", "a picture", "torn", "is no world"))


def test_an_empty_folder_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worlds", "list", str(tmp_path)]) == 0
    assert "worlds surprise" in capsys.readouterr().out


def test_shipped_worlds_and_ones_own_are_listed_lightly() -> None:
    told = run_lightly("worlds", "list")
    assert all(path.name.removesuffix(SUFFIX) in told for path in SHIPPED) and folders()[0] == Path("worlds")


class Watched(FakeEngine):
    """Notes what it began from."""

    began: tuple[Start, int]

    def reset(self, start: Start, seed: int) -> Frame:
        Watched.began = start, seed
        return super().reset(start, seed)


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "dream", lambda options, checkpoint: Watched((256, 144)))


def enter(tmp_path: Path, *words: object) -> tuple[Start, int]:
    walk = ["--off-screen", "--seconds", "4", "--out", tmp_path / "out", "--checkpoint", tmp_path]
    assert main([str(word) for word in ("play", *words, *walk)]) == 0
    return Watched.began


def test_it_begins_the_world_and_tells_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(tmp_path, written(tmp_path, LAKE)) == (LAKE.conditions, 7)
    told = capsys.readouterr()
    assert "understood      dusk: hour 19\n" in told.out and "weights" not in told.err


def test_flags_and_words_overrule_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--seed", 5, "--hour", 6, "--prompt", "let it snow")
    began = enter(tmp_path, written(tmp_path, LAKE), *flags)
    assert began == (replace(parse("let it snow", LAKE.conditions).conditions, hour=6.0), 5)
    told = capsys.readouterr().out
    assert "let it snow: snowfall 0.6" in told and "dusk" not in told


def test_a_picture_is_begun_from_and_changed_by_its_words(tmp_path: Path) -> None:
    start, seed = enter(tmp_path, written(tmp_path, PHOTO))
    assert isinstance(start, np.ndarray) and start.shape == (64, 96, 3) and seed == PHOTO.seed
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["conditions"]["fog"] == 0.9


def test_a_picture_is_told_about_and_changed_by_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (320, 120), (250, 40, 40)).save(tmp_path / "red.png")
    start, _ = enter(tmp_path, "--image", tmp_path / "red.png", "--hour", "21", "--prompt", "thick fog")
    assert isinstance(start, np.ndarray) and start.shape == (144, 256, 3)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["conditions"]["hour"], report["conditions"]["fog"]) == (21.0, 0.9)
    told = capsys.readouterr().out
    assert "picture" in told and "strangeness 2.5, far from what the model knows" in told


@pytest.mark.parametrize("words", [["play", "--sketch"], ["play", "--sketch", "--off-screen"], ["worlds", "gallery"]])
def test_screens_without_a_window_are_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    status, told = complaint(capsys, *words, "--checkpoint", tmp_path)
    assert status == 1 and "window" in told


def pressed(monkeypatch: pytest.MonkeyPatch, keys: list[int | str]) -> None:
    """In every window from now on, one key a tick: a letter that is typed, or a key by its number; then Esc."""
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(visit, "display_expected", lambda: True)
    left = iter(keys)

    def events() -> list[pygame.event.Event]:
        key = next(left, pygame.K_ESCAPE)
        typed = isinstance(key, str)
        return [pygame.event.Event(pygame.KEYDOWN, key=0 if typed else key, mod=0, unicode=key if typed else "")]

    for function in (Screen.__init__, PlayLoop.__init__):
        monkeypatch.setitem(function.__kwdefaults__, "events", events)


def test_a_visit_from_the_sketch_leads_back_to_it_and_leaves_its_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way in a window: sketch, enter, walk, back, enter again, leave."""
    import pygame

    keys = [*"a desert", pygame.K_RETURN, *(pygame.K_w,) * 3, pygame.K_e, pygame.K_2, *(pygame.K_w,) * 3]
    pressed(monkeypatch, [*keys, pygame.K_b, pygame.K_RETURN, *(pygame.K_w,) * 3, pygame.K_q])
    words = ["play", "--sketch", "--seed", "5", "--record", "--out", tmp_path / "out", "--checkpoint", tmp_path]
    assert main([str(word) for word in words]) == 0
    first, second = (read_log(tmp_path / "out" / part) for part in (".", "visit-2"))
    assert first.start() == second.start() == parse("a desert").conditions
    assert (first.header.seed, second.header.seed, len(first.steps)) == (5, 5, 1 + 8)
    assert first.steps[-1].conditions is not None and first.steps[-1].conditions.hour > 12.1
    assert verify(first, FakeEngine((256, 144))) is None
    assert all((tmp_path / "out" / part / "report.json").is_file() for part in (".", "visit-2"))


def test_a_visit_from_the_gallery_is_measured_by_the_meter_of_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pygame

    steady = Calibration("abcd", ENGINE, Linear(("seconds",), (0.0,), (1.0,), (0.0,), 0.0), (-1.0, 0.0), (0.0, 1.0), {})
    write_calibration(steady, tmp_path / METER)
    written(tmp_path, LAKE)
    engine = Watched((256, 144))
    engine.info = replace(engine.info, checkpoint_hash="abcd")
    monkeypatch.setattr(play, "dream", lambda options, checkpoint: engine)
    pressed(monkeypatch, [pygame.K_RETURN, *(pygame.K_w,) * 30, pygame.K_q])
    words = ["worlds", "gallery", tmp_path, "--out", tmp_path / "out", "--checkpoint", tmp_path]
    assert main([str(word) for word in words]) == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["coherence"]["calibrated"]


def test_words_that_mean_nothing_any_more_do_not_keep_you_out(tmp_path: Path) -> None:
    assert enter(tmp_path, written(tmp_path, replace(LAKE, prompt="qwxz"))) == (LAKE.conditions, 7)


def test_other_weights_are_told_in_one_line_and_play_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in PARTS:
        (tmp_path / f"{name}.safetensors").write_bytes(b"weights")
    enter(tmp_path, written(tmp_path, replace(LAKE, checkpoint=weights_hash(tmp_path))))
    assert "weights" not in capsys.readouterr().err
    enter(tmp_path, written(tmp_path, replace(SAND, checkpoint="f" * 16)))
    told = [line for line in capsys.readouterr().err.splitlines() if "other weights" in line]
    assert len(told) == 1 and "f" * 16 in told[0]


def test_a_shipped_world_is_found_by_its_name(tmp_path: Path) -> None:
    world = read_world(SHIPPED[0])
    assert enter(tmp_path, SHIPPED[0].name.removesuffix(SUFFIX)) == (world.conditions, world.seed)


@pytest.mark.parametrize(
    ("words", "told", "status"),
    [
        (["lake.world.json", "--image", "photo.png"], "--image", 2),
        (["photo.world.json", "--hour", "4"], "begins from a picture", 2),
        (["nowhere.world.json"], "nowhere", 1),
        (["torn.world.json"], "torn", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_entered_is_one_line(
    words: list[str],
    told: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, LAKE), written(tmp_path, PHOTO)
    (tmp_path / "torn.world.json").write_text("{")
    said = complaint(capsys, "play", *words, "--checkpoint", tmp_path)
    assert said[0] == status and told in said[1]
