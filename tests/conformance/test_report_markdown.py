"""`--conformance-report=FILE.md`: for comments and job summaries."""

import pytest

from conformance.reports.markdown import summary
from conformance.reports.marks import code, fenced, folded, table

from .made_reports import cut_short, document, judged, model

FAILED = judged("STREAM-02-sync-plain", "failed", expected="'moon'", observed="'mo'", rerun="pytest -k STREAM-02")


def test_the_outcome_comes_first() -> None:
    """Heading, sentence, a line a model; then what fails, with expected and observed."""
    passed = model(judged("INVOKE-01-sync-plain", "passed"), label="Cockatoo")
    text = summary(document(model(FAILED), passed))
    assert text.startswith("## Conformance: failed\n\n**Failed:** 1 MUST rule not kept, by 1 of 2 models.\n")
    assert "| `Parrot` langchain-shop 1.2.3 | **failed** | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 of 1 |" in text
    assert "| `Cockatoo` langchain-shop 1.2.3 | **passed** | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 of 1 |" in text
    assert "### `Parrot`: MUST rules that do not hold\n\n<details><summary>STREAM-02: " in text
    assert "STREAM-02-sync-plain\n  expected  'moon'\n  observed  'mo'\n  rerun     pytest -k STREAM-02\n" in text


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        ("passed", "**Passed:** no MUST rule that was judged fails."),
        ("known", "**Passed:** no MUST rule that was judged fails, but for 1 known rule of the baseline."),
        ("stale", "**Failed:** 1 rule kept, which the baseline denies."),
        ("harness error", "**Failed:** 1 rule not judged."),
    ],
)
def test_the_sentence_says_what_the_outcome_is_of(verdict: str, sentence: str) -> None:
    """Passes and failures of each kind."""
    assert sentence in summary(document(model(judged("STREAM-02-sync-plain", verdict))))


def test_an_incomplete_run_is_no_pass() -> None:
    """Whatever passed before it was cut short."""
    passed = judged("INVOKE-01-sync-plain", "passed")
    text = summary(cut_short(model(passed, missing=["STREAM-02-sync-plain"])))
    assert text.startswith("## Conformance: incomplete\n\n**Incomplete, which is no pass:** `the run was interrupted`")
    assert "**incomplete** | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 of 2, 1 without a verdict |" in text
    assert "1 item without a verdict</summary>\n\n```text\nSTREAM-02-sync-plain\n```" in text
    assert "passed" not in text.lower().replace(passed["name"].lower(), "")


def test_the_rest_is_folded() -> None:
    """SHOULDs, known, new and blocked rules are a line each, with the baseline's reasons; all verdicts are counted."""
    text = summary(
        document(
            model(
                judged("EVENTS-08-sync", "warned", level="SHOULD"),
                judged("STREAM-02-sync-plain", "known", known="upstream #38366"),
                judged("STREAM-03-sync", "new"),
                judged("STREAM-04-sync", "blocked", reason="blocked: STREAM-02 fails"),
                judged("TOOL-01-sync", "stale"),
            )
        )
    )
    assert "| **failed** | 0 | 1 | 1 | 1 | 1 | 1 | 0 | 5 of 5 |" in text
    for title in ("1 SHOULD rule that do", "1 known rule that do", "1 new rule that do", "1 blocked rule of which"):
        assert f"<details><summary>{title}" in text
    assert "[sync-plain]\n           upstream #38366\n```" in text


def test_a_chosen_part_is_said() -> None:
    """A pass of a few items does not read as one of all."""
    text = summary(document(model(judged("INVOKE-01-sync-plain", "passed"), catalogue=900)))
    assert "**A part of the catalogue was chosen**" in text
    assert "1 of 900 |" in text


def test_texts_of_models_stay_texts() -> None:
    """What a model said neither ends its block, nor mentions anybody, nor makes cells."""
    hostile = "``` </details> @somebody #1 | <img src=x>\n```\nend"
    text = summary(document(model(judged("STREAM-02-sync-plain", "failed", observed=hostile), label="a|`b`<i>")))
    assert "| ``a\\|`b`<i>`` langchain-shop" in text
    assert "````text\nSTREAM-02-sync-plain\n  observed  ``` </details> @somebody #1 | <img src=x>\n" in text
    assert "<summary>Versions for a|`b`&lt;i&gt;</summary>" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [("plain", "`plain`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("two\nlines", "`two lines`"), ("", "")],
)
def test_code_is_fenced_by_more_backticks_than_it_has(text: str, told: str) -> None:
    """As CommonMark's code spans are."""
    assert code(text) == told


def test_blocks_are_fenced_alike() -> None:
    """A block of code is longer fenced than what is in it; titles are plain text; cells keep their bars."""
    assert fenced("a\n````\nb") == "`````text\na\n````\nb\n`````"
    assert folded("<b>", "x") == "<details><summary>&lt;b&gt;</summary>\n\nx\n\n</details>"
    assert table(["a"], [["x|y"]]) == "| a |\n|---|\n| x\\|y |"


@pytest.mark.parametrize("count", [3, 400])
def test_it_fits_into_a_comment(count: int) -> None:
    """However many models fail however much, it has at most 60,000 characters, and counts what it leaves out."""
    items = [judged(f"STREAM-{number:02}-sync", "failed", observed="x" * 5_000, known="") for number in range(1, 19)]
    models = [model(*items, label=f"Parrot{number}") for number in range(count)]
    text = summary(document(*models))
    assert len(text) <= 60_000
    assert len(text) > 40_000
    assert "**Left out, for want of room:** " in text
    assert ("And 300 more." in text.replace("models", "").replace("  ", " ")) is (count == 400)


def test_what_is_left_out_is_counted() -> None:
    """The number of rules shown and that of those left out make all."""
    rules = [f"STREAM-{number:02}" for number in range(1, 19)]
    items = [judged(f"{rule}-{form}", "failed", observed="x" * 900) for rule in rules for form in ("sync", "async")]
    models = [model(*items, label=f"Parrot{number}") for number in range(10)]
    text = summary(document(*models))
    left = int(text.split("want of room:** ")[1].split(" MUST rules")[0])
    assert text.count("<summary>STREAM-") + left == 180
