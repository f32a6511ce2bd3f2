"""The first frame's loss: a flow from noise to a latent, given conditions."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from genie_lite.conditions import BIOMES, biome
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.first_frame import FirstFrame
from genie_lite.model.sampler import sample, seeded_noise
from genie_lite.train.clips import LatentSet
from genie_lite.train.sheets import save_sheet

START_PITCH = 0.12
"""Only frames that look about level (radians) are taken: a world begins looking ahead."""


class FirstFramePart:
    """Rectified flow with x-prediction; the error is weighted like a velocity's, up to a bound."""

    name = "first_frame"

    def __init__(self, module: FirstFrame, data: LatentSet, autoencoder: Autoencoder, batch: int, seed: int) -> None:
        self.module, self.data, self.autoencoder, self.batch = module, data, autoencoder, batch
        self.level = torch.nonzero(data.poses[:, 4].abs() < START_PITCH).squeeze(1)
        self.random = torch.Generator(data.latents.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the clean latent, weighted by 1 / (1 - t)^2 and at most 25."""
        device = self.data.latents.device
        pick = self.level[torch.randint(len(self.level), (self.batch,), generator=self.random, device=device)]
        clean = self.data.latents[pick].float().contiguous(memory_format=torch.channels_last)
        time = torch.sigmoid(torch.randn(self.batch, 1, generator=self.random, device=device) - 0.4)
        t = time[:, :, None, None]
        noisy = t * clean + (1 - t) * torch.randn_like(clean)
        error = (self.module(noisy, self.data.conditions[pick], time).float() - clean).square().mean((1, 2, 3))
        weighted = (error / (1 - time[:, 0]).clamp_min(0.2).square()).mean()
        return weighted, {"flow": weighted.detach(), "clean": error.detach().mean()}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Every biome (columns) at noon, dusk and night (rows), drawn from conditions alone."""
        rows = []
        for row, hour in enumerate((12.0, 18.5, 23.0)):
            conditions = torch.stack([torch.from_numpy(biome(name, hour=hour).to_array()) for name in BIOMES])
            conditions = conditions.to(self.data.latents.device)
            noise = torch.cat([seeded_noise(row, column) for column in range(len(BIOMES))])
            latent = sample(lambda x, t, c=conditions: module(x, c, t), noise.to(conditions.device), 32, shift=2.0)  # type: ignore[misc]
            rows.append(self.autoencoder.decode(latent))
        save_sheet(rows, path)
