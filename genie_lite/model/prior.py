"""The prior: pulls a dreamed latent towards what its world may look like, as far as the dream cannot know better.

Errors of a long rollout only ever add up; something has to take them back. The best guess at what a drifted latent
should have been is the mean of example latents, each weighted by how well it explains the neighbourhood of a cell: the
same denoiser that draws first frames (see first_frame.py), applied a little at every step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genie_lite.model.candidates import blurred, cells_of, shares
from genie_lite.model.first_frame import FirstFrame

NEAREST = 32
STRENGTH, UNKNOWN = 0.06, 0.7
"""Share of the way to the prior's guess that each step goes, in cells of which something was seen before and in cells
that neither the last frame nor memory shows."""

YOUNG, GROWN = 120, 360
"""Frames until the prior begins to pull, and until it pulls with all its strength: a young dream knows better."""

WINDOW = (9, 9)
STRICTNESS = 60.0
"""How strongly a better match in the window is preferred, in log-probability a unit of mean squared error."""


SHOWN_STEP = 0.2
"""By how much a condition may change before examples are chosen anew and put under the sky of now, which takes as long
as a frame. Once nothing changes any more, it is done at once."""


class Prior:
    """The examples whose conditions are likest to those of one world, ready to be compared with a latent quickly."""

    def __init__(self, first_frame: FirstFrame, conditions: Tensor) -> None:
        """conditions: 1 18."""
        self._level = self._candidates = first_frame.candidates(conditions, NEAREST)
        self._tilt = 0

    def pull(self, latent: Tensor, known: Tensor, pitch: float, age: int, moved: float) -> Tensor:
        """latent: 1 16 18 32; known: 18 32 in [0, 1], how much of a cell is a view of something seen before; pitch in
        radians; age: frames since the dream began; moved: how far the eye moved in this step, as a share of full speed
        (errors come with movement: whoever stands still is shown the same). Returns 1 16 18 32."""
        strength = min(1.0, max(0.0, (age - YOUNG) / (GROWN - YOUNG))) * min(1.0, moved)
        if strength == 0:
            return latent
        if cells_of(pitch) != self._tilt:
            self._tilt, self._candidates = cells_of(pitch), self._level.tilted(pitch)
        # Unknown cells are explained by nothing; what lies beside them says what they may be.
        error = blurred(self._candidates.error(latent) * known, WINDOW) / blurred(known, WINDOW).clamp_min(0.02)
        guess = self._candidates.latent(shares(self._candidates.log_prior - STRICTNESS * error))
        return latent + strength * (UNKNOWN + (STRENGTH - UNKNOWN) * known) * (guess - latent)


class FollowingPrior:
    """A prior that follows the conditions of its world, 1 18, by steps; `under` are those that its examples show."""

    def __init__(self, first_frame: FirstFrame, conditions: Tensor) -> None:
        self._first_frame, self.under, self._last = first_frame, conditions, conditions
        self._prior: Prior | None = None

    def follow(self, conditions: Tensor) -> None:
        """Says what the conditions are now; once a frame."""
        away = float((conditions - self.under).abs().max())
        if away > SHOWN_STEP or (away > 0 and torch.equal(conditions, self._last)):
            self.under, self._prior = conditions, None
        self._last = conditions

    def pull(self, latent: Tensor, known: Tensor, pitch: float, age: int, moved: float) -> Tensor:
        """As `Prior.pull`."""
        self._prior = self._prior or Prior(self._first_frame, self.under)
        return self._prior.pull(latent, known, pitch, age, moved)
