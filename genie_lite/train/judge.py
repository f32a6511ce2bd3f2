"""The judge's training, on the simulator alone: its features first, unless those of another judge are kept; then what
reads depth, conditions and keys behind and beside them.

Conditions are read off the pictures, and most of the time goes there. Keys are read off how the eye moved, which is
worked out once for each pair of frames, so that their reader, small as it is, sees all of them hundreds of times.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import BIOME_COLUMNS, BIOMES, CONDITIONS_DIM, HOUR_COLUMNS, STRENGTH_COLUMNS, STRENGTHS
from genie_lite.data.episodes import list_episodes, read_episode
from genie_lite.files import drafted
from genie_lite.model.egomotion import MIRRORED, egomotion
from genie_lite.model.judge import SEEN_DIM, WIDTHS, Judge, JudgeNet, load_judge, pressed_keys, save_judge
from genie_lite.model.layers import to_unit
from genie_lite.model.readers import HOURS, KEYS, KeyReader
from genie_lite.train.judge_check import calibrate, held_out_paths
from genie_lite.train.judge_views import LONG, Views, damaged, load_views, under_skies
from genie_lite.train.loop import Ranks, Schedule, fit
from genie_lite.train.sheets import save_sheet

SHARES = {"features": 0.25, "depth": 0.25, "conditions": 0.36, "moves": 0.12, "keys": 0.02}
"""How the budget is divided; where features are kept, the others take their share."""

FRAMES = 9_800
VIEWS_A_PLACE = 28
"""Frames of episodes for each place that is drawn under other skies."""

STRENGTHS_WEIGHT = 16.0
"""How much the mean over the strengths weighs beside biomes and hour: two for each of them."""

STRETCH, STRETCHES = 24, 6
"""Frames over which keys are learnt, and how often in a long episode."""

SHARPNESS = 30.0
"""How sharply the true hour is told apart from those beside it: about 40 minutes."""


def train_judge(
    data: Path, out: Path, seconds: float, ranks: Ranks, seed: int = 0, batch: int = 0, learning_rate: float = 0.0,
    most_frames: int = 0, keep: Path | None = None,
) -> Judge:  # fmt: skip
    """Trains a judge and leaves it in `out`. keep: a folder with a judge whose features and distance the new one shall
    have, and whose readers go on. Raises DataError, OutputError, CheckpointError, RenderError."""
    held_out_paths(data)  # before minutes are spent
    kept, cache, most = load_judge(keep) if keep else None, out / "training", most_frames or FRAMES
    net, rate, seed = JudgeNet(), learning_rate or 1e-3, seed * 1000 + ranks.rank
    views = load_views(data, "train", most).to(ranks.device)
    shares = {name: share for name, share in SHARES.items() if kept is None or name != "features"}
    budget = {name: seconds * share / sum(shares.values()) for name, share in shares.items()}
    made: dict[str, Any] = {"went_on_from": kept.made} if kept else {}

    def train(name: str, part: Any) -> None:
        schedule = Schedule(budget[name], learning_rate=rate, ema=0.995)
        part.module.requires_grad_(True)
        made[name] = fit(part, schedule, cache, ranks, lambda _ema, _made: None)
        part.module.requires_grad_(False).eval()

    if kept:
        net.load_state_dict(kept.net.state_dict())
    else:
        train("features", FeaturesPart(net, views, batch or 16, seed))
    net.requires_grad_(False).eval().to(ranks.device)
    train("depth", DepthPart(net, views, batch or 16, seed))
    many = under_skies(views, data, max(1, most // VIEWS_A_PLACE), cache)
    train("conditions", ConditionsPart(net, many, 2 * (batch or 16), seed))
    del views, many
    steps = load_steps(data, net, budget["moves"], cache, seed)
    train("keys", KeysPart(net, steps, 4 * (batch or 16), seed))
    judge = Judge(net.cpu().eval().requires_grad_(False), {**made, "pairs_of_frames": steps.moved.shape[:2].numel()})
    if ranks.rank == 0:
        judge.made["held_out"] = calibrate(judge, data, fix_distance=kept is None)
        save_judge(out, judge)
    return judge


class FeaturesPart:
    """The features, by what depth, conditions and damage show in them; the heads that read it are thrown away."""

    name = "judge_features"

    def __init__(self, net: JudgeNet, views: Views, batch: int, seed: int) -> None:
        self.module, self.views, self.batch = _FeatureHeads(net), views, batch
        self.random = torch.Generator(views.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """All tasks on one batch, damaged at random."""
        device = next(self.module.parameters()).device
        clean, depth, conditions = self.views.draw(self.batch, self.random)
        frames, damage = (x.to(device) for x in damaged(clean, self.random, 1))
        parts = dict(zip(("depth", "conditions", "damage"), self.module(frames), strict=True))
        parts["depth"] = F.l1_loss(parts["depth"].float(), depth.to(device))
        parts["conditions"] = conditions_loss(parts["conditions"].float(), conditions.to(device))
        parts["damage"] = F.smooth_l1_loss(parts["damage"].float(), damage, beta=0.2)
        return 4 * parts["depth"] + parts["conditions"] + parts["damage"], {n: x.detach() for n, x in parts.items()}

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Frames, their depth as the features show it, and the true one."""
        frames, depth, _ = self.views.draw(8, self.random)
        with torch.no_grad():
            seen = module(frames.to(next(module.parameters()).device))[0].cpu()
        _depth_sheet(frames, seen, depth, path)


