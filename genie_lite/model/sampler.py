"""Sampling a flow with an x-prediction network: pure functions of tensors, the same in training, play and benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from genie_lite.model.autoencoder import LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH


def seeded_noise(seed: int, frame_index: int) -> Tensor:
    """1 16 18 32 float32 standard normal numbers that depend on (seed, frame index) alone, for exact replay."""
    key = np.array([seed % 2**64, frame_index % 2**64], np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key))
    values = generator.standard_normal((1, LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH), np.float32)
    return torch.from_numpy(values)


def flow(
    predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int, shift: float = 1.0
) -> Iterator[Tensor]:
    """Follows the flow from noise (B C H W, time 0) to a clean sample with `steps` Euler steps; yields each.

    predict(noisy, time B 1) gives the clean latent. shift > 1 spends more of the steps near the noise, where a
    picture's layout is decided (Esser et al. 2024).
    """
    times = torch.linspace(0, 1, steps + 1)
    times = times / (shift - (shift - 1) * times)
    x = noise
    for now, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        clean = predict(x, torch.full((len(x), 1), now, device=x.device))
        # The straight line from where we are to the predicted end, followed to the next time.
        x = clean + (x - clean) * ((1 - after) / (1 - now))
        yield x


def sample(predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int) -> Tensor:
    """The end of the flow (see `flow`)."""
    *_, end = flow(predict, noise, steps)
    return end
