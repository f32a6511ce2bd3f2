"""The dream beside the truth: same first frames, same actions, for as long as the plan says, and the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.bench.heldout import Truth, elsewhere
from genie_lite.bench.metrics import psnr, ssim
from genie_lite.bench.plan import Plan, Tick
from genie_lite.bench.subject import Dream
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.judge import Judge
from genie_lite.model.layers import to_bytes, to_unit
from genie_lite.session.coherence import CoherenceMeter

Film = NDArray[np.uint8]

METRICS = ("psnr", "ssim", "distance")

HORIZONS = {"1s": 24, "3s": 72, "10s": 240, "30s": 720, "60s": 1440}
"""Name -> frames of own rollout."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Likeness to the truth along one world's rollout. seconds: (K,); values: metric -> (K,), PSNR in dB, SSIM, and the
    judge's distance."""

    seconds: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]

    def at(self, frames: int) -> dict[str, float]:
        """The metrics after so many frames; empty where the curve has no such instant."""
        found = np.flatnonzero(np.isclose(self.seconds * STEPS_PER_SECOND, frames))
        return {name: float(values[found[0]]) for name, values in self.values.items()} if len(found) else {}


def compare(judge: Judge, shown: Film, true: Film, frames: NDArray[np.int64]) -> Curve:
    """Pictures against true ones (K, 144, 256, 3); frames: after how many frames of rollout each was drawn."""
    pairs = list(zip(shown, true, strict=True))
    values = {
        "psnr": np.array([psnr(a, b) for a, b in pairs]),
        "ssim": np.array([ssim(a, b) for a, b in pairs]),
        "distance": judge.distance(shown, true),
    }
    return Curve(frames / STEPS_PER_SECOND, values)


@dataclass(frozen=True, slots=True)
class Walk:
    """One rollout: film uint8 (horizon, 144, 256, 3), without its start; strayed: metres from the true pose;
    estimated: for every whole second, what the live coherence meter says, which knows no truth."""

    film: Film
    strayed: NDArray[np.float64]
    estimated: NDArray[np.float64]

    def curve(self, judge: Judge, truth: Truth, plan: Plan) -> Curve:
        """Against the truth, at the plan's instants."""
        frames = instants(len(self.film), plan.every)
        return compare(judge, self.film[frames - 1], truth.frames[plan.history - 1 + frames], frames)


def score_by_second(curve: Curve) -> NDArray[np.float64]:
    """What the meter estimates: 1 less the mean distance of each whole second, at least 0."""
    second = np.ceil(curve.seconds).astype(int) - 1
    whole = range(int(curve.seconds[-1]))
    return np.array([max(0.0, 1 - curve.values["distance"][second == n].mean()) for n in whole])


def walk(dream: Dream, truth: Truth, plan: Plan, horizon: int, tick: Tick) -> Walk:
    """Dreams on from true history under the true actions; where the camera is, the dream works out by itself."""
    last = plan.history - 1
    meter = CoherenceMeter(dream.calibration)
    dream.from_truth(truth, last, plan.history)
    film, strayed = np.empty((horizon, *truth.frames.shape[1:]), np.uint8), np.empty(horizon)
    for step in range(horizon):
        frame = dream.engine.step(truth.actions[last + step])
        film[step] = frame.image
        meter.update(frame, truth.actions[last + step], truth.conditions[last])
        strayed[step] = np.linalg.norm(frame.pose.to_array()[:3] - truth.poses[last + step + 1, :3])
        tick(1)
    return Walk(film, strayed, np.array(meter.curve))


def last_frame_repeated(judge: Judge, truth: Truth, plan: Plan) -> Curve:
    """The baseline of showing the last true frame for ever."""
    frames = instants(plan.horizon, plan.every)
    last = truth.frames[plan.history - 1 : plan.history]
    return compare(judge, last.repeat(len(frames), 0), truth.frames[plan.history - 1 + frames], frames)


