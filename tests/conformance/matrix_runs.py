"""Rows and lists made by hand, for tests of the matrix."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from conformance.matrix.listing import Integration
from conformance.matrix.results import Row

from .plugin_runs import STANZA

REFERENCE: Final = "tests.reference:ReferenceChat"
LOST: Final = "nowhere.at_all:Chat"
LIST: Final = f"""
[[integration]]
model = "{REFERENCE}"
environment = "current"

[[integration]]
model = "{LOST}"
environment = "current"
"""
NATIVE: Final = {"invoke": True, "ainvoke": True, "stream": True, "astream": True}
Told = tuple[str, str]


def item(name: str, verdict: str, level: str = "MUST") -> dict[str, Any]:
    """An item of a report, by its name such as ``TOOL-03-sync-one``."""
    area, number, form, *case = name.split("-")
    facts = {"rule": f"{area}-{number}", "area": area, "form": form, "case": "-".join(case)}
    return {"name": name, "level": level, "verdict": verdict, "seconds": 0.1, **facts}


def report(items: Iterable[dict[str, Any]], **model: Any) -> dict[str, Any]:
    """A complete report on one model."""
    found = list(items)
    counts: dict[str, int] = {}
    for each in found:
        counts[each["verdict"]] = counts.get(each["verdict"], 0) + 1
    told = {
        "package": {"name": "langchain-shop", "version": "1.2.3"},
        "versions": {"langchain-core": "1.7.2", "langchain-shop": "1.2.3"},
        "wire": "openai-chat",
        "native": NATIVE,
        "catalogue": len(found),
        "chosen": len(found),
        "counts": counts,
        "items": found,
    }
    return {
        "schema": 1,
        "suite": {"version": "0.1.0", "catalogue": {"revision": "2026.1", "digest": "0" * 16}},
        "python": {"version": "3.11.9"},
        "seconds": 61.0,
        "complete": True,
        "ended": "finished",
        "rules": {each["rule"]: {"level": each["level"], "statement": "it | holds"} for each in found},
        "models": [{**told, **model}],
    }


def row(model: str, *items: dict[str, Any], **told: Any) -> Row:
    """A row with a result; with a `reason`, one without."""
    integration = Integration(name=told.pop("name", model), model=model, packages=("langchain-shop==1.2.3",))
    finished = told.pop("finished", "2026-11-22T10:00:00+00:00")
    reason = told.pop("reason", "")
    found = None if reason else report(items, **told)
    return Row(integration=integration, key="k", reason=reason, report=found, finished=finished)


def write_list(folder: Path, text: str = LIST) -> Path:
    """A list, in a folder that says how the reference model is built."""
    (folder / "pyproject.toml").write_text(STANZA, encoding="utf-8")
    file = folder / "list.toml"
    file.write_text(text, encoding="utf-8")
    return file
