"""The reference model keeps every rule; `test_sound` tries models that differ from it and are as right."""

from typing import Final

from conformance.compat import CORE_VERSION

from .broken.judging import AS_ITEMS, verdicts

pytestmark = AS_ITEMS

_OTHER_MODELS: Final = {"RETRY-01", "RETRY-02", "RETRY-03", "DEFAULT-02"}
"""Rules for models that have a setting for retries, or no async methods of their own."""
_OTHER_WIRES: Final = {f"SSE-{number}" for number in range(16, 27)}
"""Rules for wires whose streams are no server-sent events."""
_PROFILES: Final = {"DEFAULT-04"} if CORE_VERSION < (1, 1) else set()
"""Rules for models with a profile, which langchain-core has for models outside its own list since 1.1."""


def test_reference_keeps_all_rules() -> None:
    """Every item passes, but those that are for other models, for other wires or for another langchain-core."""
    others = {
        name: each for name, each in verdicts("tests.reference:ReferenceChat").items() if each.verdict != "passed"
    }
    assert {name: each for name, each in others.items() if each.verdict != "not applicable"} == {}
    by_core = {name for name, each in others.items() if "langchain-core" in each.reason}
    left_out = {"-".join(name.split("-")[:2]) for name in others.keys() - by_core}
    assert left_out == _OTHER_MODELS | _OTHER_WIRES | _PROFILES, others
