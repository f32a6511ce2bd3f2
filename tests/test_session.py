import math
from dataclasses import replace

import numpy as np
import pytest

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame, Start
from genie_lite.session.autopilot import Autopilot
from genie_lite.session.events import GLIDE_STEPS, Event
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import EndReason, SessionManager, State

SIZE = (64, 36)


class Watcher:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_start(self, session: SessionManager, frame: Frame) -> None:
        self.told.append(f"start {frame.index}")

    def on_step(self, action: Action, frame: Frame) -> None:
        self.told.append(f"step {frame.index} forward={action.forward:g}")

    def on_end(self, session: SessionManager) -> None:
        self.told.append(f"end {session.end_reason}")


class Breaking(FakeEngine):
    """Fails at its third step."""

    def step(self, action: Action) -> Frame:
        frame = super().step(action)
        if frame.index == 3:
            raise MemoryError("no more world")
        return frame


class Fading(FakeEngine):
    """Turns into noise after three seconds."""

    def step(self, action: Action) -> Frame:
        frame = super().step(action)
        noise = np.random.default_rng(frame.index).uniform(-1, 1, (4, 72, 128)).astype(np.float32)
        return frame if frame.index <= 3 * STEPS_PER_SECOND else replace(frame, thumbnail=noise)


def begun(engine: FakeEngine | None = None, **options: object) -> SessionManager:
    session = SessionManager(engine or FakeEngine(SIZE), biome("meadow"), 7, **options)  # type: ignore[arg-type]
    session.begin()
    return session


def run(session: SessionManager, steps: int) -> None:
    for _ in range(steps):
        if session.state is State.RUNNING:
            session.step(IDLE)


def test_the_engine_is_warmed_up_before_the_first_frame() -> None:
    seen = []

    class Curious(FakeEngine):
        def warm_up(self) -> None:
            seen.append(session.state)

        def reset(self, start: Start, seed: int) -> Frame:
            seen.append(session.frame)
            return super().reset(start, seed)

    session = SessionManager(Curious(SIZE), biome("meadow"), 7)
    assert session.state is State.IDLE
    session.begin()
    assert seen == [State.WARMING_UP, None]
    assert session.state is State.RUNNING and session.frame is not None and session.frame.index == 0


def test_the_cap_is_sixty_seconds_of_world_time() -> None:
    session = begun()
    assert session.time_left == 60
    run(session, 60 * STEPS_PER_SECOND - 1)
    assert session.state is State.RUNNING
    run(session, 1)
    assert (session.state, session.end_reason) == (State.ENDED, EndReason.CAP)
    assert session.world_time == 60 and session.time_left == 0


def test_a_pause_costs_no_time_and_single_steps_do() -> None:
    session = begun(cap=1.0)
    session.pause()
    with pytest.raises(RuntimeError, match="paused"):
        session.step(IDLE)
    assert session.world_time == 0
    session.single_step(Action(forward=1))
    assert session.state is State.PAUSED and session.world_time == 1 / STEPS_PER_SECOND
    session.resume()
    run(session, 23)
    assert session.end_reason is EndReason.CAP


def test_no_cap_means_no_end_and_no_warning() -> None:
    session = begun(cap=0.0)
    run(session, 61 * STEPS_PER_SECOND)
    assert session.state is State.RUNNING and session.time_left is None and not session.warning


def test_the_warning_begins_ten_seconds_before_the_end() -> None:
    session = begun(cap=12.0)
    run(session, 2 * STEPS_PER_SECOND - 1)
    assert not session.warning
    run(session, 1)
    assert session.warning
    session.pause()
    assert session.warning
    session.end(EndReason.QUIT)
    assert not session.warning


def test_the_first_reason_to_end_stays() -> None:
    session = begun()
    session.end(EndReason.QUIT)
    session.end(EndReason.CAP)
    assert session.end_reason is EndReason.QUIT