class _FeatureHeads(nn.Module):
    """A judge's features with simple heads of their own."""

    def __init__(self, net: JudgeNet) -> None:
        super().__init__()
        self.net = net
        self.depth = nn.Conv2d(WIDTHS[2], 16, 1)
        outputs = len(BIOMES) + HOURS + len(STRENGTHS)
        self.conditions = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(2 * SEEN_DIM, 96), nn.SiLU(), nn.Dropout(0.3), nn.Linear(96, outputs)
        )
        self.damage = nn.Linear(2 * SEEN_DIM + sum(WIDTHS), 2)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B 3 144 256 -> log-depth B 1 72 128, logits as ConditionsReader gives them, and B 2: blur and noise."""
        scales = self.net.scales(frames)
        seen = self.net.seen(scales[2])
        means = torch.cat([seen, *(x.mean((2, 3)) for x in scales)], 1)
        return F.pixel_shuffle(self.depth(scales[2]), 4), self.conditions(seen), self.damage(means)


class DepthPart:
    """The reader of depth, behind the features."""

    name = "judge_depth"

    def __init__(self, net: JudgeNet, views: Views, batch: int, seed: int) -> None:
        self.net, self.module, self.views, self.batch = net, net.depth, views, batch
        self.random = torch.Generator(views.frames.device).manual_seed(seed + 1)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean difference of log-depth."""
        clean, depth, _ = self.views.draw(self.batch, self.random)
        frames, _ = damaged(clean, self.random, 1)
        off = F.l1_loss(self._read(self.module, frames).float(), depth.to(next(self.module.parameters()).device))
        return off, {"depth": off.detach()}

    def _read(self, module: nn.Module, frames: Tensor) -> Tensor:
        with torch.no_grad():
            frames = frames.to(next(module.parameters()).device)
            three = self.net.scales(frames)[2]
        depth: Tensor = module(frames, three)
        return depth

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Frames, their depth as the judge sees it, and the true one."""
        frames, depth, _ = self.views.draw(8, self.random)
        with torch.no_grad():
            _depth_sheet(frames, self._read(module, frames).cpu(), depth, path)


class ConditionsPart:
    """The reader of conditions, from pictures, some of them damaged."""

    name = "judge_conditions"

    def __init__(self, net: JudgeNet, views: Views, batch: int, seed: int) -> None:
        self.module, self.views, self.batch = net.conditions, views, batch
        self.random = torch.Generator(views.frames.device).manual_seed(seed + 2)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropies of biomes, hour and strengths."""
        device = next(self.module.parameters()).device
        clean, _, truth = self.views.draw(self.batch, self.random)
        frames = damaged(clean, self.random, 1)[0].to(device)
        loss = conditions_loss(self.module(frames).float(), truth.to(device))
        return loss, {"conditions": loss.detach()}

    def sheet(self, module: nn.Module, path: Path) -> None:
        """There is nothing to look at but numbers."""


def conditions_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """raw: logits as ConditionsReader gives them, B 40; truth: B 18. The hour is a distribution around the true one."""
    assert truth.shape[1] == CONDITIONS_DIM
    biomes, hours, strengths = raw.split((len(BIOMES), HOURS, len(STRENGTHS)), 1)
    angles = (torch.arange(HOURS, device=raw.device) + 0.5) * (2 * torch.pi / HOURS)
    sin, cos = truth[:, HOUR_COLUMNS].split(1, 1)
    near = sin * angles.sin() + cos * angles.cos()
    hour = F.cross_entropy(hours, (SHARPNESS * near).softmax(1))
    fallen = F.binary_cross_entropy_with_logits(strengths, truth[:, STRENGTH_COLUMNS].clamp(0, 1))
    return F.cross_entropy(biomes, truth[:, BIOME_COLUMNS]) + hour + STRENGTHS_WEIGHT * fallen


