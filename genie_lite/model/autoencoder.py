"""Autoencoder: 256x144 frame <-> latent (B 16 18 32), and the heads that turn a latent into pictures, an RGB-D
thumbnail and conditions. Frames are float B 3 144 256 in [-1, 1]; latents are normalised per channel and bounded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.model.layers import ResidualBlock, SeparableBlock, unpatch

LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH = 16, 18, 32
LATENT_BOUND = 4.0
"""Normalised latents are clamped to +- this, so that errors cannot grow without end in a rollout."""

PICTURE_SIZES = {"720p": (1280, 720), "360p": (640, 360), "144p": (256, 144)}
"""(width, height) of each decoder head."""


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Widths of the encoder (at 64x36 and 32x18) and of the heads (at 32x18 and where the picture is made)."""

    encoder_channels: tuple[int, int] = (96, 192)
    encoder_blocks: int = 3
    head_channels: int = 80
    picture_channels: int = 56
    picture_blocks: int = 1
    small_picture_channels: int = 128
    thumbnail_channels: int = 64


class PictureHead(nn.Module):
    """Latent -> picture: residual blocks at 32x18, one pixel-shuffle to a middle size, then one patch a position."""

    def __init__(self, channels: int, blocks: int, upsample: int, middle: int, middle_blocks: int, patch: int) -> None:
        super().__init__()
        self.upsample, self.patch = upsample, patch
        self.inner = nn.Conv2d(LATENT_CHANNELS, channels, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.widen = nn.Conv2d(channels, middle * upsample**2, 1)
        self.middle = nn.ModuleList(SeparableBlock(middle) for _ in range(middle_blocks))
        self.out = nn.Conv2d(middle, 3 * patch**2, 1)

    def patches(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B (3 patch^2) 18*upsample 32*upsample, in the channel order of `unpatch`."""
        x = self.inner(latent)
        for block in self.blocks:
            x = block(x)
        x = F.pixel_shuffle(self.widen(x), self.upsample)
        for block in self.middle:
            x = block(x)
        return self.out(F.silu(x))

    def forward(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B 3 H W in about [-1, 1] (not clamped, so that gradients reach every pixel)."""
        return unpatch(self.patches(latent), self.patch)


class Encoder(nn.Module):
    """Frame -> bounded, not yet normalised latent."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        fine, coarse = config.encoder_channels
        self.stem = nn.Conv2d(48, fine, 3, padding=1)
        self.fine = nn.ModuleList(ResidualBlock(fine) for _ in range(2))
        self.down = nn.Conv2d(4 * fine, coarse, 1)
        self.coarse = nn.ModuleList(ResidualBlock(coarse) for _ in range(config.encoder_blocks))
        self.out = nn.Conv2d(coarse, LATENT_CHANNELS, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor:
        """B 3 144 256 -> B 16 18 32 within +- 3."""
        x = self.stem(F.pixel_unshuffle(frame, 4))
        for block in self.fine:
            x = block(x)
        x = self.down(F.pixel_unshuffle(x, 2))
        for block in self.coarse:
            x = block(x)
        return 3 * torch.tanh(self.out(F.silu(x)) / 3)


class ThumbnailHead(nn.Module):
    """Latent -> RGB-D thumbnail, which spatial memory needs of every frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, 64, 1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B 4 72 128: RGB about [-1, 1], log-depth about [0, 1]."""
        return F.pixel_shuffle(self.net(latent), 4)


class ConditionsHead(nn.Module):
    """Latent -> conditions as a picture shows them (B 18, the order of CONDITION_NAMES)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, 64, 3, stride=2, padding=1), nn.SiLU(), nn.Conv2d(64, 96, 3, stride=2, padding=1)
        )
        self.out = nn.Sequential(nn.Linear(192, 128), nn.SiLU(), nn.Linear(128, CONDITIONS_DIM))

    def forward(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B 18."""
        x = F.silu(self.features(latent))
        return self.out(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))


class Autoencoder(nn.Module):
    """Encoder and all heads. `encode` and the heads speak normalised latents."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        wide, pic, blocks = config.head_channels, config.picture_channels, config.picture_blocks
        self.pictures = nn.ModuleDict(
            {
                "720p": PictureHead(wide, 2, 5, pic, blocks, 8),
                "360p": PictureHead(wide, 2, 5, pic // 2, blocks, 4),
                "144p": PictureHead(config.small_picture_channels, 2, 2, config.small_picture_channels, 2, 4),
            }
        )
        self.thumbnail = ThumbnailHead(config.thumbnail_channels)
        self.conditions = ConditionsHead()
        self.latent_mean: Tensor
        self.latent_std: Tensor
        self.register_buffer("latent_mean", torch.zeros(1, LATENT_CHANNELS, 1, 1))
        self.register_buffer("latent_std", torch.ones(1, LATENT_CHANNELS, 1, 1))

    def encode(self, frame: Tensor) -> Tensor:
        """B 3 144 256 in [-1, 1] -> normalised latent B 16 18 32 within +- LATENT_BOUND."""
        latent = (self.encoder(frame) - self.latent_mean) / self.latent_std
        return latent.clamp(-LATENT_BOUND, LATENT_BOUND)

    def decode(self, latent: Tensor, size: str = "144p") -> Tensor:
        """Normalised latent -> B 3 H W in about [-1, 1], for a name in PICTURE_SIZES."""
        return self.pictures[size](latent)
