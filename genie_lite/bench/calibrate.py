"""Fits the coherence meter on judged dreams, and tells how good it is on others. Pure functions; numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.session.calibration import BOUND, Calibration, Linear
from genie_lite.session.signals import JUDGED_PER_SECOND

SCORE_SIGNALS = (
    "young", "home", "pitch", "swapped", "strayed", "day", "vegetation", "seen_biome", "seen_hour", "seen_weather",
    "latent_rough", "fine", "coarse", "saturation_change", "palette_change",
)  # fmt: skip
"""What the score may rest on."""

ALARM_SIGNALS = {
    "noise": ("fine_jump", "middle_jump", "flicker_jump", "latent_rough_jump", "agreement_jump"),
    "actions": ("misturned", "against", "motion"),
    "conditions": ("swapped", "seen_hour_jump", "seen_biome_jump", "brightness_jump", "palette_change"),
}
"""By kind of harm, what may say that it has just begun."""

OWN_WORD = ("misturned", "against", "swapped")
"""Those of them that rest on the engine's own word for where it went and what it was asked for."""

RIDGE = 200.0
"""Strength of the pull towards small weights, in rows: a minute of dream is 240 of them, all of one world."""

KNOTS = 12
FALSE_ALARMS = 0.002
"""The share of clean judged frames for which each kind of alarm may ring."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Course:
    """A dream that was judged, J instants of it four a second.

    world: its number. signals: by name, one dictionary an instant; score: float64 (J,), 1 less the distance to the
    truth, in [0, 1]. harm: what sabotaged it, None for a clean one; all instants of a harmed one are.
    """

    world: int
    memory: bool
    harm: str | None
    signals: Sequence[dict[str, float]]
    score: Array


def fit(courses: Sequence[Course], checkpoint: str) -> Calibration:
    """The meter that explains these courses best."""
    score = fit_score(courses)
    estimated = np.concatenate([_left_out(courses, world) for world in sorted({c.world for c in courses})])
    true = np.concatenate(
        [c.score for world in sorted({c.world for c in courses}) for c in courses if c.world == world]
    )
    levels, scores = rising(estimated, true)
    return Calibration(checkpoint, score, levels, scores, fit_alarms(courses))


def fit_score(courses: Sequence[Course]) -> Linear:
    """Ridge regression of the true score on the signals."""
    rows = [row for course in courses for row in course.signals]
    true = np.concatenate([course.score for course in courses])
    mean, scale = _moments(rows, SCORE_SIGNALS)
    x = _matrix(rows, SCORE_SIGNALS, mean, scale)
    bias = float(true.mean())
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (true - bias))
    return Linear(SCORE_SIGNALS, tuple(mean.tolist()), tuple(scale.tolist()), tuple(weights.tolist()), bias)


def _left_out(courses: Sequence[Course], world: int) -> Array:
    """What a fit on the other worlds estimates for the courses of one: the error that the curve has to correct."""
    others = [course for course in courses if course.world != world]
    linear = fit_score(others or courses)
    return np.array([linear(row) for course in courses if course.world == world for row in course.signals])


def fit_alarms(courses: Sequence[Course], without: Sequence[str] = ()) -> dict[str, Linear]:
    """An alarm for each kind of harm that there is. without: signals that they may not rest on."""
    kinds = {course.harm for course in courses}
    return {
        kind: _fit_alarm(courses, kind, tuple(name for name in names if name not in without))
        for kind, names in ALARM_SIGNALS.items()
        if kind in kinds
    }


def _fit_alarm(courses: Sequence[Course], kind: str, names: tuple[str, ...]) -> Linear:
    """Logistic regression: is this instant within a second of the beginning of such harm, or of a clean course?

    Its bias is moved so that a share of FALSE_ALARMS of the clean instants lie above 0.
    """
    harmed = [row for course in courses if course.harm == kind for row in course.signals[:JUDGED_PER_SECOND]]
    clean = [row for course in courses if course.harm is None for row in course.signals]
    rows, target = clean + harmed, np.repeat([0.0, 1.0], [len(clean), len(harmed)])
    mean, scale = _moments(clean, names)
    x = np.column_stack([_matrix(rows, names, mean, scale), np.ones(len(rows))])
    balance = np.where(target > 0, len(clean) / max(1, len(harmed)), 1.0)
    weights = np.zeros(x.shape[1])
    for _ in range(30):  # Newton's method
        chance = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (balance * (chance - target)) + weights
        curvature = (x * (balance * chance * (1 - chance))[:, None]).T @ x + np.eye(x.shape[1])
        weights -= np.linalg.solve(curvature, gradient)
    level = float(np.quantile((x @ weights)[: len(clean)], 1 - FALSE_ALARMS))
    bias = float(weights[-1]) - max(level, 0.0)
    return Linear(names, tuple(mean.tolist()), tuple(scale.tolist()), tuple(weights[:-1].tolist()), bias)


def _moments(rows: Sequence[dict[str, float]], names: Sequence[str]) -> tuple[Array, Array]:
    table = np.array([[row.get(name, np.nan) for name in names] for row in rows])
    there = np.isfinite(table)
    count = np.maximum(1, there.sum(0))
    mean = np.where(there, table, 0).sum(0) / count
    scale = np.sqrt((np.where(there, table - mean, 0) ** 2).sum(0) / count)
    return mean, np.maximum(scale, 0.02)


def _matrix(rows: Sequence[dict[str, float]], names: Sequence[str], mean: Array, scale: Array) -> Array:
    table = np.array([[row.get(name, middle) for name, middle in zip(names, mean, strict=True)] for row in rows])
    return ((table - mean) / scale).clip(-BOUND, BOUND)


def rising(estimated: Array, true: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The rising curve from estimate to truth, as KNOTS points: isotonic regression of means over equal shares."""
    order = np.argsort(estimated)
    shares = [part for part in np.array_split(order, KNOTS) if len(part)]
    levels = [float(estimated[part].mean()) for part in shares]
    scores = isotonic([float(true[part].mean()) for part in shares]).clip(0, 1)
    kept = [i for i in range(len(levels)) if i == 0 or levels[i] > levels[i - 1] + 1e-6]
    if len(kept) < 2:
        levels, scores, kept = [levels[0], levels[0] + 1], np.repeat(scores[:1], 2), [0, 1]
    return tuple(levels[i] for i in kept), tuple(float(scores[i]) for i in kept)


