"""Calls and iterators that run elsewhere: in a thread, or in a task of a loop. Every wait has a limit."""

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from .bench import Loop
from .steps import Course, Deed
from .verdict import Broken
from .wording import brief, describe_error

T = TypeVar("T")

PATIENCE: Final = 5.0
"""Seconds to wait for what a right model does at once. Only a model that breaks the rule makes anyone wait so long."""
LIMIT: Final = 20.0
"""Seconds for a whole call; past that it hangs."""


class End:
    """What `Stream.next` gives after the last item."""

    def __repr__(self) -> str:
        return "the end of the stream"


END: Final = End()


def _end(value: object) -> Deed | None:
    return "ends" if isinstance(value, End) else None


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """An item that a method gave, when (seconds of `time.monotonic`), and the CPU seconds of its thread until then."""

    value: T
    at: float
    cpu: float

    @classmethod
    def now(cls, value: T) -> "Seen[T]":
        return cls(value, time.monotonic(), time.thread_time())


class Call(Generic[T]):
    """A call that runs elsewhere. What is done to it is noted in `course`."""

    def __init__(
        self,
        name: str,
        future: "Future[T]",
        cancel: Callable[[], object] | None = None,
        course: Course | None = None,
    ) -> None:
        self.name = name
        self._future = future
        self._cancel = cancel
        self._course = course

    @property
    def done(self) -> bool:
        return self._future.done()

    def cancel(self) -> None:
        """Cancel the task that runs the call (async forms only)."""
        assert self._cancel, "sync calls cannot be cancelled"
        if self._course:
            self._course.note("cancels")
        self._cancel()

    def wait(self, limit: float = LIMIT) -> bool:
        """Wait for the end of the call, whatever it is; says whether it came."""
        try:
            self._future.exception(limit)
        except FutureTimeout:
            return False
        return True

    def value(self, limit: float = LIMIT) -> T:
        """What the call gives.

        Raises:
            Broken: it raises, or does not end within `limit` seconds.
        """
        error = self.error(limit)
        if error is not None:
            raise Broken(f"{self.name} answers", f"it raised {describe_error(error)}") from error
        return self._future.result()

    def error(self, limit: float = LIMIT) -> BaseException | None:
        """What the call raises, or `None` where it gives an answer.

        Raises:
            Broken: it does not end within `limit` seconds.
        """
        if not self.wait(limit):
            raise Broken(f"{self.name} ends", f"it has not ended after {limit:g} s")
        return self._future.exception()

    def raised(self, what: str, limit: float = LIMIT) -> BaseException:
        """The error of a call that must fail; `what` says why it must."""
        error = self.error(limit)
        if error is None:
            raise Broken(f"{self.name} raises ({what})", f"it gave {brief(self._future.result())}")
        return error


class Stream(Generic[T]):
    """An iterator that is driven elsewhere, one command at a time, and all that it gave.

    The sync form runs in one thread and the async form in one task from first to last, as a caller's loop would.
    """

    def __init__(self, name: str, hand: "Hand") -> None:
        self.name = name
        self._hand = hand
        self.seen: list[Seen[T]] = []
        self.course = Course(name, self.seen)

    @property
    def items(self) -> list[T]:
        return [seen.value for seen in self.seen]

    def ask(self) -> "Call[T | End]":
        """Ask for the next item without waiting for it."""
        self.course.note("asks")
        return self._do(self.name, _Next(self.seen), _end)

    def next(self, limit: float = LIMIT) -> T | End:
        """The next item, or `END`.

        Raises:
            Broken: the stream raises, or gives nothing within `limit` seconds.
        """
        return self.ask().value(limit)

    def within(self, limit: float = PATIENCE) -> "Call[T | End]":
        """Ask for the next item and wait; the call may still be running after `limit` seconds."""
        call = self.ask()
        call.wait(limit)
        return call

    def take(self, count: int) -> list[T]:
        """The next `count` items; fewer where the stream ends."""
        taken: list[T] = []
        while len(taken) < count and not isinstance(item := self.next(), End):
            taken.append(item)
        return taken

    def drain(self) -> "Call[None]":
        """Start to read to the end, without waiting for it."""
        self.course.note("reads on")
        return self._do(self.name, _Drain(self.seen), lambda _: "ends")

    def rest(self, limit: float = LIMIT) -> list[T]:
        """Read to the end, and give all items from the first on.

        Raises:
            Broken: the stream raises, or does not end within `limit` seconds.
        """
        self.drain().value(limit)
        return self.items

    def failure(self, what: str, limit: float = LIMIT) -> BaseException:
        """Read to the error that must come; `what` says why it must."""
        error = self.drain().error(limit)
        if error is None:
            raise Broken(f"{self.name} raises ({what})", f"it ended after {len(self.seen)} items")
        return error

    def close(self, limit: float = PATIENCE) -> None:
        """Close the iterator, as leaving a loop and dropping the iterator does.

        Raises:
            Broken: closing raises, or takes longer than `limit` seconds.
        """
        self.course.note("closes")
        self._do(f"closing {self.name}", _Close(), lambda _: "is closed").value(limit)

    def _do(self, name: str, command: "_Command", deed: Callable[[Any], Deed | None]) -> "Call[Any]":
        outcome = self.course.outcome(deed)
        self._hand.do(command, outcome)
        return Call(name, outcome)

    def release(self) -> None:
        """Let go of the worker; called by the probe when the item is over."""
        self._hand.release()


