"""A transcript as it is now: the script is played, and read by the method."""

from collections.abc import Iterator
from typing import Any, Final

from langchain_core.messages import BaseMessage

from mockserver import Reply, Unencodable

from ..bench import Bench, Benches
from ..block_streams import EVENTS, read
from ..drive import PROMPT, Probe
from ..rules import scripts as replies
from ..serving import trusted
from ..verdict import NotApplicable
from .plain import Entry, message, plain, stable
from .scripts import Transcript

_SAID_ONCE: Final = ("name", "run_id", "tags", "metadata", "parent_ids")
"""What each event says again: told where it changes."""


def played(transcript: Transcript, benches: Benches) -> list[str]:
    """The lines of a transcript: two calls are made, and what differs between them is no part of it.

    Raises:
        NotApplicable: the model or its wire has not what it takes.
        Broken: the model cannot be built or asked, or hangs.
    """
    for need in transcript.needs:
        if reason := transcript.target.lacks(need, transcript.form):
            raise NotApplicable(reason)
    bench = benches.take(tls=transcript.target.stanza.tls)
    bench.server.answers_beside = transcript.target.stanza.asides
    try:
        with trusted(bench.server):
            first, second = (_once(transcript, bench) for _ in range(2))
    finally:
        benches.give_back(bench, clean=not bench.server.errors)
    return [entry.line() for entry in stable(first, second, bench.server.url)]


def _once(transcript: Transcript, bench: Bench) -> list[Entry]:
    probe = Probe(transcript.target, transcript.form, bench)
    answer = transcript.answer(probe.wire)
    probe.play(answer)
    try:
        model = _asked(probe, transcript)
        return list(_READERS[transcript.method](probe, model))
    finally:
        unsaid = bench.server.errors[:1]
        probe.finish()
        if unsaid and isinstance(unsaid[0], Unencodable):
            # What the provider's protocol cannot say, no model can be asked to read.
            raise NotApplicable(str(unsaid[0]))


def _asked(probe: Probe, transcript: Transcript) -> Any:
    """The model, with tools bound where the script calls them, told to ask for reasoning where it must."""
    answer = transcript.answer(probe.wire)
    if isinstance(answer, Reply) and answer.tool_calls:
        return probe.with_tools(replies.TOOLS)
    return probe.model(**(probe.target.reasoning if transcript.script == "reasoning" else {}))


def _invoked(probe: Probe, model: Any) -> Iterator[Entry]:
    call = probe.call("invoke", PROMPT, on=model)
    error = call.error()
    yield _raised(error) if error else _given(call.value())


def _streamed(probe: Probe, model: Any) -> Iterator[Entry]:
    stream = probe.iterate("stream", PROMPT, on=model)
    error = stream.drain().error()
    yield from map(_given, stream.items)
    if error:
        yield _raised(error)


def _told(probe: Probe, model: Any) -> Iterator[Entry]:
    """The events of `astream_events`, v2."""
    stream = probe.iterate("stream_events", PROMPT, on=model, version="v2")
    error = stream.drain().error()
    before: dict[str, Any] = {}
    for event in stream.items:
        said = {name: plain(event.get(name)) for name in _SAID_ONCE}
        changed = {name: value for name, value in said.items() if name not in before or before[name] != value}
        yield Entry(str(event["event"]), {**changed, **plain(event["data"])})
        before = said
    if error:
        yield _raised(error)


def _blocks(probe: Probe, model: Any) -> Iterator[Entry]:
    """The content-block events of v3."""
    [reading] = read(probe, (EVENTS,), on=model)
    for event in reading.items:
        fields = plain(event)
        yield Entry(str(fields.pop("event", "event")), fields)
    if reading.error:
        yield _raised(reading.error)


_READERS: Final = {"invoke": _invoked, "stream": _streamed, "events-v2": _told, "events-v3": _blocks}


def _given(value: Any) -> Entry:
    return message(value) if isinstance(value, BaseMessage) else Entry(type(value).__name__, {"value": plain(value)})


def _raised(error: BaseException) -> Entry:
    return Entry("raises", {"type": f"{type(error).__module__}.{type(error).__qualname__}", "text": str(error)})
