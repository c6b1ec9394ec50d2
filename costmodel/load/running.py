"""Running a user's code: with its own command line, away from the answer, on the CPU, and to an end.

Whatever it raises becomes one :class:`CostmodelError` with the line that raised it; no traceback of ours.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from costmodel.errors import CostmodelError
from costmodel.load.failures import advice, describe, is_ours


class _NoEnd(BaseException):
    """A user's code took too long: no ``Exception``, which it might catch."""


#: Seconds that each stretch of a user's code may take; None for no limit.
_limit: float | None = None
_depth = 0
#: Whether a user's code ran in this process, and seconds that what it left for the end may take.
_ran = False
_AT_EXIT = 5.0
_lock = threading.RLock()


@contextlib.contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Meanwhile each stretch of a user's code may take ``seconds`` at most; None leaves what holds already.

    The limit is a timer of the system, so it holds in the main thread where there are such timers, and code that is
    not Python ends when it comes back to Python.
    """
    global _limit
    before = _limit
    _limit = before if seconds is None else seconds
    try:
        yield
    finally:
        _limit = before


def require_timer(seconds: float | None) -> None:
    """Raise :class:`CostmodelError` for a limit that would not hold: here, or at all."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise CostmodelError(f"timeout={seconds!r}: expected a number of seconds above 0")
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        raise CostmodelError(
            f"timeout={seconds:g} works in the main thread of Linux and macOS: leave it out, or run the network in a "
            "process of its own"
        )


@contextlib.contextmanager
def user_code(what: str, argv: Sequence[str] = ()) -> Iterator[None]:
    """Turn what the user's code raises into a :class:`CostmodelError` that names the line it came from.

    What our own code raises is a bug and stays what it is. Meanwhile the command line is ``argv`` (its own file and
    options), because code that reads ours would take it for its own; what is printed goes to standard error, where it
    does not mix with an answer; what asks for CUDA stays on the CPU; gradients that it switches off are on again behind
    it; and a process that is forked ends here.
    """
    import torch

    from costmodel.load.cuda import on_the_cpu

    global _ran
    _ran = True
    process = os.getpid()
    try:
        with _surroundings(argv), _ending(), on_the_cpu(), torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    except (CostmodelError, KeyboardInterrupt, MemoryError):
        raise
    except _NoEnd as error:
        raise CostmodelError(f"{what}: {error}") from error
    except BaseException as error:
        if is_ours(error):
            raise
        raise CostmodelError(f"{what}: {describe(error)}{advice(error)}") from error
    finally:
        if os.getpid() != process:  # what it forked must not give a second answer
            os._exit(0)


def leave(status: int) -> None:
    """What a user's code left for the end of the process: done within seconds, away from the answer, or not at all.

    Ends the process with ``status`` where a thread of that code would keep it from ending.
    """
    global _ran
    if not _ran:
        return
    _ran = False
    complain, sys.unraisablehook = sys.unraisablehook, lambda _: None  # who was stopped would say so
    try:
        with limited(_AT_EXIT), _surroundings(), _ending():
            atexit._run_exitfuncs()
    except BaseException:  # the answer is given; what fails here is theirs
        pass
    finally:
        sys.unraisablehook = complain
    if any(t.is_alive() and not t.daemon and t is not threading.main_thread() for t in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)


@contextlib.contextmanager
def _surroundings(argv: Sequence[str] = ()) -> Iterator[None]:
    """Its own command line and standard error for standard output, also where it is written to by number."""
    global _depth
    with _lock:
        _depth += 1
        outermost = _depth == 1
    aside, told = _Aside(sys.stderr), sys.stderr
    before, complain, end = sys.argv, argparse.ArgumentParser.error, os._exit
    process = os.getpid()

    def ended(status: int) -> NoReturn:
        if os.getpid() != process:
            end(status)
        raise SystemExit(status)  # else the process would end without an answer, and as if it had given one

    saved = _redirect() if outermost else None
    sys.argv = list(argv) or before[:1]
    argparse.ArgumentParser.error = _refuse  # type: ignore[method-assign]  # its usage names this program
    os._exit = ended
    try:
        with contextlib.redirect_stdout(aside):
            yield
    finally:
        if aside.begun:
            with contextlib.suppress(OSError, ValueError):
                aside.write("\n")
        sys.argv, sys.stderr = before, told
        argparse.ArgumentParser.error = complain  # type: ignore[method-assign]
        os._exit = end
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)
        with _lock:
            _depth -= 1


class _Aside(io.TextIOBase):
    """Standard error under the name of standard output, which a user's code may close."""

    begun = False  # a line that has no end, such as a prompt

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self.begun = not text.endswith("\n") if text else self.begun
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Nothing: it is not theirs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
        raise _NoEnd(
            f"no end after {seconds:g} seconds (at {place}). --timeout {10 * seconds:g} (in Python timeout=...) gives "
            "it more"
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, should what was stopped have caught it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _refuse(self: argparse.ArgumentParser, message: str) -> NoReturn:
    raise SystemExit(message)
