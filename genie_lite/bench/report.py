"""What a coherence measurement says: tables, and one line for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from genie_lite.bench.distortions import STRENGTHS
from genie_lite.bench.plan import Plan
from genie_lite.bench.summary import Summary
from genie_lite.errors import OutputError

MEASURED = (
    "autoencoder_psnr", "next_frame_psnr", "psnr_1s", "psnr_3s", "psnr_10s", "full_turn_psnr",
    "there_and_back_psnr_5s", "there_and_back_psnr_15s", "there_and_back_psnr_30s", "idle_psnr_60s",
    "sharpness_ratio_60s", "conditions_accuracy_60s", "controllability_f1", "opposite_key_accuracy", "half_life_s",
    "meter_spearman",
)  # fmt: skip
"""The numbers that every line holds, null where not measured."""


def show(summary: Summary) -> None:
    """Prints every measurement with its spread over the worlds, the keys, and what the judge makes of known harm."""
    console = Console()
    for table in (_numbers_table(summary), _keys_table(summary), _distortions_table(summary)):
        console.print(table)


def summary_line(world: str, plan: Plan, summary: Summary, checkpoint: str | None) -> dict[str, Any]:
    """The one line for machines: means rounded, with every name of MEASURED in it."""
    means: dict[str, float | None] = {name: float(np.mean(values)) for name, values in summary.samples.items()}
    means = {name: _rounded(value) for name, value in (means | summary.single).items()}
    line: dict[str, Any] = {"bench": "coherence", "world": world, "episodes": plan.episodes, "memory": True}
    line |= {name: means.pop(name, None) for name in MEASURED}
    line["checkpoint"] = checkpoint
    by_key = {name: _rounded(value) for name, value in summary.keys.items()}
    return line | means | {"opposite_key_by_key": by_key}


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Every number, readable. Raises OutputError."""
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder with --out") from error


def _numbers_table(summary: Summary) -> Table:
    table = Table(title="coherence on held-out worlds", caption="dB, SSIM, judge's distance (unrelated frame: about 1)")
    table.add_column("measurement", overflow="fold")
    for column in ("mean", "spread", "least", "most", "worlds"):
        table.add_column(column, justify="right")
    for name in sorted(summary.samples, key=_order):
        values = summary.samples[name]
        numbers = (np.mean(values), np.std(values), np.min(values), np.max(values))
        table.add_row(name, *(f"{number:.3f}" for number in numbers), str(len(values)))
    table.add_section()
    for name, value in summary.single.items():
        table.add_row(name, "-" if value is None else f"{value:.3f}")
    for name, value in summary.keys.items():
        table.add_row(f"opposite keys: {name}", "-" if value is None else f"{value:.3f}")
    return table


def _order(name: str) -> tuple[bool, int]:
    """The line's own numbers first."""
    return (name not in MEASURED, MEASURED.index(name) if name in MEASURED else 0)


def _keys_table(summary: Summary) -> Table:
    """Keys read back from the dream, and from the truth, which says how well the reader reads."""
    caption = "in brackets: hardly to be read off true frames either, and not counted"
    table = Table(title="keys read back: precision / recall / F1", caption=caption)
    table.add_column("key")
    scores = {series: readings.scores() for series, readings in summary.readings.items()}
    for series in scores:
        table.add_column(series, justify="right")
    for key in dict.fromkeys(key for found in scores.values() for key in found):
        cells = (found.get(key) for found in scores.values())
        name = key if key in summary.readable else f"({key})"
        table.add_row(name, *(f"{c['precision']:.2f} / {c['recall']:.2f} / {c['f1']:.2f}" if c else "-" for c in cells))
    return table


def _distortions_table(summary: Summary) -> Table:
    table = Table(title="the judge's distance under known harm, mild to strong")
    table.add_column("distortion")
    table.add_column("distances")
    for name, values in summary.distortions.items():
        strengths = STRENGTHS.get(name)
        table.add_row(f"{name} {strengths}" if strengths else name, "  ".join(f"{value:.3f}" for value in values))
    return table


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
