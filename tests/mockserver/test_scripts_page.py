"""The page on scripts: every example loads, and is played."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import mockserver
from mockserver.scripts.loader import parse_script, schema
from mockserver.wires import wire_for

from .helpers import PATHS, ask, question

PAGE: Final = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")
_EXAMPLE: Final = re.compile(r"^```yaml\n(.*?)^```\n(?:<!-- (.*?) -->)?", re.MULTILINE | re.DOTALL)
"""A script, and in a comment after it the requests that it is to be asked, with what they get."""
_EXAMPLES: Final = [found.groups() for found in _EXAMPLE.finditer(PAGE)]
EXAMPLES: Final = [script for script, _ in _EXAMPLES]


def requests(comment: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a comment, one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(comment.rstrip()):
        found, at = decoder.raw_decode(comment, at)
        at += len(comment[at:]) - len(comment[at:].lstrip())
        yield found


def body_of(wire: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The body of a request; tools are given by their names."""
    tools = [{"type": "function", "function": {"name": name}} for name in asked.pop("tools", ())]
    return question(wire, **{"stream": False, **asked, **({"tools": tools} if tools else {})})


def got(answer: httpx.Response, wanted: object, *, streamed: bool) -> object:
    """What is compared of an answer: its status, the names of its tool calls, or its text."""
    if isinstance(wanted, int) or answer.status_code != 200:
        return answer.status_code
    wire = wire_for(answer.request.url.path)
    assert wire
    decoded = wire.decode_stream if streamed else wire.decode_whole
    reply = decoded(answer.content).reply
    return [call.name for call in reply.tool_calls] if isinstance(wanted, list) else reply.text or None


@pytest.mark.parametrize(("script", "comment"), _EXAMPLES, ids=[script.splitlines()[1] for script in EXAMPLES])
def test_an_example_is_played(script: str, comment: str | None) -> None:
    """Each request that stands in the comment after an example gets what it says there."""
    assert comment, "an example has requests, or says that it is to be loaded alone"
    played = parse_script(script, "page")
    with mockserver.serve(played) as server:
        for each in requests(comment):
            if each.get("loads"):
                continue
            wire = each.get("wire", "openai-chat")
            for gate in each.get("opens", ()):
                server.gate(gate).open()
            body, headers = each.get("body") or body_of(wire, each.get("ask", {})), each.get("headers", {})
            url = server.url + each.get("path", PATHS[wire])
            if each["gets"] == "broken off":
                with pytest.raises(httpx.RemoteProtocolError):
                    ask(url, json=body, headers=headers)
                continue
            answer = ask(url, json=body, headers=headers)
            asked = server.exchanges[-1].asked
            assert got(answer, each["gets"], streamed=asked is not None and asked.stream) == each["gets"]
            assert each.get("refused") in (None, server.exchanges[-1].refused)
    assert server.errors == []


def test_every_key_has_an_example() -> None:
    """The keys of the schema all stand in the examples."""
    definitions = json.loads(schema())["$defs"]
    known = {key for definition in definitions.values() for key in definition["properties"]} - {"$schema"}
    written = set(re.findall(r"([a-z_]+): ?", "".join(EXAMPLES)))
    assert known - written == set()


def test_python_runs() -> None:
    """The examples in Python run as they stand."""
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(code.replace("timeout=1.0", "timeout=0"), "page", "exec"), {})
