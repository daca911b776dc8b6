"""`--conformance-transcripts`: what a model emits, kept and compared."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic import BaseModel, ConfigDict

import conformance.snapshots.collecting  # noqa: F401 - need not be imported again for each run
from conformance.snapshots import is_transcript
from conformance.snapshots.amber import file_of, keep, kept
from conformance.snapshots.plain import Entry, message, plain, stable
from conformance.snapshots.scripts import METHODS, SCRIPTS, transcripts
from conformance.target import resolve

from ..broken.judging import STANZAS
from .plugin_runs import REFERENCE, STANZA, run
from .test_report import written

ASKED = ("-p", "syrupy", REFERENCE, "--conformance-transcripts")
SOME = "conformance::ReferenceChat::transcript-stream-text-sync"
FILE = "__transcripts__/ReferenceChat.ambr"
LOUD = """
from tests.reference import ReferenceChat


class ReferenceChat(ReferenceChat):
    def _chunk(self, event):
        chunk = super()._chunk(event)
        if chunk:
            chunk.message.content = chunk.message.content.upper()
        return chunk
"""


def kept_in(folder: pytest.Pytester) -> dict[str, str]:
    return kept(folder.path / FILE)


def test_all_are_kept_and_compared(folder: pytest.Pytester) -> None:
    """Each script by each method; a later run finds what was kept, whatever ids and ports it has."""
    result = run(folder, *ASKED, "-k", "transcript", "--snapshot-update")
    result.assert_outcomes(passed=40)
    result.stdout.fnmatch_lines([f"transcripts of ReferenceChat: 40 written, 0 removed, 40 in {FILE}"])
    texts = kept_in(folder)
    assert len(texts) == 41
    assert texts["stream-text-sync"].splitlines()[0].startswith('AIMessageChunk content="The moon "')
    assert 'id="lc_run--<uuid 1>"' in texts["stream-text-sync"]
    assert texts["stream-error-async"].splitlines()[-1].startswith("raises type=")
    assert "langchain-core " in texts["versions"]
    assert "127.0.0.1" not in "".join(texts.values())
    again = run(folder, *ASKED, "-k", "transcript")
    again.assert_outcomes(passed=40)
    assert "transcripts of" not in again.stdout.str()


def test_nothing_is_collected_without_the_option(folder: pytest.Pytester) -> None:
    """And no transcript can be named."""
    assert run(folder, REFERENCE, "-k", "transcript").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = run(folder, REFERENCE, SOME)
    result.stderr.fnmatch_lines([f"*not found: {SOME}*"])


def test_syrupy_is_imported_for_transcripts_alone(folder: pytest.Pytester) -> None:
    """A run of rules alone does not need it."""
    folder.makeconftest(
        """
        import sys

        def pytest_sessionfinish():
            print("syrupy:", any(name.startswith("syrupy") for name in sys.modules))
        """
    )
    result = folder.runpytest_subprocess("-p", "conformance.plugin", REFERENCE, "-k", "BATCH-02", "-s")
    result.stdout.fnmatch_lines(["*syrupy: False*"])


def test_one_that_is_not_kept_fails(folder: pytest.Pytester) -> None:
    """It says how to keep it; the command given for it does."""
    result = run(folder, *ASKED, SOME)
    result.assert_outcomes(failed=1)
    told = result.stdout.str()
    assert f"observed   it is not kept yet in {FILE}" in told
    [command] = re.findall(r"accept +pytest (.*)", told)
    run(folder, "-p", "syrupy", *command.split()).assert_outcomes(passed=1)
    assert list(kept_in(folder)) == ["stream-text-sync", "versions"]


def test_what_changed_is_shown(folder: pytest.Pytester) -> None:
    """A model that emits something else fails with a diff, though other transcripts hold; an update renews it alone."""
    chosen = ("-k", "transcript and text-sync")
    run(folder, *ASKED, *chosen, "--snapshot-update").assert_outcomes(passed=3)
    before = kept_in(folder)
    folder.makepyfile(mine=LOUD)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:ReferenceChat"))
    loud = ("-p", "syrupy", "--chat-model=mine:ReferenceChat", "--conformance-transcripts", *chosen)
    result = run(folder, *loud)
    result.assert_outcomes(passed=1, failed=2)
    lines = [line.strip() for line in result.stdout.lines]
    assert any(re.match(r'-AIMessageChunk content="The moon "', line) for line in lines)
    assert any(re.match(r'\+AIMessageChunk content="THE MOON "', line) for line in lines)
    assert f"kept in    {FILE}" in lines
    run(folder, *loud, "--snapshot-update").assert_outcomes(passed=3)
    after = kept_in(folder)
    assert after["invoke-text-sync"] == before["invoke-text-sync"]
    assert after["stream-text-sync"] != before["stream-text-sync"]
    run(folder, *loud).assert_outcomes(passed=3)


def test_what_no_longer_applies_is_a_change(folder: pytest.Pytester) -> None:
    """A transcript that is kept, of what the model no longer claims, fails until an update removes it."""
    chosen = (*ASKED, "-k", "transcript-invoke-tools-sync")
    run(folder, *chosen, "--snapshot-update").assert_outcomes(passed=1)
    folder.makepyprojecttoml(f'{STANZA}lacks = ["tools"]\n')
    result = run(folder, *chosen)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*observed   not applicable: ReferenceChat does not claim 'tools'"])
    result = run(folder, *chosen, "--snapshot-update")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"transcripts of ReferenceChat: 0 written, 1 removed, 0 in {FILE}"])
    run(folder, *chosen).assert_outcomes(skipped=1)


def test_what_stands_in_no_run_is_removed(folder: pytest.Pytester) -> None:
    """An update takes out what no script of this release has, and leaves what was not chosen."""
    run(folder, *ASKED, SOME, "--snapshot-update").assert_outcomes(passed=1)
    file = folder.path / FILE
    keep(file, {**kept(file), "invoke-text-sync": "AIMessage", "invoke-forgotten-sync": "AIMessage"})
    run(folder, *ASKED, SOME, "--snapshot-update").assert_outcomes(passed=1)
    assert list(kept(file)) == ["invoke-text-sync", "stream-text-sync", "versions"]


def test_only_what_is_missing_is_kept(folder: pytest.Pytester) -> None:
    """With syrupy's --snapshot-update-new-only, what changed still fails."""
    file = folder.path / FILE
    keep(file, {"stream-text-sync": "AIMessage"})
    result = run(folder, *ASKED, "-k", "transcript-stream-text", "--snapshot-update-new-only")
    result.assert_outcomes(passed=1, failed=1)
    assert kept(file)["stream-text-sync"] == "AIMessage"
    assert kept(file)["stream-text-async"].startswith("AIMessageChunk")


