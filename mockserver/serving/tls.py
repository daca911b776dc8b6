"""A certificate for loopback, from an authority made for this one server (trustme)."""

import ssl
from dataclasses import dataclass

from ..errors import MockServerError


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the server shows, and `authority`, the PEM that a client must trust."""

    context: ssl.SSLContext
    authority: bytes


def certificate(*hosts: str) -> Certificate:
    """A new certificate for these hosts and addresses.

    Raises:
        MockServerError: trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - only those who ask for TLS need it
    except ImportError:
        raise MockServerError("TLS needs the package trustme: pip install 'chat-model-conformance[tls]'") from None
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes())
