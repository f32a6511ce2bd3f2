"""First frames that a world could begin with, one for each seed, drawn a step at a time. No window here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Sketcher
from genie_lite.play.choice import Choice

COUNT = 8
SHOWN_FROM = 6
"""Steps after which a drawing replaces an older picture in its place: before that it is mostly noise."""

ALIKE = 8.0
"""Mean difference of colours, of 255, below which two pictures show the same place: the same remembered view differs by
0 to 7, others by 10 and more at night and by 15 and more in daylight."""

SPARE = 3
"""How many further seeds may be tried for each place, so that every picture shows another place."""


@dataclass(eq=False)
class Candidate:
    """One of them. image: what is to be seen by now, uint8 (H, W, 3); version counts its changes."""

    choice: Choice
    image: NDArray[np.uint8] | None = None
    done: bool = False
    locked: bool = False
    version: int = 0
    _drawing: Iterator[NDArray[np.uint8]] | None = field(default=None, repr=False)
    _latest: NDArray[np.uint8] | None = field(default=None, repr=False)
    _steps: int = 0

    def begin(self, choice: Choice) -> None:
        """Is to be drawn, of another world or seed."""
        self.choice, self.done, self._drawing, self._latest, self._steps = choice, False, None, None, 0

    def shows_what(self, other: Candidate) -> bool:
        """True if both are done and show the same place."""
        if not (self.done and other.done) or self.image is None or other.image is None:
            return False
        return bool(np.abs(_small(self.image) - _small(other.image)).mean() < ALIKE)

    def advance(self, engine: Sketcher) -> None:
        """Draws one step."""
        if self._drawing is None:
            self._drawing = engine.sketch(self.choice.start, self.choice.seed)
        drawn = next(self._drawing, None)
        self.done, self._steps = drawn is None, self._steps + 1
        self._latest = self._latest if drawn is None else drawn
        if self.image is None or self.done or self._steps > SHOWN_FROM:
            self.image, self.version = self._latest, self.version + 1


class Candidates:
    """Several of them, of the world that `choose` makes of a seed: each of the next seed that begins at another place
    than the others do, as far as one is soon found."""

    def __init__(self, choose: Callable[[int], Choice], seed: int | None = None, count: int = COUNT) -> None:
        first = random.SystemRandom().randrange(2**31) if seed is None else seed
        self._choose, self._next_seed, self._spare = choose, first + count, SPARE * count
        self.all = [Candidate(choose(first + number)) for number in range(count)]

    def draw_anew(self) -> None:
        """The world has changed: all that are not locked are drawn again, with the seeds they have."""
        self._spare = SPARE * len(self.all)
        for candidate in self.all:
            if not candidate.locked:
                candidate.begin(self._choose(candidate.choice.seed))

    def reroll(self) -> None:
        """All that are not locked get new seeds."""
        self._spare = SPARE * len(self.all)
        for candidate in self.all:
            if not candidate.locked:
                self._take_next_seed(candidate)

    def advance(self, engine: Sketcher, first: int = 0) -> bool:
        """Draws one step of the first that is not done, number `first` before all others; False if all are."""
        order = [self.all[first], *self.all] if first < len(self.all) else self.all
        candidate = next((candidate for candidate in order if not candidate.done), None)
        if candidate is None:
            return False
        candidate.advance(engine)
        if candidate is not order[0] and self._spare and self._is_double(candidate):
            self._spare -= 1
            self._take_next_seed(candidate)
            candidate.image = None  # It would be taken for what the seed begins with.
        return True

    def _take_next_seed(self, candidate: Candidate) -> None:
        candidate.begin(self._choose(self._next_seed))
        self._next_seed += 1

    def _is_double(self, candidate: Candidate) -> bool:
        """True if another one shows the same place and it could show another, which no picture that was given can."""
        if candidate.locked or not isinstance(candidate.choice.start, Conditions):
            return False
        return any(candidate.shows_what(other) for other in self.all if other is not candidate)


def _small(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image at 32x18."""
    return np.asarray(Image.fromarray(image).resize((32, 18), Image.Resampling.BOX), np.float32)
