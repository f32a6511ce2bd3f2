"""Which world: the flags that say what it is like, by words or one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from genie_lite.conditions import BIOMES, STRENGTHS, Conditions, biome
from genie_lite.engine.protocol import Start
from genie_lite.errors import UsageError
from genie_lite.prompt.parser import Reading, parse
from genie_lite.world_file import LARGEST_SEED

CONDITION_FLAGS = ("hour", *STRENGTHS)


@dataclass(frozen=True)
class WorldOptions:
    """Flags that say what a world is like."""

    prompt: str | None = None
    """What the world is like, in English: "a foggy meadow at dawn". The flags that follow overrule it."""
    biome: str | None = None
    """meadow (if nothing is said), autumn, snow, desert, volcanic, tropical, marsh or alien"""
    hour: float | None = None
    """Time of day, 0 to 24 (12 if nothing is said)."""
    fog: float | None = None
    """Fog, 0 to 1, like the strengths that follow (0.1)."""
    rain: float | None = None
    """Rain (0)."""
    snowfall: float | None = None
    """Falling snow (0)."""
    clouds: float | None = None
    """Cloud cover (0.3)."""
    vegetation: float | None = None
    """How much grows (0.5)."""
    ruggedness: float | None = None
    """From flat to mountainous (0.4)."""
    water: float | None = None
    """Lakes and rivers (0.3)."""
    settlement: float | None = None
    """Houses and ruins (0.2)."""

    def reading(self) -> Reading | None:
        """What --prompt was taken to mean, None without it. Raises PromptError if nothing in it was understood."""
        return None if self.prompt is None else parse(self.prompt)

    def conditions(self, now: Conditions | None = None) -> Conditions:
        """What words and flags make of a meadow, or of a world as it is now; the flags overrule the words.

        Raises UsageError for an unknown biome, a value out of range, or words of which nothing was understood.
        """
        if self.biome is not None and self.biome not in BIOMES:
            raise UsageError(f"--biome {self.biome!r} is unknown; choose one of {', '.join(BIOMES)}")
        said = now or Conditions(meadow=1.0)
        if self.prompt is not None:
            said = parse(self.prompt, now).conditions
        if self.biome is not None:
            said = said.with_biomes(biome(self.biome).biomes)
        given = {name: getattr(self, name) for name in CONDITION_FLAGS if getattr(self, name) is not None}
        try:
            return replace(said, **given)
        except ValueError as error:
            raise UsageError(f"{error}; see --help for the flags") from error

    def conditions_given(self) -> bool:
        """True if a flag gives a condition."""
        return any(getattr(self, name) is not None for name in ("biome", *CONDITION_FLAGS))


def checked_seed(seed: int) -> int:
    """The seed as it was given. Raises UsageError for one that recordings and world files do not take."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed {str(seed)[:40]} is no seed; give a whole number from 0 to {LARGEST_SEED}")
    return seed


@dataclass(frozen=True)
class StartOptions(WorldOptions):
    """Flags that say what a world begins from."""

    image: Path | None = None
    """Begin from this picture (PNG, JPEG or WebP), of which the 16:9 middle is taken. Conditions are read off it; a
    --prompt, --hour and so on change it in the first seconds."""


def start_of(options: StartOptions) -> Start:
    """Conditions or a start frame. Raises UsageError for senseless flags, ImageError for an unreadable picture."""
    if options.image is None:
        return options.conditions()
    options.conditions()
    from genie_lite.pictures import framed, read_picture

    return framed(read_picture(options.image))
