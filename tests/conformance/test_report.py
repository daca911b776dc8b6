"""`--conformance-report`: the result of a run for machines."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.catalogue import rules

from .plugin_runs import REFERENCE, STANZA, run

REPORT = "--conformance-report=report.json"
LATE = """
from tests.reference import ReferenceChat


class Late(ReferenceChat):
    def _stream(self, *args, **kwargs):
        yield from list(super()._stream(*args, **kwargs))
"""
INTERRUPTS = """
def pytest_runtest_logreport(report):
    if report.when == "call" and report.nodeid.endswith("{last}"):
        raise {error}
"""


@cache
def schema() -> Any:
    text = resources.files("conformance.reports").joinpath("report.schema.json").read_text(encoding="utf-8")
    return json.loads(text)


def written(folder: pytest.Pytester) -> Any:
    """The report, checked against its published schema."""
    document = json.loads((folder.path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema(), format_checker=jsonschema.FormatChecker())
    return document


def test_schema_is_one() -> None:
    """The published schema is a JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_run_is_told_in_full(folder: pytest.Pytester) -> None:
    """Model, versions, methods and each item with its verdict, in the order in which they ran."""
    result = run(folder, REFERENCE, REPORT, "-k", "BATCH-02 or DEFAULT-02")
    result.assert_outcomes(passed=2, skipped=2)
    assert "report written to report.json" in result.outlines
    document = written(folder)
    assert (document["complete"], document["ended"], document["outcome"]) == (True, "finished", "passed")
    [model] = document["models"]
    assert (model["spec"], model["label"]) == ("tests.reference:ReferenceChat", "ReferenceChat")
    assert (model["wire"], model["class"]) == ("openai-chat", "tests.reference:ReferenceChat")
    assert model["native"] == {"invoke": True, "ainvoke": True, "stream": True, "astream": True}
    assert "langchain-core" in model["versions"]
    assert (model["chosen"], model["counts"]) == (4, {"not applicable": 2, "passed": 2})
    assert model["catalogue"] > 500
    assert [item["name"] for item in model["items"]][:2] == ["BATCH-02-sync", "BATCH-02-async"]
    assert model["items"][0]["seconds"] > 0
    assert "implements its async methods itself" in model["items"][2]["reason"]
    rule = rules()["BATCH-02"]
    told = {"statement": rule.statement, "hint": rule.hint, "mend": rule.mend, "source": rule.source}
    assert document["rules"]["BATCH-02"] == {"level": "MUST", **told}
    assert not any("timeline" in item for item in model["items"])


def test_what_does_not_hold_is_told(folder: pytest.Pytester) -> None:
    """A failure has what was expected and observed, and how it is run again."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    run(folder, "--chat-model=mine:Late", REPORT, "-k", "STREAM-03-sync or STREAM-04-sync")
    document = written(folder)
    must, should = document["models"][0]["items"]
    assert (must["verdict"], should["verdict"]) == ("failed", "warned")
    assert must["expected"] == "a chunk with text before the second piece is sent"
    assert must["observed"].startswith("none")
    assert must["rerun"] == "pytest --chat-model=mine:Late -k STREAM-03-sync"
    assert document["outcome"] == "failed"


def test_what_went_on_is_told(folder: pytest.Pytester) -> None:
    """A failure has what the caller did and what the server wrote and held back, and pytest's own XML has not."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    arguments = ("-p", "xdist", "-n", "1", "--junitxml=junit.xml", "-k", "STREAM-03-sync")
    run(folder, "--chat-model=mine:Late", REPORT, *arguments)
    timeline = written(folder)["models"][0]["items"][0]["timeline"]
    [call], [exchange] = timeline["calls"], timeline["exchanges"]
    assert call["name"] == "stream"
    assert [step["what"] for step in call["steps"]] == ["asks"]
    assert [write["kind"] for write in exchange["writes"]] == ["start", "piece"]
    assert "One " in exchange["writes"][1]["bytes"]
    assert [held["writes"] for held in exchange["held"]] == [2]
    assert "until" not in exchange["held"][0]
    assert "ended" not in exchange
    assert timeline["seconds"] > exchange["held"][0]["at"] > exchange["at"]
    assert "timeline" not in (folder.path / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "1"]], ids=["one", "xdist"])
