"""Handlers that note what they hear of a run, in the order in which they hear it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import BaseMessage

CHAIN: Final = "on_chain_start"
START: Final = "on_chat_model_start"
TOKEN: Final = "on_llm_new_token"  # noqa: S105 - the name of a callback
END: Final = "on_llm_end"
ERROR: Final = "on_llm_error"


@dataclass(frozen=True, slots=True)
class Heard:
    """A callback that was called.

    Args:
        name: of the callback.
        value: its first argument of weight: the messages, the token, the `LLMResult`; of an error its type, since the
            error itself would keep alive what raised it.
        told: its keyword arguments: `run_id`, `parent_run_id`, `tags`, `chunk`, `response` and the like.
        message: the message of the `LLMResult`, as it was then, where there is one.
    """

    name: str
    value: Any
    told: Mapping[str, Any] = field(default_factory=dict)
    message: BaseMessage | None = None

    @property
    def run_id(self) -> Any:
        return self.told.get("run_id")


def message_of(result: Any) -> BaseMessage | None:
    """A copy of the message of an `LLMResult`; what is set on the message itself later does not show in it."""
    first = next((row[0] for row in getattr(result, "generations", None) or () if row), None)
    message = getattr(first, "message", None)
    return message.model_copy() if isinstance(message, BaseMessage) else None


class Ear:
    """What a handler has heard."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Heard] = []

    @property
    def heard(self) -> list[Heard]:
        """What was heard of the model's runs."""
        return [each for each in self.all if each.name != CHAIN]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.heard]

    def of(self, name: str) -> list[Heard]:
        return [each for each in self.all if each.name == name]

    @property
    def told_of_all_ends(self) -> bool:
        """Whether each run that has begun has ended or failed."""
        return len(self.of(START)) <= len(self.of(END)) + len(self.of(ERROR))


class Listener(Ear, BaseCallbackHandler):
    """Notes the callbacks of chains and chat models. They are not async."""

    def on_chain_start(self, serialized: Any, inputs: Any, **told: Any) -> None:
        self.all.append(Heard(CHAIN, None, told))

    def on_chat_model_start(self, serialized: Any, messages: Any, **told: Any) -> None:
        self.all.append(Heard(START, messages, told))

    def on_llm_new_token(self, token: Any, **told: Any) -> None:
        self.all.append(Heard(TOKEN, token, told))

    def on_llm_end(self, response: Any, **told: Any) -> None:
        self.all.append(Heard(END, response, told, message_of(response)))

    def on_llm_error(self, error: BaseException, **told: Any) -> None:
        self.all.append(Heard(ERROR, type(error), told, message_of(told.get("response"))))


class AsyncListener(Ear, AsyncCallbackHandler):
    """The same with async callbacks, which note what they hear after a wait, as one that writes to a log would."""

    async def on_chain_start(self, serialized: Any, inputs: Any, **told: Any) -> None:
        await self._note(CHAIN, None, told)

    async def on_chat_model_start(self, serialized: Any, messages: Any, **told: Any) -> None:
        await self._note(START, messages, told)

    async def on_llm_new_token(self, token: Any, **told: Any) -> None:
        await self._note(TOKEN, token, told)

    async def on_llm_end(self, response: Any, **told: Any) -> None:
        await self._note(END, response, told)

    async def on_llm_error(self, error: BaseException, **told: Any) -> None:
        await self._note(ERROR, type(error), told)

    async def _note(self, name: str, value: Any, told: dict[str, Any]) -> None:
        await asyncio.sleep(0.001)
        self.all.append(Heard(name, value, told))


class HandlerFailed(Exception):
    """What a `Failing` handler raises."""


class Failing(BaseCallbackHandler):
    """Raises in each callback. Its `raise_error` is `False`, as handlers have it that do not say otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.raised = 0

    def on_chat_model_start(self, *args: Any, **told: Any) -> None:
        self._fail()

    def on_llm_new_token(self, *args: Any, **told: Any) -> None:
        self._fail()

    def on_llm_end(self, *args: Any, **told: Any) -> None:
        self._fail()

    def _fail(self) -> None:
        self.raised += 1
        raise HandlerFailed("this handler fails")
