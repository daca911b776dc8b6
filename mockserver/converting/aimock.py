"""Fixtures of aimock, as turns.

Source: version 1.43.0 of the npm package `@copilotkit/aimock`: the types `FixtureFile…` in `dist/types.d.ts`,
`fixture-loader.js` (what a file may hold), `router.js` (what matches), `sse-writer.js` (times), `interruption.js`
and `helpers.js` (pieces, `truncateAfterChunks`).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from ..errors import Refused
from ..reply import FINISH_REASONS, Block, Reasoning, Reply, Text, ToolCall, Usage
from ..scripts.matching import When, WhenMessage, WhenMessages
from ..scripts.script import Turn
from ..sending.delivery import Delivery, Fault, Pace
from .reconstructing import glob_of
from .scriptwriting import Remarked

_CHUNK: Final = 20
"""Characters of a piece, where a fixture does not say (`DEFAULT_CHUNK_SIZE`)."""
EVER: Final = 1_000_000
"""How often a fixture answers that answers as often as it is asked, while others stand after it."""
_OTHERS: Final = ("embedding", "image", "images", "audio", "transcription", "video", "json", "live")
"""Keys of responses of other endpoints than those of chat."""
_SENT_ANYWAY: Final = ("created", "role", "systemFingerprint", "provider", "nativeFinishReason")
"""Keys of responses for what each wire sends in its own way."""


def fixtures_of(document: object) -> list[Any] | None:
    """The fixtures in a file; `None` where it is none of aimock's."""
    found = document.get("fixtures") if isinstance(document, dict) else None
    return found if isinstance(found, list) else None


@dataclass
class _Rest:
    """The keys of a mapping that nothing has asked for yet."""

    keys: dict[str, Any]
    name: str = ""

    def take(self, key: str) -> Any:
        return self.keys.pop(key, None)

    def told(self) -> Iterator[str]:
        for key in self.keys:
            yield f"{self.name}{key}"


@dataclass
class _Notes:
    """What a fixture says that a turn cannot."""

    lost: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def told(self) -> tuple[str, ...]:
        lost = (f"not carried over: {', '.join(self.lost)}",) if self.lost else ()
        return (*self.remarks, *lost)


def turns_of(fixtures: list[Any], name: Callable[[int], str]) -> tuple[list[Remarked], list[str]]:
    """The turns of fixtures, and a line for each fixture that has no place in a script.

    Args:
        fixtures: those of one file.
        name: what a fixture is called, by its number from 1.

    Raises:
        ValueError: a fixture has a value that aimock would not take; the text names the fixture.
    """
    kept: list[_Placed] = []
    left_out = []
    for number, fixture in enumerate(fixtures, 1):
        try:
            if reason := _reason_against(fixture):
                left_out.append(f"{name(number)}: {reason}")
                continue
            kept.append(_Placed(_place(fixture), _turn(fixture, number)))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{name(number)} is not in aimock's format ({reason})") from None
    return _in_order(kept), left_out


class _Placed(NamedTuple):
    """A turn, and its place among those with the same conditions, where its fixture has one."""

    place: int | None
    turn: Remarked


def _place(fixture: Mapping[str, Any]) -> int | None:
    match = fixture["match"]
    given = (match[key] for key in ("sequenceIndex", "turnIndex") if match.get(key) is not None)
    return next(map(int, given), None)


def _in_order(kept: list[_Placed]) -> list[Remarked]:
    """Turns in the order in which they answer: those of one sequence by their places, where the first of them stands.

    Others answer as often as they are asked, whatever stands after them.
    """
    ordered: list[_Placed] = []
    left = list(kept)
    while left:
        first = left[0]
        alike = [each for each in left if each.place is not None and each.turn.turn.when == first.turn.turn.when]
        taken = [first] if first.place is None else sorted(alike, key=lambda each: each.place or 0)
        ordered += taken
        left = [each for each in left if not any(each is one for one in taken)]
    return [each.turn if each.place is not None else _ever(each.turn) for each in ordered]


