"""Models that break one rule of INVOKE each."""

from typing import Any
from uuid import uuid4

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_openai import ChatOpenAI
from pydantic import Field

from ..reference import ReferenceChat
from ..sse_reader import Event


class StripsText(ReferenceChat):
    """Strips white space from both ends of a whole answer."""

    def _generation(self, answer: Event) -> ChatGeneration:
        message = answer["choices"][0]["message"]
        message["content"] = (message["content"] or "").strip()
        return super()._generation(answer)


class OpenAIStripsText(ChatOpenAI):
    """Strips white space from both ends of a whole answer, on top of the released class."""

    def _create_chat_result(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._create_chat_result(*args, **kwargs)
        message = result.generations[0].message
        if isinstance(message.content, str):
            message.content = message.content.strip()
        return result


class SplitsLines(ReferenceChat):
    """Takes a whole answer apart and puts it together again with str.splitlines, which knows more line ends than LF."""

    def _generation(self, answer: Event) -> ChatGeneration:
        message = answer["choices"][0]["message"]
        message["content"] = "\n".join((message["content"] or "").splitlines())
        return super()._generation(answer)


class RemovesSpecialTokens(ReferenceChat):
    """Removes from a whole answer what looks like a special token of the tokenizer."""

    def _generation(self, answer: Event) -> ChatGeneration:
        message = answer["choices"][0]["message"]
        message["content"] = (message["content"] or "").replace("</s>", "")
        return super()._generation(answer)


class CountsInSyncAlone(ReferenceChat):
    """Adds the provider's raw count to the metadata in sync calls alone."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        result.generations[0].message.response_metadata["token_usage"] = {"total_tokens": 18}
        return result


class LosesCallsInAsync(ReferenceChat):
    """Builds the message of async calls in code of its own, which knows no tool calls."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = await super()._agenerate(*args, **kwargs)
        generation = result.generations[0]
        generation.message = generation.message.model_copy(update={"tool_calls": []})
        return result


class RenamesLength(ReferenceChat):
    """Puts a word of its own in place of the finish reason "length"."""

    def _info(self, answer: Event, choice: Event) -> dict[str, Any]:
        info = super()._info(answer, choice)
        return {**info, "finish_reason": {"length": "max_tokens"}.get(info["finish_reason"], info["finish_reason"])}


class LosesFinishReason(ReferenceChat):
    """Does not keep the finish reason of a whole answer."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        assert generation.generation_info
        del generation.generation_info["finish_reason"]
        return generation


class NamesTheModelAskedFor(ReferenceChat):
    """Names the model that was asked for instead of the one that answered."""

    def _info(self, answer: Event, choice: Event) -> dict[str, Any]:
        return {**super()._info(answer, choice), "model_name": self.model}


class OneIdForAllAnswers(ReferenceChat):
    """Makes the id of its messages when it is built."""

    answer_id: str = Field(default_factory=lambda: f"answer-{uuid4()}")

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "id": self.answer_id})


class SaysNone(ReferenceChat):
    """Turns content that is null into the text None."""

    def _generation(self, answer: Event) -> ChatGeneration:
        message = answer["choices"][0]["message"]
        message["content"] = str(message["content"])
        return super()._generation(answer)


class InstructsStrings(ReferenceChat):
    """Puts a system message before a prompt that is a string, and before no other."""

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        if isinstance(model_input, str):
            return ChatPromptValue(messages=[SystemMessage("You are helpful."), HumanMessage(model_input)])
        return super()._convert_input(model_input)


class AsksTwice(ReferenceChat):
    """Asks once more in async calls and throws the first answer away."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        await super()._agenerate(*args, **kwargs)
        return await super()._agenerate(*args, **kwargs)


class CountsNothingWhereItStreamsInside(ReferenceChat):
    """Skips the frame with the usage where it was built with streaming=True."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(event) if event["choices"] or not self.streaming else None


class DropsRefusals(ReferenceChat):
    """Reads the content of a message alone, and so loses a refusal."""

    def _generation(self, answer: Event) -> ChatGeneration:
        answer["choices"][0]["message"].pop("refusal")
        return super()._generation(answer)


class EmptiesFilteredAnswers(ReferenceChat):
    """Gives an empty answer where the provider's filter cut it off."""

    def _generation(self, answer: Event) -> ChatGeneration:
        choice = answer["choices"][0]
        if choice["finish_reason"] == "content_filter":
            choice["message"]["content"] = ""
        return super()._generation(answer)
