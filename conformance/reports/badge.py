"""Badges: ``FILE.badge.json``, which shields.io draws, and ``FILE.svg``, drawn here; of several models, the worst."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from .tally import Model, by_verdict, number

Document = Mapping[str, Any]

LABEL: Final = "conformance"
_COLORS: Final = {"brightgreen": "#2b7d0b", "yellow": "#8a6500", "red": "#b8322a", "lightgrey": "#5f6368"}
"""shields.io's names of colours, and those drawn here, on which white can be read (WCAG 2.1, 1.4.3: 4.5 to 1)."""
_WIDTHS: Final = {"ijlI.,:;|'!": 3.6, "frt()[]/ -": 4.6, "mwMW%@": 10.2, "ABCDEFGHJKLNOPQRSTUVXYZ&": 8.0}
"""About how wide the characters of Verdana are at 11 px; the others are 6.8 px."""
_PAD: Final = 6


def endpoint(document: Document) -> str:
    """The badge as shields.io's endpoint takes it (https://shields.io/badges/endpoint-badge)."""
    message, color = _told(document)
    badge = {
        "schemaVersion": 1,
        "label": LABEL,
        "message": message,
        "color": color,
        # Whoever embeds the badge cannot give that of a failure another colour.
        "isError": document["outcome"] != "passed",
    }
    return f"{json.dumps(badge, ensure_ascii=False)}\n"


def drawing(document: Document) -> str:
    """The badge as SVG."""
    message, color = _told(document)
    left, right = (round(_width(text)) + 2 * _PAD for text in (LABEL, message))
    title = escape(f"{LABEL}: {message}")
    texts = "".join(
        f'<text x="{middle:g}" y="14" textLength="{width - 2 * _PAD}">{escape(text)}</text>'
        for text, middle, width in ((LABEL, left / 2, left), (message, left + right / 2, right))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="edge"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        '<g clip-path="url(#edge)">'
        f'<rect width="{left}" height="20" fill="#3c4043"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLORS[color]}"/>'
        "</g>"
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{texts}</g></svg>\n"
    )


def _told(document: Document) -> tuple[str, str]:
    """What the badge says, and the name of its colour."""
    models = document["models"]
    if document["outcome"] == "incomplete":
        return "incomplete", "lightgrey"
    if document["outcome"] == "failed":
        return _failure(models), "red"
    tallies = [by_verdict(model) for model in models]
    if not any("passed" in tally for tally in tallies):
        return "nothing judged", "lightgrey"
    part = sum(model["chosen"] for model in models), sum(model["catalogue"] for model in models)
    but = [f"{number(sum(len(tally.get('known', ())) for tally in tallies), 'rule')} known to fail"]
    but = but if any("known" in tally for tally in tallies) else []
    but += [f"{part[0]} of {part[1]} items"] if part[0] < part[1] else []
    many = [f"{len(models)} models"] if len(models) > 1 else []
    return ", ".join(["passed", *many, *but]), "yellow" if but else "brightgreen"


def _failure(models: list[Model]) -> str:
    failed = [model for model in models if model["outcome"] == "failed"]
    if len(models) > 1:
        return f"{len(failed)} of {len(models)} models fail"
    rules = by_verdict(failed[0])
    if count := len(rules.get("failed", ())):
        return f"{number(count, 'MUST rule')} not kept"
    if count := len(rules.get("harness error", ())):
        return f"{number(count, 'rule')} not judged"
    return "stale baseline"


def _width(text: str) -> float:
    return sum(next((width for of, width in _WIDTHS.items() if each in of), 6.8) for each in text)
