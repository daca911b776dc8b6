"""The wires that the server speaks, by name."""

from fnmatch import fnmatchcase
from typing import Final

from ..recording import Recording
from .anthropic_messages import AnthropicMessages
from .base import Asked, Contentless, Decoded, Message, Request, Wire
from .openai_chat import OpenAIChat

WIRES: Final[dict[str, Wire]] = {wire.name: wire for wire in (OpenAIChat(), AnthropicMessages())}

__all__ = [
    "WIRES",
    "AnthropicMessages",
    "Asked",
    "Contentless",
    "Decoded",
    "Message",
    "OpenAIChat",
    "Request",
    "Wire",
    "aside_for",
    "meant_wire",
    "recorded_wire",
    "wire_for",
]


def wire_for(path: str) -> Wire | None:
    """The wire that a request of this path belongs to."""
    return next((wire for wire in WIRES.values() if wire.matches(path)), None)


def meant_wire(request: Request) -> Wire:
    """The wire that a request is for: by its path, else by its headers, else the first."""
    by_headers = (wire for wire in WIRES.values() if wire.recognises(request))
    return wire_for(request.path) or next(by_headers, next(iter(WIRES.values())))


def aside_for(request: Request) -> Recording | None:
    """The answer to a call that a client makes beside its main ones; `None` where no provider has such a call."""
    answers = (wire.aside(request) for wire in (meant_wire(request), *WIRES.values()))
    return next((answer for answer in answers if answer is not None), None)


def recorded_wire(host: str, path: str) -> Wire | None:
    """The wire of a recorded request: the one whose provider has the host, of the family that the path belongs to."""
    by_path = wire_for(path)
    if by_path is None:
        return None
    family = (wire for wire in WIRES.values() if wire.family == by_path.family)
    return next((wire for wire in family if any(fnmatchcase(host, pattern) for pattern in wire.hosts)), by_path)
