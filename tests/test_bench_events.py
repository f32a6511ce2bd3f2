"""What is measured of events: whether they come to be seen, and whether the place stays; and the whole command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import TINY, saved, with_examples

from genie_lite.actions import Action
from genie_lite.bench.changes import (
    CHANGED,
    KINDS,
    QUICK,
    WEATHERS,
    EventsPlan,
    Outcome,
    measure_changes,
    misread,
    tell,
)  # fmt: skip
from genie_lite.bench.events import Options, main, summary
from genie_lite.camera import Pose
from genie_lite.cli import COMMANDS
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.protocol import Frame
from genie_lite.errors import UsageError
from genie_lite.model.checkpoint import Model
from genie_lite.model.judge import Judge, JudgeNet, save_judge
from genie_lite.worlds.counting import CountingWorld

PLAN = EventsPlan(episodes=1, history=14, mirror_worlds=1, mirror=4, settle=72)


class WeatherWorld(CountingWorld):
    """Its pictures are the weather and the hour in bands, on a ground that moves with the pose."""

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        return painted(self._conditions, self._pose, width, height)


def painted(now: Conditions, pose: Pose, width: int = 256, height: int = 144) -> NDArray[np.uint8]:
    columns = np.arange(width) + 40 * pose.x + 90 * pose.yaw
    picture = np.repeat((127 + 60 * np.sin(columns / 9))[None], height, 0)[..., None].repeat(3, 2)
    for row, value in enumerate((now.fog, now.rain, now.snowfall, now.clouds, now.hour / 24)):
        picture[8 * row : 8 * row + 8] = 255 * value
    return picture.round().astype(np.uint8)


class Reader:
    """Reads the bands."""

    def read_conditions(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        def read(frame: NDArray[np.uint8]) -> Conditions:
            bands = [float(frame[8 * row + 4, 0, 0]) / 255 for row in range(5)]
            names = ("fog", "rain", "snowfall", "clouds")
            return biome("meadow", **dict(zip(names, bands[:4], strict=True)), hour=min(23.9, bands[4] * 24))

        return np.stack([read(frame).to_array() for frame in frames])


class Painter:
    """A dream that is right about everything; a stubborn one lets no event change what it shows."""

    def __init__(self, stubborn: bool) -> None:
        self.stubborn = stubborn

    def follow(
        self, frames: NDArray[np.uint8], poses: NDArray[np.float64], _: Any, now: Conditions, seed: int
    ) -> Frame:
        self.now, self.pose = now, Pose.from_array(poses[-1])
        return self._frame()

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        if not self.stubborn:
            self.now = conditions

    def step(self, action: Action) -> Frame:
        distance = (9.0 if action.run else 4.5) / 24
        self.pose = self.pose.rotated(action).moved(action.forward * distance, action.strafe * distance, 0.0)
        return self._frame()

    def _frame(self) -> Frame:
        return Frame(painted(self.now, self.pose), 0, self.pose, self.now)


def measured(stubborn: bool) -> dict[str, Any]:
    from genie_lite.bench.subject import Dream

    engine: Any = Painter(stubborn)
    dream = Dream(engine, "")
    tools: Any = SimpleNamespace(world=WeatherWorld(), dreams=(dream, dream), judge=Reader(), autoencoder=None)
    found = measure_changes(0, PLAN, tools, Path("none"), lambda frames: None)
    assert len(found.outcomes) == len(KINDS) and set(found.mirrors) == {"none", *PLAN.mirror_kinds}
    return summary([found])


def test_a_dream_that_changes_as_the_world_does_reads_like_it() -> None:
    found = measured(stubborn=False)
    assert found["read"] == found["read_truth"] == 1.0 and found["already"] == 0 and found["misread"] == 0.0
    assert found["mirror_psnr"] == found["mirror_psnr_truth"]
    assert found["mirror_growth_below_contrast_db"] == pytest.approx(0, abs=0.5) and found["reached"]["mirror"]


def test_a_dream_that_changes_nothing_is_found_out() -> None:
    found = measured(stubborn=True)
    assert found["read"] == 0.0 and found["read_truth"] == 1.0 and not found["reached"]["read"]
    assert set(found["read_by_kind"]) == {kind.name for kind in KINDS}


def outcome(
    kind: str, asked: dict[str, float], moved: dict[str, float], truth: dict[str, float] | None = None
) -> Outcome:
    none = dict.fromkeys(WEATHERS, 0.0)
    shows = tuple(name for name, change in asked.items() if abs(change) >= CHANGED)
    true = none | (asked if truth is None else truth)
    picture = np.zeros((3, 144, 256, 3), np.uint8)
    return Outcome(kind, shows, none | asked, none | moved, true, True, True, False, picture)


def test_what_is_read_differs_by_more_than_when_other_things_happen() -> None:
    rain = outcome("rain", {"rain": 0.6}, {"rain": 0.4}, {"rain": 0.5, "fog": 0.2})
    clear = outcome("rain", {"rain": 0.6}, {"rain": 0.05}, {"rain": 0.5, "fog": 0.2})
    fog = outcome("fog", {"fog": 0.6}, {"fog": 0.25, "rain": 0.3}, {"fog": 0.5, "rain": 0.1})
    faint = outcome("fog", {"fog": 0.6}, {"fog": 0.15}, {"fog": 0.5, "rain": 0.1})
    away = outcome("clear up", {"fog": -0.6, "clouds": -0.5}, {"fog": -0.4, "clouds": -0.4})
    half = outcome("clear up", {"fog": -0.6, "clouds": -0.5}, {"fog": -0.4, "clouds": 0.4})
    every = [rain, clear, fog, faint, away, half]
    stray = tell(every)
    assert stray["fog"] == pytest.approx(0.2) and 0.05 < stray["rain"] <= 0.1 and stray["snowfall"] == 0
    assert [o.dreamed for o in every] == [o.each for o in every] == [True, False, True, False, True, False]
    assert all(o.true and o.each_true for o in every)
    mostly = outcome("clear up", {"fog": -0.6, "clouds": -0.5}, {"fog": -0.5, "clouds": 0.1})
    tell([*every, mostly])
    assert mostly.dreamed and not mostly.each, "on the whole it has cleared up"
    assert misread([fog], stray) == pytest.approx(1 / 3), "of rain, snowfall and clouds it seems to rain"
    assert misread([], stray) is None


def test_every_kind_of_event_has_something_left_to_change() -> None:
    for kind in KINDS:
        for drawn in (biome("snow", hour=1.0, snowfall=0.8, clouds=0.9), biome("desert", hour=18.5), biome("meadow")):
            before = kind.before(drawn)
            asked = kind.asked(before)
            changed = [abs(getattr(asked, name) - getattr(before, name)) for name in kind.shows]
            assert max(changed) >= CHANGED, (kind.name, drawn)


def test_the_whole_command_ends_in_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    weights = saved(tmp_path / "weights", with_examples(Model.new(TINY)))
    save_judge(weights, Judge(JudgeNet().eval().requires_grad_(False), {}))
    flags = Options("counting", weights, runtime="eager", dtype="fp32", threads=1, out=tmp_path)
    short = tuple(replace(kind, seconds=1) for kind in KINDS[:2])
    assert main(flags, replace(PLAN, kinds=short, mirror_kinds=("fog",))) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["bench"] == "events" and line["events"] + line["already"] == 2 and line["checkpoint"]
    assert np.isfinite(line["mirror_psnr_event"]) and set(line["read_by_kind"]) <= {"fog", "snowfall"}
    assert len(json.loads((tmp_path / "events.json").read_text())["outcomes"]) == 2
    assert (tmp_path / "events_sheet.png").is_file()


def test_flags() -> None:
    assert "bench events" in COMMANDS and Options(quick=True).plan() == QUICK
    assert Options(episodes=3).plan() == EventsPlan(episodes=3)
    with pytest.raises(UsageError, match="--threads 0"):
        Options(threads=0)