@dataclass(slots=True)
class Steps:
    """What moved and what was pressed in N stretches of STRETCH - 1 steps: moved N T 12 as `egomotion` gives it,
    pressed and shown N T 10 (see `pressed_keys`)."""

    moved: Tensor
    pressed: Tensor
    shown: Tensor


def load_steps(folder: Path, net: JudgeNet, seconds: float, cache: Path, seed: int) -> Steps:
    """Works out motions in one stretch of each short episode and STRETCHES of each long one, all in random order, for
    so many seconds, unless the cache folder has them."""
    path, device = cache / f"judge_steps-{seed}.safetensors", next(net.parameters()).device
    if path.is_file():
        return Steps(**load_file(path, device=str(device)))
    random, begin = np.random.default_rng(seed), time.monotonic()
    paths = list_episodes(folder, "train")
    paths = [path for path in paths for _ in range(STRETCHES if len(read_episode(path)) >= LONG else 1)]
    noise, rows = torch.Generator(device).manual_seed(seed + 3), []
    for index in random.permutation(len(paths)):
        episode = read_episode(paths[index])
        if len(episode) >= STRETCH:
            at = int(random.integers(len(episode) - STRETCH + 1))
            pressed, shown = (torch.from_numpy(x[at : at + STRETCH - 1]) for x in pressed_keys(episode.actions))
            seen = torch.from_numpy(np.array(episode.frames[at : at + STRETCH])).to(device)
            frames = to_unit(seen.permute(0, 3, 1, 2))
            rows.append((motions(net, damaged(frames, noise, STRETCH)[0]), pressed, shown))
        if rows and time.monotonic() - begin > seconds:
            break
    columns = (torch.stack(column) for column in zip(*rows, strict=True))
    with drafted(path) as draft:
        save_file(dict(zip(Steps.__slots__, columns, strict=True)), draft)
    return Steps(**load_file(path, device=str(device)))


@torch.no_grad()
def motions(net: JudgeNet, frames: Tensor) -> Tensor:
    """Consecutive frames T 3 144 256 in [-1, 1] -> T - 1 12: how the eye moved between them."""
    device = next(net.parameters()).device
    rows, pairs = [torch.zeros(0, len(MIRRORED))], 2 if device.type == "cpu" else 64
    for at in range(0, len(frames) - 1, pairs):
        some = frames[at : at + pairs + 1].to(device)
        rows.append(egomotion(some[:-1], some[1:], net.depth(some[:-1], net.scales(some[:-1])[2])).cpu())
    return torch.cat(rows)


class KeysPart:
    """The reader of keys, from what moved."""

    name = "judge_keys"

    def __init__(self, net: JudgeNet, steps: Steps, batch: int, seed: int) -> None:
        self.module, self.steps, self.batch = net.keys, steps, batch
        self.random = torch.Generator(steps.moved.device).manual_seed(seed + 4)
        self.mirrored = torch.tensor(MIRRORED, device=steps.moved.device)
        flat = steps.moved.flatten(0, 1)
        self.module.usual.copy_(flat.mean(0) * (self.mirrored > 0))
        self.module.spread.copy_(flat.std(0) + 1e-3)
        pairs = {"right": "left", "left": "right", "turn_right": "turn_left", "turn_left": "turn_right"}
        swapped = [KEYS.index(pairs.get(key, key)) for key in KEYS]
        self.swapped = torch.tensor(swapped, device=steps.moved.device)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy over the keys that a picture can show, half of the stretches mirrored."""
        device = next(self.module.parameters()).device
        at = self.random.device
        pick = torch.randint(len(self.steps.moved), (self.batch,), generator=self.random, device=at)
        moved, pressed, shown = self.steps.moved[pick], self.steps.pressed[pick], self.steps.shown[pick]
        flip = (torch.rand(self.batch, generator=self.random, device=at) < 0.5)[:, None, None]
        moved = torch.where(flip, moved * self.mirrored, moved)
        pressed = torch.where(flip, pressed[..., self.swapped], pressed)
        scores = self.module(moved.to(device))
        loss = F.binary_cross_entropy_with_logits(scores, pressed.float().to(device), shown.float().to(device))
        return loss, {"keys": loss.detach()}

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Keys are nothing to look at."""
        assert isinstance(module, KeyReader)


def _depth_sheet(frames: Tensor, seen: Tensor, true: Tensor, path: Path) -> None:
    depths = [(2 * depth - 1).expand(-1, 3, -1, -1) for depth in (seen, true)]
    save_sheet([F.avg_pool2d(frames, 2), *depths], path)
