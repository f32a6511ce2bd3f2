"""`genie-lite bench events`: whether what happens in the middle of a dream comes to be seen, and leaves the place as it
was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genie_lite.bench.coherence import HeldOutFlags, progress_bar

if TYPE_CHECKING:
    from PIL import Image
    from rich.table import Table

    from genie_lite.bench.changes import Changes, EventsPlan, Outcome

MOST_GROWTH_DB, LEAST_READ = 1.5, 0.9
"""What shall be reached."""


@dataclass(frozen=True)
class Options(HeldOutFlags):
    """Measure events in dreams of held-out worlds: fog, snow, rain, a storm, clearing, night, dusk and day. Are they
    read off the picture in 3 s (weather) and 5 s (hour), and how much worse does a mirror walk become by them?"""

    def plan(self) -> EventsPlan:
        """How much to measure."""
        from genie_lite.bench.changes import QUICK, EventsPlan

        plan = QUICK if self.quick else EventsPlan()
        return replace(plan, episodes=self.episodes or plan.episodes)


def main(options: Options, plan: EventsPlan | None = None) -> int:
    """Measures, prints tables and the JSON line, leaves a sheet and all numbers. Raises GenieLiteError."""
    from rich.console import Console

    from genie_lite.bench.changes import measure_changes
    from genie_lite.bench.pool import measure_worlds
    from genie_lite.bench.report import write_json
    from genie_lite.engine.runtime import available_cores
    from genie_lite.engine.shipped import weights_hash

    plan = plan or options.plan()
    job = options.job(plan)
    weights = weights_hash(job.engine.checkpoint)
    with progress_bar() as bar:
        task = bar.add_task("frames", total=sum(map(plan.frames, range(plan.episodes))))
        cores = options.threads or available_cores()
        worlds = measure_worlds(job, cores, lambda n: bar.update(task, advance=n), measure_changes)
    console = Console()
    line = {"bench": "events", "world": options.world, "episodes": plan.episodes} | summary(worlds)
    for table in (_events_table(worlds), _mirror_table(worlds)):
        console.print(table)
    _sheet(worlds).save(job.out / "events_sheet.png")
    write_json(line | {"checkpoint": weights} | _details(worlds), job.out / "events.json")
    print(json.dumps(line | {"checkpoint": weights}, separators=(",", ":")))
    return 0


def summary(worlds: Sequence[Changes]) -> dict[str, Any]:
    """Finds out what is read (see `tell`), and gives every number of the line: shares of the events that are read off
    the dream, and off the simulator's own frames, over all that were not read before already; and the mirror walk
    without and with events."""
    from genie_lite.bench.changes import misread, tell

    stray = tell([outcome for world in worlds for outcome in world.outcomes])
    told = [outcome for world in worlds for outcome in world.outcomes if not outcome.already]
    kinds = {name: [o for o in told if o.kind == name] for name in _kinds(worlds)}
    found: dict[str, Any] = {
        "events": len(told),
        "already": sum(len(world.outcomes) for world in worlds) - len(told),
        "read": _share(told, lambda o: o.dreamed),
        "read_truth": _share(told, lambda o: o.true),
        "read_each": _share(told, lambda o: o.each),
        "read_each_truth": _share(told, lambda o: o.each_true),
        "read_by_kind": {name: _share(some, lambda o: o.dreamed) for name, some in kinds.items()},
        "read_truth_by_kind": {name: _share(some, lambda o: o.true) for name, some in kinds.items()},
        "misread": None if (share := misread(told, stray)) is None else round(share, 3),
        "stray": {name: round(value, 3) for name, value in stray.items()},
    }
    for name in ("psnr", "below_contrast", "psnr_truth", "below_contrast_truth"):
        calm = [world.mirrors["none"][name] for world in worlds if world.mirrors]
        eventful = [errors[name] for world in worlds for kind, errors in world.mirrors.items() if kind != "none"]
        found[f"mirror_{name}"], found[f"mirror_{name}_event"] = _mean(calm), _mean(eventful)
    for name in ("psnr", "below_contrast"):
        calm, eventful = found[f"mirror_{name}"], found[f"mirror_{name}_event"]
        found[f"mirror_growth_{name}_db"] = None if calm is None or eventful is None else round(calm - eventful, 2)
    growth, read = found["mirror_growth_below_contrast_db"], found["read"]
    found["reached"] = {
        "read": None if read is None else read >= LEAST_READ,
        "mirror": None if growth is None else growth <= MOST_GROWTH_DB,
    }
    return found


def _kinds(worlds: Sequence[Changes]) -> list[str]:
    return list(dict.fromkeys(outcome.kind for world in worlds for outcome in world.outcomes))


def _share(outcomes: Sequence[Outcome], of: Callable[[Outcome], bool]) -> float | None:
    return round(sum(map(of, outcomes)) / len(outcomes), 3) if outcomes else None


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _details(worlds: Sequence[Changes]) -> dict[str, Any]:
    return {
        "outcomes": [
            {
                "world": world.name,
                "kind": o.kind,
                "already": o.already,
                "dream": o.dreamed,
                "truth": o.true,
                "moved": o.moved,
                "moved_truth": o.moved_truth,
            }
            for world in worlds
            for o in world.outcomes
        ],
        "mirrors": {world.name: world.mirrors for world in worlds if world.mirrors},
    }


def _events_table(worlds: Sequence[Changes]) -> Table:
    from rich.table import Table

    table = Table(title="events: read off the dream at the deadline", caption="already: read before it happened")
    for column in ("event", "dream", "simulator", "worlds", "already", "not read in"):
        table.add_column(column, justify="left" if column in ("event", "not read in") else "right", overflow="fold")
    rows = [(name, [(w.name, o) for w in worlds for o in w.outcomes if o.kind == name]) for name in _kinds(worlds)]
    for name, all_of in [*rows, ("all", [pair for _, pairs in rows for pair in pairs])]:
        told = [(world, o) for world, o in all_of if not o.already]
        some = [o for _, o in told]
        missed = "" if name == "all" else ", ".join(world for world, o in told if not o.dreamed)
        shares = (_share(some, lambda o: o.dreamed), _share(some, lambda o: o.true))
        cells = ("-" if share is None else f"{share:.0%}" for share in shares)
        table.add_row(name, *cells, str(len(told)), str(len(all_of) - len(told)), missed, end_section=name == "day")
    return table


def _mirror_table(worlds: Sequence[Changes]) -> Table:
    from rich.table import Table

    table = Table(
        title="mirror walks after an event", caption="dB; below contrast: the error against the true contrast"
    )
    for column in ("event", "psnr", "below contrast", "simulator's psnr", "worlds"):
        table.add_column(column, justify="left" if column == "event" else "right")
    for name in dict.fromkeys(name for world in worlds for name in world.mirrors):
        some = [world.mirrors[name] for world in worlds if name in world.mirrors]
        means = (_mean([errors[key] for errors in some]) for key in ("psnr", "below_contrast", "psnr_truth"))
        table.add_row(name, *(f"{mean:.1f}" for mean in means), str(len(some)))
    return table


def _sheet(worlds: Sequence[Changes]) -> Image.Image:
    """Each kind of event in the first three worlds: before, in the dream, and in the simulator; nothing is picked."""
    from genie_lite.bench.word_sheets import captioned

    rows = []
    for name in _kinds(worlds):
        row = []
        for world in worlds[:3]:
            outcome = next(o for o in world.outcomes if o.kind == name)
            told = ("already" if outcome.already else "before", "dream", "simulator")
            marks = ("", " (read)" if outcome.dreamed else " (not read)", " (read)" if outcome.true else " (not read)")
            for what, mark, picture in zip(told, marks, outcome.shown, strict=True):
                row.append((f"{name}, {world.name}: {what}{mark}", picture))
        rows.append(row)
    return captioned(rows)
