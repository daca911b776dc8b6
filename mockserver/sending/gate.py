"""Gates: where the server waits for its user."""

import asyncio
import threading


class Gate:
    """Holds the server at a point until it is opened, and again once it is closed. Safe from any thread and loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived = 0
        self._is_open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def arrived(self) -> int:
        """How many answers have come to this point so far."""
        return self._arrived

    @property
    def is_open(self) -> bool:
        return self._is_open

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Hold again what comes from now on, and count arrivals from 0; those who wait go on waiting."""
        with self._changed:
            self._is_open = False
            self._arrived = 0

    def wait_arrived(self, count: int = 1, *, timeout: float) -> bool:
        """Wait up to `timeout` seconds until `count` answers have come here; says whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._arrived >= count, timeout)

    async def passage(self) -> None:
        """Called by the server: returns when the gate is open."""
        event = asyncio.Event()
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            if self._is_open:
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()
