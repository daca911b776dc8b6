"""YAML read with its lines kept, so that each fault can be named by file, line and key."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

import yaml

from ..errors import ScriptError
from ..sending.delivery import Gate

T = TypeVar("T")

_LARGEST: Final = 2**63
_NOT_MADE: Final = (ValueError, KeyError, IndexError, AttributeError, TypeError)
"""What PyYAML's constructors let through, besides its own errors, for scalars that their tag does not fit."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """Reads numbers such as `1e-3` as YAML 1.2 and JSON do; YAML 1.1 takes them for strings."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in a file: where, and what is to be changed."""

    file: Path
    reason: str
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        key = f", {self.key}" if self.key else ""
        return f"{self.file}{line}{key}: {self.reason}"


class Flaws(ScriptError):
    """A script that cannot be read; the text has a line for each flaw."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(sorted(dict.fromkeys(flaws), key=lambda flaw: flaw.line or 0))
        super().__init__("\n".join(str(flaw) for flaw in self.flaws))


class Gathering:
    """Reads on after a flaw, so that all of them are told: what is read in a `with` block may fail.

    gathering = Gathering()
    with gathering:
        ...
    gathering.tell()
    """

    def __init__(self) -> None:
        self._flaws: list[Flaw] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Flaws):
            self._flaws += error.flaws
        return isinstance(error, Flaws)

    @property
    def is_empty(self) -> bool:
        return not self._flaws

    def tell(self) -> None:
        """Raise what was gathered, if anything was."""
        if self._flaws:
            raise Flaws(self._flaws)


@dataclass(slots=True)
class Source:
    """The file that is read, and the gates that it and those read with it name so far."""

    file: Path
    gates: dict[str, Gate] = field(default_factory=dict)


class Value:
    """A YAML node that knows where it stands. Readers raise `Flaws` with file, line and key."""

    def __init__(self, source: Source, node: yaml.Node, key: str = "") -> None:
        self.source = source
        self._node = node
        self._key = key

    def fail(self, reason: str, *, mark: yaml.Mark | None = None) -> NoReturn:
        line = (mark or self._node.start_mark).line + 1
        raise Flaws([Flaw(self.source.file, reason, line, self._key)])

    @property
    def plain(self) -> Any:
        """The value as plain Python data."""
        loader = _Loader("")
        try:
            return _paired(loader.construct_object(self._node, deep=True))
        except yaml.MarkedYAMLError as error:
            self.fail(error.problem or str(error), mark=error.problem_mark)
        except RecursionError:
            self.fail("is nested too deeply")
        except _NOT_MADE:
            self.fail("a value here is not what its form or tag says")

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    @property
    def is_null(self) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and self.plain is None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a mapping as they are written; none where it is something else."""
        return tuple(_written(key) for key, _ in self._node.value) if self.is_mapping else ()

    def items(self) -> list["Value"]:
        if not isinstance(self._node, yaml.SequenceNode):
            self.fail(f"a list is wanted here, not {self.plain!r}")
        return [Value(self.source, node, self._key) for node in self._node.value]

    def pairs(self, wanted: str) -> list[tuple["Value", "Value"]]:
        """The keys and values of a mapping, which `wanted` describes; each key is there once.

        A key is a `Value` of its own, so that what is wrong with it is told.
        """
        if not isinstance(self._node, yaml.MappingNode):
            self.fail(f"{wanted} is wanted here, not {self.plain!r}")
        seen: set[str] = set()
        gathering = Gathering()
        pairs = []
        for key_node, value_node in self._node.value:
            key = Value(self.source, key_node, self._key)
            with gathering:
                if key.written in seen:
                    key.fail(f"key {key.written!r} stands twice")
                pairs.append((key, Value(self.source, value_node, key.written)))
            seen.add(key.written)
        gathering.tell()
        return pairs

    @property
    def written(self) -> str:
        """A key as it is written."""
        return _written(self._node)

    def fields(self, known: Sequence[str], gathering: Gathering) -> dict[str, "Value"]:
        """The values of a mapping by key; every key must be `known`, and those that are not are gathered."""
        fields: dict[str, Value] = {}
        for key, value in self.pairs(f"a mapping with {', '.join(known)}"):
            with gathering:
                if key.written not in known:
                    key.fail(f"unknown key {key.written!r}; {nearest(key.written, known)}")
                fields[key.written] = value
        return fields

    def typed(self, kind: type[T] | tuple[type[T], ...], wanted: str) -> T:
        value = self.plain
        if isinstance(value, int) and abs(value) > _LARGEST:
            self.fail(f"{wanted} is wanted here, not a number so large")
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in _as_tuple(kind)):
            self.fail(f"{wanted} is wanted here, not {value!r}")
        return value

    def make(self, build: Callable[[], T]) -> T:
        """What `build` makes; a `ValueError` or `TypeError` of it is told with this line."""
        try:
            return build()
        except (ValueError, TypeError) as error:
            self.fail(str(error))


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint at what was meant by `name`."""
    found = difflib.get_close_matches(name, known, 1)
    return f"did you mean {found[0]!r}?" if found else f"known here: {', '.join(known)}"


def _written(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"


def _as_tuple(kind: Any) -> tuple[Any, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


def _paired(value: Any) -> Any:
    """Surrogates that make a pair joined to the character that they stand for: JSON escapes characters above U+FFFF
    by two escapes (RFC 8259, 7), which PyYAML reads as two characters.
    """
    if isinstance(value, str) and _SURROGATE.search(value):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if isinstance(value, list):
        return [_paired(each) for each in value]
    if isinstance(value, dict):
        return {_paired(key): _paired(each) for key, each in value.items()}
    return value


def read(file: Path) -> Value:
    """The document in a file.

    Raises:
        Flaws: there is no such file, or it is no YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise Flaws([Flaw(file, error.strerror or str(error))]) from None
    except UnicodeDecodeError:
        raise Flaws([Flaw(file, "is not UTF-8 text")]) from None
    return parse(text, file)


def parse(text: str, file: Path) -> Value:
    """The document in a text, YAML or JSON, which errors call `file`.

    Raises:
        Flaws: it is neither.
    """
    try:
        node = yaml.compose(_spaced(text), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Flaws([Flaw(file, str(error.problem), line)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Flaws([Flaw(file, error.reason, line)]) from None
    except RecursionError:
        raise Flaws([Flaw(file, "is nested too deeply")]) from None
    if node is None:
        raise Flaws([Flaw(file, "is empty")])
    return Value(Source(file), node)


def _spaced(text: str) -> str:
    """The text with its tabs as spaces where it is JSON: PyYAML takes no tabs between tokens, and JSON has them
    nowhere else.
    """
    if "\t" in text and text.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            json.loads(text)
            return text.replace("\t", " ")
    return text
