"""Several runs in one process: side by side on one device, in slices of time, each in a folder of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import torch

from costmodel.errors import CostmodelError
from costmodel.train.run import Run

Report = Callable[[Run], None]


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process. Raises :class:`CostmodelError` when another one trains in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    except OSError as error:
        raise CostmodelError(
            f"cannot write in {folder}: {error.strerror or error}. Give -o a writable folder."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CostmodelError(
                f"another process trains in {folder}. Wait for it, or give -o another folder."
            ) from error
        yield


class Stop:
    """Whether to stop: at a point in time, or because the user or the system asks (SIGINT, SIGTERM)."""

    def __init__(self, minutes: float | None) -> None:
        self.deadline = None if minutes is None else time.monotonic() + 60.0 * minutes
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None or (self.deadline is not None and time.monotonic() >= self.deadline)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            signal.default_int_handler(number, frame)  # asked twice: stop at once
        self.signal = number

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals between two batches instead of in the middle of one."""
        before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True)
class Pending:
    """A run that is made when its turn comes, so that a long list of them costs no memory. ``needs`` is a file that
    another run of the list may have to write first."""

    folder: Path
    make: Callable[[], Run]
    needs: Path | None = None


@dataclass
class _Active:
    run: Run
    steps: Iterator[None]
    stream: Any
    lock: contextlib.ExitStack


def train(pending: Sequence[Pending], stop: Stop, parallel: int, report: Report) -> None:
    """Train to the end or until ``stop``, at most ``parallel`` runs at a time.

    On a GPU each run under way has its own stream, and batches are issued to them in turn. Every run that is not done
    is saved. When one fails, the others are saved first; then its error is raised.
    """
    waiting, active = list(pending), list[_Active]()
    failure: Exception | None = None
    with stop.listening():
        while (waiting or active) and not stop and failure is None:
            while waiting and len(active) < max(1, parallel):
                ready = [p for p in waiting if p.needs is None or p.needs.exists()]
                if not ready and active:
                    break
                chosen = ready[0] if ready else waiting[0]
                waiting.remove(chosen)
                active.append(_start(chosen))
            for item in list(active):
                try:
                    with torch.cuda.stream(item.stream):
                        finished = next(item.steps, _DONE) is _DONE
                except Exception as error:
                    failure, finished = error, True
                report(item.run)
                if finished:
                    active.remove(item)
                    item.lock.close()
                if stop or failure:
                    break
        for item in active:
            try:
                with torch.cuda.stream(item.stream), item.lock:
                    item.run.save()
            except CostmodelError as error:  # the other runs are still to be saved
                failure = failure or error
    if failure is not None:
        raise failure


_DONE = object()


def _start(pending: Pending) -> _Active:
    lock = contextlib.ExitStack()
    lock.enter_context(owned(pending.folder))
    try:
        run = pending.make()
    except BaseException:
        lock.close()
        raise
    stream = None
    if run.options.device.type == "cuda":
        stream = torch.cuda.Stream(run.options.device)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()  # the run was made on the default stream, which the new one does not wait for
    return _Active(run, run.steps(), stream, lock)


class Progress:
    """One line per epoch; on a terminal also a line that shows share and time left while the epoch runs."""

    def __init__(self, out: TextIO, quiet: bool = False) -> None:
        self.out, self.quiet = out, quiet
        self.live = out.isatty() and not quiet
        self.shown: dict[Path, int] = {}
        self.began: dict[Path, tuple[float, float]] = {}
        self.last = 0.0

    def __call__(self, run: Run) -> None:
        if self.quiet:
            return
        history = run.position.history
        shown = self.shown.setdefault(run.folder, max(len(history) - 1, 0) if run.position.batch == 0 else len(history))
        self.began.setdefault(run.folder, (time.monotonic(), run.fraction))
        for entry in history[shown:]:
            accuracy = "" if entry.test_accuracy is None else f"  accuracy {100 * entry.test_accuracy:6.2f} %"
            self._line(
                f"{run.folder.name}  step {entry.phase} epoch {entry.epoch}/{run.recipe.phases[entry.phase - 1].epochs}"
                f"  loss {entry.train_loss:.4f}{accuracy}  {entry.seconds:.1f} s{self._left(run)}"
            )
        self.shown[run.folder] = len(history)
        if self.live and time.monotonic() - self.last > 0.5:
            self.last = time.monotonic()
            self.out.write(f"\r\x1b[K{run.folder.name}  {100 * run.fraction:.1f} %{self._left(run)}")
            self.out.flush()

    def _left(self, run: Run) -> str:
        since, fraction = self.began[run.folder]
        if run.fraction <= fraction or run.done:
            return ""
        seconds = (time.monotonic() - since) / (run.fraction - fraction) * (1.0 - run.fraction)
        return f"  {_duration(seconds)} left"

    def _line(self, text: str) -> None:
        self.out.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.out.flush()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Where a result was measured: hardware, versions, commit."""
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": device.type,
        "hardware": hardware,
        "threads": threads,
        "torch": torch.__version__.split("+")[0],
        "commit": commit(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    import platform

    return platform.processor() or platform.machine()


def commit() -> str:
    """Commit of the source tree that the package runs from, marked when training code differs from it; the version of
    the package when it is installed elsewhere."""
    import subprocess
    from importlib import metadata

    tree = Path(__file__).resolve().parents[2]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        if (tree / ".git").exists():
            git = ["git", "-C", os.fspath(tree)]
            told = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
            code = [os.fspath(tree / "costmodel" / folder) for folder in ("train", "zoo")]
            changed = subprocess.run(
                [*git, "status", "--porcelain", "--", *code], capture_output=True, text=True, check=True
            )
            return told.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
    with contextlib.suppress(metadata.PackageNotFoundError):
        return f"release {metadata.version('costmodel')}"
    return "unknown"
