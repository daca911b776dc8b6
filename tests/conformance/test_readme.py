"""What README and findings show is run, and says what is shown."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import pytest

from conformance import wording
from conformance.bench import Benches
from conformance.integrations import CAPABILITIES, SETTINGS, UNITS, Stanza, parse, shipped
from conformance.item import items
from conformance.judge import judge
from conformance.target import resolve
from mockserver.scripts.loader import load

from ..broken.judging import STANZAS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FINDINGS = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
INTEGRATIONS = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
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
    summed = "pytest --chat-model=langchain_anthropic:ChatAnthropic"
    return [line for line in lines if line != summed and not any(part in line for part in SETUP)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README shows under a name, and the cassettes of the checkout."""
    for text in (*blocks("python"), *blocks("yaml")):
        if named := re.match(r"# (\S+\.(?:py|yaml))\n", text):
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
    (tmp_path / "cassettes").symlink_to(ROOT / "cassettes")
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
    """The server alone, the three runs of the guide and two findings have their outputs shown."""
    assert len(shown_with_output()) == 6


@pytest.mark.parametrize("command", commands())
def test_commands_work(command: str, folder: Path) -> None:
    """Each command of the README succeeds in a folder that holds what the README shows, and the cassettes."""
    name, *arguments = shlex.split(command)
    program = Path(sys.executable).parent / name
    result = run([str(program), *arguments], folder)
    assert result.returncode == 0, result.stdout + result.stderr


def test_failure_text_is_shown_as_it_is() -> None:
    """The failure text in the README is that of a broken model of this project."""
    target = resolve("tests.broken.stream:FinishesOnEachFrame", {}, STANZAS)
    [item] = [each for each in items(target) if each.name == "STREAM-08-async-plain"]
    benches = Benches()
    told = wording.item(item, judge(item, benches))
    benches.close()
    assert f"{told}\n" in blocks("text")


def test_summary_is_shown_as_it_is(folder: Path) -> None:
    """The summary in the README is that of the run, wherever the release of the model is the one shown."""
    shown = next(text for text in blocks("text") if text.startswith("==== conformance of"))
    command = [str(Path(sys.executable).parent / "pytest"), "--chat-model=langchain_anthropic:ChatAnthropic"]
    printed = run(command, folder).stdout
    released = metadata.version("langchain-anthropic")
    assert f"==== conformance of langchain_anthropic:ChatAnthropic {released} " in printed
    if f" {released} " in shown:
        ours = printed[printed.index("==== conformance of") : printed.index("\n=====", printed.index("Read more"))]
        assert [*_timeless(ours)] == [*_timeless(shown if "  ASYNC-03 " in ours else _in_a_second_loop(shown))]


def _timeless(text: str) -> Iterator[str]:
    """The lines that do not hang on how fast the machine is."""
    yield from (line for line in text.rstrip().split("\n") if not line.startswith("  slowest "))


def _in_a_second_loop(shown: str) -> str:
    """The summary where ASYNC-03 holds: in few runs a connection of the first loop is gone before the second asks."""
    kept = re.sub(r"\n  ASYNC-03 .*", "", shown).replace("5  0 of 1", "5       1", 1)
    return re.sub(r"SHOULD (\d+) of", lambda found: f"SHOULD {int(found[1]) + 1} of", kept)


def test_drawing_is_shown_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing in the README is what `mockserver inspect` prints of the script there."""
    monkeypatch.setenv("COLUMNS", "100")
    printed = run([sys.executable, "-m", "mockserver", "inspect", "weather.yaml", "--turn", "1"], folder).stdout
    assert printed in blocks("text")


def test_stanza_is_right() -> None:
    """The stanza that the README shows is one."""
    [text] = blocks("toml")
    [(name, stanza)] = tomllib.loads(text)["tool"]["conformance"]["models"].items()
    assert parse(stanza, name).wire == "openai-chat"


def shown_stanzas() -> list[str]:
    return [text for language, text in blocks_of(INTEGRATIONS) if language == "toml"]


@pytest.mark.parametrize("text", shown_stanzas(), ids=range(len(shown_stanzas())))
def test_stanzas_of_the_reference_are_right(text: str) -> None:
    """Each stanza that the page on integrations shows is one."""
    [(name, stanza)] = tomllib.loads(text)["tool"]["conformance"]["models"].items()
    assert parse(stanza, name).wire


def test_reference_is_complete() -> None:
    """The page on integrations lists all classes with a stanza, their wires, keys, capabilities, settings and units."""
    rows = re.findall(r"^\| `(\w+)[\w.]*(:\w+)` \| (.*) \|$", INTEGRATIONS, re.MULTILINE)
    listed = {package + name: re.findall(r"`([\w-]+)`", wires) for package, name, wires in rows}
    assert listed == {name: [stanza.wire, *stanza.also] for name, stanza in shipped().items()}
    headings = re.findall(r"^### (.*)$", INTEGRATIONS, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(headings))) == sorted(Stanza.__dataclass_fields__)
    words = [*CAPABILITIES, *SETTINGS, *(unit for units in UNITS.values() for unit in units)]
    names = [name for known in SETTINGS.values() for name in known]
    assert [word for word in [*words, *names] if f"`{word}`" not in INTEGRATIONS] == []


def test_script_is_right(tmp_path: Path) -> None:
    """The script that the README shows loads."""
    [text] = blocks("yaml")
    (tmp_path / "weather.yaml").write_text(text, encoding="utf-8")
    assert [turn.describe() for turn in load(tmp_path / "weather.yaml")] == [
        "reasoning in 2 pieces, text in 2 pieces, tool call in 2 pieces, finish 'tool_calls', usage",
        "HTTP 429 'Slow down'",
        "text in 3 pieces, finish, usage; close before piece 2",
    ]
