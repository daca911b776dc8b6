"""The wires that the server speaks, by name."""

from typing import Final

from .anthropic_messages import AnthropicMessages
from .base import Asked, Contentless, Decoded, Message, Wire
from .openai_chat import OpenAIChat

WIRES: Final[dict[str, Wire]] = {wire.name: wire for wire in (OpenAIChat(), AnthropicMessages())}

__all__ = ["WIRES", "AnthropicMessages", "Asked", "Contentless", "Decoded", "Message", "OpenAIChat", "Wire"]


def wire_for(method: str, path: str) -> Wire | None:
    """The wire that a request of this method and path belongs to."""
    return next((wire for wire in WIRES.values() if wire.matches(method, path)), None)
