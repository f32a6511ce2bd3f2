"""The critic: says of a latent whether the world could look and move so. Only training knows it; play never does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.model.autoencoder import LATENT_CHANNELS


class Critic(nn.Module):
    """A patch discriminator over 9x16 and 5x8 maps, conditioned by projection (Miyato and Koyama 2018)."""

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        c = channels
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(2 * LATENT_CHANNELS, c, 4, stride=2, padding=1),
                nn.Conv2d(c, c, 3, padding=1),
                nn.Conv2d(c, 2 * c, 3, stride=2, padding=1),
                nn.Conv2d(2 * c, 2 * c, 3, padding=1),
                nn.Conv2d(2 * c, 2 * c, 3, padding=1),
            ]
        )
        self.out = nn.Conv2d(2 * c, 1, 1)
        self.embed = nn.Sequential(nn.Linear(CONDITIONS_DIM + 1, c), nn.SiLU(), nn.Linear(c, 2 * c))

    def forward(self, latent: Tensor, previous: Tensor, conditions: Tensor, pitch: Tensor) -> Tensor:
        """latent, previous: B 16 18 32; conditions: B 18; pitch: B 1 in radians. Returns B: higher is more real."""
        x = torch.cat([latent, latent - previous], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        asked = self.embed(torch.cat([conditions, pitch], 1))[:, :, None, None]
        fits = (x * asked).mean(1, keepdim=True)
        return (self.out(x) + fits).float().mean((1, 2, 3))
