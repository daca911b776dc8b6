"""The baseline: what a file of known failures may hold, what it does to verdicts, and how it is written."""

from pathlib import Path

import pytest

from conformance.baseline import NEW, BaselineError, Change, Key, load, update

from .plugin_runs import run

ENTRY = '[[known]]\nrule = "STREAM-08"\ncase = "sync-plain"\nreason = "the provider repeats it"\n'
MODEL = """
from tests.reference import ReferenceChat


class Strips(ReferenceChat):
    def _generation(self, answer):
        generation = super()._generation(answer)
        generation.message.content = generation.message.content.strip()
        return generation


class Keeps(ReferenceChat):
    pass
"""
STRIPS = "--chat-model=strips:Strips"
CHOSEN = ("--conformance-select=INVOKE-01", "--conformance-baseline=known.toml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known.toml"


@pytest.fixture
def strips(folder: pytest.Pytester) -> pytest.Pytester:
    """A folder with a model that strips whole answers."""
    folder.makepyfile(strips=MODEL)
    return folder


def test_reasons_are_read(file: Path) -> None:
    """By rule, case and, where it is named, model."""
    file.write_text(ENTRY + 'model = "Parrot"\n' + ENTRY.replace("sync", "async"))
    baseline = load(file)
    assert baseline.reason(Key("STREAM-08", "sync-plain", "Parrot")) == "the provider repeats it"
    assert baseline.reason(Key("STREAM-08", "sync-plain", "Cockatoo")) is None
    assert baseline.reason(Key("STREAM-08", "async-plain", "Cockatoo")) == "the provider repeats it"
    assert baseline.reason(Key("STREAM-08", "sync-repeated", "Parrot")) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("known =", "is no TOML: *"),
        ("known = 3", "known is a list of tables, [[][[]known]]"),
        ('[[failures]]\nrule = "STREAM-08"', "unknown key 'failures'; a baseline holds [[][[]known]] tables alone"),
        (ENTRY.replace("reason", "reasons"), "entry 1: unknown key 'reasons'; did you mean 'reason'?"),
        (ENTRY.replace("reason", "zzz"), "entry 1: unknown key 'zzz'; known here: rule, case, reason, model"),
        ('[[known]]\nrule = "STREAM-08"\ncase = "sync"', "entry 1: reason is missing"),
        (ENTRY.replace("the provider repeats it", " "), "entry 1: reason is a text, not ' '"),
        (ENTRY.replace('"sync-plain"', "5"), "entry 1: case is a text, not 5"),
        (ENTRY.replace("STREAM-08", "STREAMS-08"), "entry 1: there is no rule STREAMS-08; did you mean STREAM-08?"),
        (ENTRY + ENTRY, "entry 2: STREAM-08 sync-plain stands twice"),
    ],
)
def test_a_baseline_that_is_not_right(file: Path, text: str, told: str, pytester: pytest.Pytester) -> None:
    """One error that names the file, the entry and what to change."""
    file.write_text(text)
    with pytest.raises(BaselineError) as error:
        load(file)
    pytest.LineMatcher(str(error.value).splitlines()[:1]).fnmatch_lines([f"{file}: {told}"])


def test_no_baseline(tmp_path: Path) -> None:
    """What is not there or cannot be read is told."""
    with pytest.raises(BaselineError, match=r"there is no such file; --conformance-update-baseline writes it"):
        load(tmp_path / "none.toml")
    with pytest.raises(BaselineError, match="cannot be read"):
        load(tmp_path)


def test_an_update_keeps_what_people_wrote(file: Path) -> None:
    """Reasons, comments and entries of items that did not run stay; what holds goes, what fails is added once."""
    file.write_text(f"# ours\n{ENTRY}\n# the second\n{ENTRY.replace('sync', 'async')}\n{ENTRY.replace('08', '02')}")
    failed = [Key("STREAM-08", "sync-plain", "Parrot"), Key("BATCH-02", "sync", "Parrot")]
    change = update(file, failed, [Key("STREAM-08", "async-plain", "Parrot")], name_models=False)
    assert change == Change(added=1, kept=2, removed=1)
    assert load(file).reasons == {
        Key("STREAM-08", "sync-plain"): "the provider repeats it",
        Key("STREAM-02", "sync-plain"): "the provider repeats it",
        Key("BATCH-02", "sync"): NEW,
    }
    assert file.read_text().startswith("# ours\n[[known]]\n")
    assert update(file, failed, [], name_models=False) == Change(added=0, kept=3, removed=0)


