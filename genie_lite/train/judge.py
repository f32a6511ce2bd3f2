"""The judge's training: depth, conditions, actions and damage at once, on pairs of consecutive frames of the simulator;
and what is fixed afterwards on the validation split: the distance's scale, the keys' thresholds, the clips' axes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.data.episodes import Episode, read_episode
from genie_lite.errors import DataError
from genie_lite.model.judge import (
    CLIP_DIM,
    KEYS,
    Judge,
    JudgeNet,
    Observed,
    pressed_keys,
    raw_clips,
)
from genie_lite.model.layers import to_unit
from genie_lite.train.clips import episode_paths
from genie_lite.train.sheets import save_sheet

LONG = 100
DAMAGED = 0.4
"""Share of the pairs that are blurred, given noise and tinted, so that the judge can read dreams too."""

MOST_NOISE = 0.15
CLIP_LENGTH = 16
MIRROR = torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
"""What an action becomes when its pictures are mirrored."""


@dataclass(slots=True)
class Pairs:
    """N pairs of consecutive frames: frames uint8 N 2 144 256 3, depth float16 N 2 72 128 (log-depth), conditions
    N 2 18, actions N 6 float32."""

    frames: Tensor
    depth: Tensor
    conditions: Tensor
    actions: Tensor


@dataclass(slots=True)
class Batch:
    """Pairs for the network, all first frames, then all second ones: frames float 2B 3 144 256 in [-1, 1], depth
    2B 1 72 128, conditions 2B 18; actions B 6."""

    frames: Tensor
    depth: Tensor
    conditions: Tensor
    actions: Tensor


def load_pairs(folder: Path, split: str, most: int) -> Pairs:
    """About `most` pairs (250 KB each), half of them from each kind of episode: at random places, as many in each short
    one (under LONG frames) as in every other short one, and likewise in the long ones."""
    random = np.random.default_rng(0)
    paths = episode_paths(folder, split)
    lengths = np.array([len(read_episode(path)) for path in paths])
    kinds = [lengths < LONG, lengths >= LONG]
    share = most / sum(kind.any() for kind in kinds)
    columns: list[list[NDArray[Any]]] = [[], [], [], []]
    for kind in kinds:
        for index in np.flatnonzero(kind):
            count = min(max(1, round(share / kind.sum())), int(lengths[index]) - 1)
            at = np.sort(random.choice(lengths[index] - 1, count, replace=False))
            episode, both = read_episode(paths[index]), at[:, None] + np.arange(2)
            parts = (episode.frames[both], episode.depth[both], episode.conditions[both], episode.actions[at])
            for column, part in zip(columns, parts, strict=True):
                column.append(np.array(part))
    return Pairs(*(torch.from_numpy(np.concatenate(column)) for column in columns))


class JudgePart:
    """One loss over the whole network."""

    name = "judge"

    def __init__(self, module: JudgeNet, pairs: Pairs, batch: int, seed: int) -> None:
        self.module, self.pairs, self.batch = module, pairs, batch
        self.random = torch.Generator().manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """All tasks on one batch of pairs, mirrored and damaged at random."""
        device = next(self.module.parameters()).device
        batch = mirrored(self.draw(), self.random)
        frames, damage = damaged(batch.frames, self.random)
        frames, damage = frames.to(device, memory_format=torch.channels_last), damage.to(device)
        scales = self.module.scales(frames)
        seen, count = self.module.seen(scales[2]), len(batch.actions)
        moved = self.module.moved(scales[1][:count], scales[1][count:])
        depth = F.l1_loss(self.module.log_depth(scales[2]).float(), batch.depth.to(device))
        conditions = _conditions_loss(self.module.conditions(seen).float(), batch.conditions.to(device))
        action = _action_loss(self.module.action(moved).float(), batch.actions.to(device))
        spoilt = F.smooth_l1_loss(self.module.damaged(scales, seen).float(), damage, beta=0.2)
        loss = 4 * depth + conditions + 2 * action + spoilt
        parts = {"depth": depth, "conditions": conditions, "action": action, "damage": spoilt}
        return loss, {name: value.detach() for name, value in parts.items()}

    def draw(self) -> Batch:
        """Pairs at random."""
        pick = torch.randint(len(self.pairs.actions), (self.batch,), generator=self.random)
        frames, depth, conditions = (
            x[pick].transpose(0, 1).flatten(0, 1) for x in (self.pairs.frames, self.pairs.depth, self.pairs.conditions)
        )
        return Batch(to_unit(frames.permute(0, 3, 1, 2)), depth.float()[:, None], conditions, self.pairs.actions[pick])

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Frames, their depth as the judge sees it, and the true one."""
        assert isinstance(module, JudgeNet)
        batch, device = self.draw(), next(module.parameters()).device
        with torch.no_grad():
            seen = module.log_depth(module.scales(batch.frames[:8].to(device))[2]).cpu()
        depths = [(2 * depth - 1).expand(-1, 3, -1, -1) for depth in (seen, batch.depth[:8])]
        save_sheet([F.avg_pool2d(batch.frames[:8], 2), *depths], path)


