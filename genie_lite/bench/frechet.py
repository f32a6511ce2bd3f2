"""A Frechet distance between two sets of clips, in a feature space of our own: not FVD, and not to be compared with it.

As in FID and FVD (Heusel et al. 2017, Unterthiner et al. 2018) each set is taken for a Gaussian, and the distance is
|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2). The space is the judge's (model/judge.py): what is seen in a clip and what
moves, whitened on true clips, so that 1 is one standard deviation of true clips along one direction.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genie_lite.model.judge import CLIP_DIM

CLIP_LENGTHS = (16, 32)
HOP = 8
"""Frames from the beginning of one clip to the next."""

FEWEST = 2 * CLIP_DIM
"""Fewer clips say nothing about a covariance."""

Features = NDArray[np.float64]


def frechet(one: Features, other: Features) -> float:
    """The distance between clips (N, D) and (M, D); 0 for the same clips."""
    difference = one.mean(0) - other.mean(0)
    first, second = (np.cov(clips, rowvar=False) for clips in (one, other))
    root = _root(first)
    mixed = np.linalg.eigvalsh(root @ second @ root).clip(0)
    return float(max(0.0, difference @ difference + np.trace(first) + np.trace(second) - 2 * np.sqrt(mixed).sum()))


def between(dreamed: Sequence[Features], true: Sequence[Features]) -> float | None:
    """The distance between the clips of all worlds together; None where there are fewer than FEWEST."""
    one, other = np.concatenate(dreamed), np.concatenate(true)
    return frechet(one, other) if min(len(one), len(other)) >= FEWEST else None


def _root(matrix: Features) -> Features:
    """The square root of a symmetric matrix that is positive but for rounding."""
    sizes, axes = np.linalg.eigh(matrix)
    return (axes * np.sqrt(sizes.clip(0))) @ axes.T
