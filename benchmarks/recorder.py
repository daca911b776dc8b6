"""What the recorder does to a stream: how late the first byte comes through it, and how near a replay's times are.

python benchmarks/recorder.py [--rounds N]

The upstream is mockserver in a process of its own, and so is the recorder. Straight requests and those through the
recorder take turns on connections that are open already.
"""

import argparse
import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Self

from mockserver.cassettes.interaction import Interaction, dump, read, write

SCRIPT = """
turns:
- reply: {text: [%s]}
  delivery: {pace: {first: 0.05, every: 0.02}}
"""
PIECES = 40
FIRST_LIMIT = 0.005
TIMES_LIMIT = 0.002


class Process:
    """A command of mockserver that prints its URL first."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mockserver", *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def first_byte(sock: socket.socket) -> float:
    """Seconds from a request to the first byte of its body; the rest is read too."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    start = time.perf_counter()
    sock.sendall(head.encode() + body)
    came = b""
    first = 0.0
    while not came.endswith(b"0\r\n\r\n"):
        came += sock.recv(65536)
        if not first and b"data:" in came:
            first = time.perf_counter() - start
    return first


def connect(url: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def measure_first(upstream: str, folder: Path, rounds: int) -> list[float]:
    """How much later the first byte comes through the recorder, for each round."""
    file = folder / "first.yaml"
    with ExitStack() as stack:
        recorder = stack.enter_context(Process("record", "--upstream", upstream, "--out", str(file)))
        straight, through = (stack.enter_context(connect(url)) for url in (upstream, recorder.url))
        first_byte(straight), first_byte(through)
        return [-first_byte(straight) + first_byte(through) for _ in range(rounds)]


def recorded(upstream: str, file: Path, rounds: int) -> tuple[Interaction, ...]:
    """What the recorder makes of the same request, asked again and again; without the first, which finds all cold."""
    with Process("record", "--upstream", upstream, "--out", str(file)) as recorder, connect(recorder.url) as sock:
        for _ in range(rounds + 1):
            first_byte(sock)
    return read(file)[1:]


def times(found: Interaction) -> list[float]:
    """When each byte of the body arrived."""
    assert found.arrivals
    return [each.at for each in found.arrivals for _ in range(each.size)]


def measure_times(upstream: str, folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """How far the arrivals of a replay, recorded again, are from the first ones: the median and the worst of each."""
    [first] = recorded(upstream, folder / "original.yaml", 1)
    file = folder / "one.yaml"
    write(file, dump([first]))
    wanted, ends = times(first), list(accumulate(each.size for each in first.arrivals or ()))
    medians, worst = [], []
    with Process("serve", str(file), "--pace", "recorded") as server:
        for again in recorded(server.url, folder / "again.yaml", rounds):
            assert again.body == first.body
            got = times(again)
            offs = [abs(got[end - 1] - wanted[end - 1]) for end in ends]
            medians.append(median(offs))
            worst.append(max(offs))
    return medians, worst


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "script.yaml"
        script.write_text(SCRIPT % ", ".join(["word"] * PIECES))
        with Process("serve", str(script)) as upstream:
            late = measure_first(upstream.url, folder, rounds * 4)
            medians, worst = measure_times(upstream.url, folder, rounds)
    print(f"first byte, later by   median {median(late) * 1000:.2f} ms, worst {max(late) * 1000:.2f} ms (limit 5 ms)")
    print(
        f"arrivals, off by       median {median(medians) * 1000:.2f} ms, worst {max(worst) * 1000:.2f} ms (limit 2 ms)"
    )
    return 0 if median(late) <= FIRST_LIMIT and median(medians) <= TIMES_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