def _ever(each: Remarked) -> Remarked:
    return replace(each, turn=replace(each.turn, times=EVER))


def _reason_against(fixture: Any) -> str:
    match, response = fixture["match"], fixture["response"]
    endpoint = match.get("endpoint")
    if endpoint not in (None, "chat"):
        return f"it is for the endpoint {endpoint!r}, and this server has those of chat models"
    if match.get("inputText") is not None:
        return "it is for embeddings, and this server has chat models"
    others = [key for key in _OTHERS if key in response]
    if others and "content" not in response and "toolCalls" not in response:
        return f"it answers with {', '.join(map(repr, others))}, and this server has chat models"
    return ""


def _turn(fixture: Mapping[str, Any], number: int) -> Remarked:
    rest, match = _Rest(dict(fixture)), _Rest(dict(fixture["match"]), "match.")
    response = _Rest(dict(rest.take("response")), "response.")
    rest.take("match")
    notes = _Notes()
    when = _when(match, notes)
    times = 1 if match.take("sequenceIndex") is not None else None
    if (depth := match.take("turnIndex")) is not None:
        notes.remarks.append(f"turnIndex {depth}: the order of the turns stands for it")
    if "error" in response.keys:
        turn = Turn(error=_error(response, notes), when=when, times=times)
    else:
        reply = _reply(response, int(rest.take("chunkSize") or _CHUNK), number, notes)
        turn = Turn(reply=reply, when=when, times=times, delivery=_delivery(rest, reply, notes))
    for each in (rest, match, response):
        notes.lost += each.told()
    return Remarked(turn, notes.told())


def _when(match: _Rest, notes: _Notes) -> When:
    match.take("endpoint")
    model, tool, context = match.take("model"), match.take("toolName"), match.take("context")
    call, result = match.take("toolCallId"), match.take("toolResultContains")
    has_result, system = match.take("hasToolResult"), match.take("systemMessage")
    last = None
    if call is not None or result is not None:
        last = WhenMessage(text=result, tool_results=(glob_of(call),) if call is not None else True)
    parts = [system] if isinstance(system, str) else list(system or ())
    if len(parts) > 1:
        notes.remarks.append(f"of systemMessage only {parts[0]!r} is asked for")
    said = WhenMessage(role="system", text=parts[0]) if parts else None
    messages = WhenMessages(last=last, any=said, tool_results=has_result)
    return When(
        text=match.take("userMessage"),
        model=None if model is None else glob_of(model),
        tools=None if tool is None else (glob_of(tool),),
        headers={} if context is None else {"x-aimock-context": glob_of(context)},
        messages=None if messages == WhenMessages() else messages,
    )


def _error(response: _Rest, notes: _Notes) -> Refused:
    given = _Rest(dict(response.take("error")), "response.error.")
    status, after = int(response.take("status") or 500), response.take("retryAfter")
    message, kind = str(given.take("message") or ""), str(given.take("type") or "")
    notes.lost += given.told()
    headers = {"retry-after": str(1 if after is None else after)} if status == 429 else {}
    return Refused(status, message, kind, headers)


def _reply(response: _Rest, size: int, number: int, notes: _Notes) -> Reply:
    blocks = [*_reasoning(response, size), *_content(response, size, number)]
    has_calls = any(isinstance(block, ToolCall) for block in blocks)
    reason = response.take("finishReason") or ("tool_calls" if has_calls else "stop")
    if reason not in FINISH_REASONS:
        notes.remarks.append(f"finishReason is {reason!r}")
        reason = "stop"
    for key in _SENT_ANYWAY:
        if response.take(key) is not None:
            notes.lost.append(f"response.{key}")
    reply = Reply(
        blocks=tuple(blocks),
        finish_reason=reason,
        id=response.take("id") or None,
        model=response.take("model") or None,
    )
    usage = _usage(response.take("usage"), notes)
    return replace(reply, usage=usage) if usage else reply


