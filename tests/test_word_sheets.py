"""Sheets of prompts, events and pictures: every cell is there, and later ones differ."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genie_lite.actions import Action
from genie_lite.bench import word_sheets
from genie_lite.bench.sheets import save_film
from genie_lite.conditions import Conditions
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError, UsageError
from genie_lite.prompt.parser import parse


class Told(FakeEngine):
    """Notes the conditions of its frames."""

    seen: list[Conditions]

    def step(self, action: Action) -> Frame:
        frame = super().step(action)
        self.seen.append(frame.conditions)
        return frame


def cells(sheet: Image.Image) -> list[bytes]:
    pixels = np.asarray(sheet)
    return [
        pixels[y + 6 : y + 150, x + 6 : x + 262].tobytes()
        for y in range(0, sheet.height - 170, 170)
        for x in range(0, sheet.width - 262, 262)
    ]


def test_every_prompt_is_understood_and_has_a_cell() -> None:
    assert all(parse(text) for text in word_sheets.PROMPTS) and len(word_sheets.PROMPTS) == 24
    assert word_sheets.prompts(FakeEngine((256, 144))).size == (4 * 262 + 6, 6 * 170 + 6)


def test_events_happen_between_the_first_and_the_second_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_sheets, "EVENTS", (("a meadow", "night falls"),))
    monkeypatch.setattr(word_sheets, "BEFORE", 1)
    monkeypatch.setattr(word_sheets, "AFTER", (1, 4))
    engine = Told((256, 144))
    engine.seen = []
    assert len(set(cells(word_sheets.events(engine)))) == 3
    assert engine.seen[23].hour == 12 and engine.seen[-1].hour == parse("night falls").conditions.hour


def test_the_film_tells_what_is_done_and_ends_at_night(tmp_path: Path) -> None:
    engine = Told((256, 144))
    engine.seen = []
    save_film(engine, tmp_path / "walk.webp")
    film = Image.open(tmp_path / "walk.webp")
    assert film.size == (640, 360) and film.info["loop"] == 0
    assert 15 * 12 <= film.n_frames <= 17 * 12 + 1, "what stands still may be one frame"
    assert engine.seen[12 * 24 - 1].hour == 12 and engine.seen[-1].hour == parse("night falls").conditions.hour
    with pytest.raises(OutputError, match="cannot write"):
        save_film(engine, tmp_path / "nowhere" / "walk.webp")


def test_pictures_are_followed_by_what_becomes_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_sheets, "LATER", (1,))
    with pytest.raises(UsageError, match="no pictures"):
        word_sheets.pictures(FakeEngine((256, 144)), tmp_path)
    for name in ("a", "b"):
        Image.effect_noise((300, 200), 50).convert("RGB").save(tmp_path / f"{name}.jpg")
    assert len(set(cells(word_sheets.pictures(FakeEngine((256, 144)), tmp_path)))) >= 4
