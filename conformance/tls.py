"""Servers that speak TLS, for classes that take nothing else, and how their clients come to trust them."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import mockserver

from .integrations import authority, environment, trust

CERTIFICATES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Where httpx, aiohttp, requests and botocore look for the certificates that they trust."""


@contextmanager
def serving(
    script: Any = (), *, tls: bool = False, asides: Mapping[str, Any] | None = None
) -> Iterator[mockserver.Server]:
    """A running server. Of one that speaks TLS the certificate to trust is in a file, for which ``{ca}`` stands.

    Raises:
        MockServerError: TLS is asked for, and trustme is not installed; or the server cannot listen.
    """
    with mockserver.serve(script, tls=tls, asides=asides) as server:
        if not tls:
            yield server
            return
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            file = Path(folder, "authority.pem")
            file.write_bytes(server.authority)
            trust(server.url, str(file))
            yield server


@contextmanager
def trusted(server: mockserver.Server) -> Iterator[None]:
    """Clients that are made meanwhile trust this server without being told."""
    file = authority(server.url)
    with environment(dict.fromkeys(CERTIFICATES, file) if file else {}):
        yield
