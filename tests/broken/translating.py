"""Other providers' wires under the reference model: a transport that translates requests and answers, of text alone.

It is right; the models of `framing_others` have one that is not.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Final

import httpx

from mockserver.framings import eventstream

from ..reference import ReferenceChat
from ..sse_reader import Event

_DONE: Final = b"data: [DONE]\n\n"
_ROLES: Final = {"assistant": "model", "user": "user"}


class Translation:
    """What one wire says in the words of Chat Completions: `request` out, `whole` answers and streams in."""

    def __init__(self) -> None:
        self.rest = b""

    def request(self, body: Event) -> tuple[str, Event]:
        """Path and body."""
        raise NotImplementedError

    def event(self, document: Event) -> Event:
        """What a part of an answer, or a whole one, says."""
        raise NotImplementedError

    def documents(self, segment: bytes) -> Iterator[Event | None]:
        """The documents that end in this segment; `None` where the stream is over."""
        raise NotImplementedError

    def feed(self, segment: bytes) -> bytes:
        """The segment as Chat Completions stream."""
        return b"".join(_DONE if each is None else self._sent(each) for each in self.documents(segment))

    def _sent(self, document: Event) -> bytes:
        event = document if document.get("error") else self.event(document)
        return f"data: {json.dumps(event)}\n\n".encode()


class Lines(Translation):
    """Ollama's chat API: JSON lines."""

    def request(self, body: Event) -> tuple[str, Event]:
        messages = [{**each, "content": _text(each)} for each in body["messages"]]
        options = {"temperature": body.get("temperature"), "num_predict": body.get("max_tokens")}
        asked = {"model": body["model"], "messages": messages, "stream": body.get("stream", False)}
        return "/api/chat", {**asked, "options": _given(options)}

    def event(self, document: Event) -> Event:
        said = (document.get("message") or {}).get("content") or ""
        return _chat(said, document.get("done_reason"), document.get("model"))

    def documents(self, segment: bytes) -> Iterator[Event | None]:
        for line in self.lines(segment):
            document = json.loads(line)
            yield document
            if document.get("done"):
                yield None

    def lines(self, segment: bytes) -> list[bytes]:
        *lines, self.rest = (self.rest + segment).split(b"\n")
        return [line for line in lines if line.strip()]


class Array(Translation):
    """Gemini's API without server-sent events: a JSON array."""

    def request(self, body: Event) -> tuple[str, Event]:
        system = [{"text": _text(each)} for each in body["messages"] if each["role"] == "system"]
        talk = [each for each in body["messages"] if each["role"] != "system"]
        contents = [{"role": _ROLES[each["role"]], "parts": [{"text": _text(each)}]} for each in talk]
        config = {"temperature": body.get("temperature"), "maxOutputTokens": body.get("max_tokens")}
        asked: Event = {"contents": contents, "generationConfig": _given(config)}
        method = "streamGenerateContent" if body.get("stream") else "generateContent"
        asked |= {"systemInstruction": {"parts": system}} if system else {}
        return f"/v1beta/models/{body['model']}:{method}", asked

    def event(self, document: Event) -> Event:
        candidate: Event = next(iter(document.get("candidates") or ()), {})
        parts = (candidate.get("content") or {}).get("parts") or ()
        said = "".join(part.get("text") or "" for part in parts)
        return _chat(said, candidate.get("finishReason"), document.get("modelVersion"))

    def documents(self, segment: bytes) -> Iterator[Event | None]:
        self.rest += segment
        while text := self.before(self.rest):
            if text.startswith(b"]"):
                self.rest = b""
                yield None
                return
            end = _end_of_object(text)
            if end is None:
                return
            self.rest = text[end:]
            yield json.loads(text[:end])

    def before(self, rest: bytes) -> bytes:
        """What follows the brackets, commas and white space with which this begins."""
        return rest.lstrip(b"[, \t\r\n")


