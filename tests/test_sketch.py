"""`genie-lite sketch`: first frames side by side."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny import saved, tiny_model

from genie_lite.cli import main
from genie_lite.conditions import biome
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Start
from genie_lite.play.candidates import Candidates
from genie_lite.play.choice import Choice


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


class FewPlaces(FakeEngine):
    """Sketches grey pictures, as many different ones as there are places: that of a seed is its third."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places, self.drawn = places, 0

    def sketch(self, start: Start, seed: int) -> Iterator[NDArray[np.uint8]]:
        self.drawn += 1
        yield np.full((18, 32, 3), 20 * (seed // 3 % self.places), np.uint8)


def drawn(candidates: Candidates, engine: FewPlaces) -> list[int]:
    """Their seeds, once all are done."""
    while candidates.advance(engine):
        pass
    assert all(candidate.done and candidate.image is not None for candidate in candidates.all)
    return [candidate.choice.seed for candidate in candidates.all]


def test_every_picture_shows_another_place_as_far_as_there_are_some() -> None:
    start = biome("meadow")
    candidates = Candidates(partial(Choice, start), 0, 4)
    assert [seed // 3 for seed in drawn(candidates, FewPlaces(9))] == [0, 1, 2, 3]
    candidates.reroll()
    assert len({seed // 3 for seed in drawn(candidates, FewPlaces(9))}) == 4
    few = FewPlaces(1)
    assert len(drawn(Candidates(partial(Choice, start), 0, 4), few)) == 4 and 4 < few.drawn <= 16


def test_a_kept_picture_and_one_that_begins_from_a_picture_keep_their_seeds() -> None:
    candidates = Candidates(partial(Choice, biome("meadow")), 0, 3)
    for candidate in candidates.all:
        candidate.locked = True
    assert drawn(candidates, FewPlaces(9)) == [0, 1, 2]
    photo = np.zeros((144, 256, 3), np.uint8)
    assert drawn(Candidates(partial(Choice, photo), 0, 3), FewPlaces(9)) == [0, 1, 2]


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
