"""The pacer, with a clock that only sleeping and working move on."""

import pytest

from genie_lite.timing import Pacer

PERIOD = 0.25


class Time:
    """A clock, and a sleep that takes exactly as long as it shall. Its numbers are exact in binary."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace(time: Time) -> Pacer:
    """One that has shown its first frame, at 100 s."""
    pacer = Pacer(1 / PERIOD, time, time.sleep)
    pacer.wait()
    return pacer


def test_the_first_frame_is_shown_at_once(pace: Pacer, time: Time) -> None:
    assert (time.slept, time.now) == ([], 100.0)


def test_it_sleeps_until_the_deadline_and_no_longer(pace: Pacer, time: Time) -> None:
    for work in (0.0625, 0.0, 0.1875):
        time.now += work
        pace.wait()
    assert time.slept == [0.1875, 0.25, 0.0625] and time.now == 100.75


def test_a_late_frame_is_made_up_for(pace: Pacer, time: Time) -> None:
    time.now += PERIOD + 0.125
    pace.wait()
    assert time.slept == [] and time.now == 100.375, "what is late is shown at once"
    pace.wait()
    assert time.slept == [0.125] and time.now == 100.5, "and the next one when it always was to be"


def test_a_frame_late_by_a_period_is_still_made_up_for(pace: Pacer, time: Time) -> None:
    time.now += 2 * PERIOD
    for _ in range(3):
        pace.wait()
    assert time.slept == [0.25] and time.now == 100.75


def test_after_a_stall_the_schedule_starts_anew(pace: Pacer, time: Time) -> None:
    time.now += 2 * PERIOD + 0.0625
    pace.wait()
    assert time.slept == [], "the frame that stalled is shown at once"
    for _ in range(3):
        pace.wait()
    assert time.slept == [0.25] * 3 and time.now == 100.5625 + 3 * PERIOD, "and none after it is hurried"


def test_it_measures_the_rate_over_the_last_frames(pace: Pacer, time: Time) -> None:
    assert pace.fps == 0, "one frame has no rate"
    pace.wait()
    assert pace.fps == 4
    time.now += 2.0
    pace.wait()
    assert pace.fps == pytest.approx(2 / 2.25)
    for _ in range(47):
        pace.wait()
    assert pace.fps == 4, "the stall is long ago"


def test_frames_at_one_instant_have_no_rate(time: Time) -> None:
    pacer = Pacer(4.0, lambda: 5.0, lambda _seconds: None)
    pacer.wait()
    pacer.wait()
    assert pacer.fps == 0


def test_a_restart_forgets_schedule_and_rate(pace: Pacer, time: Time) -> None:
    pace.wait()
    time.now += 0.1875
    pace.restart()
    assert pace.fps == 0
    pace.wait()
    assert time.slept == [0.25] and time.now == 100.4375, "shown at once, as a first one is"
    pace.wait()
    assert time.slept == [0.25, 0.25] and pace.fps == 4
