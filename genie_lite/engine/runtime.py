"""Runs a network as one plain call, tensors in and tensor out: eager PyTorch (always there) or OpenVINO (x86)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from genie_lite.errors import UsageError
from genie_lite.files import drafted

RUNTIMES = ("auto", "openvino", "eager")
DTYPES = ("auto", "bf16", "fp32")

KEPT = 16
"""Converted networks that are kept for the next start: those of three or four checkpoints, some 40 MB each."""

Network = Callable[..., Tensor]
"""float32 tensors in, one tensor out, in the shapes of the examples it was compiled for."""


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_runtime(wanted: str) -> str:
    """`openvino` where it is installed, else `eager`. Raises UsageError for an unknown or missing runtime."""
    there = importlib.util.find_spec("openvino") is not None
    if wanted not in RUNTIMES:
        raise UsageError(f"unknown runtime {wanted!r}; choose one of {', '.join(RUNTIMES)}")
    if wanted == "openvino" and not there:
        raise UsageError("openvino is not installed: pip install openvino, or choose --runtime eager")
    return ("openvino" if there else "eager") if wanted == "auto" else wanted


def pick_dtype(wanted: str) -> str:
    """`bf16` where the processor has instructions for it, else `fp32`. Not by a measurement, which now and then comes
    out otherwise: the same seed is to give the same frames."""
    if wanted not in DTYPES:
        raise UsageError(f"unknown dtype {wanted!r}; choose one of {', '.join(DTYPES)}")
    if wanted != "auto":
        return wanted
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def compile_network(module: nn.Module, examples: tuple[Tensor, ...], runtime: str, dtype: str, threads: int) -> Network:
    """The module as a call for inputs shaped like the examples. Same inputs, same outputs, on one machine."""
    module = module.eval()
    return _openvino(module, examples, dtype, threads) if runtime == "openvino" else _eager(module, dtype)


def _eager(module: nn.Module, dtype: str) -> Network:
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    # A copy: the caller's own stays float32.
    module = deepcopy(module).to(dtype=kind, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def call(*inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            result: Tensor = module(*(x.to(kind) for x in inputs))
        return result.float() if result.is_floating_point() else result

    return call


def _openvino(module: nn.Module, examples: tuple[Tensor, ...], dtype: str, threads: int) -> Network:
    os.environ.setdefault("OPENVINO_TELEMETRY_ENABLED", "0")
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32",
        # Engines that leave cores to others would all sit on the first one.
        "ENABLE_CPU_PINNING": threads >= available_cores(),
    }
    core = openvino.Core()
    request = core.compile_model(_converted(core, module, examples), "CPU", settings).create_infer_request()

    def call(*inputs: Tensor) -> Tensor:
        request.infer([x.numpy() for x in inputs])
        # The request reuses its output buffer.
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return call


def _converted(core: Any, module: nn.Module, examples: tuple[Tensor, ...]) -> Any:
    """The module as OpenVINO's own model. It takes seconds to convert one, so it is kept for the next start."""
    import openvino

    kept = cache_folder() / f"{_digest(module, examples, openvino.__version__)}.xml"
    if kept.is_file():
        with suppress(OSError, RuntimeError):
            kept.touch()
            return core.read_model(kept)
    shapes = [list(example.shape) for example in examples]
    converted = openvino.convert_model(module, example_input=examples, input=shapes)
    with TemporaryDirectory() as folder:
        fresh = Path(folder) / kept.name
        openvino.save_model(converted, fresh, compress_to_fp16=False)
        with suppress(OSError):
            _keep(fresh, kept)
        # Read back like one that was kept: the two differ in last bits, and a replay compares every bit.
        return core.read_model(fresh.read_bytes(), fresh.with_suffix(".bin").read_bytes())


def _keep(fresh: Path, kept: Path) -> None:
    """Copies a model's two files and leaves those that were used last."""
    # The weights first: a model is there once its .xml is.
    for suffix in (".bin", ".xml"):
        with drafted(kept.with_suffix(suffix)) as draft:
            shutil.copyfile(fresh.with_suffix(suffix), draft)
    for old in sorted(kept.parent.glob("*.xml"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        for suffix in (".xml", ".bin"):
            old.with_suffix(suffix).unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where converted networks are kept: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genie_lite" / "networks"


def _digest(module: nn.Module, examples: tuple[Tensor, ...], version: str) -> str:
    """Changes with the weights, the shapes, the code of the networks, and OpenVINO."""
    digest = hashlib.sha256(f"{version} {module} {[example.shape for example in examples]}".encode())
    for source in [*sorted(Path(__file__).parents[1].glob("model/*.py")), Path(__file__).with_name("painter.py")]:
        digest.update(source.read_bytes())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy())
    return digest.hexdigest()[:32]
