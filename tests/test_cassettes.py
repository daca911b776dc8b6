"""The cassettes of this project are what they say they are."""

from pathlib import Path

import httpx
import pytest
import vcr
import yaml

from mockserver import WIRES, serve
from mockserver.frames import join
from mockserver.scripts.loader import load

FOLDER = Path(__file__).parents[1] / "cassettes"
GOLDFISH = sorted((FOLDER / "anthropic").glob("goldfish-*.yaml"))


@pytest.mark.parametrize("file", GOLDFISH, ids=lambda file: file.stem)
def test_goldfish_is_encoded_by_our_wire(file: Path) -> None:
    """The recorded bytes are those that the wire makes of the reply in them, and nothing in them is unknown."""
    [turn] = load(file)
    assert turn.recording
    wire = WIRES["anthropic-messages"]
    decoded = wire.decode_stream(join(turn.recording.frames))
    assert decoded.unknown == ()
    assert wire.frames(decoded.reply) == turn.recording.frames
    assert "how-to guide" in yaml.safe_load(file.read_text(encoding="utf-8"))["origin"]


@pytest.mark.parametrize("file", GOLDFISH, ids=lambda file: file.stem)
def test_goldfish_plays_in_vcrpy_and_here(file: Path) -> None:
    """Stock vcrpy plays the cassette, and the server sends the same bytes."""
    [interaction] = yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]
    request = interaction["request"]
    with vcr.use_cassette(str(file), record_mode="none"):
        played = httpx.post(request["uri"], content=request["body"]).content
    with serve(file) as server:
        headers = {"x-api-key": "unused", "anthropic-version": "2023-06-01"}
        served = httpx.post(f"{server.url}/v1/messages", content=request["body"], headers=headers).content
    assert played == served == interaction["response"]["body"]["string"].encode()
