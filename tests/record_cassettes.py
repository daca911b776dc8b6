"""Makes the recordings in `cassettes` anew: ``python -m tests.record_cassettes`` at the root of a checkout.

Each is what `mockserver.cassettes.recorder` keeps of an answer of a server that plays one of `cassettes/scripts`. The
server stands in for a provider, whose address the recording has in place of the server's.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

import mockserver
from mockserver import WIRES, Wire
from mockserver.cassettes.interaction import Interaction, dump, read, write
from mockserver.cassettes.recorder import Recorder
from mockserver.cassettes.tape import Tape
from mockserver.converting.requesting import Made, Question, made
from mockserver.wires import wire_for

FOLDER: Final = Path("cassettes")
WIRES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("openai-chat", "openai-responses"),
    "anthropic": ("anthropic-messages",),
    "google": ("gemini-generate",),
    "bedrock": ("bedrock-converse",),
    "mistral": ("mistral-chat",),
    "groq": ("groq-chat",),
    "deepseek": ("deepseek-chat",),
    "openrouter": ("openrouter-chat",),
    "ollama": ("ollama",),
    "cohere": ("cohere-chat",),
}
"""The wires that are recorded, by the folder of their provider."""
QUESTIONS: Final[Mapping[str, str]] = {
    "text": "Where are the goldfish?",
    "tools": "What is the weather in Zürich?",
    "parallel-tools": "What is the weather in Zürich and Paris?",
    "reasoning": "Fish or moon?",
    "error": "Where are the goldfish?",
    "cut": "Where are the goldfish?",
}
"""What is asked, by the kind of the answer, which is also the name of its script."""
NO_REASONING: Final = ("openai-chat",)
"""Wires on which the provider sends no reasoning: OpenAI has it in Responses alone."""
KEYS: Final = {"authorization": "Bearer unused", "x-api-key": "unused", "x-goog-api-key": "unused"}
PARAMETERS: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOL: Final[dict[str, Any]] = {"name": "get_weather", "description": "The weather in a city."}


@dataclass(frozen=True)
class Planned:
    """A recording of a kind on a wire."""

    provider: str
    wire: Wire
    kind: str

    @property
    def name(self) -> str:
        """Unique among all recordings, as node ids need it."""
        return f"{self.wire.name}-{self.kind}"

    @property
    def file(self) -> Path:
        return Path(self.provider) / f"{self.name}.yaml"

    @property
    def script(self) -> Path:
        return Path("scripts") / f"{self.kind}.yaml"

    @property
    def request(self) -> Made:
        """The request, at the provider's address."""
        asked = made(self.wire, Question(text=QUESTIONS[self.kind]))
        if not self.kind.endswith("tools"):
            return asked
        body = json.loads(asked.body) | tools_for(self.wire)
        return replace(asked, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())

    @property
    def origin(self) -> str:
        return (
            f"recorded by mockserver in front of a mockserver that played {self.script.as_posix()}; no provider sent "
            "it: the address is the one that the request would have had"
        )


def planned() -> Iterator[Planned]:
    """All recordings. Errors are left out where it is not known how the provider sends one inside a stream."""
    for provider, names in WIRES_OF.items():
        for wire in map(WIRES.__getitem__, names):
            for kind in QUESTIONS:
                if kind == "reasoning" and wire.name in NO_REASONING:
                    continue
                if kind == "error" and not wire.error_frame_source:
                    continue
                yield Planned(provider, wire, kind)


def tools_for(wire: Wire) -> dict[str, Any]:
    """The tool as the request of this wire offers it."""
    if wire.name == "anthropic-messages":
        return {"tools": [{**TOOL, "input_schema": PARAMETERS}]}
    if wire.name == "gemini-generate":
        return {"tools": [{"functionDeclarations": [{**TOOL, "parameters": PARAMETERS}]}]}
    if wire.name == "bedrock-converse":
        return {"toolConfig": {"tools": [{"toolSpec": {**TOOL, "inputSchema": {"json": PARAMETERS}}}]}}
    if wire.name == "openai-responses":
        return {"tools": [{"type": "function", **TOOL, "parameters": PARAMETERS}]}
    return {"tools": [{"type": "function", "function": {**TOOL, "parameters": PARAMETERS}}]}


class _Readdressed(Tape):
    """A cassette with another address than the one that the recorder stood in front of."""

    uri = ""

    def add(self, interaction: Interaction, number: int) -> Interaction | None:
        return super().add(replace(interaction, uri=self.uri), number)


async def record(each: Planned, script: Path, file: Path) -> None:
    """Record the answer of a server that plays this script.

    Raises:
        ValueError: the wire cannot carry what the script says, or the server refuses the request.
    """
    request = each.request
    tape = _Readdressed(file, origin=each.origin)
    tape.uri = request.uri
    address = urlsplit(request.uri)
    async with mockserver.serve(script) as server:
        # A path that several providers have is theirs who is named in front of it.
        upstream = server.url if wire_for(address.path) is each.wire else f"{server.url}/{each.provider}"
        async with Recorder(upstream, tape) as recorder, httpx.AsyncClient(trust_env=False, verify=False) as client:
            url = address._replace(scheme="http", netloc=urlsplit(recorder.url).netloc).geturl()
            # A stream that is cut is an error of the client's.
            with suppress(httpx.RemoteProtocolError):
                await client.post(url, content=request.body, headers={**KEYS, **request.headers})
    [found] = read(file)
    if found.status != 200:
        raise ValueError(f"{each.name} is answered with {found.status}: {found.body.decode()}")


def same_but_for_times(one: Interaction, other: Interaction) -> bool:
    """Whether two recordings have the same request, bytes and ending."""
    return replace(one, arrivals=None, head=None) == replace(other, arrivals=None, head=None)


async def renew(folder: Path) -> list[Path]:
    """Record all anew, from the scripts in this folder to the files in it; returns those that are others than before.

    One of which nothing but the arrivals differs stays as it is.
    """
    changed = []
    with TemporaryDirectory() as temporary:
        for each in planned():
            new = Path(temporary) / f"{each.name}.yaml"
            await record(each, folder / each.script, new)
            file = folder / each.file
            if file.exists() and same_but_for_times(*read(file), *read(new)):
                continue
            write(file, dump(read(new), origin=each.origin))
            changed.append(file)
    return changed


def main() -> None:
    changed = asyncio.run(renew(FOLDER))
    told = [f"{len(list(planned()))} recordings made, {len(changed)} of them other than before", *map(str, changed)]
    sys.stdout.write("".join(f"{line}\n" for line in told))


if __name__ == "__main__":
    main()
