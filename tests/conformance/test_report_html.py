"""The report as one page of HTML, as a text; `test_report_html_browser` opens it."""

import base64
import copy
import hashlib
import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.reports.html import page
from conformance.reports.packing import packed

from .html_reports import HOSTILE, data_of, large, several, tables_of
from .made_reports import cut_short, document, judged, model
from .plugin_runs import REFERENCE, run
from .test_report import schema

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def test_reports_for_tests_are_reports() -> None:
    """What pages are made of here has the published shape."""
    jsonschema.validate(several(), schema(), format_checker=jsonschema.FormatChecker())


def test_a_run_writes_a_page_and_a_document(folder: pytest.Pytester) -> None:
    """Both files come of one run, and the page holds all that the document says."""
    arguments = ("--conformance-report=a.html", "--conformance-report=a.json", "-k", "BATCH-02 or DEFAULT-02")
    run(folder, REFERENCE, *arguments).assert_outcomes(passed=2, skipped=2)
    told = json.loads((folder.path / "a.json").read_text(encoding="utf-8"))
    assert data_of((folder.path / "a.html").read_text(encoding="utf-8")) == told


@given(value=JSON)
def test_nothing_is_lost_by_packing(value: Any) -> None:
    """Whatever a document holds comes back from the page as it was."""
    assert data_of(page(document(model(label="x", kwargs={"given": value}))))["models"][0]["kwargs"] == {"given": value}


def test_equal_texts_stand_once() -> None:
    """Of texts that many items share a page holds one."""
    assert packed({"a": ["same", "same"], "b": {"a": "same"}})["texts"] == ["same"]


def test_the_page_is_one_file() -> None:
    """Nothing is loaded: no address stands in an attribute, and the policy allows no network."""
    text = page(several())
    head = text.partition('<script type="application/json"')[0]
    assert re.findall(r'(?:src|href|action)="(?!#|data:)([^"]*)"', head) == []
    assert "@import" not in head
    assert "url(" not in head
    assert "default-src 'none'" in head
    assert "unsafe-inline" not in head
    assert not re.search(r"\{\{\w+\}\}", text)


def test_the_policy_allows_what_the_page_has() -> None:
    """The digests in the policy are those of its style and of its script."""
    text = page(several())
    for name, of in (("style", "<style>(.*?)</style>"), ("script", "<script>(.*?)</script>")):
        [inline] = re.findall(of, text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in text


def hostile() -> dict[str, Any]:
    """A report in which every text is hostile, but for those that are of a fixed set."""
    told = {"observed": HOSTILE, "reason": HOSTILE, "error": HOSTILE, "rerun": HOSTILE, "case": HOSTILE}
    made = document(model(judged("INVOKE-01-sync", "failed", **told), label=HOSTILE, spec=HOSTILE), why=HOSTILE)
    made["complete"] = False
    made["rules"]["INVOKE-01"]["statement"] = HOSTILE
    made["models"][0]["items"][0]["area"] = HOSTILE
    return made


def test_texts_cannot_leave_the_data() -> None:
    """Ends of scripts and starts of comments in a text neither end the data nor reach the page as markup."""
    made = hostile()
    text = page(made)
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "<img" not in text
    assert "<!--" not in text
    assert data_of(text) == made


def test_halves_of_surrogate_pairs_can_be_written() -> None:
    """What JSON may hold and UTF-8 may not is in the data, and the page can be written."""
    made = document(model(judged("INVOKE-01-sync", "failed", observed="\ud800"), label="\ud800"))
    page(made).encode()
    assert data_of(page(made)) == made


def test_without_scripts_there_is_a_table() -> None:
    """Each model has its outcome, and its counts by area, the worst first."""
    told = tables_of(page(several()))
    assert '<th scope="row">Hen</th><td>all</td><td>passed; 2 of 2 items judged</td>' in told
    assert '<th scope="row">Parrot</th><td>all</td><td>failed; 12 of 12 items judged</td>' in told
    assert "1 harness error, 1 failed, 1 stale, 1 warned, 1 new, 1 known, 1 blocked, 1 passed, 1 not applicable" in told


@pytest.mark.parametrize("how", ["complete", "chosen", "items"])
def test_what_is_not_complete_is_no_pass(how: str) -> None:
    """A run that was cut short, items without a verdict and no items at all read as incomplete."""
    made = cut_short(model(judged("INVOKE-01-sync", "passed")))
    if how != "complete":
        made = copy.deepcopy(document(model(judged("INVOKE-01-sync", "passed"))))
        made["models"][0] |= {"chosen": 2} if how == "chosen" else {"items": [], "chosen": 0}
    made["models"][0]["outcome"] = "passed"
    told = tables_of(page(made))
    assert "incomplete; " in told
    assert "passed; " not in told


def test_nothing_before_the_data_tells_of_an_outcome() -> None:
    """A page of which only the beginning is there says that it says nothing."""
    begins = page(several()).partition('<script type="application/json"')[0]
    shown = re.sub(r"<style>.*?</style>", "", begins, flags=re.DOTALL)
    assert "passed" not in shown
    assert "cut short" in shown


def test_thirty_models_are_small() -> None:
    """A report of 30 models with all rules is less than 10 MB."""
    assert len(page(large(30)).encode()) < 10_000_000
