"""`conformance compare`: what changed from one report to a later one."""

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.reports.comparison import compare
from conformance.reports.comparison_texts import as_json, as_markdown, as_text
from conformance.reports.reading import ReportError

from .made_reports import SUITE, cut_short, document, judged, model

Output = pytest.CaptureFixture[str]
NAME = "STREAM-02-sync-plain"
MUST = [judged(NAME, "passed")]


def of(old: str, new: str, **facts: Any) -> Any:
    """What changed of a model of one item, whose verdict was `old` and is `new`; `gone` where it is not there."""
    models = (model(*([] if verdict == "gone" else [judged(NAME, verdict, **facts)])) for verdict in (old, new))
    before, after = (document(each, outcome="failed") for each in models)
    return compare(before, after)


@pytest.mark.parametrize("old", ["passed", "stale", "not applicable", "blocked", "harness error"])
def test_a_must_that_newly_fails_makes_it_worse(old: str) -> None:
    """Whatever it was before, if it did not fail."""
    found = of(old, "failed")
    assert found.is_worse
    assert [(change.old, change.new) for change in found.models[0].failing] == [(old, "failed")]


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        ("passed", "blocked", True),
        ("passed", "harness error", True),
        ("passed", "known", False),
        ("passed", "new", False),
        ("passed", "warned", False),
        ("not applicable", "blocked", False),
        ("failed", "failed", False),
        ("known", "failed", False),
        ("failed", "blocked", False),
        ("passed", "not applicable", False),
        ("failed", "passed", False),
        ("passed", "gone", False),
        ("gone", "failed", False),
    ],
)
def test_nothing_else_does_but_what_can_no_longer_be_told(old: str, new: str, *, worse: bool) -> None:
    """A rule that held and is blocked or not judged counts; what is excused, failed before or is new does not."""
    assert of(old, new, level="SHOULD" if new == "warned" else "MUST").is_worse is worse


def test_each_change_stands_in_one_list() -> None:
    """Newly failing, newly passing, otherwise changed, new and gone; what stays stands in none."""
    names = {
        "INVOKE-01-sync-plain": ("passed", "passed"),
        "INVOKE-03-sync-stop": ("failed", "failed"),
        "EVENTS-08-sync": ("passed", "warned"),
        "STREAM-02-sync-plain": ("passed", "failed"),
        "STREAM-03-sync": ("blocked", "passed"),
        "STREAM-04-sync": ("warned", "passed"),
        "TOOL-01-sync": ("passed", "not applicable"),
    }
    old = document(model(*(judged(name, each[0]) for name, each in names.items()), judged("META-01-sync", "passed")))
    new = document(model(*(judged(name, each[1]) for name, each in names.items()), judged("META-02-sync", "failed")))
    [found] = compare(old, new).models
    lists = (found.failing, found.passing, found.otherwise, found.added, found.gone)
    assert [[change.item["name"] for change in changes] for changes in lists] == [
        ["STREAM-02-sync-plain", "EVENTS-08-sync"],
        ["STREAM-03-sync", "STREAM-04-sync"],
        ["TOOL-01-sync"],
        ["META-02-sync"],
        ["META-01-sync"],
    ]


def test_what_was_judged_with_is_told() -> None:
    """Versions, constructor arguments, suite and Python, where they differ."""
    old = document(model(*MUST))
    versions = {"langchain-core": "1.8.0", "langchain-shop": "1.2.3", "shop": "3.0"}
    python = {"version": "3.12.1", "implementation": "CPython", "system": "Linux x86_64"}
    new = document(
        model(*MUST, versions=versions, kwargs={"temperature": 0}), suite={**SUITE, "version": "0.2.0"}, python=python
    )
    found = compare(old, new)
    assert found.facts == {"suite": ("0.1.0", "0.2.0"), "Python": ("3.11.9", "3.12.1")}
    assert found.models[0].facts == {
        "langchain-core": ("1.7.2", "1.8.0"),
        "shop": ("", "3.0"),
        "constructor arguments": ("", '{"temperature": 0}'),
    }


