"""Every error a user can cause or meet. Each message says what to do next; the CLI prints it as one line."""


class GenieLiteError(Exception):
    """Base of all errors that genie_lite raises on purpose."""


class UsageError(GenieLiteError):
    """A value the user gave makes no sense (exit status 2)."""


class PromptError(UsageError):
    """Nothing in a text was understood, or a list of events is not one."""


class CheckpointError(GenieLiteError):
    """A checkpoint is missing, torn, or was made by something else."""


class OutputError(GenieLiteError):
    """Something could not be written: no permission, no space, no codec."""


class DisplayError(GenieLiteError):
    """No window could be opened."""


class RenderError(GenieLiteError):
    """The simulator could not get an OpenGL context."""


class DataError(GenieLiteError):
    """Training data is missing, torn or of another version."""


class ImageError(GenieLiteError):
    """A picture given as a start frame cannot be used."""


class WorldFileError(GenieLiteError):
    """A world file is missing, damaged, of another version, or asks for what no world has."""


class RecordingError(GenieLiteError):
    """A recording is missing, damaged, of another version, or was made by other weights."""
