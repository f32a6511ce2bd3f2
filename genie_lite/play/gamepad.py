"""Game controllers, plugged in and out at any time. Layouts as listed in pygame's joystick documentation."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygame

from genie_lite.actions import Action

DEAD_ZONE = 0.15


@dataclass(frozen=True)
class Layout:
    """Axis and button numbers of one make."""

    right_x: int = 3
    right_y: int = 4
    jump: int = 0
    run: frozenset[int] = frozenset({4, 5, 8})
    pause: int = 7


XBOX = Layout()
PLAYSTATION = Layout(right_x=2, right_y=3, run=frozenset({9, 10, 7}), pause=6)


@dataclass
class _Pad:
    joystick: pygame.joystick.JoystickType
    layout: Layout
    axes: dict[int, float] = field(default_factory=dict)
    buttons: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, number: int) -> _Pad:
        """The pad that pygame counts as this one."""
        joystick = pygame.joystick.Joystick(number)
        sony = any(word in joystick.get_name().lower() for word in ("ps4", "ps5", "sony", "dualsense"))
        return cls(joystick, PLAYSTATION if sony else XBOX)

    def axis(self, number: int) -> float:
        """The axis beyond its dead zone, stretched to reach 1 again."""
        value = self.axes.get(number, 0.0)
        beyond = max(0.0, abs(value) - DEAD_ZONE) / (1 - DEAD_ZONE)
        return min(1.0, beyond) if value > 0 else -min(1.0, beyond)


class Gamepads:
    """All controllers: left stick moves, right stick turns and looks, A jumps, LB, RB or a stick press runs."""

    def __init__(self) -> None:
        # Those that are plugged in already have told so once, perhaps to another screen.
        pads = (_Pad.of(number) for number in range(pygame.joystick.get_count())) if pygame.joystick.get_init() else ()
        self._pads = {pad.joystick.get_instance_id(): pad for pad in pads}

    def handle(self, event: pygame.event.Event) -> bool:
        """Takes in one event; True if it asks for a pause."""
        if event.type == pygame.JOYDEVICEADDED:
            added = _Pad.of(event.device_index)
            self._pads.setdefault(added.joystick.get_instance_id(), added)
        elif event.type == pygame.JOYDEVICEREMOVED:
            self._pads.pop(event.instance_id, None)
        elif event.type in (pygame.JOYAXISMOTION, pygame.JOYBUTTONDOWN, pygame.JOYBUTTONUP):
            pad = self._pads.get(event.instance_id)
            return pad is not None and _take(pad, event)
        return False

    def action(self) -> Action:
        """What the controllers ask for; the one pushed furthest wins on each axis."""
        pads = self._pads.values()
        return Action(
            forward=max((-pad.axis(1) for pad in pads), key=abs, default=0.0),
            strafe=max((pad.axis(0) for pad in pads), key=abs, default=0.0),
            turn=max((pad.axis(pad.layout.right_x) for pad in pads), key=abs, default=0.0),
            look=max((-pad.axis(pad.layout.right_y) for pad in pads), key=abs, default=0.0),
            jump=any(pad.layout.jump in pad.buttons for pad in pads),
            run=any(pad.layout.run & pad.buttons for pad in pads),
        )

    def release(self) -> None:
        """Lets go of all sticks and buttons until they move again."""
        for pad in self._pads.values():
            pad.axes.clear()
            pad.buttons.clear()


def _take(pad: _Pad, event: pygame.event.Event) -> bool:
    if event.type == pygame.JOYAXISMOTION:
        pad.axes[event.axis] = event.value
    elif event.type == pygame.JOYBUTTONUP:
        pad.buttons.discard(event.button)
    else:
        pad.buttons.add(event.button)
        return event.button == pad.layout.pause
    return False
