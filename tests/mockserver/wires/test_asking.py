"""What requests hold beside text, as each wire understands it: tools, settings, images, sounds and files."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from mockserver import WIRES, Request
from mockserver.wires import Attached, Offered
from mockserver.wires.asking import of_base64, of_parts, of_url, tool_choice

PNG: Final = b"\x89PNG\r\n\x1a\n\xfb\xff\xfe"
DATA: Final = base64.b64encode(PNG).decode()
DIGEST: Final = hashlib.sha256(PNG).hexdigest()
URL: Final = f"data:image/png;base64,{DATA}"
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_FUNCTION: Final = {"name": "f", "description": "Does.", "parameters": SCHEMA}
_CHAT: Final = {
    "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}],
    "tools": [{"type": "function", "function": _FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 64,
}

ASKED: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "openai-chat": ("/v1/chat/completions", _CHAT),
    "cohere-chat": ("/v2/chat", {**_CHAT, "tool_choice": "REQUIRED", "p": _CHAT["top_p"], "top_p": None}),
    "watsonx": ("/ml/v1/text/chat", _CHAT),
    "openai-responses": (
        "/v1/responses",
        {
            "input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}],
            "tools": [{"type": "function", **_FUNCTION}],
            "tool_choice": {"type": "function", "name": "f"},
            "temperature": 0.5,
            "top_p": 0.9,
            "max_output_tokens": 64,
        },
    ),
    "anthropic-messages": (
        "/v1/messages",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
                    ],
                }
            ],
            "tools": [{"name": "f", "description": "Does.", "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": "f"},
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 64,
        },
    ),
    "gemini-generate": (
        "/v1beta/models/m:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": DATA}}]}],
            "tools": [{"functionDeclarations": [_FUNCTION]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            "generationConfig": {"temperature": 0.5, "top_p": 0.9, "maxOutputTokens": 64},
        },
    ),
    "bedrock-converse": (
        "/model/m/converse",
        {
            "messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": DATA}}}]}],
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "f", "description": "Does.", "inputSchema": {"json": SCHEMA}}}],
                "toolChoice": {"tool": {"name": "f"}},
            },
            "inferenceConfig": {"temperature": 0.5, "topP": 0.9, "maxTokens": 64},
        },
    ),
    "ollama": (
        "/api/chat",
        {
            "messages": [{"role": "user", "content": "", "images": [DATA]}],
            "tools": [{"type": "function", "function": _FUNCTION}],
            "options": {"temperature": 0.5, "top_p": 0.9, "num_predict": 64},
        },
    ),
    "oci": (
        "/20231130/actions/chat",
        {
            "chatRequest": {
                "apiFormat": "GENERIC",
                "messages": [{"role": "USER", "content": [{"type": "IMAGE", "imageUrl": {"url": URL}}]}],
                "tools": [{"type": "FUNCTION", **_FUNCTION}],
                "toolChoice": {"type": "FUNCTION", "name": "f"},
                "temperature": 0.5,
                "topP": 0.9,
                "maxTokens": 64,
            }
        },
    ),
    "snowflake": (
        "/api/v2/cortex/inference:complete",
        {
            "tools": [{"tool_spec": {"name": "f", "description": "Does.", "input_schema": SCHEMA}}],
            "tool_choice": {"type": "tool", "name": "f"},
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 64,
        },
    ),
    "cloudflare": ("/client/v4/accounts/a/ai/run/@cf/m", {**_CHAT, "tools": [_FUNCTION]}),
}
"""A request of each family that offers one tool, forces it, sets all settings and holds one image."""
CHOICES: Final = {"cohere-chat": "any", "ollama": None}
"""What is chosen where the wire has no place for one tool, or none for a choice."""


@pytest.mark.parametrize("wire", ASKED)
def test_all_that_is_asked_is_understood(wire: str) -> None:
    """Tools are told in full, settings by their neutral names, and images by the bytes that they are."""
    path, body = ASKED[wire]
    asked = WIRES[wire].read(Request(path=path, body=json.dumps(body).encode()))
    assert asked.offered == (Offered("f", "Does.", SCHEMA),)
    assert asked.tool_choice == CHOICES.get(wire, "f")
    assert asked.settings == {"temperature": 0.5, "top_p": 0.9, "max_tokens": 64}
    digests = [each.digest for message in asked.messages for each in message.attached if each.kind == "image"]
    assert digests == ([DIGEST] if "image" in WIRES[wire].takes else [])


PARTS: Final[list[tuple[str, dict[str, Any], Attached]]] = [
    ("image-by-url", {"type": "image_url", "image_url": "https://x.test/a.png"}, Attached("image", url="https://x.test/a.png")),
    (
        "audio",
        {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
        Attached("audio", "audio/wav", DIGEST),
    ),
    ("audio-bare", {"type": "input_audio", "input_audio": DATA}, Attached("audio", "", DIGEST)),
    ("file", {"type": "file", "file": {"file_data": URL, "filename": "a"}}, Attached("file", "image/png", DIGEST)),
    ("input-file", {"type": "input_file", "file_data": URL}, Attached("file", "image/png", DIGEST)),
    ("document", {"type": "document_url", "document_url": "https://x.test/a"}, Attached("file", url="https://x.test/a")),
    ("video", {"type": "video_url", "video_url": {"url": URL}}, Attached("video", "image/png", DIGEST)),
]  # fmt: skip


@pytest.mark.parametrize(("part", "attached"), [each[1:] for each in PARTS], ids=[each[0] for each in PARTS])
def test_parts_are_told_by_what_they_hold(part: dict[str, Any], attached: Attached) -> None:
    """Each kind of part is told with its type and its bytes, or with its address."""
    assert of_parts([part]) == (attached,)


def test_parts_that_hold_nothing_are_none() -> None:
    """Text, unknown kinds and parts without their field hold nothing."""
    assert of_parts("text") == of_parts([{"type": "text", "text": "a"}, {"type": "later"}, {"type": "image_url"}]) == ()
    assert of_parts(["a", {"type": "file", "file": {}}]) == ()


@pytest.mark.parametrize("kind", [[], {}, 1, None])
def test_blocks_of_anthropics_of_no_kind_are_none(kind: object) -> None:
    """A type that is no text is for the checks to refuse; reading takes it for none."""
    body = json.dumps({"messages": [{"role": "user", "content": [{"type": kind, "source": {}}]}]}).encode()
    [message] = WIRES["anthropic-messages"].read(Request(body=body)).messages
    assert message.attached == ()


def test_documents_of_anthropics_are_files() -> None:
    """A document is a file: in base64, as plain text, or at an address."""
    sources = [
        {"type": "base64", "media_type": "application/pdf", "data": DATA},
        {"type": "text", "media_type": "text/plain", "data": "né"},
        {"type": "url", "url": "https://x.test/a.pdf"},
    ]
    content = [{"type": "document", "source": source} for source in sources]
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    [message] = WIRES["anthropic-messages"].read(Request(body=body)).messages
    plain = hashlib.sha256("né".encode()).hexdigest()
    assert message.attached == (
        Attached("file", "application/pdf", DIGEST),
        Attached("file", "text/plain", plain),
        Attached("file", url="https://x.test/a.pdf"),
    )


def test_files_by_address_are_told_by_it() -> None:
    """Gemini's and Bedrock's own addresses are kept."""
    parts = [{"fileData": {"fileUri": "gs://b/a.mp3", "mimeType": "audio/mp3"}}]
    body = json.dumps({"contents": [{"role": "user", "parts": parts}]}).encode()
    request = Request(path="/v1beta/models/m:generateContent", body=body)
    assert WIRES["gemini-generate"].read(request).messages[0].attached == (
        Attached("audio", "audio/mp3", url="gs://b/a.mp3"),
    )
    document = {"document": {"format": "pdf", "source": {"s3Location": {"uri": "s3://b/a.pdf"}}}}
    body = json.dumps({"messages": [{"role": "user", "content": [document]}]}).encode()
    request = Request(path="/model/m/converse", body=body)
    assert WIRES["bedrock-converse"].read(request).messages[0].attached == (Attached("file", url="s3://b/a.pdf"),)


def test_base64_is_read_in_either_alphabet() -> None:
    """With or without padding, and URL-safe or not; what is no base64 has no digest."""
    safe = base64.urlsafe_b64encode(PNG).decode()
    assert of_base64("image", DATA) == of_base64("image", safe) == of_base64("image", safe.rstrip("="))
    assert of_base64("image", "no base64!") == of_base64("image", None) == Attached("image")
    assert of_url("image", "data:image/png;charset=x;base64," + DATA) == Attached("image", "image/png", DIGEST)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, None), ("auto", "auto"), ("required", "any"), ("NONE", "none"), ({"type": "any"}, "any"),
        ({"type": "tool", "name": "f"}, "f"), ({"type": "function", "function": {"name": "f"}}, "f"), (5, None),
    ],
)  # fmt: skip
def test_choices_are_told_alike(choice: object, told: str | None) -> None:
    """Words of several providers for one choice are one; a tool is told by its name."""
    assert tool_choice(choice) == told
