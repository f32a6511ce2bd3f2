"""The screens before a world, in a real window that nobody sees: sketch, gallery, dropped files, and back again."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ["SDL_VIDEODRIVER"] = "dummy"

import numpy as np
import pygame
import pytest
from PIL import Image
from some_worlds import LAKE, PHOTO, SHIPPED, written

from genie_lite.conditions import BIOMES, Conditions, biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.errors import CheckpointError
from genie_lite.play import sketch
from genie_lite.play.choice import Choice, Dropped, Going
from genie_lite.play.draft import Draft, picture_of
from genie_lite.play.entrance import Entrance
from genie_lite.play.gallery import GalleryScreen, entries_of
from genie_lite.play.loading import Loading
from genie_lite.play.panels import Panels
from genie_lite.play.screen import Screen
from genie_lite.play.sketch import SketchScreen
from genie_lite.play.window import Window
from genie_lite.prompt.parser import parse

SIZE = (1280, 720)
HOUSE = np.full((90, 300, 3), 200, np.uint8)


class Now:
    """A pace that never waits, and a clock that stands still."""

    def wait(self) -> None:
        pass

    def __call__(self) -> float:
        return 0.0


class Hands:
    """Puts events into a screen."""

    def __init__(self, screen: Screen, queue: list[pygame.event.Event]) -> None:
        self.screen, self.queue = screen, queue

    def send(self, kind: int, **attributes: object) -> None:
        self.queue.append(pygame.event.Event(kind, **attributes))
        self.screen.tick()

    def press(self, key: int, mod: int = 0) -> None:
        self.send(pygame.KEYDOWN, key=key, mod=mod, unicode="")

    def write(self, text: str) -> None:
        for letter in text:
            self.queue.append(pygame.event.Event(pygame.KEYDOWN, key=0, mod=0, unicode=letter))
        self.wait()

    def click(self, x: int, y: int, button: int = 1) -> None:
        self.send(pygame.MOUSEBUTTONDOWN, button=button, pos=(x, y))
        if self.screen.next is None:
            self.send(pygame.MOUSEBUTTONUP, button=button, pos=(x, y))

    def wait(self, turns: int = 40) -> None:
        for _ in range(turns):
            self.screen.tick()

    def picture(self) -> np.ndarray:
        return pygame.surfarray.array3d(self.screen.window.surface).transpose(1, 0, 2)


@pytest.fixture
def window() -> Iterator[Window]:
    with Window(SIZE) as window:
        yield window


def loaded() -> Loading:
    loading = Loading(lambda: FakeEngine((256, 144)))
    loading.wait()
    return loading


def sketching(window: Window, draft: Draft | None = None) -> tuple[SketchScreen, Hands]:
    queue: list[pygame.event.Event] = []

    def events() -> list[pygame.event.Event]:
        taken = list(queue)
        queue.clear()
        return taken

    screen = SketchScreen(window, loaded(), draft or Draft(), 3, pace=Now(), clock=Now(), events=events)
    hands = Hands(screen, queue)
    hands.wait()
    return screen, hands


def test_typed_words_move_the_sliders_and_are_told(window: Window) -> None:
    screen, hands = sketching(window)
    plain = hands.picture()
    hands.write("a snowy forest at night, wombats")
    assert screen.draft.conditions() == parse("a snowy forest at night").conditions
    assert screen.draft.reading() is not None and screen.draft.reading().not_understood == ("wombats",)
    changed = (hands.picture() != plain).any(2)
    assert changed[:110].any() and changed[120:650, 920:].any()


def test_enter_walks_into_the_chosen_first_frame(window: Window) -> None:
    screen, hands = sketching(window)
    hands.write("a desert")
    hands.press(pygame.K_RIGHT), hands.press(pygame.K_DOWN), hands.press(pygame.K_RETURN)
    choice = screen.next
    assert isinstance(choice, Choice)
    assert (choice.start, choice.seed, choice.prompt) == (
        parse("a desert").conditions,
        3 + 1 + sketch.COLUMNS,
        "a desert",
    )


def test_every_seed_has_its_own_picture_and_a_click_enters_it(window: Window) -> None:
    screen, hands = sketching(window)
    images = [candidate.image for candidate in screen.candidates.all]
    assert all(candidate.done for candidate in screen.candidates.all)
    for candidate in screen.candidates.all:
        first = FakeEngine((256, 144)).reset(biome("meadow"), candidate.choice.seed).image
        np.testing.assert_array_equal(candidate.image, first)
    assert len({image.tobytes() for image in images if image is not None}) > 4
    hands.click(460, 200)
    assert isinstance(screen.next, Choice) and screen.next.seed == 4


def test_a_kept_one_stays_when_words_and_seeds_change(window: Window) -> None:
    screen, hands = sketching(window)
    hands.click(150, 200, button=3)
    before = [candidate.choice for candidate in screen.candidates.all]
    hands.write("a desert")
    hands.press(pygame.K_F5)
    hands.wait()
    after = [candidate.choice for candidate in screen.candidates.all]
    assert after[0] is before[0] and not {c.seed for c in after[1:]} & {c.seed for c in before}
    assert after[1].start == parse("a desert").conditions
    hands.press(pygame.K_RETURN)
    assert isinstance(screen.next, Choice) and screen.next.start == biome("meadow")


def test_a_slider_overrules_the_words_until_it_is_given_back(window: Window) -> None:
    screen, hands = sketching(window)
    hands.write("a foggy desert")
    hands.click(1200, 422)
    assert screen.draft.conditions().fog == pytest.approx(0.99, abs=0.02)
    hands.send(pygame.MOUSEBUTTONDOWN, button=1, pos=(1113, 393))
    hands.send(pygame.MOUSEMOTION, pos=(1024, 393), rel=(-89, 0), buttons=(1, 0, 0))
    hands.send(pygame.MOUSEBUTTONUP, button=1, pos=(1024, 393))
    hands.send(pygame.MOUSEMOTION, pos=(1200, 393), rel=(0, 0), buttons=(0, 0, 0))
    assert screen.draft.conditions().hour == 0.0
    hands.click(1200, 422, button=3), hands.click(1200, 393, button=3)
    assert screen.draft.conditions() == parse("a foggy desert").conditions
    hands.wait()
    assert screen.candidates.all[0].choice.start == parse("a foggy desert").conditions


def test_it_says_that_the_model_wakes_up_and_can_be_typed_into_meanwhile(window: Window) -> None:
    import threading

    go = threading.Event()

    def make() -> FakeEngine:
        go.wait(10)
        return FakeEngine((256, 144))

    screen = SketchScreen(window, Loading(make), Draft("a desert"), 3, pace=Now(), clock=Now(), events=list)
    screen.tick()
    asleep = pygame.surfarray.array3d(window.surface)
    assert all(candidate.image is None for candidate in screen.candidates.all) and asleep.any()
    go.set()
    screen._loading.wait()
    for _ in range(40):
        screen.tick()
    assert all(candidate.done for candidate in screen.candidates.all)


def test_an_engine_that_cannot_be_loaded_is_raised_in_the_loop(window: Window) -> None:
    def make() -> FakeEngine:
        raise CheckpointError("no weights")

    screen = SketchScreen(window, Loading(make), Draft(), 3, pace=Now(), clock=Now(), events=list)
    with pytest.raises(CheckpointError):
        for _ in range(10_000):
            screen.tick()


def test_a_picture_shows_what_the_model_reads_off_it_and_words_change_that(window: Window) -> None:
    screen, hands = sketching(window, Draft("", picture_of(HOUSE)))
    look = FakeEngine().look(picture_of(HOUSE).framed)
    assert screen.draft.conditions() == look.conditions
    hands.press(pygame.K_RETURN)
    choice = screen.next
    assert isinstance(choice, Choice) and isinstance(choice.start, np.ndarray)
    assert choice.start.shape == (144, 256, 3) and choice.script == () and "strangeness" in choice.note

    screen, hands = sketching(window, Draft("", picture_of(HOUSE)))
    hands.write("night falls")
    hands.press(pygame.K_RETURN)
    choice = screen.next
    assert isinstance(choice, Choice) and isinstance(choice.start, np.ndarray)
    (event,) = choice.script
    assert event.step == 0 and event.change(look.conditions) == parse("night falls", look.conditions).conditions


def test_a_picture_is_entered_before_the_model_has_looked_at_it() -> None:
    snow = biome("snow", hour=23.0, fog=0.4)
    assert not Draft("", picture_of(HOUSE)).choice(5).script, "nothing was asked for"
    draft = Draft("let it rain", picture_of(HOUSE))
    draft.move("fog", 0.8)
    (event,) = draft.choice(5).script
    assert event.change(snow) == replace(parse("let it rain", snow).conditions, fog=0.8)


def test_a_strange_picture_is_said_to_be_so_and_still_enters(window: Window) -> None:
    red = np.zeros((144, 256, 3), np.uint8)
    red[..., 0] = 255
    screen, hands = sketching(window, Draft("", picture_of(red)))
    known = sketching(window, Draft("", picture_of(HOUSE)))[1].picture()
    hands.wait(1)
    assert (hands.picture()[500:640, :700] != known[500:640, :700]).any()
    hands.press(pygame.K_RETURN)
    assert isinstance(screen.next, Choice) and "far from" in screen.next.note


def test_words_are_as_wide_where_no_fonts_are_installed(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pygame.font, "match_font", lambda *_, **__: None)
    assert Panels(1.0).text("Without the picture").get_size() == pytest.approx((148, 20), abs=2)


def test_the_picture_can_be_left_out_again(window: Window) -> None:
    screen, hands = sketching(window, Draft("a desert", picture_of(HOUSE)))
    hands.click(950, 686)
    assert screen.draft.picture is None and screen.draft.conditions() == parse("a desert").conditions


@pytest.mark.parametrize("paste", [np.full((80, 120, 3), 60, np.uint8), "an alien night", None])
def test_what_is_pasted(window: Window, paste: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if isinstance(paste, np.ndarray):
        Image.fromarray(paste).save(tmp_path / "a.png")
        paste = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(sketch, "clipboard", lambda: paste)
    screen, hands = sketching(window)
    hands.press(pygame.K_v, pygame.KMOD_LCTRL)
    hands.wait()
    if isinstance(paste, bytes):
        assert screen.draft.picture is not None and screen.draft.picture.whole.shape == (80, 120, 3)
    elif paste is None:
        assert "nothing to paste" in screen.message
    else:
        assert screen.draft.text == paste


@pytest.mark.parametrize(("key", "going"), [(pygame.K_ESCAPE, Going.AWAY), (pygame.K_F2, Going.GALLERY)])
def test_keys_that_lead_elsewhere(window: Window, key: int, going: Going) -> None:
    screen, hands = sketching(window)
    hands.press(key)
    assert screen.next is going


def test_a_small_and_a_large_window_show_everything(window: Window) -> None:
    for size in ((640, 400), (1920, 1200)):
        pygame.display.set_mode(size, pygame.RESIZABLE)
        _, hands = sketching(window)
        hands.write("a desert")
        assert (hands.picture()[..., 2] > 120).mean() > 0.1


def gallery(window: Window, folder: Path) -> tuple[GalleryScreen, Hands]:
    queue: list[pygame.event.Event] = []

    def events() -> list[pygame.event.Event]:
        taken = list(queue)
        queue.clear()
        return taken

    screen = GalleryScreen(window, loaded(), entries_of([folder]), {}, pace=Now(), clock=Now(), events=events)
    return screen, Hands(screen, queue)


def test_the_gallery_draws_every_world_and_a_click_enters(window: Window, tmp_path: Path) -> None:
    written(tmp_path, LAKE), written(tmp_path, PHOTO)
    screen, hands = gallery(window, tmp_path)
    blank = hands.picture()
    hands.wait(10)
    assert (hands.picture() != blank)[60:190, 20:560].mean() > 0.3
    hands.click(400, 120)
    choice = screen.next
    assert isinstance(choice, Choice) and isinstance(choice.start, np.ndarray)
    assert choice.seed == PHOTO.seed and choice.script[0].change(Conditions(meadow=1.0)).fog == 0.9


def test_the_gallery_is_walked_with_keys_and_scrolls(window: Window) -> None:
    screen, hands = gallery(window, SHIPPED[0].parent)
    for _ in range(4):
        hands.press(pygame.K_DOWN)
    assert screen.chosen == 16 and screen.first_row == 2
    hands.send(pygame.MOUSEWHEEL, y=5, x=0)
    assert screen.first_row == 0
    hands.press(pygame.K_RETURN)
    assert isinstance(screen.next, Choice)


def test_a_damaged_world_is_there_and_says_what_is_wrong(window: Window, tmp_path: Path) -> None:
    (tmp_path / "torn.world.json").write_text("{")
    screen, hands = gallery(window, tmp_path)
    hands.wait(3)
    hands.click(100, 120)
    assert screen.next is None and "torn" in screen.message


def test_an_empty_gallery_leads_to_the_sketch(window: Window, tmp_path: Path) -> None:
    screen, hands = gallery(window, tmp_path)
    hands.press(pygame.K_RETURN)
    assert screen.next is None
    hands.click(1215, 686)
    assert screen.next is Going.SKETCH


def entrance(tmp_path: Path) -> Entrance:
    return Entrance(lambda: FakeEngine((256, 144)), [tmp_path])


def test_a_dropped_world_is_entered_and_a_dropped_picture_goes_to_the_sketch(tmp_path: Path) -> None:
    ways = entrance(tmp_path)
    choice = ways.dropped(written(tmp_path, replace(LAKE, checkpoint="f" * 16)))
    assert isinstance(choice, Choice) and (choice.start, choice.seed) == (LAKE.conditions, LAKE.seed)
    assert "other weights" in choice.note
    Image.fromarray(HOUSE).save(tmp_path / "house.jpg")
    assert ways.dropped(tmp_path / "house.jpg") is Going.SKETCH
    assert ways.draft.picture is not None and ways.draft.picture.whole.shape == HOUSE.shape


@pytest.mark.parametrize("name", ["song.mp3", "torn.world.json", "gone.png", "photo.png"])
def test_any_other_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    if name != "gone.png":
        (tmp_path / name).write_bytes(b"ID3 nothing of use")
    said = entrance(tmp_path).dropped(tmp_path / name)
    assert isinstance(said, str) and name in said and "\n" not in said


def test_a_file_dropped_onto_a_screen_leads_on(window: Window, tmp_path: Path) -> None:
    screen, hands = sketching(window)
    hands.send(pygame.DROPFILE, file=str(tmp_path / "a.png"))
    assert screen.next == Dropped(tmp_path / "a.png")
    assert entrance(tmp_path).choose(window, Going.AWAY) is None
    assert isinstance(entrance(tmp_path).choose(window, Dropped(written(tmp_path, LAKE))), Choice)


def test_coming_back_from_a_world_goes_on_with_it(tmp_path: Path) -> None:
    ways = entrance(tmp_path)
    there = replace(parse("an autumn lake at dusk").conditions, fog=0.7)
    ways.entering(Choice(there, 9, "an autumn lake at dusk"))
    assert (ways.draft.text, ways.draft.moved, ways.seed) == ("an autumn lake at dusk", {"fog": 0.7}, 9)
    assert ways.draft.conditions() == there
    ways.entering(Choice(HOUSE, 4))
    assert ways.draft.picture is not None and ways.draft.choice(4).start is ways.draft.picture.framed


@pytest.mark.parametrize("name", BIOMES)
def test_a_biome_moved_by_hand_leaves_the_rest_to_the_others(name: str) -> None:
    draft = Draft("snow creeping into a desert")
    before = draft.conditions()
    draft.move(name, 0.25)
    moved = draft.conditions()
    assert getattr(moved, name) == pytest.approx(0.25) and sum(moved.biomes) == pytest.approx(1)
    draft.move(name, 1.0)
    assert getattr(draft.conditions(), name) == pytest.approx(1.0)
    draft.move(name, 0.5)
    assert getattr(draft.conditions(), name) == pytest.approx(0.5)
    draft.let_go(name)
    assert draft.conditions() == before
