"""Hour and weather put another light over what is seen and remembered; far pictures are told from near ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import shaken, tiny_model
from torch import Tensor

from genie_lite.actions import IDLE
from genie_lite.conditions import biome
from genie_lite.data.skies import Views
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.protocol import Frame
from genie_lite.model.checkpoint import Model
from genie_lite.model.familiar import Familiar
from genie_lite.model.light import Light
from genie_lite.model.memory import SpatialMemory
from genie_lite.model.relight import Relight
from genie_lite.train.weather import fit_light

NOON, MIDNIGHT = 0.6, -0.7
"""How bright the pictures of day and night are, in [-1, 1]."""


def row(hour: float) -> Tensor:
    return torch.from_numpy(biome("meadow", hour=hour).to_array())[None]


@pytest.fixture(scope="module", autouse=True)
def in_haste() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genie_lite.train.weather.LIGHT_STEPS", 400)
        patch.setattr("genie_lite.train.weather.PIXELS", 64)
        yield


@pytest.fixture(scope="module")
def model() -> Model:
    """Knows bright noons and dark midnights, all grey."""
    model = tiny_model()
    torch.manual_seed(1)
    bright = torch.tensor([NOON, MIDNIGHT]).repeat(32)[:, None, None, None]
    frames = (bright + 0.15 * torch.randn(64, 1, 18, 32)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    frames = (frames + 0.02 * torch.randn(64, 1, 144, 256)).expand(-1, 3, -1, -1).clamp(-1, 1)
    model.autoencoder.start_from_pca(frames)
    model.autoencoder.start_heads_from_frame()
    with torch.no_grad():
        latents = model.autoencoder.encode(frames)
    rows = torch.cat([row(12.0), row(0.0)] * 32)
    depths = torch.full((len(latents), 72, 128), 0.6)
    model.first_frame.fit(latents, depths, rows)
    pictures = ((frames + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    views = Views(pictures, depths.half().numpy(), rows.numpy(), np.zeros(len(rows), np.float32))
    made = fit_light(model.weather.light, views, 2)
    assert made["error"] < 0.4 * made["error_unchanged"]
    return model


def test_a_picture_of_noon_becomes_one_of_midnight(model: Model) -> None:
    relight, depth, here = (
        Relight(model.autoencoder, model.weather),
        torch.full((1, 1, 72, 128), 0.6),
        torch.zeros(1, 5),
    )
    frame = torch.full((1, 3, 144, 256), NOON)
    with torch.no_grad():
        latent = model.autoencoder.encode(frame) + relight.change(frame, depth, here, row(12.0), row(0.0))
        assert float(model.autoencoder.decode(latent).mean()) == pytest.approx(MIDNIGHT, abs=0.1)
        assert float(relight.change(frame, depth, here, row(12.0), row(12.0)).abs().max()) < 1e-4


def test_example_views_of_noon_become_ones_of_midnight(model: Model) -> None:
    relight, depth = Relight(model.autoencoder, model.weather), torch.full((1, 1, 72, 128), 0.6)
    with torch.no_grad():
        latent = model.autoencoder.encode(torch.full((1, 3, 144, 256), NOON))
        dark = relight.views(latent, depth, row(12.0), row(0.0))
        assert float(model.autoencoder.decode(dark).mean()) == pytest.approx(MIDNIGHT, abs=0.1)
        torch.testing.assert_close(relight.views(latent, depth, row(12.0), row(12.0)), latent, atol=1e-4, rtol=0)


def test_fog_hides_what_is_far_and_another_light_undoes_it() -> None:
    """As Koschmieder's law has it, and the sky is told from what stands before it."""
    torch.manual_seed(0)
    skies, fogs = 8, torch.linspace(0, 1, 8)
    clear = 0.3 + 0.4 * torch.rand(12, 1, 72, 128, 1)
    depth = torch.rand(12, 1, 72, 128).mul(0.9).half()
    depth[:, :, :20] = 1.0
    air = (depth * fogs[:, None, None]).clamp_max(0.95)[..., None].float()
    seen = torch.where(depth[..., None] == 1, 0.5 + 0.4 * fogs[:, None, None, None], clear * (1 - air) + 0.8 * air)
    frames = (255 * seen).round().byte().expand(-1, -1, -1, -1, 3).flatten(0, 1)
    large = frames.repeat_interleave(2, 1).repeat_interleave(2, 2).numpy()
    rows = torch.stack([torch.from_numpy(biome("meadow", fog=float(fog)).to_array()) for fog in fogs]).repeat(12, 1)
    light = Light()
    views = Views(large, depth.expand(-1, skies, -1, -1).flatten(0, 1).numpy(), rows.numpy(), np.zeros(96, np.float32))
    fit_light(light, views, skies)
    pictures = torch.from_numpy(large).permute(0, 3, 1, 2).float() / 127.5 - 1
    one, other, far = pictures[1:2], pictures[6:7], depth[:1].float()
    level = torch.zeros(1)
    foggy = light.relit(one, far, level, rows[1:2], rows[6:7])
    assert float((foggy - other).abs().mean()) < 0.3 * float((one - other).abs().mean())
    back = light.relit(foggy, far, level, rows[6:7], rows[1:2])
    assert float((back - one).abs().mean()) < 0.02, "the way there and back is none"
    torch.testing.assert_close(light.relit(one, far, level, rows[1:2], rows[1:2]), one, atol=1e-5, rtol=0)


