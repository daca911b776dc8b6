"""Conditions on requests: which ones a turn of a script answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from ..wires import WIRES, Asked, Message

Named: TypeAlias = bool | tuple[str, ...]
"""What is wanted of a list of names: `True` for any, `False` for none, else names or globs that all must be in it."""

_MODEL_ROLES: Final = ("assistant", "model", "chatbot")
"""The words of the wires, in lower case, for a message of the model's own."""
_ID_KEYS: Final = ("id", "call_id", "tool_call_id", "toolUseId")
"""Where requests keep the id of a tool call, with its name beside it or in `function`: Chat Completions, Anthropic
Messages and Gemini; OpenAI Responses (item `function_call`); Mistral (message of the role `tool`); Bedrock Converse."""
_LONGEST: Final = 80
"""Characters of a value that a difference quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenMessage:
    """What a message must be; what is left out matches every message.

    Args:
        role: the provider's word for whose message it is.
        text: a part of its text.
        tool_calls: the calls that it makes, by name or id: true for any, false for none, or a list of names, each of
            which must be there.
        tool_results: the calls whose results it brings, likewise.
    """

    role: str | None = None
    text: str | None = None
    tool_calls: Named | str | None = None
    tool_results: Named | str | None = None

    def compare(self, message: Message | None, names: Mapping[str, str]) -> Iterator[str | None]:
        """For each condition given how the message differs, or `None` where it does not. `names` of calls by id."""
        if message is None:
            yield "there is none"
            return
        if self.role is not None:
            yield _unequal("role", message.role, self.role)
        if self.text is not None:
            yield _without("text", message.text, self.text)
        if self.tool_calls is not None:
            yield _lacks("tool calls", _with_names(message.tool_calls, names), self.tool_calls)
        if self.tool_results is not None:
            yield _lacks("tool results", _with_names(message.tool_results, names), self.tool_results)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenMessages:
    """What a conversation must be; what is left out matches every conversation.

    Args:
        count: how many messages it has; a system prompt counts as one.
        first: what the first message is.
        last: what the last message is.
        any: what at least one message is.
        tool_results: the calls whose results have come since the model's last message, by name or id: true for any,
            false for none, or a list of names, each of which must be there.
    """

    count: int | None = None
    first: WhenMessage | None = None
    last: WhenMessage | None = None
    any: WhenMessage | None = None
    tool_results: Named | str | None = None

    def compare(self, asked: Asked) -> Iterator[str | None]:
        """For each condition given how the conversation differs, or `None` where it does not."""
        messages = asked.messages
        names = call_names(asked.body)
        if self.count is not None:
            yield _unequal("the number of messages", len(messages), self.count)
        if self.first is not None:
            yield from _told("first message", self.first.compare(messages[0] if messages else None, names))
        if self.last is not None:
            yield from _told("last message", self.last.compare(messages[-1] if messages else None, names))
        if self.any is not None:
            yield self._any(self.any, messages, names)
        if self.tool_results is not None:
            yield _lacks("new tool results", _with_names(_new_results(messages), names), self.tool_results)

    @staticmethod
    def _any(wanted: WhenMessage, messages: Sequence[Message], names: Mapping[str, str]) -> str | None:
        if any(not any(wanted.compare(message, names)) for message in messages):
            return None
        return f"no message of {len(messages)} is as wanted ({_given(wanted)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which requests a turn answers; what is left out matches every request.

    A glob may hold `*` for any characters, `?` for one, and `[abc]` for one of these.

    Args:
        wire: name of the wire, or of the family that it is a dialect of.
        model: the model asked for, or a glob for it.
        path: a glob for the path, without the query and without the name of a space.
        stream: whether pieces are asked for.
        text: a part of the text of the user's last message.
        messages: the conversation: a condition for each of its messages in order, or conditions on all of it.
        tools: the tools offered: true for any, false for none, or a list of names or globs, each of which must be
            among them.
        headers: by name, a glob for the value; names are the same in upper and lower case.
        predicate: a function that says whether the request is one of these.
    """

    wire: str | None = None
    model: str | None = None
    path: str | None = None
    stream: bool | None = None
    text: str | None = None
    messages: WhenMessages | Sequence[WhenMessage] | None = None
    tools: Named | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    predicate: Callable[[Asked], bool] | None = None

    def matches(self, asked: Asked) -> bool:
        """Whether all conditions given hold."""
        return not any(self._compare(asked))

    def compare(self, asked: Asked) -> tuple[str | None, ...]:
        """For each condition given how the request differs, got beside wanted, or `None` where it does not."""
        return tuple(self._compare(asked))

    def _compare(self, asked: Asked) -> Iterator[str | None]:
        request = asked.request
        if self.wire is not None:
            is_it = self.wire in (asked.wire, WIRES[asked.wire].family)
            yield None if is_it else _wanted("wire", asked.wire, self.wire)
        for name, glob, got in (("model", self.model, asked.model), ("path", self.path, request.path)):
            if glob is not None:
                yield _unlike(name, got, glob)
        if self.stream is not None:
            yield _unequal("stream", asked.stream, self.stream)
        if self.text is not None:
            yield _without("the user's text", asked.text, self.text)
        yield from self._messages(asked)
        if self.tools is not None:
            yield _lacks("tools", [(name,) for name in asked.tools], self.tools)
        for name, glob in self.headers.items():
            yield _unlike(f"header {name}", request.headers.get(name.lower()), glob)
        if self.predicate is not None:
            name = getattr(self.predicate, "__name__", repr(self.predicate))
            yield None if self.predicate(asked) else f"{name} says no"

    def _messages(self, asked: Asked) -> Iterator[str | None]:
        if isinstance(self.messages, WhenMessages):
            yield from self.messages.compare(asked)
        elif self.messages is not None:
            yield from _each(self.messages, asked)


