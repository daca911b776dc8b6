"""What `--chat-model` takes, and what it says of what it cannot take."""

import pytest

from .plugin_runs import REFERENCE, run

MODELS = """
from langchain_core.language_models import BaseChatModel
from tests.reference import ReferenceChat

instance = ReferenceChat(model="mine", base_url="https://provider.example/v1", api_key="secret")
number = 3


def make(url, **kwargs):
    return ReferenceChat(model="made", base_url=f"{url}/v1", api_key="k", **kwargs)


def takes_nothing():
    return None


def gives_nothing(url):
    return None


def fails(url):
    raise ConnectionError("no such thing")


class Inherits(ReferenceChat):
    pass


class Tenant(ReferenceChat):
    tenant: str


class Stranger(BaseChatModel):
    endpoint: str

    @property
    def _llm_type(self): return "stranger"

    def _generate(self, *args, **kwargs): raise NotImplementedError


class NoModel:
    pass
"""


@pytest.mark.parametrize("name", ["instance", "make", "Inherits"])
def test_instances_factories_and_subclasses(folder: pytest.Pytester, name: str) -> None:
    """An instance is aimed anew, a factory is called with the URL, a subclass inherits its base's stanza."""
    folder.makepyfile(models=MODELS)
    result = run(folder, f"--chat-model=models:{name}", "-k", "INVOKE-01 or STREAM-01")
    result.assert_outcomes(passed=10)


def test_several_models(folder: pytest.Pytester) -> None:
    """Each model has its own items and its own summary; two of one name are told apart."""
    folder.makepyfile(models=MODELS, others=MODELS)
    result = run(
        folder, "--chat-model=models:Inherits", "--chat-model=others:Inherits", REFERENCE, "-k", "BATCH-02-sync", "-v"
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "conformance::models.Inherits::BATCH-02-sync PASSED*",
            "conformance::others.Inherits::BATCH-02-sync PASSED*",
            "conformance::ReferenceChat::BATCH-02-sync PASSED*",
            "==== conformance of models:Inherits*",
            "==== conformance of others:Inherits*",
            "==== conformance of tests.reference:ReferenceChat*",
        ]
    )


def test_arguments_reach_the_model(folder: pytest.Pytester) -> None:
    """`--chat-model-kwargs` wins over the stanza."""
    folder.makepyfile(test_own="def test_model(chat_model): assert chat_model.model == 'other'")
    run(folder, REFERENCE, '--chat-model-kwargs={"model": "other"}', "test_own.py").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--chat-model=models"], "--chat-model is written package.module:Name, not 'models'"),
        (["--chat-model=modelz:make"], "*there is no module 'modelz'; is its package installed here?*"),
        (["--chat-model=models:mak"], "*'models' has no 'mak'; did you mean 'make'?"),
        (["--chat-model=models:number"], "models:number is 3: no chat model class, no factory, and no instance of one"),
        (["--chat-model=models:NoModel"], "models:NoModel is a class, but no chat model*"),
        (["--chat-model=models:takes_nothing"], "*is called with the server's URL, and does not take it*"),
        (
            ["--chat-model=models:gives_nothing"],
            "models:gives_nothing gives NoneType, which is no chat model: it has no invoke",
        ),
        (["--chat-model=models:fails"], "models:fails *fails with ConnectionError: no such thing"),
        (["--chat-model=models:Tenant"], "models:Tenant cannot be built: the argument 'tenant' is missing.*"),
        (["--chat-model=models:Stranger"], "models:Stranger: no stanza says how Stranger is aimed*"),
        (["--chat-model=broken:Model"], "*importing 'broken' fails with SyntaxError*"),
        ([REFERENCE, "--chat-model-kwargs={model}"], "--chat-model-kwargs is a JSON object, not '{model}'*"),
        ([REFERENCE, "--chat-model-kwargs=[1]"], "--chat-model-kwargs is a JSON object such as *, not '[[]1]'"),
        (["--chat-model-kwargs={}"], "--chat-model-kwargs goes with --chat-model"),
    ],
)
def test_bad_input(folder: pytest.Pytester, arguments: list[str], told: str) -> None:
    """Bad input is a usage error that says what to change; nothing runs, and no traceback of ours is shown."""
    folder.makepyfile(models=MODELS, broken="def model(:")
    result = run(folder, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    shown = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in shown
    assert "INTERNALERROR" not in shown


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('wier = "openai-chat"', "*unknown key 'wier'; did you mean 'wire'?"),
        ('wire = "openai"', "*wire is one of openai-chat, *, not 'openai'"),
        ("also.openai-chats.kwargs = {}", "*also names wires (of openai-chat, *), not 'openai-chats'"),
        ('kwargs = "x"', "*kwargs is a table of constructor arguments, not 'x'"),
        ('lacks = ["tool"]', "*lacks holds stream, tools, *, not 'tool'"),
    ],
)
def test_bad_stanza(folder: pytest.Pytester, setting: str, told: str) -> None:
    """A stanza that is not right is told with file, table and the nearest right key."""
    folder.path.joinpath("pytest.ini").write_text("[pytest]\n")
    folder.makepyprojecttoml(f'[tool.conformance.models."models:Stranger"]\n{setting}\n')
    folder.makepyfile(models=MODELS)
    result = run(folder, "--chat-model=models:Stranger")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])


def test_sockets_disabled_by_another_plugin(folder: pytest.Pytester) -> None:
    """Where sockets are taken away from the start, one line says so."""
    folder.makeconftest(
        """
        import socket

        class Blocked(RuntimeError):
            pass

        class Guard(socket.socket):
            def __new__(cls, *args, **kwargs):
                raise Blocked("no sockets here")

        real = socket.socket

        def pytest_configure(config):
            socket.socket = Guard

        def pytest_unconfigure(config):
            socket.socket = real
        """
    )
    result = folder.runpytest_subprocess("-p", "conformance.plugin", REFERENCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: sockets are disabled here (Blocked); the server needs loopback*"])


def test_sockets_disabled_in_tests(folder: pytest.Pytester) -> None:
    """pytest-socket's way, a guard in each test's setup, does not reach the rules."""
    pytest.importorskip("pytest_socket", reason="pytest-socket is not installed")
    result = run(folder, "-p", "pytest_socket", REFERENCE, "--disable-socket", "-k", "INVOKE-05")
    result.assert_outcomes(passed=2)


def test_environment_is_hidden(folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and tracing of the user's environment do not reach the model under test."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    run(folder, REFERENCE, "-k", "INVOKE-05 or STREAM-05").assert_outcomes(passed=4)
