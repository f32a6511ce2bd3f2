"""The environment card: what machine and which software a measurement was made on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from genie_lite.engine.protocol import EngineInfo
from genie_lite.engine.runtime import available_cores


@dataclass(frozen=True, slots=True)
class Card:
    """Processor, its cores this process may use, and what runs the networks; all values can go into JSON."""

    cpu: str
    cores: int
    threads: int
    memory_gb: float
    system: str
    python: str
    torch: str
    openvino: str | None
    runtime: str
    dtype: str
    checkpoint: str | None


def environment_card(info: EngineInfo) -> Card:
    """The card of this process and the engine in it. Needs psutil."""
    import psutil

    return Card(
        cpu=cpu_name(),
        cores=available_cores(),
        threads=info.threads,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        torch=torch.__version__,
        openvino=_version("openvino"),
        runtime=info.runtime,
        dtype=info.dtype,
        checkpoint=info.checkpoint_hash,
    )


def cpu_name() -> str:
    """The processor's model as the system calls it, or its architecture where it has no name."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resident_mb() -> float:
    """Memory of this process in megabytes (10^6 bytes). Needs psutil."""
    import psutil

    return round(psutil.Process().memory_info().rss / 1e6, 1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
