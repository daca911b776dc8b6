"""Anthropic Messages as Google Cloud's Vertex AI carries them.

Sources: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude;
`AnthropicVertex` of the PyPI package `anthropic` (src/anthropic/lib/vertex/_client.py: paths, what moves between path,
headers and body); https://cloud.google.com/apis/design/errors for Google's own errors. What Claude refuses comes in
Anthropic's shape, with ids that begin with `req_vrtx_` (anthropics/claude-code#14110).
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ...errors import Refused
from ...recording import Recording
from ..base import Request, dumps
from . import request as strict
from .messages import AnthropicMessages

_PATH: Final = re.compile(r"/publishers/anthropic/models/(?!count-tokens:)([^/]+):(?:streamRawPredict|rawPredict)$")
_GOOGLE: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
"""Errors of Google's own, by status."""


class AnthropicVertex(AnthropicMessages):
    """`POST …/publishers/anthropic/models/MODEL:rawPredict` and `:streamRawPredict`; the body says whether it streams,
    and names the version of the API.
    """

    name = "anthropic-vertex"
    family = "anthropic-messages"
    hosts = ("aiplatform.googleapis.com", "*-aiplatform.googleapis.com", "aiplatform.*.rep.googleapis.com")
    id_prefix = "msg_vrtx_"
    request_id: ClassVar[str] = "req_vrtx_mockserver"
    known: ClassVar[frozenset[str]] = (strict.KNOWN - {"model"}) | {"anthropic_version", "anthropic_beta"}
    required: ClassVar[Mapping[str, type]] = {"anthropic_version": str, "max_tokens": int}

    def matches(self, path: str) -> bool:
        return _PATH.search(path) is not None

    def recognises(self, request: Request) -> bool:
        return "/publishers/anthropic/" in request.path

    def aside(self, request: Request) -> Recording | None:
        counts = request.path.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
        return self._counted(request) if counts and request.method == "POST" else None

    def _model(self, request: Request, asked: Mapping[str, Any]) -> str:
        found = _PATH.search(request.path)
        return found[1] if found else ""

    def _check_access(self, request: Request) -> None:
        if not request.headers.get("authorization"):
            raise Refused(
                401,
                "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential. See "
                "https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )

    def error(self, refused: Refused) -> bytes:
        status = _GOOGLE.get(refused.status)
        if status is None or refused.kind:
            return super().error(refused)
        return dumps({"error": {"code": refused.status, "message": refused.message, "status": status}}).encode()
