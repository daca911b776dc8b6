"""SECRET-02 blames no model for what no dump can hold, and for what each request has anew."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import Field

from conformance.bench import Bench
from conformance.catalogue import Case, rules
from conformance.integrations import KEY
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


class Signs(ReferenceChat):
    """Signs each request, as those to AWS are: the key, and what is another each time."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    def _headers(self) -> dict[str, str]:
        return {**super()._headers(), "x-signature": f"Credential={KEY}/{uuid4()}"}


class SendsAnotherKey(WithCredentials):
    """Sends another key once it was loaded."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    def _headers(self) -> dict[str, str]:
        return super()._headers() or {"authorization": "Bearer another"}


def judged(bench: Bench, made: type[ReferenceChat], **own: object) -> None:
    def make(url: str, **fields: Any) -> ReferenceChat:
        known = {"model": "m", "api_key": KEY, "base_url": f"{url}/v1"}
        return made(**{**known, **own, **fields})

    rules()["SECRET-02"].check(probe_of(bench, "sync", target(make, model_class=made)), Case())


def test_an_object_is_not_asked_of_a_dump(bench: Bench) -> None:
    """The loaded model would look for credentials of its own."""
    with pytest.raises(NotApplicable) as told:
        judged(bench, WithCredentials, credentials=Credentials())
    assert told.value.reason == "credentials is an object, which no dump holds"


def test_a_text_that_is_left_out_is_missed(bench: Bench) -> None:
    """What a dump could hold or name must be there again."""
    with pytest.raises(Broken):
        judged(bench, WithCredentials, credentials="open sesame")


def test_what_follows_the_key_is_not_compared(bench: Bench) -> None:
    """A signature is another for each second."""
    judged(bench, Signs)


def test_another_key_is_told(bench: Bench) -> None:
    """It says what differs, and how."""
    with pytest.raises(Broken) as told:
        judged(bench, SendsAnotherKey, credentials="open sesame")
    assert told.value.expected.startswith("the same headers with the key: {'authorization': 'Bearer conformance-")
    assert told.value.observed == "{} after it was loaded"
