"""The rules of EXPLORE as a run has them: options, scripts, baselines, what is told."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.catalogue import rules
from conformance.explore import subjects

from .plugin_runs import REFERENCE, run
from .test_readme import commands as readme_commands
from .test_readme import run as command_run

_PAGE = (Path(__file__).parents[2] / "docs" / "exploring.md").read_text(encoding="utf-8")
_LOSES = "tests.broken.explore.text:EmptiesWhiteSpace"
_LOSES_TWO = "tests.broken.explore.calls:LosesSpaceAndCalls"
_TELLS_TWICE = "tests.broken.callback:TellsTokensTwice"
_STANZAS = "\n".join(
    f'[tool.conformance.models."{spec}"]\n'
    'wire = "openai-chat"\n'
    'kwargs = { model = "m", api_key = "{key}", base_url = "{url}/v1" }\n'
    for spec in (_LOSES, _LOSES_TWO, _TELLS_TWICE)
)


@pytest.fixture
def models(folder: pytest.Pytester) -> pytest.Pytester:
    """A folder that knows models with defects that only exploring finds."""
    with (folder.path / "pyproject.toml").open("a") as file:
        file.write(f"\n{_STANZAS}")
    return folder


def _explored(folder: pytest.Pytester) -> list[Path]:
    return sorted((folder.path / "explored").glob("*.yaml"))


def test_a_failure_is_told_with_its_script_and_shown_again_by_it(models: pytest.Pytester) -> None:
    """The text names the kind, the file and the rules that it resembles; the file alone shows it again."""
    result = run(models, f"--chat-model={_LOSES}", "--explore=150", "-k", "EXPLORE-01-sync")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(
        [
            "explore: 150 examples for each item, from seed 0",
            "EXPLORE-01  MUST  *",
            "  because    *: text*lost *",
            "  resembles  *",
            "  explored   * examples from seed 0",
            f"  again      pytest --chat-model={_LOSES} --script=explored/EmptiesWhiteSpace-EXPLORE-01-sync-1.yaml",
            "  rerun      pytest --chat-model=* -k EXPLORE-01-sync --explore=150",
        ]
    )
    assert len(_explored(models)) == 1
    again = run(models, f"--chat-model={_LOSES}", "--script=explored/EmptiesWhiteSpace-EXPLORE-01-sync-1.yaml")
    again.stdout.fnmatch_lines(["scripts: explored/EmptiesWhiteSpace-EXPLORE-01-sync-1.yaml", "EXPLORE-01  MUST  *"])
    assert again.parseoutcomes()["failed"] >= 1
    right = run(models, REFERENCE, "--script=explored/EmptiesWhiteSpace-EXPLORE-01-sync-1.yaml")
    right.assert_outcomes(passed=2)


def test_one_seed_finds_the_same_each_time(models: pytest.Pytester) -> None:
    """The script of a second run is the same, and another seed may be given."""
    options = (f"--chat-model={_LOSES}", "--explore=60", "-k", "EXPLORE-01-sync")
    run(models, *options, "--explore-folder=one")
    run(models, *options, "--explore-folder=two")
    script = "EmptiesWhiteSpace-EXPLORE-01-sync-1.yaml"
    one, two = ((models.path / name / script).read_text() for name in ("one", "two"))
    assert one.replace("one/", "two/") == two
    other = run(models, REFERENCE, "--explore=5", "--explore-seed=7", "-k", "EXPLORE-01-sync")
    other.stdout.fnmatch_lines(["explore: 5 examples for each item, from seed 7"])


def test_a_known_kind_does_not_hide_a_new_one(models: pytest.Pytester) -> None:
    """The baseline names kinds: with one of two in it the other still fails, and with both none does."""
    options = (f"--chat-model={_LOSES_TWO}", "--explore=150", "-k", "EXPLORE-01-sync", "--conformance-baseline=k.toml")
    run(models, *options, "--conformance-update-baseline").assert_outcomes()
    file = models.path / "k.toml"
    tables = file.read_text().split("[[known]]")
    assert len(tables) > 2
    assert all('rule = "EXPLORE-01"' in each and 'case = "sync: ' in each for each in tables[1:])
    both = run(models, *options)
    assert both.ret == 0
    assert both.parseoutcomes()["known"] == 1
    [first] = re.findall(r'case = "sync: (.*)"', tables[1])
    file.write_text("[[known]]".join(tables[:1] + tables[2:]))
    one = run(models, *options)
    one.assert_outcomes(failed=1, deselected=3)
    one.stdout.fnmatch_lines([f"  because    {first}"])


def test_what_a_written_rule_tells_is_no_news(models: pytest.Pytester) -> None:
    """A stream that is begun and not finished is read to its end all the same, of which CALLBACK-02 tells."""
    told = run(models, f"--chat-model={_TELLS_TWICE}", "-k", "CALLBACK-02-sync")
    assert told.parseoutcomes()["failed"] > 0
    result = run(models, f"--chat-model={_TELLS_TWICE}", "--explore=30", "-k", "EXPLORE-02-sync")
    result.assert_outcomes(passed=1, deselected=3)


def test_a_run_that_is_not_asked_explores_a_little_and_writes_nothing(models: pytest.Pytester) -> None:
    """EXPLORE is an area as the others are; nothing is left in the folder."""
    before = set(models.path.iterdir())
    result = run(models, REFERENCE, "--conformance-select=EXPLORE")
    result.assert_outcomes(passed=4)
    assert set(models.path.iterdir()) - before <= {models.path / ".pytest_cache"}
    assert "explore:" not in result.stdout.str()


def test_all_that_is_asked_for_is_explored(models: pytest.Pytester) -> None:
    """With --explore the rules of EXPLORE are all that runs."""
    result = run(models, REFERENCE, "--explore=2")
    result.assert_outcomes(passed=4)


def test_time_ends_a_search(models: pytest.Pytester) -> None:
    """A limit of seconds is shared by the items, and what was found by then is told."""
    result = run(models, REFERENCE, "--explore-seconds=2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["explore: 0.5 s for each item, from seed 0"])


def test_progress_is_shown(models: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lines stay, each tells how far the search is."""
    monkeypatch.setattr("conformance.explore.progress._IN_LOG", 0.0)
    result = run(models, REFERENCE, "--explore=3", "-k", "EXPLORE-01-sync")
    result.stdout.fnmatch_lines(["EXPLORE-01-sync: 1 of 3 examples", "EXPLORE-01-sync: 2 of 3 examples"])


