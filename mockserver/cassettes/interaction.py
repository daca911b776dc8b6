"""Recorded requests and answers in vcrpy's YAML format, which stock vcrpy plays, with what it has no place for.

Sources of the format: `vcr/serialize.py`, `vcr/serializers/` and `vcr/stubs/httpx_stubs.py` of the PyPI package
`vcrpy`, and the serializer of langchain-tests (`langchain_tests/conftest.py`), which writes lists of `requests` and
`responses`, gzip'd. Beside `request` and `response` an interaction here has `stream`: when the head and the body's
bytes arrived, and how the body ended. vcrpy passes over it, and leaves it out when it writes the file anew.
"""

import base64
import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import yaml

from ..errors import CassetteError

VERSION: Final = 1
"""The version of the format that vcrpy writes and reads."""
Ended: TypeAlias = Literal["whole", "closed", "reset", "timed out", "interrupted"]
"""How a body ended: as it should, with the connection closed or reset inside it, with nothing more for too long, or
because the recording was stopped or the client left."""
ENDINGS: Final[tuple[str, ...]] = get_args(Ended)
_GZIP: Final = b"\x1f\x8b"
_TOP: Final = re.compile(r"^(?:interactions|requests|responses):", re.MULTILINE)
"""A key of a cassette's outermost mapping; scripts have none of these."""
_NO_BLOCK: Final = re.compile(
    "[^\n\t -~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]|[ \t](?:\n|\\Z)"
)
"""What a block of lines cannot hold, or would not show: characters that YAML 1.1 takes for line ends or cannot print
(5.1, 5.4), and space at the end of a line, which editors take away."""
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Bytes of a body that arrived together: `at` seconds after the request was sent, `size` of them."""

    at: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """A request and its answer.

    Args:
        method, uri, request_headers, request_body: the request; header names in lower case.
        status, reason, headers, body: the answer; the body without its content encoding.
        arrivals: the parts in which the body arrived; `None` in recordings of others, which do not say.
        head: the seconds from the request to the status line, where the recording says them.
        ended: how the body ended.
    """

    method: str
    uri: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    arrivals: tuple[Arrival, ...] | None = None
    head: float | None = None
    ended: Ended = "whole"

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError(f"the status of an answer is from 200 to 599, not {self.status}")
        if self.ended not in ENDINGS:
            raise ValueError(f"a body ends in one of the ways {', '.join(ENDINGS)}, not {self.ended!r}")
        if self.arrivals is not None:
            _check_arrivals(self.head or 0.0, self.arrivals, len(self.body))

    @property
    def is_timed(self) -> bool:
        """Whether it says in which parts the body arrived, and when; recordings of others do not."""
        return self.arrivals is not None

    @property
    def key(self) -> tuple[str, str, object]:
        """What makes two requests the same: method, URI and body, the latter as JSON where it is."""
        try:
            body: object = json.dumps(json.loads(self.request_body), sort_keys=True)
        except (ValueError, RecursionError):
            body = self.request_body
        return self.method, self.uri, body


def _check_arrivals(head: float, arrivals: Sequence[Arrival], size: int) -> None:
    if sum(each.size for each in arrivals) != size or any(each.size < 1 for each in arrivals):
        raise ValueError(f"the arrivals are of {sum(each.size for each in arrivals)} bytes, and the body has {size}")
    times = [head, *(each.at for each in arrivals)]
    if times != sorted(times) or not all(math.isfinite(at) and at >= 0 for at in times):
        raise ValueError("the times of the head and of arrivals are seconds from 0 that do not fall")


def dump(interactions: Iterable[Interaction], *, origin: str = "") -> str:
    """The YAML of a cassette. `origin` tells where it comes from; vcrpy passes over it."""
    return joined(map(entry, interactions), origin=origin)


def joined(entries: Iterable[str], *, origin: str = "") -> str:
    """The YAML of a cassette with these `entry` texts."""
    told = f"origin: {_scalar(origin, 2)}\n" if origin else ""
    return f"interactions:\n{''.join(entries)}version: {VERSION}\n{told}"


def entry(interaction: Interaction) -> str:
    """The YAML of one interaction. It is written by hand, since PyYAML takes seconds for a long stream."""
    lines = [
        "- request:",
        f"    method: {_scalar(interaction.method)}",
        f"    uri: {_scalar(interaction.uri)}",
        f"    body: {_body(interaction.request_body, 6)}",
        *_header_lines(interaction.request_headers),
        "  response:",
        f"    status: {{code: {interaction.status}, message: {_scalar(interaction.reason)}}}",
        *_header_lines(interaction.headers),
        "    body:",
        f"      string: {_body(interaction.body, 8)}",
    ]
    if interaction.arrivals is not None or interaction.ended != "whole":
        lines += ["  stream:", f"    ended: {interaction.ended}"]
    if interaction.arrivals is not None:
        lines += [
            *([] if interaction.head is None else [f"    head: {interaction.head:.6f}"]),
            f"    arrivals:{'' if interaction.arrivals else ' []'}",
            *(f"    - [{each.at:.6f}, {each.size}]" for each in interaction.arrivals),
        ]
    return "".join(f"{line}\n" for line in lines)


def _header_lines(headers: Mapping[str, str]) -> Iterator[str]:
    yield f"    headers:{'' if headers else ' {}'}"
    for name, value in headers.items():
        yield f"      {_scalar(name)}: [{_scalar(value)}]"


def _body(body: bytes, indent: int) -> str:
    """Text where the bytes are text; else base64."""
    try:
        return _scalar(body.decode(), indent)
    except UnicodeDecodeError:
        lines = base64.encodebytes(body).decode().splitlines()
        return "\n".join(("!!binary |", *(" " * indent + line for line in lines)))


def _scalar(text: str, indent: int | None = None) -> str:
    """A text in YAML: as a block of lines where it has some, and may be one. `indent`: spaces before each of them, two
    more than before its key.
    """
    if indent is None or "\n" not in text or _NO_BLOCK.search(text):
        return _quoted(text)
    # How deep the block is must be said where the first line begins with space (YAML 1.1, 9.2.2), and what becomes of
    # the line feeds at its end always: one is kept, or all, or none (9.2.3).
    told = "2" if text[0] in " \t\n" else ""
    content = text.rstrip("\n")
    ends = len(text) - len(content)
    keeps = "-" if not ends else "" if ends == 1 and content else "+"
    lines = text.removesuffix("\n").split("\n")
    return "\n".join((f"|{told}{keeps}", *(" " * indent + line if line else "" for line in lines)))


def _quoted(text: str) -> str:
    """A text in quotes: single ones where double ones would make JSON hard to read."""
    if ('"' in text or "\\" in text) and not ("\n" in text or _NO_BLOCK.search(text)):
        return "'" + text.replace("'", "''") + "'"
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def write(file: Path, text: str) -> None:
    """Write the text of a cassette in one step, so that the file is never half a one; gzip'd where its name ends in
    `.gz`.

    Raises:
        CassetteError: the file cannot be written.
    """
    content = text.encode()
    if file.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise CassetteError(f"{file}: {error.strerror or error}") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Makes plain data alone, in C where it can; and what vcrpy's own loader makes of bodies that were files or
    iterators, which it writes with tags of Python.
    """


