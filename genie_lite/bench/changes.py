"""What an event does to a dream, in one held-out world: does it come to be seen, and does the place stay what it was?

Every dream begins with the true past, and everything is done to the simulator too, which says how much of it could be
seen at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.bench.heldout import Truth, branch, record
from genie_lite.bench.metrics import psnr
from genie_lite.bench.plan import Tick
from genie_lite.bench.revisits import backwards, mirrored_out
from genie_lite.bench.subject import Dream
from genie_lite.bench.world import Instruments
from genie_lite.conditions import BIOMES, CONDITION_NAMES, LAND, LIGHTS, STRENGTHS, Conditions, light_of
from genie_lite.prompt.parser import parse
from genie_lite.session.events import GLIDE_STEPS, Glide

Film = NDArray[np.uint8]

WINDOW = STEPS_PER_SECOND // 2
"""Frames that are read together: the last half second before the deadline."""

CHANGED = 0.3
"""From which change on a strength has to be seen to change."""

WEATHERS = tuple(name for name in STRENGTHS if name not in LAND)
"""The strengths that come and go."""

UNASKED, ASTRAY = 0.05, 0.95
"""A strength asked to change by less than UNASKED counts as not asked. The ASTRAY quantile of how far such readings
move in the simulator is the noise that a real change must exceed."""

LEAST_SPREAD = 4.0
"""No true picture's contrast counts as less than this, in grey levels."""


@dataclass(frozen=True)
class Kind:
    """One kind of event. text: what a player would say; shows: the conditions that have to be seen; seconds: until
    when; before: the sky in which the past is recorded, made of the drawn one so that something is left to happen."""

    name: str
    text: str
    shows: tuple[str, ...]
    seconds: int
    before: Callable[[Conditions], Conditions]

    def asked(self, now: Conditions) -> Conditions:
        """What the conditions shall become."""
        return parse(self.text, now).conditions


def _dry(now: Conditions) -> Conditions:
    return replace(now, fog=min(now.fog, 0.1), rain=0.0, snowfall=0.0, clouds=min(now.clouds, 0.4))


def _by_day(now: Conditions) -> Conditions:
    return now if light_of(now.hour) == "day" else replace(now, hour=12.0)


def _by_night(now: Conditions) -> Conditions:
    return now if light_of(now.hour) == "night" else replace(now, hour=0.0)


def _stormy(now: Conditions) -> Conditions:
    return replace(now, fog=max(now.fog, 0.6), rain=0.0 if now.snowfall else 0.7, clouds=0.9)


WEATHER, HOUR = 3, 5
"""Seconds until weather, and until an hour, has to be seen."""

KINDS = (
    Kind("fog", "fog rolls in", ("fog",), WEATHER, _dry),
    Kind("snowfall", "let it snow", ("snowfall",), WEATHER, _dry),
    Kind("rain", "it begins to rain", ("rain",), WEATHER, _dry),
    Kind("storm", "a storm", ("rain", "clouds"), WEATHER, _dry),
    Kind("clear up", "clear up", ("fog", "rain", "snowfall", "clouds"), WEATHER, _stormy),
    Kind("night", "night falls", ("hour",), HOUR, _by_day),
    Kind("dusk", "dusk falls", ("hour",), HOUR, _by_day),
    Kind("day", "noon", ("hour",), HOUR, _by_night),
)
"""The words are those that the palette and the player use, read by the same parser."""

MIRROR_KINDS = ("fog", "snowfall", "rain")


@dataclass(frozen=True)
class EventsPlan:
    """How much is measured. episodes: held-out worlds; history: true frames before an event; mirror_worlds: in how many
    of them mirror walks are made; mirror: frames of the way out; settle: frames from event to walk."""

    episodes: int = 8
    kinds: tuple[Kind, ...] = KINDS
    history: int = 2 * STEPS_PER_SECOND
    mirror_worlds: int = 4
    mirror_kinds: tuple[str, ...] = MIRROR_KINDS
    mirror: int = 2 * STEPS_PER_SECOND
    settle: int = GLIDE_STEPS + STEPS_PER_SECOND

    def frames(self, number: int) -> int:
        """About how many frames are dreamed in world `number`: for progress bars."""
        pasts = {(kind.before, kind.seconds) for kind in self.kinds if "hour" not in kind.shows}
        seconds = sum(kind.seconds for kind in self.kinds) + sum(seconds for _, seconds in pasts)
        walks = seconds * STEPS_PER_SECOND
        mirrors = (1 + len(self.mirror_kinds)) * (self.settle + 2 * self.mirror)
        return walks + (number < self.mirror_worlds) * mirrors


QUICK = EventsPlan(episodes=2, mirror_worlds=1, mirror_kinds=("fog",))
"""Two minutes on two cores."""


