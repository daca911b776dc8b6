"""The report on all integrations, as a page of Markdown: the same rows give the same page."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from .measured import COLUMNS, Model, legend
from .progress import told
from .results import Row

_NOT_KEPT: Final = ("failed", "warned", "known", "new")
_SILENT: Final = ("not applicable", "blocked")


def page(rows: Sequence[Row], *, times: bool = True, rules: str = "rules/") -> str:
    """The page.

    Args:
        rows: of all integrations, those without a result too.
        times: whether it tells when and how long each was measured; without, runs that find the same give the same.
        rules: where the pages of the rules are, from the page's folder.
    """
    rows = sorted(rows, key=lambda row: (row.integration.model, row.name))
    good = [row for row in rows if row.model is not None]
    lines = ["# The matrix", "", *_head(rows, good), ""]
    if good:
        lines += ["## What each integration can do", "", *legend(), "", *_measured(good), ""]
        lines += ["## Rules kept, by area", "", *_by_area(good), ""]
        lines += ["## Rules that do not hold somewhere", "", *_by_rule(good, rules), ""]
        lines += ["## What was measured", "", *_versions(good, times=times), ""]
    if lost := [row for row in rows if row.model is None]:
        lines += ["## Without a result", "", *_lost(lost), ""]
    return "\n".join(lines)


def _head(rows: Sequence[Row], good: Sequence[Row]) -> Iterator[str]:
    """What this is, and with which suite it was measured."""
    yield f"{len(good)} of {len(rows)} integrations, measured by `conformance matrix` against a scripted mock provider."
    suites = {f"{suite['version']}, catalogue {suite['catalogue']['revision']}" for suite in _suites(good)}
    pythons = {row.report["python"]["version"] for row in good if row.report}
    if good:
        yield f"Suite: {' and '.join(sorted(suites))}. Python: {', '.join(sorted(pythons))}."
    if len({suite["catalogue"]["digest"] for suite in _suites(good)}) > 1:
        yield "**The rows were measured with different rules**, and cannot all be compared."
    part = [row.name for row in good if row.model and row.model["chosen"] < row.model["catalogue"]]
    if part:
        yield f"**A part of the catalogue was chosen** for {', '.join(part)}."
    if errors := sum(row.model["counts"].get("harness error", 0) for row in good if row.model):
        yield f"**{errors} items could not be judged for an error of the suite.**"


def _suites(rows: Iterable[Row]) -> list[Any]:
    return [row.report["suite"] for row in rows if row.report]


def _table(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in cells:
        yield f"| {' | '.join(_cell(text) for text in row)} |"


def _cell(text: str) -> str:
    """A text that stays in its cell."""
    return " ".join(text.split()).replace("|", r"\|")


def _title(row: Row) -> str:
    """The integration as it is called in tables: its class's name where that is enough, and its package."""
    model = row.model or {}
    package = model.get("package")
    module = row.integration.model.rpartition(":")[0]
    name = row.name.removeprefix(f"{module}:")
    return f"{name} ({package['name']} {package['version']})" if package else name


def _measured(rows: Sequence[Row]) -> Iterator[str]:
    heads = ["integration", *(column.title for column in COLUMNS)]
    return _table(heads, ([_title(row), *(column.cell(_model(row)) for column in COLUMNS)] for row in rows))


def _model(row: Row) -> Model:
    assert row.model is not None
    return row.model


def _areas(rows: Sequence[Row]) -> list[str]:
    """The areas, in the order in which they ran."""
    return list(dict.fromkeys(item["area"] for row in rows for item in _model(row)["items"]))


def _by_area(rows: Sequence[Row]) -> Iterator[str]:
    yield "Rules kept, of those that apply; **bold** where a MUST does not hold."
    yield ""
    areas = _areas(rows)
    cells = ([_title(row), *(_kept(_model(row), area) for area in areas)] for row in rows)
    yield from _table(["integration", *areas], cells)


