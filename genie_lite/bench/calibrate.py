"""Fits the coherence meter on judged dreams, and tells how good it is on others. Pure functions; numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.engine.protocol import ENGINE
from genie_lite.session.calibration import BOUND, Calibration, Linear
from genie_lite.session.signals import JUDGED_PER_SECOND

SCORE_SIGNALS = (
    "kept", "tone", "novelty", "palette_change", "latent_rough", "agreement_first", "seen_biome_lasting", "pitch",
)  # fmt: skip
"""What the score of an undisturbed dream rests on."""

HARM_SIGNALS = ("swapped", "strayed", "shimmer", "noisy")
"""What lowers it when something has disturbed the dream; near 0 where nothing has."""

ALARM_SIGNALS = {
    "noise": ("grain", "noisy", "latent_rough_jump", "agreement_jump"),
    "actions": ("misturned", "against", "motion"),
    "conditions": ("swapped", "seen_hour_jump", "seen_biome_jump", "brightness_jump", "palette_change"),
}
"""By kind of harm, what may say that it has just begun."""

OWN_WORD = ("misturned", "against", "swapped")
"""Those of them that rest on the engine's own word for where it went and what it was asked for."""

RIDGE = 200.0
"""Strength of the pull towards small weights, in rows: a minute of dream is 240 of them, all of one world."""

FOLDS = 10
KNOTS = 12
TILT = 0.1
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
    return Calibration(checkpoint, ENGINE, score, levels, scores, fit_alarms(courses))


def fit_score(courses: Sequence[Course]) -> Linear:
    """Ridge regression of the true score on the signals: first of the clean courses, then of what harm takes away.

    A course counts as the root of its length: a long one tells more than a short one, but all of one world.
    """
    clean = [course for course in courses if course.harm is None]
    rows, true = _rows(clean)
    counts = np.concatenate([np.full(len(course.score), 1 / np.sqrt(len(course.score))) for course in clean])
    counts /= counts.mean()
    mean, scale = _moments(rows, SCORE_SIGNALS)
    x = _matrix(rows, SCORE_SIGNALS, mean, scale)
    middle: Array = np.average(x, 0, counts)
    bias = float(np.average(true, weights=counts))
    root = np.sqrt(counts)
    weights = _ridge((x - middle) * root[:, None], (true - bias) * root, RIDGE)
    bias -= float(middle @ weights)
    rows, true = _rows(courses)
    left: Array = true - bias - _matrix(rows, SCORE_SIGNALS, mean, scale) @ weights
    none = np.zeros(len(HARM_SIGNALS))
    squares = np.array([[row.get(name, 0.0) ** 2 for name in HARM_SIGNALS] for row in rows])
    harm: Array = np.sqrt(squares.mean(0)).clip(min=0.02)
    lost = _ridge(_matrix(rows, HARM_SIGNALS, none, harm), left, RIDGE / 10).clip(max=0)
    parts = ((mean, none), (scale, harm), (weights, lost))
    means, scales, all_weights = (tuple(float(v) for part in kind for v in part) for kind in parts)
    return Linear(SCORE_SIGNALS + HARM_SIGNALS, means, scales, all_weights, bias)


def _rows(courses: Sequence[Course]) -> tuple[list[dict[str, float]], Array]:
    return [row for c in courses for row in c.signals], np.concatenate([c.score for c in courses])


def _ridge(x: Array, y: Array, strength: float) -> Array:
    return np.asarray(np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y), np.float64)


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
    shares: list[NDArray[np.int64]] = []
    for part in np.array_split(np.argsort(estimated), KNOTS):
        if shares and len(part) and estimated[part].mean() <= estimated[shares[-1]].mean() + 1e-6:
            shares[-1] = np.concatenate([shares[-1], part])
        elif len(part):
            shares.append(part)
    levels = np.array([estimated[part].mean() for part in shares])
    # Nowhere quite flat, so that it never makes equal what the signals tell apart.
    scores = isotonic([float(true[part].mean()) for part in shares]) + TILT * (levels - levels.mean())
    if len(levels) == 1:
        levels, scores = np.array([levels[0], levels[0] + 1]), np.repeat(scores, 2)
    return tuple(levels.tolist()), tuple(scores.clip(0, 1).tolist())


def isotonic(values: Iterable[float]) -> Array:
    """The nearest series that never falls (pool adjacent violators)."""
    pools: list[list[float]] = []
    for value in values:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return np.concatenate([np.full(int(n), value) for value, n in pools])


