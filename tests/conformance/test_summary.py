"""The sum of a run, and the catalogue in words."""

from importlib import metadata
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from conformance import wording
from conformance.catalogue import INFO, MUST, SHOULD
from conformance.compat import CORE
from conformance.summary import Summary, version_of
from conformance.target import Target
from conformance.verdict import Tally

from . import models
from .helpers import rule, target

RULES = {
    each.id: each
    for each in (
        rule(id="STREAM-01", statement="parrots repeat"),
        rule(id="STREAM-02", level=SHOULD, statement="x" * 80),
        rule(id="STREAM-10", statement="parrots stop"),
        rule(id="ASYNC-01", statement="parrots do not wait"),
        rule(id="DEFAULT-01", level=INFO, statement="parrots are shown"),
        rule(id="BATCH-01", statement="never run"),
    )
}


def tally(*notes: str, **by_verdict: list[str]) -> Tally:
    return Tally({verdict.replace("_", " "): names for verdict, names in by_verdict.items()}, list(notes))


def test_the_sum_of_a_model() -> None:
    """A line an area, with what was not judged; notes; then what does not hold: MUST, SHOULD and our own errors apart,
    in the order of the catalogue, with their statements and items cut where they are long."""
    tallies = {
        "STREAM-10": tally(failed=["STREAM-10-sync-a", "STREAM-10-async-a"], passed=["STREAM-10-sync-b"]),
        "STREAM-01": tally(failed=["STREAM-01-sync"]),
        "STREAM-02": tally(warned=[f"STREAM-02-sync-{number}" for number in range(12)]),
        "ASYNC-01": tally(not_applicable=["ASYNC-01-async"]),
        "DEFAULT-01": tally("invoke native", passed=["DEFAULT-01-sync"], harness_error=["DEFAULT-01-async"]),
    }
    lines = list(wording.summary(target(), "1.2.3", tallies, RULES))
    assert lines == [
        "",
        f"==== conformance of shop.models:Parrot 1.2.3 {'=' * (100 - len('conformance of shop.models:Parrot 1.2.3'))}",
        "  STREAM      0 of  3 rules hold",
        "  ASYNC      nothing to judge   (1 not applicable)",
        "  DEFAULT     0 of  1 rules hold",
        "  methods    invoke native",
        "MUST rules that do not hold:",
        "  STREAM-01  parrots repeat  [sync]",
        "  STREAM-10  parrots stop  [sync-a, async-a]",
        "SHOULD rules that do not hold:",
        f"  STREAM-02  {'x' * 69}…  [sync-0, sync-1, sync-2, sync-3, sync-4, sync-5, sync-6, syn…]",
        "not judged, for an error of this suite (please report it):",
        "  DEFAULT-01 parrots are shown  [async]",
        "Read more: conformance explain RULE; what is not applicable, and why: -rs; what a SHOULD observed: -v",
    ]


def test_the_sum_where_all_holds() -> None:
    """Without a version and without lists; a rule that holds where it says something holds."""
    tallies = {
        "STREAM-01": tally(passed=["STREAM-01-sync"], not_applicable=["STREAM-01-async"]),
        "STREAM-02": tally(not_applicable=["STREAM-02-sync"]),
    }
    lines = list(wording.summary(target(), "", tallies, RULES))
    assert lines[1].startswith("==== conformance of shop.models:Parrot ====")
    assert lines[2:-1] == ["  STREAM      1 of  1 rules hold   (1 not applicable)"]


@pytest.mark.parametrize(
    ("verdicts", "ran", "holds"),
    [
        (["passed"], True, True),
        (["passed", "not applicable"], True, True),
        (["not applicable"], False, True),
        (["passed", "warned"], True, False),
        (["failed"], True, False),
        (["harness error"], True, False),
    ],
)
def test_a_rule_holds_in_all_its_items_or_not_at_all(verdicts: list[str], *, ran: bool, holds: bool) -> None:
    """Items that say nothing make no difference, and alone they leave a rule unjudged."""
    of_rule = Tally({verdict: ["x"] for verdict in verdicts})
    assert (of_rule.ran, of_rule.holds) == (ran, holds)


