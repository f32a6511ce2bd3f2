"""`genie-lite replay`: draw a recorded session again, to watch it, to walk on from it, to check it or to film it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from genie_lite.commands.view import SIZES
from genie_lite.commands.visit import SESSIONS, display_expected, meter_for, play_in, session_folder
from genie_lite.engine.protocol import Engine
from genie_lite.errors import DisplayError, OutputError, RecordingError, UsageError
from genie_lite.files import all_or_none
from genie_lite.recording.log import Header
from genie_lite.recording.reader import Log, read_log

SIMULATOR = " simulator"


@dataclass(frozen=True)
class Options:
    """Draw a recorded session again. In the window it can be paused, sought through, and walked on from."""

    path: tyro.conf.Positional[Path]
    """The recording: its folder, or the folder's name in sessions."""
    verify: bool = False
    """Compare every frame with the recorded one; the last line on stdout is JSON, the exit status 1 if any differs."""
    size: Literal["720p", "360p", "144p"] | None = None
    """Draw at this size instead of the recorded one."""
    out: Path | None = None
    """Write a video to this file instead of opening a window."""
    checkpoint: Path | None = None
    """Where the weights are, if they did not come with genie_lite."""
    record: bool = False
    """Record from the start when you walk on from the replay."""


def main(options: Options) -> int:
    """Replays as asked; returns the exit status. Raises GenieLiteError."""
    if options.verify and (options.size is not None or options.out is not None):
        raise UsageError("--verify compares frames at the size they have; leave out --size and --out")
    log = read_log(find(options.path))
    if options.out is not None:
        return film(log, engine_for(log.header, options.checkpoint, options.size), options.out)
    if not options.verify:
        if display_expected():
            try:
                return _in_window(log, options)
            except DisplayError as error:
                print(f"{error}; verifying instead", file=sys.stderr)
        else:
            print("no display here, so the recording is verified", file=sys.stderr)
    return check(log, engine_for(log.header, options.checkpoint))


def find(path: Path) -> Path:
    """The path as given, or in the folder of sessions if it is only there."""
    return SESSIONS / path if not path.exists() and (SESSIONS / path).exists() else path


def engine_for(header: Header, checkpoint: Path | None = None, size: str | None = None) -> Engine:
    """The engine as it was set when the recording was made; size: a name in SIZES, None for the recorded size.

    Raises RecordingError where the recording was made by something else, CheckpointError, UsageError.
    """
    info = header.engine
    quality = size or next((name for name, pixels in SIZES.items() if pixels == info.size), None)
    if quality is None:
        raise RecordingError(f"nothing here draws pictures of {info.size[0]}x{info.size[1]}; choose one with --size")
    if info.runtime == "simulator" and info.name.endswith(SIMULATOR) and header.seed >= 0:
        from genie_lite.engine.simulator import SimulatorEngine
        from genie_lite.worlds import make_world

        world = make_world(info.name.removesuffix(SIMULATOR))
        return SimulatorEngine(world.unwrapped, SIZES[quality], name=info.name)
    if info.name != "dream":
        raise RecordingError(f"it was drawn by {info.name!r}, which cannot draw here; replay what `play` has recorded")
    return _dream(header, checkpoint, quality)


def check(log: Log, engine: Engine) -> int:
    """Compares every frame and prints what machines read; returns the exit status."""
    from genie_lite.recording.replay import verify

    different = verify(log, engine)
    if different is not None:
        print(f"frame {different} is drawn differently here; another processor or version may do that", file=sys.stderr)
    result = {"frames": len(log.steps), "identical": different is None, "first_difference": different}
    print(json.dumps(result, separators=(",", ":")))
    return 0 if different is None else 1


def film(log: Log, engine: Engine, out: Path) -> int:
    """Draws the recording into a new video; returns the exit status. Raises OutputError."""
    from genie_lite.recording.replay import drive
    from genie_lite.recording.video import VideoWriter

    if out.exists():
        raise OutputError(f"{out} exists already; give another file with --out")
    with all_or_none(out), VideoWriter(out) as video:
        for frame in drive(log, engine):
            video.write(frame.image)
    print(f"video   {out}")
    return 0


def _dream(header: Header, checkpoint: Path | None, quality: str) -> Engine:
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    info = header.engine
    if info.denoising_steps < 1 or info.dtype not in DTYPES:
        raise RecordingError(f"its settings make no sense ({info.denoising_steps} steps, {info.dtype}); record again")
    folder = _weights(header, checkpoint)
    engine = DreamEngine.load(
        EngineOptions(
            checkpoint=folder,
            quality=quality,
            memory=info.memory,
            runtime=info.runtime,
            dtype=DTYPES[info.dtype],
            threads=info.threads,
            denoising_steps=info.denoising_steps,
            guidance=info.guidance,
        )
    )
    here = engine.info.checkpoint_hash
    if here != info.checkpoint_hash:
        recorded = f"it was recorded with the weights {info.checkpoint_hash}, and {folder} holds {here}"
        raise RecordingError(f"{recorded}; name the folder of the right ones with --checkpoint")
    return engine


def _weights(header: Header, checkpoint: Path | None) -> Path:
    """The folder of the weights that dreamed it. Raises CheckpointError."""
    from genie_lite.engine.shipped import find_checkpoint

    return find_checkpoint(None if checkpoint else Path(header.world).name, checkpoint)


DTYPES = {"bfloat16": "bf16", "float32": "fp32"}


def _in_window(log: Log, options: Options) -> int:
    from genie_lite.play.loop import show_waking
    from genie_lite.play.scrub import ReplayLoop
    from genie_lite.play.window import Window
    from genie_lite.recording.recorder import Recorder
    from genie_lite.recording.replay import Replay
    from genie_lite.session.manager import SessionManager

    with Window() as window:
        show_waking(window)
        replay = Replay(log, engine_for(log.header, options.checkpoint, options.size))
        key = ReplayLoop(replay, window).run()
        if key is None:
            return 0
        out = session_folder()
        recorder = Recorder(out, on=options.record, past=log.steps[: replay.position + 1])
        engine = replay.take_over()
        meter = meter_for(engine, _weights(log.header, options.checkpoint) if engine.info.checkpoint else None)
        session = SessionManager(engine, log.start(), log.header.seed, observers=[recorder], coherence=meter)
        return play_in(window, session, recorder, out, key)[0]
