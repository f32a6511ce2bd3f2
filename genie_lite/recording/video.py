"""Frames to an mp4 that plays everywhere, and that stays playable when writing is cut short (fragmented)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.errors import OutputError

CODECS = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
"""Tried in this order: h264 where PyAV was built with it, else what every FFmpeg has."""


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

    Raises OutputError when there is no codec, no permission or no space.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: av.VideoStream | None = None
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise OutputError("this PyAV has no video encoder (libx264, mpeg4); reinstall it: pip install -U av")
        self._codec = codec
        try:
            self._sink = _Sink(path)
        except OSError as error:
            raise _failure(path, error) from error
        flags = {"movflags": "frag_keyframe+empty_moov"}
        self._container = av.open(self._sink, "w", format="mp4", options=flags)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8]) -> None:
        """Appends one picture, uint8 (H, W, 3); an odd last row or column is left out, since video wants even sizes."""
        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        stream = self._stream or self._open_stream(width, height)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        self._container.mux(stream.encode(picture))
        self._check()

    def close(self) -> None:
        """Writes what the encoder still holds."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._container.mux(stream.encode())
        self._container.close()
        self._sink.close()
        self._check()

    def _open_stream(self, width: int, height: int) -> av.VideoStream:
        stream = self._container.add_stream(self._codec, Fraction(STEPS_PER_SECOND), options=CODECS[self._codec])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 2 * STEPS_PER_SECOND
        self._stream = stream
        return stream

    def _check(self) -> None:
        if self._sink.error is not None:
            raise _failure(self.path, self._sink.error) from self._sink.error


def _failure(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path} ({error.strerror}); free some space or give another folder with --out")
