"""A comparison of two reports as text, as Markdown and as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from .comparison import GONE, Change, Comparison, ModelChanges
from .marks import Block, code, cut, fenced, folded, page
from .tally import number

_FACTS: Final = ("expected", "observed", "because", "reason", "rerun")
_FACT: Final = 400
"""Characters of a fact that are told."""


def as_text(found: Comparison) -> str:
    """For a terminal: what became worse first."""
    lines = [_verdict(found), *_general(found)]
    for model in found.models:
        lines += ["", f"{model.label} ({model.spec}): {_sum(model)}", *_model(model)]
    return "\n".join(lines) + "\n"


def as_markdown(found: Comparison) -> str:
    """For a comment or a job's summary, bounded as the report is."""
    head = [f"## Conformance: {'worse' if found.is_worse else 'no worse'} than before", f"**{code(_sentence(found))}**"]
    general = "\n".join(f"- {code(line)}" for line in _general(found))
    return page("\n\n".join(filter(None, [*head, general])), _blocks(found))


def as_json(found: Comparison) -> str:
    """For machines; docs/reports.md tells of its shape."""
    document = {
        "worse": found.is_worse,
        "incomplete": dict(found.incomplete),
        "changed": _pairs(found.facts),
        "models": {"added": list(found.added), "gone": list(found.gone), "compared": list(map(_plain, found.models))},
    }
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n"


FORMATS: Final[Mapping[str, Callable[[Comparison], str]]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}


def _plain(model: ModelChanges) -> dict[str, Any]:
    lists = {
        "newly_failing": model.failing,
        "newly_passing": model.passing,
        "otherwise": model.otherwise,
        "added": model.added,
        "gone": model.gone,
    }
    told = {name: [_item(change) for change in changes] for name, changes in lists.items()}
    return {"label": model.label, "spec": model.spec, **told, "changed": _pairs(model.facts)}


def _item(change: Change) -> dict[str, Any]:
    item = change.item
    facts = {name: item[name] for name in _FACTS if change.new != GONE and item.get(name)}
    verdicts = {"old": change.old or None, "new": change.new or None}
    return {"name": item["name"], "rule": item["rule"], "level": item["level"], **verdicts, **facts}


def _pairs(facts: Mapping[str, tuple[str, str]]) -> dict[str, list[str | None]]:
    return {name: [old or None, new or None] for name, (old, new) in facts.items()}


def _verdict(found: Comparison) -> str:
    return f"{'worse' if found.is_worse else 'no worse'}: {_sentence(found)}"


def _sentence(found: Comparison) -> str:
    if "new" in found.incomplete:
        return f"the later report is incomplete, which is no pass: {found.incomplete['new']}"
    count = sum(change.counts for model in found.models for change in model.changes)
    return f"{number(count, 'MUST item')} newly fail{'s' if count == 1 else ''}" if count else "no MUST newly fails"


def _general(found: Comparison) -> list[str]:
    """What concerns all models."""
    lines = [f"the earlier report is incomplete: {found.incomplete['old']}"] if "old" in found.incomplete else []
    lines += [f"not in the later report: {label}" for label in found.gone]
    lines += [f"in the later report alone: {label}" for label in found.added]
    return [*lines, *_facts(found.facts)]


def _facts(facts: Mapping[str, tuple[str, str]]) -> list[str]:
    return [f"{name} {old or 'none'} -> {new or 'none'}" for name, (old, new) in facts.items()]


def _sum(model: ModelChanges) -> str:
    counts = (
        (len(model.failing), "newly failing"),
        (len(model.passing), "newly passing"),
        (len(model.otherwise), "otherwise changed"),
        (len(model.added), "new"),
        (len(model.gone), "gone"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "all verdicts are as before"


def _model(model: ModelChanges) -> Iterator[str]:
    yield from (f"  {line}" for line in _facts(model.facts))
    if model.failing:
        yield "  newly failing:"
    for change in model.failing:
        yield f"    {_line(change)}"
        yield from (f"      {name:<9} {text}" for name, text in _told(change))
    for title, changes in (("newly passing", model.passing), ("otherwise changed", model.otherwise)):
        if changes:
            yield f"  {title}:"
            yield from (f"    {_line(change)}" for change in changes)
    for title, changes in (("new items, by rule", model.added), ("gone items, by rule", model.gone)):
        if changes:
            yield f"  {title}:"
            yield from (f"    {line}" for line in _by_rule(changes))


def _line(change: Change) -> str:
    return f"{change.item['name']} ({change.item['level']}): {change.old} -> {change.new}"


def _told(change: Change) -> Iterator[tuple[str, str]]:
    """What is told of an item that newly fails, each fact in a line."""
    for name in _FACTS:
        if text := change.item.get(name):
            yield name, cut(" ⏎ ".join(text.split("\n")), _FACT)


def _by_rule(changes: Sequence[Change]) -> list[str]:
    """The items of one report alone, a line a rule: ``STREAM-08: 3 passed, 1 failed``."""
    rules: dict[str, dict[str, int]] = {}
    for change in changes:
        verdicts = rules.setdefault(change.item["rule"], {})
        verdict = change.new or change.old
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    told = {rule: ", ".join(f"{count} {verdict}" for verdict, count in each.items()) for rule, each in rules.items()}
    return [f"{rule}: {text}" for rule, text in told.items()]


def _blocks(found: Comparison) -> Iterable[Block]:
    for model in found.models:
        for change in model.failing:
            text = fenced("\n".join(f"{name:<9} {told}" for name, told in _told(change)) or change.item["name"])
            yield Block(folded(_line(change), text), "newly failing item", f"{code(model.label)}: newly failing")
    for model in found.models:
        yield Block(_folded_rest(model), "list of changes", f"{code(model.label)}: {_sum(model)}")


def _folded_rest(model: ModelChanges) -> str:
    lists = (
        ("newly passing", [_line(change) for change in model.passing]),
        ("otherwise changed", [_line(change) for change in model.otherwise]),
        ("new items, by rule", _by_rule(model.added)),
        ("gone items, by rule", _by_rule(model.gone)),
        ("versions and arguments", _facts(model.facts)),
    )
    return "\n\n".join(folded(title, fenced("\n".join(lines))) for title, lines in lists if lines)
