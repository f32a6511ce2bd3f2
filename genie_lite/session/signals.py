"""What can be seen of a dream's coherence from the frames alone: the raw signals, in plain units. numpy only.

Four times a second a frame is judged, by its picture (bands of detail, colour, flicker, drawn motion), its latent and
how unlike earlier ones that is, its agreement with memory, how much of the view memory has from where the dream began,
and the conditions read back from it.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.camera import TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH, Pose
from genie_lite.conditions import BIOME_COLUMNS, HOUR_COLUMNS, Conditions
from genie_lite.engine.protocol import SEEN_EVERY, Frame

JUDGED_EVERY = SEEN_EVERY
"""Steps from one judged frame to the next."""

JUDGED_PER_SECOND = STEPS_PER_SECOND // JUDGED_EVERY

Plane = NDArray[np.float32]

BANDS = ("fine", "middle", "coarse")
"""Bands of detail, each an octave coarser than the one before."""

RECENT = 2 * JUDGED_PER_SECOND
"""Judged frames that say what is usual now."""

CHANGING = ("fine", "middle", "coarse", "brightness", "latent", "agreement")
"""Signals that are compared with those of the first two seconds."""

JUMPY = ("agreement", "latent_rough", "seen_biome", "seen_hour", "brightness")
"""Signals whose sudden rise or fall says that something happened."""


SLOW = {"seen_biome"}
"""Signals of which a mean is kept: what is in view changes them more from second to second than the dream's state."""

MEMORY_SECONDS = 6.0
"""After so long a frame counts 1/e in such a mean."""

STEADY = -4.0
"""Log flicker that an undisturbed dream exceeds in only 1 of 100 frames."""

SMOOTHEST = 0.02
"""The share of a latent's cells that differ least from their neighbours. Every view has some such, in its sky or on its
ground, however busy it is elsewhere; noise leaves none."""

SMOOTH = -2.4
"""Grain that hardly a view without noise reaches: -2.5 was the most in 1,850 of them, and noise of a quarter of the
latents' spread gives -1.4."""

LEAK = 0.95
"""What is kept, from step to step, of the sum of the metres that the eye went against what was asked."""

STRAYED_TURN, STRAYED_WAY = 0.3, 4.0
"""Radians, and metres, of not going as asked after which little of the view that was meant is left."""

NOVELTY_EVERY, NOVELTY_OVER = 2 * JUDGED_PER_SECOND, 32
"""How many judged frames apart the views are that a new one is compared with, and how many of them at most."""

EVENT = 0.05
"""Conditions that were asked to change by more are an event: the world may look different from now on."""


