"""Dreams beside their truth, some of them sabotaged, kept on disk: what the coherence meter is fitted on.

A trial begins with true history of a validation world and dreams on under the true actions. From the middle of some
branch three short dreams, each harmed in one way from its first frame to its last. Instants are judged six steps apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.bench.heldout import Truth, record
from genie_lite.bench.subject import Dream
from genie_lite.camera import Pose
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.engine.dream import DreamEngine
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError
from genie_lite.files import drafted
from genie_lite.session.signals import JUDGED_EVERY

FIRST_SEED = SPLIT_SEEDS["validation"] + 500_000
"""Far from the episodes that training is validated on; never those of the benchmark."""

CHECK_SEED = FIRST_SEED + 400_000
"""Where worlds begin that no meter is fitted to, nor made for."""

LENGTHS = (20, 20, 20, 60)
"""Seconds, in turns."""

FULL, GLANCE = 16, 8
"""The first trials are as long as LENGTHS says, and are harmed; the others last so many seconds, and are left alone: a
meter needs many worlds more than it needs long walks."""

HISTORIES = (97, 7)
"""True frames before a dream, in turns: a walk to remember, or hardly a glance. One more than a multiple of
JUDGED_EVERY, so that engine and meter agree on which frames are judged."""

POLICIES = ("walk", "keys", "walk", "look_around", "keys", "idle", "walk", "there_and_back")

SABOTAGES = ("noise", "actions", "conditions")
HARM_SECONDS = 2
NOISE = (0.25, 1.0)
"""Standard deviation of the noise that each step's latent gets, at least and at most; latents have one of about 1."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """T consecutive frames of a dream, J of which are judged. Pixels are rounded to bytes.

    steps: int (T,), frames since the dream began; actions: float32 (T, 6), what was asked for; poses: float64 (T, 5);
    asked, given: float32 (T, 18), the conditions that were meant, and those that the engine had. For each judged frame
    and the one before it thumbnails: uint8 (J, 2, 4, 72, 128). For each judged frame hints: uint8 (J, 4, 72, 128);
    latents: float16 (J, 16, 18, 32); kept: float32 (J,); seen: float32 (J, 18), the conditions read back from it;
    images, truths: uint8 (J, 144, 256, 3).
    """

    steps: NDArray[np.int64]
    actions: NDArray[np.float32]
    poses: NDArray[np.float64]
    asked: NDArray[np.float32]
    given: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]
    hints: NDArray[np.uint8]
    latents: NDArray[np.float16]
    kept: NDArray[np.float32]
    seen: NDArray[np.float32]
    images: NDArray[np.uint8]
    truths: NDArray[np.uint8]

    def until(self, step: int) -> Stretch:
        """The part before a step."""
        frames = int((self.steps < step).sum())
        judged = int((self.steps[:frames] % JUDGED_EVERY == 0).sum())
        by_frame = ("steps", "actions", "poses", "asked", "given")
        names = [field.name for field in fields(Stretch)]
        return Stretch(**{name: getattr(self, name)[: frames if name in by_frame else judged] for name in names})


@dataclass(frozen=True, slots=True)
class Trial:
    """One dream and what became of it under sabotage: by name, a stretch that replaces the clean one's rest."""

    number: int
    memory: bool
    clean: Stretch
    harmed: dict[str, Stretch]


