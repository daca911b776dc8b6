"""What Bedrock's Converse does not accept of a request that can be understood, in its own words.

Sources: constraints of botocore's model of the service; the words are those that users quote in issues on GitHub, named
beside each. Not refused are unknown fields, roles that the model may not know, and a conversation that ends with the
assistant.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from ...errors import Refused
from ..anthropic.reading import mapping

_RANGES: Final = {"maxTokens": (1, None), "temperature": (0, 1), "topP": (0, 1)}
_NAME: Final = re.compile("[a-zA-Z0-9_-]+")


def objects(fields: Mapping[str, Any], name: str, at: str) -> list[dict[str, Any]]:
    """The objects in the list `name`; none where it is left out or null.

    Raises:
        Refused: it is no list of objects.
    """
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        _refuse(f"The value at '{name}' is not a list of structures.", f"{at}.{name}", "SerializationException")
    return value


def check(body: Mapping[str, Any]) -> None:
    """All that the body alone tells."""
    _check_inference(mapping(body.get("inferenceConfig")))
    tools = mapping(body.get("toolConfig")).get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else (), 1):
        name = mapping(mapping(tool).get("toolSpec")).get("name")
        if isinstance(name, str) and not _NAME.fullmatch(name):
            _refuse(
                f"1 validation error detected: Value '{name}' at 'toolConfig.tools.{number}.member.toolSpec.name' "
                f"failed to satisfy constraint: Member must satisfy regular expression pattern: {_NAME.pattern}",
                f"$.toolConfig.tools[{number - 1}].toolSpec.name",
            )
    messages = objects(body, "messages", "$")
    _check_messages(messages)
    _check_results(messages)
    _check_tool_config(body, messages)


def _check_inference(config: Mapping[str, Any]) -> None:
    for name, (least, most) in _RANGES.items():
        value = config.get(name)
        if not isinstance(value, int | float):
            continue
        bound = f"greater than or equal to {least}" if value < least else ""
        if most is not None and value > most:
            bound = f"less than or equal to {most}"
        if bound:
            _refuse(
                f"1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy "
                f"constraint: Member must have value {bound}",
                f"$.inferenceConfig.{name}",
            )


def _check_messages(messages: list[dict[str, Any]]) -> None:
    role = ""
    for number, message in enumerate(messages):
        at = f"$.messages[{number}]"
        blocks = objects(message, "content", at)
        if not blocks:
            _refuse(
                f"The content field in the Message object at messages.{number} is empty. Add a ContentBlock object to "
                "the content field and try again.",
                f"{at}.content",
            )
        if message.get("role") == "system":
            continue
        if not role and message.get("role") == "assistant":  # langgenius/dify#12340, elastic/kibana#246393
            _refuse(
                "A conversation must start with a user message. Try again with a conversation that starts with a user "
                "message.",
                f"{at}.role",
            )
        if message.get("role") == role:  # langchain-ai/langchain-aws#130
            _refuse(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
                "between user and assistant roles and try again.",
                f"{at}.role",
            )
        role = str(message.get("role"))
        _check_texts(number, blocks)


def _check_texts(number: int, blocks: list[dict[str, Any]]) -> None:
    for place, block in enumerate(blocks):
        text = block.get("text")
        if isinstance(text, str) and not text.strip():  # continuedev/continue#9767, OpenHands/OpenHands#5339
            _refuse(
                f"The text field in the ContentBlock object at messages.{number}.content.{place} is blank. Add text to "
                "the text field, and try again.",
                f"$.messages[{number}].content[{place}].text",
            )


def _check_results(messages: list[dict[str, Any]]) -> None:
    """That the results of each turn are those of the calls of the turn before."""
    uses: list[str] = []
    for number, message in enumerate(messages):
        if message.get("role") == "system":
            continue
        blocks = objects(message, "content", f"$.messages[{number}]")
        results = _ids(blocks, "toolResult") if message.get("role") == "user" else []
        missing = [id for id in uses if id not in results]
        if missing:  # agno-agi/agno#6698
            _refuse(
                f"Expected toolResult blocks at messages.{number}.content for the following Ids: {', '.join(missing)}",
                f"$.messages[{number}].content",
            )
        if len(results) > len(uses):
            _refuse(
                f"The number of toolResult blocks at messages.{number}.content exceeds the number of toolUse blocks of "
                "previous turn.",
                f"$.messages[{number}].content",
            )
        uses = _ids(blocks, "toolUse") if message.get("role") == "assistant" else []


def _ids(blocks: list[dict[str, Any]], kind: str) -> list[str]:
    """The ids of calls or results, but for calls of tools that Bedrock runs itself."""
    found = [mapping(block[kind]) for block in blocks if kind in block]
    return [str(each.get("toolUseId")) for each in found if each.get("type") != "server_tool_use"]


def _check_tool_config(body: Mapping[str, Any], messages: list[dict[str, Any]]) -> None:
    blocks = [
        block for number, each in enumerate(messages) for block in objects(each, "content", f"$.messages[{number}]")
    ]
    if not body.get("toolConfig") and any(_ids(blocks, kind) for kind in ("toolUse", "toolResult")):
        # vxcontrol/pentagi#196, langgenius/dify#17545
        _refuse(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.", "$.toolConfig"
        )


def _refuse(message: str, at: str, kind: str = "") -> NoReturn:
    raise Refused(400, message, kind, at=at)
