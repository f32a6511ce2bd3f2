"""The dream: draws a world from a checkpoint. Knows no window, clock or disk beyond reading its weights.

One frame is made in this order: motion says where the action leads, memory shows what it knows of the view from there
while imagination, in a thread beside it, goes on with one that may come later, dynamics dreams the next latent, and the
decoder makes it a picture. All noise comes from (seed, frame index).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genie_lite.actions import ACTION_DIM, Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions
from genie_lite.engine.album import Album
from genie_lite.engine.odometry import Odometry
from genie_lite.engine.painter import Painters
from genie_lite.engine.past import Past
from genie_lite.engine.protocol import MOST_GUIDANCE, SEEN_EVERY, EngineInfo, Frame, Look, Start
from genie_lite.engine.runtime import Network, available_cores, compile_network, pick_dtype, pick_runtime
from genie_lite.errors import UsageError
from genie_lite.model.autoencoder import LATENT_BOUND, LATENT_CHANNELS, PICTURE_SIZES
from genie_lite.model.checkpoint import Model, load_model
from genie_lite.model.dynamics import CONTEXT_FRAMES, dynamics_vector
from genie_lite.model.familiar import STRANGE, Familiar
from genie_lite.model.first_frame import Drawn
from genie_lite.model.imagination import Imagination, ImaginedView
from genie_lite.model.layers import to_unit
from genie_lite.model.memory import clamp_thumbnail, empty_hint, with_depth
from genie_lite.model.prior import FollowingPrior
from genie_lite.model.recall import Recall, Rendered
from genie_lite.model.relight import Relight
from genie_lite.model.sampler import sample, seeded_noise
from genie_lite.pictures import as_frame
from genie_lite.timing import Stopwatch

FRAME_BUDGET_MS = 36.0
"""What `--quality auto` lets a step cost, so that drawing the window still fits into 1/24 s."""

RESTING = 0.05
"""Share of the way to what is dreamed that a step goes while the eye rests: the view is the same, so nearly all of the
change is error, and what is left lets a new hour or weather come within a second or two."""

MET_EVERY = 4
"""Frames: one view in so many shows what stands in the way, as the others do."""

QUALITIES = ("auto", *PICTURE_SIZES)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Which checkpoint, and how to run it. threads: None takes every processor core; guidance: how closely the first
    frame keeps to its conditions, see FirstFrame.draw."""

    checkpoint: Path
    quality: str = "auto"
    memory: bool = True
    runtime: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    denoising_steps: int = 1
    guidance: float = 1.0


