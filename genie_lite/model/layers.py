"""Building blocks that every network shares. Shapes are B C H W; all arithmetic is convolution or plain matrix product,
so that eager PyTorch, a compiler or OpenVINO can run it unchanged."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def zero(layer: nn.Conv2d) -> None:
    """Makes a layer give zeros until it is trained."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with an optional FiLM (Perez et al. 2018) between them; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        zero(self.conv2)

    def forward(self, x: Tensor, film: Tensor | None = None) -> Tensor:
        """x: B C H W; film: B 2C (scale, then shift) or None."""
        h = self.conv1(F.silu(self.norm(x)))
        if film is not None:
            scale, shift = film[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv2(F.silu(h))


class SeparableBlock(nn.Module):
    """Depthwise 5x5, then two pointwise layers (ConvNeXt, Liu et al. 2022, without its norm): cheap at many pixels."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.widen = nn.Conv2d(channels, expansion * channels, 1)
        self.narrow = nn.Conv2d(expansion * channels, channels, 1)
        zero(self.narrow)

    def forward(self, x: Tensor) -> Tensor:
        """x: B C H W, unchanged in shape."""
        return x + self.narrow(F.silu(self.widen(self.depthwise(x))))


class SelfAttention(nn.Module):
    """Full attention over all positions of a small map; starts as the identity."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """x: B C H W, unchanged in shape."""
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2)
        mixed = F.scaled_dot_product_attention(qkv[:, 0], qkv[:, 1], qkv[:, 2])
        return x + self.out(mixed.transpose(-1, -2).reshape(b, c, h, w))


def unpatch(patches: Tensor, patch: int) -> Tensor:
    """B (patch*patch*3) h w, channels ordered (row, column, colour) -> B 3 h*patch w*patch.

    Colour last, unlike pixel_shuffle, so that the same numbers in B h w C order become a picture by moving rows of
    patch*3 neighbouring bytes.
    """
    b, _, h, w = patches.shape
    picture = patches.reshape(b, patch, patch, 3, h, w).permute(0, 3, 4, 1, 5, 2)
    return picture.reshape(b, 3, h * patch, w * patch)


def patchify(picture: Tensor, patch: int) -> Tensor:
    """The inverse of `unpatch`: B 3 H W -> B (patch*patch*3) H/patch W/patch."""
    b, _, height, width = picture.shape
    h, w = height // patch, width // patch
    patches = picture.reshape(b, 3, h, patch, w, patch).permute(0, 3, 5, 1, 2, 4)
    return patches.reshape(b, patch * patch * 3, h, w)


def to_unit(image: Tensor) -> Tensor:
    """uint8 [0, 255] -> float32 [-1, 1], any shape."""
    return image.to(torch.float32) / 127.5 - 1


def to_bytes(image: Tensor) -> Tensor:
    """The inverse: float [-1, 1] -> uint8 [0, 255], any shape; what lies beyond is clipped."""
    return ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
