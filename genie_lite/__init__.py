"""genie_lite: a playable world that a small neural network draws, frame by frame, from the keys you press."""

__version__ = "0.1.0"
