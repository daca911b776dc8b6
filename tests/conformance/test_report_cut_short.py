"""Reports of runs that were cut short, in each form: none of them reads as a pass, and each says what is missing."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.reports.writers import WRITERS

from .plugin_runs import REFERENCE, STANZA
from .test_report import schema

REPORTS = tuple(f"--conformance-report=out{ending}" for ending in WRITERS)
DIES = """
import os

from tests.reference import ReferenceChat


class Dies(ReferenceChat):
    def batch(self, *args, **kwargs):
        os._exit(9)
"""
WAITS = """
import os
import socket
import threading

from tests.reference import ReferenceChat


class Waits(ReferenceChat):
    def batch(self, *args, **kwargs):
        with socket.create_connection(("127.0.0.1", int(os.environ["REACHED"]))):
            threading.Event().wait()
"""
CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
"""pytest, with interruptions: a shell in the background has its children ignore them."""
ROOT = Path(__file__).parents[2]


def child(folder: pytest.Pytester, name: str, model: str, *arguments: str, reached: int = 0) -> "subprocess.Popen[str]":
    """pytest in a process of its own, on a model of this text; it may say at a port that it has been `reached`."""
    folder.makepyfile(mine=model)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", f"mine:{name}"))
    command = [sys.executable, "-c", CHILD, "-p", "conformance.plugin", f"--chat-model=mine:{name}", *REPORTS]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder.path,
        env={
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PATH": os.environ["PATH"],
            "REACHED": str(reached),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def told(folder: pytest.Pytester) -> dict[str, Any]:
    """The report as JSON, which is incomplete, and so are all other forms of it."""
    texts = {ending: (folder.path / f"out{ending}").read_text(encoding="utf-8") for ending in WRITERS}
    document: dict[str, Any] = json.loads(texts[".json"])
    jsonschema.validate(document, schema())
    assert (document["complete"], document["outcome"]) == (False, "incomplete")
    assert texts[".md"].startswith("## Conformance: incomplete\n\n**Incomplete, which is no pass:** `")
    assert json.loads(texts[".badge.json"])["message"] == "incomplete"
    assert "<title>conformance: incomplete</title>" in texts[".svg"]
    assert '"incomplete"' in texts[".html"]
    return document


def test_a_worker_that_dies_is_told(folder: pytest.Pytester) -> None:
    """Under xdist with four workers: what the dead one was at is missing, all the rest has its verdict."""
    chosen = ("-p", "xdist", "-n", "4", "-k", "BATCH-02 or INVOKE-01")
    with child(folder, "Dies", DIES, *chosen) as process:
        output, _ = process.communicate(timeout=120)
    assert "crashed while running 'conformance::Dies::BATCH-02-sync'" in output
    assert "\nincomplete report (items have no verdict; 1 of " in output
    assert "\n  INCOMPLETE no verdict on 1 of " in output
    document = told(folder)
    [model] = document["models"]
    assert model["missing"] == ["BATCH-02-sync"]
    assert len(model["items"]) == model["chosen"] - 1 > 8
    assert "1 of " in document["why"]
    assert "BATCH-02-sync" in (folder.path / "out.md").read_text(encoding="utf-8")


def test_a_process_that_dies_is_told(folder: pytest.Pytester) -> None:
    """Without xdist nothing is written at the end; what was written at the start says so."""
    with child(folder, "Dies", DIES, "-k", "BATCH-02 or INVOKE-01") as process:
        process.communicate(timeout=120)
    assert process.returncode == 9
    assert told(folder)["ended"] == "unfinished"


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "2"]], ids=["one", "xdist"])
def test_ctrl_c_is_told(folder: pytest.Pytester, workers: list[str]) -> None:
    """What ran before has its verdict, what did not is named."""
    chosen = ("-k", "BATCH-02-sync or INVOKE-01")
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(120)
        with child(folder, "Waits", WAITS, *workers, *chosen, reached=door.getsockname()[1]) as process:
            connection, _ = door.accept()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=120)
            connection.close()
    assert "\nincomplete report (the run was interrupted; " in output
    assert "\n  INCOMPLETE no verdict on " in output
    document = told(folder)
    assert document["ended"] == "interrupted"
    [model] = document["models"]
    assert "BATCH-02-sync" in model["missing"]
    assert len(model["items"]) + len(model["missing"]) == model["chosen"]


def test_all_forms_are_written_by_one_run(folder: pytest.Pytester) -> None:
    """The option may be given several times; all say the same."""
    result = folder.runpytest_inprocess("-p", "conformance.plugin", REFERENCE, *REPORTS, "-k", "BATCH-02")
    result.assert_outcomes(passed=2)
    document = json.loads((folder.path / "out.json").read_text(encoding="utf-8"))
    assert document["outcome"] == "passed"
    assert (folder.path / "out.md").read_text(encoding="utf-8").startswith("## Conformance: passed")
    assert "passed, 2 of " in (folder.path / "out.svg").read_text(encoding="utf-8")
