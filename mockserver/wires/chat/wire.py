"""OpenAI Chat Completions and its dialects, whole and streamed.

Sources: the types `ChatCompletion`, `ChatCompletionChunk` and `CompletionUsage` of the PyPI package `openai`
(https://github.com/openai/openai-python/tree/main/src/openai/types/chat), and the API reference
(https://platform.openai.com/docs/api-reference/chat-streaming). Order of frames and of keys: recorded streams.
What other providers do otherwise stands in ``dialects.toml``, with its sources.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from ...errors import Refused
from ...frames import Frame, FrameKind
from ...framings import sse
from ...recording import Recording
from ...reply import Reply
from ..asides import answer
from ..base import Asked, Contentless, Decoded, Request, Variant, Wire, dumps, recorded_object
from . import content as chat_content
from . import request as chat_request
from . import writing as chat_writing
from .dialects import FAMILY, Dialect, dialects, provider_of, spoken_at
from .reading import Reader, kinds_of
from .variants import call_variants

_COMPATIBLE: Final = "https://platform.openai.com/docs/api-reference/backward-compatibility"
_STREAMING: Final = "https://platform.openai.com/docs/api-reference/chat-streaming"
_AZURE_FILTER: Final = "https://learn.microsoft.com/azure/ai-services/openai/concepts/content-streaming"
_X_GROQ: Final = "recorded: groq-chat-000"
_MODELS: Final = re.compile(r"(?:^|/v\d+|/openai)/models(?:/(?P<id>.+))?$")
_USAGE_ALONE: Final = "https://github.com/langchain-ai/langchain/issues/27886: the last chunk has no `choices`"
_NAMED_MODELS: Final = re.compile(r"/models(?:/(?P<id>.+))?$")
"""With the provider's name in front, whatever stands between."""
_MODEL: Final = "mock-model"
_ATTACHED: Final = dict.fromkeys(("openai-chat", "azure-chat", "openrouter-chat"), ("audio", "file"))
"""What is attached beside images: `ChatCompletionContentPartParam` of `openai`; and for OpenRouter
https://openrouter.ai/docs/features/multimodal/overview.
"""