def test_an_engine_that_breaks_ends_the_session_and_keeps_the_last_good_frame() -> None:
    session = begun(Breaking(SIZE))
    run(session, 10)
    assert session.end_reason is EndReason.ERROR and isinstance(session.error, MemoryError)
    assert session.frame is not None and session.frame.index == 2


def test_an_engine_that_cannot_warm_up_ends_the_session() -> None:
    class Cold(FakeEngine):
        def warm_up(self) -> None:
            raise OSError("frozen")

    session = begun(Cold(SIZE))
    assert session.end_reason is EndReason.ERROR and session.frame is None


def test_a_world_below_the_floor_for_three_seconds_ends() -> None:
    session = begun(Fading(SIZE), floor=0.5)
    run(session, 30 * STEPS_PER_SECOND)
    assert session.end_reason is EndReason.COHERENCE
    assert 5.9 <= session.world_time <= 8


def test_restart_begins_the_same_world_anew() -> None:
    session = begun(cap=1.0)
    assert session.frame is not None
    first = session.frame.image
    run(session, 99)
    session.restart()
    assert session.state is State.RUNNING and session.end_reason is None and session.steps == 0
    assert session.restarts == 1 and session.coherence.curve == []
    np.testing.assert_array_equal(session.frame.image, first)


def test_observers_hear_everything_in_order() -> None:
    watcher = Watcher()
    session = begun(observers=[watcher])
    session.step(Action(forward=1))
    session.restart()
    session.end(EndReason.QUIT)
    assert watcher.told == ["start 0", "step 1 forward=1", "end quit", "start 0", "end quit"]


def test_an_observer_that_fails_ends_the_session() -> None:
    class Full(Watcher):
        def on_step(self, action: Action, frame: Frame) -> None:
            raise OSError("disk full")

    session = begun(observers=[Full()])
    session.step(IDLE)
    assert session.end_reason is EndReason.ERROR and str(session.error) == "disk full"


@pytest.mark.parametrize("options", [{"cap": -1.0}, {"floor": 2.0}])
def test_senseless_limits_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cap="):
        SessionManager(FakeEngine(SIZE), biome("meadow"), 7, **options)  # type: ignore[arg-type]


def walk(seed: int, steps: int = 480) -> list[Action]:
    """What the autopilot does on open ground."""
    pilot, pose, actions = Autopilot(seed), Pose(), []
    image = np.zeros((9, 16, 3), np.uint8)
    for index in range(steps):
        actions.append(pilot.action(Frame(image, index, pose, biome("meadow"))))
        pose = pose.rotated(actions[-1]).moved(actions[-1].forward * 0.2, 0.0, 0.0)
    return actions


def test_another_land_everywhere_comes_at_the_end_of_a_shorter_glide_and_only_if_it_is_another() -> None:
    class Told(FakeEngine):
        def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
            super().set_conditions(conditions, everywhere)
            told.append(everywhere)

    for land, everywhere in ((biome("snow"), True), (biome("meadow", fog=0.9), False)):
        told: list[bool] = []
        session = begun(Told(SIZE))
        session.change(land, everywhere=True)
        seen = []
        for _ in range(80):
            session.step(IDLE)
            seen.append(session.everywhere)
        assert session.heading == land
        assert told.index(True) == len(told) - 1 == STEPS_PER_SECOND - 1 if everywhere else not any(told)
        assert sum(seen) == everywhere


def test_an_event_on_the_way_to_another_land_everywhere_goes_there_too() -> None:
    session = begun()
    session.change(biome("snow"), everywhere=True)
    run(session, 12)
    session.change(replace(session.heading, hour=23.0))
    seen = []
    for _ in range(STEPS_PER_SECOND):
        session.step(IDLE)
        seen.append(session.everywhere)
    assert seen == [False] * (STEPS_PER_SECOND - 1) + [True]
    assert session.heading == biome("snow", hour=23.0)


def test_the_autopilot_repeats_itself_for_a_seed_only() -> None:
    assert walk(3, 200) == walk(3, 200)
    assert walk(3, 200) != walk(4, 200)


