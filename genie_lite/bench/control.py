"""Do the keys do what they say? Two tests: opposite keys, and keys read back from the drawn frames alone."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.bench.heldout import Truth, branch
from genie_lite.bench.metrics import flow, psnr
from genie_lite.bench.plan import Plan, Tick
from genie_lite.bench.subject import Dream
from genie_lite.model.judge import KEYS, Judge, Observed, pressed_keys

PAIRS = {
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


def opposite_keys(dream: Dream, world: Any, truth: Truth, plan: Plan, tick: Tick) -> dict[str, list[bool]]:
    """Whether each key did what it says, by key: from one start, both keys of a pair, held for half a second.

    No model judges here. Turning and looking show in the optical flow of the drawn frames; walking in which of the two
    true views the last drawn frame is nearer to (starts from which the two look alike are left out).
    """
    right: dict[str, list[bool]] = {name: [] for name in PAIRS}
    start = plan.history // 4
    for name, pair in PAIRS.items():
        films = [dream.film(truth, start, start + 1, [key] * plan.key_steps, tick) for key in pair]
        if name in FLOW_OF:
            axis, sign = FLOW_OF[name]
            right[name] += [flow(films[0])[axis] * sign > 0, flow(films[1])[axis] * sign < 0]
            continue
        true = [branch(world, truth, start, [key] * plan.key_steps)[-1] for key in pair]
        if psnr(*true) < ALIKE:
            right[name] += [psnr(films[k][-1], true[k]) > psnr(films[k][-1], true[1 - k]) for k in range(len(pair))]
    return right


@dataclass(frozen=True, slots=True)
class Readings:
    """Keys read back, counted by key in the order of KEYS: int64 (10,) each. hits: pressed and read; misses: pressed
    alone; false_alarms: read alone."""

    hits: NDArray[np.int64]
    misses: NDArray[np.int64]
    false_alarms: NDArray[np.int64]

    def __add__(self, other: Readings) -> Readings:
        return Readings(self.hits + other.hits, self.misses + other.misses, self.false_alarms + other.false_alarms)

    def scores(self) -> dict[str, dict[str, float]]:
        """Precision, recall, f1 and the count of presses for each key that was pressed at all."""
        found = {}
        for key, (hit, missed, false) in enumerate(zip(self.hits, self.misses, self.false_alarms, strict=True)):
            if hit + missed:
                found[KEYS[key]] = {
                    "precision": float(hit / max(1, hit + false)),
                    "recall": float(hit / (hit + missed)),
                    "f1": float(2 * hit / (2 * hit + missed + false)),
                    "pressed": int(hit + missed),
                }
        return found

    def f1(self, readable: Container[str]) -> float | None:
        """The mean F1 over the keys that can be read and were pressed for a second at least; None if none was."""
        pressed = self.scores().items()
        scores = [score["f1"] for key, score in pressed if key in readable and score["pressed"] >= STEPS_PER_SECOND]
        return float(np.mean(scores)) if scores else None


def read_back(judge: Judge, observed: Observed, actions: Sequence[Action]) -> Readings:
    """What inverse dynamics reads from consecutive pictures, against the actions between them (one fewer)."""
    pressed, shown = pressed_keys(np.stack([action.to_array() for action in actions]))
    read = judge.keys(observed) & shown
    counts = ((read & pressed).sum(0), (~read & pressed).sum(0), (read & ~pressed).sum(0))
    return Readings(*(count.astype(np.int64) for count in counts))


def accuracy(right: Mapping[str, Sequence[bool]]) -> tuple[float | None, dict[str, float | None]]:
    """The share of keys that did what they say: over all tries, and by key (None where nothing could be told)."""
    tried = [outcome for outcomes in right.values() for outcome in outcomes]
    by_key = {name: float(np.mean(outcomes)) if outcomes else None for name, outcomes in right.items()}
    return (float(np.mean(tried)) if tried else None), by_key
