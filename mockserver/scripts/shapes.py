"""What stands in a script: each shape reads a value, and says its JSON Schema (draft 2020-12), so that both agree."""

import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from ..frames import Frame
from ..sending.delivery import Byte, Gate
from .yamlnodes import Flaws, Gathering, Value, nearest

Schema = dict[str, Any]
_ARGUMENT: Final = re.compile(r"^    (\w[\w, ]*): (.+(?:\n {5,}.+)*)", re.MULTILINE)
"""An entry of `Args:` in a docstring: names, and what they are, over indented lines."""


class Shape(ABC):
    """One kind of value."""

    wanted: str
    """What is wanted, as errors say it: ``a string``."""
    kinds: frozenset[str]
    """Which YAML nodes it can be: ``scalar``, ``null``, ``list``, ``mapping``."""

    @abstractmethod
    def read(self, value: Value) -> Any:
        """The Python value.

        Raises:
            Flaws: the value is not of this shape.
        """

    @abstractmethod
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """The JSON Schema; what has a name is put in `definitions` and referred to."""

    @property
    def about(self) -> str:
        """What it is, for people; `""` where nothing says it."""
        return ""

    def read_key(self, key: Value) -> Any:
        """The Python value of a key of a mapping."""
        return self.read(key)

    def key_schema(self) -> Schema:
        """The JSON Schema of a key, which in JSON is a string."""
        return self.schema({})


class Scalar(Shape):
    """A string, number or boolean."""

    kinds = frozenset({"scalar"})
    _TYPES: Final[Mapping[type, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}

    def __init__(
        self,
        kind: type,
        wanted: str,
        *,
        least: float = -math.inf,
        most: float = math.inf,
        pattern: str = "",
    ) -> None:
        """`least` and `most` are limits of a number, `pattern` is a regular expression for the whole of a string."""
        self._kind = kind
        self._least, self._most = least, most
        self._pattern = pattern
        self.wanted = wanted

    def read(self, value: Value) -> Any:
        kinds: Any = (int, float) if self._kind is float else self._kind
        given: Any = value.typed(kinds, self.wanted)
        if self._kind in (int, float) and not self._least <= given <= self._most:
            value.fail(f"{self.wanted} is wanted here, not {given!r}")
        return self._matched(given, value) if self._kind is str else given

    def _matched(self, given: str, value: Value) -> str:
        if self._pattern and not re.search(self._pattern, given):
            value.fail(f"{self.wanted} is wanted here, not {given!r}")
        return given

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": self._TYPES[self._kind]}
        if self._least > -math.inf:
            schema["minimum"] = self._least
        if self._most < math.inf:
            schema["maximum"] = self._most
        if self._pattern:
            schema["pattern"] = self._pattern
        return schema

    def read_key(self, key: Value) -> Any:
        if self._kind is str:
            return self._matched(key.written, key)
        if self._kind is not int or not key.written.isdecimal():
            key.fail(f"{self.wanted} is wanted here, not {key.written!r}")
        return int(key.written)

    def key_schema(self) -> Schema:
        pattern = "^[0-9]+$" if self._kind is int else self._pattern
        return {"pattern": pattern} if pattern else {}


STRING: Final = Scalar(str, "a string")
PIECE: Final = Scalar(str, "a string that is not empty", pattern="[^\\x00]|\\x00")
WHOLE: Final = Scalar(int, "a whole number")
COUNT: Final = Scalar(int, "a whole number from 0", least=0)
NUMBER: Final = Scalar(float, "a number")
FLAG: Final = Scalar(bool, "true or false")


class Null(Shape):
    """Nothing, said explicitly."""

    kinds = frozenset({"null"})
    wanted = "null"

    def read(self, value: Value) -> None:
        return None

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "null"}


class Words(Shape):
    """One of several words."""

    kinds = frozenset({"scalar"})

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)
        self.wanted = f"one of {', '.join(self.known)}"

    def read(self, value: Value) -> str:
        return self._checked(value.typed(str, self.wanted), value)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"enum": list(self.known)}

    def read_key(self, key: Value) -> str:
        return self._checked(key.written, key)

    def _checked(self, given: str, value: Value) -> str:
        if given not in self.known:
            value.fail(f"{given!r} is not known; {nearest(given, self.known)}")
        return given


class Anything(Shape):
    """What JSON can hold; `kind` is `dict` where it is to be an object."""

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind
        self.wanted = "a mapping" if kind else "a value"
        self.kinds = frozenset({"mapping"} if kind else {"scalar", "null", "list", "mapping"})

    def read(self, value: Value) -> Any:
        return value.typed(self._kind, self.wanted) if self._kind else value.plain

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object"} if self._kind else {}


