"""Judges a model by all rules in this process."""

import contextlib
from collections.abc import Container, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import pytest

from conformance.bench import Benches
from conformance.catalogue import Case
from conformance.explore.exploring import USUAL, Exploring
from conformance.integrations import Stanza
from conformance.item import items
from conformance.judge import Judge
from conformance.session import HIDDEN, WARNINGS, hidden
from conformance.target import Target, resolve
from conformance.verdict import Result

from ..recordings import MADE

_KEYED: Final = {"model": "model-asked-for", "api_key": "{key}"}
_TEXT_ALONE: Final = ("tools", "usage", "stop", "reasoning", "images", "structured output")
"""What the models that translate lack."""
STANZAS: Final = {
    "tests.reference:ReferenceChat": Stanza(
        wire="openai-chat", kwargs={"model": "model-asked-for", "api_key": "{key}", "base_url": "{url}/v1"}
    ),
    **{
        f"tests.broken.{name}": Stanza(
            wire=f"{provider}-chat", kwargs={**_KEYED, "base_url": f"{{url}}{path}"}, lacks=lacks
        )
        for name, provider, path, lacks in (
            ("meta:AddsRunningTotals", "perplexity", "/perplexity/v1", ()),
            ("meta_content:KnowsNoReasoning", "deepseek", "/deepseek/v1", ()),
            ("meta_content:OpenAIAtDeepSeek", "deepseek", "/deepseek/v1", ()),
            ("default_claims:IgnoresStops", "openai", "/v1", ("stop",)),
            ("default_claims:MakesUpUsage", "openai", "/v1", ("usage",)),
        )
    },
    **{
        f"tests.broken.translating:{name}": Stanza(
            wire=wire, kwargs={**_KEYED, "base_url": "{url}/v1"}, lacks=_TEXT_ALONE
        )
        for name, wire in (
            ("LinesChat", "ollama"),
            ("MessagesChat", "bedrock-converse"),
            ("ArrayChat", "gemini-array"),
        )
    },
}
SLOW: Final = frozenset({"STREAM-16", "STREAM-17", "EXPLORE-01", "EXPLORE-02"})
"""Rules that take longer than all others together."""
_EXPLORED: Final = 60
"""Examples on the models whose defects are to be found by exploring."""
AS_ITEMS: Final = [pytest.mark.filterwarnings(each) for each in WARNINGS]
"""The marks of tests that judge in their own process: they are warned as items are."""
RECORDED: Final = frozenset({"REPLAY-01", "REPLAY-02", "REPLAY-03", "REPLAY-04"})
"""Rules that judge on recordings what the others judge on scripts."""


CLEARED: Final = ("OPENAI_*", "ANTHROPIC_*")
"""Environment that would change what the released classes send."""


def target_of(
    spec: str, kwargs: Mapping[str, Any] = MappingProxyType({}), stanzas: Mapping[str, Stanza] = STANZAS
) -> Target:
    """The model, with the recordings that are made for tests."""
    examples = _EXPLORED if spec.startswith("tests.broken.explore.") else USUAL
    return replace(resolve(spec, kwargs, stanzas), cassettes=MADE, exploring=Exploring(examples=examples))


def verdicts(
    spec: str,
    without: Container[str] = (),
    whole: Container[str] | None = None,
    until_broken: Container[str] = (),
    **built: Any,
) -> dict[str, Result]:
    """The result of each item by its name, and of roots that do not hold. Recordings are those made for tests.

    Args:
        spec: as `--chat-model` takes it.
        without: rules that are left out.
        whole: rules that are tried in all their cases, and others in their first alone; `None` for all.
        until_broken: rules of which no more cases are tried once one does not hold.
        built: `kwargs` and `stanzas` of `target_of`.
    """
    benches = Benches()
    with hidden((*HIDDEN, *CLEARED)), contextlib.closing(benches):
        target = target_of(spec, **built)
        first: dict[str, Case] = {}
        chosen = [
            item
            for item in items(target)
            if item.rule.id not in without
            and (item.case == first.setdefault(item.rule.id, item.case) or whole is None or item.rule.id in whole)
        ]
        judge = Judge(benches)
        results: dict[str, Result] = {}
        broken: set[str] = set()
        for item in chosen:
            if item.rule.id not in broken:
                results[item.name] = judge.result(item)
                if item.rule.id in until_broken and is_broken(results[item.name]):
                    broken.add(item.rule.id)
        return {name: root for (_, name), root in judge.roots.items() if is_broken(root)} | results


def is_broken(result: Result) -> bool:
    """Whether a rule does not hold, for a fault of the model."""
    return result.verdict in ("failed", "warned")
