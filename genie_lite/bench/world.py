"""All that is measured in one held-out world. Worlds know nothing of each other, so that several run at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.bench.control import Readings, opposite_keys, read_back
from genie_lite.bench.drift import conditions_agree, drift, sharpness_ratio
from genie_lite.bench.frechet import CLIP_LENGTHS, HOP
from genie_lite.bench.heldout import Truth, record
from genie_lite.bench.plan import Plan, Tick
from genie_lite.bench.revisits import idle, mirror_walk, returns, turning
from genie_lite.bench.rollouts import (
    HORIZONS,
    Curve,
    Film,
    Walk,
    another_place,
    autoencoder_ceiling,
    decoded,
    last_frame_repeated,
    next_frames,
    pictures_720p,
    score_by_second,
    walk,
)
from genie_lite.bench.subject import Dream
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.judge import Judge, Observed
from genie_lite.recording.video import VideoWriter

MOMENTS = (0, 1, 3, 10, 30, 60)
"""Seconds that a contact sheet shows."""

SUFFIXES = {"memory": "", "no memory": "_no_memory", "last frame": "_repeated", "elsewhere": "_elsewhere"}
"""Series -> what is added to the names of its numbers."""

PROBES = 6
"""True frames of each world that are compared with those of others."""


@dataclass(frozen=True)
class Instruments:
    """What measures, in one process. dreams: with memory and without; autoencoder: in float32."""

    world: Any
    dreams: tuple[Dream, Dream]
    autoencoder: Autoencoder
    judge: Judge


@dataclass
class Found:
    """What one world gave. numbers by name; curves by series; clips: (set, length) -> features (N, D); keys: outcomes
    of opposite keys; readings: keys read back, by series; idle: distance from the first frame by second, None if not
    measured; metered: (2, seconds), the live meter's scores of the dreams with memory and without, end to end, and the
    true ones; None without a calibrated meter; moments: true and dreamed frames of the sheet, uint8
    (2, K, 144, 256, 3); probes: some true frames."""

    number: int
    name: str
    numbers: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    clips: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)
    keys: dict[str, list[bool]] = field(default_factory=dict)
    readings: dict[str, Readings] = field(default_factory=dict)
    idle: NDArray[np.float64] | None = None
    metered: NDArray[np.float64] | None = None
    moments: Film | None = None
    probes: Film | None = None


def measure_world(number: int, plan: Plan, tools: Instruments, out: Path, tick: Tick) -> Found:
    """The whole plan for held-out world `number`; may leave a video of truth and dream in `out`. Raises OutputError."""
    steps = plan.history + plan.horizon
    pictures = [plan.history + k * plan.horizon // plan.pictures for k in range(plan.pictures)]
    truth = record(tools.world, number, steps, pictures)
    tick(steps // 4)
    found = Found(number, BIOMES[int(np.argmax(truth.start.biomes))])
    found.probes = truth.frames[np.linspace(plan.history, steps - 1, PROBES).astype(int)]
    found.numbers |= pictures_720p(tools.autoencoder, truth)
    _walks(found, truth, plan, tools, out, tick)
    _visits(found, truth, plan, tools, tick)
    return found


def _walks(found: Found, truth: Truth, plan: Plan, tools: Instruments, out: Path, tick: Tick) -> None:
    """Own rollouts with memory and without, their baselines, and all that one film tells."""
    judge, (on, off) = tools.judge, tools.dreams
    after = truth.frames[plan.history :]
    walked = walk(on, truth, plan, plan.horizon, tick)
    forgetful = walk(off, truth, plan, min(plan.horizon, plan.horizon_no_memory), tick)
    found.curves["memory"] = walked.curve(judge, truth, plan)
    found.curves["no memory"] = forgetful.curve(judge, truth, plan)
    if on.calibration is not None:
        true = [score_by_second(found.curves[series]) for series in ("memory", "no memory")]
        estimated = [part.estimated[: len(known)] for part, known in zip((walked, forgetful), true, strict=True)]
        found.metered = np.stack([np.concatenate(estimated), np.concatenate(true)])
    found.curves["last frame"] = last_frame_repeated(judge, truth, plan)
    found.curves["elsewhere"] = another_place(tools.world, judge, truth, plan)
    tick(len(truth.frames) // 4)
    found.curves["autoencoder"] = autoencoder_ceiling(tools.autoencoder, judge, truth, plan)
    for dream in tools.dreams:
        forced = next_frames(dream, judge, truth, plan, tick)
        found.curves[f"next frame{dream.suffix}"] = forced
        found.numbers |= {f"next_frame_{name}{dream.suffix}": float(v.mean()) for name, v in forced.values.items()}
    found.numbers |= {f"autoencoder_{n}": float(v.mean()) for n, v in found.curves["autoencoder"].values.items()}
    _at_horizons(found, {on.suffix: walked, off.suffix: forgetful})
    seen = {"memory": judge.observe(walked.film), "truth": judge.observe(after)}
    seen["no memory"] = judge.observe(forgetful.film)
    for series in ("memory", "truth", "no memory"):
        count = len(seen[series].seen)
        actions = truth.actions[plan.history : plan.history + count - 1]
        found.readings[series] = read_back(judge, seen[series], actions)
    _compare_ends(found, truth, plan, {"": walked.film, "_truth": after}, judge)
    _cut_clips(found, truth, plan, tools, seen, len(forgetful.film))
    found.moments = _moments(truth, walked.film, plan)
    if found.number < plan.films:
        save_film(after, walked.film, out / f"truth_and_dream_{found.number}_{found.name}.mp4")


def _at_horizons(found: Found, walks: dict[str, Walk]) -> None:
    """Every curve's values at the named horizons that it reaches, and how far the dreamed path has strayed."""
    for series, suffix in SUFFIXES.items():
        for name, frames in HORIZONS.items():
            values = found.curves[series].at(frames)
            found.numbers |= {f"{metric}_{name}{suffix}": value for metric, value in values.items()}
    for suffix, walked in walks.items():
        for name, frames in HORIZONS.items():
            if frames <= len(walked.strayed):
                found.numbers[f"strayed_m_{name}{suffix}"] = float(walked.strayed[frames - 1])


