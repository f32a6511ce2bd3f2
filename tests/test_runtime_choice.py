"""What runs the networks, and in which numbers: with or without OpenVINO."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tiny import shaken, tiny_model

from genie_lite.conditions import biome
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.runtime import compile_network, pick_dtype, pick_runtime
from genie_lite.errors import UsageError


def test_without_openvino_eager_runs_and_asking_for_it_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert pick_runtime("auto") == pick_runtime("eager") == "eager"
    with pytest.raises(UsageError, match="pip install openvino"):
        pick_runtime("openvino")


def test_dtype_auto_goes_by_the_processor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, dtype in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda there=there: there)
        assert pick_dtype("auto") == dtype and pick_dtype("fp32") == "fp32"


def test_a_compiled_network_leaves_the_module_as_it_was() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    x = torch.randn(1, 3, 5, 6)
    drawn = compile_network(layer, (x,), "eager", "bf16", 1)(x)
    assert layer.weight.dtype == torch.float32 and drawn.dtype == torch.float32
    torch.testing.assert_close(drawn, layer(x).detach(), atol=0.05, rtol=0.05)


def test_another_thread_may_load_what_this_one_dreams_with() -> None:
    options = EngineOptions(Path("none"), "144p", runtime="eager", dtype="fp32", threads=2)
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(1) as loading:
            engine = loading.submit(DreamEngine, shaken(tiny_model()), options).result()
        engine.reset(biome("meadow"), 3)
        assert torch.get_num_threads() == engine.info.threads == 2
    finally:
        torch.set_num_threads(before)
