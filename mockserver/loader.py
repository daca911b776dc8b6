"""Scripts and cassettes from files: the same names as the Python objects have, checked with file, line and key."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from . import cassette
from .delivery import FAULTS, Delivery, Fault, Pace
from .errors import Refused, ScriptError
from .reply import FINISH_REASONS, Block, Reasoning, Refusal, Reply, Text, ToolCall, Usage
from .script import Turn, When
from .wires import WIRES
from .yamlnodes import Value, nearest, read

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read", "cache_creation", "reasoning")
_POINTS: Final = ("head", "finish", "end")
_NO_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def load(file: Path) -> tuple[Turn, ...]:
    """The turns of a YAML script, or of a cassette.

    Raises:
        ScriptError: the file is not there, is no YAML, or holds a key or value that is not right.
        CassetteError: the file is a cassette that cannot be read.
    """
    document = read(file)
    if "interactions" in document.keys:
        return cassette.turns(file, document.plain)
    fields = document.fields("turns")
    if "turns" not in fields:
        raise ScriptError(f"{file}: has neither 'turns' (a script) nor 'interactions' (a cassette)")
    turns = tuple(_turn(value) for value in fields["turns"].items())
    if not turns:
        fields["turns"].fail("a script has at least one turn")
    return turns


def _turn(value: Value) -> Turn:
    fields = value.fields("reply", "error", "when", "delivery", "times")
    return value.make(
        lambda: Turn(
            reply=_reply(fields["reply"]) if "reply" in fields else None,
            error=_error(fields["error"]) if "error" in fields else None,
            when=_when(fields["when"]) if "when" in fields else When(),
            delivery=_delivery(fields["delivery"]) if "delivery" in fields else Delivery(),
            times=fields["times"].typed(int, "a number of requests") if "times" in fields else None,
        )
    )


def _reply(value: Value) -> Reply:
    if not value.is_mapping:
        return value.make(lambda: Reply(blocks=_blocks(value)))
    fields = value.fields("blocks", *_BLOCKS, "finish_reason", "usage", "id", "model")
    single = [name for name in _BLOCKS if name in fields]
    if "blocks" in fields and single:
        fields[single[0]].fail("content stands either under 'blocks' or beside it, not both")
    given: dict[str, Any] = {name: fields[name].typed(str, "a string") for name in ("id", "model") if name in fields}
    if "finish_reason" in fields:
        given["finish_reason"] = _one_of(fields["finish_reason"], FINISH_REASONS)
    if "usage" in fields:
        given["usage"] = _usage(fields["usage"])
    if "blocks" in fields:
        given["blocks"] = _blocks(fields["blocks"])
    else:
        given["blocks"] = tuple(_BLOCKS[name](fields[name]) for name in single)
    return value.make(lambda: Reply(**given))


def _blocks(value: Value) -> tuple[Block, ...]:
    if not value.is_list:
        return (_text(value),)
    blocks = []
    for item in value.items():
        if not item.is_mapping:
            item.fail(
                f"each item is a block, such as 'text: …' (blocks: {', '.join(_BLOCKS)}), not {item.plain!r}; "
                "the pieces of one text stand under 'text'"
            )
        fields = item.fields(*_BLOCKS)
        if len(fields) != 1:
            item.fail(f"a block has exactly one of {', '.join(_BLOCKS)}")
        [(name, content)] = fields.items()
        blocks.append(_BLOCKS[name](content))
    return tuple(blocks)


def _pieces(value: Value) -> tuple[str, ...]:
    values = value.items() if value.is_list else [value]
    return tuple(each.typed(str, "a string") for each in values)


def _text(value: Value) -> Text:
    return value.make(lambda: Text(_pieces(value)))


def _refusal(value: Value) -> Refusal:
    return value.make(lambda: Refusal(_pieces(value)))


def _reasoning(value: Value) -> Reasoning:
    if not value.is_mapping:
        return value.make(lambda: Reasoning(_pieces(value)))
    fields = value.fields("pieces", "signature")
    if "pieces" not in fields:
        value.fail("reasoning has 'pieces'")
    signature = fields["signature"].typed(str, "a string") if "signature" in fields else None
    return value.make(lambda: Reasoning(_pieces(fields["pieces"]), signature=signature))


def _tool_call(value: Value) -> ToolCall:
    fields = value.fields("name", "id", "args", "pieces")
    if "name" not in fields or ("args" in fields) == ("pieces" in fields):
        value.fail("a tool call has a 'name', and either 'args' (a mapping) or 'pieces' (its argument text)")
    name = fields["name"].typed(str, "a string")
    id = fields["id"].typed(str, "a string") if "id" in fields else "call_1"
    if "args" in fields:
        args = fields["args"].typed(dict, "a mapping")
        return value.make(lambda: ToolCall.of(name, args, id=id))
    return value.make(lambda: ToolCall(id=id, name=name, pieces=_pieces(fields["pieces"])))


_BLOCKS: Final[Mapping[str, Callable[[Value], Block]]] = {
    "reasoning": _reasoning,
    "text": _text,
    "refusal": _refusal,
    "tool_call": _tool_call,
}


def _usage(value: Value) -> Usage | None:
    if not value.is_mapping and value.plain is None:
        return None
    counts = {name: count.typed(int, "a number of tokens") for name, count in value.fields(*_COUNTS).items()}
    for name in _COUNTS[:2]:
        if name not in counts:
            value.fail(f"usage has {name!r} (or is null, where the provider sends none)")
    return value.make(lambda: Usage(**counts))


def _error(value: Value) -> Refused:
    fields = value.fields("status", "message", "kind", "headers")
    if "status" not in fields:
        value.fail("an error has a 'status'")
    status = fields["status"].typed(int, "an HTTP status")
    if not 400 <= status <= 599:
        fields["status"].fail(f"the status of an error is from 400 to 599, not {status}")
    return Refused(
        status,
        fields["message"].typed(str, "a string") if "message" in fields else f"scripted error {status}",
        fields["kind"].typed(str, "a string") if "kind" in fields else "",
        _headers(fields["headers"]) if "headers" in fields else {},
    )


def _headers(value: Value) -> dict[str, str]:
    headers = {}
    for name, each in value.typed(dict, "a mapping").items():
        if not isinstance(name, str) or not isinstance(each, str | int | float) or _NO_HEADER.search(f"{name}{each}"):
            value.fail(f"a header is a name and a text of one line, not {name!r}: {each!r}")
        headers[name] = str(each)
    return headers


def _when(value: Value) -> When:
    fields = value.fields("wire", "model", "text", "stream")
    return When(
        wire=_one_of(fields["wire"], tuple(WIRES)) if "wire" in fields else None,
        model=fields["model"].typed(str, "a string") if "model" in fields else None,
        text=fields["text"].typed(str, "a string") if "text" in fields else None,
        stream=fields["stream"].typed(bool, "true or false") if "stream" in fields else None,
    )


def _delivery(value: Value) -> Delivery:
    fields = value.fields("cuts", "pace", "fault")
    given: dict[str, Any] = {}
    if "cuts" in fields:
        cuts = fields["cuts"].plain
        given["cuts"] = tuple(cuts) if isinstance(cuts, list) else cuts
    if "pace" in fields:
        pace = fields["pace"].fields("first", "every", "jitter", "seed")
        numbers: dict[str, Any] = {
            name: each.typed(int, "a whole number") if name == "seed" else each.typed((int, float), "a number")
            for name, each in pace.items()
        }
        given["pace"] = fields["pace"].make(lambda: Pace(**numbers))
    if "fault" in fields:
        given["fault"] = _fault(fields["fault"])
    return value.make(lambda: Delivery(**given))


def _fault(value: Value) -> Fault:
    fields = value.fields("kind", "before", "message")
    for name in ("kind", "before"):
        if name not in fields:
            value.fail(f"a fault has {name!r}")
    before = fields["before"].plain
    if not (isinstance(before, int) and not isinstance(before, bool) and before >= 0) and before not in _POINTS:
        fields["before"].fail(f"the number of a piece, or one of {', '.join(_POINTS)}, is wanted here, not {before!r}")
    kind: Any = _one_of(fields["kind"], FAULTS)
    if "message" not in fields:
        return Fault(kind, before)
    return Fault(kind, before, fields["message"].typed(str, "a string"))


def _one_of(value: Value, known: tuple[str, ...]) -> str:
    given = value.typed(str, f"one of {', '.join(known)}")
    if given not in known:
        value.fail(f"{given!r} is not known; {nearest(given, known)}")
    return given
