"""The sum of a run, as it stands at the end of the terminal. Results of xdist's workers come in as reports."""

from collections.abc import Iterator, Sequence
from importlib import metadata

import pytest
from langchain_core.language_models import BaseChatModel

from . import wording
from .catalogue import rules
from .compat import CORE
from .target import Target
from .verdict import Tally


class Summary:
    """Gathers reports and tells the sum, a model at a time."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._tallies: dict[str, dict[str, Tally]] = {target.label: {} for target in targets}

    def add(self, report: pytest.TestReport) -> None:
        facts = dict(report.user_properties)
        if "rule" not in facts or report.when == "teardown":
            return
        if report.when == "setup" and report.passed:
            return
        verdict = str(facts.get("verdict") or "harness error")
        tally = self._tallies[str(facts["model"])].setdefault(str(facts["rule"]), Tally())
        if "note" in facts:
            tally.notes.append(str(facts["note"]))
        if "known" in facts:
            tally.reasons.append(str(facts["known"]))
        tally.by_verdict[verdict].append(report.nodeid.rpartition("::")[2])

    def header(self, target: Target) -> str:
        name = " ".join(part for part in (target.spec, version_of(target)) if part)
        told = f"chat model: {name} (wire {target.wire.name}, langchain-core {CORE})"
        return f"{told}\n  played {wording.PLAYED}; {wording.REPLAY_ALONE}" if target.stanza.in_process else told

    def lines(self) -> Iterator[str]:
        for target in self._targets:
            tallies = self._tallies[target.label]
            if tallies:
                yield from wording.summary(target, version_of(target), tallies, rules())


def version_of(target: Target) -> str:
    """The version of the distribution that the model's class comes from, or `""`."""
    if target.model_class is BaseChatModel:  # of an object of which no more is known
        return ""
    package = target.model_class.__module__.partition(".")[0]
    try:
        return metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return ""
