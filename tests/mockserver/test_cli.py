"""The command, as a subprocess."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import mockserver
from mockserver import WIRES, cli

from .helpers import LIMIT, PATHS, THREE, ask, question

SCRIPT = "turns:\n- reply: [text: [Hel, lo]]\n"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mockserver", *arguments]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command("serve", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def failed(*arguments: str) -> str:
    """The standard error of a run that ends with status 2 and says nothing else."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "script.yaml"
    file.write_text(SCRIPT)
    return str(file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_interrupted(script: str, number: signal.Signals) -> None:
    """The first line is the URL; each request is a line; an interrupt ends it with status 0."""
    with running(script, "--port", "0") as process:
        url = first_line(process)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        answer = ask(url + PATHS["openai-chat"], json=question("openai-chat", stream=False))
        assert answer.json()["choices"][0]["message"]["content"] == "Hello"
        assert httpx.get(url).status_code == 404
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
    assert out.splitlines() == [
        "#1 POST /v1/chat/completions 200, 1 of 1 frames, finished",
        "#2 GET / 404, 1 of 1 frames, refused: no wire answers GET / (wires: " + ", ".join(WIRES) + ")",
        "2 requests answered",
    ]
    assert (process.returncode, err) == (0, "")


def test_several_files_are_one_script(script: str, tmp_path: Path) -> None:
    """Turns of all files stand in the order of the files."""
    other = tmp_path / "other.yaml"
    other.write_text("turns:\n- reply: second\n")
    with running(script, str(other)) as process:
        url = first_line(process)
        texts = [
            ask(url + PATHS["openai-chat"], json=question("openai-chat", stream=False)).json()["choices"][0]
            for _ in range(2)
        ]
    assert [text["message"]["content"] for text in texts] == ["Hello", "second"]


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    """Status 2, and the error alone."""
    file = tmp_path / "bad.yaml"
    file.write_text("turns:\n- repyl: hi\n")
    told = failed("serve", str(file))
    assert told == f"mockserver: {file}, line 2, turns: unknown key 'repyl'; did you mean 'reply'?\n"


@pytest.mark.parametrize("names", [("none.yaml",), ("script.yaml", "none.yaml")])
def test_missing_files_are_one_line(
    script: str, tmp_path: Path, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file is looked at before anything is served."""
    assert cli.main(["serve", *(str(tmp_path / name) for name in names)]) == 2
    assert capsys.readouterr() == ("", f"mockserver: {tmp_path}/none.yaml: No such file or directory\n")


def test_a_port_in_use_is_one_line(script: str) -> None:
    """Status 2, the port, and the way out."""
    with mockserver.serve(THREE) as taken:
        told = failed("serve", script, "--port", str(taken.port))
    assert told == f"mockserver: port {taken.port} of 127.0.0.1 is in use; choose another, or 0 for a free one\n"


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ports are numbers up to 65535."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["serve", "a.yaml", f"--port={port}"])
    assert caught.value.code == 2
    assert f"a port is a number from 0 to 65535, not '{port}'" in capsys.readouterr().err


def test_the_command_tells_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, argparse says what there is."""
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2
    assert "usage: mockserver" in capsys.readouterr().err
