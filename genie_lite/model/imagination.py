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

from genie_lite.model.first_frame import STEPS, FirstFrame
from genie_lite.model.memory import SpatialMemory

AHEAD, ASIDE = 16.0, math.radians(50)
"""Where views are drawn: so many metres straight on, or here, but looking so far to either side."""

NEEDED = 0.55
"""Coverage by one remembered view (see SpatialMemory.coverage) below which a view is drawn."""

TRUST = 0.3
"""Flow time until which a drawing keeps to what is seen already, where it is drawn as large as it was seen."""

NEAREST = 24
"""Examples that take part: fewer than in a first frame, for each step has to fit into a frame's time."""

MOSTLY = 0.7
"""Share of a cell's pixels that must be known for the cell to be taken as seen."""

ImaginedView = tuple[Tensor, Tensor]
"""A finished view and its pose: latent 1 16 18 32, pose 1 5."""


class Imagination:
    """Draws one view after another. to_latent makes of a hint (1 4 72 128) the latent it shows (1 16 18 32)."""

    def __init__(self, first_frame: FirstFrame, to_latent: Callable[[Tensor], Tensor]) -> None:
        self._first_frame, self._to_latent = first_frame, to_latent
        self._drawing: Iterator[Tensor] = iter(())
        self._left = 0
        self._pose: Tensor

    def step(
        self, memory: SpatialMemory, last: Tensor, pose: Tensor, conditions: Tensor, noise: Tensor
    ) -> ImaginedView | None:
        """Begins a view if one is needed, or goes on with it by a denoising step; returns a finished one and its pose.

        last: 1 4 72 128, the newest frame's thumbnail; pose: 1 5, from where it was seen; conditions: 1 18; noise: a
        new view's, 1 16 18 32.
        """
        if self._left == 0:
            self._begin(memory, last, pose, conditions, noise)
            return None
        latent = next(self._drawing)
        self._left -= 1
        return (latent, self._pose) if self._left == 0 else None

    @property
    def drawing(self) -> bool:
        """True while a view is being drawn."""
        return self._left > 0

    def redraw(self, latent: Tensor, pose: Tensor, conditions: Tensor, noise: Tensor) -> None:
        """Begins to draw a view (1 16 18 32, from pose 1 5) anew under other conditions, as coarsely alike as can be;
        what was being drawn is given up."""
        trust = torch.full(latent.shape[2:], TRUST)
        self._drawing = self._first_frame.draw(noise, conditions, (latent, trust), NEAREST)
        self._left, self._pose = STEPS, pose

    def _begin(self, memory: SpatialMemory, last: Tensor, pose: Tensor, conditions: Tensor, noise: Tensor) -> None:
        for wanted in _poses_near(pose):
            if float(memory.coverage(wanted.float()).mean(2).max()) < NEEDED:
                seen = self._seen(memory, last, pose, wanted)
                self._drawing = self._first_frame.draw(noise, conditions, seen, NEAREST)
                self._left, self._pose = STEPS, wanted
                return

    def _seen(self, memory: SpatialMemory, last: Tensor, pose: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """What can be seen of the wanted view from here, as a latent (1 16 18 32), and until which flow time each of
        its cells (18 32) is kept to: the less, the larger it has to be drawn than it was seen."""
        (colours, depth), (older, older_depth) = memory.look(last, pose, wanted)
        unknown = depth == torch.inf
        colours, depth = torch.where(unknown, older, colours), torch.where(unknown, older_depth, depth)
        known = (depth < torch.inf).float()
        enlarged = 1 + (wanted - pose)[0, :3].norm().float() / depth
        trust = F.avg_pool2d(known * TRUST / enlarged, 4)[0, 0]
        trust = trust * (F.avg_pool2d(known, 4)[0, 0] > MOSTLY)
        return self._to_latent(torch.cat([colours * known, known], 1)), trust


def _poses_near(pose: Tensor) -> Iterator[Tensor]:
    """Poses (1 5) that the eye at `pose` may soon look from, level: ahead, and to both sides."""
    level = pose.clone()
    level[:, 4] = 0
    yaw = float(pose[0, 3])
    ahead = level.clone()
    ahead[:, 0] += AHEAD * math.sin(yaw)
    ahead[:, 1] += AHEAD * math.cos(yaw)
    yield ahead
    for aside in (ASIDE, -ASIDE):
        turned = level.clone()
        turned[:, 3] += aside
        yield turned
