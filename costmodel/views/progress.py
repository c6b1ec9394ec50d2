"""What is being done, on the last line of the terminal, with something that moves in front of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import cycle

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN = "-\\|/"
CLEAR = "\r\x1b[K"


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that says what is being done; silent where there is no terminal to look at.

    A thread draws it, so that it moves while the work holds the main one; nothing is started before the first word.
    """
    done, drawing = threading.Event(), threading.Lock()
    thread: threading.Thread | None = None
    said = ""

    def draw() -> None:
        frames = FRAMES if (sys.stderr.encoding or "").lower().startswith("utf") else PLAIN
        for frame in cycle(frames):
            with drawing:
                if not done.is_set():
                    print(f"{CLEAR}{frame} {said}", end="", file=sys.stderr, flush=True)
            if done.wait(0.1):
                return

    def announce(text: str) -> None:
        nonlocal thread, said
        said = text
        if thread is None and sys.stderr.isatty():
            thread = threading.Thread(target=draw, daemon=True)
            thread.start()

    try:
        yield announce
    finally:
        if thread is not None:
            with drawing:
                done.set()
                print(CLEAR, end="", file=sys.stderr, flush=True)
            thread.join()
