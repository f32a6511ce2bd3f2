"""`genie-lite train`: one part, or everything from nothing on a time budget."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from genie_lite.checks import require_least
from genie_lite.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from genie_lite.model.checkpoint import Model
    from genie_lite.train.loop import Ranks

Choice = Literal[
    "all", "autoencoder", "frame", "thumbnail", "motion", "dynamics", "first_frame", "pictures", "weather", "judge"
]  # fmt: skip
ORDER = ("autoencoder", "frame", "thumbnail", "motion", "dynamics", "first_frame", "pictures", "weather")
SHARES = {
    "autoencoder": 0.1, "frame": 0.06, "thumbnail": 0.1, "motion": 0.0, "dynamics": 0.6, "first_frame": 0.0,
    "pictures": 0.14, "weather": 0.0,
}  # fmt: skip
"""How `train all` divides its budget. Encoding the data, and motion, first_frame and weather, which are fitted, take
some twenty minutes of two cores on top."""

RATES = {"autoencoder": 1.6e-3, "frame": 1.6e-3}
"""Peak learning rates of the parts that bear a higher one than the others' 6e-4."""


@dataclass(frozen=True)
class Options:
    """Train the model's parts from collected episodes. A stopped run goes on where it was."""

    part: Positional[Choice] = "all"
    """Which part; `all` trains them in this order, each on its share of the budget. Frame, thumbnail and
    pictures are heads of the autoencoder, trained on its finished latents. The judge, which measures dreams and is no
    part of the model, is trained by itself, and needs half an hour and the simulator."""
    data: Path = Path("data/landscape")
    """Episodes made by `genie-lite collect` (train and validation splits)."""
    out: Path = Path("runs/landscape")
    """The checkpoint to write; sample sheets and resume states lie in its `training` folder."""
    budget: str = "6h"
    """Training time for this part, or for all of them: a number with s, m or h."""
    batch: int = 0
    """Streams of dynamics an update; 0 picks 24 on a CPU, 256 on a GPU. The other parts take their share of it."""
    learning_rate: float = 0.0
    """Peak learning rate; 0 picks each part's own."""
    start_from: Path | None = None
    """A checkpoint whose weights the new one begins with. For the judge: whose judge's features and distance are kept,
    so that distances stay comparable."""
    most_frames: int = 0
    """Frames the autoencoder is trained on; 0 picks 20,000 on a CPU, 80,000 on a GPU. For the judge: 0 picks
    9,800."""
    seed: int = 0
    """Seed of initial weights and batches."""

    def __post_init__(self) -> None:
        require_least(self, batch=0, learning_rate=0, most_frames=0, seed=0)

    @property
    def seconds(self) -> float:
        """The budget in seconds. Raises UsageError for text that is no time."""
        units = {"s": 1.0, "m": 60.0, "h": 3600.0}
        try:
            seconds = float(self.budget[:-1]) * units[self.budget[-1]]
        except (ValueError, KeyError, IndexError):
            seconds = -1.0
        if not 0 < seconds < 1e7:
            raise UsageError(f"--budget {self.budget!r} is no time: write 90s, 30m or 6h")
        return seconds


def main(options: Options) -> int:
    """Trains as the options say and leaves a checkpoint in options.out."""
    import torch

    from genie_lite.model.checkpoint import PARTS, Model, ModelConfig, load_model
    from genie_lite.train.loop import Ranks

    seconds = options.seconds
    ranks = Ranks()
    torch.manual_seed(options.seed)
    if options.part == "judge":
        from genie_lite.train.judge import train_judge

        made = train_judge(
            options.data, options.out, seconds, ranks, options.seed, options.batch, options.learning_rate,
            options.most_frames, options.start_from,
        ).made  # fmt: skip
        print(f"judge: {made}")
        return 0
    if (options.out / "config.json").is_file():
        done = tuple(name for name in PARTS if (options.out / f"{name}.safetensors").is_file())
        model = load_model(options.out, done)
    else:
        model = load_model(options.start_from) if options.start_from else Model.new(ModelConfig())
    torch.manual_seed(options.seed + 1 + ranks.rank)
    chosen = ORDER if options.part == "all" else (options.part,)
    for name in chosen:
        budget = seconds * SHARES[name] if options.part == "all" else seconds
        _train(name, model, options, budget, ranks)
    return 0


