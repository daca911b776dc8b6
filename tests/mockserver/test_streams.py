"""The recorded streams of real providers that stand beside the checkout (../shared/streams)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

import mockserver
from mockserver import WIRES, Recording, Server, Turn
from mockserver.framings import sse
from mockserver.scripts.loader import load

from .helpers import fetch

STREAMS: Final = Path(__file__).parents[3] / "shared" / "streams"
FILES: Final = sorted(file for kind in ("*-chat-*.yaml", "anthropic-messages-*.yaml") for file in STREAMS.glob(kind))
ERRORS: Final = {"groq-chat-002.yaml", "groq-chat-005.yaml", "openrouter-chat-001.yaml"}
"""Those that end in an error of the provider, as the README there says."""
BY_LINE: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


def only(file: Path) -> tuple[Turn, Recording]:
    [turn] = load(file)
    assert turn.recording
    return turn, turn.recording


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_recording_is_played_and_read(server: Server, file: Path) -> None:
    """It loads, leaves over a socket byte for byte as recorded, and decodes; errors are where the README says."""
    turn, recording = only(file)
    [entry] = yaml.load(file.read_text(encoding="utf-8"), Loader=BY_LINE)["interactions"]
    body = entry["response"]["body"]["string"]
    server.play(turn)
    assert turn.when.wire
    answer = fetch(server, turn.when.wire, stream=turn.when.stream)
    assert (answer.status, answer.body) == (entry["response"]["status"]["code"], body.encode())
    assert answer.chunks == [frame.data for frame in recording.frames]
    assert server.errors == []

    decoded = WIRES[turn.when.wire].decode_stream(answer.body)
    assert (decoded.error is not None) == (file.name in ERRORS)
    assert all(len(list(sse.events(frame.data))) <= 1 for frame in recording.frames)
    if file.name.startswith("openai-chat"):
        assert set(decoded.unknown) <= {"chunk key 'moderation'"}
