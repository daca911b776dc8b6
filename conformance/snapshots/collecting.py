"""The pytest plugin's part: transcripts as items, compared with what is kept, and kept where that is asked for.

Items run in whichever process; files are written by the controller alone, since workers of xdist share them.
"""

import difflib
import json
import os
import shlex
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from .. import wording
from ..reports.facts import about_model
from ..session import HIDDEN, ROOT, WARNINGS, benches, hidden, not_found, targets, within
from ..target import Target
from ..verdict import Broken, NotApplicable
from . import amber, is_transcript
from .playing import played
from .scripts import Transcript, transcripts

_KEPT: Final = "kept_transcript"
"""The attribute of a report that has the text to be kept; empty where none is to be."""
VERSIONS: Final = "versions"
"""The name under which a file says with what its transcripts were taken."""
_SHOWN: Final = 60
"""Lines of a diff that are shown."""


def cells(models: Sequence[Target]) -> Iterator[tuple[str, Transcript]]:
    """All transcripts with their node ids."""
    for target in models:
        for transcript in transcripts(target):
            yield f"{ROOT}::{target.label}::{transcript.name}", transcript


class Transcripts:
    """Hooks of a run with ``--conformance-transcripts``; made before those of the rules, whose node ids it leaves."""

    def __init__(self, config: pytest.Config) -> None:
        updates = amber.updates(config.option)
        if updates is None:
            raise pytest.UsageError("--conformance-transcripts needs syrupy's plugin, which is not loaded: -p syrupy")
        self._updates = updates
        self._config = config
        self._targets = targets(config)
        self._new: dict[str, dict[str, str]] = {}
        self._told: list[str] = []
        wanted = [arg for arg in config.args if arg.startswith(f"{ROOT}::")]
        own = [arg for arg in wanted if is_transcript(arg)]
        known = dict(cells(self._targets))
        for each in own:
            if each not in known:
                raise not_found(each, list(known))
        by_default = config.args_source is not pytest.Config.ArgsSource.ARGS
        self._cells = {
            nodeid: transcript
            for nodeid, transcript in known.items()
            if (not wanted and by_default) or any(within(each, nodeid) for each in wanted)
        }
        config.args[:] = [arg for arg in config.args if arg not in own]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and report.passed and self._cells:
            root = _Root.from_parent(collector, name=ROOT, nodeid=ROOT, cells=self._cells, updates=self._updates)
            report.result = [*report.result, root]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: isinstance(item, TranscriptItem))  # the rules come first

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, TranscriptItem) and report.when == "call":
            if item.new is not None:
                vars(report)[_KEPT] = item.new
            if report.skipped:
                report.longrepr = (item.nodeid, None, item.reason)  # type: ignore[assignment]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        text = getattr(report, _KEPT, None)
        if text is not None:
            _, label, name = report.nodeid.split("::")
            self._new.setdefault(label, {})[name] = text

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self._config, "workerinput"):
            return
        for target in self._targets:
            if new := self._new.get(target.label):
                try:
                    self._told.append(_write(target, self._config.rootpath, new))
                except OSError as error:
                    self._told.append(f"ERROR: transcripts of {target.label} cannot be written: {error}")
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self._told:
            terminalreporter.line(line)


def _write(target: Target, root: Path, new: dict[str, str]) -> str:
    """Keep what is new, and let go of what there is no longer; gives what is said of it."""
    file = amber.file_of(target, root)
    before = amber.kept(file)
    texts = {each.key: before.get(each.key, "") for each in transcripts(target)}
    texts |= {transcript.key: new[transcript.name] for transcript in transcripts(target) if transcript.name in new}
    found = {name: text for name, text in texts.items() if text}
    changed = sum(before.get(name, "") != text for name, text in found.items())
    gone = len(before.keys() - found.keys() - {VERSIONS})
    if changed or gone:
        amber.keep(file, {**found, VERSIONS: _versions(target)})
    where = os.path.relpath(file, Path.cwd())
    return f"transcripts of {target.label}: {changed} written, {gone} removed, {len(found)} in {where}"


