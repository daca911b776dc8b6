"""The command `conformance`."""

import pytest

from conformance import wording
from conformance.catalogue import rules
from conformance.cli import main

from .test_catalogue import AREAS

Output = pytest.CaptureFixture[str]


def test_all_rules_are_listed(capsys: Output) -> None:
    """One line a rule, in the order of the catalogue."""
    assert main(["rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [wording.row(rule) for rule in rules().values()]


@pytest.mark.parametrize(
    ("areas", "listed"),
    [(["DEFAULT"], ["DEFAULT"]), (["async"], ["ASYNC"]), (["events", "INVOKE"], ["INVOKE", "EVENTS"])],
)
def test_areas_are_chosen(capsys: Output, areas: list[str], listed: list[str]) -> None:
    """Areas in any case and any order; rules stay in that of the catalogue."""
    assert main(["rules", *areas]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert list(dict.fromkeys(line.partition("-")[0] for line in lines)) == listed
    assert len(lines) == sum(rule.area in listed for rule in rules().values())


@pytest.mark.parametrize("id", ["STREAM-08", "stream-08"])
def test_a_rule_is_explained(capsys: Output, id: str) -> None:
    """All that the catalogue says of it, in whatever case it is asked for."""
    assert main(["explain", id]) == 0
    assert capsys.readouterr().out == f"{wording.explanation(rules()['STREAM-08'])}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rules", "STREAMS"], "conformance: there is no area STREAMS; did you mean STREAM?\n"),
        (["rules", "INVOKE", "btach"], "conformance: there is no area BTACH; did you mean BATCH?\n"),
        (["rules", "xyz"], f"conformance: there is no area XYZ; known: {', '.join(sorted(AREAS))}\n"),
        (["explain", "STREM-08"], "conformance: there is no rule STREM-08; did you mean STREAM-08?\n"),
        (["explain", "invok-03"], "conformance: there is no rule INVOK-03; did you mean INVOKE-03?\n"),
    ],
)
def test_unknown_names_are_bad_input(capsys: Output, arguments: list[str], message: str) -> None:
    """Exit status 2, nothing on stdout, and the nearest name that there is."""
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("arguments", [[], ["explain"], ["list"]])
def test_wrong_usage_is_bad_input(capsys: Output, arguments: list[str]) -> None:
    """Exit status 2, and how the command is used."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: conformance")
