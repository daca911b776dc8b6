"""``--conformance-report=FILE.json``: the result of a run for machines.

The shape is that of ``report.schema.json`` beside this module. Results of xdist's workers come in as reports, and the
controller alone writes. A file that says that the run is not complete is written at the start, so that a run which is
killed leaves no older result behind that could be taken for its own.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from .report_facts import FORMAT, about_model, about_python, about_suite, counts, rules_of
from .report_items import item_of
from .session import ROOT, targets
from .target import Target
from .verdict import RED

ENDING: Final = ".json"


def register(config: pytest.Config) -> None:
    """Have the run of this configuration write its report, if it is to.

    Raises:
        pytest.UsageError: the file has another ending or cannot be written, or there is no model.
    """
    name = config.getoption("--conformance-report")
    if not config.getoption("--chat-model"):
        raise pytest.UsageError("--conformance-report goes with --chat-model")
    if not name.endswith(ENDING):
        raise pytest.UsageError(f"--conformance-report={name}: reports are written as JSON, to FILE{ENDING}")
    if not hasattr(config, "workerinput"):
        file = Path(config.invocation_params.dir) / name
        config.pluginmanager.register(ReportFile(file, targets(config)), "conformance-report")


class ReportFile:
    """Hooks that gather what became of the items and write the file."""

    def __init__(self, file: Path, models: Sequence[Target]) -> None:
        self._file = file
        self._models = models
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self._chosen: list[str] | None = None
        self._items: dict[str, dict[str, Any]] = {}
        try:
            self._write(ended="unfinished", why="the run did not come to its end")
        except OSError as error:
            raise pytest.UsageError(f"--conformance-report={file}: cannot be written: {error}") from None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._choose(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        self._choose(ids)

    def _choose(self, ids: Any) -> None:
        self._chosen = [nodeid for nodeid in ids if nodeid.startswith(f"{ROOT}::")]

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

    def _missing(self) -> list[str]:
        return [nodeid for nodeid in self._chosen or () if nodeid not in self._items]

    def _write(self, *, ended: str, why: str) -> None:
        complete = ended == "finished"
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
            "outcome": _worst([model["outcome"] for model in models]),
            "rules": rules_of(self._items.values()),
            "models": models,
        }
        part = self._file.with_name(f"{self._file.name}.part")
        part.write_text(f"{json.dumps(document, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
        part.replace(self._file)

    def _model(self, target: Target, *, complete: bool) -> dict[str, Any]:
        prefix = f"{ROOT}::{target.label}::"
        chosen = [nodeid for nodeid in self._chosen or () if nodeid.startswith(prefix)]
        items = [self._items[nodeid] for nodeid in chosen if nodeid in self._items]
        verdicts = {item["verdict"] for item in items}
        outcome = "failed" if verdicts.intersection(RED) else "passed"
        return {
            **about_model(target),
            "outcome": outcome if complete and items else "incomplete",
            "chosen": len(chosen),
            "counts": counts(items),
            "items": items,
        }


def _worst(outcomes: Sequence[str]) -> str:
    return next((each for each in ("incomplete", "failed") if each in outcomes), "passed")
