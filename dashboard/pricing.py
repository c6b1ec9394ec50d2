"""Prices what is the user's own next to what is shipped, in the background, while the pages are served."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock, Thread

#: Jobs done before those that wait for news of them are told.
BATCH = 4
Job = Callable[[], None]


class Pricing:
    """A queue of jobs for one thread. ``version`` counts up whenever there is news."""

    def __init__(self) -> None:
        self._queue: deque[Job] = deque()
        self._lock = Lock()
        self._thread: Thread | None = None
        self.version = 0
        self.done = self.total = 0

    @property
    def pending(self) -> int:
        return self.total - self.done

    def add(self, jobs: Iterable[Job]) -> None:
        """Do these as well, after what waits already."""
        with self._lock:
            new = list(jobs)
            self._queue.extend(new)
            self.total += len(new)
            if self._thread is None and self._queue:
                self._thread = Thread(target=self._run, daemon=True, name="pricing")
                self._thread.start()

    def wait(self) -> None:
        """Until all is priced."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    self.version += 1
                    return
                job = self._queue.popleft()
            try:
                job()
            except Exception:  # one design that cannot be priced does not keep the others from it
                logging.getLogger("costmodel.dashboard").exception("a design was not priced")
            with self._lock:
                self.done += 1
                if self.done % BATCH == 0:
                    self.version += 1
