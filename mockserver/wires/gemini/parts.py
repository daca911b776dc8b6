"""What each block of a reply is on Gemini's wire: parts of a candidate's content, what grounds it, what it counts.

Sources: the types `Part`, `Candidate`, `GroundingMetadata`, `Segment` and `UsageMetadata` of
https://ai.google.dev/api/generate-content, as the PyPI package `google-genai` has them (`google/genai/types.py`).
Where signatures stand: recorded streams. A seal on reasoning stands on the part that comes after it, or on a part
without text; a function call has its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ...errors import Unencodable
from ...frames import FrameKind
from ...reply import (
    Block,
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
from ..carried import arguments

CODE: Final = "code_execution"
"""The name of the server tool whose calls are `executableCode` parts; others are named by their `toolType`."""
CODE_RESULT: Final = "codeExecutionResult"
TOOL_RESULT: Final = "toolResponse"
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Step:
    """One part as it streams: `kind` and `piece` as in `Frame`; `block` is that which it belongs to."""

    part: dict[str, Any]
    kind: FrameKind
    block: Block
    piece: int | None = None


def check(wire: str, reply: Reply) -> None:
    """Refuse what parts cannot say.

    Raises:
        Unencodable: the text says what it is.
    """
    if reply.order:
        raise Unencodable(f"{wire} has no index of blocks: each ends before the next begins, so none take turns")
    previous: type | None = None
    for block in reply.blocks:
        if isinstance(block, Refusal):
            raise Unencodable(f"{wire} has no refusal: it ends with finish reason 'content_filter'")
        if isinstance(block, Text | Reasoning) and type(block) is previous:
            raise Unencodable(f"{wire} does not tell where one {previous.__name__} ends and the next begins")
        if isinstance(block, Reasoning) and block.redacted:
            raise Unencodable(f"{wire} has no redacted reasoning; a Reasoning without pieces has its signature alone")
        if isinstance(block, Reasoning | ToolCall) and not _is_base64(block.signature):
            raise Unencodable(f"{wire} carries signatures in base64, not {block.signature!r}")
        previous = type(block)
    texts = [block for block in reply.blocks if isinstance(block, Text)]
    if len(texts) > 1 and any(block.citations for block in texts):
        raise Unencodable(f"{wire} grounds the one text of a reply; this one has {len(texts)}")
    if reply.usage and reply.usage.cache_creation is not None:
        raise Unencodable(f"{wire} has no place for a count of tokens written to a cache")


def finish_word(word: str, reply: Reply) -> str:
    """The word of a reply's finish reason, which says nothing of calls.

    Raises:
        Unencodable: `stop` beside calls, or `tool_calls` without any, would be read back as the other.
    """
    calls = bool(reply.tool_calls)
    if reply.finish_reason == ("stop" if calls else "tool_calls"):
        fitting, having = ("tool_calls", "with") if calls else ("stop", "without")
        raise Unencodable(f"a reply {having} tool calls that ends in {word} has the finish reason {fitting!r} here")
    return word


def _is_base64(signature: str | None) -> bool:
    return signature is None or (bool(_BASE64.fullmatch(signature)) and len(signature.rstrip("=")) % 4 != 1)


def steps(wire: str, reply: Reply) -> Iterator[Step]:
    """The parts of a reply in order. A call is one part, which has the number of its first piece.

    Raises:
        Unencodable: arguments or results have no place.
    """
    number = 0
    seal: Reasoning | None = None
    for block in reply.blocks:
        if seal and isinstance(block, ToolCall):
            yield _seal(seal)
            seal = None
        for first, part in enumerate(_parts(wire, block)):
            if seal and not first:
                part["thoughtSignature"] = seal.signature
                seal = None
            is_piece = bool(block.pieces)
            yield Step(part, "piece" if is_piece else "start", block, number if is_piece else None)
            number += is_piece if isinstance(block, Text | Reasoning) else len(block.pieces)
        if isinstance(block, Reasoning) and block.signature:
            seal = block
    if seal:
        yield _seal(seal)


def _seal(block: Reasoning) -> Step:
    return Step({"text": "", "thoughtSignature": block.signature}, "start", block)


def _parts(wire: str, block: Block) -> Iterator[dict[str, Any]]:
    if isinstance(block, Text):
        yield from ({"text": piece} for piece in block.pieces)
    elif isinstance(block, Reasoning):
        yield from ({"text": piece, "thought": True} for piece in block.pieces)
    elif isinstance(block, ToolCall):
        call = {"name": block.name, "args": arguments(wire, block), "id": block.id}
        seal = {"thoughtSignature": block.signature} if block.signature else {}
        yield {"functionCall": call, **seal}
    elif isinstance(block, ServerToolCall):
        yield _server_call(wire, block)
    elif isinstance(block, ServerToolResult):
        yield _server_result(wire, block)
    elif isinstance(block, Media):
        yield {"inlineData": {"mimeType": block.mime_type, "data": block.data}}


def _server_call(wire: str, block: ServerToolCall) -> dict[str, Any]:
    args = arguments(wire, block)
    if block.name != CODE:
        return {"toolCall": {"toolType": block.name, "args": args, "id": block.id}}
    if set(args) != {"language", "code"}:
        raise Unencodable(f'{wire} carries code as {{"language": "PYTHON", "code": …}}, not {block.joined!r}')
    return {"executableCode": {**args, "id": block.id}}


def _server_result(wire: str, block: ServerToolResult) -> dict[str, Any]:
    output = json.loads(block.output)
    fields = {CODE_RESULT: {"outcome", "output"}, TOOL_RESULT: {"toolType", "response"}}
    known = fields.get(block.kind)
    if known is None or not isinstance(output, dict) or not set(output) <= known:
        raise Unencodable(f"{wire} has results of the kinds {', '.join(fields)}, as an object of their fields")
    return {block.kind: {**output, "id": block.call_id}}


def grounding(reply: Reply, part_index: int = 0) -> dict[str, Any]:
    """The `groundingMetadata` of a reply with citations, under that key; nothing where it has none.

    `part_index` is the place of the text among the parts of the content, where they come in one.
    """
    text = next((block for block in reply.blocks if isinstance(block, Text) and block.citations), None)
    if text is None:
        return {}
    supports: list[dict[str, Any]] = []
    for number, citation in enumerate(text.citations):
        if citation.start is None or citation.end is None:
            continue
        start, end = (len(text.joined[:at].encode()) for at in (citation.start, citation.end))
        segment = {"partIndex": part_index, "startIndex": start, "endIndex": end}
        shown = {name: at for name, at in segment.items() if at}
        quoted = text.joined[citation.start : citation.end]
        supports.append({"segment": {**shown, "text": quoted}, "groundingChunkIndices": [number]})
    chunks = [_chunk(citation) for citation in text.citations]
    return {"groundingMetadata": {"groundingChunks": chunks, **({"groundingSupports": supports} if supports else {})}}


def _chunk(citation: Citation) -> dict[str, Any]:
    source = {"uri": citation.url, "title": citation.title, "text": citation.quote}
    kind = "web" if citation.quote is None else "retrievedContext"
    return {kind: {name: value for name, value in source.items() if value is not None}}


def usage(counted: Usage, candidates: int, thoughts: int) -> dict[str, Any]:
    """`usageMetadata` when so many tokens of the answer and of its thoughts are made; counts of 0 are left out."""
    counts: dict[str, Any] = {"promptTokenCount": counted.input_tokens}
    if candidates:
        counts["candidatesTokenCount"] = candidates
    counts["totalTokenCount"] = counted.input_tokens + candidates + thoughts
    if counted.cache_read is not None:
        counts["cachedContentTokenCount"] = counted.cache_read
    counts["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": counted.input_tokens}]
    if counted.reasoning is not None:
        counts["thoughtsTokenCount"] = thoughts
    return counts


def cumulated(reply: Reply, parts: tuple[Step, ...]) -> Iterator[dict[str, Any]]:
    """For each part, the usage up to and with it, under the key that it has; nothing where the reply has no usage."""
    counted = reply.usage
    thinking = sum(isinstance(step.block, Reasoning) for step in parts)
    answering = len(parts) - thinking
    thought = answered = 0
    for step in parts:
        thought += isinstance(step.block, Reasoning)
        answered += not isinstance(step.block, Reasoning)
        if counted is None:
            yield {}
            continue
        thoughts = counted.reasoning or 0
        candidates = counted.output_tokens - thoughts
        last = step is parts[-1]
        yield {
            "usageMetadata": usage(
                counted,
                candidates if last else candidates * answered // max(answering, 1),
                thoughts if last or not thinking else thoughts * thought // thinking,
            )
        }