@dataclass
class Outcome:
    """One event in one world. asked: by how much each strength of WEATHERS was to change; moved, moved_truth: how much
    stronger the judge reads each off the last half second than off the same walk without the event, in the dream and in
    the simulator, empty where an hour was asked for; light, light_truth: whether most of it shows the asked hour's
    light, if one was asked for, and already, whether the past did so; shown: before, at the deadline in the dream and
    in the simulator, uint8 (3, 144, 256, 3). dreamed, true: whether it is read, and each, each_true: whether every
    strength of it is, which `tell` finds out."""

    kind: str
    shows: tuple[str, ...]
    asked: dict[str, float]
    moved: dict[str, float]
    moved_truth: dict[str, float]
    light: bool
    light_truth: bool
    already: bool
    shown: Film
    dreamed: bool = False
    true: bool = False
    each: bool = False
    each_true: bool = False


def tell(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Finds out which events are read. The strengths that were asked to change by CHANGED must have gone the way that
    was asked, all in all (see `went`) and one by one, by more than their readings go astray; the hour's light must be
    the asked one. Returns how far readings go astray: by less in ASTRAY of the simulator's own films in which the
    weather changes and they should not."""
    stray = {}
    for name in WEATHERS:
        others = [abs(o.moved_truth[name]) for o in outcomes if abs(o.asked[name]) < UNASKED and "hour" not in o.shows]
        stray[name] = float(np.quantile(others, ASTRAY)) if others else 0.0
    for o in outcomes:
        asked = {name: o.asked[name] for name in o.shows if name != "hour"}
        parts = [{name: much} for name, much in asked.items()]
        o.dreamed, o.each, o.true, o.each_true = (
            light and all(went(way, moved, stray) for way in ways)
            for light, moved in ((o.light, o.moved), (o.light_truth, o.moved_truth))
            for ways in ([asked], parts)
        )
    return stray


def went(asked: Mapping[str, float], moved: Mapping[str, float], stray: Mapping[str, float]) -> bool:
    """Whether readings that moved so have gone the way that was asked by more than they go astray, if each goes astray
    by itself: both along the change that was asked for. Nothing asked, nothing missing."""
    way = sum(much * moved[name] for name, much in asked.items())
    return not asked or way > sum((much * stray[name]) ** 2 for name, much in asked.items()) ** 0.5


def misread(outcomes: Sequence[Outcome], stray: Mapping[str, float]) -> float | None:
    """In how many dreams a strength is read to change that nothing was asked of: a share of all such strengths."""
    found = [abs(o.moved[name]) > stray[name] for o in outcomes for name in o.moved if abs(o.asked[name]) < UNASKED]
    return float(np.mean(found)) if found else None


@dataclass
class Changes:
    """What one world gave. mirrors: (kind, or "none") -> errors of a mirror walk, see `mirror_error`."""

    number: int
    name: str
    outcomes: list[Outcome] = field(default_factory=list)
    mirrors: dict[str, dict[str, float]] = field(default_factory=dict)


def measure_changes(number: int, plan: EventsPlan, tools: Instruments, _out: Path, tick: Tick) -> Changes:
    """The whole plan for held-out world `number`."""
    dream, walks = tools.dreams[0], _Walks(number, plan, tools, tick)
    found = Changes(number, BIOMES[number % len(BIOMES)], [_event(kind, walks) for kind in plan.kinds])
    if number < plan.mirror_worlds:
        calm = record(tools.world, number, plan.history, prepare=_dry, keys_ahead=plan.mirror)
        for name in ("none", *plan.mirror_kinds):
            change = next((kind for kind in plan.kinds if kind.name == name), None)
            found.mirrors[name] = mirror_error(dream, tools.world, calm, change, plan, tick)
    return found


class _Walks:
    """What a walk shows if nothing happens, in the dream and in the simulator, read by the judge: made once for all
    events with the same past."""

    def __init__(self, number: int, plan: EventsPlan, tools: Instruments, tick: Tick) -> None:
        self.number, self.plan, self.tools, self.tick = number, plan, tools, tick
        self._truths: dict[tuple[object, int], Truth] = {}
        self._read: dict[tuple[object, int, bool], NDArray[np.float32]] = {}

    def past(self, kind: Kind) -> Truth:
        """What was there before it happens, and the keys that follow."""
        key = kind.before, kind.seconds
        if key not in self._truths:
            steps = kind.seconds * STEPS_PER_SECOND
            self._truths[key] = record(
                self.tools.world, self.number, self.plan.history, prepare=kind.before, keys_ahead=steps
            )
        return self._truths[key]

    def uneventful(self, kind: Kind, dreamed: bool) -> NDArray[np.float32]:
        """What is read off the last frames if nothing happens: WINDOW 18."""
        key = kind.before, kind.seconds, dreamed
        if key not in self._read:
            begun = self.past(kind).conditions[self.plan.history - 1]
            film = self.film(kind, [begun] * (kind.seconds * STEPS_PER_SECOND), dreamed)
            self._read[key] = self.tools.judge.read_conditions(film[-WINDOW:])
        return self._read[key]

    def film(self, kind: Kind, path: Sequence[Conditions], dreamed: bool) -> Film:
        """The walk under conditions that change, without the frame that it begins with."""
        truth, last = self.past(kind), self.plan.history - 1
        actions = truth.actions[last : last + len(path)]
        if dreamed:
            return changing_film(self.tools.dreams[0], truth, self.plan.history, actions, path, self.tick)[1:]
        return branch(self.tools.world, truth, last, actions, path)[1:]


def _event(kind: Kind, walks: _Walks) -> Outcome:
    """The dream and the simulator walk on with the keys of the past's walker while the event happens."""
    truth, history, read = walks.past(kind), walks.plan.history, walks.tools.judge.read_conditions
    begun = truth.conditions[history - 1]
    asked = kind.asked(begun)
    wanted = {name: getattr(asked, name) - getattr(begun, name) for name in WEATHERS}
    shows = tuple(name for name in kind.shows if name == "hour" or abs(wanted[name]) >= CHANGED)
    path = glide(begun, asked, kind.seconds * STEPS_PER_SECOND)
    films = [walks.film(kind, path, dreamed) for dreamed in (True, False)]
    rows, rows_truth = (read(film[-WINDOW:]) for film in films)
    of_hour, light = "hour" in shows, light_of(asked.hour)
    past = truth.frames[max(0, history - WINDOW) : history]
    return Outcome(
        kind.name, shows, wanted,
        {} if of_hour else _moved(rows, walks.uneventful(kind, True)),
        {} if of_hour else _moved(rows_truth, walks.uneventful(kind, False)),
        not of_hour or light_read(rows) == light,
        not of_hour or light_read(rows_truth) == light,
        of_hour and light_read(read(past)) == light,
        np.stack([past[-1], films[0][-1], films[1][-1]]),
    )  # fmt: skip


def _moved(rows: NDArray[np.float32], others: NDArray[np.float32]) -> dict[str, float]:
    columns = [CONDITION_NAMES.index(name) for name in WEATHERS]
    change = rows[:, columns].mean(0) - others[:, columns].mean(0)
    return dict(zip(WEATHERS, change.tolist(), strict=True))


def light_read(rows: NDArray[np.float32]) -> str | None:
    """The light that more than half of the readings (N, 18) show."""
    lights = [light_of(Conditions.from_array(row).hour) for row in rows]
    return next((light for light in LIGHTS if 2 * lights.count(light) > len(lights)), None)


def glide(begun: Conditions, asked: Conditions, steps: int) -> list[Conditions]:
    """The conditions of each of so many steps, as a session sets them."""
    way = Glide(begun, asked)
    return [way.at(step) for step in range(1, steps + 1)]


def changing_film(
    dream: Dream, truth: Truth, history: int, actions: Sequence[Action], path: Sequence[Conditions], tick: Tick
) -> Film:
    """As `Dream.film`, under conditions that change."""
    frames = [dream.from_truth(truth, history - 1, history).image]
    for action, conditions in zip(actions, path, strict=True):
        dream.engine.set_conditions(conditions)
        frames.append(dream.engine.step(action).image)
        tick(1)
    return np.stack(frames)


def mirror_error(
    dream: Dream, world: Any, truth: Truth, kind: Kind | None, plan: EventsPlan, tick: Tick
) -> dict[str, float]:
    """Something happens while the eye stands still; when it is over, some seconds out and the same keys in reverse.

    The event comes first, so that way out and way back lie in the same light and weather, and what differs is the
    place. psnr: each frame of the way back against that of the way out, in dB. But fog and night take contrast from a
    picture, and with it error; so also below_contrast: how many dB the error lies below the contrast (spread of
    colours) that the simulator shows at that instant. Both also of the simulator itself (_truth), where drops and
    clouds have moved on by then.
    """
    start = plan.history - 1
    begun = truth.conditions[start]
    out = mirrored_out(truth.actions[start : start + plan.mirror], float(truth.poses[start, 4]))
    actions = [*[IDLE] * plan.settle, *out, *backwards(out)]
    path = glide(begun, kind.asked(begun) if kind else begun, len(actions))
    films = {
        "": changing_film(dream, truth, plan.history, actions, path, tick),
        "_truth": branch(world, truth, start, actions, path),
    }
    contrast = [
        max(LEAST_SPREAD, float(frame.std((0, 1)).mean())) for frame in _ways(films["_truth"], plan, len(out))[0]
    ]
    found = {}
    for suffix, film in films.items():
        pairs = zip(*_ways(film, plan, len(out)), strict=True)
        same = np.array([psnr(a, b) for a, b in pairs])
        found[f"psnr{suffix}"] = float(same.mean())
        found[f"below_contrast{suffix}"] = float((same + 20 * np.log10(np.array(contrast) / 255)).mean())
    return found


def _ways(film: Film, plan: EventsPlan, out: int) -> tuple[Film, Film]:
    """Frames of the way out, last ones first, and of the way back."""
    walk = film[plan.settle :]
    return walk[:out][::-1], walk[out + 1 :]
