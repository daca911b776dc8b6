"""The content of Chat Completions' messages and deltas, as a dialect carries it."""

import json
from typing import Any, Final

from ...errors import Unencodable
from ...reply import Block, Citation, Media, Reasoning, Refusal, Reply, Text, ToolCall
from .dialects import Dialect

_RANK: Final = {Reasoning: 0, Text: 1, Refusal: 2, Media: 3, ToolCall: 4}
"""The kinds of content that a message has fields for, in the order in which they are read."""
_MANY: Final = (Media, ToolCall)
_DETAILS: Final = {
    "cache_read": "tokens read from a cache",
    "cache_creation": "tokens written to a cache",
    "reasoning": "reasoning tokens",
}


def check(dialect: Dialect, reply: Reply, *, whole: bool) -> None:
    """Refuse what the dialect would lose.

    Chat Completions has one field for each kind of content: a message says nothing of the order of blocks, a stream
    says it by the order of its chunks.

    Raises:
        Unencodable: the text says what would be lost.
    """
    for block in reply.blocks:
        _check_block(dialect, block)
    ranks = [_RANK[type(block)] for block in reply.blocks]
    single = [type(block) for block in reply.blocks if not isinstance(block, _MANY)]
    if len(single) != len(set(single)) or (whole and ranks != sorted(ranks)):
        raise Unencodable(
            f"{dialect.name} carries at most one reasoning, one text and one refusal block"
            f"{', in this order, and tool calls after them' if whole else ''}; not {reply.describe()}"
        )
    if dialect.calls == "function_call" and len(reply.tool_calls) > 1:
        raise Unencodable(f"{dialect.name} carries at most one call, not {len(reply.tool_calls)}")
    for name, words in _DETAILS.items():
        if reply.usage and getattr(reply.usage, name) is not None and name not in dialect.counts:
            raise Unencodable(f"{dialect.name} has no place for a count of {words}")


def _check_block(dialect: Dialect, block: Block) -> None:
    has = {Refusal: dialect.refusal, Reasoning: bool(dialect.reasoning), Media: dialect.images}
    if type(block) not in _RANK or not has.get(type(block), True):
        raise Unencodable(f"{dialect.name} has no place for {type(block).__name__}")
    seals = dialect.reasoning_details or dialect.reasoning == "thinking"
    if isinstance(block, Reasoning) and block.signature and not seals:
        raise Unencodable(f"{dialect.name} has no place for the signature of reasoning")
    if isinstance(block, Reasoning) and block.redacted and not dialect.reasoning_details:
        raise Unencodable(f"{dialect.name} has no place for reasoning that is withheld")
    if isinstance(block, ToolCall) and block.id == "null":
        raise Unencodable(f"{dialect.name} has no call of the id 'null', which stands for none in what servers send")
    if isinstance(block, ToolCall) and block.signature:
        raise Unencodable(f"{dialect.name} has no place for the signature of a call")
    if isinstance(block, Text):
        for citation in block.citations:
            _check_citation(dialect, citation)


def _check_citation(dialect: Dialect, citation: Citation) -> None:
    if not dialect.citations:
        raise Unencodable(f"{dialect.name} has no place for citations")
    if not citation.url or citation.title is None:
        raise Unencodable(f"{dialect.name} carries citations with a url and a title, not {citation!r}")
    if citation.quote is not None and (not dialect.citation_quote or not citation.quote):
        raise Unencodable(f"{dialect.name} has no place for the words that a citation quotes, or for none of them")
    placed = citation.end is not None
    if dialect.citations == "search_results":
        if placed:
            raise Unencodable(f"{dialect.name} does not say which part of the text a citation is for")
    elif placed != bool(citation.end) or not (placed or dialect.citation_quote):
        raise Unencodable(f"{dialect.name} says which characters of the text a citation is for, not {citation!r}")


def sources(dialect: Dialect, reply: Reply) -> dict[str, Any]:
    """What the answer rests on, where it stands beside the choices."""
    cited = [citation for block in reply.blocks if isinstance(block, Text) for citation in block.citations]
    if not cited or dialect.citations != "search_results":
        return {}
    results = [
        {"title": each.title, "url": each.url, "date": None, **({"snippet": each.quote} if each.quote else {})}
        for each in cited
    ]
    return {"citations": [each.url for each in cited], "search_results": results}


def piece(dialect: Dialect, block: Block, piece: str) -> dict[str, Any]:
    if isinstance(block, Reasoning):
        return reasoning(dialect, piece, None)
    return {"refusal" if isinstance(block, Refusal) else "content": piece}


def reasoning(dialect: Dialect, text: str, signature: str | None, *, redacted: bool = False) -> dict[str, Any]:
    if dialect.reasoning == "thinking":
        part = {"type": "thinking", "thinking": [{"type": "text", "text": text}] if text else []}
        return {"content": [{**part, **({"signature": signature} if signature else {})}]}
    plain: dict[str, Any] = {dialect.reasoning: text} if text and dialect.reasoning != "reasoning_details" else {}
    if not dialect.reasoning_details:
        return plain
    if redacted:
        return {"reasoning_details": [{"type": "reasoning.encrypted", "data": signature, "index": 0}]}
    detail = {"type": "reasoning.text", **({"text": text} if text else {})}
    return {**plain, "reasoning_details": [{**detail, **({"signature": signature} if signature else {}), "index": 0}]}


def annotations(text: Text) -> list[dict[str, Any]]:
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": each.url,
                "title": each.title,
                "start_index": each.start or 0,
                "end_index": each.end or 0,
                **({"content": each.quote} if each.quote else {}),
            },
        }
        for each in text.citations
    ]


def image(media: Media) -> dict[str, Any]:
    url = f"data:{media.mime_type};base64,{media.data}"
    return {"images": [{"type": "image_url", "image_url": {"url": url}}]}


def call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def function_call(dialect: Dialect, call: ToolCall) -> dict[str, Any]:
    """The older form of a call, with its arguments as an object; its id is that of the state of the functions."""
    try:
        value = json.loads(call.joined or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unencodable(f"{dialect.name} carries the arguments of a call as an object, not {call.joined!r}")
    return {"function_call": {"name": call.name, "arguments": value}, "functions_state_id": call.id}
