"""Events while playing: typed, of a script, from the palette; and the chips that tell what was understood."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame
from player import Player, Recorded

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.conditions import biome
from genie_lite.play.palette import EVENTS
from genie_lite.prompt.parser import parse
from genie_lite.session.events import Event
from genie_lite.session.manager import State


def test_a_typed_event_lets_the_world_glide_and_moves_nobody(player: Player) -> None:
    player.press(pygame.K_w, pygame.K_t)
    player.write("was")
    player.press(*[pygame.K_BACKSPACE] * 3)
    player.write("let it snow")
    player.send(pygame.MOUSEMOTION, rel=(900, 0), pos=(5, 5), buttons=(1, 0, 0))
    player.tick(5)
    assert player.engine.actions == [] and player.session.state is State.RUNNING
    player.press(pygame.K_RETURN)
    player.tick(2 * STEPS_PER_SECOND)
    assert player.session.frame is not None and 0.3 < player.session.frame.conditions.snowfall < 0.6
    player.tick(2 * STEPS_PER_SECOND)
    assert player.session.frame.conditions == replace(biome("meadow"), snowfall=0.6, clouds=0.7)
    assert set(player.engine.actions) == {IDLE}
    player.press(pygame.K_w)
    player.tick()
    assert player.engine.actions[-1] == Action(forward=1)


def test_escape_closes_the_line_and_nothing_happens(player: Player) -> None:
    player.press(pygame.K_t)
    player.write("night falls", pygame.K_ESCAPE)
    assert player.tick(10) and player.session.steps == 10
    assert player.session.heading == biome("meadow")


def test_what_was_not_understood_keeps_the_line_open_and_says_so(player: Player) -> None:
    player.press(pygame.K_h, pygame.K_t)
    player.write("qwxz")
    player.tick()
    before = player.picture()
    player.press(pygame.K_RETURN)
    player.tick()
    assert player.session.steps == 0 and (player.picture() != before).any()
    player.press(*[pygame.K_BACKSPACE] * 4, pygame.K_RETURN)
    player.tick()
    assert player.session.steps == 1


def test_an_event_typed_while_paused_waits_for_the_world(player: Player) -> None:
    player.press(pygame.K_p, pygame.K_t)
    player.write("fog", pygame.K_RETURN)
    player.tick(5)
    assert player.session.steps == 0 and player.session.state is State.PAUSED and player.session.heading.fog == 0.6


def test_chips_tell_in_the_first_seconds_what_was_understood(tmp_path: Path) -> None:
    pictures = []
    for reading in (None, parse("thick fog with wombats")):
        player = Player(tmp_path, Recorded(), cap=60.0, reading=reading)
        player.tick(2 * STEPS_PER_SECOND)
        early = player.picture()
        player.tick(6 * STEPS_PER_SECOND)
        pictures.append((early, player.picture()))
    middle = np.s_[20:80, 80:176]
    assert (pictures[0][0][middle] != pictures[1][0][middle]).any()
    np.testing.assert_array_equal(pictures[0][1][middle], pictures[1][1][middle])


def test_an_event_of_a_script_is_told(player: Player) -> None:
    player.session.script = (Event(120, lambda now: replace(now, fog=0.9), "fog rolls in"),)
    corner = np.s_[100:, 150:]
    player.tick(120)
    before = player.picture()[corner].copy()
    player.tick()
    assert (player.picture()[corner] != before).any()


def test_the_palette_lets_things_happen_by_key_and_click(player: Player) -> None:
    player.press(pygame.K_w, pygame.K_e)
    player.tick(3)
    assert player.engine.actions[-1].forward == 1, "the world goes on"
    player.press(pygame.K_2)
    player.tick(2)
    assert player.session.heading.hour == parse("night falls", biome("meadow")).conditions.hour
    player.press(pygame.K_1)
    player.tick(2)
    assert player.session.heading.snowfall == 0, "it has closed"
    player.press(pygame.K_e)
    player.tick()
    panel = player.picture().copy()
    row = player.loop._palette._rows[2]
    player.send(pygame.MOUSEBUTTONDOWN, button=1, pos=row.center)
    player.tick(2)
    assert player.session.heading.fog == 0.6 and not player.loop.controls.mouse_captured
    assert (player.picture() != panel).any()


def test_every_event_of_the_palette_is_understood_whole() -> None:
    for text in EVENTS:
        reading = parse(text, biome("autumn"))
        assert not reading.not_understood and reading.conditions != biome("autumn"), text
        assert reading.everywhere == text.startswith("everything")


def test_escape_closes_the_palette_and_does_not_leave(player: Player) -> None:
    player.press(pygame.K_e, pygame.K_ESCAPE)
    assert player.tick(2) and not player.loop._palette.open
