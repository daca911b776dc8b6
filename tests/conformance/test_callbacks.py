"""The handlers that note what they hear of a run."""

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate

from conformance.callbacks import CHAIN, END, ERROR, START, TOKEN, AsyncListener, Failing, Listener, message_of


def _model() -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage("two words")]))


def test_listener_notes_a_run_in_order() -> None:
    """What a stream tells comes in the order in which it was told, under one run id."""
    listener = Listener()
    chunks = list(_model().stream("Hi", {"callbacks": [listener]}))
    assert listener.names == [START, *[TOKEN] * len(chunks), END]
    assert "".join(each.value for each in listener.of(TOKEN)) == "two words"
    assert len({each.run_id for each in listener.heard}) == 1


def test_async_listener_hears_the_same() -> None:
    """A sync call waits for what its async handlers do."""
    listener, other = Listener(), AsyncListener()
    list(_model().stream("Hi", {"callbacks": [listener, other]}))
    assert other.names == listener.names


async def test_async_listener_is_awaited_in_a_loop() -> None:
    """An async call does too."""
    other = AsyncListener()
    assert await _model().ainvoke("Hi", {"callbacks": [other]})
    assert other.names == [START, END]


def test_chains_stand_apart() -> None:
    """The starts of chains are noted, and are not among what was heard of the model."""
    listener = Listener()
    (ChatPromptTemplate.from_messages([("human", "{q}")]) | _model()).invoke({"q": "Hi"}, {"callbacks": [listener]})
    assert listener.names == [START, END]
    assert listener.of(START)[0].told["parent_run_id"] == listener.of(CHAIN)[0].run_id


def test_message_is_kept_as_it_was() -> None:
    """What is set on a message after the run does not show in what was heard."""
    listener = Listener()
    message = _model().invoke("Hi", {"callbacks": [listener]})
    message.content = "changed"
    [ended] = listener.of(END)
    assert ended.message is not None
    assert ended.message.content == "two words"


def test_error_is_noted_by_its_type() -> None:
    """The error itself is not kept, nor is there a message where there was none."""
    listener = Listener()
    with pytest.raises(StopIteration):
        GenericFakeChatModel(messages=iter(())).invoke("Hi", {"callbacks": [listener]})
    [failed] = listener.of(ERROR)
    assert failed.value is StopIteration
    assert failed.message is None


@pytest.mark.parametrize("result", [None, "text", object()])
def test_no_message_of_what_is_no_result(result: object) -> None:
    """Whatever a model hands to its handlers, looking for a message in it raises nothing."""
    assert message_of(result) is None


def test_failing_handler_counts_what_it_raises() -> None:
    """It raises in each callback, and langchain-core passes over that."""
    failing = Failing()
    assert _model().invoke("Hi", {"callbacks": [failing]}).content == "two words"
    assert failing.raised == 2