def report(name: str, when: Any = "call", outcome: Any = "passed", **properties: str) -> pytest.TestReport:
    known = {"rule": name[:9], "model": "Parrot", "verdict": "passed", **properties}
    given = [(key, value) for key, value in known.items() if value]
    return pytest.TestReport(
        f"conformance::Parrot::{name}", ("", None, ""), {}, outcome, None, when, user_properties=given
    )


def told(*reports: pytest.TestReport, on: Target | None = None) -> list[str]:
    summary = Summary([on or target()])
    for each in reports:
        summary.add(each)
    return [line.strip() for line in summary.lines()][2:-1]


def test_reports_are_summed_up() -> None:
    """By rule and verdict, with notes; `setup` and `teardown` of an item say nothing beside its `call`."""
    assert told(
        report("STREAM-01-sync", "setup", verdict=""),
        report("STREAM-01-sync"),
        report("STREAM-01-sync", "teardown"),
        report("STREAM-01-async", verdict="not applicable", outcome="skipped"),
        report("BATCH-02-sync-a", verdict="failed", outcome="failed", rule="BATCH-02"),
        report("DEFAULT-03", rule="DEFAULT-03", note="invoke native"),
    ) == [
        "STREAM      1 of  1 rules hold",
        "BATCH       0 of  1 rules hold",
        "DEFAULT     1 of  1 rules hold",
        "methods    invoke native",
        "MUST rules that do not hold:",
        "BATCH-02   an empty list gives an empty list and sends nothing  [sync-a]",
    ]


@pytest.mark.parametrize("when", ["setup", "call"])
def test_an_item_that_has_no_verdict_is_our_error(when: str) -> None:
    """Whatever broke the item before it was judged."""
    [_, title, line] = told(report("STREAM-01-sync", when, "failed", verdict=""))
    assert title == "not judged, for an error of this suite (please report it):"
    assert line.endswith("[sync]")


def test_other_tests_are_not_summed_up() -> None:
    """Reports of a project's own tests have no rule; a model without items has no sum."""
    assert told(report("STREAM-01-sync", rule="")) == []


def test_the_header_of_a_model() -> None:
    """What is tested, of which release, and on which wire."""
    openai = target(spec="langchain_openai:ChatOpenAI", model_class=ChatOpenAI)
    version = metadata.version("langchain-openai")
    assert Summary([]).header(openai) == (
        f"chat model: langchain_openai:ChatOpenAI {version} (wire openai-chat, langchain-core {CORE})"
    )
    assert Summary([]).header(target(model_class=models.Speaking)) == (
        f"chat model: shop.models:Parrot (wire openai-chat, langchain-core {CORE})"
    )


def test_the_version_of_a_model() -> None:
    """That of the distribution of its class's package; none for a model that is in no distribution."""
    assert version_of(target(model_class=ChatOpenAI)) == metadata.version("langchain-openai")
    assert version_of(target(model_class=models.Speaking)) == ""


def test_rules_in_one_line() -> None:
    """Id, level and statement, in columns."""
    assert wording.row(rule(id="EVENTS-01", level=MUST)) == "EVENTS-01  MUST   parrots repeat"
    assert wording.row(rule(id="DEFAULT-01", level=SHOULD)) == "DEFAULT-01 SHOULD parrots repeat"


def test_rules_are_explained() -> None:
    """All that the catalogue says; what it does not say is left out."""
    whole = rule(needs=("stream", "core>=1.0"), hint="they bite")
    assert wording.explanation(whole).splitlines() == [
        "STREAM-99  MUST",
        "  parrots repeat",
        "",
        "  forms      stream and astream",
        "  needs      stream, core>=1.0",
        "  hint       they bite",
        "  since      2026.1",
    ]
    assert wording.explanation(rule(id="ASYNC-99", forms=("async",))).splitlines() == [
        "ASYNC-99  MUST",
        "  parrots repeat",
        "",
        "  forms      async",
        "  since      2026.1",
    ]