class Many(Shape):
    """A list of one shape; a tuple in Python."""

    kinds = frozenset({"list"})

    def __init__(self, item: Shape, *, empty: str = "") -> None:
        """`empty` says why it cannot be empty, where it cannot."""
        self._item = item
        self._empty = empty
        self.wanted = f"a list of which each is {item.wanted}"

    def read(self, value: Value) -> tuple[Any, ...]:
        items = value.items()
        if self._empty and not items:
            value.fail(self._empty)
        read = []
        gathering = Gathering()
        for item in items:
            with gathering:
                read.append(self._item.read(item))
        gathering.tell()
        return tuple(read)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        least = {"minItems": 1} if self._empty else {}
        return {"type": "array", "items": self._item.schema(definitions), **least}


class Map(Shape):
    """A mapping with keys of one shape and values of one shape."""

    kinds = frozenset({"mapping"})
    wanted = "a mapping"

    def __init__(self, key: Shape, value: Shape) -> None:
        self._key = key
        self._value = value

    def read(self, value: Value) -> dict[Any, Any]:
        read = {}
        gathering = Gathering()
        for key, each in value.pairs(self.wanted):
            with gathering:
                read[self._key.read_key(key)] = self._value.read(each)
        gathering.tell()
        return read

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        keys = self._key.key_schema()
        names = {"propertyNames": keys} if keys else {}
        return {"type": "object", **names, "additionalProperties": self._value.schema(definitions)}


class Record(Shape):
    """A mapping with known keys, from which `make` makes a value.

    Args:
        name: what it is called in the JSON Schema.
        what: what it is called in errors: ``a turn``.
        make: takes the values by the names of their keys; its `ValueError` and `TypeError` are told.
        keys: the shape of each key.
        required: the keys that must be there.
        about: the class whose docstring describes it and its keys.
        more: keywords of the JSON Schema that `make` checks.
    """

    kinds = frozenset({"mapping"})
    wanted = "a mapping"

    def __init__(
        self,
        name: str,
        what: str,
        make: Callable[..., Any],
        keys: Mapping[str, Shape],
        *,
        required: Iterable[str] = (),
        about: type | None = None,
        **more: Any,
    ) -> None:
        self.name = name
        self.keys = dict(keys)
        self._what = what
        self._make = make
        self._required = tuple(required)
        self._class = about
        self._more = more

    @property
    def about(self) -> str:
        return summary(self._class) if self._class else ""

    def read(self, value: Value) -> Any:
        given: dict[str, Any] = {}
        gathering = Gathering()
        fields = value.fields(tuple(self.keys), gathering)
        # A key that is misspelt is not missing as well.
        missing = [key for key in self._required if key not in fields] if gathering.is_empty else []
        for key in missing:
            with gathering:
                value.fail(f"{self._what} has {key!r}")
        for key, each in fields.items():
            with gathering:
                given[key] = self.keys[key].read(each)
        gathering.tell()
        return value.make(lambda: self._make(**given))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if self.name not in definitions:
            definitions[self.name] = {}
            told = arguments(self._class) if self._class else {}
            properties = {
                key: {**_described(told.get(key) or shape.about), **shape.schema(definitions)}
                for key, shape in self.keys.items()
            }
            required = {"required": list(self._required)} if self._required else {}
            definitions[self.name] = {
                **_described(self.about),
                "type": "object",
                "properties": properties,
                **required,
                "additionalProperties": False,
                **self._more,
            }
        return {"$ref": f"#/$defs/{self.name}"}


class Made(Shape):
    """A shape from whose value another one is made; its `ValueError` and `TypeError` are told."""

    def __init__(self, shape: Shape, make: Callable[[Any], Any]) -> None:
        self._shape = shape
        self._make = make
        self.wanted = shape.wanted
        self.kinds = shape.kinds

    @property
    def about(self) -> str:
        return summary(self._make) if isinstance(self._make, type) and is_dataclass(self._make) else self._shape.about

    def read(self, value: Value) -> Any:
        given = self._shape.read(value)
        return value.make(lambda: self._make(given))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return self._shape.schema(definitions)

    def read_key(self, key: Value) -> Any:
        given = self._shape.read_key(key)
        return key.make(lambda: self._make(given))

    def key_schema(self) -> Schema:
        return self._shape.key_schema()


