"""How far a picture lies from what the model knows: its latent's statistics against those of the example views.

In the top, middle and bottom third of a latent, mean and spread of every channel; their Mahalanobis distance from the
examples that the first frame keeps (the score for strangeness of Lee et al. 2018, A simple unified framework for
detecting out-of-distribution samples).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

STRANGE = 1.5
"""Up to this 99 of 100 frames of the simulator score (median 0.75, 95 of 100 up to 1.18). Of eight drawn
pictures (assets/pictures), a mountain range (0.99), dunes (1.09), a sunset (1.16), a house (1.38) and a flower (1.45)
did, and a city (1.55), a wood (1.62) and a sea (2.17) did not, nor noise (1.60) and black (2.04)."""

BANDS = 3
SHRUNK = 0.02
"""Share of each feature's own variance that is added, so that a thousand examples give a stable inverse."""


class Familiar:
    """Knows a set of example latents, N 16 18 32."""

    def __init__(self, examples: Tensor) -> None:
        features = _features(examples)
        self._mean = features.mean(0)
        spread = torch.cov(features.T)
        # Where every example is the same (as in a model of few examples) nothing can be told.
        floor = torch.eye(len(spread), dtype=spread.dtype) * 1e-6
        self._precision = torch.linalg.inv(spread + SHRUNK * torch.diag(spread.diag()) + floor)
        self._usual = float(torch.quantile(self._distance(features), 0.99))

    def strangeness(self, latent: Tensor) -> float:
        """Of one latent, 1 16 18 32: 1 is what the strangest hundredth of the examples reach. See STRANGE."""
        return float(self._distance(_features(latent))[0]) / max(self._usual, 1e-6)

    def _distance(self, features: Tensor) -> Tensor:
        away = features - self._mean
        return (away @ self._precision * away).sum(1).clamp_min(0).sqrt()


def _features(latents: Tensor) -> Tensor:
    """N 16 18 32 -> N 96, float64."""
    latents = latents.double()
    mean = F.adaptive_avg_pool2d(latents, (BANDS, 1))
    variance = F.adaptive_avg_pool2d(latents.square(), (BANDS, 1)) - mean.square()
    return torch.cat([mean.flatten(1), variance.clamp_min(1e-6).sqrt().log().flatten(1)], 1)
