"""Autoencoder: 256x144 frame <-> latent (B 16 18 32), and the heads that turn a latent into pictures, an RGB-D
thumbnail and conditions. Frames are float B 3 144 256 in [-1, 1]; latents have about unit variance and are bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.camera import EYE_HEIGHT, FAR, NEAR, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.model.layers import ResidualBlock, SeparableBlock, patchify, unpatch, zero

LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH = 16, 18, 32
LATENT_BOUND = 8.0
"""Normalised latents are clamped to +- this, so that errors cannot grow without end in a rollout."""

PATCH = 8
"""One latent cell stands for 8x8 pixels of the frame."""

PICTURE_SIZES = {"720p": (1280, 720), "360p": (640, 360), "144p": (256, 144)}
"""(width, height) of each decoder head."""


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Widths and residual blocks: of the encoder, of the 256x144, 640x360 and 1280x720 heads at 32x18, of the last
    one's middle layers at 160x90, and of the thumbnail, whose blocks are those at each of its three scales."""

    encoder_channels: int = 96
    encoder_blocks: int = 2
    frame_channels: int = 128
    frame_blocks: int = 3
    head_channels: int = 64
    large_channels: int = 128
    large_blocks: int = 3
    picture_channels: int = 64
    picture_blocks: int = 2
    thumbnail_channels: int = 64
    thumbnail_blocks: int = 2