class Signals:
    """Fed every frame of a dream in order; gives the signals of each frame that is judged."""

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._meant: NDArray[np.float32] | None = None
        self._strayed = np.zeros(2)
        self._astray = self._against = self._misturned = 0.0
        self._swapped = 0.0
        self._recent: dict[str, deque[float]] = {}
        self._reference: dict[str, list[float]] = {}
        self._means: dict[str, float] = {}
        self._palettes: list[Plane] = []
        self._tones: deque[Plane] = deque(maxlen=NOVELTY_OVER)
        self._first: Plane | None = None
        self._judged = 0
        self._seconds = 0.0

    def update(self, frame: Frame, action: Action | None, asked: Conditions | None) -> dict[str, float] | None:
        """Takes in the next frame, drawn under `action` in a world that was asked to be like `asked`.

        Returns signals by name if this frame is judged. A signal that a frame cannot give is left out.
        """
        last, self._last = self._last, frame
        if last is not None:
            self._move(last.pose, frame.pose, action)
        self._notice_event((asked or frame.conditions).to_array(), frame.conditions.to_array())
        if frame.index % JUDGED_EVERY:
            return None
        found = {} if frame.kept is None else {"kept": frame.kept}
        found |= self._path(frame) | self._picture(frame, last, action) | _memory(frame) | self._latent(frame)
        found |= self._seen(frame, asked or frame.conditions)
        found |= self._changes(found) | self._jumps(found)
        found |= self._lasting(found)
        self._misturned = 0.0
        self._judged += 1
        return found

    def _notice_event(self, meant: NDArray[np.float32], had: NDArray[np.float32]) -> None:
        """What is usual is learned anew in a world that was asked to change."""
        if self._meant is None or np.abs(meant - self._meant).max() > EVENT:
            self._meant = meant
            for learned in (self._recent, self._reference, self._means):
                learned.clear()
            self._palettes.clear()
            self._tones.clear()
            self._first, self._judged = None, 0
        self._swapped = float(np.abs(meant - had).max())

    def _move(self, before: Pose, now: Pose, action: Action | None) -> None:
        """How far the eye went, and how much of it was not asked for."""
        self._seconds += 1 / STEPS_PER_SECOND
        step = np.array([now.x - before.x, now.y - before.y])
        if action is None:
            return
        meant = before.rotated(action)
        wrong = np.array([now.yaw - meant.yaw, now.pitch - meant.pitch])
        self._strayed += wrong
        ahead = np.array([math.sin(now.yaw), math.cos(now.yaw)])
        aside = np.array([ahead[1], -ahead[0]])
        asked = action.forward * ahead + action.strafe * aside
        size = float(np.hypot(*asked))
        backwards = max(0.0, -float(step @ asked) / size) if size > 0.1 else float(np.hypot(*step))
        self._astray += backwards
        self._against = LEAK * self._against + backwards
        self._misturned = max(self._misturned, float(np.abs(wrong).max()))

    def _path(self, frame: Frame) -> dict[str, float]:
        return {
            "time": math.log1p(self._seconds), "seconds": self._seconds,
            "pitch": abs(frame.pose.pitch),
            "strayed": 1 - math.exp(-float(np.abs(self._strayed).sum()) / STRAYED_TURN - self._astray / STRAYED_WAY),
            "against": self._against, "misturned": self._misturned, "swapped": self._swapped,
        }  # fmt: skip

    def _picture(self, frame: Frame, last: Frame | None, action: Action | None) -> dict[str, float]:
        colours = _colours(frame)
        luma = _luma(colours)
        found = _bands(luma)
        found["palette_change"] = self._palette(colours)
        found["brightness"] = float(luma.mean())
        if last is not None and last.thumbnail is not None and frame.thumbnail is not None:
            found |= self._motion(_luma(_colours(last)), luma, last.pose, frame.pose, action)
        return found

    def _palette(self, colours: Plane) -> float:
        """How far the mean colours of the upper and the lower third are from those of the first seconds."""
        third = THUMB_HEIGHT // 3
        now = np.stack([colours[:, :third].mean((1, 2)), colours[:, -third:].mean((1, 2))])
        if len(self._palettes) < RECENT:
            self._palettes.append(now)
        return float(np.linalg.norm(now - np.mean(self._palettes, 0)))

    def _motion(self, before: Plane, now: Plane, last: Pose, pose: Pose, action: Action | None) -> dict[str, float]:
        meant = pose if action is None else last.rotated(action)
        right = -(meant.yaw - last.yaw) * THUMB_WIDTH / 2 / TAN_X
        down = (meant.pitch - last.pitch) * THUMB_HEIGHT / 2 / TAN_Y
        drawn = shift(before, now)
        dx, dy = round(right), round(down)
        y0, y1, x0, x1 = max(0, dy), THUMB_HEIGHT + min(0, dy), max(0, dx), THUMB_WIDTH + min(0, dx)
        difference = now[y0:y1, x0:x1] - before[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
        flicker = math.log(float(np.abs(difference).mean()) + 1e-3)
        return {
            "motion": abs(drawn[0] - right) + abs(drawn[1] - down),
            "flicker": flicker,
            "shimmer": max(0.0, flicker - STEADY),
        }

    def _latent(self, frame: Frame) -> dict[str, float]:
        if frame.latent is None:
            return {}
        tone = _tone(frame.latent)
        if self._first is None:
            self._first = tone
        apart = [_apart(tone, other) for other in self._tones]
        if self._judged % NOVELTY_EVERY == 0:
            self._tones.append(tone)
        return _spread(frame.latent) | {
            "tone": _apart(tone, self._first),
            "novelty": sum(apart) / len(apart) if apart else 0.0,
        }

    def _seen(self, frame: Frame, asked: Conditions) -> dict[str, float]:
        if frame.seen is None:
            return {}
        seen, wanted = frame.seen.to_array(), asked.to_array()
        return {
            "seen_biome": float(np.abs(seen[BIOME_COLUMNS] - wanted[BIOME_COLUMNS]).sum() / 2),
            "seen_hour": float(np.linalg.norm(seen[HOUR_COLUMNS] - wanted[HOUR_COLUMNS]) / 2),
        }

    def _changes(self, found: dict[str, float]) -> dict[str, float]:
        changes: dict[str, float] = {}
        for name in CHANGING:
            if name not in found:
                continue
            reference = self._reference.setdefault(name, [])
            if len(reference) < RECENT:
                reference.append(found[name])
            first = sum(reference) / len(reference)
            changes |= {f"{name}_first": first, f"{name}_change": found[name] - first}
        return changes

    def _lasting(self, found: dict[str, float]) -> dict[str, float]:
        share = 1 - math.exp(-1 / (MEMORY_SECONDS * JUDGED_PER_SECOND))
        for name in SLOW & found.keys():
            before = self._means.get(name, found[name])
            self._means[name] = before + share * (found[name] - before)
        return {f"{name}_lasting": mean for name, mean in self._means.items()}

    def _jumps(self, found: dict[str, float]) -> dict[str, float]:
        jumps = {}
        for name in JUMPY:
            if name not in found:
                continue
            recent = self._recent.setdefault(name, deque(maxlen=RECENT))
            jumps[f"{name}_jump"] = found[name] - float(np.median(recent)) if len(recent) >= 3 else 0.0
            recent.append(found[name])
        return jumps


def _memory(frame: Frame) -> dict[str, float]:
    """How well what was drawn agrees with what memory shows of the view, if that is something."""
    if frame.hint is None or frame.thumbnail is None:
        return {}
    known = frame.hint[3] > 0.5
    if known.mean() < 0.05:
        return {}
    error = np.abs(frame.thumbnail[:3] - frame.hint[:3]).sum(0)
    return {"agreement": math.log(float(error[known].mean()) / 6 + 3e-3)}


def _tone(latent: Plane) -> Plane:
    """What of a latent, float32 (16, 18, 32), is compared with another of the same world, whose pose may differ: what
    colour and kind is where (after LPIPS, Zhang et al. 2018)."""
    tone: Plane = latent / np.sqrt((latent * latent).sum(0) + 0.1)
    return tone


def _apart(one: Plane, other: Plane) -> float:
    """Between 0 and 4: the mean distance of two tones, squared."""
    return float(((one - other) ** 2).sum(0).mean())


def _spread(latent: Plane) -> dict[str, float]:
    """How far its values are from the usual ones, how rough it is, and how rough where it is smoothest."""
    channels = latent.reshape(latent.shape[0], -1)
    mean, variance = channels.mean(1), channels.var(1) + 1e-6
    across = np.abs(np.diff(latent, axis=2))
    rough = float(across.mean() + np.abs(np.diff(latent, axis=1)).mean())
    grain = math.log(float(np.quantile(across.mean(0), SMOOTHEST)) + 1e-3)
    return {
        "latent": float(0.5 * (variance + mean * mean - 1 - np.log(variance)).mean()),
        "latent_rough": math.log(rough + 1e-3),
        "grain": grain,
        "noisy": max(0.0, grain - SMOOTH),
    }


def _colours(frame: Frame) -> Plane:
    """Colours in [0, 1], float32 (3, 72, 128): of the thumbnail, or of every n-th pixel of the image."""
    if frame.thumbnail is not None:
        return frame.thumbnail[:3] * np.float32(0.5) + np.float32(0.5)
    rows = np.arange(THUMB_HEIGHT) * frame.image.shape[0] // THUMB_HEIGHT
    columns = np.arange(THUMB_WIDTH) * frame.image.shape[1] // THUMB_WIDTH
    return frame.image[rows[:, None], columns].transpose(2, 0, 1).astype(np.float32) / 255


def _luma(colours: Plane) -> Plane:
    luma: Plane = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), colours, 1)
    return luma


