"""Classes that take https alone: the server speaks TLS, and their clients trust it."""

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from conformance.bench import Benches
from conformance.integrations import Stanza, authority
from conformance.item import items
from conformance.judge import judge
from conformance.serving import CERTIFICATES, serving, trusted
from conformance.session import HIDDEN, hidden
from conformance.target import resolve
from mockserver import MockServerError

from .models import Speaking

HERE: Final = "tests.conformance.test_tls"
KWARGS: Final = {"endpoint": "{url}", "authority": "{ca}"}


class Guarded(Speaking):
    """Refuses plain HTTP, and trusts the authority that it is told, or that the environment names."""

    authority: str = ""

    def model_post_init(self, context: Any, /) -> None:
        if not self.endpoint.startswith("https://"):
            raise ValueError("the endpoint must start with https://")

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        asked = {"model": "m", "messages": [{"role": "user", "content": str(messages[-1].content)}]}
        named = ssl.create_default_context(cafile=self.authority or os.environ["SSL_CERT_FILE"])
        headers = {"authorization": "Bearer key"}
        with httpx.Client(verify=named) as client:
            answer = client.post(self.endpoint + self.path, json=asked, headers=headers).json()
        text = answer["choices"][0]["message"]["content"]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])


@pytest.fixture
def benches() -> Iterator[Benches]:
    made = Benches()
    yield made
    made.close()


@pytest.mark.parametrize("kwargs", [KWARGS, {"endpoint": "{url}"}])
def test_a_class_that_takes_https_alone_is_judged(benches: Benches, kwargs: dict[str, str]) -> None:
    """It is built and answered over TLS, whether it is told the authority or reads it from the environment."""
    spec = f"{HERE}:Guarded"
    with hidden(HIDDEN):
        target = resolve(spec, {}, {spec: Stanza(wire="openai-chat", kwargs=kwargs, tls=True)})
        [found] = [item for item in items(target) if item.name == "INVOKE-01-sync-white-space"]
        assert judge(found, benches).verdict == "passed"


def test_the_authority_is_a_file_as_long_as_the_server_runs() -> None:
    """`{ca}` names it; clients that look where they usually do find it there."""
    with serving(tls=True) as server:
        file = authority(server.url)
        assert server.url.startswith("https://127.0.0.1:")
        assert Path(file).read_bytes() == server.authority
        with trusted(server):
            assert {os.environ[name] for name in CERTIFICATES} == {file}
            assert httpx.get(f"{server.url}/v1/models").status_code == 200
    assert not Path(file).exists()


def test_without_tls_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of plain HTTP has no authority."""
    monkeypatch.setenv("SSL_CERT_FILE", "mine.pem")
    with serving() as server, trusted(server):
        assert (server.url[:7], authority(server.url), os.environ["SSL_CERT_FILE"]) == ("http://", "", "mine.pem")


def test_benches_of_both_kinds_are_kept_apart(benches: Benches) -> None:
    """A bench is handed out again to those alone that want its kind."""
    plain = benches.take()
    benches.give_back(plain, clean=True)
    guarded = benches.take(tls=True)
    assert guarded is not plain
    benches.give_back(guarded, clean=True)
    assert benches.take(tls=True) is guarded


def test_without_trustme_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear error, before any rule runs."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    spec = f"{HERE}:Guarded"
    with pytest.raises(MockServerError) as raised:
        resolve(spec, {}, {spec: Stanza(wire="openai-chat", kwargs=KWARGS, tls=True)})
    assert str(raised.value) == "TLS needs the package trustme: pip install 'chat-model-conformance[tls]'"