def test_an_incomplete_report_is_told() -> None:
    """A later one is worse, whatever it holds; an earlier one is not, and both are said to be cut short."""
    whole, part = document(model(*MUST)), cut_short(model(missing=[NAME]))
    assert compare(whole, part).is_worse
    assert not compare(part, whole).is_worse
    assert "no verdict" in as_text(compare(whole, part))
    assert as_text(compare(whole, part)).startswith("worse: the later report is incomplete, which is no pass: the run")
    assert "the earlier report is incomplete: the run was interrupted" in as_text(compare(part, whole))


def test_models_are_told_apart() -> None:
    """Two of one spec are compared by their labels, and those that one report has alone are named."""
    plain, responses = model(*MUST), model(*MUST, label="Parrot, Responses")
    other = model(*MUST, spec="shop.models:Cockatoo", label="Cockatoo")
    found = compare(document(plain, responses), document(model(*MUST, label="Parrot, Responses"), other))
    assert [each.label for each in found.models] == ["Parrot, Responses"]
    assert (found.added, found.gone) == (("Cockatoo",), ("Parrot",))
    assert "not in the later report: Parrot" in as_text(found)


def test_different_models_are_refused() -> None:
    """Reports with no model in common are not compared."""
    old, new = document(model(*MUST)), document(model(*MUST, spec="shop.models:Cockatoo"))
    with pytest.raises(
        ReportError, match=r"of different models: OLD is of shop\.models:Parrot; NEW is of shop\.models:C"
    ):
        compare(old, new)


def test_what_became_worse_comes_first() -> None:
    """The text begins with the verdict, and tells of what newly fails what was expected and observed."""
    found = of("passed", "failed", expected="'moon'", observed="'mo'\n'on'")
    assert as_text(found) == (
        "worse: 1 MUST item newly fails\n\n"
        "Parrot (shop.models:Parrot): 1 newly failing\n"
        "  newly failing:\n"
        f"    {NAME} (MUST): passed -> failed\n"
        "      expected  'moon'\n"
        "      observed  'mo' ⏎ 'on'\n"
    )


def test_markdown_keeps_texts_as_they_are() -> None:
    """What a model said is code, and cannot end it."""
    text = as_markdown(of("passed", "failed", observed="``` @somebody </details>"))
    assert text.startswith("## Conformance: worse than before")
    assert "````text\nobserved  ``` @somebody </details>\n````" in text


def test_json_has_all() -> None:
    """The lists of items with both verdicts, for machines."""
    told = json.loads(as_json(of("gone", "failed", observed="x")))
    assert told["worse"] is False
    [of_model] = told["models"]["compared"]
    expected = {"name": NAME, "rule": "STREAM-02", "level": "MUST", "old": None, "new": "failed", "observed": "x"}
    assert of_model["added"] == [expected]
    assert of_model["newly_failing"] == []


def written(folder: Path, name: str, content: Any) -> str:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(("verdict", "status"), [("passed", 0), ("failed", 1)])
@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_the_exit_status_says_whether_it_is_worse(
    tmp_path: Path, capsys: Output, verdict: str, status: int, form: str
) -> None:
    """1 where a MUST newly fails, in each form of output."""
    old = written(tmp_path, "old.json", document(model(*MUST)))
    new = written(tmp_path, "new.json", document(model(judged(NAME, verdict))))
    assert main(["compare", old, new, "--format", form]) == status
    assert ("worse" in capsys.readouterr().out) is True


NONE = "is no report; --conformance-report=FILE.json writes one"
PARTS = "is a report of which parts are missing; write it anew"
BAD = [
    ("", NONE),
    ("[]", NONE),
    ({"suite": {"name": "another"}}, NONE),
    ({**document(model()), "schema": 2}, "is a report of version 2, and this reads version 1; write it anew"),
    (document({"label": "Parrot", "items": [], "outcome": "passed"}), PARTS),
    (document(model({"name": "x", "rule": "STREAM-02", "verdict": "passed"})), PARTS),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_is_told(tmp_path: Path, capsys: Output, content: Any, message: str) -> None:
    """Exit status 2, nothing on stdout, and what is wrong with which file."""
    good = written(tmp_path, "good.json", document(model()))
    bad = written(tmp_path, "bad.json", content)
    assert main(["compare", good, bad]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"conformance compare: {bad}: {message}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: Output) -> None:
    """The file and the reason."""
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    told = capsys.readouterr().err
    assert told == f"conformance compare: {tmp_path}/a.json: cannot be read: No such file or directory\n"
