"""Scripts written as YAML, in the names that `loader` reads; a script that is read back has the same turns."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Final

from ..errors import Refused, ScriptError
from ..frames import Frame
from ..reply import Block, Citation, Media, Reasoning, Refusal, Reply, ServerToolCall, ServerToolResult, Text, ToolCall
from ..scripts.matching import When
from ..scripts.script import Turn
from ..sending.delivery import Byte, Delivery, Gate, Random

_WIDTH: Final = 110
_PLAIN: Final = re.compile(r"[A-Za-z_][\w./+-]*(?: [\w./+-]+)*", re.ASCII)
"""What YAML reads as a string without quotes, but for the words of `_MEANT`."""
_MEANT: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON shows as they are and YAML 1.1 takes for line ends or does not print (5.1, 5.4)."""
_BLOCK_TEXT: Final = re.compile(r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd\n]*")
"""What a block of lines can hold and show, if no line ends with space."""
_LONGEST_KEY: Final = 200
"""Characters; YAML limits keys that stand on a line of their own to 1024 (YAML 1.1, 9.3)."""
_KEYS: Final[Mapping[type, str]] = {
    Reasoning: "reasoning",
    ServerToolCall: "server_tool_call",
    ServerToolResult: "server_tool_result",
    Text: "text",
    Media: "media",
    Refusal: "refusal",
    ToolCall: "tool_call",
}
"""The keys of blocks, in the order in which content that stands beside other keys is read."""


@dataclass(frozen=True, slots=True)
class Remarked:
    """A turn, and what is to be said of it in comments above it."""

    turn: Turn
    remarks: tuple[str, ...] = ()


class _Literal(str):
    """A text that may stand as a block of lines."""

    __slots__ = ()


