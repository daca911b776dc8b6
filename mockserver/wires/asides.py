"""Answers to calls that clients make beside the main one."""

from typing import Any

from ..frames import Frame
from ..recording import Recording
from .base import dumps


def answer(document: Any, *, content_type: str = "application/json") -> Recording:
    """A 200 with `document` as JSON."""
    body = Frame(dumps(document).encode(), "piece", 0)
    return Recording(200, {"content-type": content_type}, (body,), streamed=False)
