"""The page that lists the wires."""

import re
from pathlib import Path
from typing import Final

from mockserver import WIRES
from mockserver.wires import wire_for

PAGE: Final = (Path(__file__).parents[3] / "docs" / "wires.md").read_text(encoding="utf-8")
ROWS: Final = re.findall(r"^\| `([\w-]+)` \|(?:[^|`]*\|)? `(/[^`]*)` \|(.*)\|$", PAGE, re.MULTILINE)


def test_every_wire_is_listed() -> None:
    """Once, in one of the two tables."""
    assert sorted(name for name, _, _ in ROWS) == sorted(WIRES)


def test_paths_lead_to_their_wires() -> None:
    """The base URL of a dialect, with the path that clients add, and each path of its own."""
    led = {}
    for name, path, more in ROWS:
        is_base = WIRES[name].family == "openai-chat" and not path.endswith("completions")
        paths = [f"{path}/chat/completions" if is_base else path, *re.findall(r"`(/[^`]*)`", more)]
        led[name] = {wire.name if (wire := wire_for(each)) else None for each in paths}
    # The array is told from the events by the query, which is read later.
    assert led.pop("gemini-array") == {"gemini-generate"}
    assert led == {name: {name} for name in led}
