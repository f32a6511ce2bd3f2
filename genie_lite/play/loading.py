"""Loads and warms up an engine in a thread of its own, so that the window lives meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from genie_lite.engine.protocol import Sketcher


class Loading:
    """Begins when asked for the first time. The engine is used by the window's thread alone, once it is there."""

    def __init__(self, make_engine: Callable[[], Sketcher]) -> None:
        self._make = make_engine
        self._engine: Sketcher | None = None
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def ready(self) -> Sketcher | None:
        """The engine if it is there, None while it is being loaded. Raises what loading raised."""
        if self._engine is not None:
            return self._engine
        if self._thread is None:
            self._thread = threading.Thread(target=self._load, name="loading")
            self._thread.start()
        if self._thread.is_alive():
            return None
        return self.wait()

    def wait(self) -> Sketcher:
        """The engine, however long it takes. Raises what loading raised."""
        if self._thread is None:
            self._engine = self._engine or self._make()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._engine is not None
        return self._engine

    def _load(self) -> None:
        try:
            engine = self._make()
            engine.warm_up()
            self._engine = engine
        except Exception as error:
            self._error = error
