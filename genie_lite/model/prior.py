"""The prior: pulls a dreamed latent towards what its world may look like, as far as the dream cannot know better.

Errors of a long rollout only ever add up; something has to take them back. The best guess at what a drifted latent
should have been is the mean of example latents, each weighted by how well it explains the neighbourhood of a cell: the
same denoiser that draws first frames (see first_frame.py), applied a little at every step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genie_lite.camera import TAN_Y
from genie_lite.model.autoencoder import LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH
from genie_lite.model.first_frame import FirstFrame, blurred

NEAREST = 32
STRENGTH, UNKNOWN = 0.06, 0.7
"""Share of the way to the prior's guess that each step goes, in cells of which something was seen before and in cells
that neither the last frame nor memory shows."""

YOUNG, GROWN = 120, 360
"""Frames until the prior begins to pull, and until it pulls with all its strength: a young dream knows better."""

WINDOW = (9, 9)
STRICTNESS = 60.0
"""How strongly a better match in the window is preferred, in log-probability a unit of mean squared error."""

_CELLS = LATENT_HEIGHT * LATENT_WIDTH


class Prior:
    """The examples whose conditions are likest to those of one world, ready to be compared with a latent quickly."""

    def __init__(self, first_frame: FirstFrame, conditions: Tensor) -> None:
        """conditions: 1 18."""
        self._examples, self._log_prior = first_frame.candidates(conditions, NEAREST)
        self._tilt: int | None = None

    def pull(self, latent: Tensor, known: Tensor, pitch: float, age: int, moved: float) -> Tensor:
        """latent: 1 16 18 32; known: 18 32 in [0, 1], how much of a cell is a view of something seen before; pitch in
        radians; age: frames since the dream began; moved: how far the eye moved in this step, as a share of full speed
        (errors come with movement: whoever stands still is shown the same). Returns 1 16 18 32."""
        strength = min(1.0, max(0.0, (age - YOUNG) / (GROWN - YOUNG))) * min(1.0, moved)
        if strength == 0:
            return latent
        self._look(pitch)
        cells = latent.reshape(LATENT_CHANNELS, _CELLS).T.contiguous()
        alike = torch.bmm(cells[:, None], self._columns)[:, 0]
        error = (cells.square().sum(1, keepdim=True) + self._squares - 2 * alike) / LATENT_CHANNELS
        # Unknown cells are explained by nothing; what lies beside them says what they may be.
        error = (error.T.reshape(-1, LATENT_HEIGHT, LATENT_WIDTH)) * known
        error = blurred(error, WINDOW) / blurred(known, WINDOW).clamp_min(0.02)
        share = blurred((self._log_prior - STRICTNESS * error).softmax(0), (3, 3))
        guess = torch.bmm(share.reshape(-1, _CELLS).T.contiguous()[:, None], self._cells)[:, 0].T.reshape(latent.shape)
        return latent + strength * (UNKNOWN + (STRENGTH - UNKNOWN) * known) * (guess - latent)

    def _look(self, pitch: float) -> None:
        """Moves the examples, which look about level, up or down by whole cells to where the eye looks."""
        tilt = round(math.tan(pitch) / TAN_Y * LATENT_HEIGHT / 2)
        if tilt != self._tilt:
            self._tilt = tilt
            rows = (torch.arange(LATENT_HEIGHT) - tilt).clamp(0, LATENT_HEIGHT - 1)
            self._cells = self._examples[:, :, rows].flatten(2).permute(2, 0, 1).contiguous()
            # In both orders, for products of a contiguous matrix are ten times as fast.
            self._columns = self._cells.transpose(1, 2).contiguous()
            self._squares = self._cells.square().sum(2)
