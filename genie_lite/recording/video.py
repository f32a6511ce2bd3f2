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


class VideoWriter:
    """Writes frames of one size at 24 a second; use it as a context manager.

    Raises OutputError when there is no codec, no permission or no space.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: av.VideoStream | None = None
        try:
            self._container = av.open(str(path), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"})
        except OSError as error:
            raise _failure(path, error) from error

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
        try:
            self._container.mux(stream.encode(picture))
        except OSError as error:
            raise _failure(self.path, error) from error

    def close(self) -> None:
        """Writes what the encoder still holds."""
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                self._container.mux(stream.encode())
            self._container.close()
        except OSError as error:
            raise _failure(self.path, error) from error

    def _open_stream(self, width: int, height: int) -> av.VideoStream:
        name = next((name for name in CODECS if name in av.codecs_available), None)
        if name is None:
            raise OutputError("this PyAV has no video encoder (libx264, mpeg4); reinstall it: pip install -U av")
        stream = self._container.add_stream(name, rate=Fraction(STEPS_PER_SECOND), options=CODECS[name])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 2 * STEPS_PER_SECOND
        self._stream = stream
        return stream


def _failure(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path} ({error.strerror}); free some space or give another folder with --out")
