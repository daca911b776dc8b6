"""The page `docs/defects.md`: which rule tells of each defect that released packages had."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

HEAD: Final = """# Real defects, and the rules that tell of them

What broke in released chat models, gathered from issue threads, change logs and runs, and the rules that tell of it.
`python -m tests.timetravel` shows some of them on the release that had the defect, and on the one that mended it.
Where no rule tells of a defect, the last column says why.

"""
_COLUMNS: Final = "| defect | package | affected | fixed | thread | rules |\n|---|---|---|---|---|---|\n"
_ROW: Final = "| {0.id} | {0.package} | {0.affected} | {0.fixed} | {0.thread} | {rules} |"


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect that released versions had.

    Args:
        id: short name.
        package: distribution, and class where it matters.
        affected: versions that have it.
        fixed: version in which it was mended.
        thread: where it was reported.
        rules: ids of the rules that tell of it.
        why: where there are none, the reason.
    """

    id: str
    package: str
    affected: str
    fixed: str
    thread: str
    rules: tuple[str, ...] = ()
    why: str = ""


@cache
def defects() -> dict[str, list[Defect]]:
    """All defects, by the property that they break."""
    document = tomllib.loads((Path(__file__).parent / "defects.toml").read_text(encoding="utf-8"))
    return {
        title: [Defect(id, **{**told, "rules": tuple(told.get("rules", ()))}) for id, told in table.items()]
        for title, table in document.items()
    }


def text() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, found in defects().items():
        parts += [f"## {title}\n\n", _COLUMNS]
        parts += [_ROW.format(each, rules=", ".join(each.rules) or each.why) + "\n" for each in found]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"
