"""Reports that were written earlier, read from their files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .facts import DISTRIBUTION, FORMAT

_WHOLE: Final = ("suite", "python", "started", "seconds", "complete", "ended", "why", "outcome", "rules", "models")
_MODEL: Final = ("spec", "label", "versions", "kwargs", "catalogue", "chosen", "counts", "outcome", "items")
_ITEM: Final = ("name", "rule", "level", "area", "form", "case", "verdict")


class ReportError(Exception):
    """Reports that cannot be read, compared or put together; the text says which, and why."""


def parsed(file: Path) -> Any:
    """What a file holds as JSON.

    Raises:
        ReportError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ReportError(f"{file}: is no report; --conformance-report=FILE.json writes one") from None


def load(file: Path) -> Mapping[str, Any]:
    """The report in a file, in the shape of ``report.schema.json``.

    Raises:
        ReportError: there is none, or one of another version.
    """
    return checked(parsed(file), str(file))


def checked(document: Any, name: str) -> Mapping[str, Any]:
    """A document, which is a report; `name` is that of its file.

    Raises:
        ReportError: it is none, or one of another version.
    """
    is_ours = isinstance(document, dict) and isinstance(document.get("suite"), dict)
    if not is_ours or document["suite"].get("name") != DISTRIBUTION:
        raise ReportError(f"{name}: is no report; --conformance-report=FILE.json writes one")
    if document.get("schema") != FORMAT:
        raise ReportError(
            f"{name}: is a report of version {document.get('schema')!r}, and this reads version {FORMAT}; "
            "write it anew, or read it with the release that wrote it"
        )
    if not _is_whole(document):
        raise ReportError(f"{name}: is a report of which parts are missing; write it anew")
    found: Mapping[str, Any] = document
    return found


def _is_whole(document: Mapping[str, Any]) -> bool:
    models = document.get("models")
    return (
        _has(document, _WHOLE)
        and isinstance(models, list)
        and all(_has(model, _MODEL) and all(_has(item, _ITEM) for item in model["items"]) for model in models)
    )


def _has(found: Any, names: tuple[str, ...]) -> bool:
    return isinstance(found, dict) and all(name in found for name in names)
