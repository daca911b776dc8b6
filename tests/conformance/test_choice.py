"""Which items run: by id, area, level and marker."""

from collections.abc import Sequence

import pytest

from conformance.catalogue import MUST, SHOULD, Case, Level
from conformance.choice import Choice, ChoiceError, rule_id, words

from .helpers import item, rule
from .plugin_runs import REFERENCE, run


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice(select=frozenset({"STREAM"})), True),
        (Choice(select=frozenset({"STREAM-99", "BATCH"})), True),
        (Choice(select=frozenset({"BATCH"})), False),
        (Choice(select=frozenset({"SHOULD"})), False),
        (Choice(ignore=frozenset({"STREAM-99"})), False),
        (Choice(select=frozenset({"STREAM"}), ignore=frozenset({"MUST"})), False),
        (Choice(level=MUST), True),
    ],
)
def test_items_are_chosen(choice: Choice, *, taken: bool) -> None:
    """By any of their words; what is ignored does not run though it is selected."""
    assert choice.takes(item(rule())) is taken


@pytest.mark.parametrize(("level", "taken"), [(MUST, False), (SHOULD, True), ("INFO", True)])
def test_the_level_is_that_of_the_case(level: Level, *, taken: bool) -> None:
    """A SHOULD case of a MUST rule is left out where MUST alone is to run."""
    assert Choice(level=level).takes(item(rule(), case=Case(level=SHOULD))) is taken


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], set()),
        (["events, stream-8", "MUST"], {"EVENTS", "STREAM-08", "MUST"}),
        (["invoke-01,INVOKE-1"], {"INVOKE-01"}),
    ],
)
def test_words_are_read(given: Sequence[str], found: set[str]) -> None:
    """In either case, with numbers short or long, several in one text."""
    assert words(given) == found


def test_a_word_that_is_not_known() -> None:
    """The nearest is named."""
    with pytest.raises(ChoiceError, match=r"there is no rule, area or level STREEM; did you mean STREAM\?"):
        words(["STREEM"])
    with pytest.raises(ChoiceError, match=r"there is no rule STREAM-99; did you mean STREAM-0\d\?"):
        rule_id("stream-99")


def test_options_choose(folder: pytest.Pytester) -> None:
    """Selected and not ignored, at the least level."""
    chosen = ("--conformance-select=INVOKE-04,BATCH", "--conformance-ignore=BATCH-03,BATCH-1")
    listed = run(folder, REFERENCE, *chosen, "--collect-only", "-q").outlines
    found = {line.rpartition("::")[2][: len("BATCH-00")] for line in listed if "::BATCH" in line}
    assert found == {f"BATCH-0{number}" for number in (2, 4, 5, 6, 7, 8, 9)}
    assert any("::INVOKE-04" in line for line in listed)
    musts = run(folder, REFERENCE, *chosen, "--conformance-level=MUST", "--collect-only", "-q").outlines
    assert not any("::INVOKE-04" in line for line in musts)


def test_markers_choose(folder: pytest.Pytester) -> None:
    """pytest's own `-m` knows rule, area and level of each item."""
    listed = run(folder, REFERENCE, "-m", "conformance(area='INVOKE', level='SHOULD')", "--collect-only", "-q").outlines
    assert [line.rpartition("::")[2] for line in listed if "::" in line] == ["INVOKE-04-sync", "INVOKE-04-async"]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--conformance-select=BATSCH", "there is no rule, area or level BATSCH; did you mean BATCH[?]"),
        ("--conformance-level=must", "*invalid choice: 'must'*"),
        ("--conformance-rules=1066.1", "*invalid choice: '1066.1'*"),
    ],
)
def test_words_that_are_not_known_are_told(folder: pytest.Pytester, argument: str, told: str) -> None:
    """A usage error that names the nearest or all."""
    result = run(folder, REFERENCE, argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{told}"])
