"""Reports made by hand, in the published shape."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from conformance.catalogue import rules
from conformance.reports.tally import outcome_of, worst

from .matrix_runs import NATIVE, item

SUITE = {
    "name": "chat-model-conformance",
    "version": "0.1.0",
    "catalogue": {"revision": "2026.1", "digest": "0" * 16},
}


def judged(name: str, verdict: str, **facts: Any) -> dict[str, Any]:
    """An item, by its name such as ``STREAM-08-sync-plain``, with the level of its rule."""
    rule = "-".join(name.split("-")[:2])
    level = facts.pop("level", rules()[rule].level if rule in rules() else "MUST")
    return {**item(name, verdict, level), **facts}


def model(*items: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A model with these items; `facts` are further keys of it, or in place of others."""
    missing = facts.get("missing", [])
    return {
        "spec": "shop.models:Parrot",
        "label": "Parrot",
        "class": "shop.models:Parrot",
        "wire": "openai-chat",
        "kwargs": {},
        "package": {"name": "langchain-shop", "version": "1.2.3"},
        "versions": {"langchain-core": "1.7.2", "langchain-shop": "1.2.3"},
        "native": NATIVE,
        "catalogue": len(items) + len(missing),
        "outcome": outcome_of(items, complete=not missing),
        "chosen": len(items) + len(missing),
        "counts": dict(Counter(each["verdict"] for each in items)),
        "items": list(items),
        **facts,
    }


def document(*models: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A report on these models, which is complete where nothing else is said."""
    return {
        "schema": 1,
        "suite": SUITE,
        "python": {"version": "3.11.9", "implementation": "CPython", "system": "Linux x86_64"},
        "started": "2026-11-22T10:00:00+00:00",
        "seconds": 61.0,
        "complete": True,
        "ended": "finished",
        "why": "",
        "outcome": worst([each["outcome"] for each in models]),
        "rules": _rules(each["rule"] for one in models for each in one["items"]),
        "models": list(models),
        **facts,
    }


def cut_short(*models: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A report on a run that was interrupted."""
    told = {"complete": False, "ended": "interrupted", "why": "the run was interrupted", "outcome": "incomplete"}
    return document(*({**each, "outcome": "incomplete"} for each in models), **{**told, **facts})


def _rules(ids: Iterable[str]) -> dict[str, Any]:
    known = {id: rules()[id] for id in dict.fromkeys(ids) if id in rules()}
    return {id: {"level": rule.level, "statement": rule.statement} for id, rule in known.items()}
