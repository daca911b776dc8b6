"""SECRET-02 blames no model for an object that no dump can hold."""

from typing import Any

import pytest
from pydantic import Field

from conformance.bench import Bench
from conformance.catalogue import Case, rules
from conformance.verdict import Broken, NotApplicable

from ..reference import ReferenceChat
from .helpers import probe_of, target


class Credentials:
    """Opens the provider's door; the environment has some too, where the model is loaded."""


class WithCredentials(ReferenceChat):
    """Is given credentials, and says that it is serialisable."""

    credentials: Any = Field(default=None, exclude=True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    def _headers(self) -> dict[str, str]:
        return super()._headers() if self.credentials else {}


def judged(bench: Bench, credentials: object) -> None:
    def make(url: str, **fields: Any) -> WithCredentials:
        known = {"model": "m", "api_key": "conformance-placeholder", "base_url": f"{url}/v1"}
        return WithCredentials(**{**known, "credentials": credentials, **fields})

    rules()["SECRET-02"].check(probe_of(bench, "sync", target(make, model_class=WithCredentials)), Case())


def test_an_object_is_not_asked_of_a_dump(bench: Bench) -> None:
    """The loaded model would look for credentials of its own."""
    with pytest.raises(NotApplicable) as told:
        judged(bench, Credentials())
    assert told.value.reason == "credentials is an object, which no dump holds"


def test_a_text_that_is_left_out_is_missed(bench: Bench) -> None:
    """What a dump could hold or name must be there again."""
    with pytest.raises(Broken):
        judged(bench, "open sesame")
