"""YAML read with its lines kept, so that a fault can be named by file, line and key."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml

from .errors import ScriptError

T = TypeVar("T")


class Value:
    """A YAML node that knows where it stands. Readers raise `ScriptError` with file and line."""

    def __init__(self, file: Path, node: yaml.Node) -> None:
        self._file = file
        self._node = node

    @property
    def line(self) -> int:
        return int(self._node.start_mark.line) + 1

    def fail(self, reason: str) -> NoReturn:
        raise ScriptError(f"{self._file}, line {self.line}: {reason}")

    @property
    def plain(self) -> Any:
        """The value as plain Python data."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self._node, deep=True)
        except yaml.YAMLError as error:
            self.fail(getattr(error, "problem", None) or str(error))

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    def items(self) -> list["Value"]:
        if not isinstance(self._node, yaml.SequenceNode):
            self.fail(f"a list is wanted here, not {self.plain!r}")
        return [Value(self._file, node) for node in self._node.value]

    def fields(self, *known: str) -> dict[str, "Value"]:
        """The values of a mapping by key; every key must be `known`."""
        if not isinstance(self._node, yaml.MappingNode):
            self.fail(f"a mapping with {', '.join(known)} is wanted here, not {self.plain!r}")
        fields: dict[str, Value] = {}
        for key_node, value_node in self._node.value:
            key = Value(self._file, key_node)
            name = str(key.plain)
            if name not in known:
                nearest = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(known)}"
                key.fail(f"unknown key {name!r}; {hint}")
            if name in fields:
                key.fail(f"key {name!r} stands twice")
            fields[name] = Value(self._file, value_node)
        return fields

    def typed(self, kind: type[T] | tuple[type[T], ...], wanted: str) -> T:
        value = self.plain
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in _as_tuple(kind)):
            self.fail(f"{wanted} is wanted here, not {value!r}")
        return value

    def make(self, build: Callable[[], T]) -> T:
        """What `build` makes; a `ValueError` or `TypeError` of it is told with this line."""
        try:
            return build()
        except (ValueError, TypeError) as error:
            self.fail(str(error))


def _as_tuple(kind: Any) -> tuple[Any, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


def read(file: Path) -> Value:
    """The document in a file.

    Raises:
        ScriptError: there is no such file, or it is no YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ScriptError(f"{file}: is not UTF-8 text") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScriptError(f"{file}, line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ScriptError(f"{file}: {error}") from None
    if node is None:
        raise ScriptError(f"{file}: is empty")
    return Value(file, node)


def numbered(values: list[Value]) -> Iterator[tuple[int, Value]]:
    return enumerate(values, 1)
