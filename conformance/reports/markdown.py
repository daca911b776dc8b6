"""``--conformance-report=FILE.md``: the outcome first, for comments on pull requests and summaries of CI jobs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from .marks import Block, code, cut, fenced, folded, page, table
from .tally import Item, Model, Tally, by_verdict, named, number

Document = Mapping[str, Any]

_FACTS: Final = ("expected", "observed", "because", "script", "wire", "network", "error", "server", "rerun")
_COLUMNS: Final = (
    ("MUST fails", "failed"),
    ("SHOULD fails", "warned"),
    ("known", "known"),
    ("new", "new"),
    ("stale", "stale"),
    ("blocked", "blocked"),
    ("not judged", "harness error"),
)
_FOLDED: Final = (
    ("warned", "SHOULD rule", "that do not hold"),
    ("known", "known rule", "that do not hold, as the baseline says"),
    ("new", "new rule", "that do not hold, and are not yet counted"),
    ("blocked", "blocked rule", "of which nothing can be told, for a more basic one that fails"),
)
"""What is told in a line a rule: verdict, what it is, and what became of it."""
_SHOWN: Final = 3
"""Items of a rule that are told in full."""
_FACT: Final = 1_000
"""Characters of a fact that are told."""
_ROWS: Final = 100
"""Models that have a line in the table."""


def summary(document: Document) -> str:
    """The page, of at most 60,000 characters: what does not fit is left out, and counted."""
    return page(_head(document), _blocks(document))


def _head(document: Document) -> str:
    """The outcome, and a line a model."""
    models = document["models"]
    suite = document["suite"]
    where = f"Suite {suite['version']}, catalogue {suite['catalogue']['revision']}; "
    where += f"Python {document['python']['version']}; {document['started']}; {document['seconds']:.0f} s."
    lines = [f"## Conformance: {document['outcome']}", _said(document), where, _models(models)]
    if len(models) > _ROWS:
        lines.append(f"And {number(len(models) - _ROWS, 'model')} more.")
    if part := [model for model in models if model["chosen"] < model["catalogue"]]:
        told = f"{number(len(part), 'model')}" if len(models) > 1 else "this run"
        lines.append(f"**A part of the catalogue was chosen** for {told}: `items` says how much.")
    lines.append(
        "Numbers are rules; one counts in each column in which it has an item. Not judged: an error of the suite."
    )
    return "\n\n".join(lines)


def _said(document: Document) -> str:
    """The outcome, in a sentence."""
    models = document["models"]
    if document["outcome"] == "incomplete":
        return f"**Incomplete, which is no pass:** {code(document['why'] or 'nothing was judged')}"
    tallies = [by_verdict(model) for model in models]
    failed = [tally for tally in tallies if any(verdict in tally for verdict in ("failed", "stale", "harness error"))]
    if document["outcome"] == "failed":
        reasons = (
            (sum(len(tally.get("failed", ())) for tally in tallies), "MUST rule", "not kept"),
            (sum(len(tally.get("stale", ())) for tally in tallies), "rule", "kept, which the baseline denies"),
            (sum(len(tally.get("harness error", ())) for tally in tallies), "rule", "not judged"),
        )
        told = ", ".join(f"{number(count, what)} {how}" for count, what, how in reasons if count)
        return f"**Failed:** {told}{f', by {len(failed)} of {len(models)} models' if len(models) > 1 else ''}."
    known = sum(len(tally.get("known", ())) for tally in tallies)
    but = f", but for {number(known, 'known rule')} of the baseline" if known else ""
    return f"**Passed:** no MUST rule that was judged fails{but}."


def _models(models: Sequence[Model]) -> str:
    heads = ["model", "outcome", *(title for title, _ in _COLUMNS), "items"]
    return table(heads, (_row(model) for model in models[:_ROWS]))


def _row(model: Model) -> list[str]:
    tally = by_verdict(model)
    name = " ".join(filter(None, (code(cut(model["label"], 80)), named(model))))
    judged = len(model["items"])
    without = f", {model['chosen'] - judged} without a verdict" if judged < model["chosen"] else ""
    return [
        name,
        f"**{model['outcome']}**",
        *(str(len(tally.get(verdict, ()))) for _, verdict in _COLUMNS),
        f"{judged} of {model['catalogue']}{without}",
    ]


def _blocks(document: Document) -> Iterator[Block]:
    """All else, what matters most first."""
    statements = {id: rule["statement"] for id, rule in document["rules"].items()}
    models = [(model, by_verdict(model)) for model in document["models"]]
    for model, tally in models:
        for rule, items in tally.get("failed", {}).items():
            title = f"{rule}: {statements[rule]} ({number(len(items), 'item')})"
            yield Block(folded(title, _told(items)), "MUST rule", _heading(model, "MUST rules that do not hold"))
    for verdict, what in (("harness error", "not judged, for an error of the suite"), ("stale", "kept, though known")):
        for model, tally in models:
            for rule, items in tally.get(verdict, {}).items():
                yield Block(folded(f"{rule}: {what}", _told(items)), "rule", _heading(model, what))
    for model, tally in models:
        yield from _lists(model, tally, statements)
    for model, _ in models:
        versions = "\n".join(f"{name} {version}" for name, version in model["versions"].items())
        yield Block(folded(f"Versions for {model['label']}", fenced(versions)), "list of versions", "Versions")


def _lists(model: Model, tally: Tally, statements: Mapping[str, str]) -> Iterator[Block]:
    """What is told of a model in a line each."""
    if missing := model.get("missing"):
        text = folded(f"{number(len(missing), 'item')} without a verdict", fenced(_some(missing, 200)))
        yield Block(text, "list of items without a verdict", _heading(model, "without a verdict"))
    for verdict, what, became in _FOLDED:
        if rules := tally.get(verdict):
            text = fenced("\n".join(_line(rule, statements[rule], items) for rule, items in rules.items()))
            title = f"{number(len(rules), what)} {became}"
            yield Block(folded(title, text), f"list of {what}s", _heading(model, "what else"))


def _heading(model: Model, what: str) -> str:
    return f"{code(cut(model['label'], 80))}: {what}"


def _told(items: Sequence[Item]) -> str:
    """The facts of some items, and how many more there are."""
    lines = [line for item in items[:_SHOWN] for line in (*_facts(item), "")]
    if more := [item["name"] for item in items[_SHOWN:]]:
        lines.append(f"and {_some(more, 20, ', ')}")
    return fenced("\n".join(lines))


def _facts(item: Item) -> Iterator[str]:
    yield item["name"]
    for name in _FACTS:
        if told := item.get(name):
            first, *rest = cut(told, _FACT).splitlines() or [""]
            yield f"  {name:<9} {first}"
            yield from (f"  {'':<9} {line}" for line in rest)


def _line(rule: str, statement: str, items: Sequence[Item]) -> str:
    """A rule in a line, and what the baseline says of it in another."""
    names = _some([item["name"].removeprefix(f"{rule}-") for item in items], 6, ", ")
    reasons = [item.get("known") or (item.get("reason") if item["verdict"] == "blocked" else "") for item in items]
    why = cut("; ".join(dict.fromkeys(filter(None, reasons))), 200)
    return f"{rule:<11}{statement} [{names}]{f'{chr(10)}{chr(32) * 11}{why}' if why else ''}"


def _some(names: Sequence[str], count: int, gap: str = "\n") -> str:
    more = f"{gap}and {len(names) - count} more" if len(names) > count else ""
    return f"{gap.join(names[:count])}{more}"
