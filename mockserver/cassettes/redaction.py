"""What must not stand in a cassette: keys, cookies, and the ids of organisations and accounts.

Headers are kept by name from a list; query parameters that are not on theirs lose their value. Bodies are kept, without
what is known to be secret: the credentials of the requests wherever they appear again, values of fields that are named
as secrets or accounts, and texts in the formats of providers' keys and account ids. What is taken out of a body is
overwritten with as many bytes, so that the body keeps its length and its arrivals.

A secret that is in a body in a form that cannot be overwritten, such as one that a stream spreads over several pieces,
is found by `leaks`.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit
from zlib import crc32

from ..errors import MockServerError
from ..framings import eventstream, sse
from ..reply import Reply
from ..wires import recorded_wire
from .interaction import Interaction
from .keyformats import ACCOUNTS, FIELDS, FORMATS, PATHS, REDACTED, Format, is_mask

KEPT_HEADERS: Final = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "location",
        "openai-beta",
        "retry-after",
        "retry-after-ms",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-errortype",
        "x-should-retry",
    }
)
"""Headers whose values stay; all others are left out."""
KEPT_QUERY: Final = frozenset({"$alt", "alt", "api-version", "beta", "starting_after", "stream", "version"})
"""Query parameters whose values stay."""
_NAMES: Final = re.compile(r"(?i)auth|key|token|secret|cookie|session|credential|password|signature")
"""Names of headers and query parameters of a request that are likely to bring a secret."""
_ACCOUNT_NAMES: Final = re.compile(r"(?i)organi[sz]ation|project|account|tenant|subscription")
"""Names of headers that are likely to bring the id of an account."""
_ACCOUNT_ID: Final = re.compile(r"(?=.*\d)[\w.:-]+")
"""Without a digit it may be a name that is a word, and that texts are full of."""
_NO_SECRETS: Final = re.compile(r"(?i)ratelimit|token-count|idempotency")
_COOKIE_ATTRIBUTES: Final = ("domain", "expires", "max-age", "path", "samesite")
_LEAST: Final = 8
"""Characters that a credential has at least; shorter ones would be found in words."""
# Hosts whose first labels name a customer.
_CUSTOMERS: Final = re.compile(
    r"(?i)^[\w.-]+?(?=\.(?:openai\.azure\.com|services\.ai\.azure\.com|cognitiveservices\.azure\.com|"
    r"models\.ai\.azure\.com|inference\.ml\.azure\.com|snowflakecomputing\.com|cloud\.databricks\.com|"
    r"azuredatabricks\.net|gcp\.databricks\.com|endpoints\.huggingface\.cloud|vpce\.amazonaws\.com)(?::\d+)?$)"
)
_INNER: Final = re.compile(rb'("bytes"\s*:\s*")([A-Za-z0-9+/=]+)(?=")')
"""JSON as base64 in the messages of Bedrock's InvokeModelWithResponseStream (its model, `PayloadPart.bytes`)."""
_EVENT_STREAM: Final = "vnd.amazon.eventstream"
_CRC: Final = 4


@dataclass(frozen=True, slots=True)
class Redacted:
    """An interaction without its secrets.

    Args:
        interaction: it.
        masked: how many secrets were overwritten.
        headers: how many headers were left out.
    """

    interaction: Interaction
    masked: int
    headers: int