class Either(Shape):
    """One of several shapes."""

    def __init__(self, *shapes: Shape, wanted: str = "") -> None:
        self._shapes = shapes
        self.kinds = frozenset().union(*(shape.kinds for shape in shapes))
        said = list(dict.fromkeys(shape.wanted for shape in shapes))
        self.wanted = wanted or (f"{', '.join(said[:-1])}, or {said[-1]}" if said[1:] else said[0])

    @property
    def about(self) -> str:
        return next((shape.about for shape in self._shapes if shape.about), "")

    def read(self, value: Value) -> Any:
        fitting = [shape for shape in self._shapes if _kind(value) in shape.kinds]
        if not fitting:
            value.fail(f"{self.wanted} is wanted here, not {value.plain!r}")
        if len(fitting) == 1:
            return fitting[0].read(value)
        if value.is_mapping:
            return max(fitting, key=lambda shape: len(set(value.keys) & set(getattr(shape, "keys", ())))).read(value)
        for shape in fitting:
            try:
                return shape.read(value)
            except Flaws:
                continue
        return self._fail(value, value.plain)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [shape.schema(definitions) for shape in self._shapes]}

    def read_key(self, key: Value) -> Any:
        for shape in self._shapes:
            try:
                return shape.read_key(key)
            except Flaws:
                continue
        return self._fail(key, key.written)

    def key_schema(self) -> Schema:
        return {"anyOf": [shape.key_schema() for shape in self._shapes if "scalar" in shape.kinds]}

    def _fail(self, value: Value, given: object) -> Any:
        words = tuple(word for shape in self._shapes if isinstance(shape, Words) for word in shape.known)
        hint = nearest(given, words) if isinstance(given, str) else ""
        meant = f"; {hint}" if hint.startswith("did") else ""
        value.fail(f"{self.wanted} is wanted here, not {given!r}{meant}")


class _Gate(Scalar):
    """The name of a gate; the same name is the same gate in all of a script."""

    def __init__(self) -> None:
        super().__init__(str, "the name of a gate", pattern=".")

    def read(self, value: Value) -> Gate:
        name: str = super().read(value)
        return value.source.gates.setdefault(name, Gate())


def _kind(value: Value) -> str:
    if value.is_mapping or value.is_list:
        return "mapping" if value.is_mapping else "list"
    return "null" if value.is_null else "scalar"


_SHAPES: Final[Mapping[Any, Shape]] = {
    str: STRING,
    int: WHOLE,
    float: NUMBER,
    bool: FLAG,
    Gate: _Gate(),
    Frame | str: STRING,
    Byte: Either(
        Made(
            Scalar(str, "a byte such as 'byte 120'", pattern="^byte -?[0-9]+$"),
            lambda text: Byte(int(text.removeprefix("byte "))),
        ),
        Record("byte", "a byte", Byte, {"byte": WHOLE}, required=["byte"], about=Byte),
        wanted="a byte such as 'byte 120'",
    ),
}


def derived(cls: type, name: str, what: str, **shapes: Shape) -> Record:
    """The shape of a dataclass: a key for each field whose type YAML can hold. `shapes` are those of single fields."""
    hints = get_type_hints(cls)
    keys = {}
    for each in fields(cls):
        shape = shapes.get(each.name) or _shape_of(hints[each.name], optional=each.default is None)
        if shape:
            keys[each.name] = shape
    required = [each.name for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING]
    return Record(name, what, cls, keys, required=required, about=cls)


def _shape_of(hint: Any, *, optional: bool = False) -> Shape | None:
    """The shape of a type; `None` where it has none. `optional`: to leave it out says as much as null."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _SHAPES:
        return _SHAPES[hint]
    if origin in (Union, UnionType):
        return _either(inner, optional=optional)
    if origin is Literal:
        return Words(str(word) for word in inner)
    if is_dataclass(hint) and isinstance(hint, type):
        name = hint.__name__.lower()
        return derived(hint, name, f"an {name}" if name[0] in "aeiou" else f"a {name}")
    shapes = [shape for each in inner if (shape := _shape_of(each))]
    if origin in (tuple, list, Sequence) and shapes:
        return Many(shapes[0])
    return Map(shapes[0], shapes[1]) if origin is Mapping and len(shapes) == 2 else None


def _either(hints: tuple[Any, ...], *, optional: bool) -> Shape | None:
    """The shape of a union. Numbers that stand beside words, such as those of points, count from 0."""
    nulls = [Null()] if NoneType in hints and not optional else []
    found = [_shape_of(each) for each in hints if each is not NoneType]
    shapes = [shape for shape in found if shape]
    if not shapes or len(shapes) < len(found):
        return None
    words = [word for shape in shapes if isinstance(shape, Words) for word in shape.known]
    if words:
        others = [COUNT if shape is WHOLE else shape for shape in shapes if not isinstance(shape, Words)]
        shapes = [*others, Words(words)]
    shapes += nulls
    return shapes[0] if len(shapes) == 1 else Either(*shapes)


def _described(about: str) -> Schema:
    return {"description": about} if about else {}


def summary(cls: type) -> str:
    """The first paragraph of a docstring on one line."""
    return _joined(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0])


def arguments(cls: type) -> dict[str, str]:
    """What a docstring says under `Args:` of each name."""
    said = inspect.cleandoc(cls.__doc__ or "").partition("Args:\n")[2]
    return {name.strip(): _joined(text) for names, text in _ARGUMENT.findall(said) for name in names.split(",")}


def _joined(text: str) -> str:
    return " ".join(text.replace("`", "").split())