def _binary(loader: Any, node: yaml.ScalarNode) -> bytes:
    """Bytes in base64, without a character that is none; PyYAML would leave such ones out."""
    try:
        return _from_base64(loader.construct_scalar(node))
    except ValueError as error:
        raise yaml.constructor.ConstructorError(None, None, f"wrong base64: {error}", node.start_mark) from None


def _buffer(loader: Any, node: yaml.Node) -> bytes:
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    return _as_bytes(state[0])


def _parts(loader: Any, node: yaml.Node) -> bytes:
    args = loader.construct_mapping(node, deep=True).get("args") or ((),)
    return b"".join(map(_as_bytes, args[0]))


_PYTHON: Final = "tag:yaml.org,2002:python/"
_Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
_Loader.add_constructor(f"{_PYTHON}str", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor(f"{_PYTHON}unicode", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor(f"{_PYTHON}tuple", lambda loader, node: loader.construct_sequence(node))
_Loader.add_constructor(f"{_PYTHON}object/new:_io.BytesIO", _buffer)
_Loader.add_constructor(f"{_PYTHON}object/apply:builtins.iter", _parts)


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else bytes(content)


def _from_base64(text: str) -> bytes:
    return base64.b64decode("".join(text.split()), validate=True)


def is_cassette(file: Path) -> bool:
    """Whether the file looks like a cassette, whole or broken; `False` where it cannot be read."""
    try:
        text = _text(file)
    except CassetteError:
        return file.suffix == ".gz"
    return _TOP.search(text) is not None or (text.lstrip().startswith("{") and '"interactions"' in text)


def read(file: Path) -> tuple[Interaction, ...]:
    """The interactions of a cassette. Nothing in the file is executed.

    Raises:
        CassetteError: the file is not there, or is no cassette that this version can read.
    """
    return interactions(file, document(file))


def document(file: Path) -> dict[str, Any]:
    """What stands in the file of a cassette.

    Raises:
        CassetteError: it is not there, is no YAML, or has no mapping at its top.
    """
    text = _text(file)
    try:
        found = _plain(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CassetteError(f"{file}, line {line}: {error.problem or error}") from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise CassetteError(f"{file}, line {line}: {error.reason}") from None
    except (yaml.YAMLError, TypeError, AttributeError, KeyError, ValueError, RecursionError) as error:
        raise CassetteError(f"{file}: holds a value that cannot be read ({type(error).__name__}: {error})") from None
    if not isinstance(found, dict):
        raise CassetteError(f"{file}: is no cassette, which is a mapping with 'interactions' and 'version'")
    return found


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        return (gzip.decompress(content) if content.startswith(_GZIP) else content).decode()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CassetteError(f"{file}: is gzip'd, and cut or broken") from None
    except OSError as error:
        raise CassetteError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise CassetteError(f"{file}: is not UTF-8 text") from None


def _plain(text: str) -> Any:
    if text.lstrip().startswith("{"):
        # Characters above U+FFFF, which JSON escapes in two halves, YAML would read as two characters.
        with suppress(ValueError):
            return json.loads(text)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader


def interactions(file: Path, document: Mapping[str, Any]) -> tuple[Interaction, ...]:
    """The interactions in what stands in a file.

    Raises:
        CassetteError: it is no cassette that this version can read.
    """
    if "requests" in document and "responses" in document and "interactions" not in document:
        document = _paired(file, document)
    version = document.get("version")
    if version != VERSION:
        raise CassetteError(f"{file}: cassettes of version {VERSION} can be read, not {str(version)[:40]!r}")
    found = document.get("interactions")
    if not isinstance(found, list) or not found:
        told = "an empty list" if found == [] else type(found).__name__
        raise CassetteError(f"{file}: 'interactions' is a list with at least one interaction, not {told}")
    return tuple(_interaction(file, number, each) for number, each in enumerate(found, 1))


def _paired(file: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The lists that langchain-tests writes, as interactions."""
    requests, responses = document["requests"], document["responses"]
    if not isinstance(requests, list) or not isinstance(responses, list) or len(requests) != len(responses):
        raise CassetteError(f"{file}: 'requests' and 'responses' are lists of the same length")
    pairs = zip(requests, responses, strict=True)
    return {
        "version": VERSION,
        "interactions": [{"request": request, "response": response} for request, response in pairs],
    }


def _interaction(file: Path, number: int, found: Any) -> Interaction:
    try:
        request, response, stream = found["request"], _current(found["response"]), found.get("stream") or {}
        # Where arrivals are told, they are of the body as it stands.
        is_plain = "arrivals" in stream
        body, headers = _content(response["body"], response, is_plain=is_plain)
        asked, request_headers = _asked(request, is_plain=is_plain)
        return Interaction(
            method=str(request["method"]),
            uri=str(request["uri"]),
            request_headers=request_headers,
            request_body=asked,
            status=int(response["status"]["code"]),
            reason=str(response["status"].get("message") or ""),
            headers=headers,
            body=body,
            arrivals=_arrivals(stream),
            head=None if stream.get("head") is None else _number(stream["head"]),
            ended=stream.get("ended", "whole"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError, EOFError, zlib.error, RecursionError) as error:
        line = _line(file, number)
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise CassetteError(f"{file}{line}: interaction {number} is not in vcrpy's format ({reason})") from None


def _content(body: object, message: Mapping[str, Any], *, is_plain: bool) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a request or answer."""
    headers = _headers(message.get("headers"))
    return (_bytes(body), headers) if is_plain else unpacked(_bytes(body), headers)


def _asked(request: Mapping[str, Any], *, is_plain: bool) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a request; the body as it was sent where it cannot be unpacked."""
    try:
        return _content(request.get("body"), request, is_plain=is_plain)
    except (ValueError, OSError, EOFError, zlib.error):
        return _content(request.get("body"), request, is_plain=True)


def _line(file: Path, number: int) -> str:
    """Where an interaction begins; looked for only when something is wrong with it."""
    with suppress(CassetteError, yaml.YAMLError, AttributeError, IndexError, RecursionError, TypeError):
        root: Any = yaml.compose(_text(file), Loader=_Loader)
        for name, value in root.value:
            if name.value in ("interactions", "requests"):
                return f", line {value.value[number - 1].start_mark.line + 1}"
    return ""


def _current(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer in today's form; vcrpy once wrote those of httpx in another."""
    if "status_code" not in response:
        return response
    return {
        "status": {"code": response["status_code"]},
        "headers": response.get("headers"),
        "body": {"string": response.get("content")},
    }


def _arrivals(stream: Mapping[str, Any]) -> tuple[Arrival, ...] | None:
    if "arrivals" not in stream:
        return None
    return tuple(Arrival(at=_number(at), size=_size(size)) for at, size in stream["arrivals"])


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a time is a number of seconds, not {str(value)[:40]!r}")
    return float(value)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the size of an arrival is a number of bytes, not {str(value)[:40]!r}")
    return value


def _headers(headers: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers by name in lower case; of several values, all in one line (RFC 9110, 5.3)."""
    return {
        _word(name).lower(): ", ".join(map(_word, value)) if isinstance(value, list) else _word(value)
        for name, value in (headers or {}).items()
    }


def _word(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(body: object) -> bytes:
    if isinstance(body, dict) and "base64_string" in body:
        return _from_base64(body["base64_string"])
    content = body.get("string") if isinstance(body, dict) else body
    if not isinstance(content, str | bytes | None):
        raise TypeError(f"a body is text, not {type(content).__name__}")
    return _as_bytes(content or b"")


def unpacked(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """The body as it is read, and the headers without the encoding that it is freed of.

    Some recorders keep a compressed body, some unpack it and keep the header; vcrpy does as it is told.

    Raises:
        ValueError: the body is in an encoding that cannot be read.
        OSError, EOFError, zlib.error: its encoding is broken.
    """
    plain = {name: value for name, value in headers.items() if name != "content-encoding"}
    encoding = headers.get("content-encoding", "").strip().lower()
    if body.startswith(_GZIP):
        return gzip.decompress(body), plain
    if encoding in ("", "identity") or _is_text(body):
        return body, plain
    if encoding == "deflate":
        return zlib.decompress(body), plain
    raise ValueError(f"the body is binary, encoding {encoding}; record it with decode_compressed_response")


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
