"""A scripted mock provider of chat models: it speaks the providers' streaming wires and sees what the client does.

with mockserver.serve(mockserver.Reply.of("Hel", "lo")) as server:
    client = SomeClient(base_url=server.url)
    ...
    server.exchanges
"""

from .delivery import Byte, Delivery, Edit, Fault, Gate, Insert, Pace, Random
from .errors import CassetteError, MockServerError, Refused, ScriptError, Unencodable
from .exchange import Exchange, Write
from .frames import Frame
from .framing import Framing
from .recording import Recording
from .replay import replay
from .reply import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
)
from .script import Script, Turn, When, WhenMessage, WhenMessages
from .server import Server, serve
from .wires import WIRES, Asked, Request, Wire

__all__ = [
    "WIRES",
    "Asked",
    "Byte",
    "CassetteError",
    "Citation",
    "Delivery",
    "Edit",
    "Exchange",
    "Fault",
    "Frame",
    "Framing",
    "Gate",
    "Insert",
    "Media",
    "MockServerError",
    "Pace",
    "Random",
    "Reasoning",
    "Recording",
    "Refusal",
    "Refused",
    "Reply",
    "Request",
    "Script",
    "ScriptError",
    "Server",
    "ServerToolCall",
    "ServerToolResult",
    "Text",
    "ToolCall",
    "Turn",
    "Unencodable",
    "Usage",
    "When",
    "WhenMessage",
    "WhenMessages",
    "Wire",
    "Write",
    "replay",
    "serve",
]
