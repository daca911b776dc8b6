"""Models are judged on the cassettes of this project."""

from contextlib import closing

import pytest

from conformance.bench import Benches
from conformance.item import items
from conformance.judge import judge
from conformance.session import HIDDEN, hidden
from conformance.target import resolve
from conformance.verdict import Result

from .broken.judging import AS_ITEMS, CLEARED, STANZAS
from .record_cassettes import planned
from .test_cassettes import GOLDFISH

pytestmark = AS_ITEMS


def judged(spec: str, rule: str = "") -> dict[str, Result]:
    """The verdicts of the rules of REPLAY on a model without `--cassette`, or of one of them, by item."""
    pytest.importorskip(spec.partition(":")[0])
    benches = Benches()
    with hidden((*HIDDEN, *CLEARED)), closing(benches):
        chosen = [item for item in items(resolve(spec, {}, STANZAS)) if item.rule.id.startswith(rule or "REPLAY")]
        return {item.name: judge(item, benches) for item in chosen}


@pytest.mark.parametrize(
    ("spec", "wires"),
    [
        ("langchain_openai:ChatOpenAI", {"openai-chat", "openai-responses"}),
        ("langchain_anthropic:ChatAnthropic", {"anthropic-messages"}),
        ("tests.reference:ReferenceChat", {"openai-chat"}),
    ],
)
def test_models_are_judged_on_those_of_their_own_wires(spec: str, wires: set[str]) -> None:
    """In a run without `--cassette`, on all of them; and they hold."""
    results = judged(spec)
    labels = {name.removeprefix("REPLAY-01-sync-") for name in results if name.startswith("REPLAY-01-sync-")}
    wanted = {each.name for each in planned() if each.wire.name in wires}
    assert labels - {file.stem for file in GOLDFISH} == wanted
    assert {name: result.reason for name, result in results.items() if result.verdict != "passed"} == {}


def test_what_breaks_off_must_raise() -> None:
    """A model that takes what has come for the whole answer fails on the stream that is cut, and on no other."""
    results = judged("tests.broken.replay:EndsWhereTheConnectionDoes", "REPLAY-01")
    failed = {name for name, result in results.items() if result.verdict == "failed"}
    assert failed == {f"REPLAY-01-{form}-openai-chat-cut" for form in ("sync", "async")}
