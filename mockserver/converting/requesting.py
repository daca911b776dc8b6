"""The smallest request that a wire's provider accepts, for answers whose own request is not known.

Sources of addresses: the recorded requests of each provider where there are some, else `Wire.hosts` and the paths of
`dialects.toml`, which name theirs; https://docs.aws.amazon.com/general/latest/gr/bedrock.html,
https://cloud.ibm.com/apidocs/watsonx-ai and https://docs.oracle.com/iaas/api/ for the form of regions.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..wires import WIRES, Request, Wire
from ..wires.chat.dialects import dialects

MODEL: Final = "some-model"
"""The model that a request asks for, where nothing says which."""
TEXT: Final = "Hello"
"""What a request says, where nothing says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: of which model, with which words, whether in a stream and whether with usage at its end."""

    model: str = MODEL
    text: str = TEXT
    stream: bool = True
    usage: bool = True

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [{"role": "user", "content": self.text}]


_JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Form:
    """How a wire is asked: the address, from the question, the body, and headers beside the content type."""

    uri: Callable[[Question], str]
    body: Callable[[Question], dict[str, Any]]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A request that was made up: where it goes, its headers by name in lower case, its body."""

    uri: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    @property
    def request(self) -> Request:
        """As wires read it."""
        return request_of(self.method, self.uri, self.headers, self.body)


def request_of(method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Request:
    """A request as wires read it, from one that is kept with its whole address."""
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method=method, path=unquote(parts.path), query=query, headers=headers, body=body)


def made(wire: Wire, question: Question, *, uri: str = "") -> Made:
    """The request of a question. `uri` stands in place of the provider's address."""
    form = _FORMS.get(wire.name) or _chat_form(wire)
    body = json.dumps(form.body(question), ensure_ascii=False, separators=(",", ":")).encode()
    return Made(uri=uri or form.uri(question), headers={**_JSON, **form.headers}, body=body, method=wire.method)


def _chat_form(wire: Wire) -> _Form:
    dialect = next((each for each in dialects().values() if each.name == wire.name), dialects()["openai"])
    host = (dialect.hosts or WIRES["openai-chat"].hosts)[0].replace("*", "example")
    path = next(iter(dialect.paths), _CHAT_PATHS.get(wire.name, "/v1/chat/completions"))
    version = "?api-version=2024-10-21" if wire.name == "azure-chat" else ""

    def uri(question: Question) -> str:
        return f"https://{host}{path.replace('*', quote(question.model, safe=''))}{version}"

    return _Form(uri, _chat_body)


_CHAT_PATHS: Final = {"deepseek-chat": "/chat/completions", "perplexity-chat": "/chat/completions"}
"""Paths without a version: https://api-docs.deepseek.com and https://docs.perplexity.ai/api-reference."""


def _chat_body(question: Question) -> dict[str, Any]:
    body: dict[str, Any] = {"model": question.model, "messages": question.messages}
    if question.stream:
        body["stream"] = True
        if question.usage:
            body["stream_options"] = {"include_usage": True}
    return body


def _plain_body(question: Question) -> dict[str, Any]:
    return {"model": question.model, "messages": question.messages, "stream": question.stream}


def _anthropic_body(question: Question) -> dict[str, Any]:
    streams = {"stream": True} if question.stream else {}
    return {"model": question.model, "max_tokens": 1024, "messages": question.messages, **streams}


def _hosted_body(version: str, *, streams: bool) -> Callable[[Question], dict[str, Any]]:
    """The body for Anthropic's models at another's host, where the path names the model."""

    def body(question: Question) -> dict[str, Any]:
        stream = {"stream": True} if streams and question.stream else {}
        return {"anthropic_version": version, "max_tokens": 1024, "messages": question.messages, **stream}

    return body


