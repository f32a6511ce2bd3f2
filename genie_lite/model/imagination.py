"""Imagination: views of places where nobody has been yet, drawn before the eye gets there, for memory to keep.

A frame that is dreamed from the last one can only show what that one shows, a little larger and a little more blurred:
nothing new ever comes into the world. So whenever memory knows too little of what lies ahead or to the sides, the first
frame's denoiser draws that view, beginning with what memory does show of it. Keyframes ahead of the camera are the way
of Infinite Nature (Liu et al. 2021) and WonderJourney (Yu et al. 2024); here each takes a denoising step a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.model.candidates import blurred
from genie_lite.model.first_frame import Drawn, FirstFrame
from genie_lite.model.memory import SpatialMemory

AHEAD, ASIDE = 9.0, math.radians(50)
"""Where views are drawn: so many metres on, or here, but looking so far to either side."""

AROUND = tuple(math.radians(degrees) for degrees in (60, -60, 120, -120, 180))
"""Directions in which a new world is drawn before the first step, one after the other."""

NEEDED, NEEDED_ASIDE = 0.57, 0.5
"""Coverage by one remembered view (see SpatialMemory.coverage) below which a view is drawn: of the way ahead, where
what is known is only enlarged, and to the sides, where part of it is not known at all."""

TRUST = 0.08
"""Flow time until which a drawing keeps to what is seen already. Longer, and the blur of what is seen is drawn again,
or nothing where a sky was seen."""

NEAREST = 32
"""Examples that take part: fewer than in a first frame, for a view has to be ready when it is needed."""

CHANCE = 6.0
"""Spread of the chance by which an example leads: more than that of a first frame, or every view of a plain would be
of the plain that is seen already."""

STEPS = 10
"""Denoising steps of a view, one a frame."""

REDRAWN = 0.3
"""Flow time until which a view that is drawn anew keeps to what it was."""

MOSTLY = 0.7
"""Share of a cell's pixels that must be known for the cell to be taken as seen."""

ALIKE = 0.4
"""Mean squared difference from which on two cells hardly show the same, so that only the light can differ."""

MATCHED, LITTLE = (5, 63), 0.02
"""Window (rows, columns) over which a new view's colours are matched to what was seen, and the match's regulariser: at
a seen share of sqrt(LITTLE) it has half its effect, below it little."""

ImaginedView = tuple[Tensor, Tensor, Tensor]
"""A finished view: latent 1 16 18 32, log-depth 1 1 72 128, and its pose, 1 5."""