def _reasoning(response: _Rest, size: int) -> Iterator[Block]:
    text, signature = response.take("reasoning"), response.take("reasoningSignature")
    if text:
        yield Reasoning(_pieces(text, size), signature=signature)
    for sealed in response.take("redactedThinking") or ():
        yield Reasoning((), signature=sealed, redacted=True)


def _content(response: _Rest, size: int, number: int) -> Iterator[Block]:
    content, calls, blocks = response.take("content"), response.take("toolCalls"), response.take("blocks")
    if not blocks:
        text = content if isinstance(content, str) else "" if content is None else _compact(content)
        blocks = [{"type": "text", "text": text}] if text else []
        blocks += [{"type": "toolCall", **call} for call in calls or ()]
    for at, block in enumerate(blocks):
        if block["type"] == "text":
            if block["text"]:
                yield Text(_pieces(block["text"], size))
        elif block["type"] == "toolCall":
            arguments = block["arguments"]
            text = arguments if isinstance(arguments, str) else _compact(arguments)
            yield ToolCall(_pieces(text, size), id=block.get("id") or f"call_{number}_{at + 1}", name=block["name"])
        else:
            raise ValueError(f"a block of the type {block['type']!r}")


def _compact(value: object) -> str:
    """JSON as `JSON.stringify` writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _pieces(text: str, size: int) -> tuple[str, ...]:
    return tuple(text[at : at + size] for at in range(0, len(text), size))


def _usage(found: Any, notes: _Notes) -> Usage | None:
    """The usage in whichever provider's names; `None` where it says no counts."""
    if not found:
        return None
    rest = _Rest(dict(found), "response.usage.")
    given = [rest.take(key) for key in ("prompt_tokens", "input_tokens", "promptTokenCount")]
    made = [rest.take(key) for key in ("completion_tokens", "output_tokens", "candidatesTokenCount")]
    for key in ("total_tokens", "totalTokenCount"):
        rest.take(key)
    prompt = _Rest(dict(rest.take("prompt_tokens_details") or {}), "response.usage.prompt_tokens_details.")
    completion = _Rest(dict(rest.take("completion_tokens_details") or {}), "response.usage.completion_tokens_details.")
    usage = Usage(
        input_tokens=next((each for each in given if each is not None), 0),
        output_tokens=next((each for each in made if each is not None), 0),
        cache_read=prompt.take("cached_tokens"),
        cache_creation=prompt.take("cache_write_tokens"),
        reasoning=completion.take("reasoning_tokens"),
    )
    notes.lost += [each for left in (rest, prompt, completion) for each in left.told()]
    return usage


def _delivery(rest: _Rest, reply: Reply, notes: _Notes) -> Delivery:
    fault = None
    if (chunks := rest.take("truncateAfterChunks")) is not None:
        # The first chunk has the role, and each other one a piece.
        piece = max(0, int(chunks) - 1)
        fault = Fault("close", piece if piece < reply.piece_count else "finish")
    return Delivery(pace=_pace(rest), fault=fault)


def _pace(rest: _Rest) -> Pace | None:
    """Seconds to the first piece and between pieces; of a recording's, on average, as aimock's chunks are others."""
    latency, profile, timings = rest.take("latency"), rest.take("streamingProfile"), rest.take("recordedTimings")
    speed = rest.take("replaySpeed")
    scale = 1 / speed if speed else 1.0
    usual = (latency or 0) / 1000
    if profile:
        every = 1 / profile["tps"] if profile.get("tps") else usual
        first = profile["ttft"] / 1000 if profile.get("ttft") is not None else every
        return Pace(first=first, every=round(every, 6), jitter=profile.get("jitter") or 0.0, scale=scale)
    if timings:
        delays = timings.get("interChunkDelaysMs") or [0]
        return Pace(first=timings["ttftMs"] / 1000, every=round(sum(delays) / len(delays) / 1000, 6), scale=scale)
    return Pace(first=usual, every=usual, scale=scale) if usual else None
