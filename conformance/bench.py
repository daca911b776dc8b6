"""The bench on which items run: one server, and one event loop for the async forms, used again while they stay clean.

Packages keep their HTTP clients per base URL, and bind the async ones to the loop in which they first ran. Items
that share server and loop therefore start at once; a fresh pair for each item would cost more than the item itself.
"""

import asyncio
import threading
from collections.abc import Coroutine, MutableMapping
from concurrent.futures import Future, thread
from contextlib import ExitStack
from typing import Any, Final, TypeVar

from .serving import serving

T = TypeVar("T")

_SETTLE: Final = 1.0
"""Seconds in which everything that an item started must have ended, for its bench to be used again."""


class Loop(threading.Thread):
    """An event loop in a daemon thread, so that a model that blocks it cannot block the rule."""

    def __init__(self) -> None:
        super().__init__(name="conformance-loop", daemon=True)
        self._ready = threading.Event()
        self._halt = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop
        self.start()
        self._ready.wait()

    def run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        # What a package leaves behind in its loop is for ASYNC-05 to find, not for the terminal.
        self.loop.set_exception_handler(lambda loop, context: None)
        self._ready.set()
        await self._halt.wait()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def stop(self) -> None:
        """End the loop and all that runs in it; a loop that is blocked for good is left behind."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._halt.set)
        self.join(_SETTLE)


def abandon_workers() -> None:
    """Let the process end though a model is stuck in a pool of threads, such as asyncio's for `run_in_executor`.

    Python waits at exit for all workers of `concurrent.futures`, daemons too. Daemons are those that a daemon started:
    threads in which items run, and loops of benches; what others submit from their own threads is waited for.
    """
    waited_for: MutableMapping[threading.Thread, object] = getattr(thread, "_threads_queues", {})
    for worker in [each for each in waited_for if each.daemon]:
        del waited_for[worker]


class Bench:
    """A server and, from the first async item on, a loop. `tls`: whether the server speaks TLS, and nothing else."""

    def __init__(self, *, tls: bool = False) -> None:
        self.tls = tls
        self._running = ExitStack()
        self.server = self._running.enter_context(serving(tls=tls))
        self._loop: Loop | None = None

    @property
    def loop(self) -> Loop:
        if self._loop is None:
            self._loop = Loop()
        return self._loop

    def settled(self) -> bool:
        """Whether all requests have ended, so that the next item sees only its own."""
        return not self.server.errors and self.server.until(
            lambda: all(exchange.ended for exchange in self.server.exchanges), timeout=_SETTLE
        )

    def close(self) -> None:
        if self._loop:
            self._loop.stop()
        self._running.close()


class Benches:
    """Hands out benches: the one in use while it is clean, a new one otherwise."""

    def __init__(self) -> None:
        self._bench: Bench | None = None

    def take(self, *, alone: bool = False, tls: bool = False) -> Bench:
        if alone or self._bench is None or self._bench.tls != tls:
            self.close()
            self._bench = Bench(tls=tls)
        return self._bench

    def give_back(self, bench: Bench, *, clean: bool) -> None:
        if not clean or not bench.settled():
            self.close()

    def close(self) -> None:
        if self._bench:
            self._bench.close()
            self._bench = None