class Imagination:
    """Draws one view after another. to_latent makes of a hint (1 4 72 128) the latent it shows (1 16 18 32); eager: to
    the sides too while the eye does not turn there, and while it rests; shown: how often each of the first frame's
    examples was shown before, see FirstFrame.draw."""

    def __init__(
        self,
        first_frame: FirstFrame,
        to_latent: Callable[[Tensor], Tensor],
        eager: bool = True,
        shown: Tensor | None = None,
    ) -> None:
        self._first_frame, self._to_latent, self._eager = first_frame, to_latent, eager
        self._shown = first_frame.unshown() if shown is None else shown
        self._drawing: Iterator[Drawn] = iter(())
        self._left = 0
        self._pose: Tensor
        self._seen: tuple[Tensor, Tensor]

    def step(
        self, memory: SpatialMemory, last: Tensor, pose: Tensor, motion: Tensor, conditions: Tensor, noise: Tensor
    ) -> ImaginedView | None:
        """Begins a view if one is needed, or goes on with it by one denoising step; returns a finished one.

        last: 1 4 72 128, the newest frame's thumbnail; pose: 1 5, from where it was seen; motion: 1 5, what the eye
        does now; conditions: 1 18; noise: a new view's, 1 16 18 32.
        """
        if self._left == 0:
            if not (self._eager or motion.any()):
                return None
            for wanted, least in _poses_near(pose, motion, self._eager):
                if self._begin(memory, last, pose, wanted, least, conditions, noise):
                    break
            else:
                return None
        drawn = next(self._drawing)
        self._left -= 1
        return self._finished(drawn) if self._left == 0 else None

    def around(
        self, memory: SpatialMemory, last: Tensor, pose: Tensor, conditions: Tensor, noise: Callable[[int], Tensor]
    ) -> Iterator[ImaginedView]:
        """Draws what cannot be seen from here yet in every direction, for memory to keep each before the next.

        noise gives each direction its own, 1 16 18 32, by its number.
        """
        for number, angle in enumerate(AROUND):
            if self._begin(memory, last, pose, _turned(pose, angle), NEEDED_ASIDE, conditions, noise(number)):
                *_, drawn = self._drawing
                self._left = 0
                yield self._finished(drawn)

    def anew(self) -> Imagination:
        """Another one of the same kind that has begun nothing."""
        return Imagination(self._first_frame, self._to_latent, self._eager, self._shown.clone())

    @property
    def drawing(self) -> bool:
        """True while a view is being drawn."""
        return self._left > 0

    def redraw(self, latent: Tensor, pose: Tensor, conditions: Tensor, noise: Tensor) -> None:
        """Begins to draw a view (1 16 18 32, from pose 1 5) anew under other conditions, as coarsely alike as can be;
        what was being drawn is given up."""
        trust = torch.full(latent.shape[2:], REDRAWN)
        self._drawing = self._first_frame.draw(noise, conditions, (latent, trust), NEAREST, STEPS)
        self._left, self._pose, self._seen = STEPS, pose, (latent, torch.zeros_like(trust))

    def _begin(
        self,
        memory: SpatialMemory,
        last: Tensor,
        pose: Tensor,
        wanted: Tensor,
        least: float,
        conditions: Tensor,
        noise: Tensor,
    ) -> bool:
        """Whether less than that of the wanted view is known yet; then its drawing begins."""
        needed = float(memory.coverage(wanted.float()).mean(2).max()) < least
        if needed:
            shown, known = self._seen = self._look(memory, last, pose, wanted)
            self._drawing = self._first_frame.draw(
                noise, conditions, (shown, TRUST * known), NEAREST, STEPS, CHANCE, shown=self._shown
            )
            self._left, self._pose = STEPS, wanted
        return needed

    def _finished(self, drawn: Drawn) -> ImaginedView:
        """A drawn view in the colours of what was seen of it, row by row: the same light."""
        latent, depth = drawn
        shown, known = self._seen
        change = shown - latent
        alike = known * torch.exp(-change.square().mean(1, keepdim=True) / ALIKE)
        part = blurred(alike, MATCHED)
        matched = latent + blurred(change * alike, MATCHED) * part / (part.square() + LITTLE)
        return matched, depth, self._pose

    def _look(self, memory: SpatialMemory, last: Tensor, pose: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """What can be seen of the wanted view from here, as a latent (1 16 18 32), and which of its cells (18 32) are
        seen: 1 or 0."""
        (colours, depth), (older, older_depth) = memory.look(last, pose, wanted)
        unknown = depth == torch.inf
        colours, depth = torch.where(unknown, older, colours), torch.where(unknown, older_depth, depth)
        known = (depth < torch.inf).float()
        cells = (F.avg_pool2d(known, 4)[0, 0] > MOSTLY).float()
        return self._to_latent(torch.cat([colours * known, known], 1)), cells


def _poses_near(pose: Tensor, motion: Tensor, aside: bool) -> Iterator[tuple[Tensor, float]]:
    """Poses (1 5) that the eye at `pose` may soon look from, level, the likeliest first: to where it turns, on the way
    that it goes, and, if asked for, to both sides; each with the coverage below which it is needed."""
    forward, right, turn = (float(motion[0, n]) for n in (0, 1, 3))
    side = math.copysign(ASIDE, turn)
    if turn:
        yield _turned(pose, side), NEEDED_ASIDE
    heading = float(pose[0, 3]) + (math.atan2(right, forward) if forward or right else 0.0)
    ahead = _turned(pose, 0.0)
    ahead[:, 0] += AHEAD * math.sin(heading)
    ahead[:, 1] += AHEAD * math.cos(heading)
    yield ahead, NEEDED
    if aside:
        yield _turned(pose, side), NEEDED_ASIDE
        yield _turned(pose, -side), NEEDED_ASIDE


def _turned(pose: Tensor, angle: float) -> Tensor:
    """A pose (1 5) level and turned."""
    turned = pose.clone()
    turned[:, 3] += angle
    turned[:, 4] = 0
    return turned
