"""What a run says in the terminal, beside its sum: how far it is, and the texts of failures."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.terminal.failures import Told, in_short, painted
from conformance.terminal.screen import columns, cut, line

from .plugin_runs import REFERENCE, run

TEXT = """STREAM-08  MUST  finish reason, model name, service tier and the like stand once in the sum
  Twice · stream
  expected   'stop', in the sum of all chunks that the stream gave before it came to its end
  observed   'stopstop'
             and more
  wire       7 frames; #5 data: {"id":"chatcmpl-mock1","object":"chat.completion.chunk","created"}
  hint       consumers add chunks; a value repeated per chunk is glued
  rerun      pytest --chat-model=tests.broken.stream:FinishesOnEachFrame -k STREAM-08-async-plain"""
FAILING = """
from tests.reference import ReferenceChat


class Loud(ReferenceChat):
    def _chunk(self, event):
        chunk = super()._chunk(event)
        if chunk:
            chunk.message.content = chunk.message.content.upper()
        return chunk
"""
LOUD = ("--chat-model=loud:Loud", "--conformance-select=INVOKE-01,STREAM-02")


@pytest.fixture
def loud(folder: pytest.Pytester) -> pytest.Pytester:
    """A folder with a model whose streams shout."""
    folder.makepyfile(loud=FAILING)
    return folder


def texts(text: str, width: int | None) -> list[str]:
    return ["".join(words.text for words in each) for each in painted(text, width)]


def test_a_failure_is_what_it_says() -> None:
    """Without a width not a character is changed; who asks for text has it so."""
    assert "\n".join(texts(TEXT, None)) == TEXT
    assert str(Told(TEXT)) == TEXT


def test_a_failure_is_folded_below_its_beginning() -> None:
    """Its head and prose are; commands, and what was sent, stay in one line, to be copied."""
    assert texts(TEXT, 60) == [
        "STREAM-08  MUST  finish reason, model name, service tier and",
        "  the like stand once in the sum",
        "  Twice · stream",
        "  expected   'stop', in the sum of all chunks that the",
        "             stream gave before it came to its end",
        "  observed   'stopstop'",
        "             and more",
        *TEXT.split("\n")[5:6],
        "  hint       consumers add chunks; a value repeated per",
        "             chunk is glued",
        *TEXT.split("\n")[7:],
    ]


def test_a_failure_in_one_line() -> None:
    """What was expected and observed, cut; a text without facts is cut itself."""
    assert in_short(TEXT) == (
        "expected 'stop', in the sum of all chunks that the stream gave before it came t…; observed 'stopstop'"
    )
    assert in_short("Traceback\nof ours") == "Traceback ⏎ of ours"


def test_columns_are_read_downwards() -> None:
    """As many as fit, and one where none does."""
    rows = [line(f"row {number}") for number in range(1, 6)]

    def shown(width: int) -> list[str]:
        return ["".join(words.text for words in each) for each in columns(line("head "), rows, width)]

    assert shown(24) == ["  head     head", "  row 1    row 4", "  row 2    row 5", "  row 3"]
    assert shown(10) == ["  head", *(f"  row {number}" for number in range(1, 6))]


def test_what_is_cut_says_so() -> None:
    """Lines are joined, and the last character shows that something is left out."""
    assert cut("two\nlines", 20) == "two ⏎ lines"
    assert cut("abcdef", 4) == "abc…"


def test_an_area_has_its_line(loud: pytest.Pytester) -> None:
    """It begins with the area; where a line is full, the next goes on below its beginning."""
    result = run(loud, REFERENCE, "--conformance-select=BATCH,STREAM", "-k", "sync")
    lines = [each for each in result.outlines if re.match(r"(STREAM|BATCH|  ) +\.", each)]
    assert [each.split()[0][:5] for each in lines] == ["STREA", ".....", "BATCH"]
    assert all(re.search(r" \[ *\d+%\]$", each) for each in lines)
    assert {each.index(".") for each in lines} == {10}
    assert {len(each) for each in lines} == {79}


def test_models_have_lines_of_their_own(loud: pytest.Pytester) -> None:
    """Where there are several, each begins with its name; tests of the project's own are shown as ever."""
    loud.makepyfile(test_own="def test_own(): pass")
    arguments = ("--conformance-select=INVOKE-01,BATCH-02", "test_own.py", "conformance::")
    result = run(loud, REFERENCE, "--chat-model=loud:Loud", *arguments)
    at = result.outlines.index("ReferenceChat")
    shown = [each.split()[0] for each in result.outlines[at : at + 6]]
    assert shown == ["ReferenceChat", "INVOKE", "BATCH", "Loud", "INVOKE", "BATCH"]
    result.stdout.fnmatch_lines(["test_own.py . *"])


