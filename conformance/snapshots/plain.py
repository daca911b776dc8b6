"""What a model gave, as lines that are the same in each run: what is made up anew in each becomes a token."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from ..wording import sayable

_DAY: Final = 86_400.0
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_TIME: Final = re.compile(
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?|"
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? \w{3} \d{4} \d\d:\d\d:\d\d GMT\b"
)
_ADDRESS: Final = re.compile(r"\bat 0x[0-9a-f]+\b")
_UNTOLD: Final = frozenset({"lc_versions"})
"""Keys that say what is installed, and not what the model does."""


@dataclass(frozen=True)
class Entry:
    """One thing that a method gave.

    Args:
        kind: what it is: the class of a message, ``event``, ``raises``.
        fields: what is in it, as plain data.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """``AIMessageChunk content="Hel" id="lc_run--<uuid 1>"``."""
        told = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in self.fields.items())
        return sayable(" ".join([self.kind, *told]))


def message(given: BaseMessage) -> Entry:
    """A message or chunk: its content, and what else of it is not empty."""
    fields = {name: value for name, value in _fields(given).items() if name not in ("content", "type")}
    told = {name: plain(value) for name, value in fields.items() if value not in (None, "", [], {}, False)}
    return Entry(type(given).__name__, {"content": plain(given.content), **told})


def _fields(value: BaseModel) -> dict[str, Any]:
    """The fields that an object has: packages add some to their class's, and take some away."""
    return {**vars(value), **(value.model_extra or {})}


def plain(value: Any) -> Any:
    """A value as JSON has it, keys in order; what is no data is told by its `repr`."""
    if isinstance(value, BaseMessage):
        entry = message(value)
        return {entry.kind: dict(entry.fields)}
    if isinstance(value, BaseModel):
        return plain(_fields(value))
    if isinstance(value, Mapping):
        # The order of keys says nothing, and is another in each process where a set gives it.
        return {str(name): plain(value[name]) for name in sorted(value, key=str) if name not in _UNTOLD}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _ADDRESS.sub("at …", repr(value))


def stable(first: Sequence[Entry], second: Sequence[Entry], url: str) -> list[Entry]:
    """The entries of one run, with tokens for ids, times, the server's URL, and what differs in another run.

    One value has one token throughout, so that it still shows which ids are the same.
    """
    tokens, others = _Tokens(url), _Tokens(url)
    kept: list[Entry] = []
    for at, entry in enumerate(first):
        fields = tokens.known(dict(entry.fields))
        same = second[at].fields if at < len(second) and second[at].kind == entry.kind else entry.fields
        kept.append(Entry(entry.kind, tokens.varying(fields, others.known(dict(same)))))
    return kept


class _Tokens:
    """Tokens by what they stand for, counted in the order in which it is met."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._now = time.time()
        self._told: dict[tuple[str, Any], str] = {}

    def known(self, value: Any) -> Any:
        """A value with tokens for what is known to be made up anew."""
        if isinstance(value, dict):
            return {name: self.known(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.known(each) for each in value]
        if isinstance(value, str):
            text = value.replace(self._url, "<server>").replace(self._url.partition("://")[2], "<server>")
            return _UUID.sub(lambda found: self._token("uuid", found[0]), _TIME.sub("<time>", text))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "<time>" if is_number and self._is_now(value) else value

    def _is_now(self, value: float) -> bool:
        """Whether a number is a time of today, in seconds, milliseconds or nanoseconds."""
        return any(abs(value / unit - self._now) < _DAY for unit in (1, 1e3, 1e9))

    def varying(self, value: Any, other: Any) -> Any:
        """A value with tokens where it is not what it was in another run."""
        if isinstance(value, dict) and isinstance(other, dict):
            return {name: self.varying(each, other.get(name, each)) for name, each in value.items()}
        if isinstance(value, list) and isinstance(other, list):
            padded = [*other, *value[len(other) :]]
            return [self.varying(each, same) for each, same in zip(value, padded, strict=False)]
        is_leaf = not isinstance(value, dict | list) and type(value) is type(other)
        return self._token("varies", value) if is_leaf and value != other else value

    def _token(self, kind: str, value: Any) -> str:
        number = sum(of == kind for of, _ in self._told) + 1
        return self._told.setdefault((kind, value), f"<{kind} {number}>")
