"""Where reports that are put together come from: their files, and the results of `conformance matrix`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..matrix.results import ResultsError, Row, newest, read
from .merge import Part
from .reading import ReportError, checked, parsed


def gathered(paths: Iterable[Path]) -> tuple[list[Part], list[str]]:
    """The reports in these files and folders, and what was to have one and has none, with the reason.

    Of a folder all reports are taken, at any depth, and of results of the matrix the newest of each integration.

    Raises:
        ReportError: there are none, or a file is none.
    """
    parts: list[Part] = []
    rows: list[Row] = []
    for file in _files(paths):
        document = parsed(file)
        if isinstance(document, dict) and "matrix" in document:
            rows.append(_row(file))
        else:
            parts.append(Part(str(file), checked(document, str(file))))
    rows = newest(rows)
    parts += [_part(row) for row in rows if row.report]
    lost = [f"{row.name}: {row.reason}" for row in rows if row.reason and not (row.report and row.report["why"])]
    if not parts:
        raise ReportError("; ".join(lost) or "there are no reports; --conformance-report=FILE.json writes one")
    return parts, lost


def _part(row: Row) -> Part:
    """The report of an integration; its model is called as the list calls it."""
    label = row.name if row.name != row.integration.model else ""
    return Part(row.name, checked(row.report, row.name), label)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(each for each in path.rglob("*.json") if not each.name.endswith(".badge.json"))
        if not found:
            raise ReportError(f"{path}: there are no reports in it; --conformance-report=FILE.json writes one")
        yield from found


def _row(file: Path) -> Row:
    try:
        return read(file)
    except ResultsError as error:
        raise ReportError(str(error)) from None
