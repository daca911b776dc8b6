"""Scripts made of cassettes."""

from pathlib import Path

from ..scripts.loader import load_script
from ..scripts.script import Script
from ..sending.delivery import Cuts, Fault
from .cassette import Match, Playing


def replay(
    *files: str | Path,
    match: Match = "order",
    pace: float | None = None,
    cuts: Cuts = "recorded",
    fault: Fault | None = None,
) -> Script:
    """A script that plays cassettes, for `serve` and `Server.play`; `Script.unused` tells what was not asked for.

    Args:
        files: the cassettes; YAML scripts may be among them.
        match: which request an interaction answers: with ``order``, in recorded order, any that is of its wire and asks
            for the same form (streamed or not); with ``body``, one that has the same body too.
        pace: `None` sends as fast as it can; a number is a factor for the recorded times: 1.0 as recorded, 0.5 twice as
            fast.
        cuts: as in `Delivery`; ``recorded`` where the recording says how the bytes came, and each frame where not.
        fault: what ends the answer before its time, in place of how the recorded one ended.

    Raises:
        CassetteError: a file is no cassette that can be read, or does not say what is to be played.
        ValueError: `match` is no way of matching.
    """
    return load_script(*map(Path, files), playing=Playing(match=match, pace=pace, cuts=cuts, fault=fault))