def test_steps_of_a_consumer_run_again(models: pytest.Pytester) -> None:
    """A script of EXPLORE-02 has the steps in `about`."""
    (models.path / "steps.yaml").write_text(
        "turns:\n- reply: {text: a}\nabout:\n  rule: EXPLORE-02\n  actions: [next 0, next 1, close 0, invoke]\n"
    )
    result = run(models, REFERENCE, "--script=steps.yaml")
    result.assert_outcomes(passed=2)


def _scripts() -> Iterator[tuple[str, str]]:
    turn = "turns:\n- reply: {text: a}\nabout: "
    yield "turns: 3", "--script: *s.yaml, line 1, turns: a list is wanted here, not 3"
    yield f"{turn}{{rule: STREAM-01}}", "*about.rule is one of EXPLORE-01, EXPLORE-02, not 'STREAM-01'"
    yield f"{turn}{{wire: nope}}", "*about.wire is one of *, not 'nope'"
    yield f"{turn}{{rule: EXPLORE-02}}", "*about.actions is a list of steps such as 'next 0', and there is none"
    yield (
        f"{turn}{{rule: EXPLORE-02, actions: [jump]}}",
        "*about.actions is a list of steps *, not 'jump'",
    )
    yield f"{turn}{{rule: EXPLORE-02, actions: 3}}", "*about.actions is a list of steps *, not 3"
    yield f"{turn}{{rule: EXPLORE-02, actions: next 0}}", "*about.actions is a list of steps such as 'next 0', not *"


@pytest.mark.parametrize(("text", "told"), list(_scripts()))
def test_a_script_that_cannot_be_used_is_told(models: pytest.Pytester, text: str, told: str) -> None:
    """One error says what to change."""
    (models.path / "s.yaml").write_text(text)
    result = run(models, REFERENCE, "--script=s.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([REFERENCE, "--explore=0"], "--explore=0: at least one example is tried"),
        ([REFERENCE, "--explore-seed=3"], "--explore-seed and --explore-folder go with --explore"),
        ([REFERENCE, "--explore-seconds=0"], "--explore-seconds=0: a number above 0"),
        ([REFERENCE, "--explore", "--script=s.yaml"], "--script runs what is in files, and --explore *"),
        ([REFERENCE, "--script=none.yaml"], "--script: *none.yaml*"),
        (["--explore"], "--explore goes with --chat-model"),
        (["--script=s.yaml"], "--script goes with --chat-model"),
    ],
)
def test_options_that_do_not_go_together_are_told(models: pytest.Pytester, options: list[str], told: str) -> None:
    """One error says what to change."""
    (models.path / "s.yaml").write_text("turns:\n- reply: {text: a}\n")
    result = run(models, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])


def test_a_place_of_usage_that_there_is_not_is_told(models: pytest.Pytester) -> None:
    """The script is not tried, and the reason names the place."""
    (models.path / "s.yaml").write_text("turns:\n- reply: {text: a}\nabout: {usage_at: nowhere}\n")
    result = run(models, REFERENCE, "--script=s.yaml", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*s.yaml: about.usage_at is 'nowhere', where openai-chat has no place for usage*"])


def test_a_script_without_a_reply_is_not_applicable(models: pytest.Pytester) -> None:
    """An error that is scripted has nothing that answers could be compared with."""
    (models.path / "s.yaml").write_text("turns:\n- error: {status: 500}\n")
    result = run(models, REFERENCE, "--script=s.yaml", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*s.yaml has no reply that could be compared*"])


def test_fuzz_explores_for_as_long_as_told(models: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs pytest with a seed of its own, which it prints."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    script = "import sys; from conformance.cli import main; sys.exit(main())"
    command = (sys.executable, "-c", script, "fuzz", "tests.reference:ReferenceChat")
    result = models.run(*command, "--seconds=2")
    assert result.ret == 0
    result.stdout.re_match_lines([r"explore: 0\.5 s for each item, from seed \d+"])
    refused = models.run(*command, "--seconds=-1")
    assert refused.ret == 2
    refused.stderr.fnmatch_lines(["*a number of seconds above 0, not '-1'"])


def _commands() -> list[str]:
    """The commands of the page that the README, whose commands are tried too, does not show."""
    shown = readme_commands()
    return [line[2:] for line in _PAGE.splitlines() if line.startswith("$ ") and line[2:] not in shown]


@pytest.mark.parametrize("command", _commands())
def test_commands_of_the_page_work(command: str, tmp_path: Path) -> None:
    """Each command in docs/exploring.md finds nothing on the released class that it names."""
    name, *arguments = shlex.split(command)
    result = command_run([str(Path(sys.executable).parent / name), *arguments], tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_rules_that_are_resembled_stand_in_the_catalogue() -> None:
    """What a failure resembles can be explained."""
    tables = (subjects.FACETS, subjects.METHODS, subjects.FRAMINGS, subjects.CUTS, subjects.INVARIANTS)
    named = {id for table in tables for ids in table.values() for id in ids}
    assert named <= set(rules())
