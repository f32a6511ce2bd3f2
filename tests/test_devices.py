"""Training on a card that is only pretended: the processor computes, and what a CUDA device refuses fails here too."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

pytest.importorskip("gymnasium", reason="needs the training packages")

from tiny import saved, tiny_model

from genie_lite.data.collect import Options as CollectOptions
from genie_lite.data.collect import collect
from genie_lite.model import candidates, reproject
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.checkpoint import PARTS, load_model
from genie_lite.model.dynamics import Dynamics
from genie_lite.train.clips import LatentSet, load_latents
from genie_lite.train.command import ORDER, Options, main
from genie_lite.train.dynamics import DynamicsPart, rollout
from genie_lite.train.loop import Ranks

CARD, CPU = torch.device("cuda", 0), torch.device("cpu")
DEVICE_OF = torch.Tensor.device.__get__
ANSWERS = {"item", "tolist", "nonzero", "equal", "unique", "__bool__", "__int__", "__float__", "__index__"}
MOVES = {"to", "cpu", "copy_", "__get__", "__set__", "_has_compatible_shallow_copy_type"}
STRICT = {"cat", "stack", "matmul", "__matmul__", "bmm", "einsum", "linear", "conv2d", "lerp", "gather"}
"""What the processor waits for; what may have tensors of both; and what takes not even a number of the processor's."""

_on_card: dict[int, StorageWeakRef] = {}
"""The memory that is said to be the card's. As long as it is held, weakly, no other gets its number."""


