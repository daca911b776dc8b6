"""The plugin from the command line: files in, text out."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from .plugin_runs import REFERENCE, STANZA, run

TWICE = """
from tests.reference import ReferenceChat


class Twice(ReferenceChat):
    def _stream(self, *args, **kwargs):
        for chunk in super()._stream(*args, **kwargs):
            if chunk.generation_info and "finish_reason" in chunk.generation_info:
                yield chunk.model_copy(deep=True)
            yield chunk
"""


def test_rules_are_all_that_runs_without_paths(folder: pytest.Pytester) -> None:
    """A folder's own tests are not collected, nor does anything have to be written."""
    folder.makepyfile("def test_own(): raise AssertionError")
    result = run(folder, REFERENCE, "-k", "INVOKE-01 or BATCH-02")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(
        [
            "chat model: tests.reference:ReferenceChat*wire openai-chat*",
            "INVOKE    ........ *80%*",
            "BATCH     .. *100%*",
            "==== conformance of tests.reference:ReferenceChat*",
            "          MUST  SHOULD            MUST  SHOULD",
            "  INVOKE     1       -    BATCH      1       -",
            "  together   MUST 2 of 2 rules hold",
        ]
    )


def test_settings_of_the_folder_do_not_matter(folder: pytest.Pytester) -> None:
    """Strict settings, warnings as errors, other file patterns and test paths leave the verdicts as they are."""
    folder.makepyprojecttoml(
        STANZA
        + """
[tool.pytest.ini_options]
testpaths = ["checks"]
python_files = ["check_*.py"]
addopts = ["--strict-markers", "--strict-config", "-ra"]
filterwarnings = ["error"]
"""
    )
    folder.mkdir("checks")
    result = run(folder, REFERENCE, "-k", "STREAM-02 or EVENTS-01 or ASYNC-06")
    result.assert_outcomes(passed=16)


def test_paths_are_collected_as_usual(folder: pytest.Pytester) -> None:
    """With paths the rules stay away, and the fixtures are there."""
    folder.makepyfile(
        test_own="""
        import mockserver

        def test_own(chat_model, mock_server):
            mock_server.play(mockserver.Reply.of("Hel", "lo"))
            assert chat_model.invoke("Hi").content == "Hello"
            assert mock_server.exchanges[0].asked.text == "Hi"
        """
    )
    result = run(folder, REFERENCE, "test_own.py", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_own.py::test_own[[]ReferenceChat[]] PASSED*"])
    both = run(folder, REFERENCE, "test_own.py", "conformance::ReferenceChat::BATCH-02-sync")
    both.assert_outcomes(passed=2)


def test_fixtures_need_a_model(folder: pytest.Pytester) -> None:
    """A test that wants `chat_model` fails in one line where no model is named; `mock_server` works alone."""
    folder.makepyfile("def test_model(chat_model): pass\ndef test_server(mock_server): assert mock_server.url")
    result = run(folder)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["this test needs a model: pytest --chat-model=*"])


def test_node_ids_can_be_pasted_back(folder: pytest.Pytester) -> None:
    """An id runs one item; the part before a hyphenated case or a model runs what is below it."""
    listed = run(folder, REFERENCE, "--collect-only", "-q").outlines
    ids = [line for line in listed if line.startswith("conformance::")]
    assert len(ids) == len(set(ids)) > 100
    assert "conformance::ReferenceChat::STREAM-08-async-repeated" in ids
    run(folder, REFERENCE, "conformance::ReferenceChat::STREAM-08-async-repeated").assert_outcomes(passed=1)
    run(folder, REFERENCE, "conformance::ReferenceChat", "-k", "BATCH-02").assert_outcomes(passed=2)


def test_node_ids_are_the_same_in_every_folder(folder: pytest.Pytester) -> None:
    """Neither the folder nor its root nor where pytest is called from stands in an id."""
    here = run(folder, REFERENCE, "--collect-only", "-q").outlines
    below = folder.mkdir("below")
    (below / "pytest.ini").write_text("[pytest]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        there = run(folder, REFERENCE, "--collect-only", "-q").outlines
    assert [line for line in here if "::" in line] == [line for line in there if "::" in line]


def test_unknown_node_id(folder: pytest.Pytester) -> None:
    """A mistyped id is a usage error that names the nearest right one, and nothing runs."""
    result = run(folder, REFERENCE, "conformance::ReferenceChat::STREAM-02-sync-plane")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: not found: *; did you mean conformance::ReferenceChat::STREAM-02-sync-plain[?]"]
    )


