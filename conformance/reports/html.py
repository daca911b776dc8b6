"""The report as one page of HTML that fetches nothing: ``--conformance-report=FILE.html``.

Its parts are the files in ``page/``. The document stands in it as JSON (`packing`), which the page's own script draws;
the policy in its head allows that script and that style alone, by their digests, and nothing from any network.
"""

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

from .packing import packed
from .tally import outcome_of

_SCRIPTS: Final = ("data.js", "dom.js", "overview.js", "timeline.js", "cell.js", "keys.js", "main.js")
"""In the order in which they run."""
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_WORST: Final = (
    *("harness error", "failed", "stale", "no verdict", "warned", "new", "known", "blocked", "passed"),
    "not applicable",
)
"""What several verdicts come to: the first of these."""


def page(document: Mapping[str, Any]) -> str:
    """The page for a document in the shape of ``report.schema.json``."""
    style, script = _part("page.css"), _script()
    policy = (
        "default-src 'none'",
        f"style-src {_digest(style)}",
        f"script-src {_digest(script)}",
        *("img-src data:", "base-uri 'none'", "form-action 'none'"),
    )
    parts = {
        "policy": "; ".join(policy),
        "style": style,
        "script": script,
        # Neither the end of a script nor the start of a comment can stand in it.
        "data": json.dumps(packed(document), separators=(",", ":")).replace("<", r"\u003c"),
        # A text may hold what UTF-8 cannot say.
        "table": "\n".join(_table(document)).encode("ascii", "xmlcharrefreplace").decode(),
    }
    return _PLACE.sub(lambda found: parts[found[1]], _part("page.html"))


@cache
def _part(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    parts = "\n".join(map(_part, _SCRIPTS))
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _digest(text: str) -> str:
    """What a policy calls an inline text that it allows (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _table(document: Mapping[str, Any]) -> Iterator[str]:
    """Without scripts: the outcome of each model, and how many items of each area have which verdict."""
    if not document["complete"]:
        yield f"<p><strong>Incomplete: this is no pass.</strong> {escape(document['why'])}</p>"
    yield "<table><caption>Verdicts by model and area</caption>"
    yield '<thead><tr><th scope="col">Model</th><th scope="col">Area</th><th scope="col">Items</th></tr></thead><tbody>'
    for model in document["models"]:
        outcome = outcome_of(model["items"], complete=document["complete"] and len(model["items"]) >= model["chosen"])
        yield _row(model["label"], "all", f"{outcome}; {len(model['items'])} of {model['chosen']} items judged")
        areas: defaultdict[str, list[str]] = defaultdict(list)
        for item in model["items"]:
            areas[item["area"]].append(item["verdict"])
        for area, verdicts in areas.items():
            yield _row(model["label"], area, _counted(verdicts))
    yield "</tbody></table>"


def _row(*cells: str) -> str:
    first, *rest = map(escape, cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{each}</td>" for each in rest)}</tr>'


def _counted(verdicts: Sequence[str]) -> str:
    """``2 failed, 31 passed``."""
    found = sorted(set(verdicts), key=lambda each: _WORST.index(each) if each in _WORST else -1)
    return ", ".join(f"{verdicts.count(each)} {each}" for each in found)