def test_night_falls_on_an_eye_at_rest(model: Model) -> None:
    engine = DreamEngine(
        model, EngineOptions(Path("none"), "144p", runtime="eager", dtype="fp32", threads=1, memory=False)
    )
    day = engine.reset(biome("meadow", hour=12.0), 3).image.mean()
    for hour in (15.0, 18.0, 21.0, 0.0):
        engine.set_conditions(biome("meadow", hour=hour))
        night = engine.step(IDLE).image.mean()
    assert night < 0.6 * day
    before = engine.step(IDLE).latent
    engine.set_conditions(biome("desert", hour=0.0))
    np.testing.assert_allclose(engine.step(IDLE).latent, before, atol=0.5, err_msg="another land changes no light")


def test_memory_shows_its_views_in_the_light_of_now(model: Model) -> None:
    here, noon, night = torch.zeros(1, 5), row(12.0), row(0.0)
    memory = SpatialMemory(1, 4, torch.device("cpu"), light=model.weather.light, conditions=noon)
    view = torch.cat([torch.full((1, 3, 72, 128), NOON), torch.full((1, 1, 72, 128), 0.6)], 1)
    dark = torch.cat([torch.full((1, 3, 72, 128), MIDNIGHT), view[:, 3:]], 1)
    nothing = torch.zeros(1, 4, 72, 128)

    def shown(slot: int = 0) -> float:
        picture = memory.lit(torch.full((1, 3, 144, 256), NOON if slot == 0 else MIDNIGHT), torch.tensor([slot]))
        looked = float(memory.look(nothing, here, here)[1][0].mean())
        assert float(picture.mean()) == pytest.approx(looked, abs=0.03), "whole pictures and thumbnails alike"
        return looked

    memory.store(torch.tensor([0]), view, here, torch.tensor([1.0]), torch.tensor([True]))
    assert shown() == pytest.approx(NOON, abs=0.02)
    memory.come_under(night)
    apart = memory.branch()
    assert shown() == pytest.approx(MIDNIGHT, abs=0.1)
    memory.forget()
    memory.store(torch.tensor([1]), dark, here, torch.tensor([1.0]), torch.tensor([True]))
    assert shown(1) == pytest.approx(MIDNIGHT, abs=0.02), "what is seen by night is dark already"
    memory.come_under(noon)
    assert shown(1) == pytest.approx(NOON, abs=0.15)
    memory.forget()
    assert bool((memory.look(nothing, here, here)[1][1] == torch.inf).all())
    assert float(apart.look(nothing, here, here)[1][0].mean()) == pytest.approx(MIDNIGHT, abs=0.1), (
        "a branch keeps its own"
    )


def test_what_is_unlike_all_examples_is_strange() -> None:
    torch.manual_seed(0)
    scale = torch.linspace(0.2, 1, 16)[:, None, None]
    known = torch.randn(600, 16, 18, 32) * scale + torch.randn(600, 16, 1, 1)
    familiar = Familiar(known[:400])
    usual = [familiar.strangeness(latent[None]) for latent in known[400:]]
    assert np.median(usual) < 1 and np.quantile(usual, 0.9) < 1.3
    assert familiar.strangeness(known[:1] * 4) > 1.5
    assert familiar.strangeness(torch.zeros(1, 16, 18, 32)) > 1.5
    assert np.isfinite(Familiar(known[:1].expand(8, -1, -1, -1)).strangeness(known[:1]))


def test_snow_is_shown_and_not_dreamed_on_from(model: Model) -> None:
    options = EngineOptions(Path("none"), "144p", runtime="eager", dtype="fp32", threads=1)
    snowy = biome("meadow", hour=12.0, snowfall=0.8)

    def walked(engine: DreamEngine) -> tuple[np.ndarray, np.ndarray]:
        engine.reset(snowy, 3)
        frames = [engine.step(IDLE) for _ in range(3)]
        assert frames[-1].latent is not None
        return frames[-1].image, frames[-1].latent

    clear, latent = walked(DreamEngine(model, options))
    model.weather.snowfall[:, 20:24, 60:64], model.weather.colours[0, 0] = 0.9, 1.0
    flaky, same = walked(DreamEngine(model, options))
    model.weather.snowfall.zero_(), model.weather.colours.zero_()
    np.testing.assert_array_equal(same, latent)
    brighter = flaky.astype(int) - clear
    assert brighter[40:48, 120:128].mean() > 20 and abs(brighter[100:].mean()) < 2


def test_what_falls_is_before_every_view_that_is_drawn_and_in_no_latent() -> None:
    def frames(model: Model) -> list[Frame]:
        engine = DreamEngine(model, EngineOptions(Path("none"), "144p", runtime="eager", dtype="fp32", threads=1))
        first = engine.reset(biome("snow", snowfall=1.0), 3)
        return [first, engine.step(IDLE), engine.disturb(np.zeros((16, 18, 32), np.float32))]

    snowing = shaken(tiny_model())
    snowing.weather.snowfall.fill_(0.9)
    snowing.weather.colours.fill_(1.0)
    clear, falling = frames(shaken(tiny_model())), frames(snowing)
    for one, other in zip(clear, falling, strict=True):
        np.testing.assert_array_equal(one.latent, other.latent)
        assert np.abs(one.image.astype(int) - other.image).max() > 0
    np.testing.assert_array_equal(falling[2].image, falling[1].image)
    assert falling[2].index == falling[1].index == 1
