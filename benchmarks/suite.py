"""How long the whole suite takes for the integrations that are installed, beside an import of their packages.

python benchmarks/suite.py [ROUNDS]
"""

import statistics
import sys
from importlib.util import find_spec

from timing import head, row, seconds

MODELS = ("langchain_openai:ChatOpenAI", "langchain_anthropic:ChatAnthropic")

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
print(head("the whole suite"))
for model in MODELS:
    package, _, name = model.partition(":")
    if find_spec(package) is None:
        print(f"{name:<34} not installed")
        continue
    taken = seconds(
        {
            f"import {package}": ["-c", f"import {package}"],
            f"suite {name}": ["-m", "pytest", "-q", f"--chat-model={model}"],
            f"suite {name}, one rule": ["-m", "pytest", "-q", f"--chat-model={model}", "-k", "INVOKE-05"],
        },
        rounds=rounds,
        status=[0],
    )
    for label, values in taken.items():
        print(row(label, values))
    alone, whole, _ = taken.values()
    ratios = [two / one for one, two in zip(alone, whole, strict=True)]
    print(f"ratio suite/import, median of pairs: {statistics.median(ratios):.1f}")
