"""Models that break one rule of META each, of those on reasoning, blocks, citations and refusals."""

from collections.abc import Callable, Iterator

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_openai import ChatOpenAI

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event


class ForgetsReasoningInStreams(ReferenceChat):
    """Keeps the reasoning of whole answers and drops that of streams, as langchain-fireworks did."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(_without(event, "reasoning_content"))


def _without(event: Event, name: str) -> Event:
    choices = [
        {**choice, **{part: _less(choice[part], name) for part in ("delta", "message") if choice.get(part)}}
        for choice in event.get("choices") or ()
    ]
    return {**event, "choices": choices}


def _less(said: Event, name: str) -> Event:
    return {key: value for key, value in said.items() if key != name}


class KnowsNoReasoning(ReferenceChat):
    """Drops the reasoning that its provider, DeepSeek, sends."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation(_without(answer, "reasoning_content"))

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(_without(event, "reasoning_content"))


class OpenAIAtDeepSeek(ChatOpenAI):
    """The released class at a provider that sends reasoning, which it does not read."""


class ThinksInTheText(ReferenceChat):
    """Puts the reasoning of a whole answer into its text."""

    def _generation(self, answer: Event) -> ChatGeneration:
        message = answer["choices"][0]["message"]
        if thought := message.pop("reasoning_content", None):
            message["content"] = thought + (message.get("content") or "")
        return super()._generation(answer)


class _Holding(AnswerReader):
    """Holds chunks with reasoning back until it is asked to give them."""

    def __init__(self, convert: Callable[[Event], ChatGenerationChunk | None], *, at_end: bool) -> None:
        super().__init__(convert)
        self._at_end = at_end
        self._held: list[ChatGenerationChunk] = []

    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        for chunk in super().feed(segment):
            if chunk.message.additional_kwargs.get("reasoning_content"):
                self._held.append(chunk)
                continue
            is_end = bool(chunk.generation_info)
            if is_end or not self._at_end:
                yield from self._held
                self._held = []
            yield chunk


class ReasonsAfterwards(ReferenceChat):
    """Gives the reasoning of a stream after the text that it led to."""

    def _reader(self) -> AnswerReader:
        return _Holding(self._chunk, at_end=True)


class HoldsReasoningBack(ReferenceChat):
    """Gives the reasoning of a stream when the text begins."""

    def _reader(self) -> AnswerReader:
        return _Holding(self._chunk, at_end=False)


class MakesEachPieceABlock(ReferenceChat):
    """Gives each piece of a text as a block without an index, so that pieces are never merged."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if chunk and chunk.message.content:
            chunk.message.content = [{"type": "text", "text": chunk.message.content}]
        return chunk


class DropsCitations(ReferenceChat):
    """Does not read annotations."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation(_without(answer, "annotations"))

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(_without(event, "annotations"))


class DropsRefusalsOfStreams(ReferenceChat):
    """Reads the refusal of a whole answer, and of a stream the content alone, as langchain-openai does."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(_without(event, "refusal"))


class HidesTheFilterOfWholeAnswers(ReferenceChat):
    """Tells only after invoke that a filter has cut an answer off."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        if answer["choices"][0]["finish_reason"] == "content_filter":
            assert isinstance(generation.message, AIMessage)
            generation.message.response_metadata["filtered"] = True
        return generation