@dataclass(frozen=True, slots=True)
class Judged:
    """What a meter says of a course: estimated, float64 (J,), the score; rung, bool (J,), whether an alarm rings;
    rung_by_picture, the same for alarms that do without the engine's own word."""

    course: Course
    estimated: Array
    rung: NDArray[np.bool_]
    rung_by_picture: NDArray[np.bool_]


def judge(calibration: Calibration, by_picture: Mapping[str, Linear], course: Course) -> Judged:
    """A course as a meter sees it."""
    rows = course.signals
    rung, seen = (
        np.array([any(alarm(row) > 0 for alarm in alarms.values()) for row in rows])
        for alarms in (calibration.alarms, by_picture)
    )
    return Judged(course, np.array([calibration.judge(row) for row in rows]), rung, seen)


def cross_validated(courses: Sequence[Course]) -> list[Judged]:
    """Every course judged by a meter that was fitted without its world, a tenth of the worlds at a time."""
    found = []
    for fold in range(FOLDS):
        others = [course for course in courses if course.world % FOLDS != fold]
        own = [course for course in courses if course.world % FOLDS == fold]
        if own:
            fitted, by_picture = fit(others, ""), fit_alarms(others, without=OWN_WORD)
            found += [judge(fitted, by_picture, course) for course in own]
    return found


def quality(judged: Sequence[Judged]) -> dict[str, Any]:
    """How good a meter is, by second; see the names. Plain numbers. A long dream is one of 20 s and more."""
    clean = [one for one in judged if one.course.harm is None]
    long = [one for one in clean if len(one.estimated) >= 20 * JUDGED_PER_SECOND]
    estimated, true = _seconds(judged)
    told: dict[str, Any] = {"worlds": len({one.course.world for one in judged}), "seconds": len(true)}
    told["spearman"], told["calibration_error"] = spearman(estimated, true), calibration_error(estimated, true)
    for name, some in (("clean", clean), ("clean_long", long)):
        estimated, true = _seconds(some)
        time = [replace(one, estimated=np.array([-row["time"] for row in one.course.signals])) for one in some]
        told[f"spearman_{name}"] = spearman(estimated, true)
        told[f"spearman_{name}_by_time_alone"] = spearman(_seconds(time)[0], true)
        told[f"calibration_error_{name}"] = calibration_error(estimated, true)
    told |= alarms([(one.course, one.rung) for one in judged])
    by_picture = alarms([(one.course, one.rung_by_picture) for one in judged])
    told |= {f"{name}_by_picture_alone": value for name, value in by_picture.items()}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in told.items()}


def alarms(rung: Sequence[tuple[Course, NDArray[np.bool_]]]) -> dict[str, float]:
    """noticed: the share of harmed courses with an alarm within a second, and by kind; false alarms: the share of clean
    seconds, and of whole clean courses, with one."""
    found: dict[str, list[bool]] = {"noticed": [], "false_alarms": [], "false_alarms_by_course": []}
    for course, rang in rung:
        if course.harm is not None:
            found["noticed"].append(bool(rang[:JUDGED_PER_SECOND].any()))
            found.setdefault(f"noticed_{course.harm}", []).append(found["noticed"][-1])
            continue
        found["false_alarms_by_course"].append(bool(rang.any()))
        parts = np.array_split(rang, max(1, len(rang) // JUDGED_PER_SECOND))
        found["false_alarms"] += [bool(part.any()) for part in parts]
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _seconds(judged: Sequence[Judged]) -> tuple[Array, Array]:
    """Estimated and true score of every full second."""
    estimated, true = [np.zeros(0)], [np.zeros(0)]
    for one in judged:
        whole = len(one.estimated) // JUDGED_PER_SECOND * JUDGED_PER_SECOND
        for found, values in ((estimated, one.estimated), (true, one.course.score)):
            found.append(values[:whole].reshape(-1, JUDGED_PER_SECOND).mean(1))
    return np.concatenate(estimated), np.concatenate(true)


def spearman(one: Array, other: Array) -> float:
    """Spearman's rank correlation; 0 where one of both never changes."""
    if len(one) < 2:
        return 0.0
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
    return (
        0.0 if not parts else float(sum(len(p) * abs(estimated[p].mean() - true[p].mean()) for p in parts) / len(true))
    )
