"""`conformance matrix`, from the command line: lists in, rows and a page out."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.matrix.page import page
from conformance.matrix.results import Results

from .matrix_runs import LIST, LOST, REFERENCE, item, row, write_list

ROOT = Path(__file__).parents[2]
Output = pytest.CaptureFixture[str]
Matrix = Callable[..., int]
WAITING = """
import os, threading

with open({pipe!r}, "w") as pipe:
    pipe.write(str(os.getpid()))
threading.Event().wait()
"""


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Runs the command in a folder with a list, on a few rules."""
    write_list(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return lambda *arguments: main(["matrix", *arguments])


def rows(folder: Path) -> dict[str, Any]:
    """The documents that are kept, by name."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in (folder / "matrix-results").glob("*.json")]
    return {each["integration"]["name"]: each for each in found}


def test_a_list_is_measured_and_resumed(matrix: Matrix, tmp_path: Path, capsys: Output) -> None:
    """A class that cannot be imported is a row with its reason; what is finished is not run again."""
    assert matrix("list.toml", "--select", "BATCH-02", "--out", "page.md", "--jobs", "2") == 1
    told = capsys.readouterr().err
    assert f"{REFERENCE}: 0 MUST and 0 SHOULD rules do not hold; 2 items in " in told
    assert f"{LOST}: no result: --chat-model={LOST}: there is no module 'nowhere'" in told
    first = rows(tmp_path)
    assert first[REFERENCE]["report"]["models"][0]["counts"] == {"passed": 2}
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "1 of 2 integrations" in text
    assert f"| {LOST} | `{LOST}` | as installed |" in text

    assert matrix("list.toml", "--select", "BATCH-02") == 1
    assert f"finished before: {REFERENCE}" in capsys.readouterr().err
    assert rows(tmp_path)[REFERENCE] == first[REFERENCE]

    assert matrix("list.toml", "--select", "BATCH-05", "--only", "ReferenceChat") == 0
    assert [each["rule"] for each in rows(tmp_path)[REFERENCE]["report"]["models"][0]["items"]] == ["BATCH-05"] * 2


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile hear SIGINT, also where the tests run in the background and do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_what_runs_and_keeps_what_is_finished(tmp_path: Path, number: int) -> None:
    """Ctrl-C or a termination ends the second of two; the first one's result stays, and there is no page."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "waiting.py").write_text(WAITING.format(pipe=str(pipe)), encoding="utf-8")
    write_list(tmp_path, LIST.replace(LOST, "waiting:Chat"))
    command = [
        str(Path(sys.executable).parent / "conformance"),
        "matrix",
        "list.toml",
        "--select",
        "BATCH-02",
        "--jobs",
        "1",
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    running = subprocess.Popen([*command, "--out", "page.md"], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    child = int(pipe.read_text(encoding="utf-8"))
    running.send_signal(number)
    _, told = running.communicate(timeout=300)
    assert running.returncode == 1
    assert "interrupted; ending what runs" in told
    assert "1 are finished; the same command goes on from there" in told
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert list(rows(tmp_path)) == [REFERENCE]
    assert not (tmp_path / "page.md").exists()


def test_a_time_limit_is_a_reason(matrix: Matrix, tmp_path: Path, capsys: Output) -> None:
    """What takes too long is interrupted, and its row says so."""
    (tmp_path / "waiting.py").write_text("import threading\nthreading.Event().wait()", encoding="utf-8")
    write_list(tmp_path, '[[integration]]\nmodel = "waiting:Chat"\nenvironment = "current"\n')
    assert matrix("list.toml", "--time-limit", "1") == 1
    assert "waiting:Chat: no result: did not end within 1 s" in capsys.readouterr().err


def test_results_of_several_machines_merge(matrix: Matrix, tmp_path: Path) -> None:
    """The page of the merged rows is that of one machine; of a row that stands twice, the newest result counts."""
    held, broken = item("BATCH-02-sync", "passed"), item("BATCH-02-sync", "failed")
    old, new = row("a:A", broken, finished="2026-11-01"), row("a:A", held, finished="2026-11-02")
    failed, other = row("a:A", reason="no network", finished="2026-11-03"), row("b:B", held)
    for folder, kept in {"one": [new], "two": [old, other], "three": [failed]}.items():
        results = Results(tmp_path / "all" / folder)
        for each in kept:
            results.write(each)
    assert matrix("--merge", "all/one", "all/two", "all/three", "--out", "page.md") == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page([new, other])
    assert matrix("--merge", "all", "--out", "again.md") == 0
    assert (tmp_path / "again.md").read_text(encoding="utf-8") == page([new, other])


def test_names_are_for_a_job_matrix(matrix: Matrix, capsys: Output) -> None:
    """The names alone, as JSON; nothing runs."""
    assert matrix("list.toml", "--names") == 0
    assert json.loads(capsys.readouterr().out) == [REFERENCE, LOST]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lost.toml"], "lost.toml: cannot be read: No such file or directory"),
        (["list.toml", "--only", "ChatNone"], "--only ChatNone: nothing in the list is called so"),
        (["list.toml", "--shard", "5/4"], "--shard is written 1/4"),
        (["list.toml", "--select", "STREM"], "there is no rule, area or level STREM; did you mean STREAM?"),
        (["--merge", "nothing"], "nothing: holds no results"),
        (["list.toml", "--results", "list.toml"], "list.toml: cannot be made: File exists"),
    ],
)
def test_bad_input_is_told(matrix: Matrix, capsys: Output, arguments: list[str], message: str) -> None:
    """Exit status 2 and one line, before anything is run."""
    assert matrix(*arguments) == 2
    assert message in capsys.readouterr().err


def test_files_that_are_no_results_are_told(matrix: Matrix, tmp_path: Path, capsys: Output) -> None:
    """A foreign file and one of another version stop a merge; neither is passed over."""
    for text, message in {"[1]": "is no result of", '{"matrix": 99}': "is of another version"}.items():
        (tmp_path / "foreign").mkdir(exist_ok=True)
        (tmp_path / "foreign" / "a.json").write_text(text, encoding="utf-8")
        assert matrix("--merge", "foreign") == 2
        assert f"foreign/a.json: {message}" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "1.5", "many"])
def test_counts_are_numbers(matrix: Matrix, capsys: Output, count: str) -> None:
    """Nothing runs with no jobs."""
    with pytest.raises(SystemExit) as ended:
        matrix("--jobs", count)
    assert ended.value.code == 2
    assert "a number from 1 on" in capsys.readouterr().err
