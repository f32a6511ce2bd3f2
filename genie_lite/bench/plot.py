"""The picture of a speed measurement: where a frame's time goes, and how steady it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.bench.window import Run
from genie_lite.errors import OutputError

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

COLOURS = ("#4c78a8", "#eeca3b", "#72b7b2", "#f58518", "#e45756", "#54a24b", "#b279a2", "#9d9d9d")
BUDGET_MS = 1e3 / STEPS_PER_SECOND


def save_plot(runs: Sequence[Run], title: str, path: Path) -> None:
    """Stacked bars of the mean stage times beside the frame times in order. Raises OutputError."""
    figure, (bars, course) = plt.subplots(1, 2, figsize=(12, 4.5), width_ratios=(2, 3), layout="constrained")
    names = [run.size for run in runs]
    bottom = np.zeros(len(runs))
    for stage, colour in zip((s for s in runs[0].milliseconds if s != "total"), COLOURS, strict=True):
        height = np.array([run.milliseconds[stage].mean() for run in runs])
        bars.bar(names, height, bottom=bottom, label=stage, color=colour, width=0.6)
        bottom += height
    for name, top, run in zip(names, bottom, runs, strict=True):
        bars.annotate(f"{run.fps:.1f} fps", (name, top), ha="center", va="bottom")
    bars.set(ylabel="mean ms a frame", title="stages", ylim=(0, max(BUDGET_MS, bottom.max()) * 1.15))
    bars.legend(fontsize=8)
    for run in runs:
        course.plot(run.milliseconds["total"], label=run.size, linewidth=0.8)
    course.set(xlabel="frame", ylabel="ms", title="from one frame to the next", ylim=(0, None))
    course.legend(fontsize=8)
    for axes in (bars, course):
        axes.axhline(BUDGET_MS, color="black", linewidth=0.8, linestyle="--")
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Writes and closes a figure. Raises OutputError."""
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder with --out") from error
    finally:
        plt.close(figure)
