"""EXPLORE-01's half that asks: one example, each method of a model, and the first answer that is not the reply."""

import json
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeAlias

from langchain_core.tools import BaseTool, tool

from mockserver import Delivery, Reasoning, Reply, Text, ToolCall

from ..block_streams import OUTPUT, read
from ..calls import Call, Stream
from ..compat import makes_block_events, no_block_events
from ..drive import PROMPT, Probe
from ..observe import total
from ..rules import scripts
from ..rules.events_read import model_output
from ..verdict import Broken
from .example import PLAIN, Example
from .oracle import Difference, chunk_differences, differences, raised
from .replies import TOOLS, TRAPS, Shapes

Answered: TypeAlias = tuple[BaseException | None, Any, list[Any] | None]
"""What a method raises, or its answer, and the chunks of which that is the sum."""
_LIMIT: Final = 10.0
"""Seconds for an answer that a right model gives at once."""


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return city


@tool
def get_time(zone: str) -> str:
    """Tell the time."""
    return zone


@tool
def search(words: str) -> str:
    """Search."""
    return words


_TOOLS: Final[list[BaseTool]] = [get_weather, get_time, search]


@dataclass
class Asker:
    """Asks a model by all its methods.

    What a plain reply already shows is left to the rules that are written: where a form of framing or a character makes
    a plain text fail, examples that have it are passed over from then on, and where a finish reason or a place of the
    usage does, what it spoils is.
    """

    probe: Probe
    shapes: Shapes
    _passed_over: set[str] = field(default_factory=set)
    _models: dict[bool, Any] = field(default_factory=dict)
    _plain: dict[str, frozenset[str]] = field(default_factory=dict)

    def untold(self, example: Example) -> Iterator[Difference]:
        """The differences that no written rule tells of."""
        if self._is_passed_over(example):
            return
        if example.before:
            self._renew()
        if next(self._found(example), None) is not None:
            self._renew()
            yield from self._found(example)

    def _renew(self) -> None:
        """Have another instance from now on: what examples before have left in one is no part of this example."""
        self._models.clear()
        self.probe.renew()

    def _found(self, example: Example) -> Iterator[Difference]:
        return (each for each in self._differences(example) if not self._is_plain(example, each))

    def _is_passed_over(self, example: Example) -> bool:
        return any(repr(plain) in self._passed_over for plain in _otherwise(example))

    def _is_plain(self, example: Example, difference: Difference) -> bool:
        """Whether a plain reply differs as well, or one with one feature of the example; that is then passed over."""
        if difference.facet in self._facets(self._bare):
            return True
        for plain in _otherwise(example):
            if plain != example and self._spoils(plain, difference):
                self._passed_over.add(repr(plain))
                return True
        return any(plain != example and self._spoils(plain, difference) for plain in _saying(example))

    def _spoils(self, plain: Example, difference: Difference) -> bool:
        return self.shapes.carries(plain.reply) and difference.facet in self._facets(plain)

    @property
    def _bare(self) -> Example:
        """The plainest reply that the wire can carry."""
        return next(Example(each) for each in (replace(_SAID, usage=None), _SAID) if self.shapes.carries(each))

    def _facets(self, plain: Example) -> frozenset[str]:
        """What differs where a plain reply is played; each is asked for once."""
        name = repr(plain)
        if name not in self._plain:
            self._plain[name] = frozenset(each.facet for each in self._differences(plain))
        return self._plain[name]

    def _differences(self, example: Example) -> Iterator[Difference]:
        """All that differs, method by method."""
        probe = self.probe
        for method, ask in self._methods():
            model = self._model(example)
            try:
                if example.before:
                    self._play(Example(example.before), ask, model)
                error, answer, chunks = self._play(example, ask, model)
            except Broken as broken:  # it has no end
                probe.goes_on = True
                yield Difference(method, "answer", "absent", broken.expected, broken.observed)
                return
            if error is not None and not example.reply.blocks:
                continue  # of an answer that says nothing an error may be made (STREAM-18)
            if error is not None:
                yield raised(method, error)
                continue
            yield from self._told(differences(method, answer, example.reply, probe.wire), example)
            if chunks is not None:
                yield from chunk_differences(method, chunks, example.reply)

    def _play(self, example: Example, ask: Callable[[Any], Answered], model: Any) -> Answered:
        self.probe.play(example.answer)
        try:
            return ask(model)
        finally:
            self.probe.finish()

    def _told(self, found: Iterator[Difference], example: Example) -> Iterator[Difference]:
        """Without what the model is not asked, or does not claim."""
        probe = self.probe
        silent = {need for need in ("usage", "reasoning") if probe.target.lacks(need, probe.form)}
        if any(each.asked and each.asked.stream and not each.asked.stream_usage for each in probe.exchanges):
            silent.add("usage")
        if not self.shapes.reasoning:
            silent.add("reasoning")
        return (each for each in found if each.facet not in silent)

    def _model(self, example: Example) -> Any:
        """The model, with tools bound where a reply calls them."""
        with_tools = bool(example.reply.tool_calls or (example.before and example.before.tool_calls))
        if with_tools not in self._models:
            fields = {**self.probe.target.with_settings(retries=0), **self.probe.target.reasoning}
            self._models[with_tools] = (
                self.probe.with_tools(_TOOLS, **fields) if with_tools else self.probe.model(**fields)
            )
        return self._models[with_tools]

    def _methods(self) -> Iterator[tuple[str, Callable[[Any], Answered]]]:
        probe = self.probe
        yield probe.name("invoke"), self._invoked
        yield probe.name("stream"), self._streamed
        if probe.is_async:
            yield "astream_events v1", partial(self._events, version="v1")
            yield "astream_events v2", partial(self._events, version="v2")
        if no_block_events() is None and makes_block_events(probe.target.model_class, is_async=probe.is_async):
            yield f"{probe.name('stream_events')} v3", self._blocks

    def _invoked(self, model: Any) -> Answered:
        call: Call[Any] = self.probe.call("invoke", PROMPT, on=model)
        error = call.error(_LIMIT)
        return error, None if error else call.value(), None

    def _streamed(self, model: Any) -> Answered:
        stream: Stream[Any] = self.probe.iterate("stream", PROMPT, on=model)
        error = stream.drain().error(_LIMIT)
        return error, None if error else total(stream.items), None if error else stream.items

    def _events(self, model: Any, version: str) -> Answered:
        stream: Stream[Any] = self.probe.iterate("stream_events", PROMPT, on=model, version=version)
        error = stream.drain().error(_LIMIT)
        return error, None if error else model_output(stream.items), None

    def _blocks(self, model: Any) -> Answered:
        [reading] = read(self.probe, (OUTPUT,), on=model)
        return reading.error, reading.value, None


