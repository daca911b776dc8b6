"""Frames: the bytes that a wire sends, and what each of them is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

FrameKind: TypeAlias = Literal["start", "piece", "finish", "usage", "end", "noise", "error"]
"""What a frame does: opens the answer or a block, brings a piece, says why the answer ended, counts tokens,
terminates, carries nothing (noise), or breaks off with an error."""

KINDS: Final = ("start", "piece", "finish", "usage", "end", "noise", "error")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Args:
        data: its bytes.
        kind: what it does first of all.
        piece: the running number of the piece that it brings, from 0 over the whole reply.
        also: what else it does, on wires whose last frames do several things at once.
    """

    data: bytes
    kind: FrameKind
    piece: int | None = None
    also: tuple[FrameKind, ...] = ()

    @property
    def kinds(self) -> tuple[FrameKind, ...]:
        return (self.kind, *self.also)


def join(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.data for frame in frames)
