"""REPLAY: what of a recorded answer the message shows."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage

from mockserver import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
)

from ..cassettes import Recorded
from ..catalogue import SHOULD, Case, rule
from ..compat import text_of
from ..drive import Probe
from ..observe import leaves, reasoning_of, unasked, usage_of
from ..target import Target
from ..verdict import Broken, NotApplicable
from .replay_answers import (
    DETAILS,
    answer,
    arguments_of,
    cases,
    is_named,
    is_recorded,
    method_of,
    reasoning_in,
    recorded_of,
)


def _answers(target: Target) -> list[Case]:
    """Those of recordings that hold an answer to its end."""
    kept = [case for case in cases(target) if not isinstance(case.value, Recorded) or _is_answer(case.value)]
    return kept or [Case("", "those that there are end in errors, or break off")]


def _is_answer(recorded: Recorded) -> bool:
    return recorded.is_complete and recorded.ended_well and not recorded.error


@rule(
    "REPLAY-04",
    SHOULD,
    "nothing in a recorded answer is dropped silently: what the message does not show is listed",
    forms="s",
    cases=_answers,
    hint="seals on reasoning, results of the provider's tools and citations must be sent back with the next request",
    mend="put what has no place of its own into `response_metadata` or `additional_kwargs`",
    source="the recording itself, read by the decoder of its wire (docs/wires.md)",
)
def nothing_is_dropped(probe: Probe, case: Case) -> None:
    recorded = recorded_of(probe, case)
    told = answer(probe, recorded)
    if isinstance(told, Broken):
        raise NotApplicable(f"{method_of(probe, recorded)} raises, which REPLAY-01 tells")
    texts = [*leaves(told), text_of(told)]
    reply, unknown = recorded.decoded.reply, recorded.decoded.unknown
    if probe.target.lacks("usage", probe.form) or (recorded.asks_usage and unasked(probe.exchanges)):
        reply = replace(reply, usage=None)
    made = {each.id for each in reply.blocks if isinstance(each, ServerToolCall) and not is_recorded(recorded, each.id)}
    missing = [*_not_shown(reply, told, texts, made), *_not_known(unknown, texts)]
    if missing:
        raise Broken("all of the recorded answer", f"not in the message: {'; '.join(dict.fromkeys(missing))}")


def _not_shown(reply: Reply, message: AIMessage, texts: list[str], made: Collection[str] = ()) -> Iterator[str]:
    """What of the reply does not stand in the message; `made`: ids that the decoder made up."""
    thought = reasoning_in(reply)
    if thought and not reasoning_of(message):
        yield f"reasoning ({len(thought)} characters)"
    for block in reply.blocks:
        if isinstance(block, Reasoning | ToolCall) and block.signature and not _stands(block.signature, texts):
            yield "the signature of reasoning" if isinstance(block, Reasoning) else f"the signature of {block.name}"
        if isinstance(block, Refusal) and not _stands(block.joined, texts):
            yield f"refusal {block.joined[:40]!r}"
        if isinstance(block, ServerToolCall):
            yield from _lost_of(block, texts, has_id=block.id not in made)
        if isinstance(block, ServerToolResult) and not _has_result(block, texts):
            yield f"result of the provider's tool ({block.kind})"
        if isinstance(block, Media) and not _stands(block.data, texts):
            yield f"media ({block.mime_type})"
        if isinstance(block, Text):
            lost = [each for each in block.citations if not _is_cited(each, texts)]
            yield from (f"citation of {each.url or each.title or each.quote}" for each in lost)
    yield from _not_counted(reply.usage, usage_of(message))


def _stands(said: str, texts: Iterable[str]) -> bool:
    return any(said in text for text in texts)


def _lost_of(call: ServerToolCall, texts: list[str], *, has_id: bool) -> Iterator[str]:
    """What does not stand in the message of a call of the provider's tool: all of it, or its id alone."""
    if has_id and _stands(call.id, texts):
        return
    arguments = leaves(list((arguments_of(call) or {}).values()))
    if not any(_stands(text, texts) for text in arguments if text):
        yield f"call of the provider's tool {call.name}"
    elif has_id:
        yield f"the id of the call of the provider's tool {call.name}"


def _has_result(result: ServerToolResult, texts: list[str]) -> bool:
    """Whether a text of the result stands in the message; its id, where the result has no texts."""
    found = [text for text in leaves(json.loads(result.output)) if len(text) > 8]
    stands = any(_stands(text, texts) or _is_known(text, texts) for text in found)
    return stands if found else _stands(result.call_id, texts)


def _is_cited(citation: Citation, texts: list[str]) -> bool:
    return any(_stands(each, texts) for each in (citation.url, citation.quote, citation.title) if each)


def _not_counted(usage: Usage | None, counted: dict[str, Any] | None) -> Iterator[str]:
    if usage and counted is None:
        yield "usage"
    elif usage and counted:
        for group, name, field in DETAILS:
            count = getattr(usage, field)
            if count and not any(is_named(key, name) for key in counted.get(group, {})):
                yield f"{name} tokens ({count})"


def _not_known(unknown: Iterable[str], texts: list[str]) -> Iterator[str]:
    """What the decoder does not know either, unless its name stands in the message."""
    for line in unknown:
        names = re.findall("'([^']+)'", line)
        if not names or not all(_is_known(name, texts) for name in names):
            yield line


def _is_known(name: str, texts: Iterable[str]) -> bool:
    return any(_plain(name) == _plain(text) for text in texts)


def _plain(name: str) -> str:
    """A name without what tells `toolUse` from `tool_use` and `TOOL_USE`; packages write names in their own way."""
    return name.replace("_", "").casefold()
