"""What is fixed on the validation split once the judge is trained (the distance's scale, the keys' thresholds, the
clips' axes), and how well it reads there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genie_lite.conditions import BIOME_COLUMNS, HOUR_COLUMNS, LIGHTS, STRENGTH_COLUMNS, STRENGTHS, light_of
from genie_lite.data.episodes import Episode, list_episodes, read_episode
from genie_lite.errors import DataError
from genie_lite.model.judge import CLIP_DIM, KEYS, Judge, JudgeNet, Observed, pressed_keys, raw_clips

CLIP_LENGTH = 16


def held_out_paths(folder: Path) -> list[Path]:
    """The validation episodes that `calibrate` needs. Raises DataError for fewer than two."""
    paths = list_episodes(folder, "validation")
    if len(paths) < 2:
        raise DataError(f"the judge compares validation episodes, and {folder} holds one: collect more of them")
    return paths


def calibrate(judge: Judge, folder: Path, fix_distance: bool) -> dict[str, Any]:
    """Fixes thresholds and clip axes, and, if asked to, the distance's scale on the validation split, and returns the
    judge's numbers there."""
    truths = [read_episode(path) for path in held_out_paths(folder)]
    observed = [judge.observe(np.asarray(episode.frames)) for episode in truths]
    if fix_distance:
        _fix_distance(judge, truths)
    keys = _fix_thresholds(judge.net, truths, observed)
    _fix_clip_axes(judge.net, observed)
    read = [judge.read_conditions(np.asarray(episode.frames)) for episode in truths]
    return {**keys, **read_well(truths, read)}


def _fix_distance(judge: Judge, truths: list[Episode]) -> None:
    """Whitens the features, and scales every part of the distance by its mean between frames of other episodes, some
    400 pairs, each equally far into both."""
    shares = np.linspace(0, 1, max(1, 400 // len(truths)))

    def some(episodes: list[Episode]) -> NDArray[np.uint8]:
        return np.stack([e.frames[int(s * (len(e) - 1))] for e in episodes for s in shares])

    frames = some(truths)
    usual, spread = judge.usual_features(frames)
    judge.net.usual.copy_(usual)
    judge.net.spread.copy_(spread)
    unrelated = judge.raw_distance(frames, some(truths[1:] + truths[:1])).mean(0)
    judge.net.scale.copy_(torch.from_numpy(unrelated.clip(1e-3)))


def _fix_thresholds(net: JudgeNet, truths: list[Episode], observed: list[Observed]) -> dict[str, dict[str, float]]:
    """Gives each key the threshold with the best F1, and returns those with precision and recall, by key."""
    scores = np.concatenate([o.key_scores for o in observed])
    pressed, shown = (
        np.concatenate([part[:-1] for part in parts])
        for parts in zip(*(pressed_keys(e.actions) for e in truths), strict=True)
    )
    found: dict[str, dict[str, float]] = {"keys_f1": {}, "keys_precision": {}, "keys_recall": {}}
    for key, name in enumerate(KEYS):
        score, truth = scores[shown[:, key], key], pressed[shown[:, key], key]
        f1 = {float(t): _f1(score > t, truth) for t in np.linspace(0.05, 0.95, 37)}
        best = max(f1, key=lambda t: f1[t])
        net.thresholds[key], found["keys_f1"][name] = best, round(f1[best], 3)
        hits, read = float(((score > best) & truth).sum()), score > best
        found["keys_precision"][name] = round(hits / max(1, int(read.sum())), 3)
        found["keys_recall"][name] = round(hits / max(1, int(truth.sum())), 3)
    return found


def _f1(read: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (read & truth).sum() / max(1, read.sum() + truth.sum()))


def _fix_clip_axes(net: JudgeNet, observed: list[Observed]) -> None:
    """The whitened principal directions of true clips; each raw feature counts by its own spread."""
    raw = np.concatenate([raw_clips(o, CLIP_LENGTH, CLIP_LENGTH) for o in observed])
    mean, spread = raw.mean(0), raw.std(0) + 1e-3
    _, sizes, axes = np.linalg.svd((raw - mean) / spread, full_matrices=False)
    axes, sizes = axes[:CLIP_DIM], sizes[:CLIP_DIM] / np.sqrt(max(1, len(raw) - 1))
    net.clip_mean.copy_(torch.from_numpy(mean))
    net.clip_axes[:, : len(axes)] = torch.from_numpy(
        (axes / np.maximum(sizes, 1e-6)[:, None]).T / spread[:, None]
    ).float()


def read_well(truths: list[Episode], readings: list[NDArray[np.float32]]) -> dict[str, Any]:
    """How well conditions are read off each frame: the share whose strongest biome is found, the hour's mean error,
    the share of frames in which night, twilight and day are told apart, and the mean error of each strength."""
    read = np.concatenate(readings)
    true = np.concatenate([e.conditions for e in truths])
    hours = [np.arctan2(*c[:, HOUR_COLUMNS].T) * 12 / np.pi % 24 for c in (read, true)]
    error = np.abs((hours[0] - hours[1] + 12) % 24 - 12)
    biomes = [c[:, BIOME_COLUMNS].argmax(1) for c in (read, true)]
    lights = [np.array([light_of(hour) for hour in part]) for part in hours]
    strengths = np.abs(read[:, STRENGTH_COLUMNS] - true[:, STRENGTH_COLUMNS]).mean(0)
    return {
        "biome_accuracy": round(float((biomes[0] == biomes[1]).mean()), 3),
        "hour_error": round(float(error.mean()), 2),
        "light_accuracy": round(float((lights[0] == lights[1]).mean()), 3),
        "light_accuracy_of": {
            light: round(float((lights[0] == lights[1])[lights[1] == light].mean()), 3)
            for light in LIGHTS
            if (lights[1] == light).any()
        },
        "strengths_error": round(float(strengths.mean()), 3),
        "strength_errors": {name: round(float(off), 3) for name, off in zip(STRENGTHS, strengths, strict=True)},
    }
