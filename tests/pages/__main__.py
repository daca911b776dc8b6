"""Write the pages: ``python -m tests.pages``. Takes some minutes, for each rule is tried on a broken model."""

import warnings

from conformance.session import WARNINGS

from . import DOCS, pages

if __name__ == "__main__":
    for setting in WARNINGS:
        action, _, rest = setting.partition(":")
        warnings.filterwarnings(action, message=rest if rest.startswith("astream") else "")  # type: ignore[arg-type]
    old = set((DOCS / "rules").glob("*.md"))
    for file, text in pages(failures=True):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        old.discard(file)
    for file in old:
        file.unlink()
