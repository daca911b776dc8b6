"""The command, as a subprocess."""

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import mockserver
from mockserver import WIRES, cli
from mockserver.scripts.loader import SCHEMA_FILE

from .helpers import LIMIT, PATHS, THREE, ask, keys, question

CHAT = PATHS["openai-chat"]
KEY = keys(CHAT)
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


def test_a_long_request_is_told_of_before_it_ends(tmp_path: Path) -> None:
    """One line while it is held, one when it has ended; others do not wait for it."""
    file = tmp_path / "held.yaml"
    file.write_text("turns:\n- reply: late\n  when: {text: slow}\n  delivery: {gates: {0: half}}\n- reply: soon\n")
    with running(str(file)) as process:
        url = first_line(process)
        path = url + PATHS["openai-chat"]
        slow = question("openai-chat", text="slow")
        with httpx.stream("POST", path, json=slow, headers=KEY, verify=False, timeout=LIMIT) as late:
            assert ask(path, json=question("openai-chat", text="x")).status_code == 200
            lines = sorted(first_line(process) for _ in range(2))
            httpx.post(f"{url}/__admin/gates/half", verify=False)
            late.read()
        lines.append(first_line(process))
    assert [line.rpartition(", ")[2] for line in lines] == ["open", "finished", "finished"]
    assert [line[:2] for line in lines] == ["#1", "#2", "#1"]


def test_requests_can_be_drawn(script: str) -> None:
    """`--timelines` gives each request its drawing."""
    with running(script, "--timelines") as process:
        url = first_line(process)
        ask(url + PATHS["openai-chat"], json=question("openai-chat"))
        lines = [first_line(process) for _ in range(4)]
    assert lines[0].startswith("#1 POST /v1/chat/completions 200, ")
    assert lines[1].endswith("; finished")
    assert " |" in lines[2]


def test_tls_names_the_certificate_to_trust(script: str, tmp_path: Path) -> None:
    """A client that trusts the file reads the answer; without `--ca-file` the file goes with the server."""
    named = tmp_path / "ca.pem"
    with running(script, "--tls", "--ca-file", str(named)) as process:
        assert first_line(process) == f"trust {named}"
        url = first_line(process)
        trusted = ssl.create_default_context(cafile=str(named))
        answer = httpx.post(
            url + PATHS["openai-chat"], json=question("openai-chat"), headers=KEY, verify=trusted, timeout=LIMIT
        )
        assert (url[:8], answer.status_code) == ("https://", 200)
    with running(script, "--tls") as process:
        file = Path(first_line(process).removeprefix("trust "))
        assert file.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        first_line(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT)
    assert not file.exists()


def test_workers_share_a_port(script: str) -> None:
    """Several processes answer, and an interrupt ends them all."""
    with running(script, "--workers", "2") as process:
        url = first_line(process)
        answers = {ask(url + PATHS["openai-chat"], json=question("openai-chat")).status_code for _ in range(4)}
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
    assert (answers, process.returncode) == ({200}, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_workers_and_tls_do_not_go_together(script: str) -> None:
    """One error, before anything is bound."""
    assert failed("serve", script, "--workers", "2", "--tls") == "mockserver: --workers and --tls do not go together\n"


def test_inspect_draws_the_turns(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As text as wide as the terminal, one turn or all, on the wire that is named, or as SVG."""
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["inspect", script]) == 0
    assert capsys.readouterr().out.startswith("turn 1 \u00b7 openai-chat \u00b7 text in 2 pieces, finish, usage\n")
    assert cli.main(["inspect", script, "--turn", "1", "--wire", "anthropic-messages"]) == 0
    assert "event: message_start" in capsys.readouterr().out
    drawing = tmp_path / "a.svg"
    assert cli.main(["inspect", script, "--svg", str(drawing)]) == 0
    assert drawing.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--turn", "2"), "has 1 turns, so there is no turn 2"),
        (("--wire", "openai"), "there is no wire 'openai'; there are openai-chat, "),
        (("--svg", "/nowhere/a.svg"), "/nowhere/a.svg: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    script: str, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and what to change."""
    assert cli.main(["inspect", script, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_validate_names_each_fault(script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By file and line; status 1 where there is one, 0 where there is none."""
    assert cli.main(["validate", script]) == 0
    assert capsys.readouterr() == ("1 of 1 files are sound\n", "")
    bad = tmp_path / "bad.yaml"
    bad.write_text("turns:\n- repyl: hi\n- reply: hi\n  when: {modle: m}\n")
    assert cli.main(["validate", script, str(bad), str(tmp_path / "none.yaml")]) == 1
    out, err = capsys.readouterr()
    assert out == "1 of 3 files are sound; 3 faults\n"
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        f"{bad}, line 2, turns", f"{bad}, line 4, when", f"{tmp_path}/none.yaml",
    ]  # fmt: skip


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the published file."""
    assert cli.main(["schema"]) == 0
    assert capsys.readouterr().out == SCHEMA_FILE.read_text(encoding="utf-8")


def test_nobody_minds_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """`inspect | head` ends without a traceback."""
    file = tmp_path / "long.yaml"
    file.write_text(f"turns:\n- reply: [text: {['piece'] * 5000}]\n")
    with subprocess.Popen(
        command("inspect", str(file)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(timeout=LIMIT), process.stderr.read()) == (0, "")