def roll_out(engine: DreamEngine, world: Any, number: int, first_seed: int = FIRST_SEED) -> Trial:
    """Dreams trial `number` of the worlds from first_seed on. Whether it has memory is the engine's affair."""
    full = number < FULL
    seconds = LENGTHS[(number + number // len(BIOMES)) % len(LENGTHS)] if full else GLANCE
    history = HISTORIES[number // 2 % len(HISTORIES)]
    policy = POLICIES[(number * 3 + number // len(BIOMES)) % len(POLICIES)]
    truth = record(world, number, history + seconds * STEPS_PER_SECOND, (), policy, first_seed)
    chance = np.random.default_rng(truth.seed)
    steps = len(truth.frames) - history
    harm_at = {name: int(chance.uniform(0.3, 0.8) * steps) for name in SABOTAGES if full}
    branches: dict[str, tuple[DreamEngine, Frame]] = {}
    frame = Dream(engine, "").from_truth(truth, history - 1, history)
    notes = _Notes(truth, history, frame)
    for step in range(1, steps + 1):
        branches |= {name: (engine.branch(), frame) for name, at in harm_at.items() if at == step}
        frame = engine.step(truth.actions[history + step - 2])
        notes.add(step, frame)
    harmed = {
        name: _harm(branch, name, _Notes(truth, history, last), harm_at[name], chance)
        for name, (branch, last) in branches.items()
    }
    return Trial(number, engine.info.memory, notes.stretch(), harmed)


def _harm(engine: DreamEngine, name: str, notes: _Notes, begin: int, chance: np.random.Generator) -> Stretch:
    """Some seconds from step `begin` on, harmed in one way."""
    truth, history = notes.truth, notes.history
    strength = float(np.exp(chance.uniform(*np.log(NOISE))))
    if name == "conditions":
        engine.set_conditions(_others(truth.conditions[history - 1], chance))
    end = min(begin + round(HARM_SECONDS * STEPS_PER_SECOND), len(truth.frames) - history + 1)
    for step in range(begin, end):
        action = truth.actions[history + step - 2]
        frame = engine.step(opposite(action) if name == "actions" else action)
        if name == "noise":
            frame = engine.disturb(chance.standard_normal((16, 18, 32), np.float32) * np.float32(strength))
        notes.add(step, frame)
    return notes.stretch()


def opposite(action: Action) -> Action:
    """Back instead of forward, left instead of right; a turn instead of nothing."""
    turned = replace(action, forward=-action.forward, strafe=-action.strafe, turn=-action.turn, look=-action.look)
    moves = max(abs(action.forward), abs(action.strafe), abs(action.turn))
    return turned if moves > 0.1 else replace(turned, turn=1.0)


def _others(conditions: Conditions, chance: np.random.Generator) -> Conditions:
    """The same land under another leading biome, at the other end of the day, in other weather."""
    weights = np.array(conditions.biomes)
    weights = np.roll(weights, int(chance.integers(1, len(weights))))
    return replace(
        conditions.with_biomes(weights), hour=(conditions.hour + 12) % 24, fog=1 - conditions.fog,
        clouds=1 - conditions.clouds,
    )  # fmt: skip


class _Notes:
    """Gathers a stretch frame by frame; `last` is the frame before it."""

    def __init__(self, truth: Truth, history: int, last: Frame) -> None:
        self.truth, self.history = truth, history
        self._rows: dict[str, list[Any]] = {field.name: [] for field in fields(Stretch)}
        self._last = last

    def add(self, step: int, frame: Frame) -> None:
        """Takes in the frame of a step under the action that the truth had."""
        at = self.history + step - 1
        self._note(
            steps=step, actions=self.truth.actions[at - 1].to_array(), poses=frame.pose.to_array(),
            asked=self.truth.conditions[self.history - 1].to_array(), given=frame.conditions.to_array(),
        )  # fmt: skip
        if step % JUDGED_EVERY == 0:
            hint = np.zeros((4, 72, 128), np.float32) if frame.hint is None else frame.hint
            assert frame.latent is not None and frame.seen is not None
            self._note(
                thumbnails=np.stack([_bytes(self._last.thumbnail), _bytes(frame.thumbnail)]), hints=_bytes(hint),
                latents=frame.latent.astype(np.float16), kept=np.float32(frame.kept or 0.0), seen=frame.seen.to_array(),
                images=frame.image, truths=self.truth.frames[at],
            )  # fmt: skip
        self._last = frame

    def _note(self, **values: Any) -> None:
        for name, value in values.items():
            self._rows[name].append(value)

    def stretch(self) -> Stretch:
        """All that was added."""
        return Stretch(**{name: np.stack([np.asarray(v) for v in rows]) for name, rows in self._rows.items()})


def _bytes(thumbnail: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """RGB from [-1, 1] and the fourth channel from [0, 1] to bytes."""
    assert thumbnail is not None
    unit = np.concatenate([thumbnail[:3] * 0.5 + 0.5, thumbnail[3:]])
    return (unit.clip(0, 1) * 255).round().astype(np.uint8)


def thumbnail_of(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The inverse: uint8 (4, 72, 128) -> float32."""
    unit = stored.astype(np.float32) / 255
    return np.concatenate([unit[:3] * 2 - 1, unit[3:]])


def save_trial(trial: Trial, path: Path) -> None:
    """Writes a trial, whole or not at all. Raises OutputError."""
    arrays: dict[str, Any] = {"number": trial.number, "memory": trial.memory}
    for name, stretch in {"clean": trial.clean, **trial.harmed}.items():
        arrays |= {f"{name}.{field.name}": getattr(stretch, field.name) for field in fields(Stretch)}
    try:
        with drafted(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder with --out") from error


def load_trial(path: Path) -> Trial:
    """Reads a trial back. Raises OutputError for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        names = sorted({name.split(".")[0] for name in arrays if "." in name})
        stretches = {n: Stretch(**{f.name: arrays[f"{n}.{f.name}"] for f in fields(Stretch)}) for n in names}
        return Trial(int(arrays["number"]), bool(arrays["memory"]), stretches.pop("clean"), stretches)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise OutputError(f"{path} is no trial ({error}); delete it and run again") from error


def frames_of(stretch: Stretch) -> Iterator[tuple[Frame, Action, Conditions]]:
    """The frames as the meter saw them, each with the action and the conditions that were asked for.

    Frames that are neither judged nor just before one have no pixels.
    """
    blank = np.zeros((72, 128, 3), np.uint8)
    judged = {int(s): row for row, s in enumerate(s for s in stretch.steps if s % JUDGED_EVERY == 0)}
    for t, step in enumerate(stretch.steps.tolist()):
        action = Action.from_array(stretch.actions[t])
        asked, given = (Conditions.from_array(a[t]) for a in (stretch.asked, stretch.given))
        frame = Frame(blank, step, Pose.from_array(stretch.poses[t]), given)
        if step in judged:
            row = judged[step]
            hint = thumbnail_of(stretch.hints[row])
            frame = replace(
                frame, image=stretch.images[row], latent=stretch.latents[row].astype(np.float32),
                thumbnail=thumbnail_of(stretch.thumbnails[row, 1]), hint=hint if hint[3].any() else None,
                kept=float(stretch.kept[row]),
                seen=Conditions.from_array(stretch.seen[row]),
            )  # fmt: skip
        elif step + 1 in judged:
            frame = replace(frame, thumbnail=thumbnail_of(stretch.thumbnails[judged[step + 1], 0]))
        yield frame, action, asked
