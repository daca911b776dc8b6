"""Right models that give the content of an answer in another shape."""

from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from ..reference import ReferenceChat
from ..sse_reader import Event
from .native import MakesItsEvents

_PLACE: Final = {"reasoning": "lc_rs_0", "text": "lc_txt_1"}
"""Where a block stands. A text is the index of no call; a number may be, for calls are counted by themselves."""


class GivesLists(ReferenceChat):
    """Gives content as a list of blocks, which it numbers."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        text = generation.message.content
        generation.message.content = [{"type": "text", "text": text}] if text else []
        return ChatGeneration(message=generation.message, generation_info=generation.generation_info)

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if not chunk:
            return None
        text = chunk.message.content
        chunk.message.content = [{"type": "text", "text": text, "index": 0}] if text else []
        return ChatGenerationChunk(message=chunk.message, generation_info=chunk.generation_info)


class ThinksInBlocks(ReferenceChat):
    """Gives reasoning as a block of content before the text, each with an index that is a text."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        generation.message.content = _with_thought(generation.message)
        return ChatGeneration(message=generation.message, generation_info=generation.generation_info)

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if not chunk:
            return None
        blocks = _with_thought(chunk.message)
        chunk.message.content = [{**block, "index": _PLACE[block["type"]]} for block in blocks]
        return ChatGenerationChunk(message=chunk.message, generation_info=chunk.generation_info)


def _with_thought(message: Any) -> list[Any]:
    """Content of a message with its reasoning, which is no longer beside it."""
    thought, text = message.additional_kwargs.pop("reasoning_content", None), message.content
    blocks = [{"type": "reasoning", "reasoning": thought}] if thought else []
    return [*blocks, *([{"type": "text", "text": text}] if text else [])]


class GivesStandardBlocks(ReferenceChat):
    """Is built for standard blocks as its content."""

    output_version: str | None = "v1"


class GivesStandardBlocksInEvents(GivesStandardBlocks, MakesItsEvents):
    """Is built for standard blocks as its content, and makes its events itself."""


class Answer(AIMessage):
    """An answer with a place of its own for how sure the provider is."""

    confidence: float | None = None


class AnswerChunk(AIMessageChunk):
    """A piece of such an answer."""

    confidence: float | None = None


class AnswersWithItsOwnClass(ReferenceChat):
    """Gives messages and chunks of classes of its own."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        message = Answer(**generation.message.model_dump(exclude={"type"}))
        return ChatGeneration(message=message, generation_info=generation.generation_info)

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if not chunk:
            return None
        message = AnswerChunk(**chunk.message.model_dump(exclude={"type"}))
        return ChatGenerationChunk(message=message, generation_info=chunk.generation_info)
