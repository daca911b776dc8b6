"""OpenAI Responses: the output items that the blocks of a reply make.

Texts and refusals that follow one another are the parts of one message. Reasoning that follows reasoning without a
signature is a further part of its summary. A result of a server's tool belongs to the item of its call.
"""

from collections.abc import Mapping
from typing import Final

from ...errors import Unencodable
from ...reply import Block, Media, Reasoning, Refusal, Reply, ServerToolCall, ServerToolResult, Text, ToolCall
from .items import FunctionItem, ImageItem, Item, MessageItem, ReasoningItem, Status
from .tools import TOOLS, McpItem

_PLAIN: Final[Mapping[type[Block], type[Item]]] = {
    Text: MessageItem,
    Refusal: MessageItem,
    Reasoning: ReasoningItem,
    ToolCall: FunctionItem,
    Media: ImageItem,
}


def items_of(reply: Reply, ending: Status) -> list[Item]:
    """The output items of a reply. `ending`: the status of the last one; the others are completed.

    Raises:
        Unencodable: a block has no place in any.
    """
    groups: list[list[Block]] = []
    for block in reply.blocks:
        if groups and _joins(groups[-1][-1], block):
            groups[-1].append(block)
        else:
            groups.append([block])
    items: list[Item] = []
    first = 0
    for index, blocks in enumerate(groups):
        items.append(_item(reply, index, blocks, first, ending if index == len(groups) - 1 else "completed"))
        first += len(blocks)
    return items


def _joins(last: Block, block: Block) -> bool:
    """Whether a block belongs to the item of the one before it."""
    if isinstance(block, Text | Refusal):
        return isinstance(last, Text | Refusal)
    if isinstance(block, Reasoning):
        return isinstance(last, Reasoning) and not last.signature and bool(block.pieces)
    return isinstance(block, ServerToolResult) and isinstance(last, ServerToolCall) and block.call_id == last.id


def _item(reply: Reply, index: int, blocks: list[Block], first: int, ending: Status) -> Item:
    block = blocks[0]
    if isinstance(block, ServerToolResult):
        raise Unencodable(f"a result of a server's tool follows its call at once; there is none of {block.call_id!r}")
    if isinstance(block, ServerToolCall):
        made = TOOLS.get(block.name) or (McpItem if "/" in block.name else None)
        if made is None:
            known = ", ".join(TOOLS)
            raise Unencodable(f"openai-responses has the tools {known} and LABEL/TOOL, not {block.name!r}")
        return made(index, block.id, blocks, first)
    if isinstance(block, ToolCall) and block.signature:
        raise Unencodable("openai-responses has no place for the signature of a tool call")
    if isinstance(block, Reasoning) and block.redacted:
        raise Unencodable("openai-responses does not tell redacted reasoning from reasoning without pieces")
    kind = _PLAIN[type(block)]
    id = f"{kind.prefix}_{(reply.id or '').removeprefix('resp_')}_{index}"
    return kind(index, id, blocks, first, ending)
