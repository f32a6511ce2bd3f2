"""What a coherence measurement leaves: a table, curves, films, and one line for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.bench.heldout import Truth
from genie_lite.bench.measures import Samples
from genie_lite.bench.plot import save_figure
from genie_lite.errors import OutputError
from genie_lite.recording.video import VideoWriter

MEASURED = (
    "autoencoder_psnr", "next_frame_psnr", "psnr_1s", "psnr_3s", "psnr_10s", "full_turn_psnr",
    "there_and_back_psnr_5s", "there_and_back_psnr_15s", "there_and_back_psnr_30s", "idle_psnr_60s",
    "sharpness_ratio_60s", "conditions_accuracy_60s", "controllability_f1", "opposite_key_accuracy", "half_life_s",
    "meter_spearman",
)  # fmt: skip
"""The numbers that every line holds, null where not measured."""


def show_table(samples: Samples) -> None:
    """Prints mean, spread and extremes of every measurement over the episodes."""
    table = Table(title="Coherence on held-out worlds")
    table.add_column("measurement", overflow="fold")
    for column in ("mean", "spread", "least", "most", "samples"):
        table.add_column(column, justify="right")
    for name, values in samples.items():
        numbers = (np.mean(values), np.std(values), np.min(values), np.max(values))
        table.add_row(name, *(f"{number:.2f}" for number in numbers), str(len(values)))
    Console().print(table)


def summary_line(
    world: str, episodes: int, samples: Samples, keys: Mapping[str, Sequence[bool]], checkpoint: str | None
) -> dict[str, Any]:
    """The one line for machines: means rounded, with every name of MEASURED in it."""
    means = {name: round(float(np.mean(values)), 3) for name, values in samples.items()}
    tried = [outcome for outcomes in keys.values() for outcome in outcomes]
    if tried:
        means["opposite_key_accuracy"] = round(float(np.mean(tried)), 3)
    by_key = {name: round(float(np.mean(outcomes)), 3) if outcomes else None for name, outcomes in keys.items()}
    line: dict[str, Any] = {"bench": "coherence", "world": world, "episodes": episodes, "memory": True}
    line |= {name: means.pop(name, None) for name in MEASURED}
    line["checkpoint"] = checkpoint
    return line | means | {"opposite_key_by_key": by_key}


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Every number, readable. Raises OutputError."""
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder with --out") from error


def save_curves(curves: Mapping[str, NDArray[np.float64]], folder: Path) -> Path:
    """Mean PSNR over the seconds of a rollout with its quartiles, for arrays (episodes, frames). Raises OutputError."""
    path = folder / "coherence.png"
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, values in curves.items():
        seconds = np.arange(1, values.shape[1] + 1) / STEPS_PER_SECOND
        (line,) = axes.plot(seconds, values.mean(0), label=name)
        low, high = np.percentile(values, (25, 75), axis=0)
        axes.fill_between(seconds, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel="seconds on its own", ylabel="PSNR in dB against the simulator", xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    save_figure(figure, path)
    return path


def save_films(truths: Sequence[Truth], films: Sequence[NDArray[np.uint8]], history: int, folder: Path) -> None:
    """Truth on the left and dream on the right, twice enlarged, one video for each film. Raises OutputError."""
    for truth, film in zip(truths, films, strict=False):
        with VideoWriter(folder / f"truth_and_dream_{truth.seed}.mp4") as video:
            for true, dreamed in zip(truth.frames[history:], film, strict=True):
                video.write(np.concatenate([true, dreamed], 1).repeat(2, 0).repeat(2, 1))