def test_a_run_that_stops_early_is_no_pass(folder: pytest.Pytester, workers: list[str]) -> None:
    """With -x, what did not run keeps the run from being complete, and what ran is told."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    run(folder, "--chat-model=mine:Late", REPORT, *workers, "-x", "-k", "STREAM-03-sync or (EVENTS and not EVENTS-01)")
    document = written(folder)
    assert (document["complete"], document["ended"], document["outcome"]) == (False, "stopped", "incomplete")
    assert "stopping after 1 failures" in document["why"]
    assert "items have no verdict" in document["why"]
    [model] = document["models"]
    assert model["outcome"] == "incomplete"
    assert len(model["missing"]) == model["chosen"] - len(model["items"]) > 0
    assert model["missing"][0].startswith("EVENTS-")


@pytest.mark.parametrize(("error", "ended"), [("KeyboardInterrupt", "interrupted"), ("OSError(5)", "crashed")])
def test_a_run_that_is_broken_off_is_no_pass(folder: pytest.Pytester, error: str, ended: str) -> None:
    """An interruption and an error of a plugin leave a report that says so, with what ran before."""
    folder.makeconftest(INTERRUPTS.format(last="BATCH-02-sync", error=error))
    arguments = ("-p", "conformance.plugin", REFERENCE, REPORT, "-k", "BATCH-02")
    assert folder.runpytest_inprocess(*arguments, no_reraise_ctrlc=True).ret != 0
    document = written(folder)
    assert (document["complete"], document["ended"], document["outcome"]) == (False, ended, "incomplete")


def test_a_run_that_dies_is_no_pass(folder: pytest.Pytester) -> None:
    """What a killed process leaves is no older result, but one that says that the run did not end."""
    (folder.path / "report.json").write_text('{"outcome": "passed"}')
    folder.makeconftest(INTERRUPTS.format(last="BATCH-02-sync", error="__import__('os')._exit(9)"))
    assert folder.runpytest_subprocess("-p", "conformance.plugin", REFERENCE, REPORT, "-k", "BATCH-02").ret == 9
    document = written(folder)
    assert (document["complete"], document["ended"], document["outcome"]) == (False, "unfinished", "incomplete")


def test_a_run_of_nothing_is_no_pass(folder: pytest.Pytester) -> None:
    """Where no rule is chosen, nothing was shown."""
    run(folder, REFERENCE, REPORT, "-k", "nothing_is_called_so")
    document = written(folder)
    assert (document["complete"], document["why"]) == (False, "no rule was chosen, or none could be collected")


def test_workers_tell_the_controller(folder: pytest.Pytester) -> None:
    """Under xdist the report is the same but for the times."""
    run(folder, REFERENCE, REPORT, "-k", "BATCH-02 or INVOKE-01")
    alone = timeless(written(folder))
    run(folder, REFERENCE, REPORT, "-p", "xdist", "-n", "2", "-k", "BATCH-02 or INVOKE-01")
    assert timeless(written(folder)) == alone


def timeless(document: Any) -> Any:
    """The document without the times."""
    for each in (document, *(item for model in document["models"] for item in model["items"])):
        each.pop("seconds")
    document.pop("started")
    return document


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [REFERENCE, "--conformance-report=report.txt"],
            "*report.txt: reports are written to files that end in *.html, .json*",
        ),
        ([REFERENCE, "--conformance-report=nowhere/report.json"], "*nowhere/report.json: cannot be written: *"),
        ([REPORT], "*--conformance-report goes with --chat-model"),
    ],
)
def test_bad_input_is_told(folder: pytest.Pytester, arguments: list[str], message: str) -> None:
    """Another ending, a folder that is not there and a report of no model are refused before anything runs."""
    result = run(folder, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert not list(Path(folder.path).glob("**/report.*"))