def _vertex(question: Question) -> str:
    method = "streamRawPredict" if question.stream else "rawPredict"
    path = f"projects/example/locations/us-east5/publishers/anthropic/models/{quote(question.model, safe='@')}"
    return f"https://us-east5-aiplatform.googleapis.com/v1/{path}:{method}"


def _bedrock(whole: str, stream: str) -> Callable[[Question], str]:
    def uri(question: Question) -> str:
        operation = stream if question.stream else whole
        return f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{quote(question.model, safe='')}/{operation}"

    return uri


def _gemini(query: str) -> Callable[[Question], str]:
    def uri(question: Question) -> str:
        method = f"streamGenerateContent{query}" if question.stream else "generateContent"
        model = quote(question.model, safe="")
        return f"https://generativelanguage.googleapis.com/v1beta/models/{model}:{method}"

    return uri


def _gemini_body(question: Question) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": question.text}]}]}


def _watsonx(question: Question) -> str:
    path = "/ml/v1/text/chat_stream" if question.stream else "/ml/v1/text/chat"
    return f"https://us-south.ml.cloud.ibm.com{path}?version=2024-10-08"


def _watsonx_body(question: Question) -> dict[str, Any]:
    content = [{"type": "text", "text": question.text}]
    return {"model_id": question.model, "project_id": "example", "messages": [{"role": "user", "content": content}]}


def _oci_body(question: Question) -> dict[str, Any]:
    content = [{"type": "TEXT", "text": question.text}]
    chat: dict[str, Any] = {"apiFormat": "GENERIC", "messages": [{"role": "USER", "content": content}]}
    if question.stream:
        chat |= {"isStream": True, "streamOptions": {"isIncludeUsage": question.usage}}
    serving = {"servingType": "ON_DEMAND", "modelId": question.model}
    return {"compartmentId": "example", "servingMode": serving, "chatRequest": chat}


def _at(uri: str) -> Callable[[Question], str]:
    return lambda question: uri


_VERSION: Final = {"anthropic-version": "2023-06-01"}
_FORMS: Final[Mapping[str, _Form]] = {
    "anthropic-messages": _Form(_at("https://api.anthropic.com/v1/messages"), _anthropic_body, _VERSION),
    "anthropic-messages-old": _Form(_at("http://localhost/anthropic-old/v1/messages"), _anthropic_body, _VERSION),
    "anthropic-vertex": _Form(_vertex, _hosted_body("vertex-2023-10-16", streams=True)),
    "bedrock-converse": _Form(
        _bedrock("converse", "converse-stream"),
        lambda question: {"messages": [{"role": "user", "content": [{"text": question.text}]}]},
    ),
    "bedrock-invoke": _Form(
        _bedrock("invoke", "invoke-with-response-stream"), _hosted_body("bedrock-2023-05-31", streams=False)
    ),
    "ollama": _Form(_at("http://localhost:11434/api/chat"), _plain_body),
    "watsonx": _Form(_watsonx, _watsonx_body),
    "cloudflare": _Form(
        lambda question: (
            f"https://api.cloudflare.com/client/v4/accounts/example/ai/run/{quote(question.model, safe='@/')}"
        ),
        lambda question: {"messages": question.messages, "stream": question.stream},
    ),
    "oci": _Form(
        _at("https://inference.generativeai.us-chicago-1.oci.oraclecloud.com/20231130/actions/chat"), _oci_body
    ),
    "snowflake": _Form(_at("https://example.snowflakecomputing.com/api/v2/cortex/inference:complete"), _plain_body),
    "openai-responses": _Form(
        _at("https://api.openai.com/v1/responses"),
        lambda question: {"model": question.model, "input": question.text, "stream": question.stream},
    ),
    "gemini-generate": _Form(_gemini("?alt=sse"), _gemini_body),
    "gemini-array": _Form(_gemini(""), _gemini_body),
    "cohere-chat": _Form(_at("https://api.cohere.com/v2/chat"), _plain_body),
}
"""By the name of the wire; those that are not here are dialects of Chat Completions."""
