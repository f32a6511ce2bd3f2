"""The truth that dreams are measured against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="needs the training packages")

from genie_lite.bench.heldout import ELSEWHERE, branch, elsewhere, record
from genie_lite.conditions import BIOMES
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.worlds import make_world


def test_held_out_worlds_have_test_seeds_and_take_every_biome_in_turn() -> None:
    world = make_world("counting")
    truths = [record(world, number, 3, instants=[1]) for number in range(8)]
    assert [truth.seed for truth in truths] == list(range(SPLIT_SEEDS["test"], SPLIT_SEEDS["test"] + 8))
    assert [BIOMES[int(np.argmax(truth.start.biomes))] for truth in truths] == list(BIOMES)
    assert truths[0].frames.shape == (3, 144, 256, 3) and truths[0].pictures[1].shape == (720, 1280, 3)
    assert np.array_equal(truths[0].pictures[1][0, 0], truths[0].frames[1][0, 0])


def test_a_branch_leaves_the_true_path_at_its_frame() -> None:
    world = make_world("counting")
    truth = record(world, 0, 12)
    same = branch(world, truth, 4, truth.actions[4:8])
    assert np.array_equal(same, truth.frames[4:9])


def test_elsewhere_is_the_same_walk_in_another_place() -> None:
    world = make_world("counting")
    truth = record(world, 3, 12)
    shown = elsewhere(world, truth)
    assert shown.shape == truth.frames.shape and shown.dtype == np.uint8
    assert np.array_equal(shown, elsewhere(world, truth)) and not np.array_equal(shown, truth.frames)
    same = elsewhere(world, replace(truth, seed=truth.seed - ELSEWHERE))
    assert np.array_equal(same, truth.frames), "the same seed is the same place"
