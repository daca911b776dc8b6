"""What both APIs of Amazon Bedrock's runtime share: paths, frames, errors, and the key that a request needs.

Sources: botocore's model of the service (`bedrock-runtime/2023-09-30/service-2.json`: exceptions with their statuses,
members of the streams); https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html;
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization; recorded answers in
https://github.com/newrelic/node-newrelic for the form of headers.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...errors import Refused
from ...frames import Frame
from ...framings import eventstream
from ..base import Request, dumps, recorded_object

STREAM_TYPE: Final = "application/vnd.amazon.eventstream"
HOSTS: Final = ("bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com")
REQUEST_ID: Final = {"x-amzn-requestid": "6d6f636b-7365-4276-8572-000000000000"}
MODEL_SOURCE: Final = "botocore, bedrock-runtime/2023-09-30/service-2.json"
_EXCEPTIONS: Final = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def operation(path: str, names: tuple[str, ...]) -> tuple[str, str] | None:
    """The model that a path names, and which of the operations `names` it asks of it.

    Ids of models may hold slashes: those of profiles are ARNs.
    """
    found = re.search(rf"/model/(.+)/({'|'.join(names)})$", path)
    return (found[1], found[2]) if found else None


def check_key(request: Request) -> None:
    """A request that is not signed and has no key of the API."""
    if not request.headers.get("authorization"):
        raise Refused(403, "Missing Authentication Token", "MissingAuthenticationTokenException")


def recognises(request: Request) -> bool:
    return "x-amz-date" in request.headers or "amz-sdk-invocation-id" in request.headers


def message(event: str, payload: Mapping[str, Any]) -> bytes:
    """An event, with its headers in the order in which they are recorded."""
    headers = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    return eventstream.encode(eventstream.Message(headers, dumps(payload).encode()))


def exception(kind: str, words: str) -> Frame:
    """An error in the middle of a stream.

    Args:
        kind: the member of the stream, such as `throttlingException`.
        words: its message.
    """
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    payload: dict[str, Any] = {"message": words}
    if kind == "modelStreamErrorException":
        payload |= {"originalStatusCode": 500, "originalMessage": words}
    return Frame(eventstream.encode(eventstream.Message(headers, dumps(payload).encode())), "error")


def events(stream: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The recorded messages of a stream: the type of each, and its payload.

    An exception has the type `exception`, and what cannot be read has a type that says why.
    """
    for part in eventstream.split(stream):
        try:
            found = eventstream.decode(part)
        except eventstream.EventStreamError as error:
            yield f"unreadable: {error}", {}
            continue
        kind = found.text(":message-type")
        yield found.text(":event-type") if kind == "event" else "exception", recorded_object(found.payload)


def error(refused: Refused) -> bytes:
    """The body of an HTTP error."""
    return dumps({"message": refused.message}).encode()


def error_headers(refused: Refused) -> Mapping[str, str]:
    """The headers of an HTTP error, which name its type."""
    fallback = "InternalServerException" if refused.status >= 500 else "ValidationException"
    kind = refused.kind or _EXCEPTIONS.get(refused.status, fallback)
    return {**REQUEST_ID, "x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
