"""Dynamics: an action-conditioned latent flow over the next latent, predicting the clean latent (x-prediction).

A noisy latent at flow time t is t * clean + (1 - t) * noise: t = 0 is pure noise, t = 1 the latent itself
(rectified flow, Liu et al. 2022). Context latents may be noisy too, with the level as an input (noise augmentation as
in GameNGen, Valevski et al. 2024), so that the network learns to repair its own errors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.actions import ACTION_DIM, PITCH_LIMIT
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.model.autoencoder import LATENT_BOUND, LATENT_CHANNELS, Encoder
from genie_lite.model.motion import MOTION_DIM
from genie_lite.model.unet import UNet, UNetConfig

CONTEXT_FRAMES = 4
_HINT_CHANNELS = 8 * 16
_VECTOR = ACTION_DIM + MOTION_DIM + 1 + CONDITIONS_DIM + 2

RECALL = 0.2
"""Share of the way to what older views in memory show that each step of training goes: what is dreamed alone blurs in
seconds. Play recalls whole pictures (see recall.py), for which a training has no room."""


class Dynamics(nn.Module):
    """Next latent from the last four, the memory hint, and a vector (see `dynamics_vector`).

    The U-Net draws a change to a base that needs no learning: the last latent, or what the encoder's linear map makes
    of a hint. How far each cell and channel trusts the last frame's hint, and memory's, is drawn as well.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config, LATENT_CHANNELS * (CONTEXT_FRAMES + 1) + _HINT_CHANNELS, 3 * LATENT_CHANNELS, _VECTOR)
        self.from_hint = nn.Conv2d(48, LATENT_CHANNELS, 1)

    @torch.no_grad()
    def start_from(self, encoder: Encoder) -> None:
        """Takes the encoder's linear map for hints, whose pixels stand for 2x2 of a frame's."""
        source, target = encoder.linear, self.from_hint
        assert source.bias is not None and target.bias is not None
        small = source.weight.reshape(LATENT_CHANNELS, 4, 2, 4, 2, 3).sum((2, 4)).permute(0, 3, 1, 2)
        target.weight.copy_(small.reshape(LATENT_CHANNELS, 48, 1, 1))
        target.bias.copy_(source.bias)

    def forward(self, noisy: Tensor, context: Tensor, hint: Tensor, vector: Tensor) -> Tensor:
        """noisy: B 16 18 32; context: B 64 18 32, oldest first; hint: B 8 72 128; vector: B 32. Returns B 16 18 32."""
        seen = F.pixel_unshuffle(hint, 4)
        change, *trusts = self.unet(torch.cat([noisy, context, seen], 1), vector).chunk(3, dim=1)
        base = context[:, -LATENT_CHANNELS:]
        for part, trust in zip(seen.chunk(2, dim=1), trusts, strict=True):
            known = part[:, 48:].mean(1, keepdim=True) * torch.sigmoid(trust)
            base = base + known * (self.from_hint(_filled(part)) - base)
        return (base + change).clamp(-LATENT_BOUND, LATENT_BOUND)

    def shown(self, hint: Tensor) -> Tensor:
        """The latent that half a hint shows, coarsely: B 4 72 128 -> B 16 18 32."""
        return self.from_hint(_filled(F.pixel_unshuffle(hint, 4)))

    def recalled(self, latent: Tensor, older: Tensor) -> Tensor:
        """A dreamed latent (B 16 18 32) pulled to what the older views (B 4 72 128, half a hint) show of it."""
        return latent + RECALL * F.avg_pool2d(older[:, 3:], 4) * (self.shown(older) - latent)


def _filled(seen: Tensor) -> Tensor:
    """The 4x4 pixels of each cell of a hint (B 64 18 32), unknown ones in the mean colour of the known: B 48 18 32.

    Left at zero they would be grey, and grey at the rim of what is known would creep inwards frame by frame.
    """
    colours, known = seen[:, :48].unflatten(1, (3, 16)), seen[:, None, 48:]
    mean = colours.sum(2, keepdim=True) / known.sum(2, keepdim=True).clamp_min(1)
    return (colours + (1 - known) * mean).flatten(1, 2)


def dynamics_vector(
    action: Tensor, motion: Tensor, pitch: Tensor, conditions: Tensor, time: Tensor, context_noise: Tensor
) -> Tensor:
    """Joins action B 6, motion B 5, pitch B 1 (radians), conditions B 18, flow time B 1, context noise B 1: B 32."""
    return torch.cat([action, motion, pitch / PITCH_LIMIT, conditions, time, context_noise], 1)
