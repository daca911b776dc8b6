"""The sum of a run, and the catalogue in words."""

from importlib import metadata
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from conformance import wording
from conformance.catalogue import INFO, MUST, SHOULD, rules
from conformance.compat import CORE
from conformance.target import Target
from conformance.terminal.screen import length
from conformance.terminal.summary import Screen, Summary, version_of
from conformance.terminal.totals import cases, counted

from . import models
from .helpers import rule, target

_BASE = {"level": MUST, "model": "Parrot", "form": "sync", "case": "", "verdict": "passed"}


MORE = (
    "Read more: conformance explain RULE; why rules are n/a: -rs; what blocks rules: -rb; "
    "what did not fail the run, in full: -v"
)


def report(id: str, when: Any = "call", outcome: Any = "passed", **properties: object) -> pytest.TestReport:
    """The report of an item; properties that are `None` are left out."""
    facts = {**_BASE, "rule": id, "area": id.partition("-")[0], **properties}
    name = "-".join(str(part) for part in (id, facts["form"], facts["case"]) if part)
    given = [(key, value) for key, value in facts.items() if value is not None]
    nodeid = f"conformance::{facts['model']}::{name}"
    return pytest.TestReport(nodeid, ("", None, ""), {}, outcome, None, when, user_properties=given)


def in_both_forms(id: str, **more: Any) -> list[pytest.TestReport]:
    return [report(id, form=form, **more) for form in ("async", "sync")]


def told(*reports: pytest.TestReport, on: tuple[Target, ...] = (), **screen: Any) -> list[str]:
    """The lines of the sum."""
    summary = Summary(on or [target()])
    for each in reports:
        summary.add(each)
    return ["".join(words.text for words in line) for line in summary.lines(Screen(**screen))]


def one_of_each() -> list[pytest.TestReport]:
    """Items with every verdict, in no order."""
    return [
        *in_both_forms("STREAM-08", case="repeated", level=SHOULD, verdict="warned"),
        *in_both_forms("STREAM-01", seconds=1.25),
        *in_both_forms("STREAM-08"),
        *in_both_forms("BATCH-02", case="empty", verdict="failed", outcome="failed"),
        report("BATCH-02", verdict="failed", outcome="failed"),
        report("META-01", verdict="blocked", outcome="skipped", reason="INVOKE-01 fails"),
        *in_both_forms("DEFAULT-02", verdict="not applicable", outcome="skipped", reason="it implements them"),
        report("DEFAULT-03", level=INFO, note="invoke native"),
        report("SECRET-01", verdict="known", known="upstream knows", seconds=0.7),
        report("TOOL-01", verdict="stale", outcome="failed", known="it was so once"),
        report("TOOL-02", verdict="new"),
        report("ASYNC-01", "setup", "failed", form="async", verdict=None),
    ]


def test_the_sum_of_a_model() -> None:
    """How many rules hold, area by area; then those that do not, each kind apart, in the order of the catalogue."""
    assert told(*one_of_each()) == [
        "",
        f"==== conformance of shop.models:Parrot {'=' * 41}",
        "             MUST  SHOULD                          MUST  SHOULD",
        "  STREAM        2  0 of 1               BATCH    0 of 1       -",
        "  TOOL     1 of 2       -               DEFAULT       -       -  1 n/a",
        "  META          -       -  1 blocked    SECRET   0 of 1       -",
        "  ASYNC    0 of 1       -",
        "  together   MUST 3 of 7, SHOULD 0 of 1 rules hold; 1 not applicable, 1 blocked",
        "  methods    invoke native",
        "  slowest    STREAM-01 2.5 s, SECRET-01 0.7 s",
        "not judged, for an error of this suite (please report it):",
        "  ASYNC-01   astream and ainvoke never block the loop while the server…  [async]",
        "MUST rules that do not hold:",
        "  BATCH-02   an empty list gives an empty list and …  [sync; sync, async: empty]",
        "in the baseline, yet they hold (take them out):",
        "  TOOL-01    it was so once  [sync]",
        "SHOULD rules that do not hold:",
        "  STREAM-08  finish reason, model name, service tier a…  [sync, async: repeated]",
        "known, by the baseline:",
        "  SECRET-01  upstream knows  [sync]",
        "new in the catalogue, and not yet counted:",
        "  TOOL-02    the arguments of tool_call_chunks, joined per index, are t…  [sync]",
        MORE,
    ]


def test_the_sum_where_all_holds() -> None:
    """Nothing is listed, and little is said."""
    assert told(*in_both_forms("STREAM-01"), report("BATCH-01"))[2:] == [
        "          MUST  SHOULD            MUST  SHOULD",
        "  STREAM     1       -    BATCH      1       -",
        "  together   MUST 2 of 2 rules hold",
        "Read more: conformance explain RULE",
    ]


@pytest.mark.parametrize("width", [40, 57, 80, 120])
def test_it_fits_the_width(width: int) -> None:
    """Tables and lists do; the terminal folds sentences."""
    lines = told(*one_of_each(), width=width)
    rows = [line for line in lines if line.startswith("  ") and line.split()[0] not in ("together", "slowest")]
    assert len(rows) > 10
    assert max(map(len, [*rows, lines[1]])) <= width


