"""A true past: frames that were seen, and from where, as a dream would know of them had it dreamed them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genie_lite.engine.album import Album
from genie_lite.engine.odometry import Odometry
from genie_lite.model.layers import to_unit
from genie_lite.model.memory import with_depth
from genie_lite.model.stereo import set_right

APART = (-40, -20, -9, -3, 3, 9, 20, 40)
"""Which frames around one tell its depth: so many later."""

LOOKED_BACK, LOOKED_EVERY = 48, 4
"""The last frames, and one in how many of them, that show the ground and what stands on it."""


class Past:
    """frames: uint8 (T, 144, 256, 3), oldest first, seen from path (T 5 float64). encode makes latents (N 16 18 32) of
    frames, and thumbnail of a latent (1 16 18 32) and its pose (1 5) an RGB-D thumbnail (1 4 72 128)."""

    def __init__(
        self,
        frames: NDArray[np.uint8],
        path: Tensor,
        encode: Callable[[NDArray[np.uint8]], Tensor],
        thumbnail: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self._frames, self._path, self._encode, self._thumbnail = frames, path, encode, thumbnail

    @torch.inference_mode()
    def seen(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        """The latent and the thumbnail of each of these frames, its depth set right by the frames around it."""
        latents = self._encode(self._frames[indices]) if indices else ()
        return [
            (latent[None], self._deepened(latent[None], index)) for latent, index in zip(latents, indices, strict=True)
        ]

    @torch.inference_mode()
    def tell(self, odometry: Odometry, album: Album) -> None:
        """Shows what lies and stands about the path's end, and has the album keep what play would have stored."""
        lately = list(range(max(0, len(self._path) - LOOKED_BACK), len(self._path), LOOKED_EVERY))
        for (_, thumbnail), index in zip(self.seen(lately), lately, strict=True):
            odometry.look(thumbnail, self._path[index, None])
            odometry.meet(thumbnail[:, 3:], torch.ones_like(thumbnail[:, 3:]), self._path[index, None])
        album.remember_true(self.seen, self._path[:-1, None])

    def _deepened(self, latent: Tensor, index: int) -> Tensor:
        thumbnail = self._thumbnail(latent, self._path[index, None])
        around = [index + apart for apart in APART if 0 <= index + apart < len(self._frames)]
        depth = set_right(
            thumbnail[:, 3:],
            self._picture([index]),
            self._path[index, None].float(),
            self._picture(around),
            self._path[around].float(),
        )
        return with_depth(thumbnail, depth)

    def _picture(self, indices: list[int]) -> Tensor:
        """Frames as N 3 144 256 in [-1, 1]."""
        return to_unit(torch.from_numpy(self._frames[indices]).permute(0, 3, 1, 2))