_SAID: Final = Reply.of("Fish ", "and moon.")
_CALL: Final = ToolCall(pieces=(), id="call_1", name=TOOLS[0])


def _otherwise(example: Example) -> Iterator[Example]:
    """Plain replies that are sent in one of the ways of the example each, or have one of its characters."""
    reply, delivery = example.reply, example.delivery
    if delivery.framing:
        yield Example(_SAID, Delivery(framing=delivery.framing))
    if delivery.transfer:
        yield Example(_SAID, Delivery(transfer=delivery.transfer))
    if delivery.cuts != PLAIN.cuts:
        yield Example(_SAID, Delivery(cuts=delivery.cuts))
    if delivery.insert:
        yield Example(_SAID, Delivery(insert=tuple(replace(each, before=1) for each in delivery.insert)))
    said = "".join([*reply.pieces, *(json.dumps(_read(call), ensure_ascii=False) for call in reply.tool_calls)])
    for trap in TRAPS:
        if len(trap) <= 2 and trap in said and not trap.isascii():
            yield Example(Reply(blocks=(Text(("a", f"b{trap}c", "d")),)))


def _saying(example: Example) -> Iterator[Example]:
    """Plain replies that say one thing each that the example says."""
    reply = example.reply
    if any(isinstance(block, Reasoning) for block in reply.blocks):
        yield Example(replace(_SAID, blocks=(Reasoning(("Hm",)), *_SAID.blocks)))
    if any(not call.pieces for call in reply.tool_calls):
        yield Example(replace(_SAID, blocks=(_CALL,), finish_reason="tool_calls"))
    if reply.usage:
        yield Example(_SAID)
    if reply.finish_reason not in ("stop", "tool_calls"):
        yield Example(replace(_SAID, finish_reason=reply.finish_reason))
    if example.usage_at:
        yield Example(_SAID, usage_at=example.usage_at)
    if any(each in string.whitespace for each in "".join(reply.pieces)):
        yield Example(Reply.of(*scripts.WHITE_SPACE))


def _read(call: ToolCall) -> object:
    """The arguments of a call, which a wire may write as the object that they are."""
    return json.loads(call.joined or "{}")
