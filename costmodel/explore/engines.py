"""Where chunks run: in this process, on local workers, on a Dask cluster, or as Ray tasks.

An engine is a generator over results of ``function(item)`` in any order. A worker that is lost costs the chunks it was
working on and nothing else: they run again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from costmodel.errors import CostmodelError, MissingExtraError

T = TypeVar("T")
R = TypeVar("R")
Engine = Callable[[Callable[[Any], Any], Sequence[Any], int, "str | None"], Iterator[Any]]

#: Times that a chunk may lose its worker before it is held to be the cause.
RETRIES = 5


def serial(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """One after the other, here."""
    yield from map(function, items)


def local(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Worker processes of joblib (loky). A killed worker breaks the pool, so what is missing goes to a new one."""
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed

    if workers == 1:
        yield from serial(function, items, 1)
        return
    left = dict(enumerate(items))
    losses = 0
    while left:
        before = len(left)
        try:
            pool = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", pre_dispatch="3*n_jobs")
            for index, result in pool(delayed(_numbered)(function, i, item) for i, item in list(left.items())):
                del left[index]
                yield result
        except BrokenProcessPool as error:
            losses = losses + 1 if len(left) == before else 0
            if losses >= RETRIES:
                raise CostmodelError(
                    f"workers die again and again ({error}). The finished parts are kept; try fewer --workers, as each "
                    "needs about 300 MB of memory"
                ) from error


def _call(function: Callable[[T], R], item: T) -> R:
    return function(item)


def _numbered(function: Callable[[T], R], index: int, item: T) -> tuple[int, R]:
    return index, function(item)


def dask(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Futures of Dask: at ``address`` (a scheduler), or on a cluster of local processes started for this run."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise MissingExtraError("--engine dask", "distributed", "distributed") from None
    cluster = None
    if address is None:
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
    client = distributed.Client(address or cluster)
    try:
        waiting = iter(items)
        ahead = 4 * max(workers, len(client.scheduler_info(n_workers=-1)["workers"]))
        first = [client.submit(function, item, retries=RETRIES, pure=False) for item in islice(waiting, ahead)]
        queue = distributed.as_completed(first)
        for future in queue:
            yield future.result()
            future.release()
            for item in waiting:
                queue.add(client.submit(function, item, retries=RETRIES, pure=False))
                break
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def ray(function: Callable[[T], R], items: Sequence[T], workers: int, address: str | None = None) -> Iterator[R]:
    """Native Ray tasks: at ``address``, or on local processes started for this run."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        library: Any = import_module("ray")
    except ImportError:
        raise MissingExtraError("--engine ray", "ray", "distributed") from None
    started = not library.is_initialized()
    if started and address is not None:
        library.init(address=address, log_to_driver=False)
    elif started:
        library.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error")
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