class Encoder(nn.Module):
    """Frame -> latent: one linear map of each 8x8 patch, corrected by a small network that sees its neighbours."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(3 * PATCH**2, LATENT_CHANNELS, 1)
        self.stem = nn.Conv2d(3 * PATCH**2, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, LATENT_CHANNELS, 1)
        zero(self.out)

    def forward(self, frame: Tensor) -> Tensor:
        """B 3 144 256 -> B 16 18 32."""
        patches = patchify(frame, PATCH)
        return self.linear(patches) + self.out(F.silu(self.blocks(self.stem(patches))))


class FrameHead(nn.Module):
    """Latent -> the 256x144 frame: the encoder's linear map reversed, corrected by a network at 32x18."""

    patch = PATCH

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(LATENT_CHANNELS, 3 * PATCH**2, 1)
        self.stem = nn.Conv2d(LATENT_CHANNELS, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, 3 * PATCH**2, 1)
        zero(self.out)

    def features(self, latent: Tensor) -> Tensor:
        """What the last layer sees: B 16 18 32 -> B C 18 32."""
        return F.silu(self.blocks(self.stem(latent)))

    def patches(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B 192 18 32, in the channel order of `unpatch`."""
        return self.linear(latent) + self.out(self.features(latent))

    def forward(self, latent: Tensor) -> Tensor:
        """B 16 18 32 -> B 3 144 256 in about [-1, 1]."""
        return unpatch(self.patches(latent), PATCH)


class PictureHead(nn.Module):
    """Latent -> large picture: residual blocks at 32x18, one pixel-shuffle to 160x90, then one patch a position.

    Linear in the latent when training begins, which is where the best of a linear enlargement is learned in seconds.
    """

    upsample = 5
    margin = 2
    """Rows at 160x90 that the middle blocks look beyond their own."""

    def __init__(self, channels: int, blocks: int, middle: int, middle_blocks: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Conv2d(LATENT_CHANNELS, channels, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.widen = nn.Conv2d(channels, middle * self.upsample**2, 1)
        self.middle = nn.ModuleList(SeparableBlock(middle) for _ in range(middle_blocks))
        self.out = nn.Conv2d(middle, 3 * patch**2, 1)

    @torch.no_grad()
    def start_from(self, linear: Tensor) -> None:
        """Sets the layers so that they enlarge, bicubically within each cell, what a linear frame head draws.

        linear: 192 17, the frame head's map and, last, its bias. The enlargement of all 25 positions of a cell is
        factored into `widen` and `out` by its singular values: as good as their width allows.
        """
        up, patch, latents = self.upsample, self.patch, LATENT_CHANNELS
        pictures = unpatch(linear.T[:, :, None, None], PATCH)
        large = F.interpolate(pictures, size=(up * patch, up * patch), mode="bicubic")
        parts = large.reshape(-1, 3, up, patch, up, patch).permute(3, 5, 1, 2, 4, 0).reshape(3 * patch**2, up * up, -1)
        maps, bias = parts[:, :, :latents], parts[:, :, latents]
        left, values, right = torch.linalg.svd(torch.cat([maps.flatten(1), bias - bias.mean(1, True)], 1).double())
        middle = self.out.in_channels
        rank = min(middle, len(values))
        root = values[:rank].sqrt()
        _set_linear(self.out, F.pad(left[:, :rank] * root, (0, middle - rank)), bias.mean(1))
        right = F.pad((root[:, None] * right[:rank]).T, (0, middle - rank))
        weight = right[: up * up * latents].reshape(up * up, latents, middle).permute(2, 0, 1).flatten(0, 1)
        _set_linear(self.widen, F.pad(weight, (0, self.widen.in_channels - latents)), right[-up * up :].T.flatten())
        # The first channels carry the latent itself.
        self.stem.weight[:latents] = 0
        self.stem.weight[:latents, :, 1, 1] = torch.eye(latents)
        assert self.stem.bias is not None
        self.stem.bias[:latents] = 0

    def features(self, latent: Tensor, rows: tuple[int, int] = (0, 90)) -> Tensor:
        """What the last layer sees: B 16 18 32 -> B C n 160, for the n rows of 90 asked for."""
        x = self.stem(latent)
        for block in self.blocks:
            x = block(x)
        x = F.pixel_shuffle(self.widen(x), self.upsample)
        first, last = rows
        margin = self.margin * len(self.middle)
        top = max(0, first - margin)
        x = x[:, :, top : last + margin]
        for block in self.middle:
            x = block(x)
        return x[:, :, first - top : last - top]

    def patches(self, latent: Tensor, rows: tuple[int, int] = (0, 90)) -> Tensor:
        """B 16 18 32 -> B (3 patch^2) n 160 in the channel order of `unpatch`, for the n rows of 90 asked for."""
        return self.out(self.features(latent, rows))

    def forward(self, latent: Tensor, rows: tuple[int, int] = (0, 90)) -> Tensor:
        """B 16 18 32 -> B 3 n*patch 160*patch in about [-1, 1] (not clamped, so that gradients reach every pixel)."""
        return unpatch(self.patches(latent, rows), self.patch)


class ThumbnailHead(nn.Module):
    """Latent -> RGB-D thumbnail, which spatial memory needs of every frame. Depth is a correction to that of level
    ground, read with a wide view: how far a patch of grass is depends on where the horizon lies."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(LATENT_CHANNELS, 48, 1)
        self.stem = nn.Conv2d(LATENT_CHANNELS + 16, channels, 3, padding=1)
        self.shrink1 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.shrink2 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.blocks0, self.blocks1, self.blocks2 = (
            nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks))) for _ in range(3)
        )
        self.out = nn.Conv2d(channels, 64, 1)
        zero(self.out)

    def forward(self, latent: Tensor, pitch: Tensor) -> Tensor:
        """B 16 18 32, pitch B 1 in radians -> B 4 72 128: RGB about [-1, 1], log-depth about [0, 1]."""
        level = level_ground(pitch.float()).to(latent.dtype)
        x0 = self.stem(torch.cat([latent, F.pixel_unshuffle(level, 4)], 1))
        x1 = self.blocks1(self.shrink1(F.silu(x0)))
        x2 = self.blocks2(self.shrink2(F.silu(x1)))
        x1 = x1 + F.interpolate(x2, size=x1.shape[-2:])
        x0 = self.blocks0(x0 + F.interpolate(x1, size=x0.shape[-2:]))
        drawn = F.pixel_shuffle(self.out(F.silu(x0)), 4)
        colours = drawn[:, :3] + F.pixel_shuffle(self.linear(latent), 4)
        return torch.cat([colours, drawn[:, 3:] + level], 1)


