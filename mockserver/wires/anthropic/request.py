"""What Anthropic does not accept of a request that can be understood, in its own words.

Sources: the types `MessageCreateParams` (and their beta form) of the PyPI package `anthropic` 2.12 for the names of
parameters; https://platform.claude.com/docs/en/api/versioning; https://platform.claude.com/docs/en/build-with-claude/
extended-thinking; https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls. The words are those
that users quote in issues on GitHub, named beside each.

Not refused, since it depends on the model or has changed over time: turns that begin with the assistant, a
conversation that ends with one (prefill), messages of role `system`, and parameters that need a beta header.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any, Final, NoReturn

from ...errors import Refused
from ..base import Request

KNOWN: Final = frozenset(
    {
        "model", "max_tokens", "messages", "system", "stream", "stop_sequences", "metadata", "service_tier", "speed",
        "thinking", "tool_choice", "tools", "cache_control", "container", "diagnostics", "inference_geo",
        "output_config", "output_format", "user_profile_id", "workspace_id", "temperature", "top_k", "top_p",
        # Beta.
        "billing_policy", "compaction", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers",
        "thread",
    }
)  # fmt: skip
"""The parameters of a request."""
_NEWEST: Final = "2026-10-21"
_VERSIONS: Final = ("2023-01-01", "2023-06-01", _NEWEST)
_SAMPLING: Final = {"temperature", "top_k", "top_p"}
"""Parameters that the newest version does not have."""
_ROLES: Final = ("user", "assistant", "system")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_LEAST_BUDGET: Final = 1024
_THINKING: Final = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def check_key(request: Request) -> None:
    """A request without a key (n8n-io/n8n#37930)."""
    if not any(request.headers.get(name) for name in ("x-api-key", "api-key", "authorization")):
        raise Refused(401, "x-api-key header is required")


def check_version(request: Request) -> None:
    """A request without a version of the API that there is (envoyproxy/ai-gateway#1909, decolua/9router#2357)."""
    version = request.headers.get("anthropic-version")
    if not version:
        raise Refused(400, "anthropic-version: header is required")
    if version not in _VERSIONS:
        raise Refused(400, f'anthropic-version: "{version}" is not a valid version')


def parse(body: bytes) -> dict[str, Any]:
    """The body of a request as a JSON object (anthropics/claude-code#6464).

    Raises:
        Refused: it is none, or has no list of messages.
    """
    try:
        value = json.loads(body)
    except RecursionError:
        _refuse("The request body is not valid JSON: it is nested too deep")
    except ValueError as error:
        _refuse(f"The request body is not valid JSON: {error}")
    if not isinstance(value, dict):
        _refuse("The request body is not valid JSON: an object is expected")
    if "messages" not in value:
        _refuse("messages: Field required", "$.messages")
    if not isinstance(value["messages"], list):
        _refuse("messages: Input should be a valid list", "$.messages")
    for number, message in enumerate(value["messages"]):
        if not isinstance(message, dict):
            _refuse(f"messages.{number}: Input should be an object", f"$.messages[{number}]")
    return value


def listed(body: Mapping[str, Any], name: str) -> list[Any]:
    """What stands in the list `name`; nothing where there is none."""
    value = body.get(name)
    return value if isinstance(value, list) else []


def check(
    body: Mapping[str, Any], *, known: frozenset[str], required: Mapping[str, type], version: str, betas: str
) -> None:
    """All that the body alone tells.

    Args:
        body: the request.
        known: the parameters that there are.
        required: those that there must be, with their type.
        version: the version of the API.
        betas: what the client asks for of what is not generally available, in one text.
    """
    known = known - _SAMPLING if version == _NEWEST else known
    for name, kind in required.items():
        if name not in body:
            _refuse(f"{name}: Field required", f"$.{name}")
        if not isinstance(body[name], kind):
            _refuse(f"{name}: Input should be a valid {'integer' if kind is int else 'string'}", f"$.{name}")
    if strangers := [name for name in body if name not in known]:
        # Aider-AI/aider#3367; for `temperature` ttlequals0/MinusPod, release 2.101.10
        _refuse(f"{strangers[0]}: Extra inputs are not permitted", f"$.{strangers[0]}")
    for name in ("stop_sequences", "tools"):
        if not isinstance(body.get(name), list | None):
            _refuse(f"{name}: Input should be a valid list", f"$.{name}")
    _check_sampling(body)
    _check_thinking(body, betas)
    _check_tools(body)
    _check_system(body)
    _check_messages(body["messages"])
    if version == _NEWEST:
        _check_newest(body["messages"])


def _check_sampling(body: Mapping[str, Any]) -> None:
    # 0 fills the cache of prompts: the docstring of `max_tokens` in the package's types.
    if body["max_tokens"] < 0:
        _refuse("max_tokens: Input should be greater than or equal to 0", "$.max_tokens")
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and not 0 <= temperature <= 1:
        _refuse("temperature: range: 0..1", "$.temperature")  # anthropics/anthropic-sdk-python#893
    for number, stop in enumerate(listed(body, "stop_sequences")):
        if isinstance(stop, str) and not stop.strip():  # BerriAI/litellm#3286
            _refuse("stop_sequences: each stop sequence must contain non-whitespace", f"$.stop_sequences[{number}]")


def _check_thinking(body: Mapping[str, Any], betas: str) -> None:
    """Extended thinking with a budget; what else there is depends on the model."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if "budget_tokens" not in thinking:
        _refuse("thinking.enabled.budget_tokens: Field required", "$.thinking.budget_tokens")
    if isinstance(budget, int) and budget < _LEAST_BUDGET:  # themaximalist/llm.js#30
        _refuse(
            f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}",
            "$.thinking.budget_tokens",
        )
    if isinstance(budget, int) and budget >= body["max_tokens"] and "interleaved-thinking" not in betas:
        _refuse(  # ProfSynapse/nexus#17
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
            f"{_THINKING}#max-tokens-and-context-window-size",
            "$.max_tokens",
        )
    if body.get("temperature") not in (None, 1):  # MartialBE/one-hub#529
        _refuse(
            "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at "
            f"{_THINKING}#important-considerations-when-using-extended-thinking",
            "$.temperature",
        )
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):  # langchain-ai/langchain#35544
        _refuse("Thinking may not be enabled when tool_choice forces tool use.", "$.tool_choice")


def _check_tools(body: Mapping[str, Any]) -> None:
    found = [tool for tool in listed(body, "tools") if isinstance(tool, dict)]
    for number, tool in enumerate(found):
        if tool.get("type") not in (None, "custom"):
            continue
        for name in ("name", "input_schema"):
            if name not in tool:
                _refuse(f"tools.{number}.custom.{name}: Field required", f"$.tools[{number}].{name}")
        if not _TOOL_NAME.fullmatch(str(tool["name"])):  # home-assistant/core#147760
            _refuse(
                f"tools.{number}.custom.name: String should match pattern '^{_TOOL_NAME.pattern}$'",
                f"$.tools[{number}].name",
            )
    names = Counter(tool["name"] for tool in found if isinstance(tool.get("name"), str))
    if any(count > 1 for count in names.values()):
        _refuse("tools: Tool names must be unique.", "$.tools")  # anthropics/claude-code#10687


def _check_system(body: Mapping[str, Any]) -> None:
    for number, block in enumerate(listed(body, "system")):
        if isinstance(block, dict) and block.get("text") == "":
            _refuse("system: text content blocks must be non-empty", f"$.system[{number}].text")


def _check_messages(messages: list[dict[str, Any]]) -> None:
    if not messages:
        _refuse("messages: at least one message is required", "$.messages")  # langchain-ai/langchain#31696
    for number, message in enumerate(messages):
        _check_message(number, message, is_last=number == len(messages) - 1)
    last = messages[-1]
    if last["role"] == "assistant" and _ends_blank(last["content"]):  # crewAIInc/crewAI#4430
        _refuse(
            "messages: final assistant content cannot end with trailing whitespace",
            f"$.messages[{len(messages) - 1}].content",
        )
    _check_turns(list(_turns(messages)))


def _check_message(number: int, message: Mapping[str, Any], *, is_last: bool) -> None:
    at = f"$.messages[{number}]"
    for name in ("role", "content"):
        if name not in message:
            _refuse(f"messages.{number}.{name}: Field required", f"{at}.{name}")
    role, content = message["role"], message["content"]
    if role not in _ROLES:
        _refuse(f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant".', f"{at}.role")
    if not isinstance(content, str | list):
        _refuse(f"messages.{number}.content: Input should be a valid list", f"{at}.content")
    if not content and not (is_last and role == "assistant"):  # anthropics/claude-code#6774
        _refuse(
            f"messages.{number}: all messages must have non-empty content except for the optional final assistant "
            "message",
            f"{at}.content",
        )
    for place, block in enumerate(content if isinstance(content, list) else ()):
        _check_block(block, f"messages.{number}.content.{place}", f"{at}.content[{place}]")


def _check_block(block: object, where: str, at: str) -> None:
    if not isinstance(block, dict):
        _refuse(f"{where}: Input should be an object", at)
    text = block.get("text")
    if block.get("type") != "text" or not isinstance(text, str):
        return
    if not text:
        _refuse("messages: text content blocks must be non-empty", f"{at}.text")  # anthropics/claude-code#59812
    if not text.strip():  # anthropics/claude-code#23369
        _refuse("messages: text content blocks must contain non-whitespace text", f"{at}.text")


def _ends_blank(content: str | list[dict[str, Any]]) -> bool:
    if isinstance(content, list):
        last = content[-1] if content else {}
        content = str(last.get("text") or "") if last.get("type") == "text" else ""
    return content != content.rstrip()


def _check_newest(messages: list[dict[str, Any]]) -> None:
    """What the newest version refuses beside; the page on versions has no words for it."""
    for number, message in enumerate(messages):
        for place, block in enumerate(message["content"] if isinstance(message["content"], list) else ()):
            where, at = f"messages.{number}.content.{place}", f"$.messages[{number}].content[{place}]"
            if message["role"] == "assistant" and block.get("type") == "document":
                _refuse(f"{where}: `document` blocks are not permitted in `assistant` messages", at)
            if message["role"] == "user" and block.get("type") == "text" and block.get("citations"):
                _refuse(f"{where}: `citations` are not permitted in `user` messages", f"{at}.citations")


@dataclass
class _Turn:
    """Messages of one role that follow each other, which are taken for one: their blocks, each with its place."""

    role: str
    blocks: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)

    def of(self, kind: str) -> list[tuple[int, int, dict[str, Any]]]:
        return [each for each in self.blocks if each[2].get("type") == kind]


def _turns(messages: list[dict[str, Any]]) -> Iterator[_Turn]:
    turn = _Turn("")
    for number, message in enumerate(messages):
        if message["role"] == "system":
            continue
        if message["role"] != turn.role:
            turn = _Turn(message["role"])
            yield turn
        content = message["content"]
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        turn.blocks += [(number, place, block) for place, block in enumerate(blocks)]


def _check_turns(turns: list[_Turn]) -> None:
    """That each call has its result in the next turn, before any text, and each result its call in the one before."""
    for before, turn in pairwise([_Turn(""), *turns]):
        uses = {str(block.get("id")): number for number, _, block in before.of("tool_use")}
        first = takewhile(lambda each: each[2].get("type") != "text", turn.blocks)
        answered = {str(block.get("tool_use_id")) for _, _, block in first if block.get("type") == "tool_result"}
        _check_results(turn, uses)
        if missing := [id for id in uses if id not in answered]:  # anthropics/claude-code#8210
            number = uses[missing[0]]
            _refuse(
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block "
                "in the next message.",
                f"$.messages[{number}].content",
            )
        _check_uses(turn)


def _check_results(turn: _Turn, uses: Mapping[str, int]) -> None:
    seen: set[str] = set()
    for number, place, block in turn.of("tool_result"):
        id, at = str(block.get("tool_use_id")), f"$.messages[{number}].content[{place}]"
        if id not in uses:  # anthropics/claude-code#13460
            _refuse(
                f"messages.{number}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                f"{at}.tool_use_id",
            )
        if id in seen:  # anthropics/claude-code#14110
            _refuse(
                f"messages.{number}.content.{place}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {id}",
                f"{at}.tool_use_id",
            )
        seen.add(id)


def _check_uses(turn: _Turn) -> None:
    seen: set[str] = set()
    for number, place, block in turn.of("tool_use"):
        id = str(block.get("id"))
        if id in seen:  # trycua/cua#524
            _refuse(
                f"messages.{number}.content.{place}: `tool_use` ids must be unique",
                f"$.messages[{number}].content[{place}].id",
            )
        seen.add(id)


def _refuse(message: str, at: str = "$") -> NoReturn:
    raise Refused(400, message, at=at)
