"""A document made small, so that many models stand in one page: equal texts once, and names of keys once.

Texts become their place in a table, in base 36; an object becomes an array of the number of its shape (its keys, in a
second table) and its values, and an array one that begins with -1. ``page/data.js`` unpacks it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LIST: Final = -1


def packed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The tables `texts` and `shapes`, and the document itself as `packed`."""
    counted = Counter(_texts(document))
    texts = sorted(counted, key=lambda text: (-counted[text], text))
    keys = {text: _base36(place) for place, text in enumerate(texts)}
    shapes: dict[tuple[str, ...], int] = {}
    return {"texts": texts, "packed": _pack(document, keys, shapes), "shapes": [list(shape) for shape in shapes]}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _pack(value: Any, keys: Mapping[str, str], shapes: dict[tuple[str, ...], int]) -> Any:
    if isinstance(value, str):
        return keys[value]
    if isinstance(value, Mapping):
        shape = shapes.setdefault(tuple(map(str, value)), len(shapes))
        return [shape, *(_pack(each, keys, shapes) for each in value.values())]
    if isinstance(value, list | tuple):
        return [_LIST, *(_pack(each, keys, shapes) for each in value)]
    return value


def _base36(number: int) -> str:
    digits = _DIGITS[number % 36]
    while number := number // 36:
        digits = _DIGITS[number % 36] + digits
    return digits