@pytest.mark.parametrize("more", [("-q",), ("-v",), ("-p", "xdist", "-n", "1")])
def test_no_lines_of_areas(loud: pytest.Pytester, more: tuple[str, ...]) -> None:
    """Where pytest begins no line for a file, none is begun for an area."""
    result = run(loud, REFERENCE, "--conformance-select=INVOKE-01", *more)
    result.stdout.no_re_match_line(r"INVOKE +\.")


def test_no_lines_of_areas_in_a_shuffle(loud: pytest.Pytester) -> None:
    """A line for each item would be no help."""
    loud.makeconftest("def pytest_collection_modifyitems(items): items.sort(key=lambda item: item.name[::-1])")
    result = run(loud, REFERENCE, "--conformance-select=INVOKE,BATCH", "-k", "async")
    result.stdout.no_re_match_line(r"(INVOKE|BATCH) +\.")
    result.stdout.fnmatch_lines(["conformance ...*"])


def test_a_failure_in_ci_is_told_once(loud: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest's short summary, which is not cut there, has a line for it; one process and workers say the same."""
    monkeypatch.setenv("CI", "true")
    said = "FAILED conformance::Loud::STREAM-02-sync-plain - expected 29 *; observed 29 *"
    for more in ((), ("-p", "xdist", "-n", "1")):
        result = run(loud, *LOUD, *more)
        assert len([each for each in result.outlines if "THE MOON" in each]) == 4
        result.stdout.fnmatch_lines([said])
        assert max(map(len, result.outlines[-4:])) < 300


def test_xml_has_the_text(loud: pytest.Pytester) -> None:
    """Not folded, and without colours."""
    run(loud, *LOUD, "-k", "plain", "--junitxml=out.xml", "--color=yes")
    xml = (loud.path / "out.xml").read_text(encoding="utf-8")
    assert "rerun      pytest --chat-model=loud:Loud -k STREAM-02-sync-plain" in xml
    assert "#x1B" not in xml


def in_a_terminal(folder: Path, *arguments: str, **env: str) -> str:
    """What a run shows in a terminal that is 60 characters wide."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", *arguments]
    hidden = ("CI", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "BUILD_NUMBER")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**kept, "TERM": "xterm", "COLUMNS": "60", "PYTHONPATH": str(Path(__file__).parents[2]), **env}
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(fd: int) -> bytes:
    """What comes next; nothing once the other side is gone, which Linux tells as an error."""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def test_colours_are_for_those_who_want_them(loud: pytest.Pytester) -> None:
    """In a terminal failures are folded and painted; with NO_COLOR the same words stand there without."""
    colourful, plain = in_a_terminal(loud.path, *LOUD), in_a_terminal(loud.path, *LOUD, NO_COLOR="1")
    assert "\x1b[1mSTREAM-02\x1b[0m  \x1b[31m\x1b[1mMUST\x1b[0m" in colourful
    assert "\x1b[" not in ours(plain)
    assert re.sub(r"\x1b\[[\d;]*m", "", ours(colourful)) == ours(plain)
    heads = [each for each in plain.split("\n") if each.startswith("STREAM-02  MUST")]
    assert max(map(len, heads)) <= 60


def test_each_search_has_its_line(loud: pytest.Pytester) -> None:
    """It is written over while it goes on, and stays with its verdict."""
    shown = in_a_terminal(loud.path, REFERENCE, "--explore=30", "-k", "EXPLORE-01", NO_COLOR="1")
    lines = [each.rpartition("\r")[2] for each in shown.split("\n")]
    searches = [each for each in lines if each.startswith("EXPLORE-01-")]
    assert [each.partition(":")[0] for each in searches] == ["EXPLORE-01-sync", "EXPLORE-01-async"]
    assert all(re.fullmatch(r"EXPLORE-01-\w+: \d+ of 30 examples +\.( +\[100%\])?", each) for each in searches)


def ours(shown: str) -> str:
    """From the failures to the sum."""
    told = shown.partition(" FAILURES ")[2].partition("short test summary")[0].rstrip("\x1b[0123456789;m=")
    return "\n".join(each for each in told.split("\n") if not each.startswith("  slowest"))
