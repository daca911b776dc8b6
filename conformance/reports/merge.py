"""Several reports as one: shards of a run, jobs of CI, results of the matrix."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..catalogue import rules
from .facts import counts
from .tally import Item, Model, named, number, outcome_of, worst

Document = Mapping[str, Any]

_ENDINGS: Final = ("unfinished", "crashed", "interrupted", "stopped", "finished")
"""How runs end, the worst first."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the reports.

    Args:
        name: what it is called in what is said of it: its file.
        document: the report.
        label: what its model is called; empty for the labels that it has.
    """

    name: str
    document: Document = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A model of a part, with what it was judged with."""

    part: Part
    model: Model

    @property
    def label(self) -> str:
        return self.part.label or str(self.model["label"])

    def facts(self) -> dict[str, str]:
        """What tells models of one name apart; those in which all of it is equal are shards of one run.

        The first facts are what people vary, the last what comes along.
        """
        kwargs = json.dumps(self.model["kwargs"], sort_keys=True, ensure_ascii=False) if self.model["kwargs"] else ""
        suite, python = self.part.document["suite"], self.part.document["python"]
        return {
            "spec": self.model["spec"],
            "package": named(self.model),
            "arguments": kwargs,
            **{name: f"{name} {version}" for name, version in self.model["versions"].items()},
            "Python": f"Python {python['version']}",
            "suite": f"suite {suite['version']}",
            "digest": f"catalogue {suite['catalogue']['digest']}",
            "wire": self.model.get("wire", ""),
            "implementation": python.get("implementation", ""),
            "system": python.get("system", ""),
        }


@dataclass(frozen=True, slots=True)
class Merged:
    """One report, and what people should know of how it came to be.

    Args:
        document: in the shape of ``report.schema.json``.
        notes: a line each: which parts are incomplete, and which verdicts stood against others.
    """

    document: Document = field(repr=False)
    notes: tuple[str, ...] = ()


def merged(parts: Sequence[Part], lost: Sequence[str] = ()) -> Merged:
    """The parts as one report; of an item that stands in several, the one that began last counts.

    Args:
        parts: at least one.
        lost: what else was to be a part and has no report, and why.
    """
    parts = sorted(parts, key=lambda part: str(part.document["started"]))
    incomplete = [f"{part.name}: {_why(part)}" for part in parts if part.document["outcome"] == "incomplete"]
    incomplete += lost
    models, conflicts = _models(parts)
    documents = [part.document for part in parts]
    ended = min((document["ended"] for document in documents), key=_ENDINGS.index)
    document = {
        **documents[-1],
        "started": documents[0]["started"],
        "seconds": round(sum(document["seconds"] for document in documents), 3),
        "complete": not incomplete,
        "ended": ended if ended != "finished" or not incomplete else "stopped",
        "why": "; ".join(incomplete),
        "outcome": "incomplete" if incomplete else worst([model["outcome"] for model in models]),
        "rules": _rules(documents),
        "models": models,
    }
    return Merged(document, (*incomplete, *conflicts, *_other_rules(documents)))


def _why(part: Part) -> str:
    return str(part.document["why"]) or "nothing was judged"


def _other_rules(documents: Sequence[Document]) -> Iterator[str]:
    suites = {document["suite"]["catalogue"]["digest"]: document["suite"] for document in documents}
    if len(suites) > 1:
        told = ", ".join(f"{suite['version']} ({digest})" for digest, suite in suites.items())
        yield f"judged with different rules, and not all to be compared: {told}"


def _rules(documents: Iterable[Document]) -> dict[str, Any]:
    """The rules of all, as the last that has them tells them, in the order of the catalogue."""
    found: dict[str, Any] = {}
    for document in documents:
        found.update(document["rules"])
    return {id: found[id] for id in sorted(found, key=_place)}


def _place(rule: str) -> tuple[int, str]:
    known = list(rules())
    return known.index(rule) if rule in known else len(known), rule


def _models(parts: Iterable[Part]) -> tuple[list[Model], list[str]]:
    """The models, each under a label of its own, and what is to be said of items that stand in several parts."""
    runs: dict[tuple[str, ...], list[_Piece]] = {}
    for part in parts:
        for model in part.document["models"]:
            piece = _Piece(part, model)
            runs.setdefault((piece.label, *map(":".join, piece.facts().items())), []).append(piece)
    labels = _labels([pieces[0] for pieces in runs.values()])
    found = [_model(pieces, label) for pieces, label in zip(runs.values(), labels, strict=True)]
    return [model for model, _ in found], [line for _, lines in found for line in lines]


def _labels(pieces: Sequence[_Piece]) -> list[str]:
    """The labels of models; those of one name get the first of their facts that tell them apart."""
    often = Counter(piece.label for piece in pieces)
    return [piece.label if often[piece.label] == 1 else _told_apart(piece, pieces) for piece in pieces]


def _told_apart(piece: _Piece, pieces: Sequence[_Piece]) -> str:
    own = piece.facts()
    others = [each.facts() for each in pieces if each.label == piece.label and each is not piece]
    told: list[str] = []
    for name, fact in own.items():
        left = [each for each in others if each.get(name, "") == fact]
        if len(left) < len(others) and fact:
            told.append(fact)
            others = left
    # What lacks a fact that the others have is told apart by that lack.
    return f"{piece.label} ({', '.join(told)})" if told else piece.label


def _model(pieces: Sequence[_Piece], label: str) -> tuple[Model, list[str]]:
    """One model of its shards, in the order in which they began."""
    found: dict[str, tuple[Item, str]] = {}
    conflicts: list[str] = []
    for piece in pieces:
        for item in piece.model["items"]:
            before, where = found.get(item["name"], (item, ""))
            if before["verdict"] != item["verdict"]:
                told = f"{item['name']}: {before['verdict']} in {where}, {item['verdict']} in {piece.part.name}"
                conflicts.append(f"{told}; the later counts")
            found[item["name"]] = item, piece.part.name
    items = sorted((item for item, _ in found.values()), key=lambda item: _place(item["rule"]))
    missing = [name for piece in pieces for name in piece.model.get("missing", ()) if name not in found]
    untold = sum(piece.model["chosen"] - len(piece.model["items"]) for piece in pieces)
    complete = all(piece.part.document["complete"] for piece in pieces)
    model = {
        **{name: fact for name, fact in pieces[-1].model.items() if name != "missing"},
        "label": label,
        "outcome": outcome_of(items, complete=complete),
        "chosen": len(items) + (len(missing) if missing else untold),
        "catalogue": max(piece.model["catalogue"] for piece in pieces),
        "counts": counts(items),
        **({"missing": missing} if missing else {}),
        "items": items,
    }
    several = [f"{label}: {number(len(conflicts), 'item')} with other verdicts in another part"] if conflicts else []
    more = [f"and {len(conflicts) - _TOLD} more"] if len(conflicts) > _TOLD else []
    return model, [*several, *conflicts[:_TOLD], *more]


_TOLD: Final = 10
"""Conflicts that are told one by one."""
