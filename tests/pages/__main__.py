"""Write the pages: ``python -m tests.pages``. Takes some minutes, for each rule is tried on a broken model.

With ``--keep``, which takes seconds, how rules fail stays as it was written before.
"""

import sys
import warnings

from conformance.session import WARNINGS

from . import DOCS, pages
from .rules import with_failure_of

if __name__ == "__main__":
    for setting in WARNINGS:
        action, _, rest = setting.partition(":")
        warnings.filterwarnings(action, message=rest if rest.startswith("astream") else "")  # type: ignore[arg-type]
    old = set((DOCS / "rules").glob("*.md"))
    keeps = "--keep" in sys.argv[1:]
    for file, text in pages(failures=not keeps):
        file.parent.mkdir(exist_ok=True)
        before = file.read_text(encoding="utf-8") if keeps and file.exists() else ""
        file.write_text(with_failure_of(before, text), encoding="utf-8")
        old.discard(file)
    for file in old:
        file.unlink()
