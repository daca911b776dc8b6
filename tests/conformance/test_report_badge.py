"""`--conformance-report=FILE.badge.json` and `FILE.svg`."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from conformance.reports.badge import drawing, endpoint
from conformance.reports.writers import as_json, writer_for

from .made_reports import cut_short, document, judged, model

HELD = judged("INVOKE-01-sync-plain", "passed")
BROKEN = judged("STREAM-02-sync-plain", "failed")
ALSO = judged("STREAM-02-async-plain", "failed")
SVG = "{http://www.w3.org/2000/svg}"
CASES = [
    (document(model(HELD)), "passed", "brightgreen"),
    (document(model(HELD), model(HELD)), "passed, 2 models", "brightgreen"),
    (document(model(HELD, catalogue=900)), "passed, 1 of 900 items", "yellow"),
    (document(model(HELD, {**BROKEN, "verdict": "known"})), "passed, 1 rule known to fail", "yellow"),
    (document(model({**HELD, "verdict": "not applicable"})), "nothing judged", "lightgrey"),
    (document(model(HELD, BROKEN, ALSO)), "1 MUST rule not kept", "red"),
    (document(model(HELD), model(HELD, BROKEN), model(HELD)), "1 of 3 models fail", "red"),
    (document(model(HELD, {**BROKEN, "verdict": "harness error"})), "1 rule not judged", "red"),
    (document(model(HELD, {**BROKEN, "verdict": "stale"})), "stale baseline", "red"),
    (cut_short(model(HELD)), "incomplete", "lightgrey"),
    (document(model(HELD), model()), "incomplete", "lightgrey"),
]


@pytest.mark.parametrize(("told", "message", "color"), CASES, ids=[message for _, message, _ in CASES])
def test_badges_say_the_worst(told: Any, message: str, color: str) -> None:
    """Both say the same; what is no pass is an error, of which nobody can change the colour."""
    badge = json.loads(endpoint(told))
    error = told["outcome"] != "passed"
    assert badge == {
        "schemaVersion": 1,
        "label": "conformance",
        "message": message,
        "color": color,
        "isError": error,
    }
    drawn = ElementTree.fromstring(drawing(told))
    assert drawn.findtext(f"{SVG}title") == f"conformance: {message}" == drawn.get("aria-label")
    assert [text.text for text in drawn.iter(f"{SVG}text")] == ["conformance", message]


def test_texts_have_room() -> None:
    """Each text is drawn within its field, and the two fields make the whole."""
    drawn = ElementTree.fromstring(drawing(document(model(HELD))))
    _, left, right = (float(each.get("width", "")) for each in drawn.iter(f"{SVG}rect"))
    assert left + right == float(drawn.get("width", ""))
    for text, width in zip(drawn.iter(f"{SVG}text"), (left, right), strict=True):
        assert 0 < float(text.get("textLength", "")) < width


def luminance(color: str) -> float:
    """The relative luminance of WCAG 2.1."""
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("told", [CASES[at][0] for at in (0, 2, 5, 9)])
def test_white_can_be_read_on_each_colour(told: Any) -> None:
    """At a contrast of 4.5 to 1 at least (WCAG 2.1, 1.4.3)."""
    drawn = ElementTree.fromstring(drawing(told))
    fills = [each.get("fill") for each in drawn.iter(f"{SVG}rect")]
    assert all(1.05 / (luminance(fill) + 0.05) >= 4.5 for fill in fills if fill)


@pytest.mark.parametrize(
    ("name", "writer"),
    [("out.badge.json", endpoint), ("badge.json", as_json), ("out.svg", drawing), ("badge.svg", drawing)],
)
def test_names_choose_what_is_written(name: str, writer: Any) -> None:
    """A badge for shields.io has two endings; one alone is the report."""
    assert writer_for(name) is writer
