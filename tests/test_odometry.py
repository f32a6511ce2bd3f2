"""The path of the eye: jumps, slopes, ground that has been walked on, and ground that has been seen."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.actions import JUMP_STEPS, STEPS_PER_SECOND, TURN_RATE, Action
from genie_lite.camera import EYE_HEIGHT, FAR
from genie_lite.engine.ground import MOST_PLACES, MOST_SEEN, Seen, Trodden
from genie_lite.engine.odometry import Odometry
from genie_lite.model.motion import WALK_STEP, Motion, jump_steps, stride
from genie_lite.model.reproject import camera_rays, log_depth, rotation
from genie_lite.worlds import make_world

FAR_AWAY = torch.ones(1, 4, 72, 128)
"""A view that shows no ground."""

ARC = torch.linspace(1, -1, JUMP_STEPS)


class Climbing(Motion):
    """Rises by so much of its length, and by `always` in any case, whatever it did before."""

    def __init__(self, rise: float = 0.0, always: float = 0.0) -> None:
        super().__init__()
        self.rise, self.always = rise, always
        self.arc.data = ARC.clone()

    def forward(self, action: Tensor, past: Tensor) -> Tensor:
        """Of one step."""
        asked = stride(action)
        return asked + torch.tensor([[0.0, 0.0, 1.0]]) * (self.always + self.rise * asked.norm())


def odometry(motion: Motion | None = None, remembers: bool = True) -> Odometry:
    return Odometry(motion or Climbing(), torch.zeros(1, 5, dtype=torch.float64), remembers)


def goes(eye: Odometry, *actions: Action) -> Tensor:
    """The poses that the actions lead to: T 5."""
    poses = []
    for action in actions:
        eye.step(FAR_AWAY, torch.from_numpy(action.to_array())[None])
        poses.append(eye.pose)
    return torch.cat(poses)


def back(steps: int) -> list[Action]:
    """Half a turn, and the way back."""
    turn = round(math.pi / TURN_RATE * STEPS_PER_SECOND)
    return [Action(turn=1.0)] * turn + [Action(forward=1.0)] * steps


def test_a_jump_lasts_its_time_whatever_is_pressed_meanwhile() -> None:
    wanted = torch.tensor([False, True, False, True] + [False] * 20 + [True] * 21)
    steps = jump_steps(wanted)
    assert steps[:3] == [0, 1, 2] and steps[1 : 1 + JUMP_STEPS] == list(range(1, JUMP_STEPS + 1))
    assert steps[1 + JUMP_STEPS : 24] == [0] * (24 - 1 - JUMP_STEPS)
    assert steps[24:45] == [*range(1, JUMP_STEPS + 1), 1], "the key still pressed begins the next one"


def test_jump_steps_are_those_of_the_simulator() -> None:
    pytest.importorskip("moderngl")
    world = make_world("landscape")
    try:
        _, info = world.reset(seed=5)
        keys = torch.rand(90, generator=torch.Generator().manual_seed(1)) < 0.2
        before, lifted = info["pose"].z, []
        for pressed in keys.tolist():
            info = world.step(Action(jump=pressed).to_array())[4]
            lifted.append(info["pose"].z - before)
    finally:
        world.close()
    flying = [0 < step < JUMP_STEPS for step in jump_steps(keys)]
    assert [height > 1e-6 for height in lifted] == flying and any(flying)


def test_a_jump_rises_by_its_arc_and_is_no_slope_for_the_next_step() -> None:
    motion = Motion()
    motion.arc.data = ARC.clone()
    heights = goes(odometry(motion), *[Action(forward=1.0, jump=True)] * 5, *[Action(forward=1.0)] * JUMP_STEPS)[:, 2]
    torch.testing.assert_close(heights[:JUMP_STEPS].float(), ARC.cumsum(0) * WALK_STEP)
    assert heights[JUMP_STEPS:].abs().max() < 1e-5


def test_small_steps_that_no_key_asks_for_are_none() -> None:
    drift = Climbing(always=0.05)
    assert goes(odometry(drift), Action())[0, 2] == 0
    assert goes(odometry(drift), Action(forward=1.0))[0, 2] > 0


@pytest.mark.parametrize("remembers", [True, False])
def test_the_way_back_leads_to_where_it_began_if_it_is_remembered(remembers: bool) -> None:
    eye = odometry(Climbing(0.3), remembers)
    out = goes(eye, *[Action(forward=1.0)] * 60)
    home = goes(eye, *back(60))
    assert float(out[-1, 2]) == pytest.approx(60 * 0.3 * WALK_STEP)
    assert home[-1, :2].abs().max() < 1e-6
    if remembers:
        assert abs(float(home[-1, 2])) < 0.05
    else:
        assert float(home[-1, 2]) == pytest.approx(2 * 60 * 0.3 * WALK_STEP)


def test_running_back_finds_the_ground_that_was_walked() -> None:
    eye = odometry(Climbing(0.2))
    goes(eye, *[Action(forward=1.0)] * 60)
    home = goes(eye, *back(0), *[Action(forward=1.0, run=True)] * 30)
    assert abs(float(home[-1, 2])) < 0.05


def test_known_ground_far_below_is_reached_softly() -> None:
    eye = odometry(Climbing(0.5))
    goes(eye, *[Action(forward=1.0, turn=0.5)] * 192)  # a full circle that climbs as a stair does
    heights = goes(eye, *[Action(forward=1.0, turn=0.5)] * 40)[:, 2]
    assert (heights.diff().abs() < 0.3).all() and heights[-1] < heights[0]


def test_a_branch_walks_on_by_itself() -> None:
    eye = odometry(Climbing(0.3))
    goes(eye, *[Action(forward=1.0)] * 30)
    here, other = eye.pose.clone(), eye.branch()
    goes(other, *[Action(strafe=1.0)] * 30)
    assert torch.equal(eye.pose, here) and not torch.equal(other.pose, here)
    home, other_home = goes(eye, *back(30)), goes(other, *[Action(strafe=-1.0)] * 30, *back(30))
    assert abs(float(home[-1, 2])) < 0.05 and abs(float(other_home[-1, 2])) < 0.1


def test_a_true_path_is_known_ground_and_its_jump_goes_on() -> None:
    path = torch.zeros(30, 5, dtype=torch.float64)
    path[:, 1] = torch.arange(30) * WALK_STEP
    path[:, 2] = torch.arange(30) * 0.2 * WALK_STEP
    path[26:, 2] += ARC[:4].cumsum(0).double() * WALK_STEP
    keys = torch.zeros(29, 6)
    keys[:, 0], keys[25, 4] = 1.0, 1.0
    eye = odometry(Climbing(0.2))
    eye.follow(path, keys)
    assert torch.equal(eye.pose, path[-1:])
    landed = goes(eye, *[Action(forward=1.0)] * 16)
    assert float(landed[-1, 2]) == pytest.approx(45 * 0.2 * WALK_STEP + float(ARC.sum()) * WALK_STEP, abs=1e-4)
    home = goes(eye, *back(45))
    assert abs(float(home[-1, 2])) < 0.05


def test_a_path_that_begins_in_the_middle_of_a_jump_is_known_by_all_actions_before_it() -> None:
    keys = torch.zeros(14, 6)
    keys[0, 4] = 1.0
    heights = torch.cat([torch.zeros(1), ARC.cumsum(0)])[:15] * WALK_STEP
    path = torch.zeros(5, 5, dtype=torch.float64)
    path[:, 2] = heights[-5:]
    eye = odometry()
    eye.follow(path, keys)
    landed = goes(eye, *[Action()] * 10)
    assert abs(float(landed[-1, 2])) < 1e-5


def test_what_is_known_is_bounded_and_the_oldest_is_forgotten() -> None:
    ground = Trodden(torch.zeros(1, 3, dtype=torch.float64))
    end = torch.tensor([0.0, MOST_PLACES * 0.15, 0.0], dtype=torch.float64)
    ground.tread(end)
    above = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    assert ground.above(above) is None
    lift = ground.above(end + above - torch.tensor([0.0, 5.0, 0.0]))
    assert lift is not None and lift < 0


def test_a_rise_goes_on_with_the_pace_and_dies_away_when_one_stops() -> None:
    motion = Motion()
    past = torch.tensor([[1.0, 0.0, 0.4]]).expand(3, -1)
    action = torch.zeros(3, 6)
    action[:2, 0], action[1, 5] = 1.0, 1.0
    walking, running, standing = motion(action, past).detach()
    assert walking.tolist() == pytest.approx([1.0, 0.0, 0.4]) and running[:2].tolist() == [2.0, 0.0]
    assert float(running[2]) > 0.4 > float(standing[2]) > 0


# --- ground that has been seen ----------------------------------------------------------------------------------


def hillside(pose: Tensor, slope: float) -> Tensor:
    """What an eye (1 5) sees of ground that rises to the north and lies EYE_HEIGHT below the origin: 1 4 72 128."""
    ray = rotation(pose[0].float()) @ camera_rays(torch.device("cpu"))
    above = float(pose[0, 2]) + EYE_HEIGHT - slope * float(pose[0, 1])
    depth = above / (slope * ray[1] - ray[2]).clamp_min(above / FAR)
    return F.pad(log_depth(depth).reshape(1, 1, 72, 128), (0, 0, 0, 0, 3, 0))


@pytest.mark.parametrize("slope", [0.3, -0.2])
@pytest.mark.parametrize("remembers", [True, False])
def test_a_walk_goes_up_and_down_the_hill_that_is_seen(slope: float, remembers: bool) -> None:
    eye, north = odometry(Motion(), remembers), torch.from_numpy(Action(forward=1.0).to_array())[None]
    path = [eye.pose]
    for _ in range(96):
        eye.step(hillside(eye.pose, slope), north)
        path.append(eye.pose)
    assert float(path[-1][0, 2]) == pytest.approx(slope * float(path[-1][0, 1]), abs=0.4)
    rise = (path[-1] - path[-25])[0, 2] / (24 * WALK_STEP)
    assert float(rise) == pytest.approx(slope, abs=0.2 * abs(slope))


def test_what_one_stands_on_at_first_is_known_better_than_what_is_seen() -> None:
    eye, north = odometry(), torch.from_numpy(Action(forward=1.0).to_array())[None]
    heights = []
    for _ in range(240):
        half_a_metre_too_high = eye.pose - torch.tensor([0.0, 0.0, 0.5, 0.0, 0.0])
        eye.step(hillside(half_a_metre_too_high, 0.0), north)
        heights.append(float(eye.pose[0, 2]))
    assert abs(heights[11]) < 0.1, "a dream begins where the eye is"
    assert heights[-1] > 0.3, "after a long walk only what is seen tells"


def test_how_the_ground_lies_is_read_off_what_was_seen_and_a_wall_is_no_ground() -> None:
    seen, here = Seen(), torch.zeros(1, 5, dtype=torch.float64)
    ahead = torch.tensor([0.0, 4.0, 0.8], dtype=torch.float64)
    assert seen.lie(ahead)[2] == 0
    seen.look(hillside(here, 0.2)[0, 3], here[0])
    higher, slope, sure = seen.lie(ahead)
    assert abs(higher) < 0.05 and slope.tolist() == pytest.approx([0, 0.2], abs=0.05) and sure > 0.5
    walled = hillside(here, 0.2)
    walled[:, 3, :, :64] = log_depth(torch.tensor(3.5))  # the left half of the view is a wall
    before = Seen()
    before.look(walled[0, 3], here[0])
    higher, slope, _ = before.lie(ahead)
    assert abs(higher) < 0.15 and slope.norm() < 0.4


def test_what_was_seen_long_ago_makes_room() -> None:
    seen, here = Seen(), torch.zeros(1, 5, dtype=torch.float64)
    seen.look(hillside(here, 0.0)[0, 3], here[0])
    away = here + torch.tensor([1000.0, 0, 0, 0, 0])
    for _ in range(MOST_SEEN // 8):
        seen.look(hillside(here, 0.0)[0, 3], away[0])
    assert seen.lie(torch.tensor([0.0, 4.0, 0.0], dtype=torch.float64))[2] == 0
