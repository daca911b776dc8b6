"""Scripts and cassettes from files: the same names as the Python objects have, checked with file, line and key.

The shapes below are the one place that says which keys there are; `schema` is the JSON Schema of the same shapes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..cassettes import cassette
from ..cassettes.cassette import AS_FAST_AS_IT_CAN, Playing
from ..cassettes.interaction import is_cassette
from ..errors import MockServerError, Refused
from ..reply import (
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
from ..sending.delivery import Delivery, Gate
from ..wires import FINISH_WORDS, WIRES
from .script import Script, Turn, When, WhenMessage, WhenMessages
from .shapes import (
    COUNT,
    FLAG,
    NUMBER,
    PIECE,
    STRING,
    Anything,
    Either,
    Made,
    Many,
    Map,
    Null,
    Record,
    Scalar,
    Schema,
    Shape,
    Words,
    derived,
)
from .yamlnodes import Flaw, Flaws, Gathering, Value, parse, read

SCHEMA_FILE: Final = Path(__file__).with_name("script.schema.json")
"""The published JSON Schema, which is the text of `schema()`."""


def _either_of(*keys: str) -> list[Schema]:
    return [{"required": [key]} for key in keys]


def _called(*, name: str, args: Mapping[str, Any] | None = None, pieces: Any = None, **more: Any) -> dict[str, Any]:
    """The fields of a call: its argument text as it stands, or made of `args`."""
    if (args is None) == (pieces is None):
        raise ValueError("a tool call has either 'args' (a mapping) or 'pieces' (its argument text)")
    if args is not None:
        pieces = ToolCall.of("f", args).pieces
    return {"name": name, "pieces": pieces, **more}


def _result(*, output: Any, **more: Any) -> ServerToolResult:
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, allow_nan=False)
    return ServerToolResult(output=text, **more)


def _error(*, status: int, message: str = "", kind: str = "", headers: Mapping[str, str] | None = None) -> Refused:
    return Refused(status, message or f"scripted error {status}", kind, headers or {})


_PIECES: Final = Either(
    Made(PIECE, lambda piece: (piece,)), Many(PIECE), wanted="a string, or a list of strings (its pieces)"
)
_CALL_KEYS: Final[Mapping[str, Shape]] = {"name": PIECE, "id": PIECE, "args": Anything(dict), "pieces": _PIECES}
_BLOCKS: Final[Mapping[str, Shape]] = {
    "reasoning": Either(
        Made(PIECE, Reasoning),
        Made(Many(PIECE, empty="reasoning has at least one piece"), Reasoning),
        Record(
            "reasoning",
            "reasoning",
            lambda pieces=(), **more: Reasoning(pieces, **more),
            {"pieces": _PIECES, "signature": PIECE, "redacted": FLAG},
            about=Reasoning,
            anyOf=_either_of("pieces", "signature"),
        ),
    ),
    "server_tool_call": Record(
        "server_tool_call",
        "a tool call",
        lambda **given: ServerToolCall(**_called(**given)),
        _CALL_KEYS,
        required=["name"],
        about=ServerToolCall,
        oneOf=_either_of("args", "pieces"),
    ),
    "server_tool_result": Record(
        "server_tool_result",
        "the result of a server's tool",
        _result,
        {"call_id": PIECE, "kind": PIECE, "output": Anything()},
        required=["call_id", "kind", "output"],
        about=ServerToolResult,
    ),
    "text": Either(
        Made(PIECE, Text),
        Made(Many(PIECE, empty="a text has at least one piece"), Text),
        Record(
            "text",
            "a text",
            Text,
            {"pieces": _PIECES, "citations": Many(derived(Citation, "citation", "a citation"))},
            required=["pieces"],
            about=Text,
        ),
    ),
    "media": derived(Media, "media", "media"),
    "refusal": Either(Made(PIECE, Refusal), Made(Many(PIECE, empty="a refusal has at least one piece"), Refusal)),
    "tool_call": Record(
        "tool_call",
        "a tool call",
        lambda **given: ToolCall(**_called(**given)),
        {**_CALL_KEYS, "signature": PIECE},
        required=["name"],
        about=ToolCall,
        oneOf=_either_of("args", "pieces"),
    ),
}
"""Content by its key, in the order in which wires carry it."""


class _Block(Record):
    """A mapping with one key, which says what kind of block it is."""

    def read(self, value: Value) -> Block:
        if not value.is_mapping:
            value.fail(
                f"each item is a block, such as 'text: …' (blocks: {', '.join(_BLOCKS)}); the pieces of one text stand "
                "under 'text'"
            )
        block: Block = super().read(value)
        return block


def _one_block(**given: Block) -> Block:
    if len(given) != 1:
        raise ValueError(f"a block has exactly one of {', '.join(_BLOCKS)}")
    [block] = given.values()
    return block


def _made_reply(*, blocks: tuple[Block, ...] | None = None, **given: Any) -> Reply:
    beside = [name for name in _BLOCKS if name in given]
    if blocks is not None and beside:
        raise ValueError(f"content stands either under 'blocks' or beside it ({', '.join(beside)}), not both")
    content = [given.pop(name) for name in beside] if blocks is None else blocks
    return Reply(blocks=tuple(content), **given)


_BLOCK_LIST: Final = Many(_Block("block", "a block", _one_block, _BLOCKS, minProperties=1, maxProperties=1))
_BLOCKS_OR_TEXT: Final = Either(Made(PIECE, lambda text: (Text(text),)), _BLOCK_LIST, wanted="a list of blocks")
_REPLY: Final = Either(
    Made(PIECE, Reply.of),
    Made(_BLOCK_LIST, lambda blocks: Reply(blocks=blocks)),
    Record(
        "reply",
        "a reply",
        _made_reply,
        {
            "blocks": _BLOCKS_OR_TEXT,
            **_BLOCKS,
            "finish_reason": Words(FINISH_WORDS),
            "usage": Either(derived(Usage, "usage", "usage"), Null()),
            "order": Many(COUNT),
            "id": PIECE,
            "model": STRING,
        },
        about=Reply,
        dependentSchemas={"blocks": {"properties": dict.fromkeys(_BLOCKS, False)}},
    ),
    wanted="a string, a list of blocks or a mapping",
)
_HEADER: Final = Made(Either(Scalar(str, "a text of one line", pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$"), NUMBER), str)
_HEADER_NAME: Final = Scalar(str, "the name of a header", pattern=r"^[^\x00-\x20\x7f:]+$")
_ERROR: Final = Record(
    "error",
    "an error",
    _error,
    {
        "status": Scalar(int, "the HTTP status of an error, from 400 to 599,", least=400, most=599),
        "message": STRING,
        "kind": STRING,
        "headers": Map(_HEADER_NAME, _HEADER),
    },
    required=["status"],
    about=Refused,
)
_NAMED: Final = Either(
    FLAG, Made(STRING, lambda name: (name,)), Many(STRING), wanted="true, false, a name or a list of names"
)
_MESSAGE: Final = Either(
    Made(STRING, lambda role: WhenMessage(role=role)),
    Record(
        "when_message",
        "a condition on a message",
        WhenMessage,
        {"role": STRING, "text": STRING, "tool_calls": _NAMED, "tool_results": _NAMED},
        about=WhenMessage,
    ),
    wanted="a role, or a mapping with role, text, tool_calls, tool_results",
)
_MESSAGES: Final = Record(
    "when_messages",
    "a condition on messages",
    WhenMessages,
    {"count": COUNT, "first": _MESSAGE, "last": _MESSAGE, "any": _MESSAGE, "tool_results": _NAMED},
    about=WhenMessages,
)
_WHEN: Final = Record(
    "when",
    "a condition",
    When,
    {
        "wire": Words(sorted({*WIRES, *(wire.family for wire in WIRES.values())})),
        "model": STRING,
        "path": STRING,
        "stream": FLAG,
        "text": STRING,
        "messages": Either(Many(_MESSAGE), _MESSAGES),
        "tools": _NAMED,
        "headers": Map(STRING, STRING),
    },
    about=When,
)
_DELIVERY: Final = derived(Delivery, "delivery", "a delivery", headers=Map(_HEADER_NAME, Either(_HEADER, Null())))
_ANSWER: Final[Mapping[str, Shape]] = {"reply": _REPLY, "error": _ERROR}
_TURN: Final = Record(
    "turn",
    "a turn",
    Turn,
    {
        **_ANSWER,
        "when": _WHEN,
        "delivery": _DELIVERY,
        "times": Scalar(int, "a number of requests, at least 1,", least=1),
    },
    about=Turn,
    oneOf=_either_of(*_ANSWER),
)
_DEFAULT: Final = Record(
    "default", "a default", Turn, {**_ANSWER, "delivery": _DELIVERY}, about=Turn, oneOf=_either_of(*_ANSWER)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """A script of a mock provider: which request is answered with what.

    Args:
        turns: the answers in order; a request is answered by the first turn that matches it and has answers left.
        loop: whether the turns that match a request start again once all of them are used up.
        default: answers what no turn does.
        about: what it is for, in any words, for people and other programs; it changes nothing.
    """

    turns: tuple[Turn, ...]
    loop: bool = False
    default: Turn | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


_SCRIPT: Final = Record(
    "script",
    "a script",
    lambda **given: Scripted(**{name: each for name, each in given.items() if name != "$schema"}),
    {
        "turns": Many(_TURN, empty="a script has at least one turn"),
        "loop": FLAG,
        "default": _DEFAULT,
        "about": Anything(dict),
        "$schema": STRING,
    },
    required=["turns"],
    about=Scripted,
)


def load(file: Path) -> tuple[Turn, ...]:
    """The turns of a YAML script, or of a cassette.

    Raises:
        ScriptError: the file is not there, is no YAML, or holds a key or value that is not right; the text has a line
            for each fault.
        CassetteError: the file is a cassette that cannot be read.
    """
    return cassette.load(file) if is_cassette(file) else _scripted(read(file)).turns


def load_script(*files: Path, playing: Playing = AS_FAST_AS_IT_CAN) -> Script:
    """One script of the turns of all files, with what they say of loop and default; cassettes as `playing` says.

    Raises:
        ScriptError: as `load`; or two of the files have a default.
        CassetteError: as `load`; or a cassette does not say what is to be played.
    """
    return _joined([cassette.load(file, playing) if is_cassette(file) else read(file) for file in files])


def parse_script(text: str, name: str) -> Script:
    """A script, or a cassette, from YAML or JSON text, which errors call `name`.

    Raises:
        ScriptError: as `load`.
        CassetteError: as `load`.
    """
    return _joined([parse(text, Path(name))])


def faults(file: Path) -> list[Flaw]:
    """All that is wrong in a script or cassette, in the order of its lines; empty where nothing is."""
    try:
        load(file)
    except Flaws as error:
        return list(error.flaws)
    except MockServerError as error:
        found = re.fullmatch(r"(?:, line (\d+))?: (.*)", str(error).removeprefix(str(file)), re.DOTALL)
        return [Flaw(file, found[2], int(found[1]) if found[1] else None) if found else Flaw(file, str(error))]
    return []


def schema() -> str:
    """The JSON Schema (draft 2020-12) of scripts, as text. What `faults` finds besides, no schema can say."""
    definitions: dict[str, Schema] = {}
    root = _SCRIPT.schema(definitions)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Script of mockserver",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n"


def _scripted(document: Value) -> Scripted:
    if "interactions" in document.keys:
        return Scripted(turns=cassette.turns(document.source.file, document.plain))
    if document.is_mapping and not document.keys:
        document.fail("has neither 'turns' (a script) nor 'interactions' (a cassette)")
    scripted: Scripted = _SCRIPT.read(document)
    return scripted


def _joined(documents: list[Value | tuple[Turn, ...]]) -> Script:
    gates: dict[str, Gate] = {}
    read: list[Scripted] = []
    gathering = Gathering()
    for document in documents:
        if isinstance(document, tuple):
            read.append(Scripted(turns=document))
            continue
        document.source.gates = gates
        with gathering:
            read.append(_scripted(document))
            if read[-1].default and any(each.default for each in read[:-1]):
                document.fail("a file before this one has a 'default', and one script has one")
    gathering.tell()
    return Script(
        [turn for each in read for turn in each.turns],
        loop=any(each.loop for each in read),
        default=next((each.default for each in read if each.default), None),
        gates=gates,
        about={name: value for each in read for name, value in each.about.items()},
    )