@dataclass(frozen=True)
class Redaction:
    """What is taken out.

    Args:
        patterns: regular expressions of one's own; what they match in a URI, header or body is taken out too.

    Raises:
        MockServerError: a pattern is no regular expression.
    """

    patterns: Sequence[str] = ()
    _own: tuple[Format, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_own", tuple(map(_own_format, self.patterns)))

    def of(self, interaction: Interaction, known: Iterable[str] = ()) -> Redacted:
        """The interaction without what must not be kept. `known`: credentials beside its own."""
        mask = self._mask({*credentials(interaction), *known})
        kept = replace(
            interaction,
            uri=_uri(interaction.uri, mask),
            request_headers=_kept(interaction.request_headers, mask),
            request_body=mask.body(interaction.request_body),
            headers=_kept(interaction.headers, mask),
            body=mask.body(interaction.body, interaction.headers.get("content-type", "")),
        )
        before = len(interaction.request_headers) + len(interaction.headers)
        return Redacted(kept, mask.count, before - len(kept.request_headers) - len(kept.headers))

    def uri(self, uri: str) -> str:
        """A URI without what must not be kept."""
        return _uri(uri, self._mask(()))

    def _mask(self, known: Iterable[str]) -> "_Mask":
        return _Mask((*map(_literal, _forms(known)), *FIELDS, *FORMATS, *ACCOUNTS, *self._own))

    def leaks(self, kept: Interaction, known: Iterable[str] = ()) -> list[str]:
        """What is still to be seen in an interaction that was redacted: whose key, or which pattern; never the secret.

        Looks at URI, headers and bodies as they stand, at the texts in JSON bodies, and at those that the events of a
        stream give together, both by their place in the events and as the wire of the URI reads them.
        """
        sought = (*FORMATS, *self._own, *(_literal(value) for value in known if len(value) >= _LEAST))
        texts = list(dict.fromkeys(_texts(kept)))
        return list(dict.fromkeys(each.issuer for each in sought if any(map(each.is_in, texts))))


def public_host(netloc: str) -> str:
    """A host without a user's name, and without a customer's."""
    return _CUSTOMERS.sub("redacted", netloc.rpartition("@")[2])


def _own_format(text: str) -> Format:
    try:
        re.compile(text.encode())
        re.compile(text)
    except (re.error, UnicodeEncodeError) as error:
        raise MockServerError(f"{text!r} is no regular expression: {error}") from None
    return Format(f"the pattern {text}", (), text)


def _literal(secret: str) -> Format:
    return Format("a credential of the request", (secret,), re.escape(secret))


def _kept(headers: Mapping[str, str], mask: "_Mask") -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name in KEPT_HEADERS}
    return {name: _uri(value, mask) if name == "location" else mask.text(value) for name, value in kept.items()}


def _uri(uri: str, mask: "_Mask") -> str:
    parts = urlsplit(uri)
    query = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        stays = name.lower() in KEPT_QUERY
        mask.count += not stays and value != REDACTED
        query.append((name, mask.text(value) if stays else REDACTED))
    path = mask.text(mask.path(parts.path))
    return urlunsplit((parts.scheme, public_host(parts.netloc), path, urlencode(query, safe="$"), ""))


class _Mask:
    """Overwrites secrets, and counts them."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self._formats = formats
        self.count = 0

    def text(self, text: str) -> str:
        return self._overwritten(text.encode(), self._formats).decode("utf-8", "replace")

    def path(self, path: str) -> str:
        return self._overwritten(path.encode(), PATHS).decode()

    def body(self, body: bytes, content_type: str = "") -> bytes:
        if _EVENT_STREAM in content_type:
            return b"".join(map(self._message, eventstream.split(body)))
        return self._overwritten(body, self._formats)

    def _overwritten(self, data: bytes, formats: Iterable[Format]) -> bytes:
        for each in formats:
            data, count = each.overwrite(data)
            self.count += count
        return data

    def _message(self, message: bytes) -> bytes:
        """A message of an event stream; where something was in it, with a checksum of its own."""
        try:
            decoded = eventstream.decode(message)
        except eventstream.EventStreamError:
            # The last message of a stream that was cut.
            return self._overwritten(message, self._formats)
        end = len(message) - _CRC - len(decoded.payload)
        headers = message[:end]
        for value in decoded.headers.values():
            if isinstance(value, str):
                headers = headers.replace(value.encode(), self.text(value).encode())
        payload = self._overwritten(_INNER.sub(self._inner, message[end:-_CRC]), self._formats)
        return headers + payload + crc32(headers + payload).to_bytes(_CRC, "big")

    def _inner(self, found: re.Match[bytes]) -> bytes:
        try:
            inner = b64decode(found[2], validate=True)
        except Base64Error:
            return found[0]
        masked = self._overwritten(inner, self._formats)
        return found[1] + b64encode(masked) if masked != inner else found[0]


def credentials(interaction: Interaction) -> set[str]:
    """The values by which a request says who it is, and the cookies and accounts that its answer names."""
    uri, asked, answered = urlsplit(interaction.uri), interaction.request_headers, interaction.headers
    named = [(name, value) for name, value in (*asked.items(), *parse_qsl(uri.query)) if not _NO_SECRETS.search(name)]
    values = {value for name, value in named if _NAMES.search(name)}
    # Of `Bearer KEY` the key.
    values |= {value.rpartition(" ")[2] for value in values}
    values |= {each for value in values for each in _basic(value)}
    values |= {each for cookies in (asked.get("cookie"), answered.get("set-cookie")) for each in _pairs(cookies or "")}
    values |= {part for part in (uri.username, uri.password) if part}
    accounts = (value for name, value in (*named, *answered.items()) if _ACCOUNT_NAMES.search(name))
    values |= {value for value in accounts if _ACCOUNT_ID.fullmatch(value)}
    return {value for value in values if len(value) >= _LEAST and not is_mask(value.encode())}


def _pairs(cookies: str) -> Iterator[str]:
    """The values of cookies."""
    for part in re.split("[;,]", cookies):
        name, _, value = part.strip().partition("=")
        if name.lower() not in _COOKIE_ATTRIBUTES:
            yield value


def _basic(value: str) -> Iterator[str]:
    """The name and password in the credentials of Basic authentication (RFC 7617)."""
    with suppress(ValueError):
        name, colon, password = b64decode(value, validate=True).decode().partition(":")
        if colon:
            yield from (name, password)


def _forms(secrets: Iterable[str]) -> list[str]:
    """The ways in which texts write them, longest first: plain, in JSON (two ways of escaping), in a URL."""
    writes: tuple[Callable[[str], str], ...] = (str, _json, _json_for_pages, lambda each: quote(each, safe=""))
    forms = {write(secret) for secret in secrets if len(secret) >= _LEAST for write in writes}
    return sorted(forms, key=lambda form: (-len(form), form))


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _json_for_pages(text: str) -> str:
    """As Gson writes JSON, so that HTML may hold it, and with it Google's servers."""
    return re.sub("[<>&='+]", lambda found: f"\\u{ord(found[0]):04x}", _json(text))


