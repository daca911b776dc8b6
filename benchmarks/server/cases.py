"""What the servers are asked for: a case is a reply, named by the model that a request asks for."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PIECE = "tok "
"""Each piece of text: a word with its space, so that peers that cut by words and by characters cut alike."""


@dataclass(frozen=True)
class Case:
    """A reply of `pieces` pieces, one each `every` seconds, or all in one write."""

    pieces: int
    every: float = 0.0
    in_one_write: bool = False

    @property
    def text(self) -> str:
        return PIECE * self.pieces

    @property
    def events(self) -> int:
        """How many events its stream has: the role, the pieces, the finish and the terminator."""
        return self.pieces + 3


CASES = {
    "long": Case(5000),
    "many": Case(300),
    "fewer": Case(75),
    "short": Case(5),
    "whole": Case(5000, in_one_write=True),
    "five": Case(500, every=0.005),
    "one": Case(500, every=0.001),
    "crowd": Case(30, every=0.1),
}


def mockserver_script(names: Iterable[str]) -> str:
    """A script of `mockserver`, in JSON, which is YAML."""
    return json.dumps({"turns": [_turn(name, CASES[name]) for name in names]})


def _turn(name: str, case: Case) -> dict[str, Any]:
    delivery = {"pace": {"every": case.every}} if case.every else {"cuts": "whole"} if case.in_one_write else {}
    reply = {"text": [PIECE] * case.pieces}
    return {"when": {"model": name}, "reply": reply, **({"delivery": delivery} if delivery else {})}


def aimock_fixtures(names: Iterable[str], *, least: float = 0.0) -> str:
    """Fixtures of aimock: latencies in milliseconds, `least` at the least, and chunks in characters."""
    fixtures = [
        {
            "match": {"model": name},
            "response": {"content": CASES[name].text},
            "latency": max(least, CASES[name].every * 1000),
            "chunkSize": len(PIECE),
        }
        for name in names
    ]
    return json.dumps({"fixtures": fixtures})


def llmock_scenario(names: Iterable[str]) -> str:
    """A scenario of llmock, which has no pace of its own for each answer."""
    behaviors = [
        {"type": "reply", "text": CASES[name].text, "times": None, "match": {"model": name}}
        for name in names
        if not CASES[name].every
    ]
    return json.dumps({"behaviors": behaviors})
