"""How the landscape is drawn: the same everywhere and always, however little of it is made and drawn for a frame."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("moderngl", reason="needs the training packages")

from genie_lite.actions import Action
from genie_lite.conditions import Conditions, biome
from genie_lite.worlds import make_world
from genie_lite.worlds.landscape import renderer
from genie_lite.worlds.landscape.buffers import Pool
from genie_lite.worlds.landscape.frustum import Frustum

IDLE = Action().to_array()


TURNS = [Action(forward=1, turn=0.8, run=True)] * 20 + [Action(forward=1, turn=-0.3, look=0.5)] * 10 + [Action()] * 3


def snowy() -> Conditions:
    """Several biomes, and something of everything that moves or is drawn apart."""
    return replace(
        Conditions(meadow=0.4, snow=0.6), hour=20.5, snowfall=0.5, clouds=0.7, fog=0.0, settlement=0.7, water=0.5
    )


def walked(other: Any, conditions: Conditions, actions: list[Action], seed: int = 11) -> tuple[np.ndarray, np.ndarray]:
    frames, depths = zip(
        *((frame, info["depth"]) for frame, info in walk(other, conditions, actions, seed)), strict=True
    )
    return np.stack(frames), np.stack(depths)


def walk(other: Any, conditions: Conditions, actions: list[Action], seed: int) -> Iterator[tuple[np.ndarray, Any]]:
    yield other.reset(seed=seed, options={"conditions": conditions})
    for action in actions:
        frame, _, _, _, info = other.step(action.to_array())
        yield frame, info


def digest(other: Any) -> str:
    """Of all frames and depths of a walk."""
    return hashlib.sha256(b"".join(part.tobytes() for part in walked(other, snowy(), TURNS))).hexdigest()


def test_a_fresh_process_draws_the_same_frames(world: Any) -> None:
    script = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_landscape_drawing import digest\nfrom genie_lite.worlds import make_world\n"
        "print(digest(make_world('landscape')))"
    )
    arguments = [sys.executable, "-c", script, str(Path(__file__).parent)]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    world.reset(seed=4)  # what was drawn before must not matter
    assert told.strip() == digest(world)


def test_what_is_left_out_could_not_be_seen(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = biome("meadow", clouds=0.9, water=0.6, settlement=0.8, ruggedness=0.8)
    frames, depths = walked(world, conditions, TURNS)
    for name in ("sees_boxes", "sees_balls"):
        monkeypatch.setattr(Frustum, name, lambda self, middle, size: np.ones(len(middle), bool))
    all_drawn = walked(world, conditions, TURNS)
    assert np.array_equal(frames, all_drawn[0]) and np.array_equal(depths, all_drawn[1])


def test_tiles_that_are_made_again_look_the_same(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = biome("desert", vegetation=0.0, ruggedness=0.3, water=0.0, settlement=0.0)
    run = [Action(forward=1, run=True)] * 150
    frames, _ = walked(world, bare, run, seed=3)
    cleared, clear = [], Pool.clear
    monkeypatch.setattr(renderer, "_POOL_BYTES", 200_000)
    monkeypatch.setattr(Pool, "clear", lambda pool: (cleared.append(pool), clear(pool))[1])
    cramped = make_world("landscape")
    assert np.array_equal(walked(cramped, bare, run, seed=3)[0], frames)
    assert len(cleared) > 1, "once at the reset, and when it was full"
    cramped.close()


def test_standing_still_gives_the_same_frame_in_an_array_of_its_own(world: Any) -> None:
    world.reset(seed=1, options={"conditions": biome("meadow")})
    frame, _, _, _, info = world.step(IDLE)
    kept, depth = frame.copy(), info["depth"].copy()
    frame[:], info["depth"][:] = 0, 0
    again, _, _, _, later = world.step(IDLE)
    assert np.array_equal(again, kept) and np.array_equal(later["depth"], depth)
    rain, _ = world.reset(seed=1, options={"conditions": biome("meadow", rain=1.0)})
    assert not np.array_equal(rain, world.step(IDLE)[0]), "drops fall on"
