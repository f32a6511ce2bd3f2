"""What several worlds say together: samples with spread, curves, and the numbers that only all of them can give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.bench.calibrate import spearman
from genie_lite.bench.control import Readings, accuracy
from genie_lite.bench.distortions import STRENGTHS, ordering, sensible
from genie_lite.bench.frechet import CLIP_LENGTHS, between
from genie_lite.bench.rollouts import METRICS, half_life, unrelated_distance
from genie_lite.bench.world import SUFFIXES, Found
from genie_lite.model.judge import Judge

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Everything that is told. samples: name -> one number for each world that gave it; curves: series -> metric ->
    (seconds (K,), values (worlds, K)); single: numbers of all worlds together, None where not measured; keys: opposite
    keys by name; readings: keys read back by series; readable: those that count in controllability_f1; idle: (worlds,
    seconds), empty if not measured; distortions: the judge's distance by strength, empty for a single world."""

    samples: dict[str, list[float]]
    curves: dict[str, dict[str, tuple[Array, Array]]]
    single: dict[str, float | None]
    keys: dict[str, float | None]
    readings: dict[str, Readings]
    readable: frozenset[str]
    idle: Array
    distortions: dict[str, list[float]]

    def details(self) -> dict[str, Any]:
        """What the JSON file holds beyond its last line: samples, curves, keys and distortions in plain numbers."""
        curves = {
            series: {
                "seconds": _plain(next(iter(metrics.values()))[0]),
                **{name: [_plain(row) for row in values] for name, (_, values) in metrics.items()},
            }
            for series, metrics in self.curves.items()
        }
        read = {series: readings.scores() for series, readings in self.readings.items()}
        strengths = {name: list(values) for name, values in STRENGTHS.items()}
        distortions = {"strengths": strengths, "distances": self.distortions, "sensible": sensible(self.distortions)}
        return {
            "samples": self.samples,
            "curves": curves,
            "keys_read_back": read,
            "readable_keys": sorted(self.readable),
            "idle_distance": [_plain(row) for row in self.idle],
            "judge_on_distortions": distortions if self.distortions else None,
        }


def summarise(worlds: Sequence[Found], judge: Judge) -> Summary:
    """Brings the worlds together."""
    probes = [found.probes for found in worlds if found.probes is not None]
    curves = {series: _stack(worlds, series) for series in worlds[0].curves}
    single = {"unrelated_distance": unrelated_distance(judge, probes)}
    single |= _half_lives(curves, single["unrelated_distance"]) | _frechets(worlds)
    tried: dict[str, list[bool]] = {}
    for found in worlds:
        for name, outcomes in found.keys.items():
            tried.setdefault(name, []).extend(outcomes)
    single["opposite_key_accuracy"], by_key = accuracy(tried)
    metered = [found.metered for found in worlds if found.metered is not None]
    if metered:
        single["meter_spearman"] = spearman(*np.concatenate(metered, 1))
    readings = {series: reduce(add, (found.readings[series] for found in worlds)) for series in worlds[0].readings}
    for series, suffix in (("memory", ""), ("no memory", "_no_memory"), ("truth", "_truth")):
        single[f"controllability_f1{suffix}"] = readings[series].f1(judge.readable)
    idle = [found.idle for found in worlds if found.idle is not None]
    distortions = {}
    if len(probes) > 1:
        some = np.concatenate([frames[::3] for frames in probes])
        other = np.concatenate([frames[::3] for frames in (*probes[1:], probes[0])])
        distortions = ordering(judge, some, other)
    samples = _samples(worlds, judge)
    return Summary(samples, curves, single, by_key, readings, judge.readable, np.array(idle), distortions)


def _samples(worlds: Iterable[Found], judge: Judge) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {}
    for found in worlds:
        readings = {series.replace(" ", "_"): read.f1(judge.readable) for series, read in found.readings.items()}
        by_world = {f"keys_f1_by_world_{series}": f1 for series, f1 in readings.items()}
        numbers = found.numbers | {name: f1 for name, f1 in by_world.items() if f1 is not None}
        for name, value in numbers.items():
            samples.setdefault(name, []).append(value)
    return samples


def _stack(worlds: Sequence[Found], series: str) -> dict[str, tuple[Array, Array]]:
    """All worlds are judged at the same instants."""
    curves = [found.curves[series] for found in worlds]
    return {name: (curves[0].seconds, np.stack([curve.values[name] for curve in curves])) for name in METRICS}


def _half_lives(curves: dict[str, dict[str, tuple[Array, Array]]], unrelated: float | None) -> dict[str, float | None]:
    """Of the dream and of the baselines; `beyond` says how long those that never fell were watched."""
    found: dict[str, float | None] = {}
    ceiling = float(curves["autoencoder"]["distance"][1].mean())
    for series, suffix in SUFFIXES.items():
        seconds, distances = curves[series]["distance"]
        held = None if unrelated is None else half_life(seconds, distances.mean(0), ceiling, unrelated)
        found[f"half_life_s{suffix}"] = held
        found[f"half_life_beyond_s{suffix}"] = float(seconds[-1]) if unrelated is not None and held is None else None
    return found | {"elsewhere_distance": float(curves["elsewhere"]["distance"][1].mean())}


def _frechets(worlds: Sequence[Found]) -> dict[str, float | None]:
    """Over the whole walk, and over its start for every baseline; between the true clips of one half of the worlds
    and the other, for scale."""
    found = {}
    for length in CLIP_LENGTHS:
        sets = {name: [w.clips[name, length] for w in worlds] for name, n in worlds[0].clips if n == length}
        found[f"frechet_{length}"] = between(sets["memory"], sets["truth"])
        for name in ("memory", "no memory", "autoencoder", "last frame"):
            label = name.replace(" ", "_")
            found[f"frechet_{length}_start_{label}"] = between(sets[f"{name}, start"], sets["truth, start"])
        other = between(sets["truth"][::2], sets["truth"][1::2]) if len(worlds) > 1 else None
        found[f"frechet_{length}_other_worlds"] = other
    return found


def _plain(values: Array) -> list[float]:
    return [round(float(value), 4) for value in values]