def test_an_update_of_several_models(file: Path) -> None:
    """New entries name their models; one that names none stays while any of them fails."""
    file.write_text(ENTRY)
    parrot, cockatoo = (Key("STREAM-08", "sync-plain", model) for model in ("Parrot", "Cockatoo"))
    assert update(file, [parrot], [cockatoo], name_models=True) == Change(added=0, kept=1, removed=0)
    update(file, [Key("BATCH-02", "sync", "Parrot")], [cockatoo, parrot], name_models=True)
    assert load(file).reasons == {Key("BATCH-02", "sync", "Parrot"): NEW}


def test_an_update_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is not there is told."""
    with pytest.raises(BaselineError, match="cannot be written"):
        update(tmp_path / "none" / "known.toml", [], [], name_models=False)


def test_known_failures_do_not_fail_the_run(strips: pytest.Pytester) -> None:
    """They are written by one run, and the next passes, also under xdist; the reason is told, the text under -v."""
    first = run(strips, STRIPS, *CHOSEN, "--conformance-update-baseline")
    assert first.ret == pytest.ExitCode.OK
    first.stdout.fnmatch_lines(["baseline known.toml: 2 added, 0 kept, 0 removed; say in each that was added why *"])
    second = run(strips, STRIPS, *CHOSEN, "-v")
    assert second.ret == pytest.ExitCode.OK
    assert second.parseoutcomes() == {"passed": 6, "known": 2}
    second.stdout.fnmatch_lines(
        [
            "*INVOKE-01-sync-white-space KNOWN*",
            "  observed   30 characters*",
            "known, by the baseline:",
            f"  INVOKE-01  {NEW}  [[]sync, async: white-space[]]",
        ]
    )
    spread = run(strips, STRIPS, *CHOSEN, "-p", "xdist", "-n", "2")
    assert spread.parseoutcomes() == {"passed": 6, "known": 2}


def test_a_baseline_that_cannot_be_written(strips: pytest.Pytester) -> None:
    """One line says so after the verdicts, and the run fails; there is no traceback."""
    nowhere = "--conformance-baseline=none/known.toml"
    result = run(strips, STRIPS, CHOSEN[0], nowhere, "--conformance-update-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["ERROR: --conformance-update-baseline: *none/known.toml: cannot be written: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_what_passes_is_stale(strips: pytest.Pytester) -> None:
    """An entry of an item that passes fails the run and says so; an update takes it out."""
    (strips.path / "known.toml").write_text(ENTRY.replace("STREAM-08", "INVOKE-01"))
    stale = run(strips, "--chat-model=strips:Keeps", *CHOSEN)
    assert stale.ret == pytest.ExitCode.TESTS_FAILED
    stale.stdout.fnmatch_lines(
        [
            "INVOKE-01  MUST *Keeps",
            "  baseline   says that this fails (the provider repeats it); it passes",
            "  rerun      pytest --chat-model=strips:Keeps -k INVOKE-01-sync-plain",
            "in the baseline, yet they hold (take them out):",
            "  INVOKE-01  the provider repeats it*[[]sync: plain[]]",
        ]
    )
    update = run(strips, "--chat-model=strips:Keeps", *CHOSEN, "--conformance-update-baseline")
    assert update.ret == pytest.ExitCode.OK
    update.stdout.fnmatch_lines(["baseline known.toml: 0 added, 0 kept, 1 removed"])


def test_an_entry_that_names_no_item(strips: pytest.Pytester) -> None:
    """A case that there is not is told, and fails nothing: a later release may have dropped it."""
    (strips.path / "known.toml").write_text(ENTRY.replace("STREAM-08", "INVOKE-01").replace("plain", "plane"))
    result = run(strips, "--chat-model=strips:Keeps", *CHOSEN)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["baseline known.toml: names no item of this model: INVOKE-01 sync-plane"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--conformance-baseline=none.toml"], "--conformance-baseline: *none.toml: there is no such file; *"),
        (["--conformance-update-baseline"], "--conformance-update-baseline goes with --conformance-baseline=FILE"),
    ],
)
def test_options_that_do_not_go_together(strips: pytest.Pytester, arguments: list[str], told: str) -> None:
    """A usage error in one line, and nothing runs."""
    result = run(strips, STRIPS, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
