"""`--junitxml`: which item each test case is, for what reads pytest's own XML."""

from xml.etree import ElementTree

import pytest

from .plugin_runs import REFERENCE, STANZA, run
from .test_report import LATE

NAMES = {"rule", "level", "area", "form", "case", "model", "verdict"}


def cases(folder: pytest.Pytester) -> dict[str, dict[str, str]]:
    """The properties of each test case, by its name."""
    suite = ElementTree.parse(folder.path / "out.xml").getroot()
    return {
        case.get("name", ""): {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        for case in suite.iter("testcase")
    }


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "1"]], ids=["one", "xdist"])
@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_properties_name_the_item(folder: pytest.Pytester, family: str, workers: list[str]) -> None:
    """Rule, level, area, form, case, model and verdict; neither seconds nor facts nor transcripts."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    chosen = ("-k", "STREAM-03-sync or STREAM-04-sync or INVOKE-01-sync-plain or DEFAULT-02")
    run(folder, "--chat-model=mine:Late", "--junitxml=out.xml", "-o", f"junit_family={family}", *workers, *chosen)
    found = cases(folder)
    assert {name: set(told) for name, told in found.items()} == dict.fromkeys(found, NAMES)
    assert {(told["rule"], told["verdict"]) for told in found.values()} == {
        ("INVOKE-01", "passed"),
        ("STREAM-03", "failed"),
        ("STREAM-04", "warned"),
        ("DEFAULT-02", "not applicable"),
    }
    assert found["INVOKE-01-sync-plain"] == {
        "rule": "INVOKE-01",
        "level": "MUST",
        "area": "INVOKE",
        "form": "sync",
        "case": "plain",
        "model": "Late",
        "verdict": "passed",
    }


def test_a_known_failure_has_its_reason(folder: pytest.Pytester) -> None:
    """Why it may fail stands beside its verdict."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    (folder.path / "known.toml").write_text('[[known]]\nrule = "STREAM-03"\ncase = "sync"\nreason = "upstream"\n')
    baseline = "--conformance-baseline=known.toml"
    run(folder, "--chat-model=mine:Late", "--junitxml=out.xml", baseline, "-k", "STREAM-03-sync")
    assert cases(folder)["STREAM-03-sync"]["known"] == "upstream"


def test_failures_have_the_text(folder: pytest.Pytester) -> None:
    """What was expected and observed is the text of the failure, and the seconds are the time."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    run(folder, "--chat-model=mine:Late", "--junitxml=out.xml", "-k", "STREAM-03-sync")
    [case] = ElementTree.parse(folder.path / "out.xml").getroot().iter("testcase")
    assert "observed" in (case.findtext("failure") or "")
    assert float(case.get("time", "0")) > 0


def test_the_reference_is_named_by_its_own_tests_too(folder: pytest.Pytester) -> None:
    """A test of the user's own has no such properties."""
    folder.makepyfile(test_own="def test_own():\n    pass\n")
    run(folder, REFERENCE, "--junitxml=out.xml", "test_own.py")
    assert cases(folder) == {"test_own": {}}
