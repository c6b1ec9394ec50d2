"""Where chunks run: in this process, on local workers, on a Dask cluster, or as Ray tasks.

An engine is a generator over results of ``function(item)`` in any order. A worker that is lost costs the chunks it was
working on and nothing else: they run again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from costmodel.errors import CostmodelError, MissingExtraError

T = TypeVar("T")
R = TypeVar("R")
Engine = Callable[[Callable[[Any], Any], Sequence[Any], int, "str | None"], Iterator[Any]]

#: Times in a row that all workers may be lost without a result before a chunk is held to be the cause.
RETRIES = 5
#: Seconds that a Dask scheduler may be without a worker before its workers are held to be lost for good.
WORKERLESS_S = 60.0
_POLL_S = 2.0


class WorkersLostError(Exception):
    """No worker is left, or a chunk has lost several: what is missing needs new ones."""


def serial(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """One after the other, here."""
    yield from map(function, items)


def local(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Worker processes of joblib (loky). A killed worker breaks the pool, so what is missing goes to a new one."""
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed

    def pool(left: list[tuple[int, T]]) -> Iterator[tuple[int, R]]:
        run = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", pre_dispatch="3*n_jobs")
        try:
            yield from run(delayed(_numbered)(function, i, item) for i, item in left)
        except BrokenProcessPool as error:
            raise WorkersLostError(str(error)) from error

    if workers == 1:
        yield from serial(function, items, 1)
    else:
        yield from _until_done(pool, items, RETRIES)


def _until_done(pool: Callable[[list[tuple[int, T]]], Iterator[tuple[int, R]]], items: Sequence[T], losses: int) -> Any:
    """Results of pools, each for what the ones before have left, until all is done or ``losses`` in a row
    bring nothing."""
    left = dict(enumerate(items))
    lost = 0
    while left:
        before = len(left)
        try:
            for index, result in pool(list(left.items())):
                del left[index]
                yield result
        except WorkersLostError as error:
            lost = lost + 1 if len(left) == before else 0
            if lost >= losses:
                raise CostmodelError(
                    f"workers die again and again ({error}). The finished parts are kept; try fewer --workers, as each "
                    "needs about 300 MB of memory, and continue with --resume"
                ) from error


def _call(function: Callable[[T], R], item: T) -> R:
    return function(item)


def _numbered(function: Callable[[T], R], index: int, item: T) -> tuple[int, R]:
    return index, function(item)


def dask(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Futures of Dask: at ``address`` (a scheduler, or its scheduler file), or on a cluster of local processes started
    for this run.

    Dask starts a killed worker anew, unless it is killed while it starts: then the scheduler waits for workers that
    never come. So a scheduler without workers is watched, and a local cluster is replaced by a new one.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise MissingExtraError("--engine dask", "distributed", "distributed") from None

    def pool(left: list[tuple[int, T]]) -> Iterator[tuple[int, R]]:
        import dask

        with dask.config.set({"distributed.scheduler.allowed-failures": RETRIES}), _client(
            distributed, workers, address
        ) as client:  # fmt: skip
            yield from _futures(distributed, client, function, left, workers)

    yield from _until_done(pool, items, RETRIES if address is None else 1)


@contextmanager
def _client(distributed: Any, workers: int, address: str | None) -> Iterator[Any]:
    cluster = client = None
    try:
        try:
            if address is None:
                cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
                )
            file = address is not None and Path(address).is_file()  # as schedulers of batch systems are found
            client = distributed.Client(scheduler_file=address) if file else distributed.Client(address or cluster)
        except (OSError, RuntimeError) as error:  # no scheduler there, or workers killed while they started
            raise WorkersLostError(f"{address or 'a local cluster'} cannot be reached or started: {error}") from error
        yield client
    finally:
        for opened in (client, cluster):
            with suppress(Exception):  # what is lost cannot be closed in good order
                if opened is not None:
                    opened.close(timeout=10)


def _futures(
    distributed: Any, client: Any, function: Callable[[T], R], left: list[tuple[int, T]], workers: int
) -> Iterator[tuple[int, R]]:
    waiting = iter(left)

    def submit(count: int) -> set[Any]:
        return {client.submit(_numbered, function, i, item, pure=False) for i, item in islice(waiting, count)}

    running = submit(4 * max(workers, len(client.scheduler_info(n_workers=-1)["workers"])))
    alive = time.monotonic()
    while running:
        try:
            done = distributed.wait(running, timeout=_POLL_S, return_when="FIRST_COMPLETED").done
            for future in done:
                # The result may have been lost with its worker, and waits for another to be computed anew.
                result = future.result(timeout=_POLL_S)
                running.remove(future)
                yield result
                alive = time.monotonic()
                future.release()
                running |= submit(1)
        except TimeoutError:
            if any(f.status == "error" and isinstance(f.exception(), TimeoutError) for f in running):
                raise  # of a chunk, not of the waiting
            if client.scheduler_info(n_workers=-1)["workers"]:
                alive = time.monotonic()
            elif time.monotonic() - alive > WORKERLESS_S:
                raise WorkersLostError(f"no worker for {WORKERLESS_S:.0f} s") from None
        except distributed.scheduler.KilledWorker as error:
            raise WorkersLostError(f"a chunk has lost {RETRIES} workers") from error
        except CancelledError as error:
            raise WorkersLostError("the scheduler is gone") from error


def ray(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Native Ray tasks: at ``address``, or on local processes started for this run."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        library: Any = import_module("ray")
    except ImportError:
        raise MissingExtraError("--engine ray", "ray", "distributed") from None
    started = not library.is_initialized()
    where: dict[str, Any] = {"address": address}
    if address is None:
        where = {"num_cpus": workers, "include_dashboard": False, "logging_level": "error"}
    try:
        if started:
            library.init(log_to_driver=False, **where)
    except Exception as error:  # Ray has no class of its own for a node that does not come up
        raise CostmodelError(
            f"Ray cannot be {'started' if address is None else 'reached'}: {' '.join(str(error).split())} Finished "
            "parts are kept; continue with --resume, on this or another engine"
        ) from error
    try:
        task = library.remote(max_retries=RETRIES, retry_exceptions=False)(_call)
        waiting = iter(items)
        running = [task.remote(function, item) for item in islice(waiting, 4 * workers)]
        while running:
            done, running = library.wait(running, num_returns=1)
            for reference in done:
                yield library.get(reference)
                for item in waiting:
                    running.append(task.remote(function, item))
                    break
    finally:
        if started:
            library.shutdown()


ENGINES: dict[str, Engine] = {"local": local, "dask": dask, "ray": ray, "serial": serial}