def on_card(tensor: Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage()._cdata in _on_card


def put(tensor: Tensor) -> Tensor:
    """Says that a tensor, and all that shares its memory, lies on the card."""
    with torch._C.DisableTorchFunction():
        reference = StorageWeakRef(tensor.untyped_storage())
    _on_card[reference.cdata] = reference
    return tensor


class Random(torch.Generator):
    """A generator of whichever device it is asked for."""

    device = CPU

    def __new__(cls, device: torch.device = CPU) -> Random:
        made = super().__new__(cls)
        made.device = device
        return made


class PretendedCard(TorchFunctionMode):
    """Refuses what mixes the card's tensors with others; counts by line where the processor waits for the card."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func.__name__
        if func == DEVICE_OF:
            return CARD if on_card(args[0]) else CPU
        if name in ("device", "_parse_to"):
            return func(*args, **kwargs)
        leaves = tree_leaves((args, kwargs))
        given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        there = [on_card(tensor) for tensor in given]
        devices = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
        if name in ("to", "cpu") and not devices:
            devices = [CARD if name == "to" and there[-1] else CPU] if name == "cpu" or len(given) > 1 else []
        goal = devices[0].type == "cuda" if devices else any(there[:1] if name == "copy_" else there)
        self._check(name, args, kwargs, there, goal)
        if self._waits(name, args, there, goal):
            self.waits[_line()] += 1
        args, kwargs = tree_map_only(torch.device, lambda _: CPU, (args, kwargs))
        result = func(*args, **kwargs)
        if name in ("to", "cpu") and on_card(result) != goal:
            result = result.clone()
        for made in (leaf for leaf in tree_leaves(result) if goal and isinstance(leaf, Tensor)):
            put(made)
        return result

    @staticmethod
    def _check(name: str, args: Any, kwargs: Any, there: list[bool], goal: bool) -> None:
        assert not (name in ("numpy", "__array__") and there[0]), "no array is made of the card's memory"
        random = kwargs.get("generator")
        assert random is None or (random.device.type == "cuda") == goal, f"{name}: a generator of another device"
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if name in ("__getitem__", "__setitem__") and there[0]:
            # Places may be the processor's, and what is written too, unless it goes to listed places.
            listed = len(given) - (name == "__setitem__" and isinstance(args[2], Tensor)) > 1
            given = given[-1:] if name == "__setitem__" and listed else []
        if any(there) and name not in MOVES:
            apart = [tuple(t.shape) for t in given if not on_card(t) and t.dim() >= (name not in STRICT)]
            assert not apart, f"{name}: the processor's {apart} among tensors of the card"

    @staticmethod
    def _waits(name: str, args: Any, there: list[bool], goal: bool) -> bool:
        if name in ("__getitem__", "__setitem__") and there[0]:
            places = [leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor)]
            return not all(there) or any(place.dtype == torch.bool for place in places)
        moved = name in ("to", "cpu", "tensor", "copy_") and {goal, *there} == {True, False}
        return moved or (name == "tensor" and goal) or (name in ANSWERS and any(there))


def _line() -> str:
    frame = sys._getframe()
    while frame.f_back and "genie_lite" not in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _loading(load: Callable[..., Any], key: str) -> Callable[..., Any]:
    """A function that reads tensors, which does so onto the pretended card."""

    def loaded(path: Path, **options: Any) -> Any:
        to = torch.device(options.get(key, CPU))
        found = load(path, **{**options, key: "cpu"})
        return tree_map_only(Tensor, put, found) if to.type == "cuda" else found

    return loaded


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCard]:
    cast = torch.autocast
    monkeypatch.setattr(torch, "autocast", lambda _, *words, **options: cast("cpu", *words, **options))
    monkeypatch.setattr(torch, "Generator", Random)
    monkeypatch.setattr(torch, "load", _loading(torch.load, "map_location"))
    for module in ("clips", "judge", "judge_views"):
        monkeypatch.setattr(f"genie_lite.train.{module}.load_file", _loading(load_file, "device"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: None)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a pretended card")
    # What is kept for each device must not pass from a pretended card to a true one.
    for kept in (candidates._band, reproject._parts):
        monkeypatch.setattr(kept.__module__ + "." + kept.__name__, cache(kept.__wrapped__))
    with PretendedCard() as pretended:
        yield pretended


def collected(folder: Path, steps: int) -> Path:
    usual = CollectOptions(world="counting", out=folder / "data", episodes=2, steps=steps, pictures=1)
    collect(usual, progress=False)
    collect(replace(usual, split="validation"), progress=False)
    return usual.out


MIXED: dict[str, Callable[[Tensor], object]] = {
    "sum": lambda there: there + torch.ones(3),
    "joined": lambda there: torch.cat([there, torch.ones(())[None]]),
    "places": lambda there: torch.ones(3)[there.long()],
    "written": lambda there: there.__setitem__(there.long(), torch.ones(3)),
    "array": lambda there: there.numpy(),
    "random": lambda there: torch.rand(3, generator=torch.Generator(), device=there.device),
}


@pytest.mark.parametrize("kind", MIXED)
def test_a_pretended_card_refuses_what_a_card_does(kind: str, card: PretendedCard) -> None:
    there = torch.zeros(3, device=Ranks().device)
    fine = torch.where(there[torch.tensor([0])] > torch.tensor(1.0), 1.0, there.cpu().to(there)[:1])
    assert fine.device == CARD and fine.cpu().device == CPU and there.to(CARD) is there
    there[:2] = torch.ones(2)
    assert torch.ones(3).copy_(there).device == CPU
    with pytest.raises(AssertionError):
        MIXED[kind](there)


def test_every_part_trains_on_a_card_and_goes_on_there(
    card: PretendedCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(module: Dynamics, data: LatentSet, net: Autoencoder, count: int, *_: Any, **__: Any) -> Any:
        return rollout(module, data, net, 2, 4, True, (1, 2, 3, 4))

    monkeypatch.setattr("genie_lite.train.dynamics.rollout", short)
    start, out = saved(tmp_path / "tiny", tiny_model()), tmp_path / "out"
    data = collected(tmp_path, 110)
    options = Options(data=data, out=out, budget="0.1s", batch=4, most_frames=40, start_from=start)
    for part in ORDER[:-1]:
        assert main(replace(options, part=part)) == 0
    assert main(replace(options, part="frame", budget="1s")) == 0
    made = load_model(out, PARTS[:-1]).made
    assert set(made) == set(ORDER[:-1]) and made["dynamics"]["device"] == "1 x a pretended card"


def test_the_judge_trains_on_a_card(card: PretendedCard, tmp_path: Path) -> None:
    data = collected(tmp_path, 40)
    assert main(Options(part="judge", data=data, out=tmp_path, budget="1s", batch=2, most_frames=12)) == 0


def test_the_dynamics_seldom_waits_for_a_card(card: PretendedCard, tmp_path: Path) -> None:
    model, device, data = tiny_model(), Ranks().device, collected(tmp_path, 40)
    dynamics, net = model.dynamics.to(device), model.autoencoder.to(device)
    latents = load_latents(data, "train", net, device, tmp_path)
    part = DynamicsPart(dynamics, latents, latents, net, batch=4, seed=0)
    part.loss(0.0)
    card.waits.clear()
    for _ in range(10):
        part.loss(0.0)
    assert sum(card.waits.values()) <= 50, card.waits
