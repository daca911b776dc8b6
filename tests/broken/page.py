"""The page `docs/broken.md`: which broken model each rule rejects. Written by ``python -m tests.broken.page``."""

import importlib
from pathlib import Path
from typing import Final

from conformance.catalogue import rules

from . import BROKEN

PAGE: Final = Path(__file__).parents[2] / "docs" / "broken.md"
HEAD: Final = """# What each rule rejects

Every rule has at least one chat model that it must reject.
`tests/test_broken.py` runs all rules on each model: its own must not hold, and no other but those named here beside it.
The reference model in `tests/reference.py` keeps all.

| rule | model in `tests/broken` | what it does wrong | what that breaks besides |
|---|---|---|---|
"""


def text() -> str:
    """The whole page."""
    order = list(rules())
    rows = []
    for model in sorted(BROKEN, key=lambda each: order.index(each.rule)):
        module, _, name = model.name.partition(":")
        told = getattr(importlib.import_module(f"tests.broken.{module}"), name).__doc__
        besides = ", ".join(sorted(model.also, key=order.index))
        rows.append(f"| {model.rule} | `{module}.{name}` | {told} | {besides} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
