"""The reference model in wrappers of langchain-core, and behind an object that is no runnable."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from langchain_core.runnables import ConfigurableField, Runnable
from pydantic import SecretStr

from ..reference import ReferenceChat

TOOL = {"name": "feed", "description": "Feeds the goldfish.", "parameters": {"type": "object", "properties": {}}}


def _reference(url: str) -> ReferenceChat:
    return ReferenceChat(model="model-asked-for", base_url=f"{url}/v1", api_key=SecretStr("conformance-placeholder"))


def bound(url: str) -> Runnable[Any, Any]:
    return _reference(url).bind(user="me")


def with_tools(url: str) -> Runnable[Any, Any]:
    return _reference(url).bind_tools([TOOL])


def with_retry(url: str) -> Runnable[Any, Any]:
    return _reference(url).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)


def with_fallbacks(url: str) -> Runnable[Any, Any]:
    return _reference(url).with_fallbacks([_reference(url)])


def with_fields(url: str) -> Runnable[Any, Any]:
    return _reference(url).configurable_fields(temperature=ConfigurableField(id="temperature"))


def with_alternatives(url: str) -> Runnable[Any, Any]:
    return _reference(url).configurable_alternatives(ConfigurableField(id="model"), other=_reference(url))


class Parrot:
    """Has the methods of a chat model, and no more."""

    def __init__(self, model: ReferenceChat) -> None:
        self._model = model

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return self._model.invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return await self._model.ainvoke(input, config, **kwargs)

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield from self._model.stream(input, config, **kwargs)

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        async with aclosing(self._model.astream(input, config, **kwargs)) as stream:  # type: ignore[type-var]
            async for chunk in stream:
                yield chunk


def parrot(url: str) -> Parrot:
    return Parrot(_reference(url))


class Owl:
    """Answers whole and at once, and takes no settings."""

    def __init__(self, model: ReferenceChat) -> None:
        self._model = model

    def invoke(self, input: Any, config: Any = None) -> Any:
        return self._model.invoke(input, config)


def owl(url: str) -> Owl:
    return Owl(_reference(url))
