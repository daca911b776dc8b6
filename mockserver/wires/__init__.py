"""The wires that the server speaks, by name."""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from ..recording import Recording
from ..reply import FINISH_REASONS
from .anthropic.messages import AnthropicMessages, AnthropicMessagesOld
from .anthropic.vertex import AnthropicVertex
from .base import Asked, Attached, Contentless, Decoded, Message, Offered, Request, Variant, Wire
from .bedrock.converse import BedrockConverse
from .bedrock.invoke import BedrockInvoke
from .chat.dialects import dialects
from .chat.wire import OpenAIChat
from .cloudflare import Cloudflare
from .cohere.wire import CohereChat
from .gemini.wire import GeminiArray, GeminiGenerate
from .oci import OCI
from .ollama import Ollama
from .responses.wire import OpenAIResponses
from .snowflake import Snowflake
from .watsonx import Watsonx

WIRES: Final[dict[str, Wire]] = {
    wire.name: wire
    for wire in (
        *map(OpenAIChat, dialects().values()),
        AnthropicMessages(),
        AnthropicMessagesOld(),
        AnthropicVertex(),
        BedrockConverse(),
        BedrockInvoke(),
        Ollama(),
        Watsonx(),
        Cloudflare(),
        OCI(),
        Snowflake(),
        OpenAIResponses(),
        GeminiGenerate(),
        GeminiArray(),
        CohereChat(),
    )
}

FINISH_WORDS: Final = tuple(
    dict.fromkeys((*FINISH_REASONS, *(word for wire in WIRES.values() for word in wire.finish_reasons)))
)
"""Why a reply may have ended: the neutral reasons, and providers' own words that none of them stands for."""

__all__ = [
    "FINISH_WORDS",
    "OCI",
    "WIRES",
    "AnthropicMessages",
    "AnthropicMessagesOld",
    "AnthropicVertex",
    "Asked",
    "Attached",
    "BedrockConverse",
    "BedrockInvoke",
    "Cloudflare",
    "Contentless",
    "Decoded",
    "GeminiArray",
    "GeminiGenerate",
    "Message",
    "Offered",
    "Ollama",
    "OpenAIChat",
    "OpenAIResponses",
    "Request",
    "Snowflake",
    "Variant",
    "Watsonx",
    "Wire",
    "aside_for",
    "meant_wire",
    "recorded_wire",
    "wire_for",
]


@lru_cache(maxsize=1024)
def wire_for(path: str) -> Wire | None:
    """The wire that a request of this path belongs to."""
    return next((wire for wire in WIRES.values() if wire.matches(path)), None)


def meant_wire(request: Request) -> Wire:
    """The wire that a request is for: by its path, else by its headers, else the first."""
    by_headers = (wire for wire in WIRES.values() if wire.recognises(request))
    return wire_for(request.path) or next(by_headers, next(iter(WIRES.values())))


def aside_for(request: Request) -> Recording | None:
    """The answer to a call that a client makes beside its main ones; `None` where no provider has such a call."""
    answers = (wire.aside(request) for wire in (meant_wire(request), *WIRES.values()))
    return next((answer for answer in answers if answer is not None), None)


def recorded_wire(host: str, path: str) -> Wire | None:
    """The wire of a recorded request: the one whose provider has the host, of the family that the path belongs to."""
    by_path = wire_for(path)
    if by_path is None:
        return None
    family = (wire for wire in WIRES.values() if wire.family == by_path.family)
    return next((wire for wire in family if any(fnmatchcase(host, pattern) for pattern in wire.hosts)), by_path)
