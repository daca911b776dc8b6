"""Which wires say again in each frame what came before: long answers take them the square of the time."""

import pytest

from conformance.rules.stream_size import repeats
from mockserver import WIRES


@pytest.mark.parametrize("name", WIRES)
def test_one_wire_repeats_all_that_came_before(name: str) -> None:
    """Perplexity's frames hold the message so far; all others hold their own piece."""
    assert repeats(WIRES[name]) == (name == "perplexity-chat")
