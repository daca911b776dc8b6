"""Classes that no stanza knows, for `resolve` to guess how they are built."""

from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import Field, SecretStr


class Asking(BaseChatModel):
    """Asks at a URL that its subclasses make of their fields."""

    @property
    def _llm_type(self) -> str:
        return "asking"

    def where(self) -> str:
        raise NotImplementedError

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": str(messages[-1].content)}]}
        headers = {"authorization": "Bearer key", "x-api-key": "key", "anthropic-version": "2023-06-01"}
        text = httpx.post(self.where(), json=asked, headers=headers).text
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])


class AddsTheVersion(Asking):
    api_url: str
    secret: SecretStr

    def where(self) -> str:
        return f"{self.api_url}/v1/chat/completions"


class TakesTheVersion(Asking):
    endpoint: str = "https://provider.example"
    mine_api_key: str = Field(alias="key_of_mine")
    model_id: str | None = None

    def where(self) -> str:
        return f"{self.endpoint}/chat/completions"


class TakesAll(Asking):
    mine_base_url: str = Field(default="https://provider.example/v1/messages", alias="address")

    def where(self) -> str:
        return self.mine_base_url

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        if '"type":"message"' not in str(result.generations[0].message.content):
            raise ValueError("no answer of the provider's")
        return result


class AddsTwoVersions(Asking):
    base_url: str = ""
    model: str = "mine"

    def where(self) -> str:
        return f"{self.base_url}/v1/messages"


class Inheriting(BaseChatOpenAI):
    pass


class AsksItsProvider(Asking):
    url: str = ""

    def where(self) -> str:
        return "https://provider.example/v1/chat/completions"


class AsksAtNoKnownPath(Asking):
    url: str = ""

    def where(self) -> str:
        return f"{self.url}/parrots"


class HasNoUrl(Asking):
    api_key: str = ""


_MINE: ChatOpenAI = ChatOpenAI(model="mine", api_key=SecretStr("secret"), base_url="https://provider.example/v1")

bound: Runnable[Any, Any] = _MINE.bind(user="me")
nested: Runnable[Any, Any] = _MINE.with_fallbacks([_MINE.bind(user="me")]).with_retry()


class Parrot:
    def invoke(self, input: Any) -> str:
        return str(input)


parrot = Parrot()
