"""Content-block streams (`stream_events` and `astream_events`, version v3), opened and read where a model runs."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .drive import PROMPT, Probe

EVENTS: Final = "events"
OUTPUT: Final = "output"
TEXT: Final = "text"
REASONING: Final = "reasoning"
CALLS: Final = "tool_calls"
ALL: Final = (EVENTS, TEXT, REASONING, CALLS, OUTPUT)
"""What a stream can be read as: the events themselves, and the projections of `ChatModelStream`."""


@dataclass
class Reading:
    """What one reading of a projection gave.

    Args:
        name: of the projection.
        items: what it yielded.
        value: what it is in the end.
        error: what it raised.
    """

    name: str
    items: list[Any] = field(default_factory=list)
    value: Any = None
    error: Exception | None = None
    _looks: list[str] = field(default_factory=list)

    def add(self, item: Any) -> None:
        self.items.append(item)
        self._looks.append(repr(item))

    @property
    def changed(self) -> int | None:
        """The number, from 1, of the first item that no longer is what it was when it was yielded."""
        looks = zip(self.items, self._looks, strict=True)
        return next((number for number, (item, look) in enumerate(looks, 1) if repr(item) != look), None)


def read(probe: Probe, order: Sequence[str] = ALL, *, on: Any = None, together: bool = False) -> list[Reading]:
    """Open one stream and read it as `order` says, one projection after the other or (`together`) taking turns.

    Raises:
        Broken: the stream cannot be opened, or does not end.
    """
    model = on if on is not None else probe.model()
    readings = [Reading(name) for name in order]

    def in_thread() -> None:
        stream = model.stream_events(PROMPT, version="v3")
        steps = [_steps(stream, reading) for reading in readings]
        while steps:
            taken = steps if together else steps[:1]
            steps = [each for each in taken if next(each, False)] + steps[len(taken) :]

    async def in_loop() -> None:
        stream = await model.astream_events(PROMPT, version="v3")
        if together:
            await asyncio.gather(*(_read(stream, reading) for reading in readings))
            return
        for reading in readings:
            await _read(stream, reading)

    probe.run(f"{probe.name('stream_events')} v3", in_loop if probe.is_async else in_thread).value()
    return readings


def _items(stream: Any, name: str) -> Any:
    """The iterable of a projection; `output` has no pieces."""
    return () if name == OUTPUT else stream if name == EVENTS else getattr(stream, name)


def _steps(stream: Any, reading: Reading) -> Iterator[bool]:
    """Read a projection, a step an item."""
    try:
        for item in _items(stream, reading.name):
            reading.add(item)
            yield True
        if reading.name != EVENTS:
            projection = getattr(stream, reading.name)
            reading.value = projection if reading.name == OUTPUT else projection.get()
    except Exception as error:  # noqa: BLE001 - whatever it raises is what was read
        reading.error = error


async def _read(stream: Any, reading: Reading) -> None:
    try:
        if reading.name != OUTPUT:
            async for item in _items(stream, reading.name):
                reading.add(item)
        if reading.name != EVENTS:
            reading.value = await getattr(stream, reading.name)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what was read
        reading.error = error


@dataclass(frozen=True)
class Projected:
    """A model whose `stream_events` gives one projection alone, as `Probe.iterate` takes it.

    Closing it closes the stream where langchain-core can: the async one has `aclose`, the sync one goes with its last
    reference.
    """

    model: Any
    name: str

    def stream_events(self, input: Any) -> Iterator[Any]:
        yield from _items(self.model.stream_events(input, version="v3"), self.name)

    async def astream_events(self, input: Any) -> AsyncIterator[Any]:
        stream = await self.model.astream_events(input, version="v3")
        try:
            async for item in _items(stream, self.name):
                yield item
        finally:
            await stream.aclose()
