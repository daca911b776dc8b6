"""Dialects of OpenAI Chat Completions: what the providers that speak it do otherwise, as data.

The data stand in ``dialects.toml``, a table for each provider; a provider that is added there is a wire of its own,
named ``<provider>-chat``.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from ...errors import MockServerError

FAMILY: Final = "openai-chat"
_BASE: Final = "openai"
_FILE: Final = "dialects.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a provider does its own way. Left out, it does what most of the compatible providers do.

    Args:
        name: name of the wire.
        sources: where the facts come from: documentation, types of an SDK, recordings.
        hosts: its hosts; a part that may vary is `*`.
        paths: how a path ends that is this provider's own; a part that may vary is `*`. Beside them, each path that
            has the provider's name in front belongs to it: ``/<provider>/v1/chat/completions``.
        key_headers: headers that may hold the key.
        no_key: what it answers to a request without a key: `status`, `message`, `type`, `code`; empty where that is
            not known, and such a request is answered.
        strict: whether it checks requests as OpenAI does.
        parameters: what it knows beside OpenAI's request parameters.
        needs_model: whether a request must name a model.
        id_prefix: how its ids of answers begin.
        has_id: whether its answers have ids.
        head: what each chunk and each body holds beside `id`, `object`, `created`, `model` and `choices`.
        chunk_object: the type of a chunk.
        choice: keys of each choice that are null, or repeat the finish reason (`native_finish_reason`).
        role_always: whether each delta says the role.
        content_null: whether a message without content says null, and not an empty string.
        call_opening: what the first delta says of the content where a call comes first: null, an empty string, or
            nothing.
        message_always: whether each choice of a stream holds the message so far, and of a body an empty delta.
        stop: whether requests have stop sequences.
        refusal: whether messages have a field for a refusal.
        images: whether messages have a field for images.
        reasoning: where reasoning goes: a field of the message, a part `thinking` of its content, or `""` where there
            is no place for it.
        sends_reasoning: whether the provider itself sends reasoning there, and not only servers like its.
        reasoning_details: whether it goes into `reasoning_details` too, which also hold seals.
        calls: `tool_calls`, or the older `function_call`, which has no id.
        whole_calls: whether a call comes in one chunk.
        call_index: whether the calls of a body that is not streamed have an index too.
        call_sources: by the name of a way to make calls (`variants`), where the provider was seen to do so.
        citations: where citations go: `annotations` of the message, `search_results` of the chunk, or nowhere.
        citation_quote: whether a citation holds the words cited, and may lack the place in the text.
        filters: whether it sends the results of content filters.
        finish_reasons: its words for why an answer ended, by the neutral ones.
        usage: where a stream counts tokens: in a chunk of its own, in the one with the finish reason, or in every one.
        usage_always: whether it does so unasked.
        usage_null: whether the other chunks then hold a usage that is null.
        usage_at: the places of the usage in a chunk: `usage`, `x_groq`, `choice`.
        counts: the places of `cache_read`, `cache_creation` and `reasoning` in the usage, with a dot between levels and
            a space between several.
        usage_more: what else the usage holds, where it does not count that.
        output_excludes_reasoning: whether `completion_tokens` does not include the reasoning tokens.
        error: body of an error, in which ``{message}``, ``{type}``, ``{param}``, ``{code}`` and ``{status}`` are
            filled in; ``{code?}`` is left out where there is none, and ``{null}`` stands for null.
        error_at: bodies of errors of another shape, by status.
        error_types, error_codes: types and codes of errors by status.
        error_frame: an error in the middle of a stream, as `error`; empty where it is the same.
        error_event: the name of its event.
        error_frame_source: where that is documented or recorded; `""` where it is not.
        repeats_finish: where it was recorded repeating the finish reason; `""` where it was not.
        comment: what its SSE comments say; `""` where it sends none.
        comment_source: where that is documented or recorded.
        model_fields: what an entry of its list of models holds beside `id`, `object`, `created` and `owned_by`.
        tokens: what its endpoints for access tokens answer, by the end of their path.
    """

    name: str
    sources: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    key_headers: tuple[str, ...] = ("authorization",)
    no_key: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    parameters: tuple[str, ...] = ()
    needs_model: bool = True
    id_prefix: str = "chatcmpl-"
    head: Mapping[str, Any] = field(default_factory=dict)
    chunk_object: str = "chat.completion.chunk"
    has_id: bool = True
    choice: tuple[str, ...] = ("logprobs",)
    role_always: bool = False
    content_null: bool = True
    call_opening: Literal["null", "empty", "absent"] = "null"
    message_always: bool = False
    stop: bool = True
    refusal: bool = False
    images: bool = False
    reasoning: Literal["reasoning_content", "reasoning", "reasoning_details", "thinking", ""] = "reasoning_content"
    sends_reasoning: bool = True
    reasoning_details: bool = False
    calls: Literal["tool_calls", "function_call"] = "tool_calls"
    whole_calls: bool = False
    call_index: bool = False
    call_sources: Mapping[str, Any] = field(default_factory=dict)
    citations: Literal["annotations", "search_results", ""] = ""
    citation_quote: bool = False
    filters: bool = False
    finish_reasons: Mapping[str, Any] = field(
        default_factory=lambda: {
            "stop": "stop",
            "length": "length",
            "tool_calls": "tool_calls",
            "content_filter": "content_filter",
        }
    )
    usage: Literal["own", "finish", "every"] = "own"
    usage_always: bool = False
    usage_null: bool = False
    usage_at: tuple[str, ...] = ("usage",)
    counts: Mapping[str, Any] = field(
        default_factory=lambda: {
            "cache_read": "prompt_tokens_details.cached_tokens",
            "reasoning": "completion_tokens_details.reasoning_tokens",
        }
    )
    usage_more: Mapping[str, Any] = field(default_factory=dict)
    output_excludes_reasoning: bool = False
    error: Mapping[str, Any] = field(
        default_factory=lambda: {
            "error": {"message": "{message}", "type": "{type}", "param": "{param}", "code": "{code}"}
        }
    )
    error_at: Mapping[str, Any] = field(default_factory=dict)
    error_types: Mapping[str, Any] = field(default_factory=dict)
    error_codes: Mapping[str, Any] = field(default_factory=dict)
    error_frame: Mapping[str, Any] = field(default_factory=dict)
    error_event: str = ""
    error_frame_source: str = ""
    repeats_finish: str = ""
    comment: str = ""
    comment_source: str = ""
    model_fields: Mapping[str, Any] = field(default_factory=dict)
    tokens: Mapping[str, Any] = field(default_factory=dict)


