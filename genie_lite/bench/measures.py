"""What coherence is made of: each function measures one part of it on held-out truth and returns samples by name.

A sample is one number for one episode, so that a report can give mean and spread. "_no_memory" marks memory off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.bench.heldout import Truth, branch
from genie_lite.bench.metrics import flow, psnr, sharpness, ssim
from genie_lite.conditions import Conditions
from genie_lite.data.policies import FULL_TURN
from genie_lite.engine.dream import DreamEngine
from genie_lite.engine.protocol import Frame
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.layers import to_unit
from genie_lite.session.autopilot import Autopilot

Samples = dict[str, list[float]]
Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""Shows progress while a sequence is worked through: (sequence, what is done)."""

HORIZONS = {"psnr_1s": 24, "psnr_3s": 72, "psnr_10s": 240}
"""Name -> frames of own rollout."""

KEYS = {
    "turn": (Action(turn=1.0), Action(turn=-1.0)),
    "look": (Action(look=1.0), Action(look=-1.0)),
    "strafe": (Action(strafe=1.0), Action(strafe=-1.0)),
    "forward": (Action(forward=1.0), IDLE),
}
"""Pairs of keys that must not look alike."""

FLOW_OF = {"turn": (0, -1.0), "look": (1, 1.0)}
"""Keys told apart by optical flow: its axis (0 right, 1 down) and sign under the first key of the pair."""

ALIKE = 40.0
"""dB above which two truths are too much alike to tell the keys apart, as before a wall."""

MINUTE = ("idle_psnr_60s", "sharpness_ratio_60s", "conditions_accuracy_60s", "conditions_accuracy_truth")
"""What `minutes` measures; the last is the accuracy of the reader itself, on true frames."""

TWILIGHT = 1.0
"""Hours around 6 and 18 that count as both day and night."""


@dataclass(frozen=True)
class Plan:
    """How much is measured, in episodes and in frames of 1/24 s."""

    episodes: int = 16
    history: int = 96
    horizon: int = 240
    next_frames: int = 24
    pictures: int = 2
    key_steps: int = 12
    minute: int = 60 * STEPS_PER_SECOND
    minute_worlds: int = 8
    minute_worlds_no_memory: int = 2
    revisit_worlds: int = 4
    revisit_worlds_no_memory: int = 2
    trips: tuple[int, ...] = (5, 15, 30)


@dataclass(frozen=True)
class Dream:
    """One setting of the engine under test. suffix: what its samples' names end in."""

    engine: DreamEngine
    suffix: str

    def from_truth(self, truth: Truth, frame: int, history: int) -> Frame:
        """The engine after the true frames up to and including `frame`, `history` of them at most."""
        first = max(0, frame + 1 - history)
        past = slice(first, frame + 1)
        return self.engine.follow(truth.frames[past], truth.poses[past], truth.conditions[frame], truth.seed)


def autoencoder_quality(autoencoder: Autoencoder, truths: Sequence[Truth], track: Track) -> Samples:
    """Truth encoded and decoded again: at 144p, and the 720p head against true renders of the same instants."""
    samples: Samples = {"autoencoder_psnr": [], "picture_psnr_720p": [], "picture_ssim_720p": []}
    for truth in track(truths, "autoencoder"):
        for index, picture in truth.pictures.items():
            small, large = decoded(autoencoder, truth.frames[index])
            samples["autoencoder_psnr"].append(psnr(small, truth.frames[index]))
            samples["picture_psnr_720p"].append(psnr(large, picture))
            samples["picture_ssim_720p"].append(ssim(large, picture))
    return samples


