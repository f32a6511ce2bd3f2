"""Frames to an mp4 that plays everywhere, and that stays playable when writing is cut short (fragmented)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.errors import OutputError, RecordingError

CODECS = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
"""Tried in this order: h264 where PyAV was built with it, else what every FFmpeg has."""

HASTY = {"libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}, "mpeg4": {"qscale": "4"}}
"""For encoding beside a game: little work, larger files, and no frame is held back."""

SMALL = {"libx264": {"preset": "slow", "crf": "24"}, "mpeg4": {"qscale": "6"}}
"""For films that many will fetch: more work, and less detail."""

FRAGMENT_US = 500_000
"""Microseconds of video that a killed process may lose."""

BACKLOG = STEPS_PER_SECOND // 2
"""Frames that may wait for the encoder; a frame of 720p takes 3 MB."""

TICK = Fraction(1, STEPS_PER_SECOND)


class _Sink:
    """Takes what the encoder writes and keeps the first failure for later.

    An FFmpeg whose output fails crashes the process when it is closed, so to FFmpeg every write succeeds.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def close(self) -> None:
        self._file.close()


class VideoWriter:
    """Writes frames of one size at 24 a second; use it as a context manager.

    hasty: encode on one thread and with little effort; small: with much, for a small file. Raises OutputError when
    there is no codec, no permission or no space.
    """

    def __init__(self, path: Path, *, hasty: bool = False, small: bool = False) -> None:
        self.path, self._hasty, self._small, self._count = path, hasty, small, 0
        self._stream: av.VideoStream | None = None
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise OutputError("this PyAV has no video encoder (libx264, mpeg4); reinstall it: pip install -U av")
        self._codec = codec
        try:
            self._sink = _Sink(path)
        except OSError as error:
            raise _failure(path, error) from error
        flags = {"movflags": "frag_keyframe+empty_moov", "frag_duration": str(FRAGMENT_US), "flush_packets": "1"}
        self._container = av.open(self._sink, "w", format="mp4", options=flags)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8], index: int | None = None) -> None:
        """Appends one picture, uint8 (H, W, 3); an odd last row or column is left out, since video wants even sizes.

        index: which 1/24 s it belongs to (the next one if None); a picture left out is bridged by the one before.
        """
        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        stream = self._stream or self._open_stream(width, height)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        picture.pts, picture.time_base = self._count if index is None else index, TICK
        self._count = picture.pts + 1
        self._container.mux(stream.encode(picture))
        self._check()

    def close(self) -> None:
        """Writes what the encoder still holds."""
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                self._container.mux(stream.encode())
            self._container.close()
        finally:
            self._sink.close()
        self._check()

    def _open_stream(self, width: int, height: int) -> av.VideoStream:
        options = (HASTY if self._hasty else SMALL if self._small else CODECS)[self._codec]
        stream = self._container.add_stream(self._codec, Fraction(STEPS_PER_SECOND), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = STEPS_PER_SECOND
        if self._hasty:
            stream.codec_context.thread_count = 1
        self._stream = stream
        return stream

    def _check(self) -> None:
        if self._sink.error is not None:
            raise _failure(self.path, self._sink.error) from self._sink.error


class LiveVideo:
    """Encodes beside a game, in a thread of its own: `offer` never waits, and drops what the encoder cannot take.

    `problem` says why the video ended early, None while all is well.
    """

    def __init__(self, path: Path, backlog: int = BACKLOG) -> None:
        self.dropped = 0
        self.problem: str | None = None
        self._path, self._backlog = path, backlog
        self._waiting: SimpleQueue[tuple[int, NDArray[np.uint8]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="video", daemon=True)
        self._thread.start()

    def offer(self, image: NDArray[np.uint8], index: int) -> None:
        """Hands over the picture of the index-th 1/24 s, uint8 (H, W, 3), which must not change any more."""
        if self.problem is not None or self._waiting.qsize() >= self._backlog:
            self.dropped += 1
        else:
            self._waiting.put((index, image))

    def give_up(self, problem: str) -> None:
        """Ends the video early: what is offered from now on is dropped."""
        self.problem = problem
        self.finish()

    def finish(self) -> None:
        """Says that no more will come, and does not wait."""
        self._waiting.put(None)

    def join(self) -> None:
        """Waits until the file is complete; `finish` comes first."""
        self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":
            # The game comes first. Linux keeps a niceness for each thread; elsewhere it would slow the game itself.
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            with VideoWriter(self._path, hasty=True) as video:
                while (item := self._waiting.get()) is not None:
                    index, image = item
                    video.write(image, index)
        except Exception as error:
            self.problem = str(error) or type(error).__name__


def read_video(path: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures of a video and which 1/24 s each belongs to: index, uint8 (H, W, 3).

    Stops where a cut file ends. Raises RecordingError where there is no picture at all.
    """
    count = 0
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                index = count if frame.time is None else round(frame.time * STEPS_PER_SECOND)
                yield index, frame.to_ndarray(format="rgb24")
                count += 1
    except (av.error.FFmpegError, OSError, IndexError) as error:
        if count == 0:
            raise RecordingError(f"{path} shows nothing ({error}); add --redraw to draw it anew") from error


def _failure(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path} ({error.strerror}); free some space or give another folder with --out")
