"""The cases of released defects; the releases themselves are run by ``python -m tests.timetravel``."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.catalogue import rules
from conformance.integrations import parse

from .pages.defects import defects
from .timetravel import PINS, SIDES, Case, Outcome, cases, verdicts

IDS = [case.name for case in cases()]
REPORT = """<testsuites><testsuite>
<testcase name="STREAM-02-sync"><properties><property name="verdict" value="failed"/></properties></testcase>
<testcase name="STREAM-02-async"/>
</testsuite></testsuites>"""


@pytest.mark.parametrize("case", cases(), ids=IDS)
def test_a_case_names_what_there_is(case: Case) -> None:
    """A rule of the catalogue, a defect of the table whose rules it is among, and a stanza that is right."""
    assert case.rule in rules()
    assert parse(case.stanza, case.name)
    [defect] = [each for found in defects().values() for each in found if each.id == case.name]
    assert case.rule in defect.rules


@pytest.mark.skipif(not PINS.is_dir(), reason=f"no pins in {PINS}")
def test_all_pins_are_tried() -> None:
    """Each folder of pins is a case, and holds both sides."""
    folders = [folder for folder in PINS.iterdir() if folder.is_dir()]
    assert sorted(folder.name for folder in folders) == sorted(IDS)
    assert all((folder / f"{side}.txt").is_file() for folder in folders for side in SIDES)


@pytest.mark.parametrize(
    ("affected", "fixed", "apart"),
    [
        ({"a": "failed", "b": "passed"}, {"a": "passed", "b": "passed"}, True),
        ({"a": "warned"}, {"a": "passed"}, True),
        ({"a": "failed"}, {"a": "failed"}, False),
        ({"a": "failed", "b": "failed"}, {"a": "passed", "b": "failed"}, False),
        ({"a": "failed"}, {"a": "not applicable"}, False),
        ({"a": "passed"}, {"a": "passed"}, False),
        ({"a": "blocked"}, {"a": "passed"}, False),
        ({"a": "harness error"}, {"a": "passed"}, False),
        ({}, {}, False),
    ],
)
def test_sides_are_told_apart(affected: Mapping[str, str], fixed: Mapping[str, str], *, apart: bool) -> None:
    """By an item that the rule rejects on the affected side and passes on the fixed one, where none is rejected."""
    assert Outcome(affected, fixed).told_apart is apart


def test_verdicts_are_read(tmp_path: Path) -> None:
    """From the properties of each test; one without is an error of this suite."""
    (tmp_path / "report.xml").write_text(REPORT)
    assert verdicts(tmp_path / "report.xml") == {"STREAM-02-sync": "failed", "STREAM-02-async": "harness error"}
