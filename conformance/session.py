"""The pytest plugin's other half: collects the rules as items, runs them, and sums up."""

import difflib
import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from . import wording
from .baseline import Baseline, BaselineError, Change, load
from .bench import Benches, abandon_workers
from .choice import Choice, ChoiceError, words
from .collector import collect, leave_out_all
from .explore.asked import known
from .explore.exploring import AREA as EXPLORE
from .explore.progress import Progress
from .item import REPLAY as REPLAY
from .item import Item, items
from .judge import Judge
from .named import HIDDEN as HIDDEN
from .named import hidden as hidden
from .named import targets as targets
from .reports.items import carry, name_alone, properties
from .target import Target
from .terminal.failures import painted, tell
from .terminal.progress import AreaLines
from .terminal.screen import write
from .terminal.summary import Screen, Summary
from .terms import Terms
from .verdict import RED, Result

ROOT: Final = "conformance"
"""First part of all node ids."""
_TOLD: Final = f"Captured {ROOT} call"
"""The section of a report that holds the text of a SHOULD; pytest adds what the model printed after it."""
WARNINGS: Final = (
    # What a model warns of is shown; whether a warning is an error is for the user's own tests to say.
    "default",
    # EVENTS rules call v1 because users still do; that it is deprecated is no news about the model.
    "ignore:astream_events version='v1' is deprecated",
    # Nor is it that v3, which the rules of BLOCKS call, is in beta.
    r"ignore:The (method|function) `BaseChatModel\._a?chat_model_stream_v3` is in beta",
    # Items end loops and servers under a model's idle connections; what a model itself leaves open is ASYNC-05's.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

_TOLD_OF: Final = ("warned", "known", "new")
"""The verdicts on rules that do not hold and yet do not fail the run; their texts are shown under ``-v``."""
_SHORT: Final = {"warned": "w", "blocked": "b", "known": "k", "new": "n", "stale": "S", "harness error": "E"}
"""The verdicts that pytest has no outcome for, and their letters."""

_TERMS: Final = pytest.StashKey[Terms]()


def _chosen(config: pytest.Config) -> Choice:
    select, ignore = config.getoption("--conformance-select"), config.getoption("--conformance-ignore")
    try:
        return Choice(words(select), words(ignore), config.getoption("--conformance-level"))
    except ChoiceError as error:
        raise pytest.UsageError(f"--conformance-select, --conformance-ignore: {error}") from None


def _terms(config: pytest.Config) -> Terms:
    """The terms that the command line sets.

    Raises:
        pytest.UsageError: the baseline cannot be used.
    """
    path, updating = config.getoption("--conformance-baseline"), config.getoption("--conformance-update-baseline")
    if path is None:
        if updating:
            raise pytest.UsageError("--conformance-update-baseline goes with --conformance-baseline=FILE")
        return Terms(revision=config.getoption("--conformance-rules"))
    file = Path(config.invocation_params.dir) / path
    try:
        baseline = Baseline(file) if updating and not file.exists() else load(file)
    except BaselineError as error:
        raise pytest.UsageError(f"--conformance-baseline: {error}") from None
    return Terms(baseline, config.getoption("--conformance-rules"), updating)


class Session:
    """Hooks of a run with `--chat-model`."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._targets = targets(config)
        self._choice = _chosen(config)
        self._terms = config.stash[_TERMS] = _terms(config)
        self._targets = tuple(self._explored(target) for target in self._targets)
        self._change: Change | None = None
        self._unwritten = ""
        if config.getoption("--conformance-transcripts"):
            from .snapshots.collecting import Transcripts  # noqa: PLC0415 - not in runs without transcripts

            config.pluginmanager.register(Transcripts(config), "conformance-transcripts")
        wanted = [arg for arg in config.args if arg.startswith(f"{ROOT}::")]
        self._wanted = _checked(wanted, self._targets)
        self._summary = Summary(self._targets)
        self._lines = AreaLines(config, ROOT)
        chosen = [arg for arg in config.args if arg not in self._wanted]
        self._runs = bool(self._wanted) or config.args_source is not pytest.Config.ArgsSource.ARGS
        # Without paths on the command line the rules are all that runs; pytest would add the current folder.
        config.args[:] = chosen if config.args_source is pytest.Config.ArgsSource.ARGS else []

    def _explored(self, target: Target) -> Target:
        """The target, explored with what the baseline passes over, its share of the time, and progress shown."""
        exploring, baseline = target.exploring, self._terms.baseline
        if exploring.seconds is not None:
            explored = [item for each in self._targets for item in items(each) if item.rule.area == EXPLORE]
            share = exploring.seconds / max(1, sum(map(self._choice.takes, explored)))
            exploring = replace(exploring, seconds=share)
        if exploring.chosen:
            exploring = replace(exploring, progress=Progress(self._config, exploring.examples).tell)
        return replace(target, exploring=replace(exploring, known=known(baseline, target.label) if baseline else {}))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and self._runs and report.passed:
            root = Rules.from_parent(collector, name=ROOT, nodeid=ROOT, cells=self._cells())
            report.result = [*report.result, root]
        return report

    def _cells(self) -> Iterator[tuple[str, Item]]:
        """The items that are to run, with their node ids."""
        for nodeid, item in _cells(self._targets):
            named = not self._wanted or any(within(wanted, nodeid) for wanted in self._wanted)
            if named and self._choice.takes(item):
                yield nodeid, item

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        leave_out_all(self._config)
        self._lines.expect([item.nodeid for item in session.items])
        self._summary.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        self._summary.expect(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._lines.begin(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, RuleItem):
            carry(report, item.result)
            name_alone(report)
        if isinstance(item, RuleItem) and report.skipped:
            # The place of a skip is the rule, and not the line of ours that skips.
            report.longrepr = (item.place, None, item.reason)  # type: ignore[assignment]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid.startswith(f"{ROOT}::") and not hasattr(self._config, "workerinput"):
            tell(report)
        self._summary.add(report)
        facts = dict(report.user_properties)
        if self._terms.updating and "rule" in facts and report.when == "call":
            self._terms.note(facts)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        verdict = dict(getattr(report, "user_properties", ())).get("verdict")
        if report.when == "call" and verdict in _SHORT:
            verdict = str(verdict)
            category = {"harness error": "error", "stale": "failed"}.get(verdict, verdict)
            return category, _SHORT[verdict], verdict.upper()
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        _leave_nothing(benches(self._config))
        if self._terms.updating and not hasattr(self._config, "workerinput"):
            try:
                self._change = self._terms.write([target.label for target in self._targets])
            except BaselineError as error:
                self._unwritten = f"ERROR: --conformance-update-baseline: {error}"
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_report_header(self) -> list[str]:
        played = self._targets[0].cassettes
        cassettes = [f"cassettes: {played.count} recorded interactions"] if played.chosen else []
        guessed = [f"{wording.GUESSED}\n{target.guessed}" for target in self._targets if target.guessed]
        explored = self._targets[0].exploring.header
        return [*(self._summary.header(target) for target in self._targets), *guessed, *cassettes, *explored]

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        if self._config.get_verbosity() > 0:
            for report in (each for verdict in _TOLD_OF for each in terminalreporter.getreports(verdict)):
                terminalreporter.section(report.nodeid, "-")
                for line in painted(dict(report.sections)[_TOLD], None):
                    write(terminalreporter, line)
        for line in self._summary.lines(Screen.of(self._config)):
            write(terminalreporter, line)
        if lost := self._terms.lost(item for _, item in _cells(self._targets)):
            terminalreporter.line(wording.lost(self._config.getoption("--conformance-baseline"), lost))
        if self._unwritten:
            terminalreporter.line(self._unwritten, red=True)
        if self._change:
            terminalreporter.line(wording.change(self._config.getoption("--conformance-baseline"), self._change))


_BENCHES: Final = pytest.StashKey[Benches]()


def _leave_nothing(benches: Benches) -> None:
    """Close the last bench, collect what models left in its loop, and wait no more for what they are still at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        benches.close()
    collect()
    abandon_workers()


_JUDGE: Final = pytest.StashKey[Judge]()


def benches(config: pytest.Config) -> Benches:
    return config.stash.setdefault(_BENCHES, Benches())


def _judge(config: pytest.Config) -> Judge:
    return config.stash.setdefault(_JUDGE, Judge(benches(config)))


class Rules(pytest.Collector):
    """Collects the items of the suite, with their node ids."""

    def __init__(self, *, cells: Iterable[tuple[str, Item]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cells = cells

    def collect(self) -> Iterator[pytest.Item]:
        for nodeid, item in self._cells:
            yield RuleItem.from_parent(self, name=item.name, nodeid=nodeid, item=item)


def _cells(targets: Sequence[Target]) -> Iterator[tuple[str, Item]]:
    """All items with their node ids."""
    for target in targets:
        for item in items(target):
            if (target.cassettes.chosen and item.rule.area != REPLAY) or (
                target.exploring.chosen and item.rule.area != EXPLORE
            ):
                continue
            yield f"{ROOT}::{target.label}::{item.name}", item


def within(wanted: str, nodeid: str) -> bool:
    """Whether a node id of the command line names this item or a part of the tree above it."""
    return f"{nodeid}::".startswith(f"{wanted.rstrip(':')}::")


def _checked(wanted: Sequence[str], targets: Sequence[Target]) -> Sequence[str]:
    """Node ids of the command line.

    Raises:
        pytest.UsageError: one of them names no item.
    """
    known = [nodeid for nodeid, _ in _cells(targets)] if wanted else []
    for each in wanted:
        if not any(within(each, nodeid) for nodeid in known):
            raise not_found(each, known)
    return wanted


def not_found(nodeid: str, known: Sequence[str]) -> pytest.UsageError:
    """What is said of a node id that names nothing."""
    nearest = difflib.get_close_matches(nodeid, known, 1)
    return pytest.UsageError(f"not found: {nodeid}{f'; did you mean {nearest[0]}?' if nearest else ''}")


class RuleItem(pytest.Item):
    """One item of the suite."""

    def __init__(self, *, item: Item, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._item = item
        self._result: Result | None = None
        rule = item.rule
        self.add_marker(pytest.mark.conformance(rule=rule.id, level=item.level, area=rule.area))
        for setting in WARNINGS:
            self.add_marker(pytest.mark.filterwarnings(setting))
        self.user_properties += [
            ("rule", rule.id),
            ("level", item.level),
            ("area", rule.area),
            ("model", item.target.label),
            ("form", item.form),
            ("case", item.case.name),
        ]

    def runtest(self) -> None:
        with hidden((*HIDDEN, *self._item.target.stanza.clear_env)):
            result = _judge(self.config).result(self._item)
        result = self._result = self.config.stash[_TERMS].settled(self._item, result)
        self.user_properties += [("verdict", result.verdict), *properties(result)]
        if result.kinds:
            self.user_properties.append(("kinds", result.kinds))
        if result.verdict == "passed" and result.reason:
            self.user_properties.append(("note", result.reason))
        if result.verdict in ("not applicable", "blocked"):
            pytest.skip(result.reason)
        if result.known:
            self.user_properties.append(("known", result.known))
        if result.verdict in RED:
            raise _NotKept
        if result.verdict in _TOLD_OF:
            self.add_report_section("call", ROOT, self._told())

    @property
    def result(self) -> Result | None:
        return self._result

    @property
    def reason(self) -> str:
        return self._result.reason if self._result else ""

    @property
    def place(self) -> str:
        """The rule on this model, under which pytest folds what has one reason."""
        return f"{self.nodeid.rpartition('::')[0]}::{self._item.rule.id}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if excinfo.errisinstance(_NotKept):
            return self._told()
        return super().repr_failure(excinfo, style)

    def _told(self) -> str:
        assert self._result
        return wording.item(self._item, self._result)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, None, self.name


class _NotKept(Exception):
    """Fails the pytest item; what it says is in the result."""