def _texts(kept: Interaction) -> Iterator[str]:
    """All texts in which a secret could be read."""
    yield from (kept.uri, unquote(kept.uri))
    yield from (value for headers in (kept.request_headers, kept.headers) for value in headers.values())
    for body in (kept.request_body, kept.body):
        text = body.decode("utf-8", "replace")
        yield text
        yield from _joined(_documents(text))
    yield from _joined(_messages(kept))
    yield from _reply_texts(kept)


def _documents(text: str) -> Iterator[Any]:
    """The JSON documents in a body: the whole of it, else the data of its events, or its lines."""
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        events = [event.data for event in sse.events(f"{text}\n\n".encode())]
        for part in events or text.splitlines():
            with suppress(ValueError, RecursionError):
                yield json.loads(part)


def _messages(kept: Interaction) -> Iterator[Any]:
    """The JSON documents in the messages of an event stream."""
    if _EVENT_STREAM not in kept.headers.get("content-type", ""):
        return
    for message in eventstream.split(kept.body):
        with suppress(ValueError, RecursionError):
            decoded = eventstream.decode(message)
            yield dict(decoded.headers)
            document = json.loads(decoded.payload)
            yield document
            inner = document.get("bytes") if isinstance(document, dict) else None
            if isinstance(inner, str):
                yield json.loads(b64decode(inner))


def _joined(documents: Iterable[Any]) -> Iterator[str]:
    """The texts in JSON documents, those at the same place together: in lines, and as one.

    All items of a list are one place, so that a body that is one long list is read as the events of a stream are.
    """
    texts: dict[tuple[str, ...], list[str]] = {}
    left: list[tuple[tuple[str, ...], Any]] = [((), document) for document in documents]
    left.reverse()
    while left:
        place, value = left.pop()
        if isinstance(value, str):
            texts.setdefault(place, []).append(value)
        elif isinstance(value, dict):
            left += [((*place, str(name)), each) for name, each in reversed(value.items())]
        elif isinstance(value, list):
            left += [((*place, ""), each) for each in reversed(value)]
    for found in texts.values():
        yield "\n".join(found)
        yield "".join(found)


def _reply_texts(kept: Interaction) -> Iterator[str]:
    """The texts of the reply, where a wire knows the URI; each block's pieces together."""
    uri = urlsplit(kept.uri)
    wire = recorded_wire(uri.hostname or "", unquote(uri.path))
    if wire:
        yield from _block_texts(wire.decode_stream(kept.body).reply)


def _block_texts(reply: Reply) -> Iterator[str]:
    for block in reply.blocks:
        yield "".join(getattr(block, "pieces", ()))
        yield str(getattr(block, "output", ""))