def _train(name: str, model: Model, options: Options, seconds: float, ranks: Ranks) -> None:
    from genie_lite.model.checkpoint import PARTS, save_part
    from genie_lite.train.least_squares import Refits
    from genie_lite.train.loop import Schedule, fit

    gpu = ranks.device.type == "cuda"
    batch = options.batch or (256 if gpu else 24)
    for other in PARTS:
        model.part(other).to(ranks.device).requires_grad_(False).eval()
    if name == "motion":
        return _fit_motion(model, options, ranks)
    if name == "first_frame":
        return _fit_first_frame(model, options, ranks)
    if name == "weather":
        return _fit_weather(model, options, ranks)
    before, state = model.made.get(name, {}), options.out / "training" / f"{name}.resume.pt"
    if state.is_file() and "held_out" in before and before["seconds"] >= int(seconds):
        # Its last layers are fitted, and what is measured stays the same.
        if ranks.rank == 0:
            print(f"{name}: {before}")
        return None
    part, evaluate = _part(name, model, options, batch, ranks)
    part.module.requires_grad_(True)
    file = name if name in PARTS else "autoencoder"

    def publish(ema: nn.Module, made: dict[str, Any]) -> None:
        """Writes the averaged weights in place of the live ones."""
        model.made[name] = made
        live = {key: value.clone() for key, value in part.module.state_dict().items()}
        part.module.load_state_dict(ema.state_dict())
        save_part(options.out, model, file)
        part.module.load_state_dict(live)

    schedule = Schedule(seconds, learning_rate=options.learning_rate or RATES.get(name, 6e-4))
    made = model.made[name] = fit(part, schedule, options.out / "training", ranks, publish)
    if ranks.rank == 0:
        part.module.eval()
        if isinstance(part, Refits):
            part.refit()
        model.made[name] = {**made, "batch": batch * ranks.size, "held_out": evaluate()}
        save_part(options.out, model, file)
        print(f"{name}: {model.made[name]}")
    ranks.share_weights(model.part(file))  # with the last layers that only the first process has fitted


def _fit_motion(model: Model, options: Options, ranks: Ranks) -> None:
    from genie_lite.model.checkpoint import save_part
    from genie_lite.train.clips import load_walks
    from genie_lite.train.motion import evaluate_motion, fit_motion

    walks, held = (load_walks(options.data, split, ranks.device) for split in ("train", "validation"))
    made = fit_motion(model.motion, walks)
    model.made["motion"] = {**made, "held_out": evaluate_motion(model.motion, held)}
    if ranks.rank == 0:
        save_part(options.out, model, "motion")
        print(f"motion: {model.made['motion']}")


def _fit_first_frame(model: Model, options: Options, ranks: Ranks) -> None:
    from genie_lite.data.episodes import list_episodes
    from genie_lite.model.checkpoint import save_part
    from genie_lite.train.clips import load_latents
    from genie_lite.train.first_frame import first_frame_sheet, fit_first_frame

    cache = options.out / "training"
    data = load_latents(options.data, "train", model.autoencoder, ranks.device, cache)
    paths, head = list_episodes(options.data, "train"), model.autoencoder.conditions
    model.made["first_frame"] = fit_first_frame(model.first_frame, data, paths, head)
    if ranks.rank == 0:
        first_frame_sheet(model.first_frame, model.autoencoder, cache / "first_frame.png")
        save_part(options.out, model, "first_frame")
        print(f"first_frame: {model.made['first_frame']}")


def _fit_weather(model: Model, options: Options, ranks: Ranks) -> None:
    from genie_lite.data.episodes import list_episodes, read_episode
    from genie_lite.model.checkpoint import save_part
    from genie_lite.train.weather import fit_weather

    if ranks.rank == 0:
        world = read_episode(list_episodes(options.data, "train")[0]).world
        model.made["weather"] = fit_weather(model.weather.cpu(), world)
        save_part(options.out, model, "weather")
        print(f"weather: {model.made['weather']}")


def _part(name: str, model: Model, options: Options, batch: int, ranks: Ranks) -> tuple[Any, Any]:
    """The part to train and the function that measures it on the validation split."""
    import torch

    from genie_lite.model.layers import to_unit
    from genie_lite.train import autoencoder, clips, dynamics

    device, seed, net = ranks.device, options.seed * 1000 + ranks.rank, model.autoencoder
    if name in ("autoencoder", "frame", "thumbnail", "pictures"):
        most = options.most_frames or (80_000 if device.type == "cuda" else 20_000)
        frames = clips.load_frames(options.data, "train", device, most)
        held_out = clips.load_frames(options.data, "validation", device, 200)
        if name in ("autoencoder", "frame"):
            if "autoencoder" not in model.made:
                some = torch.linspace(0, len(frames.frames) - 1, 400).long()
                net.start_from_pca(to_unit(frames.frames[some].permute(0, 3, 1, 2)))
            kind = autoencoder.AutoencoderPart if name == "autoencoder" else autoencoder.FramePart
            small = kind(net, frames, held_out, max(4, batch // 2), seed)
            return small, lambda: autoencoder.evaluate_autoencoder(net, held_out)
        if not {"thumbnail", "pictures"} & set(model.made):
            net.start_heads_from_frame()
        if name == "thumbnail":
            thumbs = autoencoder.ThumbnailPart(net, frames, held_out, batch, seed)
            return thumbs, lambda: autoencoder.evaluate_thumbnail(net, held_out)
        pictures = autoencoder.PicturesPart(net, frames, held_out, max(2, batch // 4), seed)
        return pictures, lambda: autoencoder.evaluate_pictures(net, held_out)
    cache = options.out / "training"
    data = clips.load_latents(options.data, "train", net, device, cache)
    held = clips.load_latents(options.data, "validation", net, device, cache)
    if name not in model.made:
        model.dynamics.start_from(net.encoder)
    dream = dynamics.DynamicsPart(model.dynamics, data, held, net, batch, seed)
    return dream, lambda: dynamics.evaluate_dynamics(model.dynamics, held, net, min(32, len(held.start)))
