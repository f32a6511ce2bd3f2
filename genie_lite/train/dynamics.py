"""The dynamics' loss: every stream's next frame, on true history and on the model's own rollouts at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.model.autoencoder import LATENT_CHANNELS, Autoencoder
from genie_lite.model.dynamics import Dynamics, dynamics_vector
from genie_lite.train.autoencoder import psnr
from genie_lite.train.clips import LatentSet
from genie_lite.train.sheets import save_sheet
from genie_lite.train.streams import Streams

SHORT_SHARE = 0.3
"""Share of streams that only live one or two frames: true history, noise on the context, all flow times."""

FIRST_LONGEST, LONGEST, GROWN = 40, 240, 0.4
"""Frames of the longest rollouts when training begins, and from progress GROWN on: ten seconds."""

CONTEXT_NOISE = 0.4
"""Largest noise on context latents, in standard deviations."""

PIXEL_WEIGHT = 4.0
"""Weight of the pixels' error beside the latents', whose faint channels would count as much as the strong ones."""

WITHOUT_MEMORY = 0.35
"""Share of streams that remember nothing but the last frame, so that the model works with memory off."""


class DynamicsPart:
    """Next-frame training on true history and on the model's own rollouts at once."""

    name = "dynamics"

    def __init__(
        self,
        module: Dynamics,
        data: LatentSet,
        held_out: LatentSet,
        autoencoder: Autoencoder,
        batch: int,
        seed: int,
    ) -> None:
        self.module, self.held_out, self.autoencoder = module, held_out, autoencoder
        self.streams = Streams(data, autoencoder.thumbnail, batch, seed)
        device = data.latents.device
        self.short = torch.arange(batch, device=device) < int(batch * SHORT_SHARE)
        self._restart(torch.arange(batch, device=device), 0.0)

    def _restart(self, which: Tensor, progress: float) -> None:
        streams, n = self.streams, len(which)
        if n == 0:
            return
        u = torch.rand(n, device=which.device)
        longest = FIRST_LONGEST + (LONGEST - FIRST_LONGEST) * min(1.0, progress / GROWN)
        long = torch.exp(u * math.log(longest)).long() + 1
        streams.begin(which, torch.where(self.short[which], 1 + (u < 0.3).long(), long))
        streams.memory_on[which] = torch.rand(n, device=which.device) >= WITHOUT_MEMORY

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the next latent and L1 error of its pixels, older rollouts weighing less."""
        streams = self.streams
        given, truth = streams.conditioning(), streams.truth()
        b, device = len(truth), truth.device
        fresh = streams.age == 0
        # Only a stream's first step may see part of the answer: what it draws is then not passed on.
        time = torch.where(fresh & (torch.rand(b, device=device) < 0.2), torch.rand(b, device=device), 0.0)[:, None]
        noise_level = torch.where(torch.rand(b, device=device) < 0.5, CONTEXT_NOISE * torch.rand(b, device=device), 0.0)
        context = streams.context + noise_level[:, None, None, None] * torch.randn_like(streams.context)
        t = time[:, :, None, None]
        noisy = t * truth + (1 - t) * torch.randn_like(truth)
        vector = dynamics_vector(
            given["action"], given["motion"], given["pitch"], given["conditions"], time, noise_level[:, None]
        )
        drawn = self.module(noisy, context, given["hint"], vector).float()
        weight = (1 + streams.age.float()).rsqrt()
        error = drawn - truth
        latent_error = error.square().mean((1, 2, 3))
        # The frame head's linear map turns a latent's error into pixels at next to no cost.
        pixel_error = F.conv2d(error, self.autoencoder.frame.linear.weight).float().abs().mean((1, 2, 3))
        total = (weight * (latent_error + PIXEL_WEIGHT * pixel_error)).mean()
        shown = {"fresh": _mean(latent_error, fresh), "old": _mean(latent_error, ~fresh), "pixel": pixel_error.mean()}
        streams.push(self.module.recalled(drawn.detach(), given["hint"][:, 4:]))
        streams.end = torch.where(time[:, 0] > 0, streams.row, streams.end)
        self._restart(streams.finished(), progress)
        return total, {name: value.detach() for name, value in shown.items()}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Eight held-out rollouts: truth and dream (memory on) after 1, 24, 72 and 120 frames."""
        assert isinstance(module, Dynamics)
        rows, keep = [], (1, 24, 72, 120)
        for latents, truth in rollout(module, self.held_out, self.autoencoder, 8, 120, True, keep):
            rows += [self.autoencoder.decode(truth), self.autoencoder.decode(latents)]
        save_sheet(rows, path)


def _mean(values: Tensor, of: Tensor) -> Tensor:
    """Mean of the values `of` (bool) is true of; 0 where there is none."""
    return (values * of).sum() / of.sum().clamp_min(1)


@torch.no_grad()
def rollout(
    module: Dynamics, data: LatentSet, autoencoder: Autoencoder, count: int, steps: int, memory: bool, keep: Any
) -> list[tuple[Tensor, Tensor]]:
    """Dreams `count` held-out episodes on from frame 96 along the true path.

    Returns (dreamed, true) latents, count 16 18 32 each, after every number of frames in `keep`.
    """
    streams = Streams(data, autoencoder.thumbnail, count, seed=0)
    device = data.latents.device
    which = torch.arange(count, device=device)
    rows = data.start[torch.linspace(0, len(data.start) - 1, count, device=device).long()] + 96
    streams.begin(which, torch.full((count,), steps, device=device), rows)
    streams.memory_on[:] = memory
    zero, kept = torch.zeros(count, 1, device=device), []
    generator = torch.Generator(device).manual_seed(0)
    for index in range(1, steps + 1):
        given, truth = streams.conditioning(), streams.truth()
        vector = dynamics_vector(given["action"], given["motion"], given["pitch"], given["conditions"], zero, zero)
        noise = torch.randn(truth.shape, generator=generator, device=device)
        streams.push(module.recalled(module(noise, streams.context, given["hint"], vector), given["hint"][:, 4:]))
        if index in keep:
            kept.append((streams.context[:, -LATENT_CHANNELS:].clone(), truth))
    return kept


@torch.no_grad()
def evaluate_dynamics(module: Dynamics, data: LatentSet, autoencoder: Autoencoder, count: int) -> dict[str, float]:
    """Mean PSNR (dB, decoded at 256x144 against the autoencoder's own picture of the truth) along the true path."""
    result = {}
    for memory, suffix in ((True, ""), (False, "_no_memory")):
        kept = rollout(module, data, autoencoder, count, 120, memory, keep=(1, 24, 72, 120))
        for name, (drawn, truth) in zip(("next_frame", "1s", "3s", "5s"), kept, strict=True):
            quality = psnr(autoencoder.decode(drawn), autoencoder.decode(truth).clamp(-1, 1)).mean()
            result[f"psnr_{name}{suffix}"] = round(float(quality), 2)
    return result
