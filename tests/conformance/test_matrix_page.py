"""The report on all integrations, and what the measured table says."""

import pytest

from conformance.matrix.measured import COLUMNS, held
from conformance.matrix.page import page

from .matrix_runs import NATIVE, item, report, row


def cell(title: str, *items: dict[str, object], **native: bool) -> str:
    """What stands in a column for a model with these items."""
    [column] = [each for each in COLUMNS if each.title == title]
    return column.cell(report(items, native={**NATIVE, **native})["models"][0])


HELD = item("STREAM-03-sync", "passed")
LATE = item("STREAM-03-sync", "failed")


@pytest.mark.parametrize(
    ("title", "items", "native", "wanted"),
    [
        ("invoke", [item("INVOKE-01-sync-plain", "passed")], {}, "native"),
        ("invoke", [item("INVOKE-01-sync-plain", "failed")], {}, "fails"),
        ("invoke", [item("INVOKE-01-sync-a", "failed"), item("INVOKE-01-sync-b", "passed")], {}, "native, 1 of 2"),
        ("ainvoke", [item("INVOKE-01-async-plain", "passed")], {"ainvoke": False}, "default"),
        ("stream", [HELD], {}, "native"),
        ("stream", [LATE], {}, "fake"),
        ("stream", [item("STREAM-04-sync", "warned"), item("REQUEST-04-sync", "failed")], {}, "fake"),
        ("stream", [LATE], {"stream": False}, "default"),
        ("stream", [item("STREAM-03-sync", "blocked")], {}, "?"),
        ("stream", [HELD, item("STREAM-02-sync-plain", "failed")], {}, "fails"),
        ("astream", [LATE, item("STREAM-03-async", "passed")], {}, "native"),
        ("astream", [item("STREAM-03-async", "failed")], {}, "fake"),
        ("second loop", [item("ASYNC-03-async-invoke", "warned", "SHOULD")], {}, "no"),
    ],
)
def test_columns_are_told_by_verdicts(
    title: str, items: list[dict[str, object]], native: dict[str, bool], wanted: str
) -> None:
    """Native, default and fake methods, and those whose answers are not the reply."""
    assert cell(title, *items, **native) == wanted


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        (["passed", "passed"], "yes"),
        (["passed", "failed", "not applicable"], "1 of 2"),
        (["failed", "known"], "no"),
        (["not applicable"], "–"),
        (["blocked", "not applicable"], "?"),
        (["harness error"], "?"),
        ([], "?"),
    ],
)
def test_cells_count_cases(verdicts: list[str], wanted: str) -> None:
    """All, some or none; what does not apply is told apart from what is not known."""
    items = [item(f"TOOL-03-sync-{number}", verdict) for number, verdict in enumerate(verdicts)]
    assert held(report(items)["models"][0], ("TOOL-03",)) == wanted


def test_cases_of_what_few_providers_do_are_not_counted() -> None:
    """A SHOULD within a MUST does not make a capability a part of one; a rule that is a SHOULD counts in full."""
    must, should = item("META-02-sync-plain", "passed"), item("META-02-sync-each", "warned", "SHOULD")
    assert cell("usage on streams", must, should) == "yes"
    assert cell("usage on streams", should) == "no"


ROWS = [
    row(
        "shop.models:Parrot",
        item("STREAM-02-sync-plain", "passed"),
        item("STREAM-03-sync", "failed"),
        item("STREAM-08-sync-repeated", "warned", "SHOULD"),
        item("TOOL-01-sync-invoke", "passed"),
    ),
    row(
        "shop.models:Cockatoo",
        item("STREAM-02-sync-plain", "passed"),
        item("STREAM-03-sync", "passed"),
        item("STREAM-08-sync-repeated", "blocked", "SHOULD"),
        item("TOOL-01-sync-invoke", "not applicable"),
    ),
    row("lost:Dodo", reason="the environment cannot be built:\nno | such package"),
]


def test_areas_are_counted_and_broken_musts_are_bold() -> None:
    """Rules kept of those that apply; blocked rules and those that do not apply are not counted."""
    text = page(ROWS)
    assert "| integration | STREAM | TOOL |" in text
    assert "| Parrot (langchain-shop 1.2.3) | **1/3** | 1/1 |" in text
    assert "| Cockatoo (langchain-shop 1.2.3) | 2/2 | – |" in text


def test_rules_that_hold_everywhere_are_left_out() -> None:
    """A line for each rule that fails somewhere, with its statement, and a letter for each integration."""
    lines = page(ROWS).splitlines()
    assert "1 Cockatoo (langchain-shop 1.2.3); 2 Parrot (langchain-shop 1.2.3)" in lines
    assert '| [STREAM-03](rules/STREAM-03.md "it \\| holds") | · | **M** |' in lines
    assert '| [STREAM-08](rules/STREAM-08.md "it \\| holds") | b | s |' in lines
    assert not any(line.startswith("| [STREAM-02]") for line in lines)


def test_what_has_no_result_has_its_reason() -> None:
    """In one line, whatever the reason was."""
    wanted = (
        "| lost:Dodo | `lost:Dodo` | langchain-shop==1.2.3 | the environment cannot be built: no \\| such package |"
    )
    assert wanted in page(ROWS).splitlines()
    assert "2 of 3 integrations" in page(ROWS)


def test_the_page_is_the_same_for_the_same_rows() -> None:
    """In whatever order they came; without times it does not tell when they were measured."""
    assert page(ROWS) == page(ROWS[::-1])
    later = row("shop.models:Parrot", item("STREAM-02-sync-plain", "passed"), finished="2027-01-01")
    sooner = row("shop.models:Parrot", item("STREAM-02-sync-plain", "passed"), finished="2026-01-01")
    assert page([later]) != page([sooner])
    assert page([later], times=False) == page([sooner], times=False)


def test_a_part_of_the_catalogue_is_told() -> None:
    """A page of chosen rules does not read as one of all."""
    narrow = row("shop.models:Parrot", item("STREAM-02-sync-plain", "passed"), catalogue=900)
    assert "**A part of the catalogue was chosen** for shop.models:Parrot." in page([narrow])
    assert "A part of" not in page(ROWS)
