"""The marker `cassette`: requests of a test, recorded and played in its own process."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mockserver
from mockserver import Reply, Server
from mockserver.cassettes.interaction import dump, read, write

from ..mockserver.test_cassette import recorded
from .plugin_runs import run

RECORDED = "kept/hello.yaml: answers 1 recorded through vcrpy: when and in which parts they arrived is lost"
PLAYED = "kept/hello.yaml: answers 1 played through vcrpy, whole and at once: their cuts are lost"
KEY = "sk-proj-abcdefghijklmnop1234"


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(Reply.of("Hel", "lo")) as running:
        yield running


def asking(folder: pytest.Pytester, url: str, marker: str, *, text: str = "Hi", name: str = "test_asks") -> None:
    """A test with a marker that asks the provider at this URL."""
    folder.makepyfile(
        **{
            name: f"""
            import httpx
            import pytest

            @pytest.mark.{marker}
            def {name}():
                body = {{"model": "m", "messages": [{{"role": "user", "content": "{text}"}}]}}
                headers = {{"authorization": "Bearer {KEY}"}}
                answer = httpx.post("{url}/v1/chat/completions", json=body, headers=headers, verify=False)
                assert answer.json()["choices"][0]["message"]["content"] == "Hello"
            """
        }
    )


@pytest.mark.parametrize("more", [[], ["-p", "xdist", "-n", "1"]], ids=["", "xdist"])
def test_recorded_once_and_played_from_then_on(folder: pytest.Pytester, server: Server, more: list[str]) -> None:
    """Beside the test's file; what is lost is told at the end of each run, workers' too, and no key is kept."""
    asking(folder, server.url, 'cassette("kept/hello.yaml", redact=["swordfish"])', text="swordfish")
    first = run(folder, "--strict-markers", *more)
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(["*= cassettes =*", RECORDED])
    again = run(folder, *more)
    again.assert_outcomes(passed=1)
    again.stdout.fnmatch_lines(["*= cassettes =*", PLAYED])
    assert len(server.exchanges) == 1
    [found] = read(folder.path / "kept" / "hello.yaml")
    assert b"swordfish" not in found.request_body
    assert KEY not in dump([found])


def test_the_file_is_beside_the_test(folder: pytest.Pytester, server: Server) -> None:
    """Wherever pytest was started."""
    below = folder.mkdir("below")
    asking(folder, server.url, 'cassette("hello.yaml")')
    folder.path.joinpath("test_asks.py").rename(below / "test_asks.py")
    result = run(folder, "below")
    result.assert_outcomes(passed=1)
    assert (below / "hello.yaml").exists()
    result.stdout.fnmatch_lines(["below/hello.yaml: answers 1 recorded *"])


def test_nothing_is_sent_where_nothing_may_be_recorded(folder: pytest.Pytester, server: Server) -> None:
    """A request that the file does not have fails the test, and clients are as before in the next."""
    asking(folder, server.url, 'cassette("kept/hello.yaml", record="none")')
    asking(folder, server.url, "filterwarnings('default')", name="test_later")
    result = run(folder)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*= cassettes =*")
    assert len(server.exchanges) == 1


def test_fixtures_of_the_test_are_recorded_too(folder: pytest.Pytester, server: Server) -> None:
    """What they ask when they are set up and torn down; the nearest marker counts."""
    folder.makepyfile(
        f"""
        import httpx
        import pytest

        pytestmark = pytest.mark.cassette("far.yaml")

        def ask(text):
            body = {{"model": "m", "messages": [{{"role": "user", "content": text}}]}}
            headers = {{"authorization": "Bearer k"}}
            return httpx.post("{server.url}/v1/chat/completions", json=body, headers=headers, verify=False)

        @pytest.fixture
        def around():
            yield ask("before")
            ask("after")

        @pytest.mark.cassette("near.yaml")
        def test_asks(around):
            assert around.status_code == 200
        """
    )
    run(folder).assert_outcomes(passed=1)
    assert [b"before" in each.request_body for each in read(folder.path / "near.yaml")] == [True, False]
    assert not (folder.path / "far.yaml").exists()


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("cassette()", "missing 1 required positional argument: 'file'"),
        ("cassette", "missing 1 required positional argument: 'file'"),
        ("cassette(3)", "file is a path, not 3"),
        ("cassette('a.yaml', recod='all')", "got an unexpected keyword argument 'recod'"),
        ("cassette('a.yaml', 'never')", "record is one of once, new_episodes, none, all, not 'never'"),
        ("cassette('a.yaml', redact='key')", "redact is a list of regular expressions, not 'key'"),
        ("cassette('a.yaml', redact=3)", "redact is a list of regular expressions, not 3"),
        ("cassette('a.yaml', redact=['('])", "'(' is no regular expression: *"),
        ("cassette('broken.yaml')", "*/broken.yaml, line 2: *"),
    ],
)
def test_wrong_arguments_are_one_clear_error(folder: pytest.Pytester, marker: str, told: str) -> None:
    """Of the test that has them, without a traceback; others run."""
    folder.path.joinpath("broken.yaml").write_text("interactions: [\n")
    folder.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_a(): pass\n\ndef test_b(): pass")
    result = run(folder)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f'cassette(file, record="once", redact=[[]]): {told}'])
    assert "Traceback" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_a_file_that_cannot_be_written_is_told(folder: pytest.Pytester, server: Server) -> None:
    """In one line, when the test is over."""
    folder.path.joinpath("kept").write_text("a file")
    asking(folder, server.url, 'cassette("kept/hello.yaml")')
    result = run(folder)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_asks*", "*/kept/hello.yaml: *"])


def test_unused_it_imports_nothing(folder: pytest.Pytester) -> None:
    """A run without the marker has neither vcrpy nor the server."""
    folder.makepyfile("import sys\n\ndef test_own(): assert not {'vcr', 'mockserver', 'aiohttp'} & {*sys.modules}")
    command = [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-q"]
    done = subprocess.run(command, cwd=folder.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_unused_answers_are_left_as_they_are(folder: pytest.Pytester) -> None:
    """A test that asks for nothing changes nothing, and nothing is told."""
    file = folder.path / "a.yaml"
    write(file, dump([recorded()]))
    before = file.read_bytes()
    folder.makepyfile("import pytest\n\n@pytest.mark.cassette('a.yaml')\ndef test_a(): pass")
    result = run(folder)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*= cassettes =*")
    assert file.read_bytes() == before


def test_the_example_of_the_page_works(folder: pytest.Pytester) -> None:
    """With a file beside it, it is played, and nothing is sent."""
    page = (Path(__file__).parents[2] / "docs" / "cassettes.md").read_text(encoding="utf-8")
    [(name, example)] = re.findall(r"^```python\n# (test_\w+)\.py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    body = re.search(r"body = (\{.*?^    \})", example, re.DOTALL | re.MULTILINE)
    assert body
    asked = json.dumps(ast.literal_eval(body[1])).replace("swordfish", "REDACTEDR").encode()
    known = recorded(uri="https://api.openai.com/v1/chat/completions", request_body=asked)
    write(folder.path / "cassettes" / "weather.yaml", dump([known]))
    folder.makepyfile(**{name: example})
    run(folder).assert_outcomes(passed=1)


def test_the_marker_is_listed(folder: pytest.Pytester) -> None:
    """With its arguments."""
    listed = run(folder, "--markers").stdout.str()
    assert f"@pytest.mark.cassette(file, record={json.dumps('once')}, redact=[]): " in listed
