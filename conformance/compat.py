"""What differs between releases of langchain-core, and what is private in it. Nothing else touches either."""

import warnings
from collections.abc import Callable, Mapping, Sequence
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
from langchain_core.runnables import RunnableLambda

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
    """What a model's profile says that it can do (langchain-core 1.1 and later); nothing where it has none.

    In langchain-core 1.0 a profile needs a package of its own, and asking for one raises where that is missing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is a beta feature in langchain-core 1.0
            profile = getattr(model, "profile", None)
    except ImportError:
        return {}
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


def taken_for_one(chunks: Sequence[Any]) -> str | None:
    """Which blocks of a stream langchain-core takes for one though they are two, or `None`.

    It tells blocks apart by their index alone. Calls are counted by themselves (`ToolCallChunk.index`), and so are the
    blocks of content, by the model or by langchain-core; and one of its own translators leaves out what calls have.
    """
    calls = {call.get("index") for chunk in chunks for call in getattr(chunk, "tool_call_chunks", ())} - {None}
    said = [block for chunk in chunks for block in chunk.content if isinstance(block, dict)]
    said_at = {block.get("index") for block in said if block.get("type") in ("text", "reasoning")}
    for index in calls & said_at:
        return f"langchain-core itself takes a call and a block of content for one, as both have the index {index!r}"
    if len(calls) > 1 and any(_loses_indices(chunk) for chunk in chunks):
        return "langchain-core's own translator leaves out the indices of calls, and so takes them for one"
    return None


def loses_calls(chunks: Sequence[Any]) -> str | None:
    """Which calls of a stream langchain-core merges or repairs in content-block events, or `None`.

    Its bridge takes calls without an index for one, though chunks that have none are not merged (`ToolCallChunk`); and
    one of its own translators shows the calls of a chunk as they were parsed, and not their fragments. So does
    `AIMessageChunk.content_blocks` of a chunk that is marked as the last.
    """
    calls = [[call for call in getattr(chunk, "tool_call_chunks", ()) if call.get("index") is None] for chunk in chunks]
    # A fragment without an index and a name belongs to no call, which is the model's fault.
    if sum(map(bool, calls)) > 1 and all(call.get("name") for each in calls for call in each):
        return "langchain-core itself takes calls of different chunks for one where they have no index"
    if any(_loses_indices(chunk) for chunk in chunks):
        return "langchain-core's own translator shows the calls of a chunk as they were parsed, and not their fragments"
    calling = [chunk for chunk in chunks if getattr(chunk, "tool_call_chunks", ())]
    if calling and all(getattr(chunk, "chunk_position", None) == "last" for chunk in calling):
        return "langchain-core itself shows the calls of the last chunk as they were parsed, and not their fragments"
    return None


def _loses_indices(chunk: AIMessageChunk) -> bool:
    """Whether langchain-core's translator for the provider leaves out the indices of the calls in a chunk."""
    from langchain_core.messages.block_translators import get_translator  # noqa: PLC0415 - 1.0 and later

    translator: Any = get_translator(chunk.response_metadata.get("model_provider", ""))
    if not translator or not translator["translate_content_chunk"].__module__.startswith("langchain_core."):
        return False
    told = [block.get("index") for block in content_blocks(chunk) if str(block.get("type")).startswith("tool_call")]
    return bool(told) and None in told and all(call.get("index") is not None for call in chunk.tool_call_chunks)


def keeps_in_log(message: object) -> bool:
    """Whether langchain-core can load a message for the log of which `astream_events` v1 is made, as it loads no class
    but its own.
    """
    return type(message).__module__.startswith("langchain_core.")


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


@cache
def misplaces_retried() -> str:
    """Why answers of a batch `with_retry` stand at the places of others once an input was tried again, or `""` where
    they do not: langchain-core up to 0.3.76 counts the inputs that are left as if they were all.
    """
    failed: list[int] = []

    def once(number: int) -> int:
        if number and not failed:
            failed.append(number)
            raise ValueError
        return number

    answers = RunnableLambda(once).with_retry(stop_after_attempt=2, wait_exponential_jitter=False).batch([0, 1])
    told = f"langchain-core {CORE} itself misplaces answers of a retried batch, whatever the model; 0.3.77 does not"
    return told if answers != [0, 1] else ""


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
