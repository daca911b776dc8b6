"""Models that lose some calls, or parts of them."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from pydantic import PrivateAttr

from ...reference import ReferenceChat
from ...sse_reader import AnswerReader, Event
from .text import EmptiesWhiteSpace, delta_of

_LOW_HALF: Final = re.compile(r"^\\ud[c-f][0-9a-f]{2}")


def _message_of(generation: ChatGeneration) -> AIMessage:
    assert isinstance(generation.message, AIMessage)
    return generation.message


class _Doubting(AnswerReader):
    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        for data in self.sse.feed(segment):
            if data == "[DONE]" or ('"arguments"' in data and "[DONE]" in data):
                self.done = True
                return
            if chunk := self.read(json.loads(data)):
                yield chunk


class EndsAtDoneInArguments(ReferenceChat):
    """Takes a fragment of a call that holds [DONE] for the end of the stream."""

    def _reader(self) -> AnswerReader:
        return _Doubting(self._chunk)


class _EndsWhereNothingIs(AnswerReader):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_over = False

    def read(self, event: Event) -> ChatGenerationChunk | None:
        choice: Event = next(iter(event.get("choices") or ()), {})
        says_nothing = not any((choice.get("delta") or {}).values()) and not choice.get("finish_reason")
        self._is_over |= bool(self._begun) and bool(choice) and says_nothing
        delta = delta_of(event)
        if self._is_over and "tool_calls" in delta:
            del delta["tool_calls"]
        return super().read(event)


class EndsCallsAtEmptyPieces(ReferenceChat):
    """Takes an empty piece that comes after a call has begun for the end of all calls."""

    def _reader(self) -> AnswerReader:
        return _EndsWhereNothingIs(self._chunk)


class RemembersCalls(ReferenceChat):
    """Keeps the arguments of whole calls by their ids, and gives those that it has where an id comes again."""

    _known: dict[str, Any] = PrivateAttr(default_factory=dict)

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        for call in _message_of(generation).tool_calls:
            call["args"] = self._known.setdefault(str(call["id"]), call["args"])
        return generation


class DropsLowHalves(ReferenceChat):
    """Drops the second escape of a surrogate pair where a fragment begins with it."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for fragment in delta_of(event).get("tool_calls") or ():
            told = fragment.get("function") or {}
            told["arguments"] = _LOW_HALF.sub("", told.get("arguments") or "")
        return super()._chunk(event)


class DropsCallsWithoutArguments(ReferenceChat):
    """Leaves a call without arguments out of a whole answer, where the same tool was called just before."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        message, before = _message_of(generation), ""
        kept = []
        for call in message.tool_calls:
            kept += [call] if call["args"] or call["name"] != before else []
            before = call["name"]
        message.tool_calls = kept
        return generation


class LosesSpaceAndCalls(EmptiesWhiteSpace, DropsCallsWithoutArguments):
    """Loses whole answers that are white space, and calls without arguments after one of the same tool."""


class _TwoOpen(AnswerReader):
    def _number(self, fragment: Event) -> None:
        super()._number(fragment)
        fragment["index"] = max(fragment["index"], self._begun - 2)


class KeepsTwoCallsOpen(ReferenceChat):
    """Adds what comes for a call, where two others have begun since, to the older of these."""

    def _reader(self) -> AnswerReader:
        return _TwoOpen(self._chunk)


class UnwrapsArguments(ReferenceChat):
    """Takes the arguments of a call out of an object that holds them under the name arguments."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        for call in _message_of(generation).tool_calls:
            if isinstance(inner := call["args"].get("arguments"), dict):
                call["args"] = inner
        return generation