def _bands(luma: Plane) -> dict[str, float]:
    """The logarithm of the mean size of detail in each band."""
    found = {}
    for name in BANDS:
        height, width = luma.shape[0] // 2, luma.shape[1] // 2
        small = luma[: height * 2, : width * 2].reshape(height, 2, width, 2).mean((1, 3))
        detail = luma[: height * 2, : width * 2] - small.repeat(2, 0).repeat(2, 1)
        found[name] = math.log(float(np.abs(detail).mean()) + 1e-3)
        luma = small
    return found


def shift(before: Plane, after: Plane) -> tuple[float, float]:
    """How far a picture as a whole moved, in pixels: (right, down); planes of luma, float32 (H, W).

    Phase correlation (Kuglin and Hines 1975), half whitened and without the finest detail, which a dream draws anew
    in every frame.
    """
    height, width = before.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    first, second = (np.fft.rfft2((plane - plane.mean()) * window) for plane in (before, after))
    cross = second * first.conj()
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    cross *= np.exp(-(rows**2 + columns**2) / (2 * 0.12**2)) / np.sqrt(np.abs(cross) + 1e-9)
    peak = int(np.fft.irfft2(cross, s=(height, width)).argmax())
    down, right = peak // width, peak % width
    return float((right + width // 2) % width - width // 2), float((down + height // 2) % height - height // 2)