@cache
def dialects() -> Mapping[str, Dialect]:
    """All dialects by the provider's name, OpenAI's own first."""
    return read(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))


def read(text: str) -> Mapping[str, Dialect]:
    """Dialects by the provider's name, from TOML.

    Raises:
        MockServerError: a key is not known, is missing or has a wrong value; the text names it.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MockServerError(f"{_FILE} is not TOML: {error}") from None
    return {provider: _dialect(provider, table) for provider, table in tables.items()}


def _dialect(provider: str, table: object) -> Dialect:
    where = f"{_FILE}: [{provider}]"
    if not isinstance(table, dict):
        raise MockServerError(f"{where} is a table, not {table!r}")
    known = {each.name: each for each in fields(Dialect) if each.name != "name"}
    types = get_type_hints(Dialect)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
            raise MockServerError(f"{where} has no key {key!r}{hint}")
        values[key] = _value(f"{where}.{key}", types[key], value)
    for name, each in known.items():
        if each.default is MISSING and each.default_factory is MISSING and name not in values:
            raise MockServerError(f"{where} lacks the key {name!r}")
    return Dialect(name=f"{provider}-chat", **values)


def _value(where: str, kind: Any, value: object) -> object:
    """The value as the field has it."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise MockServerError(f"{where} is one of {', '.join(map(repr, get_args(kind)))}, not {value!r}")
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise MockServerError(f"{where} is a list of strings, not {value!r}")
        return tuple(value)
    wanted, words = (kind, kind.__name__) if isinstance(kind, type) else (dict, "table")
    if not isinstance(value, wanted):
        raise MockServerError(f"{where} is a {words}, not {value!r}")
    return value


@lru_cache(maxsize=256)
def spoken_at(path: str) -> str | None:
    """The provider whose dialect is spoken at a path; `None` where it is no path of Chat Completions."""
    if found := _prefixes().search(path):
        return found[1]
    for provider, dialect in dialects().items():
        if any(fnmatchcase(path, f"*{ending}") for ending in dialect.paths):
            return provider
    return _BASE if path.endswith("/chat/completions") else None


def provider_of(path: str) -> str | None:
    """The provider whose name stands in front of a path; `None` where none does."""
    found = _named().search(path)
    return found[1] if found else None


@cache
def _prefixes() -> re.Pattern[str]:
    # A deployment of Azure's may have any name.
    return re.compile(rf"(?<!/deployments)/({_names()})/(?:.*/)?chat/completions$")


@cache
def _named() -> re.Pattern[str]:
    return re.compile(rf"(?<!/deployments)/({_names()})/")


def _names() -> str:
    return "|".join(re.escape(provider) for provider in dialects() if provider != _BASE)
