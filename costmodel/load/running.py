"""Running a user's code: with its own command line, away from the answer, on the CPU, and to an end.

Whatever it raises becomes one :class:`CostmodelError` with the line that raised it; no traceback of ours.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from costmodel.errors import CostmodelError


class _NoEnd(BaseException):
    """A user's code took too long: no ``Exception``, which it might catch."""


#: Seconds that each stretch of a user's code may take; None for no limit. The command line sets it.
_limit: float | None = None
_depth = 0
_lock = threading.RLock()


def limit(seconds: float | None) -> None:
    """Let each stretch of a user's code take ``seconds`` at most; in the main thread of a system with timers."""
    global _limit
    _limit = seconds


@contextlib.contextmanager
def user_code(what: str, argv: Sequence[str] = ()) -> Iterator[None]:
    """Turn what the user's code raises into a :class:`CostmodelError` that names the line it came from.

    What our own code raises is a bug and stays what it is. Meanwhile the command line is ``argv`` (its own file and
    options), because code that reads ours would take it for its own; what is printed goes to standard error, where it
    does not mix with an answer; what asks for CUDA stays on the CPU; and a process that is forked ends here.
    """
    from costmodel.load.cuda import on_the_cpu  # imports torch

    process = os.getpid()
    try:
        with _surroundings(argv), _ending(), on_the_cpu():
            yield
    except (CostmodelError, KeyboardInterrupt, MemoryError, GeneratorExit):
        raise
    except _NoEnd as error:
        raise CostmodelError(f"{what}: {error}") from error
    except BaseException as error:
        if _is_ours(error):
            raise
        raise CostmodelError(f"{what}: {describe(error)}{_advice(error)}") from error
    finally:
        if os.getpid() != process:  # what it forked must not give a second answer
            os._exit(0)


@contextlib.contextmanager
def _surroundings(argv: Sequence[str]) -> Iterator[None]:
    """Its own command line and standard error for standard output, also where it is written to by number."""
    global _depth
    with _lock:
        _depth += 1
        outermost = _depth == 1
    aside = _Aside()
    before, complain = sys.argv, argparse.ArgumentParser.error
    saved = _redirect() if outermost else None
    sys.argv = list(argv) or before[:1]
    argparse.ArgumentParser.error = _refuse  # type: ignore[method-assign]  # its usage names this program
    try:
        with contextlib.redirect_stdout(aside):
            yield
    finally:
        if aside.begun:
            aside.write("\n")
        sys.argv = before
        argparse.ArgumentParser.error = complain  # type: ignore[method-assign]
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)
        with _lock:
            _depth -= 1


class _Aside(io.TextIOBase):
    """Standard error under the name of standard output, which a user's code may close."""

    begun = False  # a line that has no end, such as a prompt

    def write(self, text: str) -> int:
        self.begun = not text.endswith("\n") if text else self.begun
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing: it is not theirs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def _redirect() -> int | None:
    """Let descriptor 1 be standard error; returns a copy of what it was, None where there is no such file."""
    try:
        sys.stdout.flush()
        saved = os.dup(1)
    except (OSError, ValueError, AttributeError):
        return None
    try:
        os.dup2(2, 1)
    except OSError:
        os.close(saved)
        return None
    return saved


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Raise :class:`_NoEnd` in what takes longer than the limit."""
    seconds, main = _limit, threading.current_thread() is threading.main_thread()
    if seconds is None or not hasattr(signal, "setitimer") or not main or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def stop(*_: Any) -> NoReturn:
        frame = sys._getframe(1)
        place = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        raise _NoEnd(f"no end after {seconds:g} seconds (at {place}). --timeout {10 * seconds:g} gives it more")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, should what was stopped have caught it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _refuse(self: argparse.ArgumentParser, message: str) -> NoReturn:
    raise SystemExit(message)


def _advice(error: BaseException) -> str:
    """What to do about an error that has a usual cause."""
    message = str(error)
    if isinstance(error, SystemExit):
        return ". It reads a command line of its own: give it one with --model-argv '...'"
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


def _is_ours(error: BaseException) -> bool:
    """Whether the innermost line is of this package and not one that calls the user's code, nor of the zoo."""
    own = Path(__file__).parents[1]
    callers = (
        Path(__file__),
        *(own / "load" / f"{name}.py" for name in ("network", "imports", "cuda")),
        own / "trace" / "record.py",
    )
    frames = traceback.extract_tb(error.__traceback__)
    place = Path(frames[-1].filename) if frames else Path()
    return place.is_relative_to(own) and not place.is_relative_to(own / "zoo") and place not in callers


def describe(error: BaseException) -> str:
    """Type, message and the innermost line outside of installed packages, on one line."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    own = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith(("<frozen", own, sys.base_prefix))
    ]
    if frames:
        text += f" (at {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line or '?'})"
    return text
