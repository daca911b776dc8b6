"""What a target is told to lack, for each need of a rule."""

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from conformance import compat
from conformance.catalogue import Form
from conformance.integrations import CAPABILITIES, Stanza

from . import models
from .helpers import target

NO_STREAM = "Parrot has no token streaming (_stream is not implemented)"
NO_ASTREAM = "Parrot has no token streaming (_astream is not implemented)"
STREAMS = "Parrot has token streaming"
NO_ASYNC = "Parrot has no async implementation of its own; the default runs the sync one in a thread"
OWN_ASYNC = "Parrot implements its async methods itself"
NO_TOOLS = "Parrot has no bind_tools"


@pytest.mark.parametrize(
    ("model_class", "form", "lacked"),
    [
        (models.Speaking, "sync", {"stream": NO_STREAM, "native async": NO_ASYNC, "tools": NO_TOOLS}),
        (models.Speaking, "async", {"stream": NO_ASTREAM, "native async": NO_ASYNC, "tools": NO_TOOLS}),
        (models.Streaming, "sync", {"no stream": STREAMS, "native async": NO_ASYNC}),
        (models.Streaming, "async", {"no stream": STREAMS, "native async": NO_ASYNC}),
        (models.StreamingAsync, "sync", {"stream": NO_STREAM, "tools": NO_TOOLS}),
        (models.StreamingAsync, "async", {"no stream": STREAMS, "tools": NO_TOOLS}),
        (models.Answering, "sync", {"stream": NO_STREAM, "default async": OWN_ASYNC, "tools": NO_TOOLS}),
        (models.Answering, "async", {"stream": NO_ASTREAM, "default async": OWN_ASYNC, "tools": NO_TOOLS}),
        (models.All, "sync", {"no stream": STREAMS, "default async": OWN_ASYNC}),
        (models.All, "async", {"no stream": STREAMS, "default async": OWN_ASYNC}),
    ],
)
def test_needs_by_what_the_class_implements(
    model_class: type[BaseChatModel], form: Form, lacked: dict[str, str]
) -> None:
    """Each need that is not met has its reason, and every other is met."""
    of_class = target(model_class=model_class)
    for need in ("stream", "no stream", "native async", "default async", "tools", "usage", "stop"):
        assert of_class.lacks(need, form) == lacked.get(need), need


@pytest.mark.parametrize(("core", "reason"), [((1, 0), None), ((2, 3), None), ((0, 3), "needs langchain-core 1.0")])
def test_the_need_of_a_release(monkeypatch: pytest.MonkeyPatch, core: tuple[int, int], reason: str | None) -> None:
    """Rules on what langchain-core 1.0 brought are not for older releases."""
    monkeypatch.setattr(compat, "CORE_VERSION", core)
    monkeypatch.setattr(compat, "CORE", ".".join(map(str, core)))
    told = target().lacks("core>=1.0", "sync")
    assert told == (reason and f"{reason}, and this is 0.3")


@pytest.mark.parametrize("need", CAPABILITIES)
def test_what_a_stanza_does_not_claim(need: str, form: Form) -> None:
    """The stanza's word goes before what the class implements."""
    claimed = target(model_class=models.All, stanza=Stanza(lacks=(need,)))
    assert claimed.lacks(need, form) == f"Parrot does not claim {need!r}"
    assert target(model_class=models.All).lacks(need, form) is None


@pytest.mark.parametrize(
    ("model_class", "native", "sync", "asynchronous"),
    [
        (models.Speaking, [], False, False),
        (models.Streaming, ["_stream"], True, True),
        (models.StreamingAsync, ["_astream"], False, True),
        (models.Answering, ["_agenerate"], False, False),
        (models.All, ["_stream", "_astream", "_agenerate"], True, True),
    ],
)
def test_what_a_class_implements_itself(model_class: Any, native: list[str], *, sync: bool, asynchronous: bool) -> None:
    """Methods of the class and its bases count, langchain-core's defaults do not; async may borrow sync streaming."""
    of_class = target(model_class=model_class)
    assert [name for name in ("_stream", "_astream", "_agenerate") if of_class.native(name)] == native
    assert (of_class.streams("sync"), of_class.streams("async")) == (sync, asynchronous)