class Messages(Translation):
    """Bedrock's Converse: messages of an event stream."""

    def request(self, body: Event) -> tuple[str, Event]:
        system = [{"text": _text(each)} for each in body["messages"] if each["role"] == "system"]
        talk: list[Event] = []
        for each in body["messages"]:
            if each["role"] == "system":
                continue
            if not talk or talk[-1]["role"] != each["role"]:
                talk.append({"role": each["role"], "content": []})
            talk[-1]["content"].append({"text": _text(each)})
        config = {"temperature": body.get("temperature"), "maxTokens": body.get("max_tokens")}
        asked = {"messages": talk, "system": system, "inferenceConfig": _given(config)}
        return f"/model/{body['model']}/converse{'-stream' if body.get('stream') else ''}", asked

    def event(self, document: Event) -> Event:
        blocks = ((document.get("output") or {}).get("message") or {}).get("content") or [document.get("delta") or {}]
        return _chat("".join(block.get("text") or "" for block in blocks), document.get("stopReason"), None)

    def documents(self, segment: bytes) -> Iterator[Event | None]:
        for data in self.messages(segment):
            message = self.decoded(data)
            payload = json.loads(message.payload)
            if message.text(":message-type") == "exception":
                yield {"error": payload}
            elif message.text(":event-type") == "metadata":
                yield None
            else:
                yield payload

    def messages(self, segment: bytes) -> Iterator[bytes]:
        self.rest += segment
        while len(self.rest) >= 12 and len(self.rest) >= (size := int.from_bytes(self.rest[:4], "big")):
            data, self.rest = self.rest[:size], self.rest[size:]
            yield data

    def decoded(self, data: bytes) -> eventstream.Message:
        return eventstream.decode(data)


def _chat(said: str, finish: str | None, model: str | None) -> Event:
    message = {"role": "assistant", "content": said}
    named = {"model": model} if model else {}
    return {**named, "choices": [{"message": message, "delta": message, "finish_reason": finish}]}


def _text(message: Event) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)


def _given(settings: Event) -> Event:
    return {name: value for name, value in settings.items() if value is not None}


def _end_of_object(text: bytes) -> int | None:
    """Where the object ends with which this begins; `None` where it goes on."""
    depth, at = 0, 0
    in_string = False
    while at < len(text):
        byte = text[at : at + 1]
        if in_string:
            at += byte == b"\\"
            in_string = byte != b'"'
        else:
            in_string = byte == b'"'
            depth += (byte == b"{") - (byte == b"}")
            if not depth:
                return at + 1
        at += 1
    return None


class _Answer(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A streamed answer, translated as it comes."""

    def __init__(self, response: httpx.Response, translation: Translation) -> None:
        self.response = response
        self.translation = translation

    def __iter__(self) -> Iterator[bytes]:
        yield from map(self.translation.feed, self.response.iter_bytes())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for segment in self.response.aiter_bytes():
            yield self.translation.feed(segment)

    def close(self) -> None:
        self.response.close()

    async def aclose(self) -> None:
        await self.response.aclose()


class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends what is asked in Chat Completions on another wire, by a client of its own."""

    def __init__(self, client: Any, translation: Translation) -> None:
        self.client = client
        self.translation = translation

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.client.send(self._translated(request), stream=True)
        if response.is_error or not self._streams(request):
            response.read()
        return self._answer(request, response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.client.send(self._translated(request), stream=True)
        if response.is_error or not self._streams(request):
            await response.aread()
        return self._answer(request, response)

    def close(self) -> None:
        self.client.close()

    async def aclose(self) -> None:
        await self.client.aclose()

    def _streams(self, request: httpx.Request) -> bool:
        return bool(json.loads(request.content).get("stream"))

    def _translated(self, request: httpx.Request) -> httpx.Request:
        path, body = self.translation.request(json.loads(request.content))
        url = request.url.copy_with(path=path)
        headers = {"authorization": request.headers["authorization"]}
        translated: httpx.Request = self.client.build_request("POST", url, json=body, headers=headers)
        return translated

    def _answer(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            return httpx.Response(response.status_code, content=response.content)
        if self._streams(request):
            return httpx.Response(response.status_code, stream=_Answer(response, self.translation))
        answer = response.json()
        return httpx.Response(200, json=answer if answer.get("error") else self.translation.event(answer))


class TranslatingChat(ReferenceChat):
    """A right chat model on another wire."""

    translation: ClassVar[type[Translation]]

    def _client(self) -> httpx.Client:
        transport = _Transport(super()._client(), self.translation())
        return httpx.Client(base_url=self.base_url, headers=self._headers(), transport=transport)

    def _async_client(self) -> httpx.AsyncClient:
        transport = _Transport(super()._async_client(), self.translation())
        return httpx.AsyncClient(base_url=self.base_url, headers=self._headers(), transport=transport)


class LinesChat(TranslatingChat):
    """A right chat model on Ollama's wire."""

    translation = Lines


class ArrayChat(TranslatingChat):
    """A right chat model on Gemini's wire without server-sent events."""

    translation = Array


class MessagesChat(TranslatingChat):
    """A right chat model on Bedrock's wire."""

    translation = Messages
