"""A recorded session as an episode to train on: what the dream drew, with its own idea of depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genie_lite.data.episodes import PICTURE_HEIGHT, PICTURE_WIDTH, Episode, write_episode
from genie_lite.engine.protocol import Engine
from genie_lite.errors import OutputError, RecordingError
from genie_lite.recording.export import actions_from
from genie_lite.recording.reader import Log
from genie_lite.recording.replay import drive


def export_episode(log: Log, engine: Engine, out: Path) -> None:
    """Draws the recording anew at 256x144 and writes it as one episode of the split `train`.

    Raises OutputError, RecordingError for an engine that knows no depth, DataError for a path that is not finite.
    """
    if out.exists():
        raise OutputError(f"{out} exists already; give another file with --out")
    frames, depth, poses = [], [], []
    for frame in drive(log, engine):
        if frame.thumbnail is None:
            raise RecordingError(f"{engine.info.name} draws no depth, which an episode needs; export something else")
        frames.append(frame.image)
        depth.append(frame.thumbnail[3].astype(np.float16))
        poses.append(frame.pose.to_array().astype(np.float32))
    episode = Episode(
        frames=np.stack(frames),
        depth=np.stack(depth),
        poses=np.stack(poses),
        actions=np.array(actions_from(log.steps), np.float32),
        conditions=np.stack([conditions.to_array() for conditions in log.conditions()]),
        pictures=np.empty((0, PICTURE_HEIGHT, PICTURE_WIDTH, 3), np.uint8),
        picture_index=np.empty(0, np.int64),
        world=log.header.world,
        seed=log.header.seed,
        split="train",
        policy="player",
        recipe=f"recorded with weights {log.header.engine.checkpoint_hash}",
    )
    write_episode(out, episode)
