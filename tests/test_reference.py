"""The reference model and its variants keep every rule: no rule blames a right model."""

import pytest

from conformance.session import WARNINGS

from .broken.judging import SLOW, verdicts

pytestmark = [pytest.mark.filterwarnings(each) for each in WARNINGS]


def test_reference_keeps_all_rules() -> None:
    """Every item passes but those for models without async methods of their own, which do not apply."""
    others = {
        name: each for name, each in verdicts("tests.reference:ReferenceChat").items() if each.verdict != "passed"
    }
    assert others.keys() == {"DEFAULT-02-async-invoke", "DEFAULT-02-async-stream"}, others


@pytest.mark.parametrize("name", ["WholeChat", "SyncChat", "WholeSyncChat"])
def test_variants_keep_all_rules(name: str) -> None:
    """Every item passes or does not apply where streaming or async are langchain-core's; those on time are left out."""
    results = verdicts(f"tests.broken.default:{name}", without=SLOW)
    wrong = {name: each for name, each in results.items() if each.verdict not in ("passed", "not applicable")}
    assert not wrong
