"""What is known of each integration: a JSON file for each in the results folder, from which a later run goes on."""

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from ..integrations import shipped
from ..reports.facts import FORMAT, catalogue_digest, suite_version
from .listing import Integration

MATRIX: Final = 1
"""The version of a row's shape."""


class ResultsError(Exception):
    """Results that cannot be read or written; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of one integration.

    Args:
        integration: its entry in the list.
        key: of what was measured with what; where it is the same, it need not be measured again.
        reason: why there is no result, or the result is not complete; empty where there is one.
        report: the result of the run, as ``--conformance-report`` wrote it; `None` where nothing ran.
        built: seconds that building the environment took; 0 where it was there.
        finished: when, in UTC.
        took: seconds of its process, imports and all.
    """

    integration: Integration
    key: str = ""
    reason: str = ""
    report: Mapping[str, Any] | None = field(default=None, repr=False)
    built: float = 0.0
    finished: str = ""
    took: float = 0.0

    @property
    def name(self) -> str:
        return self.integration.name

    @property
    def model(self) -> Mapping[str, Any] | None:
        """What the report says of the model; `None` where there is no result."""
        return self.report["models"][0] if self.report and not self.reason else None

    @property
    def seconds(self) -> float:
        return self.took or (float(self.report["seconds"]) if self.report else 0.0)


def key_of(integration: Integration, arguments: Sequence[str]) -> str:
    """Differs where the packages, the model's arguments or stanza, what runs of the suite, or the suite does.

    What the present environment holds belongs to what is measured in it.
    """
    module, _, name = integration.model.partition(":")
    names = (integration.model, f"{module.partition('.')[0]}:{name}")
    stanza = next((shipped()[each] for each in names if each in shipped()), None)
    where = _installed() if integration.is_current else integration.python or platform.python_version_tuple()[:2]
    told = [asdict(integration), where, list(arguments), suite_version(), catalogue_digest(), repr(stanza)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _installed() -> list[str]:
    """All that is installed here, with versions."""
    return sorted({f"{each.name} {each.version}" for each in metadata.distributions()})


class Results:
    """The rows in a folder.

    Args:
        folder: made where it is not there.

    Raises:
        ResultsError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"--results {folder}: cannot be made: {error.strerror}") from None

    def file(self, name: str, ending: str = ".json") -> Path:
        """The file of an integration: readable, and different for names that differ."""
        readable = re.sub(r"[^\w.+-]+", ".", name).strip(".")[:80]
        plain = readable == name.replace(":", ".")
        return self.folder / f"{readable}{'' if plain else '-' + hashlib.sha256(name.encode()).hexdigest()[:6]}{ending}"

    def of(self, name: str) -> Row | None:
        """The row that is kept; `None` where there is none that can be read."""
        file = self.file(name)
        try:
            return read(file)
        except ResultsError:
            return None

    def write(self, row: Row) -> None:
        """Keep a row."""
        document = {"matrix": MATRIX, **{name: getattr(row, name) for name in Row.__dataclass_fields__}}
        document["integration"] = asdict(row.integration)
        file = self.file(row.name)
        part = file.with_name(f"{file.name}.part")
        part.write_text(f"{json.dumps(document, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
        part.replace(file)


def read(file: Path) -> Row:
    """The row in a file.

    Raises:
        ResultsError: it is none, or one of another version.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        versions = document.pop("matrix"), (document.get("report") or {}).get("schema", FORMAT)
        if versions != (MATRIX, FORMAT):
            raise ResultsError(f"{file}: is of another version of this project, and cannot be read")
        entry = document.pop("integration")
        entry |= {name: tuple(entry[name]) for name in ("packages", "constraints")}
        return Row(integration=Integration(**entry), **document)
    except OSError as error:
        raise ResultsError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ResultsError(f"{file}: is no result of `conformance matrix`") from None


def merged(folders: Iterable[Path]) -> list[Row]:
    """The rows of several results folders, by name. Of one that stands in several, the newest with a result is taken.

    Raises:
        ResultsError: a folder holds no results, or a file in it is none.
    """
    found: list[Row] = []
    for folder in folders:
        rows = list(_rows(folder))
        if not rows:
            raise ResultsError(f"{folder}: holds no results; `conformance matrix --results {folder}` writes them there")
        found += rows
    return newest(found)


def newest(rows: Iterable[Row]) -> list[Row]:
    """The rows by name: of one that stands several times, the newest with a result."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.name not in found or _rank(row) > _rank(found[row.name]):
            found[row.name] = row
    return list(found.values())


def _rank(row: Row) -> tuple[bool, str]:
    return row.model is not None, row.finished


def _rows(folder: Path) -> Iterator[Row]:
    """The rows below a folder: those that CI downloads stand in a folder of their own for each machine."""
    for file in sorted(folder.rglob("*.json")):
        yield read(file)
