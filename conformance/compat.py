"""What differs between releases of langchain-core, and what is private in it. Nothing else touches either."""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from inspect import signature
from typing import Any, Final

from langchain_core import callbacks
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.load import loads
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk

from .verdict import Broken

CORE: Final = version("langchain-core")
CORE_VERSION: Final = tuple(int(part) for part in CORE.split(".")[:2])

RUN_ID_PREFIXES: Final = ("lc_run-", "run-")
"""How ids begin that langchain-core gives to messages whose provider gave none (1.x, 0.3)."""

USAGE_HANDLER: Final[Any] = getattr(callbacks, "UsageMetadataCallbackHandler", None)
USAGE_CONTEXT: Final[Any] = getattr(callbacks, "get_usage_metadata_callback", None)
"""The handler that counts usage and the context that gives one (langchain-core 0.3.49 and later)."""


def text_of(message: object) -> str:
    """The text of a message. `text` is a property since langchain-core 1.0 and a method before.

    Raises:
        Broken: what the model gave is no message.
    """
    if not isinstance(message, BaseMessage):
        raise Broken("a message", f"{type(message).__name__} {message!r:.80}")
    if not hasattr(message, "text"):  # langchain-core before 0.3.49
        parts = [message.content] if isinstance(message.content, str) else message.content
        return "".join(each if isinstance(each, str) else each.get("text") or "" for each in parts)
    text: Any = message.text
    return str(text() if CORE_VERSION < (1, 0) else text)


def profile_of(model: BaseChatModel) -> dict[str, Any]:
    """What a model's profile says that it can do (langchain-core 1.1 and later); nothing where it has none."""
    profile = getattr(model, "profile", None)
    return dict(profile) if isinstance(profile, Mapping) else {}


def is_native(found: type[BaseChatModel], method: str) -> bool:
    """Whether a class implements the method instead of inheriting langchain-core's default."""
    return getattr(found, method) is not getattr(BaseChatModel, method)


def position(message: BaseMessage) -> str | None:
    """`chunk_position` of a chunk (langchain-core 1.0 and later)."""
    value = getattr(message, "chunk_position", None)
    return value if isinstance(value, str) else None


def invalid_tool_calls(message: BaseMessage) -> list[Any]:
    return list(message.invalid_tool_calls) if isinstance(message, AIMessage) else []


def content_blocks(message: BaseMessage) -> list[Any]:
    """The standard blocks of a message (langchain-core 1.0 and later); none where its content is not understood."""
    try:
        return list(getattr(message, "content_blocks", ()))
    except Exception:  # noqa: BLE001 - translators of packages meet what they have not foreseen
        return []


def makes_block_events(found: type[BaseChatModel], *, is_async: bool) -> bool:
    """Whether a class makes content-block events itself; langchain-core's bridge makes them of its chunks otherwise."""
    return hasattr(found, "_astream_chat_model_events" if is_async else "_stream_chat_model_events")


def no_block_events() -> str | None:
    """Why content-block events cannot be judged here, or `None` where they can."""
    if CORE_VERSION < (1, 4):
        return f"needs langchain-core 1.4, and this is {CORE}"
    return "langchain-core 1.4.0 itself puts text and a tool call into one block" if CORE == "1.4.0" else None


def block_listener(tell: Callable[[Any], object]) -> BaseCallbackHandler:
    """A handler that asks for content-block events where the model is invoked, as an agent's event stream does."""
    from langchain_core.tracers._streaming import _V2StreamingCallbackHandler  # noqa: PLC0415 - 1.4 and later

    class Listener(BaseCallbackHandler, _V2StreamingCallbackHandler):
        def on_stream_event(self, event: Any, **kwargs: Any) -> None:
            tell(event)

    return Listener()


@cache
def repairs_cut_arguments() -> bool:
    """Whether adding chunks makes a valid call of arguments that end in the middle (langchain-ai/langchain#39275)."""
    cut = tool_call_chunk(name="f", args='{"a": "b', id="call_1", index=0)
    chunks = AIMessageChunk(content="", tool_call_chunks=[cut]) + AIMessageChunk(content="")
    return isinstance(chunks, AIMessageChunk) and bool(chunks.tool_calls)


def identity_of(model: BaseChatModel) -> dict[str, Any]:
    """The parameters by which langchain-core tells one model from another."""
    return dict(model._identifying_params)


def loaded(text: str, found: type[BaseChatModel], secrets: Mapping[str, str]) -> Any:
    """What `langchain_core.load.loads` makes of a dumped model of a class, which since langchain-core 1.2 must be
    allowed by name.
    """
    allowed: dict[str, Any] = {"allowed_objects": [found]} if "allowed_objects" in signature(loads).parameters else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is a beta feature
        return loads(text, secrets_map=dict(secrets), valid_namespaces=[found.__module__.split(".")[0]], **allowed)