class OpenAIChat(Wire):
    """`POST …/chat/completions`; SSE with data only, ended by `[DONE]`. `dialect`: OpenAI's own, or a provider's."""

    family = FAMILY

    def __init__(self, dialect: Dialect | None = None) -> None:
        super().__init__()
        self.dialect = dialect or dialects()["openai"]
        self.name = self.dialect.name
        self.hosts = self.dialect.hosts
        self.id_prefix = self.dialect.id_prefix
        self.finish_reasons = self.dialect.finish_reasons
        self.error_frame_source = self.dialect.error_frame_source
        self.repeats_finish = self.dialect.repeats_finish
        self.sends_reasoning = self.dialect.sends_reasoning
        self.takes = frozenset({"image", *(["stop"] if self.dialect.stop else []), *_ATTACHED.get(self.name, ())})
        self.call_ids = self.dialect.calls == "tool_calls"
        self._provider = self.name.removesuffix("-chat")

    def matches(self, path: str) -> bool:
        return spoken_at(path) == self._provider

    def recognises(self, request: Request) -> bool:
        return provider_of(request.path) == self._provider

    def read(self, request: Request) -> Asked:
        return chat_request.read(self.dialect, request)

    def check(self, asked: Asked) -> None:
        chat_request.check(self.dialect, asked)

    def aside(self, request: Request) -> Recording | None:
        """The list of models, each of its entries, and access tokens."""
        for path, token in self.dialect.tokens.items():
            if request.method == "POST" and request.path.endswith(path):
                return answer(token)
        found = (_NAMED_MODELS if self.recognises(request) else _MODELS).search(request.path)
        if request.method != "GET" or found is None:
            return None
        entry = chat_writing.model(self.dialect, found["id"] or _MODEL)
        return answer(entry if found["id"] else {"object": "list", "data": [entry]})

    def whole(self, reply: Reply) -> bytes:
        chat_content.check(self.dialect, reply, whole=True)
        return dumps(chat_writing.whole(self.dialect, reply, self.finish_word(reply))).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        chat_content.check(self.dialect, reply, whole=False)
        stream = chat_writing.Stream(self.dialect, reply, usage=usage or self.dialect.usage_always)
        return tuple(stream.frames(self.finish_word(reply)))

    def error(self, refused: Refused) -> bytes:
        return dumps(chat_writing.error(self.dialect, refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return chat_writing.error_frame(self.dialect, message)

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        chunk = chat_writing.Stream(self.dialect, reply, usage=False).chunk
        empty = recorded_object(_data(chunk({}, "noise")))
        [choice] = empty["choices"]

        def noise(**more: Any) -> tuple[Frame, ...]:
            return (Frame(sse.encode(dumps({**empty, **more})), "noise"),)

        comment = self.dialect.comment or "keep-alive"
        comment_source = self.dialect.comment_source or "WHATWG HTML 9.2.5: comments"
        return {
            "role-only": Contentless((chunk({"role": "assistant"}, "noise"),), _STREAMING),
            "empty-delta": Contentless((chunk({}, "noise"),), _STREAMING),
            "empty-content": Contentless((chunk({"content": ""}, "noise"),), _STREAMING),
            "empty-choices": Contentless(noise(choices=[]), _AZURE_FILTER if self.dialect.usage == "own" else ""),
            "unknown-field": Contentless(noise(x_added_later={"n": 1}), _COMPATIBLE),
            "null-content": Contentless((chunk({"content": None}, "noise"),), _STREAMING),
            "no-choices": Contentless((_without_choices(empty),), _USAGE_ALONE if self.name == "mistral-chat" else ""),
            "null-choices": Contentless(noise(choices=None), ""),
            "null-delta": Contentless(noise(choices=[{**choice, "delta": None}]), ""),
            "comment": Contentless((Frame(f": {comment}\n\n".encode(), "noise"),), comment_source),
        }

    def usage_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """In a chunk of its own, in the one with the finish reason, and (for Groq) nowhere but in `x_groq`."""
        dialect = self.dialect
        others = {"finish-frame": replace(dialect, usage="finish")}
        if dialect.usage != "own":
            others["own-frame"] = replace(dialect, usage="own", usage_at=("usage",))
        found = {
            name: Variant(OpenAIChat(other).frames(reply), "")
            for name, other in others.items()
            if other.usage != dialect.usage
        }
        if "x_groq" in dialect.usage_at:
            alone = OpenAIChat(replace(dialect, usage_at=("x_groq",))).frames(reply)
            found["x-groq-alone"] = Variant(alone, _X_GROQ)
        return found

    def call_variants(self, reply: Reply) -> Mapping[str, Variant]:
        chat_content.check(self.dialect, reply, whole=False)
        return call_variants(self.dialect, reply, self.finish_word(reply))

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        chunk = chat_writing.Stream(self.dialect, reply, usage=False).chunk
        return (chunk({"content": "after the end"}, "noise"),)

    def finish_again(self, reply: Reply) -> Frame:
        chunk = chat_writing.Stream(self.dialect, reply, usage=False).chunk
        return chunk({"content": ""}, "noise", finish=self.finish_word(reply))

    def kind_of(self, data: bytes) -> FrameKind:
        return kinds_of(self.dialect, data)[0]

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        return kinds_of(self.dialect, data)[1:]

    def label(self, parts: Iterable[bytes]) -> tuple[Frame, ...]:
        """As for every wire; but a finish reason that is repeated is none: what counts then is the usage beside it."""
        frames: list[Frame] = []
        finished = False
        for frame in super().label(parts):
            kinds: tuple[FrameKind, ...] = tuple(kind for kind in frame.kinds if not finished or kind != "finish")
            finished = finished or "finish" in kinds
            first, *also = kinds or ("noise",)
            frames.append(replace(frame, kind=first, also=tuple(also)))
        return tuple(frames)

    def decode_whole(self, body: bytes) -> Decoded:
        answer = recorded_object(body)
        reader = Reader(self.dialect)
        reader.read(answer, whole=True)
        return self._decoded(reader, answer)

    def decode_stream(self, stream: bytes) -> Decoded:
        reader = Reader(self.dialect)
        head: dict[str, Any] = {}
        for event in sse.events(stream):
            if event.data.startswith("[DONE]"):
                break
            chunk = recorded_object(event.data)
            if not chunk:
                reader.parts.unknown.append(f"data {event.data[:40]!r}")
            reader.read(chunk)
            if not (head.get("id") or head.get("model")):
                head = chunk
        return self._decoded(reader, head)

    def _decoded(self, reader: Reader, head: Mapping[str, Any]) -> Decoded:
        reader.cite_results()
        parts, word = reader.parts, reader.finish
        reason = self.finish_reason(word or "")
        if word and reason is None and parts.error is None:
            parts.unknown.append(f"finish reason {word!r}")
        reply = parts.reply(
            finish_reason=reason or word,
            usage=reader.counts(),
            id=head.get("id") or None,
            model=head.get("model") or None,
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)


def _without_choices(chunk: Mapping[str, Any]) -> Frame:
    return Frame(sse.encode(dumps({name: value for name, value in chunk.items() if name != "choices"})), "noise")


def _data(frame: Frame) -> str:
    [event] = sse.events(frame.data)
    return event.data
