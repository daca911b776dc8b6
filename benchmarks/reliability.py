"""What takes too long for tests: 10,000 requests to the command `mockserver serve`, its end with 500 open streams, and
generated requests by the ten thousand. Linux only; run it with `python benchmarks/reliability.py`.

Status 1 where something grew, was left open, took too long or failed.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PARTS = 10
CONNECTIONS = 32
MOST_GROWTH = 8 << 20
STOPS_WITHIN = 2.0
SCRIPT = """\
turns:
- when: {model: held}
  reply: [text: [a, b]]
  delivery: {gates: {1: never}}
- when: {model: m}
  reply: [text: [The moon, " is full ", of goldfish.]]
"""


def request(model: str, *, stream: bool) -> bytes:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@contextmanager
def serving() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command as a process, and its port."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "script.yaml")
        file.write_text(SCRIPT)
        command = [sys.executable, "-m", "mockserver", "serve", str(file)]
        with (
            Path(folder, "out").open("w") as out,
            subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True) as process,
        ):
            try:
                yield process, port_in(Path(folder, "out"))
            finally:
                process.kill()


def port_in(file: Path) -> int:
    """The port of the URL that the command prints first."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        if found := re.match(r"http://127\.0\.0\.1:(\d+)\n", file.read_text()):
            return int(found[1])
        time.sleep(0.01)
    raise SystemExit(f"the server did not start: {file.read_text()}")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> int:
    """Bytes that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def held(pid: int, before: int) -> tuple[int, int]:
    """Open descriptors, once they are as many as before or a second has gone by, and bytes of memory of a process."""
    limit = time.monotonic() + 1
    while descriptors(pid) > before and time.monotonic() < limit:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0.01)
    return descriptors(pid), memory(pid)


async def ask(port: int, count: int) -> None:
    """So many requests over `CONNECTIONS` connections, streamed and not in turn."""

    async def some(share: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(share):
            writer.write(request("m", stream=bool(number % 2)))
            if number % 2:
                await reader.readuntil(b"\r\n0\r\n\r\n")
            else:
                head = await reader.readuntil(b"\r\n\r\n")
                [length] = re.findall(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(some(count // CONNECTIONS) for _ in range(CONNECTIONS)))


async def hold(port: int, count: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """So many streams, each after its first piece."""
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for _, writer in pairs:
        writer.write(request("held", stream=True))
    for reader, _ in pairs:
        await reader.readuntil(b'"content":"a"')
    return pairs


async def measured(requests: int, streams: int) -> bool:
    """Print what is held after each part of the requests, and how long the end takes; says whether all is right."""
    with serving() as (process, port):
        print(f"{'requests':>10} {'descriptors':>12} {'memory':>9}")
        found: list[tuple[int, int]] = []
        before = descriptors(process.pid)
        for part in range(1, PARTS + 1):
            await ask(port, requests // PARTS)
            found.append(await held(process.pid, before))
            print(
                f"{part * (requests // PARTS):>10} {found[-1][0]:>12} {found[-1][1] / (1 << 20):>6.1f} MB", flush=True
            )
        middle, last = found[len(found) // 2 - 1], found[-1]
        open_streams = await hold(port, streams)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        for reader, writer in open_streams:
            await reader.read()
            writer.close()
        status = await asyncio.to_thread(process.wait)
        taken = time.monotonic() - started
        print(f"stopped with {streams} open streams in {taken:.2f} s, status {status}")
    return middle[0] == last[0] and last[1] - middle[1] <= MOST_GROWTH and (status, taken < STOPS_WITHIN) == (0, True)


def fuzzed(examples: int) -> bool:
    """Run the tests that generate requests with so many examples for each wire."""
    tests = ["-m", "pytest", "-q", "--no-header", "tests/mockserver/test_fuzz.py"]
    environment = {**os.environ, "FUZZ_EXAMPLES": str(examples)}
    return subprocess.run([sys.executable, *tests], cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--examples", type=int, default=500, help="for each wire and test; 0 generates none")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    is_right = asyncio.run(measured(options.requests, options.streams))
    if options.examples:
        is_right = fuzzed(options.examples) and is_right
    print("all as it must be" if is_right else "something is wrong")
    return 0 if is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
