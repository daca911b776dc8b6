"""One integration, measured: its environment, its run, and what came of it."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .children import Children, TimeLimit
from .environments import BuildError, Environment, Environments, clean
from .listing import Integration
from .progress import Progress
from .results import Results, Row, key_of

_SAID: Final = "ERROR: "
"""How the line of a log begins in which pytest says why a run came to nothing."""
_INTERNAL: Final = "INTERNALERROR> "
"""How the lines of a traceback begin that pytest shows of an error that is not a user's."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How integrations are measured.

    Args:
        arguments: further arguments of pytest.
        limit: seconds that one may take.
        folder: where the runs begin, with its stanzas and models; `None` for an empty folder each.
        jobs: how many run at once.
    """

    arguments: tuple[str, ...] = ()
    limit: float = 1800.0
    folder: Path | None = None
    jobs: int = 1


class Runs:
    """Measures integrations, from several threads."""

    def __init__(
        self, settings: Settings, environments: Environments, children: Children, results: Results, progress: Progress
    ) -> None:
        self._settings = settings
        self._environments = environments
        self._children = children
        self._results = results
        self._progress = progress

    def prepare(self, integration: Integration) -> Row:
        """Build the environment alone; the row is not kept."""
        found = self._environment(integration)
        return found if isinstance(found, Row) else Row(integration=integration, built=found.seconds)

    def measure(self, integration: Integration) -> Row:
        """The row of an integration, measured and kept.

        Raises:
            Stopped: the command is being ended.
        """
        found = self._environment(integration)
        if isinstance(found, Row):
            row = found
        else:
            self._progress.begins(integration.name, "running", self._log(integration))
            row = self._run(integration, found)
        self._results.write(row)
        return row

    def _log(self, integration: Integration) -> Path:
        return self._results.file(integration.name, ".log")

    def _environment(self, integration: Integration) -> Environment | Row:
        log = self._log(integration)
        log.unlink(missing_ok=True)
        self._progress.begins(integration.name, "building", log)
        try:
            return self._environments.of(integration, log)
        except BuildError as error:
            return self._row(integration, reason=str(error))

    def _row(self, integration: Integration, **told: Any) -> Row:
        key = key_of(integration, self._settings.arguments)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        return Row(integration=integration, key=key, finished=finished, **told)

    def _run(self, integration: Integration, environment: Environment) -> Row:
        log = self._log(integration)
        with tempfile.TemporaryDirectory(prefix="conformance-") as empty:
            file = Path(empty) / "report.json"
            command = self._command(integration, environment, file)
            started = time.monotonic()
            reason, status, at = "", 0, log.stat().st_size if log.exists() else 0
            try:
                status = self._children.run(
                    command,
                    log=log,
                    cwd=self._settings.folder or Path(empty),
                    env=os.environ | {"PYTEST_ADDOPTS": ""} if integration.is_current else clean(os.environ),
                    limit=self._settings.limit,
                )
            except TimeLimit:
                reason = f"did not end within {self._settings.limit:.0f} s"
            except OSError as error:
                reason = f"cannot be run: {error}"
            took, report = round(time.monotonic() - started, 1), _read(file)
        if not reason:
            reason = _why(report, status, lambda: _last_words(log, at))
        return self._row(integration, reason=reason, report=report, built=environment.seconds, took=took)

    def _command(self, integration: Integration, environment: Environment, file: Path) -> list[str]:
        kwargs = [f"--chat-model-kwargs={json.dumps(dict(integration.kwargs))}"] if integration.kwargs else []
        return [
            str(environment.python),
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conformance"),
            f"--chat-model={integration.model}",
            f"--conformance-report={file}",
            *kwargs,
            *self._settings.arguments,
        ]


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _why(report: Mapping[str, Any] | None, status: int, last_words: Callable[[], str]) -> str:
    """Why a run has no result, or `""` where it has one."""
    if report is None:
        return last_words() or f"pytest ended with status {status} and no report"
    if report["ended"] == "unfinished":
        return f"the process died (status {status}): {last_words()}"
    return "" if report["complete"] else f"not complete: {report['why']}"


def _last_words(log: Path, at: int) -> str:
    """What a log gives as the reason, from a place on; else its last line."""
    with log.open("rb") as file:
        file.seek(at)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix(_SAID) for line in lines if line.startswith(_SAID)]
    internal = [line.removeprefix(_INTERNAL) for line in lines if line.startswith(_INTERNAL)]
    return (said[:1] or internal[-1:] or lines[-1:] or [""])[0][:600]
