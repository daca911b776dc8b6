"""The endings that a report's file may have, and what writes each."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from .badge import drawing, endpoint
from .html import page
from .markdown import summary

Document: TypeAlias = Mapping[str, Any]
"""A report, in the shape of ``report.schema.json``."""


def as_json(document: Document) -> str:
    """The document for machines."""
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n"


WRITERS: Final[dict[str, Callable[[Document], str]]] = {
    ".json": as_json,
    ".html": page,
    ".md": summary,
    ".badge.json": endpoint,
    ".svg": drawing,
}
"""Functions from the document to the text of a file, by the ending of the file's name."""


def writer_for(name: str) -> Callable[[Document], str]:
    """What writes a file of this name: of the endings that fit, the longest.

    Raises:
        ValueError: there is none; the text names those there are.
    """
    fitting = [ending for ending in WRITERS if name.endswith(ending)]
    if not fitting:
        xml = "; XML is written by --junitxml" if name.endswith(".xml") else ""
        raise ValueError(f"{name}: reports are written to files that end in {', '.join(sorted(WRITERS))}{xml}")
    return WRITERS[max(fitting, key=len)]