def call_names(body: object) -> dict[str, str]:
    """The names of the tool calls in a request's body by their ids, wherever its wire keeps them."""
    names: dict[str, str] = {}
    left: list[Any] = [body]
    while left:
        each = left.pop()
        if isinstance(each, Mapping):
            function = each.get("function")
            name = function.get("name") if isinstance(function, Mapping) else each.get("name")
            if isinstance(name, str):
                names |= {each[key]: name for key in _ID_KEYS if isinstance(each.get(key), str)}
            left += each.values()
        elif isinstance(each, list):
            left += each
    return names


def _new_results(messages: Sequence[Message]) -> tuple[str, ...]:
    """The ids of the results that have come since the model's last message."""
    found: list[str] = []
    for message in reversed(messages):
        if message.tool_calls or message.role.lower() in _MODEL_ROLES:
            break
        found += message.tool_results
    return tuple(found)


def _each(wanted: Sequence[WhenMessage], asked: Asked) -> Iterator[str | None]:
    names = call_names(asked.body)
    yield _unequal("the number of messages", len(asked.messages), len(wanted))
    for number, (one, message) in enumerate(zip(wanted, asked.messages, strict=False), 1):
        yield from _told(f"message {number}", one.compare(message, names))


def _with_names(ids: Iterable[str], names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each call as the names that it goes by: that of its tool, where it is known, and its id."""
    return [(names[id], id) if id in names else (id,) for id in ids]


def _lacks(what: str, got: Sequence[tuple[str, ...]], wanted: Named | str) -> str | None:
    told = ", ".join(each[0] for each in got) or "none"
    if isinstance(wanted, bool):
        return None if wanted is bool(got) else f"{what}: {_short(told)}, wanted {'some' if wanted else 'none'}"
    patterns = (wanted,) if isinstance(wanted, str) else wanted
    missing = [each for each in patterns if not any(_is_like(name, each) for call in got for name in call)]
    return f"{what}: {_short(told)}, wanted {', '.join(missing)}" if missing else None


def _is_like(value: str, pattern: str) -> bool:
    return value == pattern or fnmatchcase(value, pattern)


def _unlike(what: str, got: str | None, pattern: str) -> str | None:
    return None if got is not None and _is_like(got, pattern) else _wanted(what, got, pattern)


def _unequal(what: str, got: object, wanted: object) -> str | None:
    return None if got == wanted else _wanted(what, got, wanted)


def _without(what: str, got: str, part: str) -> str | None:
    return None if part in got else f"{what} is {_short(repr(got))}, wanted {_short(repr(part))} in it"


def _wanted(what: str, got: object, wanted: object) -> str:
    is_what = "is missing" if got is None else f"is {_short(repr(got))}"
    return f"{what} {is_what}, wanted {_short(repr(wanted))}"


def _told(where: str, compared: Iterable[str | None]) -> Iterator[str | None]:
    return (f"{where}: {each}" if each else None for each in compared)


def _given(wanted: WhenMessage) -> str:
    given = ((name, getattr(wanted, name)) for name in ("role", "text", "tool_calls", "tool_results"))
    return _short(", ".join(f"{name.replace('_', ' ')} {value!r}" for name, value in given if value is not None))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"
