"""The index of the documentation, and the pages on CI, on limits and on writing a rule: what they show is so."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.catalogue import rules
from conformance.cli import parser
from conformance.drive import Probe

from .test_readme import blocks_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("README.md", "ci.md", "limits.md", "writing-a-rule.md")


def shown_commands() -> Iterator[tuple[str, str]]:
    """Page and line of each command that a page shows."""
    for name in PAGES:
        text = re.sub(r"(?m)^ {2,3}", "", (DOCS / name).read_text(encoding="utf-8"))
        for language, block in blocks_of(text):
            if language in ("console", "sh"):
                yield from ((name, line.removeprefix("$ ")) for line in block.splitlines())


@pytest.mark.parametrize(("page", "command"), list(shown_commands()))
def test_shown_commands_exist(page: str, command: str, pytester: pytest.Pytester) -> None:
    """Each is one of this project's, with options that it takes, or makes an environment."""
    program, *arguments = shlex.split(command.rpartition("&& ")[2])
    match Path(program).name:
        case "pytest":
            own = [each for each in arguments if not each.startswith("tests/")]
            assert pytester.parseconfig(*own)
            assert all((ROOT / each).exists() for each in arguments if each.startswith("tests/"))
        case "conformance":
            assert parser().parse_args(arguments).command
        case "mockserver":
            assert arguments[0] == "validate"
        case "python":
            assert importlib.util.find_spec(arguments[arguments.index("-m") + 1])
        case other:
            assert other == "pip"


def test_unknown_options_are_found(pytester: pytest.Pytester) -> None:
    """What checks the commands rejects one with an option that does not exist."""
    with pytest.raises(pytest.UsageError):
        pytester.parseconfig("--chat-model=m:M", "--conformance-bogus")


def links() -> list[tuple[str, str]]:
    return [
        (name, link)
        for name in PAGES
        for link in re.findall(r"\]\(([^)]+)\)", (DOCS / name).read_text(encoding="utf-8"))
        if "://" not in link
    ]


@pytest.mark.parametrize(("page", "link"), sorted(set(links())))
def test_links_lead_somewhere(page: str, link: str) -> None:
    """To a file that is there, and a heading in it."""
    file, _, anchor = link.partition("#")
    target = (DOCS / file) if file else DOCS / page
    assert target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]


def shown_code() -> list[tuple[str, str]]:
    """File and text of each piece of code on the page about rules."""
    text = (DOCS / "writing-a-rule.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n# (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("file", "code"), shown_code(), ids=[file for file, _ in shown_code()])
def test_code_stands_where_the_page_says(file: str, code: str) -> None:
    """The page about rules shows the code as it is."""
    assert code in (ROOT / file).read_text(encoding="utf-8")


def test_all_code_is_looked_at() -> None:
    """The check, the cases, the broken model and its declaration."""
    text = (DOCS / "writing-a-rule.md").read_text(encoding="utf-8")
    assert len(shown_code()) == text.count("```python") == 4


def test_what_a_probe_does_is_told_as_it_is() -> None:
    """Each name in the table is one of a `Probe`."""
    text = (DOCS / "writing-a-rule.md").read_text(encoding="utf-8")
    table = text[text.index("| of the `Probe` |") : text.index('`needs=("stream",)`')]
    first = " ".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    names = re.findall(r"`(\w+)", first)
    assert len(names) == 11
    assert [name for name in names if name not in dir(Probe) and name not in Probe.__dataclass_fields__] == []


@pytest.mark.parametrize("page", PAGES)
def test_rules_that_pages_name_exist(page: str) -> None:
    """By their ids."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert set(re.findall(r"\b[A-Z]{3,}-\d\d\b", text)) <= set(rules())


def test_the_index_names_all_pages() -> None:
    """Each page of the folder is linked from the index."""
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in DOCS.glob("*.md") if f"({file.name}" not in text and file.name != "README.md"] == []
