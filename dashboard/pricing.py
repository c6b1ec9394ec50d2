"""Prices what is the user's own next to what is shipped, in the background, while the pages are served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock, Thread

#: Pairs priced before those that wait for news of them are told.
BATCH = 4


class Pricing:
    """A queue of (network, target) for one thread. ``version`` counts up whenever there is news."""

    def __init__(self, price: Callable[[str, str], None]) -> None:
        self._price = price
        self._queue: deque[tuple[str, str]] = deque()
        self._lock = Lock()
        self._thread: Thread | None = None
        self.version = 0
        self.done = self.total = 0

    @property
    def pending(self) -> int:
        return self.total - self.done

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Price these as well, after what waits already."""
        with self._lock:
            new = list(pairs)
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
                pair = self._queue.popleft()
            self._price(*pair)
            with self._lock:
                self.done += 1
                if self.done % BATCH == 0:
                    self.version += 1
