"""The workflow that runs the matrix on several machines, and the page that tells how."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cli import parser
from conformance.matrix.listing import SHIPPED, chosen, load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "running-the-matrix.md").read_text(encoding="utf-8")
OPTIONAL = re.compile(r"\$\{\w+:\+([^}]*)\}")
"""An argument that a shell gives where a variable is set."""


def workflow() -> Any:
    return yaml.safe_load((ROOT / "docs" / "ci" / "matrix.yml").read_text(encoding="utf-8"))


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow()["jobs"][job]["steps"]
    return found


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of this project in shell lines, with optional arguments given."""
    for line in OPTIONAL.sub(r"\1", text).splitlines():
        if found := re.search(r"(conformance matrix.*?)(\)| \|\| .*|$)", line.partition(" #")[0]):
            yield shlex.split(found[1])[1:]


def all_commands() -> list[list[str]]:
    runs = [step["run"] for job in workflow()["jobs"] for step in steps(job) if "run" in step]
    shown = re.findall(r"^```(?:console|sh)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [command for text in [*runs, *shown] for command in commands_of(text)]


@pytest.mark.parametrize("command", all_commands(), ids=" ".join)
def test_commands_exist(command: list[str]) -> None:
    """What workflow and page run is what the command takes."""
    assert parser().parse_args(command).command == "matrix"


def test_all_commands_are_found() -> None:
    """The workflow names, measures and merges; the page shows more."""
    options = {part for command in all_commands() for part in command if part.startswith("--")}
    assert {"--names", "--only", "--select", "--results", "--merge", "--out", "--shard"} <= options


def test_jobs_hand_on_what_the_next_needs() -> None:
    """Names go from the first job to the matrix, results from there to the last job."""
    jobs = workflow()["jobs"]
    assert jobs["measure"]["strategy"]["matrix"]["name"] == "${{ fromJSON(needs.names.outputs.names) }}"
    assert jobs["names"]["outputs"] == {"names": "${{ steps.names.outputs.names }}"}
    [sent] = [step["with"] for step in steps("measure") if "upload-artifact" in step.get("uses", "")]
    [got] = [step["with"] for step in steps("report") if "download-artifact" in step.get("uses", "")]
    assert sent["name"].startswith(got["pattern"].rstrip("*"))
    assert sent["path"] == got["path"] == "results"


def test_names_of_the_shipped_list_name_one_each() -> None:
    """A job's name, given to --only, chooses what it is of; the list has no more names than a job matrix has jobs."""
    found = load(SHIPPED)
    assert len(found) <= 256
    assert all(each in chosen(found, only=[each.name]) for each in found)