def _versions(target: Target) -> str:
    return "\n".join(f"{name} {version}" for name, version in about_model(target)["versions"].items())


class _Root(pytest.Collector):
    """Collects transcripts, with their node ids."""

    def __init__(self, *, cells: dict[str, Transcript], updates: tuple[bool, bool], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cells = cells
        self._updates = updates

    def collect(self) -> Iterator[pytest.Item]:
        for nodeid, transcript in self._cells.items():
            yield TranscriptItem.from_parent(
                self, name=transcript.name, nodeid=nodeid, transcript=transcript, updates=self._updates
            )


class TranscriptItem(pytest.Item):
    """One transcript: taken, and compared with what is kept."""

    def __init__(self, *, transcript: Transcript, updates: tuple[bool, bool], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._transcript = transcript
        self._updates = updates
        self.new: str | None = None
        self.reason = ""
        for setting in WARNINGS:
            self.add_marker(pytest.mark.filterwarnings(setting))
        self.user_properties.append(("model", transcript.target.label))

    def runtest(self) -> None:
        try:
            with hidden((*HIDDEN, *self._transcript.target.stanza.clear_env)):
                now = "\n".join(played(self._transcript, benches(self.config)))
        except NotApplicable as reason:
            now, self.reason = "", reason.reason
        except Broken as broken:
            raise _Changed((("expected", broken.expected), ("observed", broken.observed))) from None
        file = amber.file_of(self._transcript.target, self.config.rootpath)
        kept = amber.kept(file)
        before = kept.get(self._transcript.key, "")
        all_of_it, missing = self._updates
        if all_of_it or (missing and not before):
            self.new = now
        elif now != before:
            raise _Changed(self._facts(before, now, file, kept.get(VERSIONS, "")))
        if not now:
            pytest.skip(self.reason)

    def _facts(self, before: str, now: str, file: Path, versions: str) -> tuple[tuple[str, str], ...]:
        """What is said of a transcript that is not as it was."""
        where = os.path.relpath(file, Path.cwd())
        target = self._transcript.target
        if not before:
            told = [("observed", f"it is not kept yet in {where}")]
        else:
            gone = f"not applicable: {self.reason}" if not now else ""
            told = [("kept in", where), ("observed", gone), ("diff", "" if gone else _diff(before, now))]
            told += [("versions", "; ".join(_moved(versions, _versions(target))))]
        told += [("accept", self._command())]
        return tuple((label, text) for label, text in told if text)

    def _command(self) -> str:
        """The command that keeps what is now."""
        target = self._transcript.target
        kwargs = f" --chat-model-kwargs={shlex.quote(json.dumps(dict(target.extra)))}" if target.extra else ""
        return f"pytest --chat-model={target.spec}{kwargs} --conformance-transcripts --snapshot-update {self.nodeid}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, _Changed):
            return super().repr_failure(excinfo, style)
        head = f"{self.name}  the model emits what is kept  {self._transcript.target.label}"
        return "\n".join([head, *wording.labelled(excinfo.value.facts)])

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, None, self.name


class _Changed(Exception):
    """Fails the pytest item; `facts` say why, each with its label."""

    def __init__(self, facts: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.facts = facts


def _diff(before: str, now: str) -> str:
    """What changed, with a line around it: ``-`` is what was kept, ``+`` what is emitted now."""
    lines = [
        line
        for line in difflib.unified_diff(before.split("\n"), now.split("\n"), lineterm="", n=1)
        if not line.startswith(("---", "+++"))
    ]
    more = f"\n… and {len(lines) - _SHOWN} more lines" if len(lines) > _SHOWN else ""
    return "\n".join(lines[:_SHOWN]) + more


def _moved(before: str, now: str) -> Iterator[str]:
    """The versions that are not those with which the transcripts were taken."""
    old, new = (dict(line.split(" ", 1) for line in text.split("\n") if " " in line) for text in (before, now))
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
