"""What an error tells, whichever package raised it: the HTTP status and the provider's words."""

import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

_STATUS: Final = re.compile(r"(?<!\d)[45]\d\d(?!\d)")
_NUMBERS: Final = ("status_code", "status", "http_status", "code")
_WORDS: Final = ("message", "body", "detail", "details", "text", "content")


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then those from which it came and those that it holds together, each once: those that are shown."""
    waiting, met = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in met:
            continue
        met.add(id(each))
        yield each
        context = None if each.__suppress_context__ else each.__context__
        others = (each.__cause__, context, *_held(each))
        waiting += [other for other in others if isinstance(other, BaseException)]


def statuses(error: BaseException) -> set[int]:
    """The HTTP statuses that an error names: in an attribute, in those of its response, or in its text."""
    found: set[int] = set()
    for each in chain(error):
        response = _read(each, "response")
        if isinstance(response, Mapping):  # botocore
            metadata = response.get("ResponseMetadata")
            found |= _whole(metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None)
        for name in _NUMBERS:
            found |= _whole(_read(each, name)) | _whole(_read(response, name))
        found.update(map(int, _STATUS.findall(_text(each))))
    return found


def words(error: BaseException) -> str:
    """All that an error says: its texts, its attributes with words, and the body of its response."""
    said: list[str] = []
    for each in chain(error):
        said.append(_text(each))
        said += [str(value) for name in _WORDS if (value := _read(each, name)) and not callable(value)]
        response = _read(each, "response")
        said += [str(response)] if isinstance(response, Mapping) else [str(_read(response, "text") or "")]
    return "\n".join(said)


def report(error: BaseException) -> str:
    """All that is shown of an error where it is printed or logged: its traceback, and the reprs of its chain."""
    shown = "".join(traceback.format_exception(error))
    return "\n".join([shown, *(part for each in chain(error) for part in (repr(each), str(each)))])


def _held(error: BaseException) -> tuple[Any, ...]:
    """The errors of a group."""
    found = _read(error, "exceptions")
    return tuple(found) if isinstance(found, list | tuple) else ()


def _text(error: BaseException) -> str:
    return f"{error} {error.args!r}"


def _whole(value: object) -> set[int]:
    return {int(value)} if isinstance(value, int) else set()


def _read(value: object, name: str) -> Any:
    """An attribute, or `None` where there is none; some of those of responses raise until the body is read."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - what a property raises is the package's choice
        return None
