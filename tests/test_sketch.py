"""`genie-lite sketch`: first frames side by side."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import saved, tiny_model

from genie_lite.cli import main
from genie_lite.conditions import biome
from genie_lite.engine.dream import DreamEngine, EngineOptions


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return saved(tmp_path / "tiny", tiny_model())


def test_a_sketch_shows_a_picture_for_every_seed(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sketch.png"
    words = ["sketch", "--prompt", "a snowy dawn", "--count", "5", "--checkpoint", str(checkpoint), "--out", str(out)]
    assert main(words) == 0
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (360, 1280, 3)
    tiles = [
        sheet[row * 180 : row * 180 + 180, column * 320 : column * 320 + 320] for row in (0, 1) for column in range(4)
    ]
    assert len({tile.tobytes() for tile in tiles[:5]}) == 5 and not tiles[5].any()
    assert "snowy" in capsys.readouterr().out


def test_guidance_draws_the_first_frame_that_play_draws_with_it(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "sketch.png"
    words = ["sketch", "--biome", "snow", "--count", "1", "--seed", "1", "--checkpoint", str(checkpoint)]
    drawn = []
    for guidance in (0.0, 9.0):
        assert main([*words, "--guidance", str(guidance), "--out", str(out)]) == 0
        engine = DreamEngine.load(EngineOptions(checkpoint, quality="360p", guidance=guidance))
        played = Image.fromarray(engine.reset(biome("snow"), 1).image).resize((320, 180))
        below_number = np.s_[60:]
        drawn.append(np.asarray(Image.open(out), np.float32)[below_number])
        np.testing.assert_array_equal(drawn[-1], np.asarray(played)[below_number])
    assert np.abs(drawn[0] - drawn[1]).mean() > 10


@pytest.mark.parametrize(
    ("words", "told", "status"),
    [
        (["--count", "0"], "--count 0", 2),
        (["--guidance", "-1"], "--guidance -1", 2),
        (["--out", "/nowhere/sketch.png"], "--out", 1),
        (["--out", "sketch"], "--out", 1),
    ],
)
def test_what_cannot_be_sketched_is_one_line(
    checkpoint: Path, words: list[str], told: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sketch", "--checkpoint", str(checkpoint), *words]) == status
    complaint = capsys.readouterr().err
    assert told in complaint and complaint.count("\n") == 1
