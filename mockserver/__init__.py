"""A scripted mock provider of chat models: it speaks the providers' streaming wires and sees what the client does.

with mockserver.serve(mockserver.Reply.of("Hel", "lo")) as server:
    client = SomeClient(base_url=server.url)
    ...
    server.exchanges
"""

from .delivery import Delivery, Fault, Gate, Insert, Pace
from .errors import CassetteError, MockServerError, Refused, ScriptError, Unencodable
from .exchange import Exchange, Write
from .frames import Frame
from .recording import Recording
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
from .script import Script, Turn, When
from .server import Server, serve
from .wires import WIRES, Asked, Request, Wire

__all__ = [
    "WIRES",
    "Asked",
    "CassetteError",
    "Citation",
    "Delivery",
    "Exchange",
    "Fault",
    "Frame",
    "Gate",
    "Insert",
    "Media",
    "MockServerError",
    "Pace",
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
    "Wire",
    "Write",
    "serve",
]
