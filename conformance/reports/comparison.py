"""What changed from one report to a later one, model by model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..catalogue import MUST
from .reading import ReportError
from .tally import BROKEN, HELD, Item, Model

Document = Mapping[str, Any]

GONE: Final = ""
"""The verdict on an item that a report does not have."""
NO_VERDICT: Final = "no verdict"
"""The verdict on an item that was to run and did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An item of which the verdict changed.

    Args:
        item: as the later report has it, or the earlier one where that has it alone.
        old: the verdict before, or `GONE`.
        new: the verdict now, or `GONE`, or `NO_VERDICT`.
    """

    item: Item
    old: str
    new: str

    @property
    def fails(self) -> bool:
        """Whether it did not fail, and does; or held, and can no longer be told of."""
        if GONE in (self.old, self.new):
            return False
        fails = self.old not in BROKEN and self.new in (*BROKEN, "harness error")
        return fails or (self.old in HELD and self.new == "blocked")

    @property
    def holds(self) -> bool:
        """Whether it holds, and did not."""
        return self.old in (*BROKEN, "blocked", "harness error") and self.new in HELD

    @property
    def counts(self) -> bool:
        """Whether it is a MUST that newly fails, and that nothing excuses."""
        return self.fails and self.item["level"] == MUST and self.new in ("failed", "blocked", "harness error")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChanges:
    """What changed of one model.

    Args:
        label: as the later report has it.
        changes: of items, in the order of the later report; those that it does not have come last.
        facts: what else differs, by its name: versions of packages, constructor arguments; `""` where it was not there.
    """

    label: str
    spec: str
    changes: tuple[Change, ...]
    facts: Mapping[str, tuple[str, str]]

    @property
    def failing(self) -> list[Change]:
        """Newly failing; those that count first, then in the order of the report."""
        return sorted((each for each in self.changes if each.fails), key=lambda each: not each.counts)

    @property
    def passing(self) -> list[Change]:
        return [each for each in self.changes if each.holds]

    @property
    def otherwise(self) -> list[Change]:
        """Changes of verdicts that are neither."""
        both = (each for each in self.changes if GONE not in (each.old, each.new))
        return [each for each in both if not each.fails and not each.holds]

    @property
    def added(self) -> list[Change]:
        return [each for each in self.changes if each.old == GONE]

    @property
    def gone(self) -> list[Change]:
        return [each for each in self.changes if each.new == GONE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed.

    Args:
        models: those that both reports have.
        added: the labels of models that the later report alone has.
        gone: the labels of models that the earlier one alone has.
        facts: what differs of the suite and of Python, by its name.
        incomplete: why reports are not complete: ``old`` and ``new``.
    """

    models: tuple[ModelChanges, ...]
    added: tuple[str, ...]
    gone: tuple[str, ...]
    facts: Mapping[str, tuple[str, str]]
    incomplete: Mapping[str, str]

    @property
    def is_worse(self) -> bool:
        """Whether a MUST newly fails, or nothing can be said since the later report is not complete."""
        return "new" in self.incomplete or any(change.counts for model in self.models for change in model.changes)


def compare(old: Document, new: Document, *, names: tuple[str, str] = ("OLD", "NEW")) -> Comparison:
    """What changed from one report to another.

    Args:
        old: the earlier report.
        new: the later one.
        names: what the two are called where they cannot be compared.

    Raises:
        ReportError: they have no model in common.
    """
    pairs = _pairs(old["models"], new["models"])
    if not pairs:
        told = (", ".join(model["spec"] for model in each["models"]) for each in (old, new))
        raise ReportError(
            "of different models: " + "; ".join(f"{n} is of {t}" for n, t in zip(names, told, strict=True))
        )
    return Comparison(
        models=tuple(_changes(*pair) for pair in pairs),
        added=_labels(new["models"], but=[after for _, after in pairs]),
        gone=_labels(old["models"], but=[before for before, _ in pairs]),
        facts=_different(_about(old), _about(new)),
        incomplete={
            name: document["why"] or "nothing was judged"
            for name, document in (("old", old), ("new", new))
            if document["outcome"] == "incomplete"
        },
    )


def _labels(models: Sequence[Model], *, but: Sequence[Model]) -> tuple[str, ...]:
    return tuple(model["label"] for model in models if not any(model is each for each in but))


def _pairs(old: Sequence[Model], new: Sequence[Model]) -> list[tuple[Model, Model]]:
    """The models that both have: of one spec, and of one label where a spec stands several times."""
    found: list[tuple[Model, Model]] = []
    for model in new:
        same = [each for each in old if each["spec"] == model["spec"]]
        alike = [each for each in new if each["spec"] == model["spec"]]
        if len(same) > 1 or len(alike) > 1:
            same = [each for each in same if each["label"] == model["label"]]
        found += [(each, model) for each in same[:1]]
    return found


def _changes(old: Model, new: Model) -> ModelChanges:
    return ModelChanges(
        label=new["label"],
        spec=new["spec"],
        changes=tuple(_items(old, new)),
        facts=_different(_kept(old), _kept(new)),
    )


def _items(old: Model, new: Model) -> Iterator[Change]:
    before, after = ({item["name"]: item for item in model["items"]} for model in (old, new))
    missed, missing = (set(model.get("missing", ())) for model in (old, new))
    for name, item in after.items():
        verdict = before[name]["verdict"] if name in before else NO_VERDICT if name in missed else GONE
        if verdict != item["verdict"]:
            yield Change(item=item, old=verdict, new=item["verdict"])
    for name, item in before.items():
        if name not in after:
            yield Change(item=item, old=item["verdict"], new=NO_VERDICT if name in missing else GONE)


def _kept(model: Model) -> dict[str, str]:
    kwargs = json.dumps(model["kwargs"], sort_keys=True, ensure_ascii=False) if model["kwargs"] else ""
    facts = {**model["versions"], "wire": model.get("wire", ""), "constructor arguments": kwargs}
    return {name: text for name, text in facts.items() if text}


def _about(document: Document) -> dict[str, str]:
    suite, python = document["suite"], document["python"]
    catalogue = suite["catalogue"]
    return {
        "suite": suite["version"],
        "catalogue": f"{catalogue['revision']} ({catalogue['digest']})",
        "Python": python["version"],
        "system": python.get("system", ""),
    }


def _different(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = dict.fromkeys([*new, *old])
    both = {name: (old.get(name, ""), new.get(name, "")) for name in names}
    return {name: (before, after) for name, (before, after) in both.items() if before != after}
