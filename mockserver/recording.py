"""An answer in the form in which it is sent: status, headers, and the body in frames."""

from collections.abc import Mapping
from dataclasses import dataclass

from .cassettes.interaction import Arrival
from .frames import Frame


@dataclass(frozen=True, slots=True)
class Recording:
    """An answer as a provider sent it, or as a wire made it.

    Args:
        status: the HTTP status.
        headers: its headers, by name in lower case.
        frames: the body; one frame where it is not streamed.
        source: the file that it was read from, if it was.
        streamed: whether the body comes in pieces.
        arrivals: the parts in which the body arrived, where that was recorded.
    """

    status: int
    headers: Mapping[str, str]
    frames: tuple[Frame, ...]
    source: str = ""
    streamed: bool = True
    arrivals: tuple[Arrival, ...] | None = None
