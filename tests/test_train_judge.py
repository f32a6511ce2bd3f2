"""Training of what is no network of the dream: the judge, and light and weather."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("gymnasium", reason="needs the training packages")

from training import fitted, mean_loss

from genie_lite.conditions import biome
from genie_lite.data.collect import Options as CollectOptions
from genie_lite.data.collect import collect
from genie_lite.errors import DataError
from genie_lite.model.egomotion import MIRRORED
from genie_lite.model.judge import KEYS, JudgeNet, load_judge
from genie_lite.model.weather import Weather
from genie_lite.train.command import Options, main
from genie_lite.train.judge import ConditionsPart, DepthPart, FeaturesPart, KeysPart, Steps
from genie_lite.train.judge_views import load_views
from genie_lite.train.loop import Ranks
from genie_lite.train.weather import fit_weather
from genie_lite.worlds.counting import CountingWorld


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "counting"
    usual = CollectOptions(world="counting", out=folder, episodes=2, steps=120, pictures=0)
    collect(usual, progress=False)
    collect(replace(usual, split="validation", episodes=1), progress=False)
    return folder


def test_the_judges_losses_fall(data: Path, tmp_path: Path) -> None:
    views, net = load_views(data, "train", 12), JudgeNet().to(Ranks().device)
    assert views.frames.shape == (12, 144, 256, 3) and views.depth.shape == (12, 72, 128)
    for part in (FeaturesPart(net, views, 4, 0), DepthPart(net, views, 4, 0), ConditionsPart(net, views, 4, 0)):
        part.module.to(Ranks().device)
        before = mean_loss(part)
        fitted(part, tmp_path, 40, 5e-3 if part.name == "judge_features" else 1e-3)
        assert mean_loss(part) < 0.9 * before, part.name


def test_a_mirrored_view_is_mirrored_with_its_depth(data: Path) -> None:
    views = load_views(data, "train", 12)
    views.depth += torch.linspace(0, 0.1, 128).half()
    ramp = torch.linspace(0, 255, 256).byte()
    views.frames = ramp[:, None].expand_as(views.frames).clone()
    frames, depth, _ = views.draw(16, torch.Generator().manual_seed(0))
    flipped = depth[:, 0, 0, 0] > depth[:, 0, 0, -1]
    assert 0 < flipped.sum() < 16
    assert torch.equal(frames[..., 0] > frames[..., -1], flipped[:, None, None].expand(-1, 3, 144))
    torch.testing.assert_close(frames[flipped].flip(3), frames[~flipped][:1].expand_as(frames[flipped]))


def test_keys_are_learnt_from_motions_to_both_sides() -> None:
    random = torch.Generator().manual_seed(0)
    moved = torch.randn(64, 23, 12, generator=random) * 0.3
    pressed = torch.zeros(64, 23, 10, dtype=torch.bool)
    pressed[..., KEYS.index("right")] = moved[..., 0] > 0.1
    part = KeysPart(JudgeNet(), Steps(moved, pressed, torch.ones_like(pressed)), 32, 0)
    optimizer = torch.optim.AdamW(part.module.parameters(), 3e-3)
    for _ in range(400):
        optimizer.zero_grad()
        part.loss(0)[0].backward()
        optimizer.step()
    with torch.no_grad():
        read = part.module.eval()(moved * torch.tensor(MIRRORED)).sigmoid() > 0.5
    assert (read[..., KEYS.index("left")] == pressed[..., KEYS.index("right")]).float().mean() > 0.9


class SnowGlobe(CountingWorld):
    """White flakes on grey, which fall while it snows."""

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        picture = np.full((height, width, 3), 90, np.uint8)
        if self._conditions.snowfall > 0.01:
            rows, columns = np.random.default_rng(self._count).integers(0, (height // 4, width // 4), (30, 2)).T
            for row in range(4):
                for column in range(4):
                    picture[4 * rows + row, 4 * columns + column] = round(90 + 0.9 * 150)
        return picture


def test_what_falls_is_found_by_comparing_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genie_lite.data.skies.make_world", lambda _name: SnowGlobe())
    monkeypatch.setattr("genie_lite.train.weather.LIT_PLACES", 4)
    monkeypatch.setattr("genie_lite.train.weather.LIGHT_STEPS", 20)
    weather = Weather()
    made = fit_weather(weather, "globe")
    assert set(made) == {"light", "snowfall"} and not weather.rain.any()
    assert 0.01 < float((weather.snowfall > 0.5).float().mean()) < 0.1
    snowy = torch.from_numpy(biome("meadow", hour=3.0, snowfall=1.0).to_array())[None]
    grey = torch.full((1, 3, 72, 128), 90 / 127.5 - 1)
    change = weather.change(grey, snowy, 12, 0.0, 0.0)
    assert change is not None
    brightest = float((grey + change).max() + 1) * 127.5
    assert brightest == pytest.approx(90 + 0.9 * 150, abs=12)
    turned = weather.change(grey, snowy, 12, 0.2, 0.0)
    assert turned is not None and not torch.equal(turned, change)
    torch.testing.assert_close(turned.sum(), change.sum(), msg="flakes stay as the eye turns")
    assert weather.change(grey, torch.from_numpy(biome("meadow").to_array())[None], 12, 0.0, 0.0) is None


def test_train_judge_leaves_a_judge_that_measures(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="collect more"):
        main(Options(part="judge", data=data, out=tmp_path, budget="1s"))
    two = tmp_path / "data"
    collect(CollectOptions(world="counting", out=two, episodes=2, steps=40, pictures=0), progress=False)
    collect(
        CollectOptions(world="counting", out=two, split="validation", episodes=3, steps=40, pictures=0), progress=False
    )
    out = tmp_path / "out"
    assert main(Options(part="judge", data=two, out=out, budget="3s", batch=2, most_frames=12)) == 0
    judge = load_judge(out)
    assert judge.made["keys"]["steps"] > 0 and 0 <= judge.made["held_out"]["biome_accuracy"] <= 1
    black, white = (torch.full((1, 144, 256, 3), value, dtype=torch.uint8).numpy() for value in (0, 255))
    assert judge.distance(black, white)[0] > judge.distance(black, black)[0] == 0
    assert not (out / "config.json").exists(), "the judge is no part of the model"
    again = tmp_path / "again"
    assert main(Options(part="judge", data=two, out=again, budget="2s", batch=2, most_frames=12, start_from=out)) == 0
    kept = load_judge(again)
    assert "features" not in kept.made and kept.made["conditions"]["steps"] > 0
    assert np.array_equal(kept.distance(black, white), judge.distance(black, white)), "a yardstick does not change"
