"""Classes, factories and instances as users have them, for `resolve` to find by their specs."""

import sys
from typing import Any

import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import ConfigDict, Field


class Speaking(BaseChatModel):
    """Asks at `path` below `endpoint`, and says what it is told."""

    endpoint: str
    path: str = "/v1/chat/completions"
    temperature: float = 0.5

    @property
    def _llm_type(self) -> str:
        return "speaking"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": str(messages[-1].content)}]}
        headers = {"authorization": "Bearer key", "x-api-key": "key", "anthropic-version": "2023-06-01"}
        text = httpx.post(self.endpoint + self.path, json=asked, headers=headers).text
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])


class Silent(Speaking):
    """Asks nobody."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise ConnectionError("no route to the shop")


class Streaming(Speaking):
    """Has token streaming in its sync form."""

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def bind_tools(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class StreamingAsync(Speaking):
    """Has token streaming in its async form alone."""

    def _astream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class Answering(Speaking):
    """Has an async form, without token streaming."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class All(Answering, Streaming, StreamingAsync):
    """Implements all."""


class Ours(ChatOpenAI):
    """A subclass of a shipped class."""


class Renamed(Ours):
    """One further down, with a field of its own."""

    region: str = "eu"


class Tenant(Ours):
    """Needs what no stanza gives."""

    tenant: str


class TwoNeeds(Ours):
    """Needs two things, one of them by an alias."""

    model_config = ConfigDict(populate_by_name=True)

    tenant: str
    place: str = Field(alias="region")


class Stranger(BaseChatModel):
    """No stanza knows it; its arguments are called as usual."""

    some_model: str = Field(alias="model")
    endpoint: str
    tenant: int
    api_key: str = ""

    @property
    def _llm_type(self) -> str:
        return "stranger"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError


class Plain(BaseChatModel):
    """No stanza knows it, and nothing in it tells where a URL would go."""

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError


class NoModel:
    """No chat model."""


class Shop:
    """Holds what is found by a dotted name."""

    model = Ours
    number = 3


elsewhere = "https://provider.example/v1"
warm = ChatOpenAI(model="mine", temperature=0.3, api_key="secret", base_url=elsewhere)  # type: ignore[arg-type]
claude = ChatAnthropic(model_name="mine", max_tokens_to_sample=77, timeout=None, stop=None, api_key="secret")  # type: ignore[arg-type]
stranger = Stranger(model="m", endpoint="e", tenant=1)
number = 3


def factory(url: str, temperature: float = 0.1) -> BaseChatModel:
    return Speaking(endpoint=url, temperature=temperature)


def factory_of_anthropic(url: str) -> BaseChatModel:
    return Speaking(endpoint=url, path="/v1/messages")


def factory_of_ours(url: str, **fields: Any) -> BaseChatModel:
    return Ours(**{"model": "made", "api_key": "k", "base_url": f"{url}/v1", **fields})


def factory_of_silence(url: str) -> BaseChatModel:
    return Silent(endpoint="")


def lost_factory(url: str) -> BaseChatModel:
    return Speaking(endpoint=url, path="/v2/parrots")


def takes_nothing() -> BaseChatModel:
    raise NotImplementedError


def read_by_botocore(url: str) -> BaseChatModel:
    """Has the loader by which its client would find AWS's services."""
    session: Any = sys.modules["botocore.session"]
    return Speaking(endpoint=url, metadata={"loader": session.create_loader("data")})


def needs_more(url: str, tenant: str) -> BaseChatModel:
    raise NotImplementedError


def fails(url: str) -> BaseChatModel:
    raise ConnectionError("no such shop\nat all")


def gives_a_text(url: str) -> Any:
    return "a model"
