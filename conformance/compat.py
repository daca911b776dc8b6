"""What differs between releases of langchain-core, and what is private in it. Nothing else touches either."""

from importlib.metadata import version
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from .verdict import Broken

CORE: Final = version("langchain-core")
CORE_VERSION: Final = tuple(int(part) for part in CORE.split(".")[:2])

RUN_ID_PREFIXES: Final = ("lc_run-", "run-")
"""How ids begin that langchain-core gives to messages whose provider gave none (1.x, 0.3)."""


def text_of(message: object) -> str:
    """The text of a message. `text` is a property since langchain-core 1.0 and a method before.

    Raises:
        Broken: what the model gave is no message.
    """
    if not isinstance(message, BaseMessage):
        raise Broken("a message", f"{type(message).__name__} {message!r:.80}")
    text: Any = message.text
    return str(text() if CORE_VERSION < (1, 0) else text)


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
