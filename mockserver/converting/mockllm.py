"""The `responses.yml` of mockllm, as turns.

Source: `mockllm/config.py` of version 0.0.7 of the PyPI package `mockllm`: an answer for each prompt, which is compared
in lower case and without space around it; characters come one by one, `lag_factor` times 10 in a second where
`lag_enabled` says so.
"""

from typing import Any, Final

from ..reply import Reply, Text
from ..scripts.matching import When
from ..scripts.script import Turn
from ..sending.delivery import Delivery, Pace
from .aimock import EVER
from .scriptwriting import Remarked

_UNKNOWN: Final = "I don't know the answer to that."
_KEYS: Final = ("responses", "defaults", "settings")


def is_ours(document: object) -> bool:
    """Whether this is what stands in a `responses.yml`."""
    return isinstance(document, dict) and isinstance(document.get("responses"), dict) and "requests" not in document


def turns_of(document: dict[str, Any]) -> tuple[list[Remarked], Turn, list[str]]:
    """The turns, the default, and a line for what is not carried over.

    Raises:
        ValueError: an answer is no text; the text names its prompt.
    """
    settings, defaults = document.get("settings") or {}, document.get("defaults") or {}
    pace = Pace(every=1 / (10 * settings.get("lag_factor", 10))) if settings.get("lag_enabled") else None
    delivery = Delivery(pace=pace)
    turns = []
    # A prompt may stand in another, so that the longest is looked for first, as often as it is asked.
    answers = sorted(document["responses"].items(), key=lambda pair: -len(str(pair[0])))
    for at, (prompt, answer) in enumerate(answers):
        if not isinstance(answer, str) or not answer:
            raise ValueError(f"the answer to {prompt!r} is a text, not {answer!r}")
        holds_other = any(str(other) in str(prompt) for other, _ in answers[at + 1 :])
        when, times = When(text=str(prompt)), EVER if holds_other else None
        turns.append(Remarked(Turn(reply=_said(answer), when=when, delivery=delivery, times=times)))
    left = [f"{key} is not carried over" for key in document if key not in _KEYS]
    left.append("prompts are sought as they are written, anywhere in what the user says; mockllm compares all of it")
    default = Turn(reply=_said(str(defaults.get("unknown_response") or _UNKNOWN)), delivery=delivery)
    return turns, default, left


def _said(answer: str) -> Reply:
    return Reply(blocks=(Text(tuple(answer)),))
