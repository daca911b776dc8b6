"""`conformance report`: several reports as one, in any form."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.cli import main
from conformance.matrix.listing import Integration
from conformance.matrix.results import Results, Row
from conformance.reports.merge import Part, merged

from .made_reports import cut_short, document, judged, model
from .test_report import schema

Output = pytest.CaptureFixture[str]
FIRST, LATER = "2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00+00:00"
INVOKE = judged("INVOKE-01-sync-plain", "passed")
STREAM = judged("STREAM-02-sync-plain", "passed")
BROKEN = judged("STREAM-02-sync-plain", "failed")


def merge(*documents: Any) -> Any:
    """The documents, as one that fits the published schema."""
    found = merged([Part(f"part-{number}.json", each) for number, each in enumerate(documents, 1)])
    jsonschema.validate(found.document, schema(), format_checker=jsonschema.FormatChecker())
    return found


def test_one_report_stays_as_it_is() -> None:
    """Nothing is lost or changed."""
    whole = document(model(INVOKE, STREAM))
    assert merge(whole).document == whole


def test_shards_of_a_run_are_one_model() -> None:
    """Their items stand together in the order of the catalogue, and their times add up."""
    found = merge(document(model(STREAM), started=LATER), document(model(INVOKE), started=FIRST))
    [one] = found.document["models"]
    assert [item["name"] for item in one["items"]] == [INVOKE["name"], STREAM["name"]]
    assert (one["label"], one["chosen"], one["counts"], one["outcome"]) == ("Parrot", 2, {"passed": 2}, "passed")
    assert list(found.document["rules"]) == ["INVOKE-01", "STREAM-02"]
    assert (found.document["started"], found.document["seconds"]) == (FIRST, 122.0)
    assert found.notes == ()


@pytest.mark.parametrize("turned", [False, True])
def test_the_later_verdict_counts(*, turned: bool) -> None:
    """Of an item that stands in two reports, that of the one which began later, and it is told."""
    both = [document(model(STREAM), started=FIRST), document(model(BROKEN), started=LATER)]
    found = merge(*(reversed(both) if turned else both))
    assert [model["outcome"] for model in found.document["models"]] == ["failed"]
    first, later = ("part-2.json", "part-1.json") if turned else ("part-1.json", "part-2.json")
    assert found.notes == (
        "Parrot: 1 item with other verdicts in another part",
        f"STREAM-02-sync-plain: passed in {first}, failed in {later}; the later counts",
    )


def test_an_incomplete_part_keeps_the_whole_incomplete() -> None:
    """Even where all of its items have a verdict in another; what lacks one is named."""
    missing = model(INVOKE, missing=[STREAM["name"], "STREAM-03-sync"])
    found = merge(document(model(STREAM)), cut_short(missing, started=LATER), document(model(INVOKE, label="Other")))
    told = found.document
    assert (told["complete"], told["ended"], told["outcome"]) == (False, "interrupted", "incomplete")
    assert told["why"] == "part-2.json: the run was interrupted"
    [parrot, other] = told["models"]
    assert (parrot["outcome"], parrot["missing"], parrot["chosen"]) == ("incomplete", ["STREAM-03-sync"], 3)
    assert other["outcome"] == "passed"
    assert "part-2.json: the run was interrupted" in found.notes


def test_models_of_one_name_are_told_apart() -> None:
    """Those of other versions, arguments or Pythons are no shards of one run; what differs stands in their labels."""
    versions = {"langchain-core": "1.0.0", "langchain-shop": "1.2.3"}
    python = {"version": "3.12.1", "implementation": "CPython", "system": "Linux x86_64"}
    found = merge(
        document(model(STREAM)),
        document(model(BROKEN, kwargs={"temperature": 0})),
        document(model(STREAM, versions=versions)),
        document(model(STREAM), python=python),
    )
    assert [each["label"] for each in found.document["models"]] == [
        "Parrot (langchain-core 1.7.2, Python 3.11.9)",
        'Parrot ({"temperature": 0})',
        "Parrot (langchain-core 1.0.0)",
        "Parrot (langchain-core 1.7.2, Python 3.12.1)",
    ]
    assert found.document["outcome"] == "failed"


def test_other_rules_are_told() -> None:
    """Reports that were judged with different catalogues can be put together, and it is said."""
    suite = {**document(model())["suite"], "catalogue": {"revision": "2026.2", "digest": "1" * 16}}
    found = merge(document(model(STREAM)), document(model(STREAM, label="Other"), suite=suite, started=LATER))
    assert found.document["suite"] == suite
    assert any(note.startswith("judged with different rules") for note in found.notes)


def written(file: Path, content: Any) -> str:
    file.write_text(json.dumps(content), encoding="utf-8")
    return str(file)


def test_the_command_writes_each_form(tmp_path: Path, capsys: Output) -> None:
    """Files that are named several times over, by their endings; a folder stands for all reports below it."""
    (tmp_path / "jobs" / "one").mkdir(parents=True)
    written(tmp_path / "jobs" / "one" / "report.json", document(model(INVOKE)))
    written(tmp_path / "jobs" / "conformance.badge.json", {"schemaVersion": 1})
    later = written(tmp_path / "later.json", document(model(BROKEN), started=LATER))
    outs = [str(tmp_path / f"out{ending}") for ending in (".json", ".html", ".md", ".svg", ".badge.json")]
    arguments = [part for out in outs for part in ("-o", out)]
    assert main(["report", str(tmp_path / "jobs"), later, *arguments]) == 0
    assert capsys.readouterr() == ("failed: 1 model, of 2 reports\n", "")
    told = json.loads(Path(outs[0]).read_text(encoding="utf-8"))
    assert told["models"][0]["counts"] == {"failed": 1, "passed": 1}
    assert [Path(out).read_text(encoding="utf-8")[:3] for out in outs[1:4]] == ["<!d", "## ", "<sv"]


def test_an_incomplete_part_is_the_exit_status(tmp_path: Path, capsys: Output) -> None:
    """1, and which part it is; the report is written all the same."""
    part = written(tmp_path / "part.json", cut_short(model(missing=["STREAM-03-sync"])))
    assert main(["report", part, "-o", str(tmp_path / "out.md")]) == 1
    out, error = capsys.readouterr()
    assert (out, error) == (
        "incomplete: 1 model, of 1 report\n",
        f"conformance report: {part}: the run was interrupted\n",
    )
    assert (tmp_path / "out.md").read_text(encoding="utf-8").startswith("## Conformance: incomplete")


def row(name: str, **told: Any) -> Row:
    integration = Integration(name=name, model="shop.models:Parrot", packages=("langchain-shop==1.2.3",))
    return Row(integration=integration, key="k", finished=told.pop("finished", FIRST), **told)


def test_results_of_the_matrix_are_reports(tmp_path: Path, capsys: Output) -> None:
    """Each is called as the list calls it; of one that stands twice the newest counts; the lost one is named."""
    first, later = Results(tmp_path / "first"), Results(tmp_path / "later")
    first.write(row("Parrot, Responses", report=document(model(BROKEN))))
    later.write(row("Parrot, Responses", report=document(model(STREAM)), finished=LATER))
    later.write(row("shop.models:Parrot", report=document(model(STREAM, INVOKE, kwargs={"a": 1}))))
    later.write(row("Cockatoo", reason="cannot be installed"))
    out = tmp_path / "all.json"
    assert main(["report", str(first.folder), str(later.folder), "-o", str(out)]) == 1
    told = json.loads(out.read_text(encoding="utf-8"))
    jsonschema.validate(told, schema())
    assert {each["label"]: each["outcome"] for each in told["models"]} == {
        "Parrot, Responses": "passed",
        "Parrot": "passed",
    }
    assert (told["outcome"], told["why"]) == ("incomplete", "Cockatoo: cannot be installed")
    assert "Cockatoo: cannot be installed" in capsys.readouterr().err


ENDINGS = ".badge.json, .html, .json, .md, .svg"


@pytest.mark.parametrize(
    ("files", "out", "message"),
    [
        (["good.json"], "out.pdf", f"out.pdf: reports are written to files that end in {ENDINGS}"),
        (["none.json"], "out.md", "none.json: cannot be read: No such file or directory"),
        (["empty"], "out.md", "empty: there are no reports in it; --conformance-report=FILE.json writes one"),
        (["row.json"], "out.md", "row.json: is no result of `conformance matrix`"),
        (["good.json"], "nowhere/out.md", "nowhere/out.md: cannot be written: No such file or directory"),
    ],
)
def test_bad_input_is_told(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, files: list[str], out: str, message: str
) -> None:
    """Exit status 2, and what is wrong; nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    written(tmp_path / "good.json", document(model(STREAM)))
    written(tmp_path / "row.json", {"matrix": 1})
    assert main(["report", *files, "-o", out]) == 2
    assert capsys.readouterr() == ("", f"conformance report: {message}\n")
    assert not list(tmp_path.glob("out.*"))