def test_what_is_cut_short_does_not_read_as_a_pass() -> None:
    """Items that were to run and have no verdict are told first, also of a model of which nothing ran."""
    two = (target(), target(label="Owl", spec="shop.models:Owl"))
    summary = Summary(two)
    summary.expect(f"conformance::Parrot::STREAM-0{number}-sync" for number in (1, 2, 3))
    summary.expect(
        ["conformance::Owl::STREAM-01-sync", "conformance::Owl::transcript-invoke-text-sync", "test_own.py::a"]
    )
    summary.add(report("STREAM-01"))
    lines = ["".join(words.text for words in line) for line in summary.lines(Screen())]
    assert lines[1:3] == [
        f"==== conformance of shop.models:Parrot {'=' * 41}",
        "  INCOMPLETE no verdict on 2 of 3 items",
    ]
    assert lines[-2:] == [f"==== conformance of shop.models:Owl {'=' * 44}", "  INCOMPLETE no verdict on 1 of 1 items"]


def test_long_lists_are_cut() -> None:
    """And shown whole where that is asked for."""
    failing = [report(id, verdict="failed", outcome="failed") for id in list(rules())[:14]]
    short, whole = told(*failing), told(*failing, whole=True)
    assert "  … and 4 more rules" in short
    assert short[-1] == "Read more: conformance explain RULE; whole lists: -ra"
    assert len(whole) == len(short) + 3
    assert whole[-1] == "Read more: conformance explain RULE"


def test_what_blocks_rules_is_listed_where_asked_for() -> None:
    """With the reason in place of the statement."""
    lines = told(*one_of_each(), blocked=True)
    assert lines[lines.index("blocked:") + 1] == "  META-01    INVOKE-01 fails  [sync]"
    assert "-rb" not in lines[-1]


def test_many_models_have_a_line_each() -> None:
    """From three on; each has a screen where that is asked for."""
    three = tuple(target(label=name) for name in ("Parrot", "Owl", "Wren"))
    reports = [
        *one_of_each(),
        *in_both_forms("STREAM-01", model="Owl"),
        report("STREAM-01", model="Wren", verdict="not applicable", outcome="skipped"),
    ]
    assert told(*reports, on=three) == [
        "",
        f"==== conformance of 3 models {'=' * 51}",
        "            MUST  SHOULD",
        "  Parrot  3 of 7  0 of 1  1 n/a, 1 blocked, 1 harness error, 1 failed, 1 stale,…",
        "  Owl          1       -",
        "  Wren         -       -  1 n/a",
        "Read more: the sum of each: -v",
    ]
    assert sum(line.startswith("====") for line in told(*reports, on=three, each=True)) == 3
    assert sum(line.startswith("====") for line in told(*one_of_each(), on=three)) == 1


@pytest.mark.parametrize(
    ("verdicts", "must"),
    [
        (["passed"], "1"),
        (["passed", "not applicable"], "1"),
        (["not applicable"], "-"),
        (["passed", "known"], "0 of 1"),
        (["failed"], "0 of 1"),
        (["harness error"], "0 of 1"),
        (["stale"], "1"),
    ],
)
def test_a_rule_holds_in_all_its_items_or_not_at_all(verdicts: list[str], must: str) -> None:
    """Items that say nothing make no difference, and alone they leave a rule unjudged."""
    items = [{"rule": "STREAM-01", "level": MUST, "verdict": verdict} for verdict in verdicts]
    assert str(counted(items).by_level[MUST]) == must


def test_items_of_a_rule_in_short() -> None:
    """Forms that have the same cases stand together."""
    assert cases([{"form": form, "case": ""} for form in ("async", "sync")]) == "sync, async"
    assert cases([{"form": "sync", "case": "a"}, {"form": "async", "case": "b"}, {"form": "sync", "case": "c"}]) == (
        "sync: a, c; async: b"
    )


def test_setup_and_teardown_say_nothing() -> None:
    """The call of an item has its verdict, unless what came before it broke."""
    assert told(
        report("STREAM-01", "setup", verdict=None), report("STREAM-01"), report("STREAM-01", "teardown")
    ) == told(report("STREAM-01"))


def test_other_tests_are_not_summed_up() -> None:
    """Reports of a project's own tests have no rule; a model without items has no sum."""
    assert told(report("STREAM-01", rule=None)) == []


def test_nothing_hangs_on_colours() -> None:
    """Styles are there, and no words in them alone."""
    summary = Summary([target()])
    for each in one_of_each():
        summary.add(each)
    lines = list(summary.lines(Screen()))
    assert {words.style for line in lines for words in line} == {"plain", "bold", "faint", "bad", "odd"}
    failing = [words for line in lines for words in line if words.style == "bad" and words.text.strip()[0].isdigit()]
    assert [words.text.strip() for words in failing] == ["0 of 1", "1 of 2", "0 of 1", "0 of 1"]
    assert all(length(line) == len("".join(words.text for words in line)) for line in lines)


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