def test_failures_select_and_stop(folder: pytest.Pytester) -> None:
    """`-x` stops at the first rule that does not hold, and `--lf` runs what failed before."""
    folder.makepyfile(twice=TWICE)
    model = "--chat-model=twice:Twice"
    first = run(folder, model, "-k", "STREAM-08 or BATCH-02")
    outcomes = first.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"], outcomes["warned"]) == (1, 4, 1)
    first.stdout.fnmatch_lines(["*FAILED conformance::Twice::STREAM-08-sync-plain*"])
    again = run(folder, model, "--lf")
    again.assert_outcomes(failed=1)
    stopped = run(folder, model, "-x", "-k", "STREAM-08 or BATCH-02")
    stopped.assert_outcomes(failed=1)


def test_failure_text(folder: pytest.Pytester) -> None:
    """A rule that does not hold says what was expected and seen, why, on which script, and how to run it again."""
    folder.makepyfile(twice=TWICE)
    result = run(folder, "--chat-model=twice:Twice", "-k", "STREAM-08-sync-plain")
    result.stdout.fnmatch_lines(
        [
            "STREAM-08  MUST  finish reason, model name, service tier * once in the sum *Twice · stream",
            "  expected   'stop'",
            "  observed   'stopstop'",
            "  because    chunks * and * both carry the finish reason",
            "  script     openai-chat: text in 3 pieces, finish, usage",
            "  wire       7 frames; #5 data: {*",
            "  hint       *",
            "  rerun      pytest --chat-model=twice:Twice -k STREAM-08-sync-plain",
            "MUST rules that do not hold:",
            "  STREAM-08 * [[]sync: plain[]]",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_workers_sum_up_alike(folder: pytest.Pytester) -> None:
    """Under pytest-xdist the summary is the one of a single process."""
    single = run(folder, REFERENCE, "--conformance-select=BATCH")
    spread = run(folder, REFERENCE, "--conformance-select=BATCH", "-p", "xdist", "-n", "2")
    spread.assert_outcomes(passed=19)
    line = next(line for line in single.outlines if line.startswith("  BATCH"))
    assert line == "  BATCH     9       -"
    assert line in spread.outlines


def test_junit_report_holds_the_rule(folder: pytest.Pytester) -> None:
    """`--junitxml` carries rule, level, area, form, case, model and verdict of each item as properties."""
    run(folder, REFERENCE, "-k", "BATCH-02-async", "--junitxml=report.xml")
    case = ET.parse(folder.path / "report.xml").find(".//testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("conformance.ReferenceChat", "BATCH-02-async")
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties == {
        "rule": "BATCH-02",
        "level": "MUST",
        "area": "BATCH",
        "model": "ReferenceChat",
        "form": "async",
        "case": "",
        "verdict": "passed",
    }


def test_what_is_not_applicable_has_a_reason(folder: pytest.Pytester) -> None:
    """`-rs` tells why a rule says nothing of a model, once for all its items."""
    result = run(folder, REFERENCE, "-k", "DEFAULT-02", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        [
            "Read more: conformance explain RULE; why rules are n/a: -rs",
            "SKIPPED [[]2[]] conformance::ReferenceChat::DEFAULT-02: ReferenceChat implements its async*",
        ]
    )


def test_should_warns(folder: pytest.Pytester) -> None:
    """A SHOULD that does not hold is told, with its text under `-v`, and does not fail the run."""
    folder.makepyfile(
        nameless="""
        from tests.reference import ReferenceChat

        class Nameless(ReferenceChat):
            def invoke(self, *args, **kwargs):
                print("what a model prints does not hide it")
                message = super().invoke(*args, **kwargs)
                del message.response_metadata["model_name"]
                return message
        """
    )
    result = run(folder, "--chat-model=nameless:Nameless", "-k", "INVOKE-04-sync", "-v")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*INVOKE-04-sync WARNED*",
            "INVOKE-04  SHOULD *",
            "  expected   'answering-model-*'",
            "SHOULD rules that do not hold:",
        ]
    )


def test_nothing_is_written(folder: pytest.Pytester) -> None:
    """A run leaves the folder as it was."""
    before = {path.relative_to(folder.path) for path in Path(folder.path).rglob("*")}
    run(folder, REFERENCE, "-k", "INVOKE-05", "-p", "no:cacheprovider")
    assert {path.relative_to(folder.path) for path in Path(folder.path).rglob("*")} == before
