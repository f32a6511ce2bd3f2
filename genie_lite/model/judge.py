"""The judge: a small network that looks at pictures and says how unlike they are, what was pressed between them, and
what country they show.

It is trained on the simulator alone (train/judge.py), knows nothing of the model it judges, and is no part of a
checkpoint's hash. Pictures are float B 3 144 256 in [-1, 1] inside, uint8 (N, 144, 256, 3) outside.

- distance: after LPIPS (Zhang et al. 2018), but in features of our own, at three scales, and of three kinds. Tone is
  LPIPS's unit-normalised features; alone it hardly sees a blur, for colour outweighs all else. Layout compares features
  without their surroundings' mean, place by place; texture only how strong they are around each place (after DISTS,
  Ding et al. 2020), so that it sees blur and pardons a shift. Each of the nine is scaled to 1.0 between unrelated
  held-out frames, and the distance is their mean.
- clip features, for a Frechet distance: what is seen and how it moves, mean and spread over a clip, in the CLIP_DIM
  whitened principal directions of held-out true clips, few enough for a covariance of some hundred clips.
- actions, by inverse dynamics: how the eye moved from one picture to the next (model/egomotion.py, by the depth that is
  read off the first), and which keys do that. Thresholds are fixed on held-out worlds.
- conditions: what biome, hour and weather a picture shows.

Distances are comparable only in one space, so the features of the judge in use stay as they are, and what reads keys
and country (model/readers.py) is trained behind or beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.errors import CheckpointError, OutputError
from genie_lite.files import drafted
from genie_lite.model.egomotion import READ_DIM, egomotion
from genie_lite.model.layers import SeparableBlock, to_unit
from genie_lite.model.motion import jump_steps
from genie_lite.model.readers import KEYS, ConditionsReader, DepthReader, KeyReader

FORMAT = "genie_lite judge 4"
WEIGHTS_FILE, CARD_FILE = "judge.safetensors", "judge.json"

WIDTHS = (24, 40, 80)
"""Channels of the three scales: B 24 72 128, B 40 36 64, B 80 18 32."""

KINDS = ("tone", "layout", "texture")
"""What is compared at each scale."""

AROUND = (9, 5, 3)
"""Cells of each scale that make up a texture's place, about 20 pixels."""

SEEN_DIM = 128
PRESSED = 0.25
"""An axis counts as a pressed key from here on."""

READABLE = 0.5
"""Held-out F1 from which on a key counts as readable."""

CLIP_DIM = 24
CLIP_RAW = 2 * (SEEN_DIM + READ_DIM)
BATCH = 2
"""Pictures at once: more of them would not fit into the processor's cache."""


class JudgeNet(nn.Module):
    """The network, and as buffers what was fixed on held-out worlds."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three = WIDTHS
        self.down1 = nn.Conv2d(3, one, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(one, two, 3, stride=2, padding=1)
        self.block2 = SeparableBlock(two, expansion=1)
        self.down3 = nn.Conv2d(two, three, 3, stride=2, padding=1)
        self.block3 = SeparableBlock(three)
        self.down4 = nn.Conv2d(three, SEEN_DIM, 3, stride=2, padding=1)
        self.depth = DepthReader(three)
        self.conditions = ConditionsReader()
        self.keys = KeyReader(READ_DIM)
        self.usual: Tensor
        self.spread: Tensor
        self.scale: Tensor
        self.thresholds: Tensor
        self.clip_mean: Tensor
        self.clip_axes: Tensor
        self.register_buffer("usual", torch.zeros(sum(WIDTHS)))
        self.register_buffer("spread", torch.ones(sum(WIDTHS)))
        self.register_buffer("scale", torch.ones(len(WIDTHS), len(KINDS)))
        self.register_buffer("thresholds", torch.full((len(KEYS),), 0.5))
        self.register_buffer("clip_mean", torch.zeros(CLIP_RAW))
        self.register_buffer("clip_axes", torch.eye(CLIP_RAW, CLIP_DIM))

    def scales(self, frame: Tensor) -> list[Tensor]:
        """Features at three scales, shapes in WIDTHS."""
        one = F.silu(self.down1(frame))
        two = self.block2(F.silu(self.down2(one)))
        three = self.block3(F.silu(self.down3(two)))
        return [one, two, three]

    def whitened(self, frame: Tensor) -> list[Tensor]:
        """Features at three scales, each channel by its mean and spread in true frames."""
        parts = zip(self.scales(frame), self.usual.split(WIDTHS), self.spread.split(WIDTHS), strict=True)
        return [(x - usual[:, None, None]) / spread[:, None, None] for x, usual, spread in parts]

    def seen(self, three: Tensor) -> Tensor:
        """The coarsest scale -> B 256: mean and greatest of each of SEEN_DIM features over the picture."""
        top = F.silu(self.down4(three))
        return torch.cat([top.mean((2, 3)), top.amax((2, 3))], 1)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the judge sees in T pictures: seen (T, 128), moved (T - 1, 12) as `egomotion` gives it, key_scores
    (T - 1, 10) in the order of KEYS; float32."""

    seen: NDArray[np.float32]
    moved: NDArray[np.float32]
    key_scores: NDArray[np.float32]


