"""What turns signals into a score: a fit that is stored beside the weights it was made for, as meter.json.

The fit estimates, from the dream alone, how far its picture is from the simulator's in the judge's measure (see
bench/meter.py). Weights without a fit get a score by hand, which says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genie_lite.engine.protocol import ENGINE
from genie_lite.errors import CheckpointError, OutputError
from genie_lite.files import drafted

METER = "meter.json"
FORMAT = "genie_lite meter 2"
LARGEST = 1 << 20
"""Bytes; no stored fit is larger."""

BOUND = 4.0
"""Standard deviations beyond which a signal counts no further: what was never met must not decide alone."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A weighted sum of standardised signals; one that is missing counts as its mean. Arrays run along `signals`."""

    signals: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __call__(self, signals: Mapping[str, float]) -> float:
        """The sum for signals by name."""
        total = self.bias
        for name, mean, scale, weight in zip(self.signals, self.mean, self.scale, self.weights, strict=True):
            value = (signals.get(name, mean) - mean) / scale
            total += weight * min(BOUND, max(-BOUND, value))
        return total


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted meter. checkpoint: the hash of the weights it is for; engine: the ENGINE that dreamed from them. score:
    its sum goes through the rising curve from `levels` to `scores`. alarms: by kind of disturbance, a sum above 0 says
    that it has just begun. quality: what the fit reached on worlds that it was not fitted on."""

    checkpoint: str
    engine: int
    score: Linear
    levels: tuple[float, ...]
    scores: tuple[float, ...]
    alarms: Mapping[str, Linear]
    quality: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, signals: Mapping[str, float]) -> float:
        """The score in [0, 1]."""
        return float(np.interp(self.score(signals), self.levels, self.scores))

    def disturbed(self, signals: Mapping[str, float]) -> str | None:
        """The kind of the disturbance that is surest to have just begun, None if there is none."""
        kind = max(self.alarms, key=lambda name: self.alarms[name](signals), default=None)
        return kind if kind is not None and self.alarms[kind](signals) > 0 else None


def read_calibration(folder: Path, checkpoint: str | None) -> Calibration | None:
    """The fit beside the weights in `folder`, None if there is none.

    checkpoint: the hash of the weights that play. Raises CheckpointError for a file that is damaged, or was made for
    other weights, or for what another engine dreams from these.
    """
    path = folder / METER
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        found = _calibration(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path} is no fitted meter ({reason}); make one: genie-lite bench meter") from error
    if found.checkpoint != checkpoint:
        raise CheckpointError(
            f"{path} was fitted for other weights ({found.checkpoint}, and these are {checkpoint}); "
            "fit it anew: genie-lite bench meter"
        )
    if found.engine != ENGINE:
        raise CheckpointError(
            f"{path} was fitted to other dreams (engine {found.engine}, and this is engine {ENGINE}); "
            "fit it anew: genie-lite bench meter"
        )
    return found


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Writes a fit, whole or not at all. Raises OutputError."""
    try:
        with drafted(path) as draft:
            draft.write_text(json.dumps({"format": FORMAT} | asdict(calibration), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder") from error


def _calibration(data: bytes) -> Calibration:
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 10} KiB")
    values = json.loads(data.decode("utf-8"))
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    names = {"checkpoint", "engine", "score", "levels", "scores", "alarms", "quality"}
    if set(values) != names:
        raise ValueError(f"entries {sorted(set(values) ^ names)} are unknown or missing")
    if not isinstance(values["checkpoint"], str):
        raise ValueError("checkpoint is no text")
    if type(values["engine"]) is not int:
        raise ValueError("engine is no whole number")
    if not isinstance(values["quality"], dict) or not isinstance(values["alarms"], dict):
        raise ValueError("quality or alarms are no objects")
    levels, scores = _numbers(values["levels"]), _numbers(values["scores"])
    if not 2 <= len(levels) == len(scores) or any(np.diff(levels) <= 0) or any(np.diff(scores) < 0):
        raise ValueError("levels and scores are no rising curve")
    if not 0 <= scores[0] <= scores[-1] <= 1:
        raise ValueError("scores are outside 0 to 1")
    alarms = {name: _linear(alarm) for name, alarm in values["alarms"].items()}
    score = _linear(values["score"])
    return Calibration(values["checkpoint"], values["engine"], score, levels, scores, alarms, values["quality"])


def _linear(values: Any) -> Linear:
    if not isinstance(values, dict) or set(values) != {"signals", "mean", "scale", "weights", "bias"}:
        raise ValueError("a weighted sum lacks entries")
    signals = values["signals"]
    if not isinstance(signals, list) or not all(isinstance(name, str) for name in signals):
        raise ValueError("signals are no names")
    mean, scale, weights = (_numbers(values[name]) for name in ("mean", "scale", "weights"))
    if not len(signals) == len(mean) == len(scale) == len(weights):
        raise ValueError("a weighted sum has lists of different lengths")
    if min(scale, default=1.0) <= 0:
        raise ValueError("a scale is not above 0")
    return Linear(tuple(signals), mean, scale, weights, *_numbers([values["bias"]]))


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise ValueError("a list of numbers is missing")
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= 1e9:
            raise ValueError(f"{str(value)[:40]!r} is no number, or too large")
    return tuple(float(value) for value in values)


TOLERANCE = {"detail": math.log(2.0), "latent_change": 0.3, "agreement_change": 0.7, "brightness_change": 0.15}
"""By hand: what a walk through an unharmed world changes by itself, in the signals' own units."""

SCALE = {"detail": 0.5, "latent_change": 0.6, "agreement_change": 0.8, "brightness_change": 0.2}
"""By hand: a deviation of this much beyond the tolerance lowers the score to 1/e."""


def by_hand(signals: Mapping[str, float]) -> float:
    """A score for weights that no meter was fitted for, in [0, 1]: how far the picture has gone from the first seconds.

    It falls with blur, noise, darkness, a drifting latent and disagreement with memory, and is calibrated to nothing.
    """
    detail = [signals[name] for name in ("fine_change", "middle_change", "coarse_change") if name in signals]
    far = {name: signals[name] for name in TOLERANCE if name in signals} | {"detail": max(detail, key=abs, default=0.0)}
    one_sided = ("latent_change", "agreement_change")
    beyond = (
        max(0.0, (value if name in one_sided else abs(value)) - TOLERANCE[name]) / SCALE[name]
        for name, value in far.items()
    )
    return math.exp(-sum(beyond))
