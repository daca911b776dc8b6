"""Judges a model by all rules in this process."""

import contextlib
from collections.abc import Container
from dataclasses import replace
from typing import Final

from conformance.bench import Benches
from conformance.integrations import Stanza
from conformance.item import items
from conformance.judge import Judge
from conformance.session import HIDDEN, hidden
from conformance.target import resolve
from conformance.verdict import Result

from ..recordings import MADE

STANZAS: Final = {
    "tests.reference:ReferenceChat": Stanza(
        wire="openai-chat", kwargs={"model": "model-asked-for", "api_key": "{key}", "base_url": "{url}/v1"}
    )
}
SLOW: Final = frozenset({"STREAM-16", "STREAM-17"})
"""Rules that take longer than all others together."""
RECORDED: Final = frozenset({"REPLAY-01", "REPLAY-02", "REPLAY-03", "REPLAY-04"})
"""Rules that judge on recordings what the others judge on scripts."""


def verdicts(spec: str, without: Container[str] = ()) -> dict[str, Result]:
    """The result of each item by its name, but for those of some rules. Recordings are those made for tests."""
    benches = Benches()
    with hidden((*HIDDEN, "OPENAI_*", "ANTHROPIC_*")), contextlib.closing(benches):
        target = replace(resolve(spec, {}, STANZAS), cassettes=MADE)
        chosen = [item for item in items(target) if item.rule.id not in without]
        judge = Judge(benches)
        return {item.name: judge.result(item) for item in chosen}
