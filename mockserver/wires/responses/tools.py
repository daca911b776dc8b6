"""OpenAI Responses: the output items of the tools that OpenAI runs itself.

Names and arguments of these tools, as a reply has them:

==================  =====================================================  ===================================
name                arguments                                              output of the result
==================  =====================================================  ===================================
web_search          `{"query": …}`, or another action with its `type`      `sources`: a list
file_search         `{"queries": […]}`                                     `results`: a list
code_interpreter    the code itself                                        `outputs`: a list
mcp_list_tools      `{"server_label": …}`                                  `tools`: a list (always there)
LABEL/TOOL          arguments of that tool of the MCP server LABEL         a string, or `{"error": …}`
==================  =====================================================  ===================================

The kind of a result is the type of its item, such as ``web_search_call``. Sources: as in `openai_responses_items`.
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from ...errors import Unencodable
from ...reply import Move, ServerToolCall, ServerToolResult
from .items import Event, Item, Status


class ServerItem(Item):
    """A call of a tool that OpenAI runs, and what it came to."""

    type: ClassVar[str]
    before: ClassVar[tuple[str, ...]] = ("in_progress",)
    """The stages that are told once the item is added."""
    after: ClassVar[tuple[str, ...]] = ("completed",)
    """The stages that are told before it is done."""

    @property
    def call(self) -> ServerToolCall:
        return cast("ServerToolCall", self.blocks[0])

    @property
    def result(self) -> Any:
        """The output of the result; `None` where there is none."""
        for block in self.blocks[1:]:
            assert isinstance(block, ServerToolResult)
            if block.kind != self.type:
                raise Unencodable(f"a result of {self.call.name} is of the kind {self.type!r}, not {block.kind!r}")
            output = json.loads(block.output)
            if not self._fits(output):
                raise Unencodable(f"openai-responses has no place for {block.output} as the result of {self.call.name}")
            return output
        return None

    def _fits(self, output: object) -> bool:
        """Whether this is what a result of this tool may be."""
        return isinstance(output, list)

    def _begun(self) -> Iterator[Event]:
        return self._stages(self.before)

    def _stages(self, stages: Sequence[str]) -> Iterator[Event]:
        for stage in stages:
            yield self._event(f"response.{self.type}.{stage}", {})

    def body(self, status: Status) -> dict[str, Any]:
        done = status != "in_progress"
        return {"id": self.id, "type": self.type, "status": "completed" if done else status, **self._fields(done=done)}

    @abstractmethod
    def _fields(self, *, done: bool) -> dict[str, Any]:
        """What is peculiar to items of this type."""


class _WholeServerItem(ServerItem):
    """One whose arguments do not stream: they come with the item when it is done, together with the result."""

    def _moved(self, move: Move) -> Iterator[Event]:
        if move.kind == "piece":
            yield from self._stages(self.after)
            yield self._item("response.output_item.done", self.done(), "piece", move.number)

    def _ended(self) -> Iterator[Event]:
        yield from ()

    def _object(self, *allowed: str) -> dict[str, Any]:
        """The arguments: a JSON object in one piece, with the keys that are allowed, if some are named."""
        arguments = _object(self.call.joined) if len(self.call.pieces) == 1 else None
        if arguments is None or (allowed and set(arguments) != set(allowed)):
            keys = f" with {' and '.join(allowed)}" if allowed else ""
            raise Unencodable(
                f"the arguments of {self.call.name} are a JSON object{keys} in one piece, not {self.call.pieces}"
            )
        return arguments


class WebSearchItem(_WholeServerItem):
    """A search of the web, or another action on it."""

    type = "web_search_call"
    before = ("in_progress", "searching")

    def _fields(self, *, done: bool) -> dict[str, Any]:
        arguments, sources = self._object(), self.result
        if "sources" in arguments or arguments.get("type") == "search":
            raise Unencodable("a web_search has its sources in its result, and no type where it is a search")
        action = arguments if "type" in arguments else {"type": "search", **arguments}
        found = {} if sources is None else {"sources": sources}
        return {"action": {**action, **found}} if done else {}


class FileSearchItem(_WholeServerItem):
    """A search of the client's files."""

    type = "file_search_call"
    before = ("in_progress", "searching")

    def _fields(self, *, done: bool) -> dict[str, Any]:
        queries = self._object("queries")["queries"]
        return {"queries": queries, "results": self.result} if done else {"queries": [], "results": None}


class McpListItem(_WholeServerItem):
    """The list of the tools that an MCP server has."""

    type = "mcp_list_tools"

    def body(self, status: Status) -> dict[str, Any]:
        done = status != "in_progress"
        return {"id": self.id, "type": self.type, **self._fields(done=done)}

    def _fields(self, *, done: bool) -> dict[str, Any]:
        tools = self.result
        if tools is None:
            raise Unencodable("an mcp_list_tools has a result, the list of the tools")
        return {**self._object("server_label"), "tools": tools if done else []}


class CodeItem(ServerItem):
    """A run of the code interpreter."""

    type = "code_interpreter_call"
    after = ("interpreting", "completed")

    def _fields(self, *, done: bool) -> dict[str, Any]:
        return {
            "code": self.call.joined if done else "",
            "container_id": "cntr_mockserver",
            "outputs": self.result if done else None,
        }

    def _moved(self, move: Move) -> Iterator[Event]:
        return self._arguments(move, "response.code_interpreter_call_code", "code")

    def _ended(self) -> Iterator[Event]:
        yield from self._stages(self.after)
        yield from super()._ended()


class McpItem(ServerItem):
    """A call of a tool of an MCP server."""

    type = "mcp_call"

    def _fits(self, output: object) -> bool:
        return isinstance(output, str) or (isinstance(output, dict) and set(output) == {"error"})

    def body(self, status: Status) -> dict[str, Any]:
        found = super().body(status)
        return {**found, "status": "failed"} if found["error"] is not None else found

    def _fields(self, *, done: bool) -> dict[str, Any]:
        label, _, name = self.call.name.partition("/")
        result = self.result if done else None
        error = result["error"] if isinstance(result, dict) else None
        if isinstance(result, dict) and error is None:
            raise Unencodable("the error of an MCP call is not null")
        return {
            "approval_request_id": None,
            "arguments": self.call.joined if done else "",
            "error": error,
            "name": name,
            "output": result if error is None else None,
            "server_label": label,
        }

    def _moved(self, move: Move) -> Iterator[Event]:
        return self._arguments(move, "response.mcp_call_arguments", "arguments")

    def _ended(self) -> Iterator[Event]:
        yield from self._stages(("failed",) if self.done()["status"] == "failed" else self.after)
        yield from super()._ended()


TOOLS: Final[Mapping[str, type[ServerItem]]] = {
    "web_search": WebSearchItem,
    "file_search": FileSearchItem,
    "mcp_list_tools": McpListItem,
    "code_interpreter": CodeItem,
}
"""By the names of their tools, except those of MCP servers."""


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