@dataclass(frozen=True)
class _Next:
    """Take one item, and note it."""

    seen: list[Seen[Any]]

    def sync(self, iterator: Iterator[Any]) -> Any:
        value = next(iterator, END)
        if value is not END:
            self.seen.append(Seen.now(value))
        return value

    async def asynchronous(self, iterator: AsyncIterator[Any]) -> Any:
        value = await anext(iterator, END)
        if value is not END:
            self.seen.append(Seen.now(value))
        return value


@dataclass(frozen=True)
class _Drain:
    """Take all items that are left, and note them."""

    seen: list[Seen[Any]]

    def sync(self, iterator: Iterator[Any]) -> None:
        for value in iterator:
            self.seen.append(Seen.now(value))

    async def asynchronous(self, iterator: AsyncIterator[Any]) -> None:
        async for value in iterator:
            self.seen.append(Seen.now(value))


@dataclass(frozen=True)
class _Close:
    """Close the iterator, where it can be closed."""

    def sync(self, iterator: Any) -> None:
        if hasattr(iterator, "close"):
            iterator.close()

    async def asynchronous(self, iterator: Any) -> None:
        if hasattr(iterator, "aclose"):
            await iterator.aclose()


_Command = _Next | _Drain | _Close


class Hand(Protocol):
    """Does commands on one iterator, in order, in one place."""

    def do(self, command: _Command, outcome: "Future[Any]") -> None:
        """Order a command, and what it is to come to."""

    def release(self) -> None:
        """Take no more commands."""


class ThreadHand(Hand):
    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self._commands: queue.SimpleQueue[tuple[_Command, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = start_thread(lambda: self._work(make))

    def do(self, command: _Command, outcome: "Future[Any]") -> None:
        self._commands.put((command, outcome))

    def _work(self, make: Callable[[], Iterator[Any]]) -> None:
        iterator: Iterator[Any] | None = None
        while order := self._commands.get():
            command, outcome = order
            try:
                iterator = iter(make()) if iterator is None else iterator
                outcome.set_result(command.sync(iterator))
            except BaseException as error:
                outcome.set_exception(error)

    def release(self) -> None:
        self._commands.put(None)


class LoopHand(Hand):
    def __init__(self, make: Callable[[], AsyncIterator[Any]], loop: Loop) -> None:
        self._loop = loop.loop
        self._orders: asyncio.Queue[tuple[_Command, Future[Any]] | None] = asyncio.Queue()
        self._task = started(loop, self._work(make))

    def do(self, command: _Command, outcome: "Future[Any]") -> None:
        self._loop.call_soon_threadsafe(self._orders.put_nowait, (command, outcome))

    async def _work(self, make: Callable[[], AsyncIterator[Any]]) -> None:
        iterator: AsyncIterator[Any] | None = None
        while order := await self._orders.get():
            command, outcome = order
            try:
                iterator = aiter(make()) if iterator is None else iterator
                outcome.set_result(await command.asynchronous(iterator))
            except BaseException as error:
                outcome.set_exception(error)

    def release(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._orders.put_nowait, None)


def start_thread(work: Callable[[], object]) -> threading.Thread:
    """Run `work` in a daemon thread with a copy of the caller's context."""
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="conformance-caller", daemon=True)
    thread.start()
    return thread


def started(loop: Loop, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """A new task of the loop.

    Raises:
        Broken: the loop does not run, because what runs in it blocks it.
    """
    try:
        return loop.submit(start(work)).result(PATIENCE)
    except FutureTimeout:
        raise Broken("an event loop that runs on", f"it has been blocked for {PATIENCE:g} s") from None


async def start(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    return asyncio.create_task(work)


async def carry(work: Callable[[], Coroutine[Any, Any, Any]], future: "Future[Any]") -> None:
    """Await the work and hand its outcome over; a cancellation is an outcome too."""
    try:
        future.set_result(await work())
    except BaseException as error:
        future.set_exception(error)
