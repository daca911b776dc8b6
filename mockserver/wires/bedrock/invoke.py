"""Anthropic Messages as Amazon Bedrock's InvokeModel carries them.

Sources: botocore's model of the service (operations `InvokeModel` and `InvokeModelWithResponseStream`: each chunk of a
stream holds one of Anthropic's events in base64);
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html (the body, and
`anthropic_version`); `AnthropicBedrock` of the PyPI package `anthropic`; recorded answers in
https://github.com/newrelic/node-newrelic (test/versioned/aws-sdk-v3) for the headers that count tokens; those for the
tokens of a cache as `langchain-aws` (llms/bedrock.py) and OpenTelemetry's instrumentation read them
(https://github.com/traceloop/openllmetry, prompt_caching.py).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from ...errors import Refused
from ...frames import Frame
from ...framings import eventstream
from ...recording import Recording
from ...reply import Reply
from ..anthropic import content as content
from ..anthropic import request as strict
from ..anthropic.messages import AnthropicMessages
from ..base import Contentless, Framing, Request, dumps, recorded_object
from . import common as bedrock

_OPERATIONS: Final = ("invoke", "invoke-with-response-stream")


class BedrockInvoke(AnthropicMessages):
    """`POST …/model/MODEL/invoke` and `…/invoke-with-response-stream`, for Anthropic's models."""

    name = "bedrock-invoke"
    family = "bedrock-invoke"
    hosts = bedrock.HOSTS
    framing: ClassVar[Framing] = "event-stream"
    stream_type: ClassVar[str] = bedrock.STREAM_TYPE
    id_prefix = "msg_bdrk_"
    error_frame_source = f"{bedrock.MODEL_SOURCE}, shape ResponseStream"
    known: ClassVar[frozenset[str]] = (strict.KNOWN - {"model", "stream"}) | {"anthropic_version", "anthropic_beta"}
    required: ClassVar[Mapping[str, type]] = {"anthropic_version": str, "max_tokens": int}

    def matches(self, path: str) -> bool:
        return bedrock.operation(path, _OPERATIONS) is not None

    def recognises(self, request: Request) -> bool:
        return False

    def aside(self, request: Request) -> Recording | None:
        return None

    def _model(self, request: Request, asked: Mapping[str, Any]) -> str:
        found = bedrock.operation(request.path, _OPERATIONS)
        return found[0] if found else ""

    def _stream(self, request: Request, asked: Mapping[str, Any]) -> bool:
        return request.path.endswith("/invoke-with-response-stream")

    def _check_access(self, request: Request) -> None:
        bedrock.check_key(request)

    def _end(self, reply: Reply) -> Frame:
        counts = content.usage(self._usage(reply))
        metrics: dict[str, Any] = {
            "inputTokenCount": counts["input_tokens"],
            "outputTokenCount": counts["output_tokens"],
            "invocationLatency": 1,
            "firstByteLatency": 1,
            "cacheReadInputTokenCount": counts.get("cache_read_input_tokens", 0),
            "cacheWriteInputTokenCount": counts.get("cache_creation_input_tokens", 0),
        }
        return Frame(self._pack({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}), "end")

    def _pack(self, event: Mapping[str, Any]) -> bytes:
        return bedrock.message("chunk", {"bytes": base64.b64encode(dumps(event).encode()).decode()})

    def _unpack(self, stream: bytes) -> Iterator[dict[str, Any]]:
        for kind, payload in bedrock.events(stream):
            if kind == "exception":
                yield {"type": "error", "error": payload}
            elif kind == "chunk":
                yield recorded_object(_bytes(payload.get("bytes")))
            else:
                yield {"type": kind}

    def split(self, stream: bytes) -> Iterator[bytes]:
        return eventstream.split(stream)

    def headers(self, reply: Reply) -> Mapping[str, str]:
        counts = content.usage(self._usage(reply))
        return {
            **bedrock.REQUEST_ID,
            "x-amzn-bedrock-content-type": "application/json",
            "x-amzn-bedrock-invocation-latency": "1",
            "x-amzn-bedrock-output-token-count": str(counts["output_tokens"]),
            "x-amzn-bedrock-input-token-count": str(counts["input_tokens"]),
            "x-amzn-bedrock-cache-read-input-token-count": str(counts.get("cache_read_input_tokens", 0)),
            "x-amzn-bedrock-cache-write-input-token-count": str(counts.get("cache_creation_input_tokens", 0)),
        }

    def error(self, refused: Refused) -> bytes:
        return bedrock.error(refused)

    def error_headers(self, refused: Refused) -> Mapping[str, str]:
        return bedrock.error_headers(refused)

    def error_frame(self, message: str) -> Frame:
        return bedrock.exception("modelStreamErrorException", message)

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return self._passed_over()


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except binascii.Error:
        return b""
