"""The table of docs/findings.md: what released packages do not keep."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parents[1] / "docs" / "findings.md"
_PACKAGE: Final = re.compile(r"\(.*?\)|\*")
_TARGET: Final = re.compile(r"\(#[^)]*\)")
_RULE: Final = re.compile(r"([A-Z]+)-(\d\d)|(to )?-(\d\d)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One row.

    Args:
        package: as the row says it, with all that share the finding.
        versions: of these.
        told: what is seen.
        packages: the distributions.
        rules: the ids of the rules that do not hold.
    """

    package: str
    versions: str
    told: str
    packages: frozenset[str]
    rules: frozenset[str]


@cache
def findings() -> tuple[Finding, ...]:
    """The rows of the table by packages, from the first to the last."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return tuple(
        Finding(row[0], row[1], row[3], frozenset(_packages(row[0])), frozenset(rules_in(row[2])))
        for row in rows
        if len(row) == 4 and row[0] != "package"
    )


def _packages(cell: str) -> Iterator[str]:
    """The distributions in ``langchain-groq, -xai; databricks-langchain``."""
    for name in re.split("[,;]", _PACKAGE.sub("", cell)):
        if name := name.strip():
            yield f"langchain{name}" if name.startswith("-") else name


def rules_in(cell: str) -> Iterator[str]:
    """The ids in ``[META-01, -02](#link), TOOL-01 to -08``."""
    area, last = "", 0
    for match in _RULE.finditer(_TARGET.sub("", cell)):
        first = int(match[2] or match[4])
        area = match[1] or area
        for number in range(last + 1 if match[3] else first, first + 1):
            yield f"{area}-{number:02d}"
        last = first
