"""The loop of a windowed session. Order of a tick: wait, read input, step, draw, flip, so that input is fresh."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import pygame

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError
from genie_lite.play import cards
from genie_lite.play.choice import Going, Next
from genie_lite.play.hud import Hud, HudView
from genie_lite.play.keymap import Command, Controls
from genie_lite.play.palette import Palette
from genie_lite.play.panels import Panels, panels_for
from genie_lite.play.window import Window, save_png
from genie_lite.play.words import Words
from genie_lite.prompt.parser import Reading
from genie_lite.recording.recorder import Recorder
from genie_lite.recording.report import prepare_folder
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import EndReason, SessionManager, State
from genie_lite.timing import Clock, Pace, Pacer, Stopwatch

MESSAGE_TICKS = 4 * STEPS_PER_SECOND


class PlayLoop:
    """Shows a session in a window until the player leaves.

    reading: what the player's words were taken to mean, told in the first seconds, and note, told with them. out: the
    folder for screenshots. dropped: tells what follows on a file that is dropped onto the window, or what is wrong with
    it; where it is given, there are screens to go back to too, and `next` says where the player wants to go.
    recorder: what the record key switches; it observes the session. pilot: takes the place of the player's keys, for
    benchmarks. pace, clock and events are injected by tests and benchmarks. `times` holds milliseconds by stage: the
    engine's own, "step" (engine, coherence and recording), "present" (draw and flip), "work" (both) and "interval"
    (from one shown frame to the next).
    """

    def __init__(
        self,
        session: SessionManager,
        window: Window,
        out: Path,
        *,
        reading: Reading | None = None,
        note: str = "",
        dropped: Callable[[Path], Next | str] | None = None,
        recorder: Recorder | None = None,
        pilot: Callable[[Frame], Action] | None = None,
        pace: Pace | None = None,
        clock: Clock = time.perf_counter,
        events: Callable[[], Iterable[pygame.event.Event]] = pygame.event.get,
    ) -> None:
        self.session, self.window, self.out = session, window, out
        self.controls = Controls()
        self.times = FrameTimes() if recorder is None else recorder.times
        self.show_hud, self.show_help = True, False
        self.next: Next = Going.AWAY
        self._recorder, self._dropped = recorder, dropped
        self._pilot, self._pace, self._clock, self._events = pilot, pace or Pacer(STEPS_PER_SECOND), clock, events
        self._hud, self._panels, self._words, self._palette = Hud(), Panels(1.0), Words(reading), Palette()
        self._action = IDLE
        self._single_step = False
        self._left = False
        self._shown_at: float | None = None
        self._message, self._message_ticks = note or "F1  keys", MESSAGE_TICKS * (2 if note else 1)

    def run(self) -> None:
        """Begins the session and plays until the player leaves; Ctrl-C leaves too."""
        try:
            self.begin()
            while self.tick():
                pass
        except KeyboardInterrupt:
            self._leave()
        finally:
            self._let_mouse_go()

    def begin(self) -> None:
        """Shows that the world is waking up, and wakes it."""
        show_waking(self.window)
        self.session.begin()
        self._pace.restart()

    def tick(self) -> bool:
        """One turn of the loop; False once the player has left."""
        self._pace.wait()
        for event in self._events():
            if self._words.take(event, self.session) or self._pick(event):
                continue
            command = self.controls.handle(event)
            if command is not None:
                self._obey(command)
        if self._left:
            return False
        watch = Stopwatch(self._clock)
        with watch.stage("step"):
            stepped = self._step()
        with watch.stage("present"):
            self._draw()
        self._note_times(stepped, watch.milliseconds)
        self._message_ticks -= 1
        if self._recorder is not None and (news := self._recorder.take_news()):
            self._say(news)
        return True

    def _step(self) -> bool:
        """Advances the session if it runs, or by the one step that was asked for; True if it did."""
        session, self._action = self.session, IDLE
        if self._words.typing:
            return False
        advance = {State.RUNNING: session.step, State.PAUSED: session.single_step}.get(session.state)
        if advance is None or session.frame is None or (session.state is State.PAUSED and not self._single_step):
            return False
        self._single_step = False
        self._action = self._pilot(session.frame) if self._pilot else self.controls.action()
        happened = session.last_event
        advance(self._action)
        if session.last_event is not None and session.last_event is not happened:
            self._say(session.last_event.label)
        if session.state is State.ENDED:
            self._let_mouse_go()
        return True

    def _note_times(self, stepped: bool, milliseconds: dict[str, float]) -> None:
        now = self._clock()
        if stepped and self.session.frame is not None:
            stages = self.session.frame.timings | milliseconds
            stages["work"] = milliseconds["step"] + milliseconds["present"]
            if self._shown_at is not None:
                stages["interval"] = (now - self._shown_at) * 1e3
            self.times.add(stages)
        self._shown_at = now if stepped and self.session.state is State.RUNNING else None

    def _obey(self, command: Command) -> None:
        session = self.session
        match command:
            case Command.PAUSE:
                self._pause_or_resume()
            case Command.SINGLE_STEP:
                self._single_step = session.state is State.PAUSED
            case Command.RESTART:
                session.restart()
                self.times.clear()
            case Command.HUD:
                self.show_hud = not self.show_hud
            case Command.HELP:
                self.show_help = not self.show_help
            case Command.FULLSCREEN:
                self.window.toggle_fullscreen()
            case Command.SCREENSHOT:
                self._screenshot()
            case Command.SAY:
                if session.state in (State.RUNNING, State.PAUSED):
                    self.controls.release_all()
                    self._words.begin()
            case Command.PALETTE:
                self._palette.open = not self._palette.open and session.state in (State.RUNNING, State.PAUSED)
                self._capture_mouse(False)
            case Command.BACK:
                if self._dropped is None:
                    self._say("nothing was sketched here; Q leaves")
                else:
                    self._go(Going.SKETCH)
            case Command.RECORD:
                self._toggle_recording()
            case Command.CAPTURE_MOUSE:
                if session.state is State.RUNNING:
                    self._capture_mouse(True)
            case Command.RELEASE_MOUSE | Command.FOCUS_LOST:
                self._capture_mouse(False)
            case Command.QUIT:
                self._leave()

    def _pick(self, event: pygame.event.Event) -> bool:
        """Takes in what is for the palette, and files that are dropped; False if the event is neither."""
        if event.type == pygame.DROPFILE and self._dropped is not None:
            following = self._dropped(Path(event.file))
            if isinstance(following, str):
                self._say(following)
            else:
                self._go(following)
            return True
        picked = self._palette.take(event)
        if picked is not None and self.session.state in (State.RUNNING, State.PAUSED):
            self._words.say(picked, self.session)
            self._say(picked)
        return picked is not None or self._palette.holds(event)

    def _pause_or_resume(self) -> None:
        if self.session.state is State.PAUSED:
            self.session.resume()
        else:
            self.session.pause()
            self._capture_mouse(False)

    def _go(self, following: Next) -> None:
        self.next = following
        self._leave()

    def _leave(self) -> None:
        self._left = True
        self.session.end(EndReason.QUIT)

    def _capture_mouse(self, captured: bool) -> None:
        self.controls.mouse_captured = captured
        self.window.grab_mouse(captured)

    def _let_mouse_go(self) -> None:
        self.controls.release_all()
        self._capture_mouse(False)

    def _screenshot(self) -> None:
        if self.session.frame is None:
            return
        paths = (self.out / f"screenshot-{number:03d}.png" for number in count(1))
        path = next(path for path in paths if not path.exists())
        try:
            prepare_folder(self.out)
            save_png(self.session.frame.image, path)
        except OutputError as error:
            self._say(str(error))
        else:
            self._say(f"saved {path.name}")

    def _toggle_recording(self) -> None:
        if self._recorder is not None and self.session.state in (State.RUNNING, State.PAUSED):
            self._recorder.toggle()

    def _say(self, message: str) -> None:
        self._message, self._message_ticks = message, MESSAGE_TICKS

    def _draw(self) -> None:
        window, session = self.window, self.session
        picture = window.picture
        panels = self._panels = panels_for(picture, self._panels)
        if session.frame is not None:
            window.show(session.frame.image)
        if session.state is State.ENDED:
            card = cards.end_card(panels, cards.EndView.of(session, self.times.rate("interval")))
            window.surface.blit(card, card.get_rect(center=picture.center))
        elif self.show_hud:
            self._hud.draw(window.surface, picture, panels, self._hud_view())
        if session.state is State.PAUSED:
            note = cards.paused(panels)
            window.surface.blit(note, note.get_rect(center=(picture.centerx, picture.top + picture.height * 3 // 4)))
        self._palette.draw(window.surface, picture, panels, pygame.mouse.get_pos())
        self._words.draw(window.surface, picture, panels, chips=self.show_hud)
        if self.show_help:
            card = cards.help_card(panels)
            window.surface.blit(card, card.get_rect(center=picture.center))
        window.flip()

    def _hud_view(self) -> HudView:
        session = self.session
        message = self._message if self._message_ticks > 0 else ""
        return HudView(
            session.time_left,
            session.warning,
            self._pace.fps,
            self._action,
            session.coherence.score,
            message,
            recording=self._recorder is not None and self._recorder.recording,
            curve=tuple(session.coherence.curve),
            decay=session.coherence.decay,
            note=session.coherence.note,
            alarm=session.coherence.alarm,
        )


def show_waking(window: Window) -> None:
    """Draws the card that is seen until the first frame is there."""
    window.surface.fill((24, 28, 34))
    card = cards.waking(panels_for(window.picture, None))
    window.surface.blit(card, card.get_rect(center=window.picture.center))
    window.flip()
    pygame.event.pump()
