"""Servers at addresses of their own; of those that speak TLS, how clients come to trust them."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import mockserver

from .integrations import authority, environment, trust

CERTIFICATES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Where httpx, aiohttp, requests and botocore look for the certificates that they trust."""
_HAD: Final[set[str]] = set()
"""The addresses of all servers that this process has had."""


@contextmanager
def serving(
    script: Any = (), *, tls: bool = False, asides: Mapping[str, Any] | None = None
) -> Iterator[mockserver.Server]:
    """A running server, at an address that none had before it in this process.

    Packages keep their clients by address, for as long as the process runs. One that was made for an earlier server
    would find its idle connections bound to an event loop that is closed, and raise.

    Of a server that speaks TLS the certificate to trust is in a file, for which ``{ca}`` stands.

    Raises:
        MockServerError: TLS is asked for, and trustme is not installed; or the server cannot listen.
    """
    with ExitStack() as running:
        # A port that is taken stays so until another is found.
        while (server := running.enter_context(mockserver.serve(script, tls=tls, asides=asides))).url in _HAD:
            pass
        _HAD.add(server.url)
        if tls:
            folder = running.enter_context(tempfile.TemporaryDirectory(prefix="conformance-"))
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