def dump(
    turns: Iterable[Turn | Remarked],
    *,
    head: Sequence[str] = (),
    default: Turn | None = None,
    gates: Mapping[str, Gate] | None = None,
    about: Mapping[str, Any] | None = None,
    joined: bool = False,
) -> str:
    """The YAML of a script.

    Args:
        turns: the turns in order.
        head: lines of comment at its top.
        default: answers what no turn does.
        gates: the names of gates; others get names of their own.
        about: what the script is for: plain values, which the server does not read.
        joined: whether arguments of calls that are in one piece are written as a mapping, which has other pieces.

    Raises:
        ScriptError: a turn holds what only Python can say.
    """
    writer = _Writer(gates or {}, joined=joined)
    lines = [line for text in head for line in _comment(text, 0)]
    lines.append("turns:")
    for number, each in enumerate(turns, 1):
        remarked = each if isinstance(each, Remarked) else Remarked(each)
        lines += [line for remark in remarked.remarks for line in _comment(remark, 2)]
        lines += _item(writer.turn(remarked.turn, f"turn {number}"), 2)
    if about:
        lines += ["about:", *_pairs(about, 2)]
    if default:
        lines += ["default:", *_pairs(writer.turn(default, "the default"), 2)]
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    """Turns as the plain values that stand in YAML."""

    def __init__(self, gates: Mapping[str, Gate], *, joined: bool) -> None:
        self._gates = {gate: name for name, gate in gates.items()}
        self._joined = joined

    def turn(self, turn: Turn, what: str) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        if turn.when != When():
            plain["when"] = self._when(turn.when, what)
        if isinstance(turn.reply, Reply):
            plain["reply"] = self._reply(turn.reply)
        elif turn.error:
            plain["error"] = _error(turn.error)
        else:
            held = "a function" if turn.reply else "recorded bytes"
            raise ScriptError(f"{what} answers with {held}, for which YAML has no place")
        if turn.delivery != Delivery():
            plain["delivery"] = self._given(turn.delivery, what)
        if turn.times is not None:
            plain["times"] = turn.times
        return plain

    def _when(self, when: When, what: str) -> dict[str, Any]:
        if when.predicate:
            raise ScriptError(f"{what} has a predicate, for which YAML has no place")
        return self._given(when, what)

    def _given(self, value: Any, what: str) -> dict[str, Any]:
        """The fields of a dataclass that are not as they are without being said."""
        given = {}
        for each in fields(value):
            content = getattr(value, each.name)
            is_needed = each.default is MISSING and each.default_factory is MISSING
            usual = each.default_factory() if each.default_factory is not MISSING else each.default
            if is_needed or content != usual:
                given[each.name] = self._plain(content, what)
        return given

    def _plain(self, value: Any, what: str) -> Any:
        if isinstance(value, Byte | Gate | Frame):
            return self._text(value, what)
        if isinstance(value, Random):
            return {"seed": value.seed, "largest": value.largest}
        if is_dataclass(value):
            return self._given(value, what)
        if isinstance(value, Mapping):
            return {str(key): self._plain(each, what) for key, each in value.items()}
        return [self._plain(each, what) for each in value] if isinstance(value, tuple | list) else value

    def _text(self, value: Byte | Gate | Frame, what: str) -> str:
        if isinstance(value, Gate):
            return self._gates.setdefault(value, f"gate-{len(self._gates) + 1}")
        return str(value) if isinstance(value, Byte) else _frame(value, what)

    def _reply(self, reply: Reply) -> dict[str, Any]:
        blocks = [(_KEYS[type(block)], self._block(block)) for block in reply.blocks]
        names = [name for name, _ in blocks]
        ordered = [name for name in _KEYS.values() if name in names]
        plain: dict[str, Any] = dict(blocks) if names == ordered else {"blocks": [dict([block]) for block in blocks]}
        if reply.order is not None:
            plain["order"] = list(reply.order)
        if reply.finish_reason != "stop":
            plain["finish_reason"] = reply.finish_reason
        if reply.usage != Reply().usage:
            plain["usage"] = self._given(reply.usage, "") if reply.usage else None
        return plain | {name: value for name in ("id", "model") if (value := getattr(reply, name)) is not None}

    def _block(self, block: Block) -> Any:
        if isinstance(block, ServerToolResult):
            return {"call_id": block.call_id, "kind": block.kind, "output": _output(block.output)}
        if isinstance(block, Media):
            return {"mime_type": block.mime_type, "data": block.data}
        if isinstance(block, ToolCall | ServerToolCall):
            return self._call(block)
        pieces: list[str] | _Literal = [*block.pieces] if len(block.pieces) != 1 else _Literal(block.joined)
        if isinstance(block, Text) and block.citations:
            return {"pieces": pieces, "citations": [_citation(each) for each in block.citations]}
        if isinstance(block, Reasoning) and (block.signature or block.redacted):
            given = {"pieces": pieces} if block.pieces else {}
            return given | {"signature": block.signature} | ({"redacted": True} if block.redacted else {})
        return pieces

    def _call(self, call: ToolCall | ServerToolCall) -> dict[str, Any]:
        signature = getattr(call, "signature", None)
        head = {"name": call.name, "id": call.id} | ({"signature": signature} if signature else {})
        args = _object(call.joined)
        made = () if args is None else ToolCall.of("f", args).pieces
        if args is not None and (made == call.pieces or (self._joined and "".join(made) == call.joined)):
            return head | {"args": args}
        return head | {"pieces": [*call.pieces] if len(call.pieces) != 1 else _Literal(call.joined)}


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, where YAML can hold it."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_short_keyed(value) else None


def _is_short_keyed(value: object) -> bool:
    if isinstance(value, dict):
        return all(len(key) <= _LONGEST_KEY and _is_short_keyed(each) for key, each in value.items())
    return all(map(_is_short_keyed, value)) if isinstance(value, list) else True


def _output(text: str) -> Any:
    """The output of a tool as a value where it is read back as the same text, else the text."""
    value = json.loads(text)
    if isinstance(value, dict | list) and _is_short_keyed(value) and json.dumps(value, ensure_ascii=False) == text:
        return value
    return text


def _citation(citation: Citation) -> dict[str, Any]:
    return {each.name: value for each in fields(citation) if (value := getattr(citation, each.name)) is not None}