@torch.inference_mode()
def decoded(autoencoder: Autoencoder, frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A frame, uint8 (144, 256, 3), through the autoencoder: at 256x144 and at 1280x720."""
    latent = autoencoder.encode(to_unit(torch.from_numpy(frame).permute(2, 0, 1)[None]))
    small, large = (
        ((autoencoder.decode(latent, size)[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        for size in ("144p", "720p")
    )
    return small.numpy(), large.numpy()


def next_frames(dream: Dream, truths: Sequence[Truth], plan: Plan, track: Track) -> Samples:
    """One step on true history, at instants spread over each episode."""
    name = f"next_frame_psnr{dream.suffix}"
    samples: Samples = {name: []}
    for truth in track(truths, f"next frame{dream.suffix}"):
        values = []
        for frame in np.linspace(plan.history - 1, len(truth.frames) - 2, plan.next_frames).astype(int).tolist():
            dream.from_truth(truth, frame, plan.history)
            values.append(psnr(dream.engine.step(truth.actions[frame]).image, truth.frames[frame + 1]))
        samples[name].append(float(np.mean(values)))
    return samples


@dataclass(frozen=True)
class Rollouts:
    """Dreams beside their truths, from the last frame of true history on.

    curves: PSNR in dB, (episodes, horizon); repeated: the same for the last true frame shown again and again; strayed:
    metres between dreamed and true pose; films: some dreams, uint8 (horizon, 144, 256, 3).
    """

    curves: NDArray[np.float64]
    repeated: NDArray[np.float64]
    strayed: NDArray[np.float64]
    films: list[NDArray[np.uint8]]

    def samples(self, suffix: str) -> Samples:
        """PSNR and straying at the horizons that were reached."""
        reached = {name: at - 1 for name, at in HORIZONS.items() if at <= self.curves.shape[1]}
        samples = {f"{name}{suffix}": self.curves[:, at].tolist() for name, at in reached.items()}
        samples |= {f"{name}_repeated": self.repeated[:, at].tolist() for name, at in reached.items()}
        return samples | {
            f"strayed_m_{name.removeprefix('psnr_')}{suffix}": self.strayed[:, at].tolist()
            for name, at in reached.items()
        }


def rollouts(dream: Dream, truths: Sequence[Truth], plan: Plan, films: int, track: Track) -> Rollouts:
    """Dreams on from true history under the true actions; where the camera is, the dream works out by itself."""
    curves, repeated, strayed = (np.empty((len(truths), plan.horizon)) for _ in range(3))
    kept = []
    for row, truth in enumerate(track(truths, f"rollout{dream.suffix}")):
        last = plan.history - 1
        dream.from_truth(truth, last, plan.history)
        film = np.empty((plan.horizon, *truth.frames.shape[1:]), np.uint8)
        for step in range(plan.horizon):
            true = truth.frames[last + step + 1]
            frame = dream.engine.step(truth.actions[last + step])
            film[step] = frame.image
            curves[row, step], repeated[row, step] = psnr(frame.image, true), psnr(truth.frames[last], true)
            away = frame.pose.to_array()[:3] - truth.poses[last + step + 1, :3]
            strayed[row, step] = np.linalg.norm(away)
        if row < films:
            kept.append(film)
    return Rollouts(curves, repeated, strayed, kept)


def opposite_keys(dream: Dream, world: Any, truths: Sequence[Truth], plan: Plan, track: Track) -> dict[str, list[bool]]:
    """Whether each key did what it says, by key: from one start, both keys of a pair, held for half a second.

    Turning and looking are judged by optical flow in the drawn frames alone; walking by which of the two true views
    the last drawn frame is nearer to (starts from which the two look alike are left out).
    """
    right: dict[str, list[bool]] = {name: [] for name in KEYS}
    start = plan.history // 4
    for truth in track(truths, f"opposite keys{dream.suffix}"):
        for name, pair in KEYS.items():
            films = [_film(dream, truth, start, [key] * plan.key_steps) for key in pair]
            if name in FLOW_OF:
                axis, sign = FLOW_OF[name]
                right[name] += [flow(films[0])[axis] * sign > 0, flow(films[1])[axis] * sign < 0]
                continue
            true = [branch(world, truth, start, [key] * plan.key_steps)[-1] for key in pair]
            if psnr(*true) < ALIKE:
                right[name] += [psnr(films[k][-1], true[k]) > psnr(films[k][-1], true[1 - k]) for k in range(len(pair))]
    return right


def _film(dream: Dream, truth: Truth, start: int, actions: Sequence[Action]) -> NDArray[np.uint8]:
    """The drawn frames: the start as the decoder shows it, and one for each action."""
    first = dream.from_truth(truth, start, start + 1)
    return np.stack([first.image, *(dream.engine.step(action).image for action in actions)])


def revisits(dream: Dream, truths: Sequence[Truth], plan: Plan, track: Track) -> Samples:
    """Does a place look the same when one comes back? The last frame of a full turn, and of trips there and back of
    plan.trips seconds each, against the dream's own first frame."""
    journeys = {"full_turn_psnr": [Action(turn=1.0)] * FULL_TURN}
    journeys |= {f"there_and_back_psnr_{seconds}s": _there_and_back(seconds) for seconds in plan.trips}
    samples: Samples = {f"{name}{dream.suffix}": [] for name in journeys}
    for truth in track(truths, f"revisits{dream.suffix}"):
        for name, actions in journeys.items():
            film = _film(dream, truth, plan.history - 1, actions)
            samples[f"{name}{dream.suffix}"].append(psnr(film[-1], film[0]))
    return samples


def _there_and_back(seconds: int) -> list[Action]:
    """Straight on, half a turn, back, and half a turn: so many seconds in all, at least four of them spent turning."""
    turn = [Action(turn=1.0)] * (FULL_TURN // 2)
    walk = [Action(forward=1.0)] * max(0, seconds * STEPS_PER_SECOND // 2 - len(turn))
    return [*walk, *turn, *walk, *turn]


def minutes(dream: Dream, autoencoder: Autoencoder, truths: Sequence[Truth], plan: Plan, track: Track) -> Samples:
    """A minute of standing idle and a minute of walking on autopilot: does the picture hold?

    Idle: the last second against the first. Walking: edges in the last nine seconds relative to the first nine, and
    whether the conditions asked for can still be read off the last second.
    """
    samples: Samples = {f"{name}{dream.suffix}": [] for name in MINUTE}
    idle, ratio, accuracy, ceiling = samples.values()
    second, span = min(STEPS_PER_SECOND, plan.minute // 2), max(1, plan.minute * 9 // 60)
    for truth in track(truths, f"60 s{dream.suffix}"):
        asked = truth.conditions[plan.history - 1]
        still = [frame.image for frame in _idle(dream, truth, plan)]
        idle.append(float(np.mean([psnr(a, b) for a, b in zip(still[:second], still[-second:], strict=True)])))
        walked = [frame.image for frame in _walk(dream, truth, plan)]
        begun = sum(sharpness(image) for image in walked[:span])
        ratio.append(sum(sharpness(image) for image in walked[-span:]) / max(begun, 1e-6))
        accuracy.append(conditions_agree(autoencoder, walked[-second:], asked))
        ceiling.append(conditions_agree(autoencoder, truth.frames[plan.history - second : plan.history], asked))
    return samples


def _idle(dream: Dream, truth: Truth, plan: Plan) -> Iterator[Frame]:
    dream.from_truth(truth, plan.history - 1, plan.history)
    for _ in range(plan.minute):
        yield dream.engine.step(IDLE)


def _walk(dream: Dream, truth: Truth, plan: Plan) -> Iterator[Frame]:
    frame = dream.from_truth(truth, plan.history - 1, plan.history)
    pilot = Autopilot(truth.seed)
    for _ in range(plan.minute):
        frame = dream.engine.step(pilot.action(frame))
        yield frame


@torch.inference_mode()
def conditions_agree(
    autoencoder: Autoencoder, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], asked: Conditions
) -> float:
    """The share of pictures in which the model's conditions head sees the asked biome, and day or night as asked."""
    latents = autoencoder.encode(to_unit(torch.from_numpy(np.stack(list(images))).permute(0, 3, 1, 2)))
    seen = [Conditions.from_array(row) for row in autoencoder.conditions(latents).numpy()]
    return float(np.mean([_biome(c) == _biome(asked) and _same_half_of_the_day(c.hour, asked.hour) for c in seen]))


def _biome(conditions: Conditions) -> int:
    return int(np.argmax(conditions.biomes))


def _same_half_of_the_day(seen: float, asked: float) -> bool:
    """Day is 6 to 18 h."""
    in_twilight = min(abs(asked - 6), abs(asked - 18)) <= TWILIGHT
    return in_twilight or (6 <= seen < 18) == (6 <= asked < 18)
