"""What README and findings show is run, and says what is shown."""

import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from conformance.integrations import parse
from mockserver.loader import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FINDINGS = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
Block = tuple[str, str]


def blocks_of(text: str) -> list[Block]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


BLOCKS = blocks_of(README)
SETUP = ("python3 -m venv", "pip install")
"""Commands that make an environment; `.ci/run` takes them from the README and runs them."""


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def shown_with_output() -> list[tuple[str, str]]:
    """Python blocks that a text block follows, with that text."""
    pairs = [*pairwise(BLOCKS), *pairwise(blocks_of(FINDINGS))]
    return [(code, text) for (first, code), (second, text) in pairs if (first, second) == ("python", "text")]


def commands() -> list[str]:
    lines = [line.removeprefix("$ ") for text in blocks("console") for line in text.splitlines()]
    return [line for line in lines if not any(part in line for part in SETUP)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README shows under a name."""
    for text in blocks("python"):
        if named := re.match(r"# (\S+\.py)\n", text):
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
    return tmp_path


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("code", "printed"), shown_with_output(), ids=range(len(shown_with_output())))
def test_examples_print_what_is_shown(code: str, printed: str) -> None:
    """Each example, run in the checkout, prints the text below it."""
    result = run([sys.executable, "-W", "ignore", "-c", code], ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip("\n|") == printed.rstrip("\n|")


def test_examples_are_found() -> None:
    """The server alone, the three runs of the guide and one finding have their outputs shown."""
    assert len(shown_with_output()) == 5


@pytest.mark.parametrize("command", commands())
def test_commands_work(command: str, folder: Path) -> None:
    """Each command of the README succeeds in a folder that holds only what the README shows."""
    name, *arguments = shlex.split(command)
    program = Path(sys.executable).parent / name
    result = run([str(program), *arguments], folder)
    assert result.returncode == 0, result.stdout + result.stderr


def test_stanza_is_right() -> None:
    """The stanza that the README shows is one."""
    [text] = blocks("toml")
    [(name, stanza)] = tomllib.loads(text)["tool"]["conformance"]["models"].items()
    assert parse(stanza, name).wire == "openai-chat"


def test_script_is_right(tmp_path: Path) -> None:
    """The script that the README shows loads."""
    [text] = blocks("yaml")
    (tmp_path / "weather.yaml").write_text(text, encoding="utf-8")
    assert [turn.describe() for turn in load(tmp_path / "weather.yaml")] == [
        "reasoning in 2 pieces, text in 2 pieces, tool call in 2 pieces, finish 'tool_calls', usage",
        "HTTP 429 'Slow down'",
        "text in 3 pieces, finish, usage; close before piece 2",
    ]