def another_place(world: Any, judge: Judge, truth: Truth, plan: Plan) -> Curve:
    """The baseline of the same walk elsewhere: what is right of the truth when all but the place is right."""
    frames = instants(plan.horizon, plan.every)
    shown = elsewhere(world, truth)
    return compare(judge, shown[plan.history - 1 + frames], truth.frames[plan.history - 1 + frames], frames)


def next_frames(dream: Dream, judge: Judge, truth: Truth, plan: Plan, tick: Tick) -> Curve:
    """Teacher-forced: one step on true history, at instants spread over the episode."""
    befores = np.linspace(plan.history - 1, len(truth.frames) - 2, plan.next_frames).astype(int)
    drawn = []
    for frame in befores.tolist():
        dream.from_truth(truth, frame, plan.history)
        drawn.append(dream.engine.step(truth.actions[frame]).image)
        tick(2)
    return compare(judge, np.stack(drawn), truth.frames[befores + 1], befores + 2 - plan.history)


def autoencoder_ceiling(autoencoder: Autoencoder, judge: Judge, truth: Truth, plan: Plan) -> Curve:
    """Truth encoded and decoded again, once a second: no dream of this model can be nearer."""
    frames = instants(plan.horizon, STEPS_PER_SECOND)
    true = truth.frames[plan.history - 1 + frames]
    return compare(judge, decoded(autoencoder, true), true, frames)


def pictures_720p(autoencoder: Autoencoder, truth: Truth) -> dict[str, float]:
    """The 720p head on encoded truth, against true renders of the same instants."""
    pairs = [(decoded(autoencoder, truth.frames[index][None], "720p")[0], p) for index, p in truth.pictures.items()]
    return {
        "picture_psnr_720p": float(np.mean([psnr(drawn, picture) for drawn, picture in pairs])),
        "picture_ssim_720p": float(np.mean([ssim(drawn, picture) for drawn, picture in pairs])),
    }


@torch.inference_mode()
def decoded(autoencoder: Autoencoder, frames: Film, size: str = "144p") -> Film:
    """Frames, uint8 (N, 144, 256, 3), through the autoencoder and its head for a size: uint8 (N, H, W, 3)."""
    drawn = []
    for frame in torch.from_numpy(np.ascontiguousarray(frames)).split(8):
        latent = autoencoder.encode(to_unit(frame.permute(0, 3, 1, 2)))
        drawn.append(to_bytes(autoencoder.decode(latent, size)).permute(0, 2, 3, 1))
    return torch.cat(drawn).numpy()


def instants(horizon: int, every: int) -> NDArray[np.int64]:
    """The judged frames of a rollout, counted from 1: every so many, and at least the last."""
    frames = np.arange(every, horizon + 1, every)
    return frames if len(frames) else np.array([horizon])


def half_life(
    seconds: NDArray[np.float64], distance: NDArray[np.float64], ceiling: float, unrelated: float
) -> float | None:
    """Seconds until the excess distance is half of that of an unrelated held-out frame; None if it stays below.

    distance: mean over the worlds at each instant, smoothed here over a second; ceiling: the autoencoder's own
    distance, which is what excess is counted from.
    """
    every = seconds[1] - seconds[0] if len(seconds) > 1 else 1.0
    width = max(1, min(len(distance), round(1 / every)))
    smooth = np.convolve(np.pad(distance, (width // 2, (width - 1) // 2), "edge"), np.full(width, 1 / width), "valid")
    above = np.flatnonzero(smooth - ceiling >= (unrelated - ceiling) / 2)
    return float(seconds[above[0]]) if len(above) else None


def unrelated_distance(judge: Judge, probes: Sequence[Film]) -> float | None:
    """The mean distance between frames of different worlds at the same instants; None for a single world."""
    if len(probes) < 2:
        return None
    turned = [*probes[1:], probes[0]]
    return float(np.mean([judge.distance(a, b).mean() for a, b in zip(probes, turned, strict=True)]))
