"""Training data as tensors: frames for the autoencoder, whole encoded episodes for everything behind it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from genie_lite.data.episodes import list_episodes, read_episode
from genie_lite.files import drafted
from genie_lite.model.autoencoder import LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH, Autoencoder
from genie_lite.model.layers import to_unit


@dataclass(slots=True)
class FrameSet:
    """Single frames, all on one device: frames uint8 N 144 256 3, depth float16 N 72 128, conditions N 18, pitch N 1
    (radians); and large uint8 K 720 1280 3 with the frames, small uint8 K 144 256 3, of the same instants. A frame
    takes 129 KB, a large one 2.9 MB: 80,000 and 720 take 12 GB of a card, twice that for a moment while they are read.
    """

    frames: Tensor
    depth: Tensor
    conditions: Tensor
    pitch: Tensor
    large: Tensor
    small: Tensor


def load_frames(folder: Path, split: str, device: torch.device, most: int) -> FrameSet:
    """Reads about `most` frames, evenly spread over the split's episodes, and all its 720p pictures."""
    paths = list_episodes(folder, split)
    per_episode = max(1, most // len(paths))
    columns: list[list[Tensor]] = [[] for _ in range(6)]
    for path in paths:
        episode = read_episode(path)
        count = min(per_episode, len(episode.frames))
        pick = np.unique(np.linspace(0, len(episode.frames) - 1, count).astype(int))
        parts = (episode.frames[pick], episode.depth[pick], episode.conditions[pick],
                 episode.poses[pick, 4:], episode.pictures, episode.frames[episode.picture_index])  # fmt: skip
        for column, values in zip(columns, parts, strict=True):
            column.append(torch.from_numpy(np.ascontiguousarray(values)).to(device))
    return FrameSet(*(torch.cat(column) for column in columns))


Walk = tuple[Tensor, Tensor]
"""An episode's path and keys, float32: poses T 5, actions T 6."""


def load_walks(folder: Path, split: str, device: torch.device) -> list[Walk]:
    """Reads how the eye went in the split's episodes, and none of what it saw."""
    episodes = (read_episode(path) for path in list_episodes(folder, split))
    told = ((np.array(values, np.float32) for values in (e.poses, e.actions)) for e in episodes)
    return [(torch.from_numpy(poses).to(device), torch.from_numpy(actions).to(device)) for poses, actions in told]


@dataclass(slots=True)
class LatentSet:
    """Encoded episodes end to end: latents float16 N 16 18 32, poses N 5, actions N 6, conditions N 18 float32;
    start[e] and length[e] say which rows are episode e."""

    latents: Tensor
    poses: Tensor
    actions: Tensor
    conditions: Tensor
    start: Tensor
    length: Tensor


def load_latents(folder: Path, split: str, autoencoder: Autoencoder, device: torch.device, cache: Path) -> LatentSet:
    """The split's encoded episodes, from the cache folder if this encoder has encoded these files before."""
    paths = list_episodes(folder, split)
    digest = hashlib.sha256("".join(f"{path} {path.stat().st_mtime_ns}" for path in paths).encode())
    for tensor in autoencoder.encoder.state_dict().values():
        digest.update(tensor.cpu().bfloat16().flatten().view(torch.uint8).numpy().tobytes())
    path = cache / f"{split}-{digest.hexdigest()[:16]}.safetensors"
    if not path.is_file():
        encoded = encode_episodes(paths, autoencoder, device)
        with drafted(path) as draft:
            save_file({name: getattr(encoded, name).cpu().contiguous() for name in LatentSet.__slots__}, draft)
    return LatentSet(**load_file(path, device=str(device)))


@torch.no_grad()
def encode_episodes(paths: list[Path], autoencoder: Autoencoder, device: torch.device) -> LatentSet:
    """Encodes episode files with a trained autoencoder."""
    autoencoder = autoencoder.to(device).eval()
    # Small things first, and room for the large ones at once: what is kept between two large temporary tensors tears
    # the heap, by gigabytes with thousands of episodes.
    columns: list[list[Tensor]] = [[], [], []]
    for path in paths:
        episode = read_episode(path)
        for column, values in zip(columns, (episode.poses, episode.actions, episode.conditions), strict=True):
            column.append(torch.from_numpy(np.array(values, np.float32)))
    length = torch.tensor([len(poses) for poses in columns[0]])
    start = length.cumsum(0) - length
    latents = torch.empty(int(length.sum()), LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH, dtype=torch.half)
    latents = latents.to(device)
    episodes = list(zip(paths, start.tolist(), strict=True))
    for path, first in track(episodes, "encoding episodes", console=Console(stderr=True)):
        for at, frames in enumerate(torch.from_numpy(np.array(read_episode(path).frames)).split(64)):
            encoded = autoencoder.encode(to_unit(frames.to(device).permute(0, 3, 1, 2)))
            latents[first + 64 * at :][: len(frames)] = encoded
    poses, actions, conditions = (torch.cat(column).to(device) for column in columns)
    return LatentSet(latents, poses, actions, conditions, start.to(device), length.to(device))
