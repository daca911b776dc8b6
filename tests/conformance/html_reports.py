"""Reports that pages are made of, and what stands in a page."""

import json
import re
from itertools import cycle
from typing import Any, Final

from conformance.catalogue import rules

from .made_reports import document, judged, model

VERDICTS: Final = ("passed", "failed", "warned", "not applicable", "blocked", "known", "stale", "new", "harness error")
HOSTILE: Final = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"><!--<script> & "'
_DATA: Final = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)


def timeline(writes: int = 6) -> dict[str, Any]:
    """A stream that a gate holds, and that its caller closes."""
    frames = [f'data: {{"delta":"piece {number}"}}\\n\\n' for number in range(writes)]
    return {
        "seconds": 5.02,
        "calls": [
            {
                "name": "stream",
                "steps": [
                    {"at": 0.0, "what": "asks"},
                    {"at": 0.0121, "what": "gives", "said": "'piece 1'"},
                    {"left_out": 40},
                    {"at": 0.0123, "what": "closes"},
                    {"at": 0.0124, "what": "is closed"},
                ],
            }
        ],
        "exchanges": [
            {
                "number": 1,
                "connection": 1,
                "at": 0.004,
                "method": "POST",
                "path": "/v1/chat/completions",
                "body": '{"model":"m"}',
                "body_size": 13,
                "status": 200,
                "turn": "text in 9 pieces, finish, usage",
                "frames": writes + 3,
                "writes": [
                    {"at": 0.01, "size": len(text), "frames": number, "kind": "piece", "bytes": text}
                    for number, text in enumerate(frames, 1)
                ],
                "held": [{"at": 0.0111, "writes": writes}],
            }
        ],
    }


def several() -> dict[str, Any]:
    """Three models, one of which has an item of each verdict."""
    told = {
        "observed": "'stopstop'",
        "expected": "'stop'",
        "rerun": "pytest --chat-model=shop.models:Parrot -k STREAM-08",
    }
    of_each = [judged(f"STREAM-08-sync-{verdict.replace(' ', '-')}", verdict, **told) for verdict in VERDICTS]
    of_each[1]["timeline"] = timeline()
    of_each[3]["reason"] = "Parrot does not stream"
    of_each[0:0] = [judged("INVOKE-01-sync", "passed"), judged("INVOKE-04-sync", "not applicable")]
    parrot = model(*of_each, judged("CANCEL-01-async-held", "passed"))
    hen = model(judged("INVOKE-01-sync", "passed"), judged("INVOKE-04-sync", "warned"), label="Hen", spec="shop:Hen")
    goat = model(judged("INVOKE-01-sync", "passed"), label="Goat/2", spec="shop:Goat", package=None)
    return explained(document(parrot, hen, goat))


def explained(made: dict[str, Any]) -> dict[str, Any]:
    """The report with what the catalogue says of its rules, as runs write it."""
    for id, told in made["rules"].items():
        told |= {"hint": rules()[id].hint, "mend": rules()[id].mend, "source": rules()[id].source}
    return made


def large(models: int) -> dict[str, Any]:
    """So many models with about as many items as there are for a real one, each twentieth with a timeline."""
    cases = ("sync", "async", "sync-held", "async-held", "sync-slow", "async-slow")
    verdicts = cycle(("passed",) * 19 + ("failed",))
    made = []
    for number in range(models):
        items = [judged(f"{id}-{case}", next(verdicts)) for id in rules() for case in cases]
        for item in items:
            if item["verdict"] == "failed":
                item |= {"observed": f"what model {number} gave", "expected": "another", "timeline": timeline(12)}
        made.append(model(*items, label=f"ChatParrot{number}"))
    return explained(document(*made))


def data_of(text: str) -> Any:
    """The document that stands in a page, unpacked as the page unpacks it."""
    [found] = _DATA.findall(text)
    given = json.loads(found)

    def unpack(value: Any) -> Any:
        if isinstance(value, str):
            return given["texts"][int(value, 36)]
        if not isinstance(value, list):
            return value
        if value[0] < 0:
            return [unpack(each) for each in value[1:]]
        return dict(zip(given["shapes"][value[0]], map(unpack, value[1:]), strict=True))

    return unpack(given["packed"])


def tables_of(text: str) -> str:
    """What is shown without scripts."""
    [found] = re.findall(r"<noscript>(.*?)</noscript>", text, re.DOTALL)
    return str(found)
