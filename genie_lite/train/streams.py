"""Streams: many rollouts side by side, each a dream that follows one episode's true camera path.

Training advances every stream by one frame an update and takes the loss there, on the stream's own past frames: no
forward pass is spent on unrolling alone, and long horizons cost no more than short ones (the idea of self-forcing,
Huang et al. 2025, with truncation after one step). Memory works exactly as in play.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.model.autoencoder import LATENT_CHANNELS, ThumbnailHead
from genie_lite.model.dynamics import CONTEXT_FRAMES
from genie_lite.model.memory import DREAMED, SpatialMemory, clamp_thumbnail
from genie_lite.model.motion import motion_between
from genie_lite.train.clips import LatentSet

REMEMBERED = 6
"""Memory slots filled with true frames from before a stream began; OWN more take turns with its own frames."""

OWN = 8
STORE_EVERY = 8
HISTORY = 240
"""Frames before a stream's first one from which its memory gets true frames."""


class Streams:
    """State of B rollouts. `row` is the dataset row of each stream's newest frame; `end` the last row it will draw."""

    def __init__(self, data: LatentSet, thumbnail: ThumbnailHead, batch: int, seed: int) -> None:
        device = data.latents.device
        self.data, self.thumbnail = data, thumbnail
        self.random = torch.Generator(device).manual_seed(seed)
        self.row = torch.zeros(batch, dtype=torch.int64, device=device)
        self.end = torch.zeros_like(self.row)
        self.age = torch.zeros_like(self.row)
        self.memory_on = torch.ones(batch, dtype=torch.bool, device=device)
        self.context = torch.zeros(batch, CONTEXT_FRAMES * LATENT_CHANNELS, 18, 32, device=device)
        half = torch.float16 if device.type == "cuda" else torch.float32
        self.memory = SpatialMemory(batch, REMEMBERED + OWN, device, half)
        self.last = torch.zeros(batch, 4, THUMB_HEIGHT, THUMB_WIDTH, device=device)

    def begin(self, which: Tensor, horizon: Tensor, rows: Tensor | None = None) -> None:
        """Starts the streams `which` (n int64) anew at random rows, or the given ones, for `horizon` (n) frames.

        Their memory gets true frames from up to HISTORY before; a fifth start as play does, standing still
        with nothing but the first frame to remember.
        """
        data, device, n = self.data, self.row.device, len(which)
        if rows is None:
            # Every frame with a past and a future is as likely, so that long episodes count for more than short ones.
            room = (data.length - CONTEXT_FRAMES - 1).clamp_min(1)
            until = room.cumsum(0)
            place = (self._uniform(n).double() * until[-1]).long()
            episode = torch.searchsorted(until, place, right=True)
            rows = data.start[episode] + CONTEXT_FRAMES - 1 + place - (until - room)[episode]
            fresh = self._uniform(n) < 0.2
        else:
            episode = torch.searchsorted(data.start, rows, right=True) - 1
            fresh = torch.zeros(n, dtype=torch.bool, device=device)
        first = data.start[episode]
        self.row[which] = rows
        self.end[which] = torch.minimum(rows + horizon, first + data.length[episode] - 1)
        self.age[which] = 0
        back = torch.arange(CONTEXT_FRAMES - 1, -1, -1, device=device)
        context_rows = rows[:, None] - back * (~fresh)[:, None]
        self.context[which] = data.latents[context_rows].float().flatten(1, 2)
        self.last[which] = self.thumbnails(data.latents[rows], data.poses[rows])
        # Distances back in time spread evenly on a log scale, oldest first, as play's memory is.
        spread = torch.exp(self._uniform(n, REMEMBERED) * math.log(HISTORY / 2))
        past = rows[:, None] - (2 * spread).long().sort(1, descending=True).values
        known = (past >= first[:, None]) & ~fresh[:, None]
        past = torch.maximum(past, first[:, None])
        self.memory.worth[which] = 0
        views = self.thumbnails(data.latents[past].flatten(0, 1), data.poses[past].flatten(0, 1))
        self.memory.views[which, :REMEMBERED] = views.unflatten(0, (n, REMEMBERED)).to(self.memory.views.dtype)
        self.memory.poses[which, :REMEMBERED] = data.poses[past]
        self.memory.worth[which, :REMEMBERED] = known.float()

    @torch.no_grad()
    def thumbnails(self, latents: Tensor, poses: Tensor) -> Tensor:
        """N 16 18 32 seen from N 5 -> N 4 72 128 float32, clamped as play clamps them."""
        return clamp_thumbnail(self.thumbnail(latents.float(), poses[:, 4:5]).float())

    def conditioning(self) -> dict[str, Tensor]:
        """What the next frame is drawn from: hint, action, motion, pitch, conditions (see `dynamics_vector`)."""
        data, after = self.data, self.row + 1
        # In bfloat16 geometry loses 1 dB of the last frame's hint against the one that play has.
        with torch.autocast(self.row.device.type, enabled=False):
            hint = self.memory.hint(self.last, data.poses[self.row], data.poses[after])
        return {
            "hint": torch.cat([hint[:, :4], hint[:, 4:] * self.memory_on[:, None, None, None]], 1),
            "action": data.actions[self.row],
            "motion": motion_between(data.poses[self.row], data.poses[after]),
            "pitch": data.poses[after, 4:5],
            "conditions": data.conditions[after],
        }

    def truth(self) -> Tensor:
        """The next frame's true latent, B 16 18 32."""
        return self.data.latents[self.row + 1].float()

    @torch.no_grad()
    def push(self, latent: Tensor) -> None:
        """Takes the dreamed next latent (B 16 18 32) as each stream's newest frame."""
        latent = latent.float()
        pose = self.data.poses[self.row]
        slot = REMEMBERED + (self.age // STORE_EVERY) % OWN
        worth = torch.where(self.age == 0, 1.0, DREAMED)
        self.memory.store(slot, self.last, pose, worth, self.age % STORE_EVERY == 0)
        self.context = torch.cat([self.context[:, LATENT_CHANNELS:], latent], 1)
        self.row = self.row + 1
        self.last = self.thumbnails(latent, self.data.poses[self.row])
        self.age = self.age + 1

    def finished(self) -> Tensor:
        """Numbers of the streams that have drawn their last frame."""
        return torch.nonzero(self.row >= self.end).squeeze(1)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.random, device=self.row.device)
