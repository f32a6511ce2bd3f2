"""How well the dream holds together, judged while playing from nothing but the frames. numpy only, about 1 ms a frame.

Four signals, each in [0, 1], where 1 is as good as the first seconds were:

- agreement: thumbnail against memory's hint where the hint is known (revisit error as RGB distance);
- latent: how far the latent's per-channel mean and spread are from the normal distribution the model was trained on
  (Kullback-Leibler divergence), beyond what this world began with;
- sharpness: mean luma gradient against the first seconds; both blur and noise lower the signal;
- brightness: mean luma against the first seconds.

The score is their weighted geometric mean, so that one signal breaking down is enough to see it; a signal a frame
cannot give is left out and the other weights are rescaled.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.engine.protocol import Frame

WEIGHTS = {"agreement": 0.4, "latent": 0.25, "sharpness": 0.25, "brightness": 0.1}
REFERENCE_FRAMES = STEPS_PER_SECOND * 2
"""The first two seconds say what this world looks like."""

SMALLEST = 0.02
"""A signal counts at least this much, so that the geometric mean stays finite and a recovery can show."""

TOLERANCE = {"agreement": 0.03, "latent": 0.3, "sharpness": math.log(2.5), "brightness": 0.15}
"""What a walk through an unharmed world changes by itself: colour distance, nats, log ratio, luma."""

SCALE = {"agreement": 0.1, "latent": 0.8, "sharpness": 0.8, "brightness": 0.25}
"""A deviation of this much beyond the tolerance lowers a signal to 1/e."""

LEAST_KNOWN = 0.05
"""A hint that covers less of the picture says nothing about agreement."""

EVENT = 0.05
"""Conditions that changed by more are an event: the world may look different, so the reference is taken anew."""


class CoherenceMeter:
    """Fed one frame at a time; knows the score now, its curve by second, and how long the world held."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything, as at the start of an episode."""
        self._reference: dict[str, list[float]] = {}
        self._conditions: NDArray[np.float32] | None = None
        self._recent: deque[float] = deque(maxlen=STEPS_PER_SECOND)
        self._second: list[float] = []
        self._signals: dict[str, float] = {}
        self.curve: list[float] = []
        """Mean score of every full second of world time."""

    @property
    def score(self) -> float:
        """The mean score over the last second, in [0, 1]; 1 before the first frame."""
        return sum(self._recent) / len(self._recent) if self._recent else 1.0

    @property
    def signals(self) -> dict[str, float]:
        """The signals of the last frame by name, each in [0, 1]; only those that it could give."""
        return dict(self._signals)

    def update(self, frame: Frame) -> float:
        """Takes in the next frame and returns the score over the last second."""
        self._notice_event(frame)
        measured = _measure(frame)
        self._signals = {name: self._judge(name, value) for name, value in measured.items()}
        total = sum(WEIGHTS[name] for name in self._signals)
        logs = sum(WEIGHTS[name] * math.log(max(SMALLEST, value)) for name, value in self._signals.items())
        score = math.exp(logs / total)
        self._recent.append(score)
        self._second.append(score)
        if len(self._second) == STEPS_PER_SECOND:
            self.curve.append(sum(self._second) / STEPS_PER_SECOND)
            self._second = []
        return self.score

    @property
    def half_life(self) -> float | None:
        """Seconds in which the score halves, by a line through the logarithm of the curve; None when it does not fall.

        A fall of less than a twentieth over the whole curve, or a curve of under three seconds, counts as none.
        """
        if len(self.curve) < 3:
            return None
        seconds = np.arange(len(self.curve)) + 0.5
        slope = float(np.polyfit(seconds, np.log(np.maximum(self.curve, SMALLEST)), 1)[0])
        return math.log(2) / -slope if slope * len(self.curve) < math.log(0.95) else None

    def summary(self) -> dict[str, Any]:
        """What a report tells: plain numbers and lists."""
        rounded = [round(value, 4) for value in self.curve]
        half_life = self.half_life
        return {
            "score": round(self.score, 4),
            "mean": round(sum(self.curve) / len(self.curve), 4) if self.curve else None,
            "lowest": min(rounded, default=None),
            "half_life_s": None if half_life is None else round(half_life, 1),
            "curve": rounded,
            "signals": {name: round(value, 4) for name, value in self._signals.items()},
            "weights": WEIGHTS,
        }

    def _notice_event(self, frame: Frame) -> None:
        conditions = frame.conditions.to_array()
        if self._conditions is None or np.abs(conditions - self._conditions).max() > EVENT:
            self._conditions = conditions
            self._reference.clear()

    def _judge(self, name: str, value: float) -> float:
        """1 within the tolerance around the reference, then an exponential fall."""
        reference = self._reference.setdefault(name, [])
        if len(reference) < REFERENCE_FRAMES:
            reference.append(value)
        usual = sum(reference) / len(reference)
        one_sided = name in ("agreement", "latent")
        deviation = value - usual if one_sided else abs(value - usual)
        return math.exp(-max(0.0, deviation - TOLERANCE[name]) / SCALE[name])


def _measure(frame: Frame) -> dict[str, float]:
    """The raw quantities behind the signals, as far as the frame has them."""
    luma = _luma(frame)
    gradient = float(np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean())
    measured = {"sharpness": math.log(gradient + 1e-3), "brightness": float(luma.mean())}
    if frame.latent is not None:
        channels = frame.latent.reshape(frame.latent.shape[0], -1)
        mean, variance = channels.mean(1), channels.var(1) + 1e-6
        measured["latent"] = float(0.5 * (variance + mean * mean - 1 - np.log(variance)).mean())
    if frame.thumbnail is not None and frame.hint is not None:
        drawn, expected, known = frame.thumbnail[:3, ::2, ::2], frame.hint[:3, ::2, ::2], frame.hint[3, ::2, ::2] > 0.5
        if known.mean() >= LEAST_KNOWN:
            # Both are in [-1, 1], hence the 2; a quarter of the pixels says as much as all of them.
            measured["agreement"] = float((np.abs(drawn - expected) * known).sum() / known.sum()) / 3 / 2
    return measured


def _luma(frame: Frame) -> NDArray[np.float32]:
    """Luma in [0, 1] at about 128x72: of the thumbnail, or of every n-th pixel of the image."""
    if frame.thumbnail is not None:
        red, green, blue = frame.thumbnail[:3] * 0.5 + 0.5
    else:
        rows, columns = (max(1, n // m) for n, m in zip(frame.image.shape, (THUMB_HEIGHT, THUMB_WIDTH), strict=False))
        red, green, blue = frame.image[::rows, ::columns].transpose(2, 0, 1).astype(np.float32) / 255
    return 0.299 * red + 0.587 * green + 0.114 * blue
