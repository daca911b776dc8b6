"""Models that break rules of TOOL by what they make of an answer's calls."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.json import parse_partial_json
from langchain_openai import ChatOpenAI

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event
from .stream import delta_of


def _calls(answer: Event) -> list[Event]:
    """The calls in a whole answer."""
    return answer["choices"][0]["message"].get("tool_calls") or []


class NumbersWholeCalls(ReferenceChat):
    """Gives the calls of whole answers ids of its own."""

    def _generation(self, answer: Event) -> ChatGeneration:
        for number, call in enumerate(_calls(answer)):
            call["id"] = f"call_{number}"
        return super()._generation(answer)


class _Holding(AnswerReader):
    """Holds calls back until the answer ends; `anew`: and writes their arguments anew."""

    anew = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._held: dict[int, Event] = {}

    def read(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        for fragment in delta.pop("tool_calls", None) or ():
            self._number(fragment)
            held = self._held.setdefault(fragment["index"], {**fragment, "function": {"name": None, "arguments": ""}})
            told = fragment["function"]
            held["function"]["name"] = held["function"]["name"] or told.get("name")
            held["function"]["arguments"] += told.get("arguments") or ""
        if event["choices"] and event["choices"][0]["finish_reason"]:
            event["choices"][0]["delta"] = {**delta, "tool_calls": list(self._held.values())}
            self._calls.clear()
            self._begun = 0
            for call in self._held.values():
                call["function"]["arguments"] = self._written(call["function"]["arguments"])
        return super().read(event)

    def _written(self, arguments: str) -> str:
        try:
            return json.dumps(json.loads(arguments), indent=1) if self.anew else arguments
        except ValueError:
            return arguments


class _WritingAnew(_Holding):
    anew = True


class WritesArgumentsAnew(ReferenceChat):
    """Gives the calls of streams at their end, with arguments that it has parsed and written again."""

    def _reader(self) -> AnswerReader:
        return _WritingAnew(self._chunk)


class HoldsCallsBack(ReferenceChat):
    """Gives the calls of streams at their end."""

    def _reader(self) -> AnswerReader:
        return _Holding(self._chunk)


class _Last(AnswerReader):
    """Takes fragments without an id for those of the call that began last."""

    def _number(self, fragment: Event) -> None:
        if not fragment.get("id") and self._begun:
            fragment["index"] = self._begun - 1
            return
        super()._number(fragment)


class TakesFragmentsForTheLastCall(ReferenceChat):
    """Adds a fragment without an id to the call that began last, whatever its index."""

    def _reader(self) -> AnswerReader:
        return _Last(self._chunk)


class TakesTheFirstOfAFrame(ReferenceChat):
    """Reads one call of each frame."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if delta.get("tool_calls"):
            delta["tool_calls"] = delta["tool_calls"][:1]
        return super()._chunk(event)


class SkipsCallsLikeOthers(ReferenceChat):
    """Leaves out a call that has the name and the arguments of another."""

    def _generation(self, answer: Event) -> ChatGeneration:
        if _calls(answer):
            known = {json.dumps(call["function"]): call for call in reversed(_calls(answer))}
            answer["choices"][0]["message"]["tool_calls"] = list(reversed(known.values()))
        return super()._generation(answer)


class _Indexed(AnswerReader):
    def _number(self, fragment: Event) -> None:
        fragment["index"] += 0
        super()._number(fragment)


class NeedsAnIndex(ReferenceChat):
    """Fails where a call has no index."""

    def _reader(self) -> AnswerReader:
        return _Indexed(self._chunk)


class ParsesEmptyArguments(ReferenceChat):
    """Takes an empty argument text for JSON that is malformed."""

    def _generation(self, answer: Event) -> ChatGeneration:
        for call in _calls(answer):
            call["function"]["arguments"] = call["function"]["arguments"] or " "
        return super()._generation(answer)


