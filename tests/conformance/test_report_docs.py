"""What docs/reports.md shows of reports beside the page is run, and says what is so."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from conformance.cli import parser
from conformance.reports.writers import WRITERS
from conformance.snapshots.scripts import METHODS, SCRIPTS

from .test_readme import blocks_of, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
BINARIES = Path(sys.executable).parent
FIRST = "## For pull requests and job summaries"


def commands() -> list[str]:
    """The commands from the Markdown on, in their order: later ones read what earlier ones wrote."""
    text = PAGE[PAGE.index(FIRST) :]
    return [
        line.removeprefix("$ ") for name, block in blocks_of(text) if name == "console" for line in block.splitlines()
    ]


def test_commands_work(tmp_path: Path) -> None:
    """One after the other, in one folder."""
    (tmp_path / "pyproject.toml").touch()
    for command in commands():
        name, *arguments = shlex.split(command)
        result = run([str(BINARIES / name), *arguments], tmp_path)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    assert (tmp_path / "all.html").exists()
    assert (tmp_path / "__transcripts__" / "ChatOpenAI.ambr").exists()


def test_commands_are_found() -> None:
    """Those of each section that shows any."""
    assert [command.split()[0] for command in commands()] == [
        *("pytest", "pytest", "conformance", "conformance", "pytest", "pytest", "conformance", "pytest", "pytest"),
    ]


def test_all_endings_are_told() -> None:
    """The page's table has each ending, and the help of the option names it."""
    table = PAGE[: PAGE.index("## ")]
    assert [ending for ending in WRITERS if f"`{ending}`" not in table] == []


def test_all_scripts_and_methods_are_told() -> None:
    """Each script, and each method by its part of the node id."""
    text = PAGE[PAGE.index("## What a model emits") :]
    assert [name for name in (*SCRIPTS, *METHODS) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(#([\w-]+)\)", PAGE))))
def test_links_within_the_page_lead_somewhere(link: str) -> None:
    """To a heading, as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert link in anchors


def test_the_commands_are_documented() -> None:
    """Both commands name the page in their help."""
    text = parser().format_help()
    assert "compare" in text
    assert "report" in text
