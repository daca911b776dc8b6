"""What the rules of EVENTS share: the events of a run, and what is read of them."""

from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from ..calls import END, Stream
from ..catalogue import Case
from ..drive import PROMPT, Probe
from ..observe import joined
from ..verdict import Broken
from ..wording import brief
from . import scripts

START: Final = "on_chat_model_start"
PIECE: Final = "on_chat_model_stream"
FINISH: Final = "on_chat_model_end"
VERSIONS: Final = (Case("v1", "v1"), Case("v2", "v2"))


def events_of(
    probe: Probe, version: str, input: Any = PROMPT, *, on: Any = None, **kwargs: Any
) -> list[dict[str, Any]]:
    """All events of a run."""
    return opened(probe, version, input, on=on, **kwargs).rest()


def opened(probe: Probe, version: str, input: Any = PROMPT, *, on: Any = None, **kwargs: Any) -> Stream[dict[str, Any]]:
    """The events of a run, one by one."""
    return probe.iterate("stream_events", input, on=on, version=version, **kwargs)


def chunks_of(events: list[dict[str, Any]]) -> list[Any]:
    """The chunks of the stream events."""
    return [event["data"]["chunk"] for event in events if event["event"] == PIECE]


def names_of(events: list[dict[str, Any]]) -> list[str]:
    """What the events are called, in order."""
    return [event["event"] for event in events]


def counted(names: list[str]) -> str:
    """Names in order, with runs of one name counted."""
    told: list[tuple[str, int]] = []
    for name in names:
        if told and told[-1][0] == name:
            told[-1] = (name, told[-1][1] + 1)
        else:
            told.append((name, 1))
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in told) or "no events"


def output_of(event: dict[str, Any]) -> AIMessage:
    """The message of an end event. v1 gives an `LLMResult` as a dictionary where the model is a part of a chain."""
    output = event["data"].get("output")
    if isinstance(output, dict):
        output = output["generations"][0][0]["message"]
    if not isinstance(output, AIMessage):
        raise Broken("the end event holds the message", brief(output))
    return output


def model_output(events: list[dict[str, Any]]) -> AIMessage:
    """The message of the model's one end event."""
    ends = [event for event in events if event["event"] == FINISH]
    if len(ends) != 1:
        raise Broken(f"one {FINISH}", counted(names_of(events)))
    return output_of(ends[0])


def chain_of(probe: Probe, model: Any = None) -> Runnable[Any, Any]:
    """A prompt, the model (or what stands in its place), and a parser."""
    prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
    return prompt | (model if model is not None else probe.model()) | StrOutputParser()


def await_pieces(stream: Stream[dict[str, Any]], count: int) -> None:
    """Read until the first pieces have come, while the next is held back."""
    wanted = "".join(scripts.PLAIN.blocks[0].pieces[:count])
    while joined(chunks_of(stream.items)) != wanted:
        call = stream.within()
        if not call.done or call.value() is END:
            raise Broken(
                f"{PIECE} with {wanted!r} before the next piece is sent", repr(joined(chunks_of(stream.items)))
            )
