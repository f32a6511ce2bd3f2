"""What `play` and `worlds view` share: the flags of a visit, and a session in a window or off-screen."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genie_lite.commands.words import LATEST, read_events, tell
from genie_lite.commands.world import WorldOptions, checked_seed
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Engine, Sketcher, Start
from genie_lite.errors import CheckpointError, DisplayError, OutputError, UsageError
from genie_lite.play.choice import Choice, Going, Next
from genie_lite.play.draft import Draft
from genie_lite.prompt.parser import Reading
from genie_lite.recording.history import NAMED_BY_TIME
from genie_lite.recording.log import REPORT
from genie_lite.recording.report import prepare_folder, session_report, write_report
from genie_lite.session.calibration import read_calibration
from genie_lite.session.coherence import CoherenceMeter
from genie_lite.session.events import Event
from genie_lite.session.manager import DEFAULT_CAP, SessionManager

if TYPE_CHECKING:
    from genie_lite.play.window import Window
    from genie_lite.recording.recorder import Recorder

SESSIONS = Path("sessions")
"""Where sessions are left, and looked for."""

ENDLESS = "an off-screen walk needs an end; give --seconds above 0"

UNSEEN_DRIVERS = ("dummy", "offscreen")
"""SDL video drivers that open a window nobody can see."""


@dataclass(frozen=True)
class VisitOptions(WorldOptions):
    """Flags of every visit to a world."""

    events: Path | None = None
    """What happens on the way: a JSON file such as [{"at_s": 5, "text": "let it snow"}]."""
    seed: int | None = None
    """The same seed gives the same world; a new one each time if left out."""
    cap: float | None = None
    """Seconds of world time until the visit ends (60 if left out), 0 for no end."""
    coherence_floor: float = 0.0
    """End the visit when coherence stays below this score, 0 to 1; 0 never does."""
    off_screen: bool = False
    """No window: an autopilot walks, and a video and a report are written."""
    seconds: float | None = None
    """Off-screen only: how long to walk (until the cap if left out)."""
    record: bool = False
    """Record from the first frame on: a log that can be replayed, and a video (off-screen that is always done)."""
    out: Path | None = None
    """Folder for recordings, report and screenshots (sessions/TIME if left out)."""

    def visit_cap(self) -> float:
        """The cap in seconds; a longer --seconds stretches the default. Raises UsageError for senseless times."""
        for name in ("cap", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LATEST:
                raise UsageError(f"--{name} {value:g} is not a time; give 0 to {LATEST:.0f} seconds")
        if self.seconds == 0 or (self.off_screen and self.cap == 0 and self.seconds is None):
            raise UsageError(ENDLESS)
        return max(DEFAULT_CAP, self.seconds or 0.0) if self.cap is None else self.cap


@dataclass(frozen=True)
class Before:
    """The screens before a world and between worlds. folders: of the gallery's worlds; first: the screen that is shown
    first, None to enter at once; draft: what is sketched there; prompt: the words that the first world was made of."""

    folders: tuple[Path, ...]
    first: Going | None = None
    draft: Draft | None = None
    prompt: str | None = None


def visit(
    options: VisitOptions,
    start: Start,
    make_engine: Callable[[], Engine],
    reading: Reading | None = None,
    before: Before | None = None,
    weights: Path | None = None,
) -> int:
    """Plays as asked and writes a report for every session; returns the exit status.

    reading: what the player is told was understood, that of --prompt if left out. before: in a window, the screens
    before a world and back to them; the engine must be a Sketcher then. weights: the folder of those
    that dream, where a fitted meter may lie.
    Without a display it says so and goes off-screen. Raises what `make_engine` raises, OutputError, UsageError, and
    the error that ended the session, if one did.
    """
    cap = options.visit_cap()
    if not 0 <= options.coherence_floor <= 1:
        raise UsageError(f"--coherence-floor {options.coherence_floor:g} is outside 0 to 1; 0 never ends a visit")
    events, reading = () if options.events is None else read_events(options.events), reading or options.reading()
    choice = _choice(options, start, reading, before)
    if reading is not None:
        tell(reading)
    out = options.out or session_folder()

    def session(engine: Engine, choice: Choice, recorder: Recorder) -> SessionManager:
        return SessionManager(
            engine,
            choice.start,
            choice.seed,
            cap=cap,
            floor=options.coherence_floor,
            script=(*choice.script, *events),
            observers=[recorder],
            coherence=meter_for(engine, weights),
        )

    if before is not None and before.first is not None and (options.off_screen or not display_expected()):
        raise DisplayError("there is no window for this; `genie-lite sketch` and `worlds list` do without")
    if not options.off_screen:
        if display_expected():
            try:
                return _in_window(choice, session, make_engine, out, options.record, before)
            except DisplayError as error:
                print(f"{error}", file=sys.stderr)
        else:
            print("no display here, so the autopilot walks and a video is written", file=sys.stderr)
    if cap == 0 and options.seconds is None:
        raise UsageError(ENDLESS)
    return _off_screen(lambda recorder: session(make_engine(), choice, recorder), options.seconds or 0.0, out)


def _choice(options: VisitOptions, start: Start, reading: Reading | None, before: Before | None) -> Choice:
    """The world that flags ask for. A picture goes over to what words and flags say in the first seconds.

    Raises PromptError, UsageError.
    """
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else checked_seed(options.seed)
    script: tuple[Event, ...] = ()
    if not isinstance(start, Conditions) and (options.prompt or options.conditions_given()):
        options.conditions(Conditions(meadow=1.0))
        script = (Event(0, options.conditions, options.prompt or ""),)
    return Choice(start, seed, options.prompt or (before.prompt if before else None), reading, script)


def meter_for(engine: Engine, weights: Path | None) -> CoherenceMeter:
    """The meter that was fitted for the weights, if there is one; otherwise one that says that it is not calibrated."""
    if weights is None:
        return CoherenceMeter()
    try:
        return CoherenceMeter(read_calibration(weights, engine.info.checkpoint_hash))
    except CheckpointError as error:
        print(f"coherence is not calibrated: {error}", file=sys.stderr)
        return CoherenceMeter()


def session_folder() -> Path:
    """Where a session writes unless told otherwise."""
    return SESSIONS / time.strftime(NAMED_BY_TIME)


def display_expected() -> bool:
    """False where a window cannot or would not be seen."""
    if os.environ.get("SDL_VIDEODRIVER") in UNSEEN_DRIVERS:
        return False
    linux = sys.platform.startswith("linux")
    return not linux or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _in_window(
    choice: Choice,
    make_session: Callable[[Engine, Choice, Recorder], SessionManager],
    make_engine: Callable[[], Engine],
    out: Path,
    record: bool,
    before: Before | None,
) -> int:
    """Visits one world after the other, until the player leaves."""
    from genie_lite.play.entrance import Entrance
    from genie_lite.play.loop import show_waking
    from genie_lite.play.window import Window

    folders, first, draft = (before.folders, before.first, before.draft) if before else ((), None, None)
    # Without `before` nothing is sketched.
    entrance = Entrance(cast(Callable[[], Sketcher], make_engine), folders, draft, choice.seed)
    with Window() as window:
        entering = choice if first is None else entrance.choose(window, first)
        status, visits = 0, 0
        while entering is not None:
            visits += 1
            show_waking(window)
            folder = out if visits == 1 else out / f"visit-{visits}"
            recorder = _recorder(folder, record)
            session = make_session(entrance.loading.wait(), entering, recorder)
            entrance.entering(entering)
            dropped = entrance.dropped if before else None
            ended, following = play_in(window, session, recorder, folder, choice=entering, dropped=dropped)
            status, entering = max(status, ended), entrance.choose(window, following)
    return status


def play_in(
    window: Window,
    session: SessionManager,
    recorder: Recorder,
    out: Path,
    *events: Any,
    choice: Choice | None = None,
    dropped: Callable[[Path], Next | str] | None = None,
) -> tuple[int, Next]:
    """Plays until the player leaves, and returns the exit status and where he goes.

    events: pygame's, for keys that are down; choice: what is entered; dropped: see PlayLoop.
    """
    from genie_lite.play.loop import PlayLoop

    reading, note = (None, "") if choice is None else (choice.reading, choice.note)
    loop = PlayLoop(session, window, out, recorder=recorder, reading=reading, note=note, dropped=dropped)
    for event in events:
        loop.controls.handle(event)
    loop.run()
    try:
        status = _finish(session, recorder)
    except OutputError as error:
        # What could not be recorded is no reason not to go on to the next world.
        if loop.next is Going.AWAY:
            raise
        print(f"{error}", file=sys.stderr)
        status = 1
    return status, loop.next


def _recorder(out: Path, record: bool) -> Recorder:
    from genie_lite.recording.recorder import Recorder

    return Recorder(out, on=record)


def _off_screen(make_session: Callable[[Recorder], SessionManager], seconds: float, out: Path) -> int:
    from genie_lite.play.offscreen import walk
    from genie_lite.recording.log import VIDEO
    from genie_lite.recording.recorder import Recorder

    # The walk writes every frame of its video itself.
    recorder = Recorder(out, on=True, video=False)
    folder = prepare_folder(recorder.next_folder())
    session = make_session(recorder)
    recorder.problem = walk(session, seconds, folder, recorder.times) or recorder.problem
    print(f"video   {folder / VIDEO}")
    return _finish(session, recorder)


def _finish(session: SessionManager, recorder: Recorder) -> int:
    """Sees to it that there is a report, says how it went, and raises what ended the session or the recording early."""
    recorder.close()
    folders = list(recorder.folders)
    if not recorder.reported:
        folders.append(recorder.next_folder())
        write_report(folders[-1], session_report(session, recorder.times))
    for folder in folders:
        if (folder / REPORT).is_file():
            print(f"report  {folder / REPORT}")
    meter = session.coherence
    summary = f"{session.world_time:.1f} s of world time, coherence {meter.score:.2f}"
    if meter.note:
        summary += f" ({meter.note})"
    print(f"ended   {session.end_reason}: {summary}")
    if session.error is not None:
        raise session.error
    if recorder.problem is not None:
        raise OutputError(recorder.problem)
    return 0
