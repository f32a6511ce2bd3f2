"""Odometry: where the eye is, step by step, from what is asked of it and the ground that it knows."""

from __future__ import annotations

import math
from copy import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.actions import JUMP_STEPS
from genie_lite.engine.ground import SOFTLY, Seen, Trodden
from genie_lite.engine.obstacles import REACH, Obstacles
from genie_lite.model.motion import WALK_STEP, Motion, advance, jump_steps, motion_between

STILL = 0.06
"""Rises below this (walking steps, 1 cm) are none when no key moves the player."""

LASTING = 0.97
"""Share of a step's rise that is told to the next one: a slope must not go on for ever."""

SEEN_SLOPE, SEEN_HEIGHT = 0.3, 0.1
"""How far each step corrects the rise towards the slope that was seen, and the height towards the ground that was seen:
shares, scaled by how sure the fit is. Small, because seen depth is off by decimetres."""

SURE_FOOTED = 10.0
"""Metres of walking over which the influence of seen ground grows linearly from none to full."""

ASIDE = (0.0, 0.5, -0.5, 1.0, -1.0)
"""Radians by which a step is turned, one after the other, until nothing bars its way; it is shorter the more it is."""

CLOSER = 0.05
"""Tolerance in metres: a step may end up to this much inside REACH of an obstacle, so that one gets past."""


class Odometry:
    """The path of one eye, from a pose (1 5 float64) on.

    One that remembers knows the ground it has walked on, so that the way back leads to where it began, and what stands
    in its way.
    """

    def __init__(self, motion: Motion, pose: Tensor, remembers: bool) -> None:
        self.pose = pose
        self._motion, self._lifts = motion, motion.lifts.detach().float()
        self._past = torch.zeros(1, 3)
        self._jump, self._height, self._walked = 0, 0.0, 0.0
        self._seen, self._looked = Seen(), torch.full_like(pose, torch.inf)
        self._trodden = Trodden(pose[:, :3]) if remembers else None
        self._obstacles = Obstacles() if remembers else None

    def follow(self, path: Tensor, actions: Tensor) -> None:
        """Takes a true path (T 5 float64) for its own. actions: what led along it since the world began, T - 1 or more
        rows of 6, the last of which led to the last pose."""
        steps = [0, *jump_steps(actions[:, 4] > 0.5)][-len(path) :]
        heights = self._lifts.cumsum(0)[steps] * WALK_STEP * (torch.tensor(steps) < JUMP_STEPS)
        self.pose = path[-1:]
        if len(path) > 1:
            self._past = motion_between(path[-2:-1], path[-1:])[:, :3].float()
            self._past[:, 2] -= self._lifts[steps[-1]]
        self._jump, self._height = steps[-1], float(heights[-1])
        if self._trodden:
            floors = path[:, :3] - F.pad(heights[:, None], (2, 0))
            self._trodden = Trodden(floors)
            for floor in floors:
                self._trodden.tread(floor)

    def look(self, thumbnail: Tensor, pose: Tensor) -> None:
        """Sees how the ground lies: RGB-D 1 4 72 128 from a pose (1 5). Twice from one pose is as good as once."""
        if not torch.equal(pose, self._looked):
            self._seen.look(thumbnail[0, 3], pose[0])
            self._looked = pose

    def meet(self, log_depth: Tensor, trust: Tensor, pose: Tensor) -> None:
        """Sees what stands in the way: log-depth and how far to trust it, 1 1 72 128 each, from a pose (1 5)."""
        if self._obstacles:
            self._obstacles.look(log_depth[0, 0], trust[0, 0], pose[0])

    def step(self, thumbnail: Tensor, action: Tensor) -> Tensor:
        """Goes on by an action (1 6) from what is seen now (1 4 72 128); returns the motion (1 5) of this step."""
        before = self.pose
        self.look(thumbnail, before)
        (self._jump,) = jump_steps(action[:, 4] > 0.5, self._jump)
        with torch.no_grad():
            walked = self._motion(action, self._past)
        lift = 0.0
        if action[:, :2].any():
            walked, lift = self._over_ground(action, self._past_obstacles(action, walked))
        elif walked.abs().max() < STILL:
            walked = torch.zeros_like(walked)
        lifted = float(self._lifts[self._jump])
        self.pose = advance(before, action, walked + torch.tensor([[0.0, 0.0, lift + lifted]]))
        self._height = self._height + lifted * WALK_STEP if self._jump < JUMP_STEPS else 0.0
        self._past = walked * torch.tensor([1.0, 1.0, LASTING])
        return motion_between(before, self.pose).float()

    def _past_obstacles(self, action: Tensor, walked: Tensor) -> Tensor:
        """A step (1 3), or one aside of what bars its way, or none. It may always lead farther from what is near."""
        if not self._obstacles:
            return walked
        here = None
        for angle in ASIDE:
            sin, cos = math.sin(angle), math.cos(angle)
            forward, right, up = (walked * cos).unbind(1)
            aside = torch.stack([forward * cos - right * sin, forward * sin + right * cos, up], 1)
            near = self._obstacles.nearest(self._place(action, aside))
            if near < REACH and here is None:
                here = self._obstacles.nearest(self._place(action, walked * 0))
            if here is None or near >= min(here, REACH - CLOSER):
                return aside
        return walked * 0

    def _place(self, action: Tensor, walked: Tensor) -> Tensor:
        """Where the eye is after a step (1 3), at its usual height above the ground: 3."""
        place = advance(self.pose, action, walked)[0, :3]
        place[2] -= self._height
        return place

    def _over_ground(self, action: Tensor, walked: Tensor) -> tuple[Tensor, float]:
        """A step (1 3) as it rises over ground that is known, and WALK_STEPs by which it is lifted beside that."""
        place = self._place(action, walked)
        self._walked += float((place - self.pose[0, :3])[:2].norm())
        lift, known = 0.0, self._trodden.above(place) if self._trodden else None
        if known is not None:
            walked = walked + torch.tensor([[0.0, 0.0, known / WALK_STEP]])
            place[2] += known
        else:
            higher, slope, sure = self._seen.lie(place)
            sure *= min(1.0, self._walked / SURE_FOOTED)
            rise = float(slope @ (place - self.pose[0, :3])[:2]) / WALK_STEP
            learned = SEEN_SLOPE * sure * (rise - float(walked[0, 2]))
            walked = walked + torch.tensor([[0.0, 0.0, learned]])
            lift = max(-SOFTLY, min(SOFTLY, SEEN_HEIGHT * sure * higher)) / WALK_STEP
            place[2] += learned * WALK_STEP + lift * WALK_STEP
        if self._trodden:
            self._trodden.tread(place)
        return walked, lift

    def branch(self) -> Odometry:
        """The same path so far, going on by itself."""
        other = copy(self)
        other._seen = self._seen.branch()
        other._trodden = self._trodden.branch() if self._trodden else None
        other._obstacles = self._obstacles.branch() if self._obstacles else None
        return other