def _error(error: Refused) -> dict[str, Any]:
    given = {"message": error.message, "kind": error.kind, "headers": dict(error.headers)}
    return {"status": error.status} | {name: value for name, value in given.items() if value}


def _frame(frame: Frame, what: str) -> str:
    if (frame.kind, frame.piece, frame.also) != ("noise", None, ()):
        raise ScriptError(f"{what} puts in a frame of the kind {frame.kind!r}; YAML has text that is sent as it is")
    try:
        return frame.data.decode()
    except UnicodeDecodeError:
        raise ScriptError(f"{what} puts in a frame that is no text, for which YAML has no place") from None


def _comment(text: str, indent: int) -> Iterator[str]:
    for line in text.splitlines() or [""]:
        shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
        for part in textwrap.wrap(shown, _WIDTH - indent, break_on_hyphens=False) or [""]:
            yield f"{' ' * indent}# {part}".rstrip()


def _pairs(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    """The lines of a mapping."""
    for key, each in value.items():
        name = f"{' ' * indent}{_string(key)}:"
        yield from _after(name, each, indent)


def _after(name: str, value: Any, indent: int) -> Iterator[str]:
    """The lines of a key and its value: on one line where they fit and are no text of several lines."""
    literal = _block_of(value)
    flow = "" if literal else f"{name} {_flow(value)}"
    if literal:
        yield f"{name} {literal[0]}"
        yield from (f"{' ' * (indent + 2)}{line}" if line else "" for line in literal[1:])
    elif len(flow) <= _WIDTH and not _holds_block(value):
        yield flow
    elif isinstance(value, Mapping):
        yield name
        yield from _pairs(value, indent + 2)
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        yield name
        for each in value:
            yield from _item(each, indent + 2)
    elif isinstance(value, list):
        yield from _wrapped(f"{name} [", [_listed(each) for each in value], indent + 2)
    else:
        yield flow


def _item(value: Any, indent: int) -> Iterator[str]:
    """The lines of an item of a list."""
    if not isinstance(value, Mapping) or not value:
        yield from _after(f"{' ' * indent}-", value, indent)
        return
    lines = list(_pairs(value, indent + 2))
    yield f"{' ' * indent}- {lines[0][indent + 2 :]}"
    yield from lines[1:]


def _wrapped(line: str, items: list[str], indent: int) -> Iterator[str]:
    """A list in lines of `_WIDTH` characters, where its items are not longer."""
    last = len(items) - 1
    for number, item in enumerate(items):
        text = f"{item}]" if number == last else f"{item},"
        gap = "" if line.endswith("[") else " "
        if not line.isspace() and len(line) + len(gap) + len(text) > _WIDTH:
            yield line
            line, gap = " " * indent, ""
        line += gap + text if not line.isspace() else text
    yield line


def _block_of(value: Any) -> list[str]:
    """The sign and the lines of a text that stands as a block; none where it does not."""
    if not isinstance(value, _Literal) or "\n" not in value or not _BLOCK_TEXT.fullmatch(value):
        return []
    lines = value.removesuffix("\n").split("\n")
    if not lines[-1] or any(line.endswith(" ") for line in lines):
        return []
    # How deep the block is must be said where the first line begins with space (YAML 1.1, 9.2.2).
    told = "2" if value[0] in " \n" else ""
    return [f"|{told}" if value.endswith("\n") else f"|{told}-", *lines]


def _holds_block(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return bool(_block_of(value)) or any(map(_holds_block, inner))


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return _quoted(value) if isinstance(value, _Literal) else _string(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_string(key)}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    # A number with an exponent has a point before it in YAML 1.1 (https://yaml.org/type/float.html).
    return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))


def _listed(value: Any) -> str:
    """An item of a list on one line; strings there are pieces, whose quotes show where they begin and end."""
    return _quoted(value) if isinstance(value, str) else _flow(value)


def _string(text: str) -> str:
    """A string, without quotes where it needs none."""
    if _PLAIN.fullmatch(text) and text.lower() not in _MEANT:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """A string in double quotes, as both JSON and YAML read it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
