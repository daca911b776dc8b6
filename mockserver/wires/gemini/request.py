"""What Gemini refuses of a request that can be understood.

Sources: https://ai.google.dev/api/generate-content (fields, the range of the temperature),
https://ai.google.dev/gemini-api/docs/generate-content/api-errors (statuses), and answers that users quote:
a key that is missing (tryAGI/LangChain.Providers#186), a field that is unknown (Alishahryar1/free-claude-code#542,
lbjlaq/Antigravity-Manager#611), contents that are missing (langchain-ai/langchain-google#1393), without parts
(vercel/ai#3775) or without data (boldsoftware/sketch#68), roles (the-open-agent/openagent#1666), calls and their
responses (google-gemini/gemini-cli#11814 and #17208, langchain-ai/langchain#27799). Known fields: those that
google-genai 3.4 sends to either of its backends, with those of its type `GenerationConfig`.
The words for a temperature are made after the pattern of the others; Vertex AI words some of them in another way.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...errors import Refused
from ..base import Asked

_FIELDS: Final = {
    "model", "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
    "cachedContent", "labels", "serviceTier", "store", "continuationToken", "modelArmorConfig",
}  # fmt: skip
_CONFIG_FIELDS: Final = {
    "audioTimestamp", "audioTranscriptionConfig", "candidateCount", "enableAffectiveDialog",
    "enableEnhancedCivicAnswers", "frequencyPenalty", "imageConfig", "logprobs", "maxOutputTokens", "mediaResolution",
    "modelConfig", "modelSelectionConfig", "outputConfig", "presencePenalty", "responseFormat", "responseJsonSchema",
    "_responseJsonSchema", "responseLogprobs", "responseMimeType", "responseModalities", "responseSchema",
    "routingConfig", "seed", "speechConfig", "stopSequences", "temperature", "thinkingConfig", "topK", "topP",
    "translationConfig",
}  # fmt: skip
_NO_KEY: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
_UNAUTHENTICATED: Final = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
    "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_CALL_LATE: Final = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
_RESPONSE_LATE: Final = "Please ensure that function response turn comes immediately after a function call turn."
_RESPONSES_COUNT: Final = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)


def camel(name: str) -> str:
    """A field's name in lowerCamelCase; Google reads the snake_case of its protocol buffers too."""
    head, *rest = name.split("_") if name[:1] != "_" else [name]
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def field(fields: Mapping[str, Any], name: str) -> Any:
    """The field of this lowerCamelCase name, however it is written; `None` where it is left out."""
    return next((value for key, value in fields.items() if camel(key) == name), None)


def contents(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The conversation.

    Raises:
        Refused: it is no list of objects.
    """
    found = field(body, "contents")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Refused(400, "Invalid value at 'contents'", at="$.contents")
    return found


def parts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a content.

    Raises:
        Refused: they are no list of objects.
    """
    found = field(content, "parts")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Refused(400, "Invalid value at 'contents.parts'", at="$.contents")
    return found


def of_kind(content: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """The function calls or responses of a content."""
    found = (field(part, kind) for part in parts(content))
    return (each for each in found if isinstance(each, dict))


def check(asked: Asked) -> None:
    """Raises:
    Refused: in Google's words.
    """
    _check_key(asked)
    _check_fields(asked.body, _FIELDS)
    config = field(asked.body, "generationConfig")
    if isinstance(config, dict):
        _check_fields(config, _CONFIG_FIELDS, within="generation_config")
    _check_contents(asked.body)
    _check_turns(contents(asked.body))
    _check_temperature(config if isinstance(config, dict) else {})


def _check_key(asked: Asked) -> None:
    request = asked.request
    given = (request.headers.get("x-goog-api-key"), request.query.get("key"), request.query.get("$key"))
    bearer = request.headers.get("authorization", "").partition(" ")[2].strip()
    if any(given) or bearer or request.query.get("access_token"):
        return
    if "/projects/" in request.path:
        raise Refused(401, _UNAUTHENTICATED)
    raise Refused(403, _NO_KEY)


def _check_fields(fields: Mapping[str, Any], known: set[str], *, within: str = "") -> None:
    for name in fields:
        if camel(name) not in known:
            at = f" at '{within}'" if within else ""
            place = f"$.{camel(within)}.{name}" if within else f"$.{name}"
            raise Refused(
                400, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.', at=place
            )


def _check_contents(body: Mapping[str, Any]) -> None:
    found = contents(body)
    if not found:
        raise _invalid("contents", "contents is not specified", "$.contents")
    for number, content in enumerate(found):
        if field(content, "role") not in (None, "", "user", "model", "function"):
            raise Refused(400, "Please use a valid role: user, model.", at=f"$.contents[{number}].role")
        place = f"contents[{number}].parts"
        if not parts(content):
            raise _invalid(place, "contents.parts must not be empty.", f"$.{place}")
        for index, part in enumerate(parts(content)):
            if not any(value is not None for value in part.values()):
                words = "required oneof field 'data' must have one initialized field"
                raise _invalid(f"{place}[{index}].data", words, f"$.{place}[{index}]")


def _check_turns(found: list[dict[str, Any]]) -> None:
    """Calls come after the user or after responses, responses after calls, and as many as those."""
    called = answered = 0
    for number, content in enumerate(found):
        calls = len(list(of_kind(content, "functionCall")))
        responses = len(list(of_kind(content, "functionResponse")))
        at = f"$.contents[{number}]"
        if calls and (number == 0 or field(found[number - 1], "role") == "model"):
            raise Refused(400, _CALL_LATE, at=at)
        if responses and not called:
            raise Refused(400, _RESPONSE_LATE, at=at)
        if not responses:
            _check_count(called, answered, f"$.contents[{number - 1}]")
            called, answered = calls, 0
        answered += responses
    _check_count(called, answered, f"$.contents[{len(found) - 1}]")


def _check_count(called: int, answered: int, at: str) -> None:
    if answered and called != answered:
        raise Refused(400, _RESPONSES_COUNT, at=at)


def _check_temperature(config: Mapping[str, Any]) -> None:
    value = field(config, "temperature")
    if isinstance(value, int | float) and not 0 <= value <= 2:
        words = "temperature must be in the range [0.0, 2.0]."
        raise _invalid("generation_config.temperature", words, "$.generationConfig.temperature")


def _invalid(place: str, words: str, at: str) -> Refused:
    return Refused(400, f"* GenerateContentRequest.{place}: {words}\n", at=at)
