"""A checkpoint: a folder with config.json and one safetensors file a part. Strict, and never pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from genie_lite.errors import CheckpointError, OutputError
from genie_lite.files import drafted
from genie_lite.model.autoencoder import Autoencoder, AutoencoderConfig
from genie_lite.model.dynamics import Dynamics
from genie_lite.model.first_frame import FirstFrame, FirstFrameConfig
from genie_lite.model.motion import Motion
from genie_lite.model.unet import UNetConfig
from genie_lite.model.weather import Weather

FORMAT = "genie_lite checkpoint 1"
PARTS = ("autoencoder", "motion", "dynamics", "first_frame", "weather")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shapes of all parts that have any to choose."""

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    dynamics: UNetConfig = UNetConfig()
    first_frame: FirstFrameConfig = FirstFrameConfig()


@dataclass(slots=True)
class Model:
    """All parts of one checkpoint; `made` says for each part how it was trained."""

    config: ModelConfig
    autoencoder: Autoencoder
    motion: Motion
    dynamics: Dynamics
    first_frame: FirstFrame
    weather: Weather
    world: str = "landscape"
    made: dict[str, Any] = field(default_factory=dict)
    hash: str | None = None

    @classmethod
    def new(cls, config: ModelConfig, world: str = "landscape") -> Model:
        """Random weights from torch's current RNG."""
        return cls(
            config,
            Autoencoder(config.autoencoder),
            Motion(),
            Dynamics(config.dynamics),
            FirstFrame(config.first_frame),
            Weather(),
            world,
        )

    def part(self, name: str) -> nn.Module:
        """One of PARTS."""
        module: nn.Module = getattr(self, name)
        return module


def save_part(folder: Path, model: Model, name: str) -> None:
    """Writes one part (bfloat16, bytes as they are) and the config beside it. Raises OutputError if the folder cannot
    be written."""
    tensors = {
        key: value.detach().to("cpu", torch.bfloat16 if value.is_floating_point() else value.dtype).contiguous()
        for key, value in model.part(name).state_dict().items()
    }
    config = {
        "format": FORMAT,
        "world": model.world,
        "config": dataclasses.asdict(model.config),
        "made": model.made,
    }
    try:
        with drafted(folder / f"{name}.safetensors") as weights, drafted(folder / "config.json") as told:
            weights.write_bytes(save(tensors))
            told.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the checkpoint to {folder}: {error.strerror or error}") from error


def load_model(folder: Path, parts: tuple[str, ...] = PARTS) -> Model:
    """Reads the named parts as float32; the others keep random weights.

    Raises CheckpointError for a folder that is missing, torn, foreign, or of other shapes than its config says.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"no checkpoint at {folder} (config.json is missing): give its folder with --checkpoint")
    try:
        stored = json.loads((folder / "config.json").read_text())
        if stored["format"] != FORMAT:
            raise CheckpointError(f"{folder} holds {stored['format']!r}, this version reads {FORMAT!r}")
        model = Model.new(_config(ModelConfig, stored["config"]), str(stored["world"]))
        model.made = dict(stored["made"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{folder / 'config.json'} is not a checkpoint's config ({error})") from error
    digest = hashlib.sha256()
    for name in parts:
        path = folder / f"{name}.safetensors"
        try:
            content = path.read_bytes()
            state = {key: value.float() for key, value in load(content).items()}
            model.part(name).load_state_dict(state, strict=True)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
        except (SafetensorError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{path} is damaged or belongs to another config ({reason})") from error
        digest.update(content)
        model.part(name).eval()
    model.hash = digest.hexdigest()[:16]
    return model


def _config(kind: type, values: dict[str, Any]) -> Any:
    """Builds a frozen config from JSON, refusing unknown and missing keys."""
    known = {f.name: f for f in dataclasses.fields(kind)}
    if set(values) != set(known):
        raise ValueError(f"keys {sorted(set(values) ^ set(known))} are unknown or missing")
    built = {}
    for name, value in values.items():
        default = getattr(kind(), name)
        if dataclasses.is_dataclass(default):
            built[name] = _config(type(default), value)
        elif isinstance(default, tuple):
            built[name] = tuple(int(v) for v in value)
        else:
            built[name] = type(default)(value)
    return kind(**built)