class NeedsArguments(ReferenceChat):
    """Fails where a fragment of a call has no arguments."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for fragment in delta_of(event).get("tool_calls") or ():
            fragment["function"]["arguments"].strip()
        return super()._chunk(event)


class RepairsCutArguments(ReferenceChat):
    """Completes the arguments of a call that the limit of tokens cut off."""

    def _generation(self, answer: Event) -> ChatGeneration:
        for call in _calls(answer):
            if answer["choices"][0]["finish_reason"] == "length":
                call["function"]["arguments"] = json.dumps(parse_partial_json(call["function"]["arguments"]))
        return super()._generation(answer)


class ClosesCutArguments(ReferenceChat):
    """Ends the argument text of a call that the limit of tokens cut off."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        if event["choices"] and event["choices"][0]["finish_reason"] == "length":
            event["choices"][0]["delta"] = {"tool_calls": [{"index": 1, "function": {"arguments": '"}'}}]}
        return super()._chunk(event)


class RaisesAtMalformedCalls(ReferenceChat):
    """Raises where the arguments of a call are no JSON."""

    def _generation(self, answer: Event) -> ChatGeneration:
        for call in _calls(answer):
            json.loads(call["function"]["arguments"] or "{}")
        return super()._generation(answer)


class DropsMalformedCalls(ReferenceChat):
    """Leaves out calls whose arguments are no JSON."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        generation.message = generation.message.model_copy(update={"invalid_tool_calls": []})
        return generation


class SaysNothingBesideCalls(ReferenceChat):
    """Drops the text of a whole answer that has calls."""

    def _generation(self, answer: Event) -> ChatGeneration:
        if _calls(answer):
            answer["choices"][0]["message"]["content"] = None
        return super()._generation(answer)


class _Silent(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        if self._begun:
            delta_of(event).pop("content", None)
        return super().read(event)


class SaysNothingAfterCalls(ReferenceChat):
    """Drops what a stream says once a call has begun."""

    def _reader(self) -> AnswerReader:
        return _Silent(self._chunk)


class AnthropicPutsCallsLast(ChatAnthropic):
    """Puts the calls of a whole answer behind its text, on top of the released class."""

    def _format_output(self, data: Any, **kwargs: Any) -> ChatResult:
        result = super()._format_output(data, **kwargs)
        content = result.generations[0].message.content
        if isinstance(content, list):
            content.sort(key=lambda part: isinstance(part, dict) and part.get("type") == "tool_use")
        return result


def _as_number(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_number(each) for key, each in value.items()}
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class ReadsNumbersInStrings(ReferenceChat):
    """Turns strings of digits among the arguments into numbers."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        message = cast("AIMessage", generation.message)
        for call in message.tool_calls:
            call["args"] = _as_number(call["args"])
        return generation


class EscapesTwice(ReferenceChat):
    """Escapes the characters beyond ASCII in each fragment of arguments, among them halves of what is escaped."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for fragment in delta_of(event).get("tool_calls") or ():
            text = fragment["function"].get("arguments") or ""
            fragment["function"]["arguments"] = text.replace("\\u", "\\\\u")
        return super()._chunk(event)


class ReadsNumbersAsFloats(ReferenceChat):
    """Reads whole numbers as floats, as a client in another language would."""

    def _generation(self, answer: Event) -> ChatGeneration:
        for call in _calls(answer):
            try:
                parsed = json.loads(call["function"]["arguments"] or "{}", parse_int=float)
            except ValueError:
                continue
            call["function"]["arguments"] = json.dumps(parsed)
        return super()._generation(answer)


class AsksForNoStreamWithTools(ReferenceChat):
    """Asks for a whole answer where tools are bound."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        if kwargs.get("tools"):
            yield _at_once(self._generate(*args, **kwargs))
            return
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        if kwargs.get("tools"):
            yield _at_once(await self._agenerate(*args, **kwargs))
            return
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


def _at_once(result: ChatResult) -> ChatGenerationChunk:
    """A whole answer as one chunk."""
    generation = result.generations[0]
    message = AIMessageChunk(**generation.message.model_dump(exclude={"type"}))
    return ChatGenerationChunk(message=message, generation_info=generation.generation_info)


class OpenAIHoldsTextBack(ChatOpenAI):
    """Gives the text of a stream at its end where tools are bound, on top of the released class."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunks = super()._stream(*args, **kwargs)
        yield from list(chunks) if kwargs.get("tools") else chunks
