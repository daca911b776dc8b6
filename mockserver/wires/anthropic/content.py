"""Anthropic's content blocks as they are sent; `anthropic_reading` reads them back.

Sources: the types `ContentBlock`, `RawContentBlockDelta`, `TextCitation`, `Usage` and `MessageDeltaUsage` of the PyPI
package `anthropic`; recorded streams for what opens with content and what follows in deltas, and for citations, which
come before the text that they are of.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from ...errors import Unencodable
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

RESULT: Final = "_tool_result"
"""How the types of blocks end that bring the result of a tool of the provider's."""


def check(wire: str, reply: Reply) -> Usage:
    """The usage, which every message has.

    Raises:
        Unencodable: the reply holds something that a message has no place for.
    """
    for block in reply.blocks:
        _check_block(wire, block)
    if reply.order:
        raise Unencodable(f"{wire} sends each block to its end before the next begins")
    if reply.usage is None:
        raise Unencodable(f"every message of {wire} has usage")
    return reply.usage


def _check_block(wire: str, block: Block) -> None:
    if isinstance(block, Refusal):
        raise Unencodable(f"{wire} has no refusal block: it refuses in text, with finish reason 'refusal'")
    if isinstance(block, Media):
        raise Unencodable(f"{wire} has no place for media in an answer")
    if isinstance(block, ToolCall) and block.signature:
        raise Unencodable(f"{wire} has no place for the signature of a tool call; reasoning has one")
    if isinstance(block, ServerToolResult) and not block.kind.endswith(RESULT):
        raise Unencodable(f"{wire} has results of kinds that end in {RESULT}, not {block.kind!r}")
    for citation in block.citations if isinstance(block, Text) else ():
        if citation.quote is None:
            raise Unencodable(f"each citation of {wire} has a quote, the words that are cited")
        if citation.start is not None:
            raise Unencodable(
                f"{wire} has no place for the characters that a citation is of: its block is what it is of"
            )


def opening(block: Block) -> dict[str, Any]:
    """What opens a block in a stream."""
    if isinstance(block, ToolCall | ServerToolCall):
        return {"type": _use(block), "id": block.id, "name": block.name, "input": {}}
    if isinstance(block, Reasoning) and not block.redacted:
        return {"type": "thinking", "thinking": "", "signature": ""}
    if isinstance(block, Text):
        return {**({"citations": []} if block.citations else {}), "type": "text", "text": ""}
    return _arriving_whole(block)


def leading(block: Block) -> Iterator[dict[str, Any]]:
    """The deltas that come before the pieces of a block."""
    if isinstance(block, ToolCall | ServerToolCall):
        yield delta(block, "")
    elif isinstance(block, Text):
        yield from ({"type": "citations_delta", "citation": _citation(each)} for each in block.citations)


def delta(block: Block, piece: str) -> dict[str, Any]:
    """The delta of a piece."""
    if isinstance(block, ToolCall | ServerToolCall):
        return {"type": "input_json_delta", "partial_json": piece}
    if isinstance(block, Reasoning):
        return {"type": "thinking_delta", "thinking": piece}
    return {"type": "text_delta", "text": piece}


def trailing(block: Block) -> Iterator[dict[str, Any]]:
    """The deltas that come after the pieces of a block."""
    if isinstance(block, Reasoning) and block.signature and not block.redacted:
        yield {"type": "signature_delta", "signature": block.signature}


def whole(wire: str, block: Block) -> dict[str, Any]:
    """A block of a message that is not streamed.

    Raises:
        Unencodable: the argument text of a call is no JSON object.
    """
    if isinstance(block, Text):
        citations = {"citations": [_citation(each) for each in block.citations]} if block.citations else {}
        return {**citations, "type": "text", "text": block.joined}
    if isinstance(block, Reasoning) and not block.redacted:
        return {"type": "thinking", "thinking": block.joined, "signature": block.signature or ""}
    if isinstance(block, ToolCall | ServerToolCall):
        return {"type": _use(block), "id": block.id, "name": block.name, "input": _input(wire, block)}
    return _arriving_whole(block)


def _use(block: ToolCall | ServerToolCall) -> str:
    return "tool_use" if isinstance(block, ToolCall) else "server_tool_use"


def _arriving_whole(block: Block) -> dict[str, Any]:
    if isinstance(block, Reasoning):
        return {"type": "redacted_thinking", "data": block.signature}
    assert isinstance(block, ServerToolResult)
    failed = {"is_error": False} if block.kind == "mcp_tool_result" else {}
    return {"type": block.kind, "tool_use_id": block.call_id, **failed, "content": json.loads(block.output)}


def _input(wire: str, block: ToolCall | ServerToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(block.joined or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Unencodable(f"a whole message of {wire} carries tool input as an object, not {block.joined!r}")
    return arguments


def _citation(citation: Citation) -> dict[str, Any]:
    """With a URL it is of a result of a search of the web, and else of a document of the request."""
    if citation.url is not None:
        return {
            "type": "web_search_result_location",
            "cited_text": citation.quote,
            "url": citation.url,
            "title": citation.title,
            "encrypted_index": "bW9ja3NlcnZlcg==",
        }
    return {
        "type": "char_location",
        "cited_text": citation.quote,
        "document_index": 0,
        "document_title": citation.title,
        "start_char_index": 0,
        "end_char_index": len(citation.quote or ""),
        "file_id": None,
    }


def usage(counts: Usage) -> dict[str, Any]:
    """Anthropic counts cached tokens beside `input_tokens`, not among them."""
    details = {"cache_creation_input_tokens": counts.cache_creation, "cache_read_input_tokens": counts.cache_read}
    thinking = {} if counts.reasoning is None else {"output_tokens_details": {"thinking_tokens": counts.reasoning}}
    return {
        "input_tokens": counts.input_tokens - (counts.cache_read or 0) - (counts.cache_creation or 0),
        **{name: count for name, count in details.items() if count is not None},
        "output_tokens": counts.output_tokens,
        **thinking,
    }