def mirrored(pairs: Batch, random: torch.Generator) -> Batch:
    """Half of the pairs with left and right exchanged."""
    flip = torch.rand(len(pairs.actions), generator=random) < 0.5
    both = flip.repeat(2)[:, None, None, None]
    return Batch(
        torch.where(both, pairs.frames.flip(3), pairs.frames),
        torch.where(both, pairs.depth.flip(3), pairs.depth),
        pairs.conditions,
        torch.where(flip[:, None], pairs.actions * MIRROR, pairs.actions),
    )


def damaged(frames: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blurs, tints and adds noise, coarse and fine, to DAMAGED of the pairs: frames 2N 3 H W -> the same shape, and how
    much blur and noise there is, 2N 2 in [0, 1]. Both frames of a pair are blurred and tinted alike."""
    pairs = frames.unflatten(0, (2, -1))
    hit = torch.nonzero(torch.rand(pairs.shape[1], generator=random) < DAMAGED).squeeze(1)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random)

    damage = torch.zeros(2, pairs.shape[1], 2)
    if len(hit) == 0:
        return frames, damage.flatten(0, 1)
    blur, noise = uniform(len(hit)), uniform(len(hit)) * (uniform(len(hit)) < 0.6)
    radius = int(torch.randint(1, 4, (), generator=random))  # one for all of them, to be cheap
    clean = pairs[:, hit]
    soft = F.avg_pool2d(clean.flatten(0, 1), 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
    coarse = F.interpolate(uniform(2 * len(hit), 3, 18, 32), scale_factor=8, mode="bilinear")
    grain = coarse + uniform(*soft.shape) - 1
    tint, shift = (0.1 * (uniform(len(hit), 3, 1, 1) - 0.5) for _ in range(2))
    spoilt = torch.lerp(clean, soft.view_as(clean), blur[:, None, None, None]) * (1 + tint) + shift
    spoilt = spoilt + grain.view_as(clean) * (2 * MOST_NOISE * noise[:, None, None, None])
    pairs = pairs.clone()
    pairs[:, hit] = spoilt.clamp(-1, 1)
    damage[:, hit] = torch.stack([blur * radius / 3, noise], 1)
    return pairs.flatten(0, 1), damage.flatten(0, 1)


def _conditions_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """raw: what the head gives before softmax and sigmoid; truth: B 18."""
    biome = F.cross_entropy(raw[:, :8], truth[:, :8])
    hour = F.mse_loss(raw[:, 8:10], truth[:, 8:10])
    return 0.5 * biome + 2 * hour + 2 * F.mse_loss(raw[:, 10:].sigmoid(), truth[:, 10:])


def _action_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """raw: four axes and the logits of jump and run; truth: B 6. Running counts only while one walks."""
    axes = F.smooth_l1_loss(raw[:, :4], truth[:, :4], beta=0.2)
    jump = F.binary_cross_entropy_with_logits(raw[:, 4], truth[:, 4])
    walking = (truth[:, :2].abs().amax(1) > 0.25).float()
    run = F.binary_cross_entropy_with_logits(raw[:, 5], truth[:, 5], walking)
    return axes + 0.2 * (jump + run)


def held_out_paths(folder: Path) -> list[Path]:
    """The validation episodes that `calibrate` needs. Raises DataError for fewer than two."""
    paths = episode_paths(folder, "validation")
    if len(paths) < 2:
        raise DataError(f"the judge compares validation episodes, and {folder} holds one: collect more of them")
    return paths


def calibrate(judge: Judge, folder: Path) -> dict[str, Any]:
    """Fixes scale, thresholds and clip axes on the validation split, and returns the judge's numbers there."""
    truths = [read_episode(path) for path in held_out_paths(folder)]
    observed = [judge.observe(np.asarray(episode.frames)) for episode in truths]
    _fix_distance(judge, truths)
    keys = _fix_thresholds(judge.net, truths, observed)
    _fix_clip_axes(judge.net, observed)
    return {"keys_f1": keys, **_read_well(truths, observed)}


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


def _fix_thresholds(net: JudgeNet, truths: list[Episode], observed: list[Observed]) -> dict[str, float]:
    """Gives each key the threshold with the best F1, and returns those."""
    scores = np.concatenate([o.key_scores for o in observed])
    pressed, shown = (
        np.concatenate(parts) for parts in zip(*(pressed_keys(e.actions[:-1]) for e in truths), strict=True)
    )
    found = {}
    for key, name in enumerate(KEYS):
        score, truth = scores[shown[:, key], key], pressed[shown[:, key], key]
        f1 = {float(t): _f1(score > t, truth) for t in np.linspace(0.05, 0.95, 37)}
        best = max(f1, key=lambda t: f1[t])
        net.thresholds[key], found[name] = best, round(f1[best], 3)
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


def _read_well(truths: list[Episode], observed: list[Observed]) -> dict[str, float]:
    """How well conditions are read: the share of frames whose strongest biome is found, and the error of the hour."""
    read = np.concatenate([o.conditions for o in observed])
    true = np.concatenate([e.conditions for e in truths])
    hours = [np.arctan2(c[:, 8], c[:, 9]) * 12 / np.pi for c in (read, true)]
    error = np.abs((hours[0] - hours[1] + 12) % 24 - 12)
    return {
        "biome_accuracy": round(float((read[:, :8].argmax(1) == true[:, :8].argmax(1)).mean()), 3),
        "hour_error": round(float(error.mean()), 2),
        "strengths_error": round(float(np.abs(read[:, 10:] - true[:, 10:]).mean()), 3),
    }
