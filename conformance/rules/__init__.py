"""The rules, an area or a part of one a module; importing this registers them."""

from . import (  # noqa: I001 - the order of the areas is that of the catalogue
    invoke,
    stream,
    stream_sum,
    stream_frames,
    stream_state,
    stream_size,
    asynchronous,
    batch,
    events,
    default,
    replay,
)

__all__ = [
    "asynchronous",
    "batch",
    "default",
    "events",
    "invoke",
    "replay",
    "stream",
    "stream_frames",
    "stream_size",
    "stream_state",
    "stream_sum",
]