def test_the_autopilot_mostly_walks_and_sometimes_does_not() -> None:
    actions = [action for seed in range(2) for action in walk(seed)]
    assert 0.5 < np.mean([action.forward for action in actions]) < 0.98
    assert np.std([action.turn for action in actions]) > 0.05


def test_the_autopilot_turns_away_from_a_wall() -> None:
    pilot, frame = Autopilot(1), FakeEngine(SIZE).reset(biome("meadow"), 1)
    wall = [pilot.action(Frame(frame.image, i, Pose(), frame.conditions)) for i in range(30)]
    assert max(abs(action.turn) for action in wall) > 0.4


def test_frame_times_tell_percentiles_and_rate() -> None:
    times = FrameTimes()
    for milliseconds in range(1, 101):
        times.add({"work": float(milliseconds)})
    times.add({"present": 2.0})
    assert times.summary()["work"]["p50"] == 50.5 and times.summary()["work"]["p99"] > 99
    assert math.isclose(times.rate("work"), 1000 / 50.5) and times.rate("never") == 0
    assert times.values("present") == [2.0]


def lived(session: SessionManager, steps: int) -> list[Conditions]:
    """The conditions of the next frames."""
    seen = []
    for _ in range(steps):
        session.step(IDLE)
        assert session.frame is not None
        seen.append(session.frame.conditions)
    return seen


def test_an_event_glides_over_three_seconds_and_the_short_way_round_the_clock() -> None:
    session = SessionManager(FakeEngine(SIZE), biome("meadow", hour=23.0, rain=0.0), 7)
    session.begin()
    session.step(IDLE)
    session.change(biome("desert", hour=2.0, rain=0.9))
    seen = lived(session, 4 * STEPS_PER_SECOND)
    half, end = seen[GLIDE_STEPS // 2 - 1], seen[GLIDE_STEPS - 1]
    assert (half.rain, half.meadow, half.desert, half.hour) == pytest.approx((0.45, 0.5, 0.5, 0.5))
    assert seen[GLIDE_STEPS - 2] != end == seen[-1] == biome("desert", hour=2.0, rain=0.9)
    assert [now.rain for now in seen] == sorted(now.rain for now in seen) and 0 < seen[0].rain < 0.03


def test_a_second_event_goes_on_from_where_the_first_one_was() -> None:
    session = begun()
    session.change(replace(session.heading, rain=0.9))
    before = lived(session, STEPS_PER_SECOND)[-1]
    session.change(replace(session.heading, fog=0.8))
    seen = lived(session, GLIDE_STEPS)
    assert abs(seen[0].rain - before.rain) < 0.02 and (seen[-1].rain, seen[-1].fog) == (0.9, 0.8)


def test_a_world_without_events_is_never_told_conditions() -> None:
    class Untold(FakeEngine):
        def set_conditions(self, conditions: Conditions) -> None:
            raise AssertionError("told")

    session = begun(Untold(SIZE))
    run(session, 5)
    assert session.steps == 5


def test_a_script_happens_by_world_time_and_again_after_a_restart() -> None:
    session = begun(
        script=[Event(4, lambda now: replace(now, snowfall=1.0)), Event(2, lambda now: replace(now, fog=0.9))]
    )
    for _ in range(2):
        seen = lived(session, GLIDE_STEPS + 4)
        assert [now.fog > 0.1 for now in seen[:3]] == [False, False, True]
        assert [now.snowfall > 0.0 for now in seen[:5]] == [False] * 4 + [True]
        assert (seen[-1].fog, seen[-1].snowfall) == (0.9, 1.0)
        session.restart()
        assert session.frame is not None and session.frame.conditions == biome("meadow")


def test_a_pause_holds_a_glide_and_a_restart_forgets_it() -> None:
    session = begun()
    session.change(replace(session.heading, rain=0.9))
    session.pause()
    assert session.frame is not None and session.frame.conditions.rain == 0
    session.single_step(IDLE)
    assert session.frame.conditions.rain == pytest.approx(0.9 / GLIDE_STEPS)
    session.restart()
    assert lived(session, 3)[-1] == biome("meadow")
