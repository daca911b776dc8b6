"""The pages of `docs/` that are made of what the project knows; ``python -m tests.pages`` writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import broken, defects, rules

DOCS: Final = Path(__file__).parents[2] / "docs"


def pages(*, failures: bool) -> Iterator[tuple[Path, str]]:
    """All pages, with their files.

    Args:
        failures: whether the pages of rules show how each fails, for which a broken model of each is judged.
    """
    yield DOCS / "broken.md", broken.text()
    yield DOCS / "defects.md", defects.text()
    yield DOCS / "rules" / "README.md", rules.index()
    yield from ((DOCS / "rules" / f"{id}.md", text) for id, text in rules.texts(failures=failures))
