"""A model so small that tests can train and play it."""

from pathlib import Path

import torch

from genie_lite.conditions import BIOMES, biome
from genie_lite.model.autoencoder import AutoencoderConfig
from genie_lite.model.checkpoint import PARTS, Model, ModelConfig, save_part
from genie_lite.model.first_frame import FirstFrameConfig
from genie_lite.model.unet import UNetConfig

UNET = UNetConfig(channels=(8, 16, 32), down_blocks=(1, 1), middle_blocks=1, up_blocks=(1, 1), embedding=16)
TINY = ModelConfig(
    AutoencoderConfig(
        encoder_channels=8,
        encoder_blocks=1,
        frame_channels=8,
        frame_blocks=2,
        head_channels=16,
        large_channels=16,
        picture_channels=8,
        thumbnail_channels=8,
    ),
    UNET,
    FirstFrameConfig(examples=32),
)


def tiny_model(seed: int = 0) -> Model:
    """Random weights."""
    torch.manual_seed(seed)
    return with_examples(Model.new(TINY))


def with_examples(model: Model) -> Model:
    """Gives the first frame four examples, of noise at some distance, for every biome."""
    asked = torch.stack([torch.from_numpy(biome(name).to_array()) for name in BIOMES * 4])
    model.first_frame.fit(torch.randn(len(asked), 16, 18, 32), torch.full((len(asked), 72, 128), 0.6), asked)
    return model


def saved(folder: Path, model: Model) -> Path:
    """Writes every part into the folder, which it returns."""
    for name in PARTS:
        save_part(folder, model, name)
    return folder


def shaken(model: Model) -> Model:
    """The model with the layers that start at zero set to something, so that every input has an effect."""
    with torch.no_grad():
        for name in PARTS:
            for parameter in model.part(name).parameters():
                parameter.add_(0.03 * torch.randn_like(parameter))
    return model
