"""The pages that are made of what the project knows say what it knows now."""

from pathlib import Path

import pytest

from conformance.catalogue import rules

from . import pages
from .pages.defects import defects
from .pages.rules import with_failure_of, without_failure

MADE = dict(pages.pages(failures=False))


@pytest.mark.parametrize("file", MADE, ids=lambda file: str(file.relative_to(pages.DOCS)))
def test_page_says_what_is_known(file: Path) -> None:
    """Each is what ``python -m tests.pages`` writes."""
    assert without_failure(file.read_text(encoding="utf-8")) == MADE[file]


@pytest.mark.parametrize("file", MADE, ids=lambda file: str(file.relative_to(pages.DOCS)))
def test_a_page_can_keep_how_its_rule_fails(file: Path) -> None:
    """What is written with ``--keep`` is the page as it is."""
    text = file.read_text(encoding="utf-8")
    assert with_failure_of(text, MADE[file]) == text


def test_no_page_is_left_over() -> None:
    """There is no page of a rule that is not in the catalogue."""
    assert {file.stem for file in (pages.DOCS / "rules").glob("*.md")} == {"README", *rules()}


@pytest.mark.parametrize("id", [id for id, rule in rules().items() if rule.level != "INFO"])
def test_a_page_shows_how_the_rule_fails(id: str) -> None:
    """With the failure text of its own rule."""
    text = (pages.DOCS / "rules" / f"{id}.md").read_text(encoding="utf-8")
    assert f"## How it fails\n\n```text\n{id}  " in text


@pytest.mark.parametrize("id", rules())
def test_a_rule_says_where_it_comes_from(id: str) -> None:
    """Each rule names its source and, but for what only informs, how a model that breaks it is mended."""
    rule = rules()[id]
    assert rule.source
    assert rule.mend or rule.level == "INFO"


def test_defects_name_rules() -> None:
    """Each defect names rules of the catalogue, or says why none tells of it."""
    for defect in (each for found in defects().values() for each in found):
        assert set(defect.rules) <= set(rules())
        assert bool(defect.rules) != bool(defect.why), defect.id
