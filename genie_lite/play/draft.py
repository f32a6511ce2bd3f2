"""The world that is being sketched: words, perhaps a picture, and what sliders overrule. No window here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genie_lite.conditions import BIOMES, STRENGTHS, Conditions
from genie_lite.engine.protocol import Look
from genie_lite.errors import PromptError
from genie_lite.pictures import framed
from genie_lite.play.choice import Choice
from genie_lite.prompt.parser import Reading, parse
from genie_lite.session.events import Event

SETTINGS = (*BIOMES, "hour", *STRENGTHS)
"""What can be moved one by one."""

_PLAIN = Conditions(meadow=1.0)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to begin from. whole: uint8 (H, W, 3), upright; framed: its 16:9 part; look: what the model makes of
    it, None until it has been asked."""

    whole: NDArray[np.uint8]
    framed: NDArray[np.uint8]
    look: Look | None = None


def picture_of(whole: NDArray[np.uint8]) -> Picture:
    """A picture, uint8 (H, W, 3), with the part of it that is taken."""
    return Picture(whole, framed(whole))


class Draft:
    """Words make the conditions, of a new world or of what the picture shows; what was moved by hand overrules them."""

    def __init__(self, text: str = "", picture: Picture | None = None) -> None:
        self.text, self.picture = text, picture
        self.moved: dict[str, float] = {}
        self._read: tuple[str, Conditions | None, Reading | None] = ("", None, None)

    @classmethod
    def of(cls, conditions: Conditions, prompt: str | None) -> Draft:
        """A draft that makes these conditions: of its words as far as they do, and moved to them where they do not."""
        draft = cls(prompt or "")
        said = draft.conditions()
        draft.moved = {
            name: getattr(conditions, name)
            for name in SETTINGS
            if abs(getattr(conditions, name) - getattr(said, name)) > 1e-3
        }
        if any(name in BIOMES for name in draft.moved):
            draft.moved |= dict(zip(BIOMES, conditions.biomes, strict=True))
        return draft

    def reading(self) -> Reading | None:
        """What the words are taken to mean, None if nothing in them is understood."""
        now = self._shown()
        if self._read[:2] != (self.text, now):
            self._read = self.text, now, _read(self.text, now)
        return self._read[2]

    def conditions(self) -> Conditions:
        """What the world will be like."""
        return _made(self.reading(), self._shown(), self.moved)

    def move(self, name: str, value: float) -> None:
        """Sets one condition by hand. The other biomes share what one of them leaves."""
        if name not in BIOMES:
            self.moved[name] = min(value, 23.99) if name == "hour" else value
            return
        now = dict(zip(BIOMES, self.conditions().biomes, strict=True))
        others = sum(now.values()) - now[name]
        if others <= 1e-6:
            # Someone has to take what a lone biome leaves.
            other = "meadow" if name != "meadow" else "autumn"
            now = dict.fromkeys(BIOMES, 0.0) | {other: 1.0}
            others = 1.0
        self.moved |= {biome: weight * (1 - value) / others for biome, weight in now.items()} | {name: value}

    def let_go(self, name: str) -> None:
        """Gives a condition back to the words; a biome with all the others."""
        for gone in BIOMES if name in BIOMES else (name,):
            self.moved.pop(gone, None)

    def choice(self, seed: int) -> Choice:
        """The world as it is entered. A picture goes over to what was asked for in the first seconds."""
        text, moved = self.text.strip(), dict(self.moved)
        if self.picture is None:
            return Choice(self.conditions(), seed, text or None, self.reading())
        # It is entered even before the model has looked at it, so what is asked for is laid over what it will show.
        asked = Event(0, lambda now: _made(_read(text, now), now, moved), text)
        script = (asked,) if self.reading() or moved else ()
        note = self.picture.look.verdict() if self.picture.look else ""
        return Choice(self.picture.framed, seed, text or None, self.reading(), script, note)

    def _shown(self) -> Conditions | None:
        """What the picture shows."""
        return self.picture.look.conditions if self.picture and self.picture.look else None


def _read(text: str, now: Conditions | None) -> Reading | None:
    """What words are taken to mean in a world that is like that already, None if nothing in them is understood."""
    try:
        return parse(text, now) if text.strip() else None
    except PromptError:
        return None


def _made(reading: Reading | None, shown: Conditions | None, moved: Mapping[str, float]) -> Conditions:
    """What was read, or else what is shown, with what was moved by hand."""
    said = reading.conditions if reading else shown or _PLAIN
    said = replace(said, **{name: value for name, value in moved.items() if name not in BIOMES})
    weights = [moved.get(name, weight) for name, weight in zip(BIOMES, said.biomes, strict=True)]
    return said.with_biomes(weights) if sum(weights) > 0 else said