def test_workers_keep_them_together(folder: pytest.Pytester) -> None:
    """Under xdist all stand in the one file, as they do without it."""
    chosen = (*ASKED, "-k", "transcript and (text or tools)", "--snapshot-update")
    run(folder, *chosen)
    alone = (folder.path / FILE).read_text(encoding="utf-8")
    (folder.path / FILE).unlink()
    run(folder, *chosen, "-p", "xdist", "-n", "2")
    assert (folder.path / FILE).read_text(encoding="utf-8") == alone


def test_a_report_is_of_the_rules(folder: pytest.Pytester) -> None:
    """Transcripts neither stand in it nor keep it from being complete."""
    run(folder, *ASKED, "-k", "BATCH-02 or transcript-invoke", "--snapshot-update", "--conformance-report=report.json")
    document = written(folder)
    assert document["complete"] is True
    assert [item["rule"] for item in document["models"][0]["items"]] == ["BATCH-02", "BATCH-02"]


def test_the_tree_above_names_both(folder: pytest.Pytester) -> None:
    """The node id of a model stands for its rules and its transcripts."""
    chosen = ("conformance::ReferenceChat", "-k", "BATCH-02 or transcript-stream-text")
    result = run(folder, *ASKED, *chosen, "--collect-only", "-q")
    assert [line.rpartition("::")[2] for line in result.outlines if "::" in line] == [
        *("BATCH-02-sync", "BATCH-02-async", "transcript-stream-text-sync", "transcript-stream-text-async"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((REFERENCE, "--conformance-transcripts"), "*needs syrupy's plugin, which is not loaded: -p syrupy"),
        ((*ASKED, f"{SOME}c"), f"*not found: {SOME}c; did you mean {SOME}?"),
        (("-p", "syrupy", "--conformance-transcripts"), "*--conformance-transcripts goes with --chat-model"),
    ],
)
def test_bad_input_is_told(folder: pytest.Pytester, arguments: tuple[str, ...], message: str) -> None:
    """Before anything runs."""
    result = run(folder, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_node_ids_tell_them_apart() -> None:
    """By how their last part begins."""
    assert is_transcript(SOME)
    assert not is_transcript("conformance::transcript-x::STREAM-01-sync")


def test_names_are_unique() -> None:
    """Each script by each method in each of its forms, but no error in the middle of a whole answer."""
    target = resolve("tests.reference:ReferenceChat", {}, STANZAS)
    names = [each.name for each in transcripts(target)]
    assert len(names) == len(set(names)) == len(SCRIPTS) * sum(map(len, METHODS.values())) - 2


def test_files_are_told_apart_by_arguments(tmp_path: Path) -> None:
    """The same class with other constructor arguments emits something else."""
    plain_one = resolve("tests.reference:ReferenceChat", {}, STANZAS)
    cool = resolve("tests.reference:ReferenceChat", {"temperature": 0, "stop": ["a/b"]}, STANZAS)
    assert file_of(plain_one, tmp_path) == tmp_path / "__transcripts__" / "ReferenceChat.ambr"
    name = file_of(cool, tmp_path).name
    assert re.fullmatch(r"ReferenceChat-temperature=0-stop=\S+-[0-9a-f]{6}\.ambr", name)


UUID = "01a206a0-ce1e-7340-9c1f-92ccc97697f"


def taken(*fields: Any) -> list[Entry]:
    return [Entry("given", each) for each in fields]


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ({"id": f"run--{UUID}1"}, {"id": f"run--{UUID}2"}, 'given id="run--<uuid 1>"'),
        ({"a": f"{UUID}1", "b": f"{UUID}1", "c": f"{UUID}3"}, {}, 'given a="<uuid 1>" b="<uuid 1>" c="<uuid 2>"'),
        ({"id": "abc", "same": "abd"}, {"id": "xyz", "same": "abd"}, 'given id="<varies 1>" same="abd"'),
        ({"took": {"s": [1.25, 2]}}, {"took": {"s": [1.5, 2]}}, 'given took={"s": ["<varies 1>", 2]}'),
        ({"at": "2026-11-23T03:04:05.678Z"}, {"at": "2026-11-23T03:04:05Z"}, 'given at="<time>"'),
        ({"date": "Mon, 23 Nov 2026 03:04:05 GMT"}, {}, 'given date="<time>"'),
        ({"at": "http://127.0.0.1:8123/v1", "host": "127.0.0.1:8123"}, {}, 'given at="<server>/v1" host="<server>"'),
        ({"model": "answering-model-2026-01-01"}, {}, 'given model="answering-model-2026-01-01"'),
        ({"created": 1_700_000_000, "count": 7, "is": True}, {}, "given created=1700000000 count=7 is=true"),
        ({"half": "\ud83d"}, {}, r'given half="\ud83d"'),
    ],
)
def test_what_differs_in_each_run_is_a_token(first: dict[str, Any], second: dict[str, Any], line: str) -> None:
    """Ids, times, the server, and what differs between two runs; one value has one token."""
    [entry] = stable(taken(first), taken({**first, **second}), "http://127.0.0.1:8123")
    assert entry.line() == line