def level_ground(pitch: Tensor) -> Tensor:
    """Log-depth of level ground, and of the sky above it, for an eye at standing height: pitch B 1 -> B 1 72 128."""
    up = (1 - (torch.arange(THUMB_HEIGHT, device=pitch.device) + 0.5) / THUMB_HEIGHT * 2) * TAN_Y
    fall = -(up * pitch.cos() + pitch.sin())
    depth = EYE_HEIGHT / fall.clamp_min(EYE_HEIGHT / FAR)
    level = (depth / NEAR).log() / math.log(FAR / NEAR)
    return level.clamp_min(0)[:, None, :, None].expand(-1, -1, -1, THUMB_WIDTH)


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
        self.encoder = Encoder(config.encoder_channels, config.encoder_blocks)
        middle = config.picture_channels
        self.frame = FrameHead(config.frame_channels, config.frame_blocks)
        self.heads = nn.ModuleDict(
            {
                "720p": PictureHead(config.large_channels, config.large_blocks, middle, config.picture_blocks, 8),
                "360p": PictureHead(config.head_channels, 2, middle // 2, 1, 4),
                "thumbnail": ThumbnailHead(config.thumbnail_channels, config.thumbnail_blocks),
                "conditions": ConditionsHead(),
            }
        )

    @property
    def thumbnail(self) -> ThumbnailHead:
        """The head that draws what memory keeps."""
        return cast(ThumbnailHead, self.heads["thumbnail"])

    @property
    def conditions(self) -> ConditionsHead:
        """The head that reads conditions off a latent."""
        return cast(ConditionsHead, self.heads["conditions"])

    @torch.no_grad()
    def start_from_pca(self, frames: Tensor) -> None:
        """Sets the linear maps to the principal components of the patches of frames (N 3 144 256 in [-1, 1]).

        In flat-shaded country these alone reach more than 35 dB, which spares the first hours of training.
        Latents come out with zero mean and unit variance in every channel.
        """
        patches = patchify(frames, PATCH).permute(0, 2, 3, 1).reshape(-1, 3 * PATCH**2).double()
        mean = patches.mean(0)
        centred = patches - mean
        variance, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
        # Pictures of very few colours have no more components: their scale must not be 0.
        scale = variance.flip(0)[:LATENT_CHANNELS].clamp_min(1e-8).sqrt()
        axes = axes.flip(1)[:, :LATENT_CHANNELS]
        encode, decode = (axes / scale).T, axes * scale
        _set_linear(self.encoder.linear, encode, -(encode @ mean))
        _set_linear(self.frame.linear, decode, mean)

    @torch.no_grad()
    def start_heads_from_frame(self) -> None:
        """Gives the thumbnail and picture heads the frame head's linear map, averaged and enlarged to their sizes."""
        bias = self.frame.linear.bias
        assert bias is not None
        both = torch.cat([self.frame.linear.weight.flatten(1), bias[:, None]], 1)
        small = both.reshape(4, 2, 4, 2, 3, -1).mean((1, 3)).permute(2, 0, 1, 3).reshape(48, -1)
        _set_linear(self.thumbnail.linear, small[:, :-1], small[:, -1])
        for size in ("720p", "360p"):
            head = self.head(size)
            assert isinstance(head, PictureHead)
            head.start_from(both)

    def encode(self, frame: Tensor) -> Tensor:
        """B 3 144 256 in [-1, 1] -> normalised latent B 16 18 32 within +- LATENT_BOUND."""
        return self.encoder(frame).clamp(-LATENT_BOUND, LATENT_BOUND)

    def decode(self, latent: Tensor, size: str = "144p") -> Tensor:
        """Normalised latent -> B 3 H W in about [-1, 1], for a name in PICTURE_SIZES."""
        return self.head(size)(latent)

    def head(self, size: str) -> FrameHead | PictureHead:
        """The decoder head for a name in PICTURE_SIZES."""
        return self.frame if size == "144p" else cast(PictureHead, self.heads[size])


def _set_linear(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    assert layer.bias is not None
    layer.weight.copy_(weight[:, :, None, None])
    layer.bias.copy_(bias)
