"""The album: the views that a dream keeps in spatial memory, seen or imagined, and what they show again."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import torch
from torch import Tensor

from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH
from genie_lite.model.imagination import Imagination, ImaginedView
from genie_lite.model.layers import to_bytes, to_unit
from genie_lite.model.light import Light
from genie_lite.model.memory import DREAMED, SpatialMemory, with_depth
from genie_lite.model.recall import Recall, Rendered
from genie_lite.model.sampler import seeded_noise

SLOTS = 256
"""Views that fit in; then the oldest make room."""

MOVED, TURNED = 1.0, 0.25
"""Metres and radians from which on a view is another one than the last that was kept."""

HERE = 1.0
"""Metres up to which two views are from the same place, where nothing that one shows is hidden in the other."""

IMAGINED_WORTH = 0.75
"""What an imagined view is worth beside a first one (see memory.DREAMED): where one has been, it must not win."""

GUESSED = 0.8
"""How far what is only imagined is to be trusted when it is recalled, beside what was seen."""

FAITHFUL = 72
"""Frames after a true past during which imagined views get no trust, for what is left of the truth is worth more; it
then rises linearly to GUESSED over as many frames. A new dream with memory trusts them at once, one without memory
ramps up from frame 0."""

FADE = 12
"""Frames that a view takes to come over the dream when the eye gets to where it shows most."""

TURNING = 40
"""Frames after everything was to turn into something else during which no view is remembered: first one is drawn as it
shall be, then what is seen goes over to it."""

IMAGINED, AROUND = 2**40, 2**41
"""Added to the frame's number, and to a direction's, for the noise of what is only imagined."""


class Album:
    """A SpatialMemory of one world, filled in turns, with the whole pictures beside the thumbnails.

    thumbnail makes of a latent (1 16 18 32) seen from a pose (1 5) its thumbnail (1 4 72 128); light shows views under
    other conditions than those (1 18) that the world is under at first; exact: the first view's depth is known, and not
    read off its picture. Poses are float64. One that does not remember holds nothing that was seen, and of what was
    imagined the last view alone.
    """

    def __init__(
        self,
        recall: Recall,
        imagination: Imagination,
        thumbnail: Callable[[Tensor, Tensor], Tensor],
        seed: int,
        light: Light,
        conditions: Tensor,
        remembers: bool = True,
        exact: bool = False,
    ) -> None:
        self._remembers, self._slots = remembers, SLOTS if remembers else 1
        self.memory = SpatialMemory(1, self._slots, torch.device("cpu"), light=light, conditions=conditions)
        self._recall, self._thumbnail, self._seed = recall, thumbnail, seed
        self._imagination, self._settled_from = imagination, 0
        # Filled, so that all of it is taken at once and play needs no more memory as it goes on.
        self._pictures = torch.full((self._slots, 3, FRAME_HEIGHT, FRAME_WIDTH), 127, dtype=torch.uint8)
        self._skies = self._pictures.clone()
        self._kept = 0
        self._pose = torch.full((1, 5), torch.inf, dtype=torch.float64)
        self._shown, self._exact = torch.zeros(self._slots), torch.zeros(self._slots, dtype=torch.bool)
        self._begins_exact = exact
        self._has_true_past = False

    def remember(self, latent: Tensor, thumbnail: Tensor, pose: Tensor, index: int, age: int) -> None:
        """Keeps the newest frame, of this index in a dream of so many frames, if it shows something new or is the one
        that the dream begins with."""
        if self._remembers and index >= self._settled_from and (self._is_new(pose) or age == 0):
            exact = self._begins_exact and age == 0
            self._keep(latent, thumbnail, pose, 1.0 if age <= 1 else DREAMED, exact)

    def remember_true(self, seen: Callable[[list[int]], list[tuple[Tensor, Tensor]]], path: Tensor) -> None:
        """Keeps what play would have kept of true frames on their path (T 1 5); seen gives the latents and thumbnails
        of some."""
        self._has_true_past = True
        if not self._remembers:
            return
        kept = [index for index, pose in enumerate(path) if self._is_new(pose)]
        for (latent, thumbnail), index in zip(seen(kept), kept, strict=True):
            self._keep(latent, thumbnail, path[index], 1.0, exact=False)

    def look_around(self, thumbnail: Tensor, pose: Tensor, conditions: Tensor) -> None:
        """Draws what lies in every other direction than that of a world's first view, so that there is something to
        see as soon as one turns."""
        if not self._remembers:
            return
        views = self._imagination.around(
            self.memory, thumbnail, pose, conditions, lambda number: seeded_noise(self._seed, AROUND + number)
        )
        for view in views:
            self.keep_imagined(self._fitted(view))

    @torch.inference_mode()
    def imagine(
        self, thumbnail: Tensor, pose: Tensor, motion: Tensor, conditions: Tensor, index: int
    ) -> ImaginedView | None:
        """Goes on with drawing what the eye may see next. Only reads the memory, so that others may do so beside it."""
        if index < self._settled_from and not self._imagination.drawing:
            return None
        noise = seeded_noise(self._seed, IMAGINED + index)
        view = self._imagination.step(self.memory, thumbnail, pose, motion, conditions, noise)
        return self._fitted(view) if view else None

    def keep_imagined(self, view: ImaginedView | None) -> None:
        """Stores a view that `imagine` has finished."""
        if view:
            latent, depth, pose = view
            self._keep(latent, with_depth(self._thumbnail(latent, pose), depth), pose, IMAGINED_WORTH, exact=True)

    def turn_into(self, latent: Tensor, pose: Tensor, conditions: Tensor, index: int) -> None:
        """Forgets every view, and begins to draw this one (1 16 18 32, recoloured) anew under other conditions."""
        self.memory.forget()
        self._imagination.redraw(latent, pose, conditions, seeded_noise(self._seed, IMAGINED + index))
        self._settled_from = index + TURNING

    def branch(self) -> Album:
        """The same views; one that is just being imagined is begun anew."""
        other = copy(self)
        other.memory, other._pictures, other._skies = self.memory.branch(), self._pictures.clone(), self._skies.clone()
        other._shown, other._exact = self._shown.clone(), self._exact.clone()
        other._imagination = self._imagination.anew()
        return other

    @torch.inference_mode()
    def rendered(self, target: Tensor, age: int) -> tuple[Rendered | None, float]:
        """What the best views show of the target pose (1 5) in a dream of so many frames, None of a memory without any;
        and how much of it is what the dream began with, in [0, 1].

        Only reads the memory."""
        target = target.float()
        chosen = torch.cat(self.memory.best(target))[: self._slots]
        certainty = self._certainty(chosen, age)
        chosen, certainty = chosen[certainty > 0], certainty[certainty > 0]
        if not len(chosen):
            return None, 0.0
        shown = self._show(chosen, target, certainty)
        return shown, shown.part_of(self.memory.worth[0, chosen] == 1)

    def _show(self, chosen: Tensor, target: Tensor, certainty: Tensor | None = None) -> Rendered:
        """What the views in these slots (N), trusted so far (N), show of the target pose (1 5)."""
        pictures = self.memory.lit(to_unit(self._pictures[chosen]), chosen)
        skies = self.memory.lit(to_unit(self._skies[chosen]), chosen, skies=True)
        depth, poses, exact = self.memory.views[0, chosen, 3:], self.memory.poses[0, chosen], self._exact[chosen]
        return self._recall.rendered(pictures, skies, depth, poses, target.expand_as(poses), certainty, exact)

    def _fitted(self, view: ImaginedView) -> ImaginedView:
        """An imagined view under what crisp ones from the same place show of it, so that whoever turns there sees each
        thing once and for good."""
        latent, depth, pose = view
        target, chosen = pose.float(), torch.cat(self.memory.best(pose.float()))[: self._slots]
        near = (self.memory.poses[0, chosen, :3] - target[:, :3]).norm(dim=1) < HERE
        chosen = chosen[near & (self.memory.worth[0, chosen] > DREAMED)]
        if not (self._remembers and len(chosen)):
            return view
        shown = self._show(chosen, target)
        latent = self._recall.laid_over(latent, shown.colours, shown.within())
        return latent, torch.where(shown.known > 0, shown.depth, depth), pose

    def _certainty(self, chosen: Tensor, age: int) -> Tensor:
        """How far the views in these slots (N) are to be trusted now that they are shown: N in [0, 1]."""
        self._shown[chosen] += 1
        if self._has_true_past:
            later = max(0.0, age / FAITHFUL - 1)
        elif self._remembers:
            later = 1.0
        else:
            later = age / FAITHFUL
        guessed = (self._shown[chosen] / FADE).clamp_max(1) * GUESSED * min(1.0, later)
        worth = self.memory.worth[0, chosen]
        return torch.where(worth == IMAGINED_WORTH, guessed, worth.sign())

    def _is_new(self, pose: Tensor) -> bool:
        """Whether a frame from this pose (1 5) shows something that the last one of which this was true does not."""
        moved = (pose - self._pose).abs()
        new = bool((moved[:, :3].norm() > MOVED) | (moved[:, 3:].max() > TURNED))
        if new:
            self._pose = pose
        return new

    def _keep(self, latent: Tensor, thumbnail: Tensor, pose: Tensor, worth: float, exact: bool) -> None:
        """Stores a view: 1 16 18 32 and its thumbnail, 1 4 72 128, from 1 5; worth as in SpatialMemory."""
        slot = torch.tensor([self._kept % self._slots])
        self.memory.store(slot, thumbnail, pose, torch.tensor([worth]), torch.tensor([True]))
        picture = self._recall.picture(latent)
        for kept, shown in ((self._pictures, picture), (self._skies, self._recall.sky_of(picture, thumbnail[:, 3:]))):
            kept[slot] = to_bytes(shown)
        self._shown[slot], self._exact[slot] = 0, exact
        self._kept += 1