def isotonic(values: Iterable[float]) -> Array:
    """The nearest series that never falls (pool adjacent violators)."""
    pools: list[list[float]] = []
    for value in values:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return np.concatenate([np.full(int(n), value) for value, n in pools])


def quality(
    calibration: Calibration, courses: Sequence[Course], by_picture: Mapping[str, Linear] | None = None
) -> dict[str, Any]:
    """How good a meter is on courses that it was not fitted on, by second; see the names. Plain numbers."""
    clean = [course for course in courses if course.harm is None]
    told: dict[str, Any] = {"worlds": len({course.world for course in courses}), "seconds": 0}
    everywhere, true = _seconds(courses, calibration.judge)
    undisturbed, true_undisturbed = _seconds(clean, calibration.judge)
    by_time, _ = _seconds(clean, lambda row: -row["time"])
    told["seconds"] = len(true)
    told["spearman"] = spearman(everywhere, true)
    told["spearman_clean"] = spearman(undisturbed, true_undisturbed)
    told["spearman_clean_by_time_alone"] = spearman(by_time, true_undisturbed)
    told["calibration_error"] = calibration_error(everywhere, true)
    told["calibration_error_clean"] = calibration_error(undisturbed, true_undisturbed)
    told |= alarms(calibration.alarms, courses)
    if by_picture is not None:
        told |= {f"{name}_by_picture_alone": value for name, value in alarms(by_picture, courses).items()}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in told.items()}


def alarms(kinds: Mapping[str, Linear], courses: Sequence[Course]) -> dict[str, float]:
    """noticed: the share of harmed courses with an alarm within a second, and by kind; false alarms: the share of clean
    seconds, and of whole clean courses, with one."""
    found: dict[str, list[bool]] = {"noticed": []}
    seconds: list[bool] = []
    whole: list[bool] = []
    for course in courses:
        rung = np.array([any(alarm(row) > 0 for alarm in kinds.values()) for row in course.signals])
        if course.harm is not None:
            found["noticed"].append(bool(rung[:JUDGED_PER_SECOND].any()))
            found.setdefault(f"noticed_{course.harm}", []).append(found["noticed"][-1])
            continue
        whole.append(bool(rung.any()))
        seconds += [bool(part.any()) for part in np.array_split(rung, max(1, len(rung) // JUDGED_PER_SECOND))]
    found |= {"false_alarms": seconds, "false_alarms_by_course": whole}
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def meter_spearman(curves: Sequence[Sequence[float]], distances: Sequence[Array]) -> float:
    """How well a meter ranks seconds as the judge does: one curve (`CoherenceMeter.curve`) and one array of distances
    to the truth, equally many a second, for each rollout."""
    estimated, true = [], []
    for curve, distance in zip(curves, distances, strict=True):
        per_second = max(1, len(distance) // max(1, len(curve)))
        seconds = min(len(curve), len(distance) // per_second)
        estimated.append(np.asarray(curve[:seconds], np.float64))
        true.append(1 - distance[: seconds * per_second].reshape(seconds, per_second).mean(1))
    return spearman(np.concatenate(estimated), np.concatenate(true))


def _seconds(courses: Sequence[Course], estimate: Callable[[dict[str, float]], float]) -> tuple[Array, Array]:
    """Estimated and true score of every full second."""
    estimated, true = [], []
    for course in courses:
        whole = len(course.score) // JUDGED_PER_SECOND * JUDGED_PER_SECOND
        values = np.array([estimate(row) for row in course.signals[:whole]])
        estimated.append(values.reshape(-1, JUDGED_PER_SECOND).mean(1))
        true.append(course.score[:whole].reshape(-1, JUDGED_PER_SECOND).mean(1))
    return np.concatenate(estimated), np.concatenate(true)


def spearman(one: Array, other: Array) -> float:
    """Spearman's rank correlation; 0 where one of both never changes."""
    ranks = np.stack([_ranks(one), _ranks(other)])
    still = bool((ranks.min(1) == ranks.max(1)).any())
    return 0.0 if still else float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Array) -> Array:
    """Places in order, equal ones sharing theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles: Array = np.cumsum(counts) - (counts - 1) / 2
    return middles[places]


def calibration_error(estimated: Array, true: Array, bins: int = 10) -> float:
    """Mean difference of estimate and truth over bins that hold equal shares of the estimates."""
    parts = [part for part in np.array_split(np.argsort(estimated), bins) if len(part)]
    return float(sum(len(p) * abs(estimated[p].mean() - true[p].mean()) for p in parts) / len(true))
