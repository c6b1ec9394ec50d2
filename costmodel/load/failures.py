"""What a user's code failed of, in one line: type, message, the line that raised it, and what to do about it."""

from __future__ import annotations

import re
import sys
import traceback
from collections import deque
from pathlib import Path
from types import TracebackType

from costmodel.load.packages import fitting, install

#: Characters of a message that are said, and innermost frames among which the line that failed is looked for.
_LONGEST, _FRAMES = 800, 200


def advice(error: BaseException) -> str:
    """What to do about an error that has a usual cause."""
    message = _one_line(error)
    if isinstance(error, SystemExit):
        return ". It reads a command line of its own: give it one with --model-argv '...'"
    other = re.search(r"operator (torchvision|torchaudio)::\w+ does not exist", message)
    if other:
        return f". This {other[1]} is built for another PyTorch or device: {fitting(other[1])}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f". {install(error.name)}"
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str):
        if Path(error.filename).is_absolute():
            return ""
        return f". That is looked for in {Path.cwd()}: start costmodel in the folder that its code is started in"
    if isinstance(error, (RuntimeError, NotImplementedError)) and "meta tensor" in message:
        return ". It reads a value, and there are none: leave out --meta, or build it off the device meta"
    found = re.search(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)", message)
    if isinstance(error, TypeError) and found and "forward" not in message:
        names = re.findall(r"'(\w+)'", found[1])
        given = " ".join(f"{name}=..." for name in names)
        return f". Give it --model-args {given}, or name the call itself: file.py:factory(...)"
    if isinstance(error, OSError) and type(error).__name__ in ("URLError", "HTTPError", "ConnectionError", "gaierror"):
        return ". It wants to fetch something: run it where it can, or ask its factory for a network without weights"
    return ""


def is_ours(error: BaseException) -> bool:
    """Whether the innermost line is of this package and not one that calls the user's code, nor of the zoo."""
    own = Path(__file__).parents[1]
    callers = (
        *(own / "load" / f"{name}.py" for name in ("running", "network", "imports", "cuda")),
        own / "trace" / "record.py",
    )
    frames = _frames(error, 1)
    place = Path(frames[-1].filename) if frames else Path()
    return place.is_relative_to(own) and not place.is_relative_to(own / "zoo") and place not in callers


def _frames(error: BaseException, most: int) -> traceback.StackSummary:
    """The innermost frames of an error, which may have a million of them."""
    last: deque[TracebackType] = deque(maxlen=most)
    step = error.__traceback__
    while step is not None:
        last.append(step)
        step = step.tb_next
    return traceback.StackSummary.extract((each.tb_frame, each.tb_lineno) for each in last)


def _one_line(error: BaseException) -> str:
    """The message of an error, which may be of any length, hold anything, or fail itself."""
    try:
        found = " ".join(str(error).split())
    except Exception:
        return ""
    found = "".join(c if c.isprintable() else "?" for c in found)
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}..."


def describe(error: BaseException) -> str:
    """Type, message and the innermost line outside of installed packages, on one line."""
    message = _one_line(error)
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    own = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in _frames(error, _FRAMES)
        if "site-packages" not in frame.filename and not frame.filename.startswith(("<frozen", own, sys.base_prefix))
    ]
    if frames:
        text += f" (at {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line or '?'})"
    return text
