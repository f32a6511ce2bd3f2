"""The window and its loop: keys, mouse, pause, end, screenshots, what is drawn, and how fast."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame
import pytest
from player import SIZE, Player, Recorded, Time

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame
from genie_lite.engine.simulator import SimulatorEngine
from genie_lite.errors import UsageError
from genie_lite.play.choice import Going
from genie_lite.play.keymap import Command, Controls
from genie_lite.play.loop import PlayLoop
from genie_lite.play.window import Window
from genie_lite.recording.report import session_report
from genie_lite.session.manager import EndReason, SessionManager, State


def test_held_keys_become_the_action_of_every_step(player: Player) -> None:
    player.press(pygame.K_w, pygame.K_d, pygame.K_LEFT, pygame.K_UP, pygame.K_SPACE, pygame.K_LSHIFT)
    player.tick(2)
    player.send(pygame.KEYUP, key=pygame.K_w)
    player.press(pygame.K_s)
    player.tick()
    held = Action(forward=1, strafe=1, turn=-1, look=1, jump=True, run=True)
    assert player.engine.actions == [held, held, replace(held, forward=-1)]


def test_a_tap_within_one_tick_counts_for_one_step(player: Player) -> None:
    player.press(pygame.K_SPACE)
    player.send(pygame.KEYUP, key=pygame.K_SPACE)
    player.tick(2)
    assert [action.jump for action in player.engine.actions] == [True, False]


def test_losing_focus_releases_keys_and_mouse(player: Player) -> None:
    player.send(pygame.MOUSEBUTTONDOWN, button=1, pos=(5, 5))
    player.press(pygame.K_w)
    player.tick()
    assert player.loop.controls.mouse_captured
    player.send(pygame.MOUSEMOTION, rel=(900, 0), pos=(5, 5), buttons=(0, 0, 0))
    player.send(pygame.WINDOWFOCUSLOST)
    player.tick()
    assert player.engine.actions[-1] == IDLE and not player.loop.controls.mouse_captured


def test_the_mouse_turns_only_while_captured_and_carries_over() -> None:
    controls = Controls()
    move = pygame.event.Event(pygame.MOUSEMOTION, rel=(80, -10), pos=(0, 0), buttons=(0, 0, 0))
    controls.handle(move)
    assert controls.action() == IDLE
    controls.mouse_captured = True
    controls.handle(move)
    actions = [controls.action() for _ in range(6)]
    # 80 pixels at 0.12 degrees are 9.6 degrees: two and a half steps of 3.75 degrees.
    assert sum(action.turn for action in actions) == pytest.approx(2.56)
    assert [action.turn for action in actions[:2]] == [1, 1] and actions[0].look > 0 and actions[-1] == IDLE


def test_escape_first_releases_the_mouse_then_leaves(player: Player) -> None:
    player.send(pygame.MOUSEBUTTONDOWN, button=1, pos=(5, 5))
    player.tick()
    player.press(pygame.K_ESCAPE)
    assert player.tick() and not player.loop.controls.mouse_captured
    player.press(pygame.K_ESCAPE)
    assert not player.tick()
    assert player.session.end_reason is EndReason.QUIT


@pytest.mark.parametrize("event", [{"kind": pygame.QUIT}, {"kind": pygame.KEYDOWN, "key": pygame.K_q}])
def test_leaving_takes_no_further_step(player: Player, event: dict[str, int]) -> None:
    player.tick(3)
    player.send(**event)
    assert not player.tick() and player.session.end_reason is EndReason.QUIT and player.session.steps == 3


def test_pause_stops_the_world_and_steps_singly(player: Player) -> None:
    player.tick(2)
    player.press(pygame.K_p)
    player.tick(5)
    assert player.session.state is State.PAUSED and player.session.steps == 2
    player.press(pygame.K_n)
    player.tick(3)
    player.press(pygame.K_PERIOD)
    player.tick(3)
    assert player.session.steps == 4
    player.press(pygame.K_p)
    player.tick(2)
    assert player.session.steps == 6


def test_restart_begins_anew_even_after_the_end(tmp_path: Path) -> None:
    player = Player(tmp_path, Recorded(), cap=0.25)
    player.tick(10)
    assert player.session.end_reason is EndReason.CAP and player.session.steps == 6
    player.press(pygame.K_r)
    player.tick(2)
    assert player.session.state is State.RUNNING and player.session.steps == 2 and player.session.restarts == 1


def test_a_screenshot_is_the_picture_without_the_display(player: Player) -> None:
    player.tick()
    player.press(pygame.K_F12)
    player.tick()
    saved = pygame.image.load(player.out / "screenshot-001.png")
    expected = FakeEngine(SIZE)
    expected.reset(biome("meadow"), 3)
    shown = pygame.surfarray.array3d(saved).transpose(1, 0, 2)
    np.testing.assert_array_equal(shown, expected.step(IDLE).image)


def test_a_screenshot_leaves_earlier_ones_alone(player: Player) -> None:
    player.out.mkdir(exist_ok=True)
    (player.out / "screenshot-001.png").write_bytes(b"earlier")
    player.press(pygame.K_F12)
    player.tick()
    assert (player.out / "screenshot-001.png").read_bytes() == b"earlier"
    assert (player.out / "screenshot-002.png").stat().st_size > 100


def test_a_screenshot_that_cannot_be_written_does_not_end_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    player = Player(tmp_path / "file" / "out", Recorded(), cap=60.0)
    player.press(pygame.K_F12)
    assert player.tick() and player.session.state is State.RUNNING


def test_the_hud_is_drawn_over_the_picture_and_can_be_hidden(player: Player) -> None:
    player.tick()
    assert player.session.frame is not None
    assert (player.picture() != player.session.frame.image).any()
    player.press(pygame.K_h)
    player.tick()
    np.testing.assert_array_equal(player.picture(), player.session.frame.image)


@pytest.mark.parametrize("key", [pygame.K_F1, pygame.K_p])
def test_help_and_pause_show_a_card(player: Player, key: int) -> None:
    player.press(pygame.K_h, key)
    player.tick()
    assert player.session.frame is not None
    assert (player.picture() != player.session.frame.image).any()


def test_the_end_card_is_shown_and_waits(tmp_path: Path) -> None:
    player = Player(tmp_path, Recorded(), cap=0.25)
    assert player.tick(20) and player.session.frame is not None
    assert (player.picture() != player.session.frame.image).mean() > 0.05


def test_an_engine_that_breaks_leaves_an_end_card_not_a_crash(tmp_path: Path) -> None:
    class Broken(Recorded):
        def step(self, action: Action) -> Frame:
            raise RuntimeError("lost the thread")

    player = Player(tmp_path, Broken(), cap=60.0)
    assert player.tick(3) and player.session.end_reason is EndReason.ERROR


def test_another_window_size_letterboxes_the_picture(player: Player) -> None:
    pygame.display.set_mode((400, 400), pygame.RESIZABLE)
    player.press(pygame.K_h)
    player.tick(2)
    picture = player.picture()
    assert not picture[:87].any() and not picture[313:].any() and picture[88:312].any(axis=2).all()


def test_fullscreen_and_back_keeps_playing(player: Player) -> None:
    player.press(pygame.K_F11)
    assert player.tick() and player.window.surface.get_flags() & pygame.FULLSCREEN
    player.press(pygame.K_F11)
    assert player.tick() and not player.window.surface.get_flags() & pygame.FULLSCREEN


def test_the_loop_tells_its_times_and_the_frame_rate_that_was_shown(player: Player) -> None:
    player.tick(10)
    report = json.loads(json.dumps(session_report(player.session, player.loop.times)))
    assert len(player.loop.times.values("present")) == 10
    assert {"decode", "step", "present", "work", "interval"} <= report["stages_ms"].keys()
    assert report["fps"] == pytest.approx(STEPS_PER_SECOND, rel=0.01)
    assert report["frames"] == 11 and report["engine"]["name"] == "fake"


def test_a_pause_does_not_lower_the_frame_rate(player: Player) -> None:
    player.tick(5)
    player.press(pygame.K_p)
    player.tick(50)
    player.press(pygame.K_p)
    player.tick(5)
    assert player.loop.times.rate("interval") == pytest.approx(STEPS_PER_SECOND)


def test_b_and_dropped_files_lead_back_only_where_there_are_screens(player: Player, tmp_path: Path) -> None:
    player.press(pygame.K_b)
    assert player.tick() and player.session.state is State.RUNNING
    for following in (Going.SKETCH, "it is torn"):
        loop = PlayLoop(
            SessionManager(Recorded(), biome("meadow"), 3),
            player.window,
            tmp_path,
            dropped=lambda path, following=following: following,
            pace=Time(),
            events=player._events,
        )
        loop.begin()
        player.send(pygame.DROPFILE, file="a.png")
        assert loop.tick() == isinstance(following, str)
        player.press(pygame.K_b)
        assert not loop.tick() and loop.next is Going.SKETCH and loop.session.end_reason is EndReason.QUIT


def test_a_pilot_takes_the_place_of_the_keys(tmp_path: Path) -> None:
    session = SessionManager(Recorded(), biome("meadow"), 3)
    with Window(SIZE) as window:
        time = Time()
        loop = PlayLoop(session, window, tmp_path, pilot=lambda frame: Action(strafe=1), pace=time, events=list)
        loop.begin()
        loop.tick()
    assert session.engine.actions == [Action(strafe=1)]


class Joystick:
    def __init__(self, index: int) -> None:
        pass

    def get_instance_id(self) -> int:
        return 7

    def get_name(self) -> str:
        return "Xbox 360 Controller"


def test_a_game_controller_moves_looks_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pygame.joystick, "Joystick", Joystick)
    controls = Controls()
    controls.handle(pygame.event.Event(pygame.JOYDEVICEADDED, device_index=0))
    for axis, value in ((0, 0.1), (1, -1.0), (3, 1.0), (4, 1.0)):
        controls.handle(pygame.event.Event(pygame.JOYAXISMOTION, instance_id=7, axis=axis, value=value))
    controls.handle(pygame.event.Event(pygame.JOYBUTTONDOWN, instance_id=7, button=0))
    controls.handle(pygame.event.Event(pygame.JOYBUTTONDOWN, instance_id=7, button=5))
    assert controls.action() == Action(forward=1, strafe=0, turn=1, look=-1, jump=True, run=True)
    start = pygame.event.Event(pygame.JOYBUTTONDOWN, instance_id=7, button=7)
    assert controls.handle(start) is Command.PAUSE
    controls.handle(pygame.event.Event(pygame.JOYDEVICEREMOVED, instance_id=7))
    assert controls.action() == IDLE


def test_a_controller_that_told_another_screen_that_it_is_there_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pygame.joystick, "Joystick", Joystick)
    monkeypatch.setattr(pygame.joystick, "get_count", lambda: 1)
    pygame.joystick.init()
    controls = Controls()
    push = pygame.event.Event(pygame.JOYAXISMOTION, instance_id=7, axis=1, value=-1.0)
    controls.handle(push)
    assert controls.action() == Action(forward=1)
    controls.handle(pygame.event.Event(pygame.JOYDEVICEADDED, device_index=0))
    assert controls.action() == Action(forward=1), "told once more, it is still the same"


def test_the_simulator_speaks_the_engines_language() -> None:
    counting = pytest.importorskip("genie_lite.worlds.counting", reason="needs gymnasium")
    engine = SimulatorEngine(counting.CountingWorld(), SIZE)
    first = engine.reset(biome("snow"), 9)
    second = engine.step(Action(forward=1))
    assert first.image.shape == (144, 256, 3) and (first.index, second.index) == (0, 1)
    assert first.image[0, 0].tolist() == [0, 0, 9] and second.image[0, 0].tolist() == [1, 0, 9]
    assert second.conditions.snow == 1 and second.pose.y > first.pose.y
    assert second.thumbnail is not None and second.thumbnail.shape == (4, 72, 128)
    engine.set_conditions(biome("desert"))
    assert engine.step(IDLE).conditions.desert == 1
    with pytest.raises(UsageError, match="picture"):
        engine.reset(first.image, 9)
