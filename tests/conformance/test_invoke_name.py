"""INVOKE-04 asks for the answering model's name where the answers of the wire hold it."""

import pytest

from conformance.bench import Bench
from conformance.catalogue import Case, rules
from conformance.verdict import NotApplicable
from mockserver import WIRES

from .helpers import probe_of, target


@pytest.mark.parametrize("wire", ["bedrock-converse", "cloudflare", "cohere-chat"])
def test_no_name_is_asked_for_where_the_wire_has_none(bench: Bench, wire: str) -> None:
    """The model of such a wire is not even asked."""
    with pytest.raises(NotApplicable) as told:
        rules()["INVOKE-04"].check(probe_of(bench, "sync", target(wire=WIRES[wire])), Case())
    assert told.value.reason == f"answers of the wire {wire} do not name the model"
