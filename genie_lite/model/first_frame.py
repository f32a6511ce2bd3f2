"""The first latent of a world from conditions alone: a flow like the dynamics', run for many steps, once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genie_lite.conditions import BIOMES, CONDITIONS_DIM
from genie_lite.model.autoencoder import LATENT_BOUND, LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH
from genie_lite.model.unet import UNet, UNetConfig

AXES = 192
"""Principal axes of whole latents that the Gaussian base knows."""

_SIZE = LATENT_CHANNELS * LATENT_HEIGHT * LATENT_WIDTH
_FEATURES = CONDITIONS_DIM + 2 * len(BIOMES) + 1


class FirstFrame(nn.Module):
    """Denoises in two parts: what is best for a Gaussian with a mean that depends on the conditions and AXES principal
    axes, which is known in closed form, and a U-Net's correction. The Gaussian alone gives sky, horizon and ground in
    the right colours; what has shape is the U-Net's to add.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config, 2 * LATENT_CHANNELS + 2, LATENT_CHANNELS, CONDITIONS_DIM + 1)
        rows, columns = torch.meshgrid(torch.linspace(-1, 1, 18), torch.linspace(-1, 1, 32), indexing="ij")
        self.position: Tensor
        self.mean: Tensor
        self.axes: Tensor
        self.variance: Tensor
        self.register_buffer("position", torch.stack([rows, columns])[None], persistent=False)
        self.register_buffer("mean", torch.zeros(_FEATURES, _SIZE))
        self.register_buffer("axes", torch.zeros(AXES, _SIZE))
        self.register_buffer("variance", torch.zeros(AXES))

    @torch.no_grad()
    def start_from(self, latents: Tensor, conditions: Tensor, ridge: float = 0.003) -> None:
        """Fits the Gaussian: ridge regression of latents (N 16 18 32) on conditions (N 18), and the residual's axes."""
        x, features = latents.float().flatten(1), _features(conditions)
        within = features.T @ features + ridge * len(x) * torch.eye(_FEATURES, device=x.device)
        self.mean.copy_(torch.linalg.solve(within, features.T @ x))
        residual = x - features @ self.mean
        _, scale, axes = torch.svd_lowrank(residual, q=min(AXES, *residual.shape), niter=3)
        self.axes[: len(scale)] = axes.T
        self.variance[: len(scale)] = scale.square() / len(x)

    def forward(self, noisy: Tensor, conditions: Tensor, time: Tensor) -> Tensor:
        """noisy: B 16 18 32; conditions: B 18; time: B 1. Returns the clean latent B 16 18 32."""
        mean = _features(conditions) @ self.mean
        along = (noisy.flatten(1) - time * mean) @ self.axes.T
        gain = self.variance * time / (time.square() * self.variance + (1 - time).square() + 1e-6)
        base = (mean + (along * gain) @ self.axes).reshape(noisy.shape)
        position = self.position.expand(noisy.shape[0], -1, -1, -1)
        drawn = self.unet(torch.cat([noisy, base, position], 1), torch.cat([conditions, time], 1))
        return (base + drawn).clamp(-LATENT_BOUND, LATENT_BOUND)


def _features(conditions: Tensor) -> Tensor:
    """B 18 -> B 35: the conditions, each biome at each hour (light colours land), and 1."""
    biomes, hour = conditions[:, : len(BIOMES)], conditions[:, len(BIOMES) : len(BIOMES) + 2]
    both = (biomes[:, :, None] * hour[:, None]).flatten(1)
    return torch.cat([conditions, both, torch.ones_like(conditions[:, :1])], 1)
