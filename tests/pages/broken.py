"""The page `docs/broken.md`: which broken model each rule rejects."""

import importlib
from typing import Final

from conformance.catalogue import rules

from ..broken import BROKEN, BrokenModel

HEAD: Final = """# What each rule rejects

Every rule has at least one chat model that it must reject.
`tests/test_broken.py --whole-matrix` runs all rules on each model: its own must not hold, and no other but those named
here beside it.
The reference model in `tests/reference.py` keeps all, and so do the models in `tests/sound`, each of which does
something right in another way.

| rule | model in `tests/broken` | what it does wrong | what that breaks besides |
|---|---|---|---|
"""


def sentence(model: BrokenModel) -> str:
    """What a broken model does wrong: the docstring of its class."""
    module, _, name = model.name.partition(":")
    told: str = getattr(importlib.import_module(f"tests.broken.{module}"), name).__doc__
    return told


def text() -> str:
    """The whole page."""
    order = list(rules())
    rows = []
    for model in sorted(BROKEN, key=lambda each: order.index(each.rule)):
        besides = ", ".join(sorted(model.also, key=order.index))
        rows.append(f"| {model.rule} | `{model.name.replace(':', '.')}` | {sentence(model)} | {besides} |")
    return HEAD + "\n".join(rows) + "\n"
