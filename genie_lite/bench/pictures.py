"""The pictures that a coherence measurement leaves: curves on one sheet, and truth over dream at fixed moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from genie_lite.bench.distortions import STRENGTHS
from genie_lite.bench.plot import save_figure
from genie_lite.bench.sheets import grid, save_sheet
from genie_lite.bench.summary import Summary
from genie_lite.bench.world import MOMENTS, Found

LABELS = {"psnr": "PSNR, dB", "ssim": "SSIM", "distance": "perceptual distance"}
STYLES = {
    "memory": ("dream", "#4c78a8"),
    "no memory": ("dream without memory", "#f58518"),
    "last frame": ("last frame repeated", "#9d9d9d"),
    "elsewhere": ("another place of the same country", "#e45756"),
    "autoencoder": ("autoencoder alone", "#54a24b"),
    "next frame": ("next frame, true past", "#b279a2"),
}
"""Series -> its name and colour in the plots."""


def save_curves(summary: Summary, folder: Path) -> Path:
    """Likeness to the truth over time with quartiles, a minute of nothing, keys, known harm. Raises OutputError."""
    path = folder / "coherence.png"
    figure, axes = plt.subplots(2, 3, figsize=(17, 9), layout="constrained")
    for panel, metric in zip(axes[0], LABELS, strict=True):
        _likeness(panel, summary, metric)
    _half_life(axes[0][2], summary)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(STYLES))
    _idle(axes[1][0], summary)
    _keys(axes[1][1], summary)
    _harm(axes[1][2], summary)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
    return path


def save_moments(worlds: Sequence[Found], folder: Path) -> Path:
    """Truth over dream of every world. Raises OutputError."""
    path = folder / "coherence_sheet.png"
    shown = [(found, found.moments) for found in worlds if found.moments is not None]
    rows = [list(pictures) for _, moments in shown for pictures in moments]
    names = [name for found, _ in shown for name in (found.name, "dream")]
    columns = [f"{second} s" for second in MOMENTS[: len(rows[0])]]
    save_sheet(grid(rows, names, columns), path)
    return path


def _likeness(panel: Any, summary: Summary, metric: str) -> None:
    for series, (label, colour) in STYLES.items():
        if series not in summary.curves:
            continue
        seconds, values = summary.curves[series][metric]
        panel.plot(seconds, values.mean(0), label=label, color=colour, linewidth=1.3)
        low, high = np.percentile(values, (25, 75), axis=0)
        panel.fill_between(seconds, low, high, color=colour, alpha=0.15, linewidth=0)
    panel.set(xlabel="seconds on its own", title=f"{LABELS[metric]}, against the simulator", xlim=(0, None))


def _half_life(panel: Any, summary: Summary) -> None:
    """Where an unrelated frame lies, and where half of its excess over the autoencoder does."""
    unrelated, held = summary.single["unrelated_distance"], summary.single["half_life_s"]
    if unrelated is None:
        return
    half = (unrelated + float(summary.curves["autoencoder"]["distance"][1].mean())) / 2
    panel.set_ylim(0, max(1.15 * unrelated, panel.get_ylim()[1]))
    for level, name in ((unrelated, "unrelated frame"), (half, "half of that")):
        panel.axhline(level, color="black", linewidth=0.8, linestyle="--")
        panel.annotate(name, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
    if held is not None:
        panel.axvline(held, color="#e45756", linewidth=1)
        panel.annotate(f"half-life {held:.1f} s", (held, 0), rotation=90, ha="right", va="bottom", fontsize=8)


def _idle(panel: Any, summary: Summary) -> None:
    if not len(summary.idle):
        panel.set_axis_off()
    for row in summary.idle:
        panel.plot(np.arange(1, len(row) + 1), row, color="#4c78a8", linewidth=1)
    what = "distance from the first frame, by world" if len(summary.idle) else "not measured"
    panel.set(
        xlabel="seconds", title=f"standing still: {what}", ylim=(0, max(0.1, float(summary.idle.max(initial=0)) * 1.1))
    )


def _keys(panel: Any, summary: Summary) -> None:
    scores = {series: summary.readings[series].scores() for series in ("truth", "memory")}
    names = list(scores["truth"])
    place = np.arange(len(names))
    for offset, (series, colour) in enumerate((("truth", "#9d9d9d"), ("memory", "#4c78a8"))):
        heights = [scores[series].get(name, {}).get("f1", 0.0) for name in names]
        panel.bar(place + 0.4 * offset - 0.2, heights, 0.4, color=colour, label={"memory": "dream"}.get(series, series))
    labels = [name if name in summary.readable else f"({name})" for name in names]
    panel.set_xticks(place, [label.replace("_", "\n") for label in labels], fontsize=8)
    panel.set(title="keys read back from the picture, F1", ylim=(0, 1))
    panel.legend(fontsize=8)


def _harm(panel: Any, summary: Summary) -> None:
    for name, strengths in STRENGTHS.items():
        if name in summary.distortions:
            panel.plot(strengths, summary.distortions[name], marker="o", markersize=3, label=name)
    if summary.distortions:
        panel.axhline(summary.distortions["unrelated"][0], color="black", linewidth=0.8, linestyle="--")
        panel.legend(fontsize=8)
    panel.set(
        xscale="log", yscale="log", xlabel="strength: pixels, or levels of 255",
        title="perceptual distance under known harm",
    )  # fmt: skip
