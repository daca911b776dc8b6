"""Models that break one rule of FAULT each, by what they make of HTTP errors and of answers that are none."""

import json
import logging
from typing import Any

import httpx
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from ..reference import ReferenceChat
from ..sse_reader import Event, ProviderError


def _answer(text: str = "") -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


class HidesWhatWasRefused(ReferenceChat):
    """Raises for an HTTP error of the async form without saying which."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return await super()._agenerate(*args, **kwargs)
        except ProviderError:
            raise RuntimeError("the request failed") from None


class TellsTheStatusAlone(ReferenceChat):
    """Raises for an HTTP error with its status and without the provider's words."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except ProviderError as error:
            raise ProviderError(f"HTTP {error.status}", error.status) from None


class RetriesRefusals(ReferenceChat):
    """Asks again what the provider has refused for the request's own fault."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except ProviderError as error:
            if error.status not in range(400, 429):
                raise
            return super()._generate(*args, **kwargs)


class OpenAIExplainsRefusals(ChatOpenAI):
    """Answers with an explanation where the provider refuses the key."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except Exception as error:
            if getattr(error, "status_code", None) != 401:
                raise
            return _answer("I cannot answer, since my key is wrong.")


class AnswersNothingWhenOverloaded(ReferenceChat):
    """Gives an empty answer where the provider is overloaded."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return await super()._agenerate(*args, **kwargs)
        except ProviderError as error:
            if error.status != 529:
                raise
            return _answer()


class TakesAnyJSON(ReferenceChat):
    """Gives an empty answer where the JSON that comes is none."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation(answer) if answer.get("choices") else _answer().generations[0]


class AnswersWithPages(ReferenceChat):
    """Takes what is no JSON for the text of the answer."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except json.JSONDecodeError as error:
            return _answer(error.doc)


class KnowsNoTimeoutInAsync(ReferenceChat):
    """Forgets its timeout in ainvoke."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await ReferenceChat._agenerate(self.model_copy(update={"timeout": None}), *args, **kwargs)


class GivesUpAfterAReset(ReferenceChat):
    """Refuses to answer once a connection was reset."""

    _is_lost: bool = PrivateAttr(default=False)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if self._is_lost:
            raise RuntimeError("the connection is lost")
        try:
            return super()._generate(*args, **kwargs)
        except httpx.ReadError:
            self._is_lost = True
            raise


class TellsItsHeaders(ReferenceChat):
    """Raises with all that was sent, the key included."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except ProviderError as error:
            raise ProviderError(f"{error} (sent {self._headers()})", error.status) from error


class LogsItsHeaders(ReferenceChat):
    """Writes its headers to its log."""

    def _headers(self) -> dict[str, str]:
        headers = super()._headers()
        logging.getLogger(__name__).debug("asking with %s", headers)
        return headers


class OpenAINamesItsKey(ChatOpenAI):
    """Adds the key to the notes of its errors."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return await super()._agenerate(*args, **kwargs)
        except Exception as error:
            error.add_note(f"asked by {self.openai_api_key.get_secret_value()}")  # type: ignore[union-attr]
            raise


class ClientsThatLogHeaders(ReferenceChat):
    """Has a client that writes what it sends to a DEBUG line."""

    def _headers(self) -> dict[str, str]:
        headers = super()._headers()
        logging.getLogger("http_client").debug("sending %s", headers)
        return headers


class RaisesOtherErrorsInAsync(ReferenceChat):
    """Raises an error of another type in the async form."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return await super()._agenerate(*args, **kwargs)
        except ProviderError as error:
            raise RuntimeError(str(error)) from error