class DreamEngine:
    """The model as an `Engine` (see protocol.py)."""

    def __init__(self, model: Model, options: EngineOptions) -> None:
        if options.quality not in QUALITIES:
            raise UsageError(f"unknown quality {options.quality!r}; choose one of {', '.join(QUALITIES)}")
        if not 0 <= options.guidance <= MOST_GUIDANCE:
            raise UsageError(f"--guidance {options.guidance:g} is not between 0 and {MOST_GUIDANCE:g}")
        self._model, self._options = model, options
        self._threads = options.threads or available_cores()
        self._runtime, self._dtype = pick_runtime(options.runtime), pick_dtype(options.dtype)
        # What is imagined beside a step takes one thread. PyTorch gives threads that begin later what was set last.
        self._beside = ThreadPoolExecutor(1)
        self._beside.submit(torch.set_num_threads, 1).result()
        # Idle threads of PyTorch spin, and would take the cores from OpenVINO's (3 ms a frame on two cores).
        self._own_threads = 1 if self._runtime == "openvino" else self._threads
        torch.set_num_threads(self._own_threads)
        self._quality = "720p" if options.quality == "auto" else options.quality
        self._chosen, self._warm = options.quality != "auto", False
        self._painters = Painters(model.autoencoder, self._compile)
        latent, vector = torch.zeros(1, LATENT_CHANNELS, 18, 32), torch.zeros(1, 32)
        context, hint = latent.repeat(1, CONTEXT_FRAMES, 1, 1), empty_hint(1, latent.device)
        self._dynamics = self._compile(model.dynamics, latent, context, hint, vector)
        self._thumbnail = self._compile(model.autoencoder.thumbnail, latent, torch.zeros(1, 1))
        self._seed = self._index = 0
        self._conditions: Conditions | None = None
        self._context: Tensor
        self._hint: Tensor | None
        self._kept: float
        self._album: Album
        self._odometry: Odometry
        self._thumb: Tensor
        self._familiar: Familiar | None = None
        self._recalled = Recall(model.autoencoder)
        self._light = Relight(model.autoencoder, model.weather)
        # Examples are not shown as they were seen, but under the sky asked for.
        model.first_frame.relit = self._light.views
        self._prior: FollowingPrior
        self._began: int

    @classmethod
    def load(cls, options: EngineOptions) -> DreamEngine:
        """Reads the checkpoint and compiles its networks. Raises CheckpointError or UsageError."""
        return cls(load_model(options.checkpoint), options)

    @property
    def info(self) -> EngineInfo:
        """What draws, and how it is set."""
        return EngineInfo(
            name="dream",
            checkpoint=self._options.checkpoint.name,
            checkpoint_hash=self._model.hash,
            size=PICTURE_SIZES[self._quality],
            dtype={"bf16": "bfloat16", "fp32": "float32"}[self._dtype],
            runtime=self._runtime,
            memory=self._options.memory,
            denoising_steps=self._options.denoising_steps,
            threads=self._threads,
            guidance=self._options.guidance,
        )

    def warm_up(self) -> None:
        """Runs a few frames; with quality `auto` also picks the largest picture that leaves time for the window, or the
        fastest if none does, which need not be the smallest. Does nothing the second time."""
        if self._warm:
            return
        costs: dict[str, float] = {}
        for quality in list(PICTURE_SIZES) if not self._chosen else [self._quality]:
            self._quality = quality
            self.reset(Conditions(meadow=1.0), 0)
            steps = [sum(self.step(Action(forward=1.0)).timings.values()) for _ in range(16)]
            costs[quality] = float(np.median(steps[4:]))
            if costs[quality] <= FRAME_BUDGET_MS:
                break
        else:
            self._quality = min(costs, key=costs.__getitem__)
        self._chosen = self._warm = True
        self._conditions = None

    def reset(self, start: Start, seed: int) -> Frame:
        """Begins an episode. Raises ImageError for a start frame that is not an RGB picture."""
        torch.set_num_threads(self._own_threads)  # The thread that dreams need not be the one that loaded.
        self._seed, self._index, depth = seed, 0, None
        self._shown = self._model.first_frame.unshown()
        if isinstance(start, Conditions):
            self._conditions = start
            *_, (latent, depth) = self._first_drawing(start, seed, self._shown)
        else:
            latent = self._encode(as_frame(start)[None])
            self._conditions = self._read_conditions(latent)
        first = self._begin(latent.repeat(CONTEXT_FRAMES, 1, 1, 1), torch.zeros(1, 5, dtype=torch.float64), depth)
        self._look_around()
        return first

    def follow(
        self,
        frames: NDArray[np.uint8],
        poses: NDArray[np.float64],
        actions: Sequence[Action],
        conditions: Conditions,
        seed: int,
    ) -> Frame:
        """Takes a true past for its own, as if it had dreamed it: where a measured rollout begins.

        frames: uint8 (T, 144, 256, 3), oldest first; poses: (T, 5); actions: all that led to the last frame since the
        world began, T - 1 or more; conditions: those of the last frame. The last four frames become the context, and
        memory holds what play would have stored on the way. Returns the last frame as the decoder draws it, with index
        T - 1.
        """
        self._seed, self._index, self._conditions = seed, len(frames) - 1, conditions
        self._shown = self._model.first_frame.unshown()
        path = torch.from_numpy(np.asarray(poses, np.float64))
        recent = self._encode(frames[-CONTEXT_FRAMES:])
        recent = torch.cat([recent[:1].expand(CONTEXT_FRAMES - len(recent), -1, -1, -1), recent])
        past = Past(frames, path, self._encode, self._thumbnail_of)
        last = self._begin(recent, path[-1:], past.seen([self._index])[0][1][:, 3:])
        keys = np.array([action.to_array() for action in actions], np.float32).reshape(-1, ACTION_DIM)
        self._odometry.follow(path, torch.from_numpy(keys))
        past.tell(self._odometry, self._album)
        self._look_around()
        return last

    def step(self, action: Action) -> Frame:
        """Draws the next frame under the action."""
        if self._conditions is None:
            raise RuntimeError("step() before reset()")
        self._index += 1
        watch = Stopwatch()
        with torch.inference_mode():
            act = torch.from_numpy(action.to_array())[None]
            with watch.stage("motion"):
                motion = self._odometry.step(self._thumb, act)
                pose = self._odometry.pose
            with watch.stage("memory"):
                hint, shown = self._recall(pose)
                if shown and self._index % MET_EVERY == 0:
                    self._odometry.meet(shown.depth, shown.trust, pose)
            view = self._imagine(motion)
            with watch.stage("dynamics"):
                dreamed = self._dream(act, motion, pose, hint)
            with watch.stage("imagination"):
                self._album.keep_imagined(view.result())
            with watch.stage("dynamics"):
                self._latent = self._settle(dreamed, hint, shown, pose, motion)
                self._context = torch.cat([self._context[:, LATENT_CHANNELS:], self._latent], 1)
        self._pose, self._hint = pose, hint if self._options.memory else None
        return self._drawn(watch, shown.seen_in if shown else None)

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        """Changes what the world is like from the next step on; with `everywhere` the view is drawn anew, and all
        others are forgotten."""
        if self._conditions is not None:
            self._relight(self._conditions, self._conditions.with_sky_of(conditions))
        if everywhere:
            self._turn_into(conditions)
        self._conditions = conditions

    def sketch(self, start: Start, seed: int) -> Iterator[NDArray[np.uint8]]:
        """The first frame after every denoising step at 256x144, and at last as `reset` would draw it."""
        torch.set_num_threads(self._own_threads)
        if isinstance(start, Conditions):
            for latent, _ in self._first_drawing(start, seed, self._model.first_frame.unshown()):
                yield self._painters.paint(latent, "144p")
        else:
            latent = self._encode(as_frame(start)[None])
        here = torch.zeros(1, 5, dtype=torch.float64)
        row = _row(start if isinstance(start, Conditions) else self._read_conditions(latent))
        yield self._paint(latent, self._thumbnail_of(latent, here), row, here, 0)

    def look(self, picture: NDArray[np.uint8]) -> Look:
        """What the conditions head reads off it, and how far its latent lies from the examples. Raises ImageError."""
        if self._familiar is None:
            self._familiar = Familiar(self._model.first_frame.examples)
        small = as_frame(picture)
        latent = self._encode(small[None])
        drawn = self._painters.paint(latent, "144p").astype(np.float64)
        psnr = 10 * np.log10(255**2 / max(1e-6, float(((drawn - small) ** 2).mean())))
        return Look(self._read_conditions(latent), self._familiar.strangeness(latent), STRANGE, float(psnr))

    def branch(self) -> DreamEngine:
        """A dream that goes on from this instant on its own, with the same networks: what-if for measurements.

        A view that is just being imagined is begun anew there.
        """
        other = copy(self)
        other._album, other._prior = self._album.branch(), copy(self._prior)
        other._odometry = self._odometry.branch()
        return other

    def disturb(self, noise: NDArray[np.float32]) -> Frame:
        """Adds noise, float32 (16, 18, 32), to the last latent and draws it again: a fault, to see what notices it."""
        with torch.inference_mode():
            self._latent = self._latent + torch.from_numpy(noise)
            self._context = torch.cat([self._context[:, :-LATENT_CHANNELS], self._latent], 1)
        return self._drawn(Stopwatch())

    def _compile(self, module: nn.Module, *examples: Tensor) -> Network:
        return compile_network(module, examples, self._runtime, self._dtype, self._threads)

    def _begin(self, context: Tensor, pose: Tensor, depth: Tensor | None = None) -> Frame:
        """Forgets everything but these last latents (4 16 18 32, oldest first) and the pose (1 5); draws the last,
        whose log-depth (1 1 72 128) may be known."""
        self._latent, self._pose = context[-1:], pose
        self._context = context.reshape(1, -1, *context.shape[2:])
        memory = self._options.memory
        self._odometry = Odometry(self._model.motion, pose, memory)
        self._hint, self._began, self._kept = None, self._index, 1.0
        self._prior = FollowingPrior(self._model.first_frame, self._row)
        imagination = Imagination(self._model.first_frame, self._model.dynamics.shown, memory, self._shown)
        given = self._seed, self._light.light, self._row, memory, depth is not None
        self._album = Album(self._recalled, imagination, self._thumbnail_of, *given)
        return self._drawn(Stopwatch(), None if depth is None else lambda thumb: with_depth(thumb, depth))

    def _first_drawing(self, start: Conditions, seed: int, shown: Tensor) -> Iterator[Drawn]:
        guidance = self._options.guidance
        return self._model.first_frame.draw(seeded_noise(seed, 0), _row(start), guidance=guidance, shown=shown)

    def _encode(self, frames: NDArray[np.uint8]) -> Tensor:
        """Frames, uint8 (N, 144, 256, 3), as latents N 16 18 32."""
        with torch.inference_mode():
            return self._model.autoencoder.encode(to_unit(torch.from_numpy(frames).permute(0, 3, 1, 2)))

    def _read_conditions(self, latent: Tensor) -> Conditions:
        with torch.inference_mode():
            return Conditions.from_array(self._model.autoencoder.conditions(latent)[0].numpy())

    def _recall(self, target: Tensor) -> tuple[Tensor, Rendered | None]:
        """What the last frame, which is remembered if it shows something new, and memory show of the target view:
        coarsely, and at full size."""
        self._remember()
        newest = self._album.memory.newest(self._thumb, self._pose, target)
        shown, self._kept = self._album.rendered(target, self._index - self._began)
        older = shown.coarse() if shown and self._options.memory else torch.zeros_like(newest)
        return torch.cat([newest, older], 1), shown

    def _imagine(self, motion: Tensor) -> Future[ImaginedView | None]:
        """Goes on with a view that is being imagined, beside the dynamics' network, which keeps no Python busy; beside
        small operations it would wait for them, and the prior chooses the same examples, which need be found once."""
        self._prior.follow(self._row)
        return self._beside.submit(self._album.imagine, self._thumb, self._pose, motion, self._prior.under, self._index)

    def _remember(self) -> None:
        self._album.remember(self._latent, self._thumb, self._pose, self._index, self._index - self._began)

    @torch.inference_mode()
    def _look_around(self) -> None:
        self._remember()
        self._album.look_around(self._thumb, self._pose, self._row)

    def _relight(self, before: Conditions, after: Conditions) -> None:
        """Puts what is in view and in memory into another light."""
        if before == after:
            return
        with torch.inference_mode():
            frame = torch.from_numpy(self._painters.paint(self._latent, "144p")).permute(2, 0, 1)[None]
            rows = _row(before), _row(after)
            change = self._light.change(to_unit(frame), self._thumb[:, 3:], self._pose, *rows)
            context = self._context + change.repeat(1, CONTEXT_FRAMES, 1, 1)
            self._context = context.clamp(-LATENT_BOUND, LATENT_BOUND)
            self._latent = self._context[:, -LATENT_CHANNELS:]
            self._thumb = self._thumbnail_of(self._latent, self._pose)
            self._album.memory.come_under(_row(after))

    def _turn_into(self, conditions: Conditions) -> None:
        """Forgets every view, and begins to draw this one anew under other conditions."""
        if self._conditions is not None:
            change = self._model.first_frame.recolour(self._row, _row(conditions))
            self._album.turn_into(self._latent + change, self._pose, _row(conditions), self._index)

    def _thumbnail_of(self, latent: Tensor, pose: Tensor) -> Tensor:
        """The RGB-D thumbnail (1 4 72 128) of a latent seen from a pose (1 5)."""
        return clamp_thumbnail(self._thumbnail(latent, pose[:, 4:5].float()))

    @property
    def _row(self) -> Tensor:
        """The conditions of now as networks take them: 1 18."""
        assert self._conditions is not None
        return _row(self._conditions)

    def _dream(self, action: Tensor, motion: Tensor, pose: Tensor, hint: Tensor) -> Tensor:
        conditions = self._row
        pitch, zero = pose[:, 4:5].float(), torch.zeros(1, 1)

        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            return self._dynamics(
                noisy, self._context, hint, dynamics_vector(action, motion, pitch, conditions, time, zero)
            )

        return sample(predict, seeded_noise(self._seed, self._index), self._options.denoising_steps)

    def _settle(self, latent: Tensor, hint: Tensor, shown: Rendered | None, pose: Tensor, motion: Tensor) -> Tensor:
        """The dreamed latent, pulled a little to what such a world may look like, and to what memory shows."""
        moved = float(motion.abs().max())
        if moved == 0:
            latent = self._latent + RESTING * (latent - self._latent)
        known = functional.avg_pool2d(torch.maximum(hint[:, 3:4], hint[:, 7:8]), 4)[0, 0]
        settled = self._prior.pull(latent, known, float(pose[0, 4]), self._index - self._began, moved)
        return self._recalled.over(settled, shown, self._index - self._began) if shown else settled

    def _paint(self, latent: Tensor, thumb: Tensor, conditions: Tensor, pose: Tensor, index: int) -> NDArray[np.uint8]:
        """The picture of a latent, behind what falls from the sky."""
        return self._painters.paint(self._light.in_weather(latent, thumb, conditions, pose, index), self._quality)

    @torch.inference_mode()
    def _drawn(self, watch: Stopwatch, deepened: Callable[[Tensor], Tensor] | None = None) -> Frame:
        """The last latent as a frame; deepened gives its thumbnail the depth that is known better."""
        assert self._conditions is not None
        with watch.stage("decode"):
            self._thumb = self._thumbnail_of(self._latent, self._pose)
            if deepened:
                self._thumb = deepened(self._thumb)
            image = self._paint(self._latent, self._thumb, self._row, self._pose, self._index)
            seen = None if self._index % SEEN_EVERY else self._read_conditions(self._latent)
        return Frame(
            image=image,
            index=self._index,
            pose=Pose.from_array(self._pose[0].numpy()),
            conditions=self._conditions,
            latent=self._latent[0].numpy(),
            thumbnail=self._thumb[0].numpy(),
            hint=None if self._hint is None else self._hint[0, 4:].numpy(),
            kept=self._kept,
            timings=watch.milliseconds,
            seen=seen,
        )


def _row(conditions: Conditions) -> Tensor:
    """Conditions as networks take them: 1 18."""
    return torch.from_numpy(conditions.to_array())[None]
