"""REQUEST-02 gives a constructor as many stop sequences as it takes."""

from typing import Any

import pytest

from conformance.bench import Bench
from conformance.catalogue import Case, rules
from conformance.verdict import Broken

from ..reference import ReferenceChat
from .helpers import probe_of, target


class TakesOneStop(ReferenceChat):
    """Has a single stop sequence, which the API takes too."""

    stop: str | None = None  # type: ignore[assignment]


class ForgetsItsOneStop(TakesOneStop):
    """Sends the stop sequences of a call, and not the one that it was built with."""

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in super()._settings().items() if name != "stop"}


def judged(bench: Bench, found: type[ReferenceChat]) -> None:
    def make(url: str, **fields: Any) -> ReferenceChat:
        return found(**{"model": "m", "api_key": "conformance-placeholder", "base_url": f"{url}/v1", **fields})

    rules()["REQUEST-02"].check(probe_of(bench, "sync", target(make, model_class=found)), Case("constructor"))


def test_one_is_given_where_one_is_taken(bench: Bench) -> None:
    """A list would be refused, and loudly."""
    judged(bench, TakesOneStop)


def test_one_that_is_lost_is_missed(bench: Bench) -> None:
    """It must be in the request as any other."""
    with pytest.raises(Broken, match=r"\['END'\]"):
        judged(bench, ForgetsItsOneStop)
