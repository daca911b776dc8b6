"""What an answer should say, and how an answer differs from it."""

import json
import traceback
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Reasoning, Refusal, Reply, Text, Wire

from ..compat import invalid_tool_calls, text_of
from ..observe import finish_of, joined, reasoning_of, usage_of
from ..wording import brief, describe_error

_AROUND: Final = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """How one method's answer is not the reply.

    Args:
        method: the method, such as ``astream``.
        facet: what differs: ``text``, ``calls``, ``usage``, …, or ``error`` where it raises.
        kind: in what way; differences that are alike in these three are taken for one defect.
        expected: what the reply says.
        observed: what the method gave.
    """

    method: str
    facet: str
    kind: str
    expected: str
    observed: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.method, self.facet, self.kind


def raised(method: str, error: BaseException) -> Difference:
    """A method that raises; errors of one type from one place are alike."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else ""
    return Difference(method, "error", f"{type(error).__name__} in {place}", "an answer", describe_error(error))


def differences(method: str, message: Any, reply: Reply, wire: Wire) -> Iterator[Difference]:
    """How a message differs from the reply that the provider gave; nothing where it says the same."""
    if not isinstance(message, AIMessage):
        yield Difference(method, "type", type(message).__name__, "an AIMessage", brief(message))
        return
    yield from _finish(method, message, reply, wire)
    yield from _texts(method, "text", _said(reply), text_of(message))
    yield from _texts(method, "reasoning", [_thought(reply)], reasoning_of(message))
    yield from _calls(method, message, reply, wire)
    yield from _usage(method, message, reply)


def chunk_differences(method: str, chunks: Iterable[Any], reply: Reply) -> Iterator[Difference]:
    """How the texts of chunks, joined, differ from the reply's."""
    yield from _texts(method, "text of chunks", _said(reply), joined(chunks))


def _said(reply: Reply) -> list[str]:
    """The text; a refusal may count as text."""
    with_refusals = "".join(block.joined for block in reply.blocks if isinstance(block, Text | Refusal))
    return list(dict.fromkeys([reply.text, with_refusals]))


def _thought(reply: Reply) -> str:
    return "".join(block.joined for block in reply.blocks if isinstance(block, Reasoning))


def _texts(method: str, facet: str, wanted: list[str], got: str) -> Iterator[Difference]:
    if got in wanted:
        return
    said = wanted[0]
    at = next((at for at, (a, b) in enumerate(zip(said, got, strict=False)) if a != b), min(len(said), len(got)))
    way = "lost" if len(got) < len(said) else "added" if len(got) > len(said) else "changed"
    text = got if way == "added" else said
    start = max(0, at - _AROUND)
    yield Difference(
        method,
        facet,
        f"{way} {kind_of(text[at : at + 1])}",
        f"{said[start : start + 3 * _AROUND]!r} ({_counted(said)})",
        f"{got[start : start + 3 * _AROUND]!r} ({_counted(got)})",
    )


def _counted(text: str) -> str:
    return f"{len(text)} character{'s' if len(text) != 1 else ''}"


def kind_of(character: str) -> str:
    """The kind of a character, by which differences are told apart."""
    if not character:
        return "end"
    if character.isspace():
        return "white space"
    return "mark" if unicodedata.category(character).startswith("M") else "character"


def _calls(method: str, message: AIMessage, reply: Reply, wire: Wire) -> Iterator[Difference]:
    wanted = [(call.name, json.loads(call.joined or "{}"), call.id) for call in reply.tool_calls]
    got: list[tuple[Any, Any, Any]] = [(call["name"], call["args"], call["id"]) for call in message.tool_calls]
    if not wire.call_ids:
        wanted, got = ([(name, args, "") for name, args, _ in each] for each in (wanted, got))
    invalid = [(call["name"], call["args"]) for call in invalid_tool_calls(message)]
    if invalid:
        yield Difference(method, "calls", "invalid", _shown(wanted), f"invalid {_shown(invalid)}, valid {_shown(got)}")
    elif wanted != got:
        way = "order" if sorted(map(repr, wanted)) == sorted(map(repr, got)) else _number(len(wanted), len(got))
        yield Difference(method, "calls", way, _shown(wanted), _shown(got))


def _number(wanted: int, got: int) -> str:
    return "content" if wanted == got else "lost" if got < wanted else "added"


def _finish(method: str, message: AIMessage, reply: Reply, wire: Wire) -> Iterator[Difference]:
    """It comes first, since an answer that ends too early lacks it, whatever else it lacks."""
    if wire.tells_finish != {"whole", "stream"}:
        return
    word = wire.finish_word(reply)
    if (finish := finish_of(message)) != word:
        yield Difference(method, "finish reason", "absent" if not finish else "other", repr(word), repr(finish))


def _usage(method: str, message: AIMessage, reply: Reply) -> Iterator[Difference]:
    if reply.usage:
        names = ("input_tokens", "output_tokens", "total_tokens")
        wanted = {name: getattr(reply.usage, name) for name in names}
        usage = usage_of(message) or {}
        got = {name: usage.get(name) for name in names}
        if wanted != got:
            yield Difference(method, "usage", "absent" if not usage else "other", str(wanted), str(got))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}…"