@dataclass(slots=True)
class Judge:
    """The trained network behind plain arrays. made: how it was trained, and its held-out numbers."""

    net: JudgeNet
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def readable(self) -> frozenset[str]:
        """The keys that it reads well enough off held-out true frames to say anything about a dream; all of them if
        that was never measured."""
        held_out = self.made.get("held_out", {}).get("keys_f1")
        return frozenset(KEYS if held_out is None else (key for key, f1 in held_out.items() if f1 >= READABLE))

    def distance(self, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Perceptual distance of pictures, uint8 (N, 144, 256, 3) each -> (N,): 0 for equal ones, 1.0 the mean between
        unrelated held-out frames."""
        scale = self.net.scale.double().numpy()
        return (self.raw_distance(one, other) / scale).mean((1, 2))

    @torch.inference_mode()
    def raw_distance(self, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Every part of the distance before it is scaled: (N, 3 scales, 3 kinds)."""
        rows = [torch.zeros(0, len(WIDTHS), len(KINDS))]
        for a, b in zip(_batches(one), _batches(other), strict=True):
            pairs = zip(self.net.whitened(a), self.net.whitened(b), AROUND, strict=True)
            rows.append(torch.stack([_apart(x, y, around) for x, y, around in pairs], 1))
        return torch.cat(rows).double().numpy()

    @torch.inference_mode()
    def usual_features(self, frames: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Mean and spread of every channel of the three scales, one after the other, over frames: (144,) each."""
        means, squares = [], []
        for batch in _batches(frames):
            scales = self.net.scales(batch)
            means.append(torch.cat([x.mean((2, 3)) for x in scales], 1).double())
            squares.append(torch.cat([x.square().mean((2, 3)) for x in scales], 1).double())
        mean, square = torch.cat(means).mean(0), torch.cat(squares).mean(0)
        return mean.float(), (square - mean.square()).clamp_min(1e-6).sqrt().float()

    @torch.inference_mode()
    def observe(self, frames: NDArray[np.uint8]) -> Observed:
        """All but distance and conditions, in one pass over consecutive pictures, uint8 (T, 144, 256, 3)."""
        columns: list[list[Tensor]] = [[], []]
        last: tuple[Tensor, Tensor] | None = None
        for batch in _batches(frames):
            scales = self.net.scales(batch)
            seen = self.net.seen(scales[2])
            views = (batch, self.net.depth(batch, scales[2]))
            before, depth = (
                x if last is None else torch.cat([y, x]) for x, y in zip(views, last or views, strict=True)
            )
            moved = egomotion(before[:-1], before[1:], depth[:-1])
            for column, part in zip(columns, (seen[:, :SEEN_DIM], moved), strict=True):
                column.append(part)
            last = (views[0][-1:], views[1][-1:])
        seen, moved = (torch.cat(column) for column in columns)
        return Observed(seen.numpy(), moved.numpy(), self._key_scores(moved).numpy())

    def _key_scores(self, moved: Tensor) -> Tensor:
        return self.net.keys(moved[None])[0].sigmoid() if len(moved) else torch.zeros(0, len(KEYS))

    def clip_features(self, observed: Observed, length: int, hop: int) -> NDArray[np.float64]:
        """Cuts what was observed into clips of `length` pictures, one every `hop`: (clips, CLIP_DIM)."""
        raw = raw_clips(observed, length, hop)
        return (raw - self.net.clip_mean.double().numpy()) @ self.net.clip_axes.double().numpy()

    def keys(self, observed: Observed) -> NDArray[np.bool_]:
        """Which keys lead from each picture to the next: (T - 1, 10) in the order of KEYS."""
        return observed.key_scores > self.net.thresholds.numpy()

    @torch.inference_mode()
    def read_conditions(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What each picture shows, (T, 18) in the order of CONDITION_NAMES."""
        read = [self.net.conditions.conditions(batch) for batch in _batches(frames)]
        return torch.cat([torch.zeros(0, CONDITIONS_DIM), *read]).numpy()


def pressed_keys(actions: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Consecutive actions (N, 6) -> which of KEYS are pressed (N, 10), and which of them a picture can show: running
    shows only while one walks. A jump counts for as long as it lasts, since no key changes anything before one lands;
    the first action finds the player on the ground."""
    axes = [sign * actions[:, axis] > PRESSED for axis in range(4) for sign in (1, -1)]
    flying = np.array(jump_steps(torch.from_numpy(actions[:, 4] > 0.5)), bool)
    pressed = np.stack([*axes, flying, actions[:, 5] > 0.5], 1)
    shown = np.ones_like(pressed)
    shown[:, KEYS.index("run")] = np.abs(actions[:, :2]).max(1) > PRESSED
    return pressed & shown, shown


def raw_clips(observed: Observed, length: int, hop: int) -> NDArray[np.float64]:
    """Mean and spread over each clip of `length` pictures of what is seen and what moves: (clips, CLIP_RAW)."""
    rows = []
    for first in range(0, len(observed.seen) - length + 1, hop):
        last = first + length
        parts = (observed.seen[first:last], observed.moved[first : last - 1])
        rows.append(np.concatenate([moment for part in parts for moment in (part.mean(0), part.std(0))]))
    return np.array(rows, np.float64).reshape(len(rows), CLIP_RAW)


def save_judge(folder: Path, judge: Judge) -> None:
    """Writes weights (float16; what was fixed on held-out worlds in float32) and how they were made. Raises
    OutputError."""
    fixed = {name for name, _ in judge.net.named_buffers()}
    tensors = {
        name: value.detach().to("cpu", torch.float32 if name in fixed else torch.float16).contiguous()
        for name, value in judge.net.state_dict().items()
    }
    card = {"format": FORMAT, "made": judge.made}
    try:
        with drafted(folder / WEIGHTS_FILE) as weights, drafted(folder / CARD_FILE) as told:
            weights.write_bytes(save(tensors))
            told.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the judge to {folder}: {error.strerror or error}") from error


def load_judge(folder: Path) -> Judge:
    """The judge of a checkpoint's folder. Raises CheckpointError if there is none, or a damaged or foreign one."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"no judge at {folder} ({WEIGHTS_FILE} is missing): train one (genie-lite train judge)")
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise CheckpointError(f"{folder} holds {card['format']!r}, this version reads {FORMAT!r}")
        net = JudgeNet()
        net.load_state_dict({name: value.float() for name, value in load(path.read_bytes()).items()}, strict=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"the judge in {folder} is damaged or of another version ({reason})") from error
    return Judge(net.eval().requires_grad_(False), dict(card["made"]))


def _apart(one: Tensor, other: Tensor, around: int) -> Tensor:
    """Whitened features of two pictures at one scale -> B 3, in the order of KINDS."""
    tone = [x * (x.square().sum(1, keepdim=True) + x.shape[1]).rsqrt() for x in (one, other)]
    layout = [x - _mean_around(x, 9) for x in (one, other)]
    texture = [F.avg_pool2d(x.square(), around, stride=max(1, around // 2), padding=around // 2).sqrt() for x in layout]
    return torch.stack([(tone[0] - tone[1]).square().sum(1).mean((1, 2)), _unlike(*layout), _unlike(*texture)], 1)


def _unlike(one: Tensor, other: Tensor) -> Tensor:
    """Squared difference relative to what is there, softened where there is little: B C H W each -> B."""
    power = one.square().sum(1) + other.square().sum(1)
    soft = power + 0.2 * power.mean((1, 2), keepdim=True) + 1e-3
    return ((one - other).square().sum(1) / soft).mean((1, 2))


def _mean_around(x: Tensor, size: int) -> Tensor:
    """The mean over squares of size x size, fewer at the border: by rows, then by columns, which is faster."""
    half = size // 2
    rows = F.avg_pool2d(x, (1, size), stride=1, padding=(0, half), count_include_pad=False)
    return F.avg_pool2d(rows, (size, 1), stride=1, padding=(half, 0), count_include_pad=False)


def _batches(frames: NDArray[np.uint8]) -> Iterator[Tensor]:
    """Pictures, uint8 (N, 144, 256, 3), as float BATCH 3 144 256 each."""
    for at in range(0, len(frames), BATCH):
        yield to_unit(torch.from_numpy(np.array(frames[at : at + BATCH])).permute(0, 3, 1, 2))
