"""``--conformance-report=FILE``: the result of a run, in as many files as are named.

The shape is that of ``report.schema.json`` beside this module, whatever it is written as. Results of xdist's workers
come in as reports, and the controller alone writes. Files that say that the run is not complete are written at the
start, so that a run which is killed leaves no older result behind that could be taken for its own.
"""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ..session import ROOT, targets
from ..snapshots import is_transcript
from ..target import Target
from .facts import FORMAT, about_model, about_python, about_suite, counts, rules_of
from .items import item_of
from .tally import outcome_of, worst
from .writers import writer_for


def register(config: pytest.Config) -> None:
    """Have the run of this configuration write its reports.

    Raises:
        pytest.UsageError: a file has another ending or cannot be written, or there is no model.
    """
    names = config.getoption("--conformance-report")
    if not config.getoption("--chat-model"):
        raise pytest.UsageError("--conformance-report goes with --chat-model")
    try:
        for name in names:
            writer_for(name)
    except ValueError as error:
        raise pytest.UsageError(f"--conformance-report={error}") from None
    if not hasattr(config, "workerinput"):
        files = [Path(config.invocation_params.dir) / name for name in dict.fromkeys(names)]
        config.pluginmanager.register(ReportFiles(files, targets(config)), "conformance-report")


class ReportFiles:
    """Hooks that gather what became of the items and write the files."""

    def __init__(self, files: Sequence[Path], models: Sequence[Target]) -> None:
        self._files = files
        self._models = models
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self._chosen: list[str] | None = None
        self._items: dict[str, dict[str, Any]] = {}
        self._named = ", ".join(os.path.relpath(file) for file in files)
        self._why = ""
        self._write(ended="unfinished", why="the run did not come to its end")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._choose(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        self._choose(ids)

    def _choose(self, ids: Any) -> None:
        self._chosen = [nodeid for nodeid in ids if nodeid.startswith(f"{ROOT}::") and not is_transcript(nodeid)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if item := item_of(report):
            self._items[report.nodeid] = item

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        missing = self._missing()
        if not missing and self._chosen:
            return self._write(ended="finished", why="")
        if not self._chosen:
            return self._write(ended="stopped", why="no rule was chosen, or none could be collected")
        stop = session.shouldfail or session.shouldstop
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            ended, why = "crashed", "an error within pytest or a plugin"
        elif exitstatus == pytest.ExitCode.INTERRUPTED and not stop:
            ended, why = "interrupted", "the run was interrupted"
        else:
            ended, why = "stopped", str(stop) if stop else "items have no verdict"
        return self._write(ended=ended, why=f"{why}; {len(missing)} of {len(self._chosen)} items have no verdict")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        what = f"incomplete report ({self._why})" if self._why else "report"
        terminalreporter.line(f"{what} written to {self._named}")

    def _missing(self) -> list[str]:
        return [nodeid for nodeid in self._chosen or () if nodeid not in self._items]

    def _write(self, *, ended: str, why: str) -> None:
        complete, self._why = ended == "finished", why
        models = [self._model(target, complete=complete) for target in self._models]
        document = {
            "schema": FORMAT,
            "suite": about_suite(),
            "python": about_python(),
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._clock, 3),
            "complete": complete,
            "ended": ended,
            "why": why,
            "outcome": worst([model["outcome"] for model in models]),
            "rules": rules_of(self._items.values()),
            "models": models,
        }
        for file in self._files:
            part = file.with_name(f"{file.name}.part")
            try:
                part.write_text(writer_for(file.name)(document), encoding="utf-8")
                part.replace(file)
            except OSError as error:
                raise pytest.UsageError(f"--conformance-report={file}: cannot be written: {error}") from None

    def _model(self, target: Target, *, complete: bool) -> dict[str, Any]:
        prefix = f"{ROOT}::{target.label}::"
        chosen = [nodeid for nodeid in self._chosen or () if nodeid.startswith(prefix)]
        items = [self._items[nodeid] for nodeid in chosen if nodeid in self._items]
        missing = [nodeid.removeprefix(prefix) for nodeid in chosen if nodeid not in self._items]
        return {
            **about_model(target),
            "outcome": outcome_of(items, complete=complete),
            "chosen": len(chosen),
            "counts": counts(items),
            **({"missing": missing} if missing else {}),
            "items": items,
        }