def _compare_ends(found: Found, truth: Truth, plan: Plan, films: dict[str, Film], judge: Judge) -> None:
    """Drift over the whole rollout, and what is left of sharpness and conditions after a minute."""
    asked = truth.conditions[plan.history - 1]
    second = min(STEPS_PER_SECOND, plan.minute // 2)
    for suffix, film in films.items():
        found.numbers |= {f"drift_{name}{suffix}": value for name, value in drift(film, judge).items()}
        if plan.horizon >= plan.minute:
            found.numbers[f"sharpness_ratio_60s{suffix}"] = sharpness_ratio(film[: plan.minute])
            last = judge.read_conditions(film[plan.minute - second : plan.minute])
            found.numbers |= _agreement(last, asked, f"60s{suffix}")
    begun = judge.read_conditions(truth.frames[plan.history - second : plan.history])
    found.numbers |= _agreement(begun, asked, "truth")


def _agreement(read: NDArray[np.float32], asked: Conditions, suffix: str) -> dict[str, float]:
    """conditions_accuracy: both right; and which of the two."""
    agreed = conditions_agree(read, asked)
    numbers = {"conditions_accuracy": agreed.both, "country_accuracy": agreed.country, "light_accuracy": agreed.light}
    return {f"{name}_{suffix}": share for name, share in numbers.items()}


def _cut_clips(
    found: Found, truth: Truth, plan: Plan, tools: Instruments, seen: dict[str, Observed], short: int
) -> None:
    """Clips of the whole walk, and of its first part, as long as that without memory, for all baselines."""
    judge, true = tools.judge, truth.frames[plan.history : plan.history + short]
    start = {name: _first(seen[name], short) for name in ("memory", "truth", "no memory")}
    start["autoencoder"] = judge.observe(decoded(tools.autoencoder, true))
    start["last frame"] = judge.observe(truth.frames[plan.history - 1 : plan.history].repeat(short, 0))
    sets = {name: seen[name] for name in ("memory", "truth")} | {f"{name}, start": o for name, o in start.items()}
    for name, observed in sets.items():
        for length in CLIP_LENGTHS:
            found.clips[name, length] = judge.clip_features(observed, length, HOP)


def _first(observed: Observed, frames: int) -> Observed:
    return Observed(observed.seen[:frames], observed.moved[: frames - 1], observed.key_scores[: frames - 1])


def _visits(found: Found, truth: Truth, plan: Plan, tools: Instruments, tick: Tick) -> None:
    """Revisits, keys, and a minute of nothing, with memory."""
    judge, on, number = tools.judge, tools.dreams[0], found.number
    found.numbers |= returns(on, judge, truth, number, plan, tick)
    found.numbers |= turning(on, tools.world, truth, tick)
    found.numbers |= mirror_walk(on, tools.world, judge, truth, plan, tick)
    if number < plan.keys_worlds:
        found.keys = opposite_keys(on, tools.world, truth, plan, tick)
    if number < plan.idle_worlds:
        still, found.idle = idle(on, judge, truth, plan, tick)
        found.numbers |= still


def _moments(truth: Truth, film: Film, plan: Plan) -> Film:
    """The contact sheet's frames: after 0 s the last true one stands in both rows."""
    frames = [second * STEPS_PER_SECOND for second in MOMENTS if second * STEPS_PER_SECOND <= len(film)]
    start = truth.frames[plan.history - 1]
    true = [truth.frames[plan.history - 1 + frame] for frame in frames]
    return np.stack([np.stack(true), np.stack([film[frame - 1] if frame else start for frame in frames])])


def save_film(true: Film, dreamed: Film, path: Path) -> None:
    """Truth on the left and dream on the right, twice enlarged. Raises OutputError."""
    with VideoWriter(path) as video:
        for pair in zip(true, dreamed, strict=True):
            video.write(np.concatenate(pair, 1).repeat(2, 0).repeat(2, 1))
