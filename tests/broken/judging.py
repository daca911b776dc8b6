"""Judges a model by all rules in this process."""

from collections.abc import Container
from typing import Final

from conformance.bench import Benches
from conformance.integrations import Stanza
from conformance.item import items
from conformance.judge import judge
from conformance.target import resolve
from conformance.verdict import Result

STANZAS: Final = {
    "tests.reference:ReferenceChat": Stanza(
        wire="openai-chat", kwargs={"model": "model-asked-for", "api_key": "{key}", "base_url": "{url}/v1"}
    )
}
SLOW: Final = frozenset({"STREAM-16", "STREAM-17"})
"""Rules that take longer than all others together."""
WARNINGS: Final = (
    # What models warn of is no concern here, nor that v1 of astream_events is deprecated.
    "default",
    "ignore:astream_events version='v1' is deprecated",
    # Items end loops and servers under idle connections.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
ENVIRONMENT: Final = ("_PROXY", "_proxy", "LANGCHAIN_", "LANGSMITH_", "OPENAI_", "ANTHROPIC_")
"""Parts of the names of variables that would change what models send and where to."""


def verdicts(spec: str, without: Container[str] = ()) -> dict[str, Result]:
    """The result of each item by its name, but for those of some rules."""
    benches = Benches()
    try:
        chosen = [item for item in items(resolve(spec, {}, STANZAS)) if item.rule.id not in without]
        return {item.name: judge(item, benches) for item in chosen}
    finally:
        benches.close()
