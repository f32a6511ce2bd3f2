"""Makes pictures of latents: a decoder head for each size, whose output is ready for the screen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genie_lite.engine.runtime import Network
from genie_lite.model.autoencoder import (
    LATENT_CHANNELS,
    LATENT_HEIGHT,
    LATENT_WIDTH,
    PICTURE_SIZES,
    Autoencoder,
    FrameHead,
    PictureHead,
)
from genie_lite.model.layers import to_bytes


class Painter(nn.Module):
    """A decoder head whose output is ready for the screen: uint8 patches, colour last."""

    def __init__(self, head: FrameHead | PictureHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, latent: Tensor) -> Tensor:
        """1 16 18 32 -> uint8 1 h w 3*patch*patch."""
        # Reordered as bytes: as floats this costs 5 ms.
        return to_bytes(self.head.patches(latent)).permute(0, 2, 3, 1)


class Painters:
    """The painters of an autoencoder, compiled when first needed."""

    def __init__(self, autoencoder: Autoencoder, compile_: Callable[[nn.Module, Tensor], Network]) -> None:
        self._autoencoder, self._compile = autoencoder, compile_
        self._ready: dict[str, Network] = {}

    def paint(self, latent: Tensor, quality: str) -> NDArray[np.uint8]:
        """The picture of a latent (1 16 18 32) in a size of PICTURE_SIZES: uint8 (H, W, 3)."""
        if quality not in self._ready:
            example = torch.zeros(1, LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH)
            self._ready[quality] = self._compile(Painter(self._autoencoder.head(quality)), example)
        patches = self._ready[quality](latent)[0].numpy()
        width, height = PICTURE_SIZES[quality]
        rows, columns = patches.shape[:2]
        patch = height // rows
        # A patch's row is patch*3 bytes side by side; moving them as whole words is all that is left to do.
        words = patches.reshape(rows, columns, patch, patch * 3).view(np.uint64 if patch % 8 == 0 else np.uint32)
        return np.ascontiguousarray(words.transpose(0, 2, 1, 3)).view(np.uint8).reshape(height, width, 3)
