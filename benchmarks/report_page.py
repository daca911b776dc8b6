"""How long a browser takes to load the page of a report with 1, 10 and 30 models, all rules and their timelines.

Needs Chromium and chromedriver. Seconds from the navigation's start to the end of its load event.

    python benchmarks/report_page.py [ROUNDS]
"""

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from timing import head, row

from conformance.reports.html import page
from tests.browser import Browser, browsing, missing
from tests.conformance.html_reports import large

LIMIT = 2.0
"""Seconds in which 30 models are there."""
MODELS = (1, 10, 30)
LOADED = (
    "const [it] = performance.getEntriesByType('navigation'); return it.loadEventEnd && it.loadEventEnd - it.startTime"
)


def load(browser: Browser, file: Path) -> float:
    """Seconds in which a page is there."""
    browser.open(file)
    while not (milliseconds := browser.run(LOADED)):
        time.sleep(0.01)
    return float(milliseconds) / 1000


if why := missing():
    raise SystemExit(why)
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
with TemporaryDirectory() as folder:
    files = {models: Path(folder) / f"{models}.html" for models in MODELS}
    for models, file in files.items():
        file.write_text(page(large(models)), encoding="utf-8")
    with browsing(Path(folder)) as browser:
        taken = {models: [load(browser, file) for _ in range(rounds + 1)][1:] for models, file in files.items()}
print(head("a report is opened in a browser"))
for models, values in taken.items():
    print(row(f"{models} models", values))
ratio = median(taken[MODELS[-1]]) / median(taken[MODELS[0]])
print(f"ratio {MODELS[-1]}/{MODELS[0]} models: {ratio:.1f}; {MODELS[-1]} models may take {LIMIT:.1f} at the most")
