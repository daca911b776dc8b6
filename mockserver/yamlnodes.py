"""YAML read with its lines kept, so that a fault can be named by file, line and key."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import yaml

from .errors import ScriptError

T = TypeVar("T")

_LARGEST: Final = 2**63
_NOT_MADE: Final = (ValueError, KeyError, IndexError, AttributeError, TypeError)
"""What PyYAML's constructors let through, besides its own errors, for scalars that their tag does not fit."""


class Value:
    """A YAML node that knows where it stands. Readers raise `ScriptError` with file, line and key."""

    def __init__(self, file: Path, node: yaml.Node, key: str = "") -> None:
        self._file = file
        self._node = node
        self._key = key

    def fail(self, reason: str, *, mark: yaml.Mark | None = None) -> NoReturn:
        key = f", {self._key}" if self._key else ""
        raise ScriptError(f"{self._file}, line {(mark or self._node.start_mark).line + 1}{key}: {reason}")

    @property
    def plain(self) -> Any:
        """The value as plain Python data."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self._node, deep=True)
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
    def keys(self) -> tuple[str, ...]:
        """The keys of a mapping as they are written; none where it is something else."""
        return tuple(_written(key) for key, _ in self._node.value) if self.is_mapping else ()

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    def items(self) -> list["Value"]:
        if not isinstance(self._node, yaml.SequenceNode):
            self.fail(f"a list is wanted here, not {self.plain!r}")
        return [Value(self._file, node, self._key) for node in self._node.value]

    def fields(self, *known: str) -> dict[str, "Value"]:
        """The values of a mapping by key; every key must be `known`."""
        if not isinstance(self._node, yaml.MappingNode):
            self.fail(f"a mapping with {', '.join(known)} is wanted here, not {self.plain!r}")
        fields: dict[str, Value] = {}
        for key_node, value_node in self._node.value:
            key = Value(self._file, key_node, self._key)
            name = _written(key_node)
            if name not in known:
                key.fail(f"unknown key {name!r}; {nearest(name, known)}")
            if name in fields:
                key.fail(f"key {name!r} stands twice")
            fields[name] = Value(self._file, value_node, name)
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


def nearest(name: str, known: tuple[str, ...]) -> str:
    """A hint at what was meant by `name`."""
    found = difflib.get_close_matches(name, known, 1)
    return f"did you mean {found[0]!r}?" if found else f"known here: {', '.join(known)}"


def _written(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"


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
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ScriptError(f"{file}, line {line}: {error.reason}") from None
    except RecursionError:
        raise ScriptError(f"{file}: is nested too deeply") from None
    if node is None:
        raise ScriptError(f"{file}: is empty")
    return Value(file, node)