def test_a_time_of_today_is_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds, milliseconds and nanoseconds."""
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    times = {"s": 1_800_000_009, "ms": 1_800_000_009_000.0, "ns": 1_800_000_009_000_000_000, "old": 1_700_000_000}
    [entry] = stable(taken(times), taken(times), "http://127.0.0.1:8123")
    assert entry.fields == {"s": "<time>", "ms": "<time>", "ns": "<time>", "old": 1_700_000_000}


def test_runs_of_other_lengths_are_compared_as_far_as_they_go() -> None:
    """What the second run has not stays as it is."""
    entries = stable(taken({"a": "x"}, {"a": ["y", "z"]}), taken({"a": "x"}), "http://h")
    assert [entry.line() for entry in entries] == ['given a="x"', 'given a=["y", "z"]']


def test_messages_tell_what_is_not_empty() -> None:
    """Content always, and all fields that say something."""
    chunk = AIMessageChunk(content="", response_metadata={"finish_reason": None})
    assert message(chunk).line() == 'AIMessageChunk content="" response_metadata={"finish_reason": null}'
    inner = plain({"message": AIMessage(content=[{"type": "text"}], id="1"), "lc_versions": {"a": "1"}})
    assert inner == {"message": {"AIMessage": {"content": [{"type": "text"}], "id": "1"}}}


class Given(BaseModel):
    model_config = ConfigDict(extra="allow")

    kept: int = 1
    taken: int = 2


def test_objects_are_told_by_what_they_have() -> None:
    """With fields that were added, and without those that were taken away."""
    given = Given(more=[1])  # type: ignore[call-arg]
    del given.taken
    assert plain({"usage": given}) == {"usage": {"kept": 1, "more": [1]}}


def test_other_values_are_told_by_their_repr() -> None:
    """Without where they stand in memory."""
    assert re.fullmatch(r"<object object at …>", plain(object()))
    assert plain((1, None, b"x")) == [1, None, "b'x'"]