def _kept(model: Model, area: str) -> str:
    items = [item for item in model["items"] if item["area"] == area]
    judged = {item["rule"] for item in items if item["verdict"] not in (*_SILENT, "harness error")}
    broken = {item["rule"] for item in items if item["verdict"] in _NOT_KEPT}
    if not judged:
        return "–"
    text = f"{len(judged - broken)}/{len(judged)}"
    return f"**{text}**" if _breaks_must(items) else text


def _breaks_must(items: Iterable[Any]) -> bool:
    return any(item["verdict"] in _NOT_KEPT and item["level"] == "MUST" for item in items)


def _by_rule(rows: Sequence[Row], pages: str) -> Iterator[str]:
    """A line a rule and a column an integration; these have numbers, so that the table stays narrow."""
    yield (
        "**M**: a MUST does not hold; s: a SHOULD does not; ·: it holds; b: blocked by a more basic rule; "
        "!: not judged, for an error of the suite; blank: not applicable."
    )
    yield ""
    yield "; ".join(f"{number} {_title(row)}" for number, row in enumerate(rows, 1))
    yield ""
    statements = {id: rule["statement"] for row in rows if row.report for id, rule in row.report["rules"].items()}
    broken = {item["rule"] for row in rows for item in _model(row)["items"] if item["verdict"] in _NOT_KEPT}
    by_rule = [_letters(_model(row)) for row in rows]
    ordered = [rule for area in _areas(rows) for rule in sorted(broken) if rule.partition("-")[0] == area]
    cells = (
        [f'[{rule}]({pages}{rule}.md "{_quoted(statements[rule])}")', *(letters.get(rule, "") for letters in by_rule)]
        for rule in ordered
    )
    yield from _table(["rule", *map(str, range(1, len(rows) + 1))], cells)


def _quoted(text: str) -> str:
    return text.replace('"', "'")


def _letters(model: Model) -> dict[str, str]:
    """What became of each rule, in a letter."""
    found: dict[str, list[Any]] = {}
    for item in model["items"]:
        found.setdefault(item["rule"], []).append(item)
    return {rule: _letter(items) for rule, items in found.items()}


def _letter(items: Sequence[Any]) -> str:
    verdicts = {item["verdict"] for item in items}
    if verdicts.intersection(_NOT_KEPT):
        return "**M**" if _breaks_must(items) else "s"
    if "harness error" in verdicts:
        return "!"
    if "passed" in verdicts or "stale" in verdicts:
        return "·"
    return "b" if "blocked" in verdicts else ""


def _versions(rows: Sequence[Row], *, times: bool) -> Iterator[str]:
    heads = ["integration", "model", "wire", "rules", "versions", *(["seconds", "measured"] if times else [])]
    yield from _table(heads, (_version_cells(row, times=times) for row in rows))
    if times:
        yield ""
        yield f"All runs together: {told(sum(row.seconds for row in rows))}."


def _version_cells(row: Row, *, times: bool) -> list[str]:
    model = _model(row)
    counts = Counter({verdict: int(count) for verdict, count in model["counts"].items()})
    broken = counts["failed"] + counts["warned"] + counts["known"] + counts["new"]
    judged = model["chosen"] - counts["not applicable"] - counts["blocked"]
    versions = ", ".join(f"{name} {version}" for name, version in model["versions"].items())
    cells = [
        _title(row),
        f"`{row.integration.model}`",
        f"`{model['wire']}`",
        f"{judged - broken} of {judged} items",
        versions,
    ]
    return [*cells, *([f"{row.seconds:.0f}", row.finished[:10]] if times else [])]


def _lost(rows: Sequence[Row]) -> Iterator[str]:
    heads = ["integration", "model", "packages", "why"]
    yield from _table(heads, ([row.name, f"`{row.integration.model}`", _packages(row), row.reason] for row in rows))


def _packages(row: Row) -> str:
    return "as installed" if row.integration.is_current else ", ".join(row.integration.packages)
