"""What becomes of a rule on a model, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Verdict: TypeAlias = Literal[
    "passed", "failed", "warned", "not applicable", "blocked", "known", "stale", "new", "harness error"
]
"""What becomes of an item.

`warned`: a SHOULD that does not hold. `blocked`: a more basic rule, which is named, fails, so that this one would tell
the same defect again. `known`: it fails, and the baseline says so. `stale`: the baseline says that it fails, and it
passes. `new`: it fails, and its rule came into the catalogue after the revision that the user holds to.
`harness error`: a defect of this suite, never blamed on the model.
"""

RED: Final = ("failed", "stale", "harness error")
"""The verdicts that fail a run."""


@dataclass
class Broken(Exception):
    """A rule does not hold.

    Args:
        expected: what the rule wants, all that it accepts.
        observed: what was seen.
        because: where the difference comes from, as far as can be seen.
        frame: kind of the frame that is to be shown, such as ``finish``.
        more: further facts, label and text.
        kinds: the kinds of failures that were found, where there may be several.
        options: what the command that runs the item again needs.
    """

    expected: str
    observed: str
    because: str = ""
    frame: str = ""
    more: tuple[tuple[str, str], ...] = ()
    kinds: tuple[str, ...] = ()
    options: str = ""


@dataclass
class NotApplicable(Exception):
    """A rule has nothing to say of this model; `reason` says why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """The verdict of one item, with what a person needs to see where it is not `passed`.

    Args:
        facts: label and text, in the order in which they are shown.
        known: why the item may fail, where a baseline says so.
        timeline: what went on while it ran, in the shape of ``timeline`` in ``reports/report.schema.json``.
        kinds: the kinds of failures that an explored item showed: new ones where it fails, and where it passes those
            that the baseline has it pass over.
        seconds: time that the item took.
    """

    verdict: Verdict
    facts: tuple[tuple[str, str], ...] = ()
    known: str = ""
    kinds: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    timeline: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def reason(self) -> str:
        """The first fact, in one line."""
        return self.facts[0][1] if self.facts else ""
