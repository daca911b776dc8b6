"""``--conformance-transcripts``: what a model emits for a handful of scripts, kept in the user's repository.

Rules say what must hold; a transcript says what is. Where it changes, and no rule is broken, its diff shows it.
"""

from typing import Final

PREFIX: Final = "transcript-"
"""How the last part of a transcript's node id begins."""


def is_transcript(nodeid: str) -> bool:
    """Whether a node id is that of a transcript, and not of a rule's item."""
    return nodeid.rpartition("::")[2].startswith(PREFIX)
