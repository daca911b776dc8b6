"""REPLAY: recorded streams of providers, and what the model gives for them."""

from collections.abc import Collection, Iterator
from typing import Any

from langchain_core.messages import AIMessage

from mockserver import Refusal, Reply, Text, Usage

from ..cassettes import Recorded
from ..catalogue import MUST, Case, rule
from ..compat import invalid_tool_calls, text_of
from ..drive import Probe
from ..observe import finish_of, reasoning_of, same_text, unasked, usage_of
from ..verdict import Broken
from ..wording import brief
from .replay_answers import (
    DETAILS,
    answer,
    apart,
    arguments_of,
    cases,
    is_named,
    keeps_id,
    method_of,
    reasoning_in,
    recorded_of,
)


@rule(
    "REPLAY-01",
    MUST,
    "a recorded answer is what the model gives: text, reasoning, tool calls, finish reason, usage; where it broke off, "
    "the call raises",
    cases=cases,
    hint="what providers send differs from what they document",
    mend="read what the provider sends, and not only what it documents",
    source="the recording itself, read by the decoder of its wire (docs/wires.md)",
)
def answer_is_as_recorded(probe: Probe, case: Case) -> None:
    recorded = recorded_of(probe, case)
    told = answer(probe, recorded)
    if why := _must_raise(recorded):
        if isinstance(told, AIMessage):
            raise Broken(f"{method_of(probe, recorded)} raises: {why}", f"it gave {brief(told)}")
        return
    if isinstance(told, Broken):
        if recorded.is_complete and recorded.ended_well:
            raise told
        return
    reply = recorded.decoded.reply
    _same_texts(reply, told)
    lacks = {need for need in ("tools", "usage") if probe.target.lacks(need, probe.form)}
    if not recorded.asks_usage or unasked(probe.exchanges):
        lacks.add("usage")
    different = list(_differences(recorded, told, lacks))
    if different:
        expected = "; ".join(f"{what} {wanted}" for what, wanted, _ in different)
        raise Broken(expected, "; ".join(f"{what} {got}" for what, _, got in different), frame=different[0][0])


def _must_raise(recorded: Recorded) -> str:
    """Why a call that is answered with this recording must fail; `""` where it need not."""
    if recorded.error:
        return f"the provider's answer is an error, {recorded.error}"
    if not recorded.ended_well and not recorded.is_complete:
        return f"the recording breaks off ({recorded.interaction.ended})"
    return ""


def _same_texts(reply: Reply, message: AIMessage) -> None:
    """Compare the text. A refusal may count as text."""
    with_refusals = "".join(block.joined for block in reply.blocks if isinstance(block, Text | Refusal))
    if text_of(message) != with_refusals:
        same_text(reply.text, text_of(message))


def _differences(recorded: Recorded, message: AIMessage, lacks: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What else differs: its name, what the recording says, what the message says.

    What the model `lacks` may be missing: tool calls that it does not claim, and usage that it does not claim or for
    which one of the two requests did not ask. So may reasoning and details of usage, which REPLAY-04 tells; wrong they
    may not be. Of a stream that never came to its end, calls and counts are not settled.
    """
    reply = recorded.decoded.reply
    thought, shown = reasoning_in(reply), reasoning_of(message)
    if shown and shown != thought:
        yield "reasoning", apart(thought, shown), apart(shown, thought)
    if not recorded.is_complete:
        return
    for what, wanted, got in _call_differences(recorded, message):
        if "tools" in lacks and not got:
            continue
        yield what, repr(wanted), repr(got)
    if not _same_finish(recorded, finish_of(message)):
        yield "finish", repr(_word(recorded)), repr(finish_of(message))
    counted = usage_of(message)
    if counted is None and ("usage" in lacks or reply.usage is None):
        return
    wanted_usage = _usage(reply.usage, counted or {})
    if counted != wanted_usage:
        yield "usage", repr(wanted_usage), repr(counted)


def _call_differences(recorded: Recorded, message: AIMessage) -> Iterator[tuple[str, Any, Any]]:
    wanted, invalid = [], []
    for call in recorded.decoded.reply.tool_calls:
        id = call.id if keeps_id(recorded, call.id) else None
        args = arguments_of(call)
        if args is None:
            invalid.append((call.name, call.joined, id))
        else:
            wanted.append((call.name, args, id))
    places = (
        ("tool calls", wanted, message.tool_calls),
        ("invalid tool calls", invalid, invalid_tool_calls(message)),
    )
    for what, told, found in places:
        got = [(call["name"], call["args"], call["id"]) for call in found]
        known = [(*call[:2], call[2] if id else None) for call, (*_, id) in zip(got, told, strict=False)]
        if known != told or len(got) != len(told):
            yield what, told, got


def _word(recorded: Recorded) -> str:
    """The provider's word for why the answer ended."""
    reason = recorded.decoded.reply.finish_reason
    return recorded.wire.finish_reasons.get(reason, reason)


def _same_finish(recorded: Recorded, found: Any) -> bool:
    """Whether this is the recorded finish reason; one that never came, or is inferred, cannot be told wrong."""
    reason = recorded.decoded.reply.finish_reason
    is_told = ("stream" if recorded.recording.streamed else "whole") in recorded.wire.tells_finish
    return reason == "unfinished" or not is_told or found == _word(recorded)


def _usage(usage: Usage | None, counted: dict[str, Any]) -> dict[str, Any] | None:
    """The usage as a message would tell it, of the details those that it does tell."""
    if usage is None:
        return None
    told: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    for group, details in counted.items():
        if isinstance(details, dict):
            counts = {key: _recorded_count(usage, group, key) for key in details}
            told[group] = {key: details[key] if count is None else count for key, count in counts.items()}
    return told


def _recorded_count(usage: Usage, group: str, key: str) -> int | None:
    """The recorded count of a detail; packages put the service tier before its name (``flex_cache_read``)."""
    fields = (field for where, name, field in DETAILS if where == group and is_named(key, name))
    return next((getattr(usage, field) for field in fields), None)
