"""A scripted mock provider of chat models: it speaks the providers' streaming wires and sees what the client does.

with mockserver.serve(mockserver.Reply.of("Hel", "lo")) as server:
    client = SomeClient(base_url=server.url)
    ...
    server.exchanges
"""

from .cassettes.replay import replay
from .errors import CassetteError, MockServerError, Refused, ScriptError, Unencodable
from .frames import Frame
from .recording import Recording
from .reply import Citation, Media, Reasoning, Refusal, Reply, ServerToolCall, ServerToolResult, Text, ToolCall, Usage
from .scripts.script import Script, Turn, When, WhenMessage, WhenMessages
from .sending.delivery import Byte, Delivery, Edit, Fault, Gate, Insert, Pace, Random
from .sending.framing import Framing
from .serving.exchange import Exchange, Held, Write
from .serving.server import Server, serve
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
    "Held",
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
