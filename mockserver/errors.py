"""Errors of this package, by whose they are.

`MockServerError` and its subclasses are for the user: bad input, a port in use. `Unencodable` says that a reply has
no place on a wire. `Refused` is what a provider would answer to a request that it does not accept; it never
leaves the server as an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class MockServerError(Exception):
    """Something that the user can mend; the text says what to change."""


class ScriptError(MockServerError):
    """A script that cannot be read: the text names file, line, key and the nearest right one."""


class CassetteError(MockServerError):
    """A cassette that cannot be read: the text names the file and what is wrong with it."""


class Unencodable(MockServerError):
    """A reply holds something for which the wire has no place."""


@dataclass
class Refused(Exception):
    """A provider's refusal of a request.

    Args:
        status: the HTTP status that the provider answers with.
        message: the provider's words.
        kind: the provider's error type or code, such as ``invalid_request_error``; the wire's default for the status
            where it is empty.
        headers: further response headers, such as ``retry-after`` in seconds.
        at: the JSON path of the fault in the request, such as ``$.messages[0].role``, where a part of it is at fault.
    """

    status: int
    message: str
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
