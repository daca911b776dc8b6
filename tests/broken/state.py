"""Models that break one rule of STATE each."""

import os
import threading
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, Self

import httpx
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr, SecretStr

from ..reference import ReferenceChat

_KEPT: Final[list[int]] = []
"""What is never closed."""


class LeavesAFile(ReferenceChat):
    """Opens a file for every fourth whole answer and never closes it."""

    _answers: int = PrivateAttr(default=0)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self._answers += 1
        if self._answers % 4 == 0:
            _KEPT.append(os.open(os.devnull, os.O_RDONLY))
        return super()._generate(*args, **kwargs)


class LeavesAThreadWhereItFails(ReferenceChat):
    """Starts a thread that tells of a stream that failed, and that never ends."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except Exception:
            threading.Thread(target=threading.Event().wait, name="teller", daemon=True).start()
            raise


class AnswersFromTheInstance(ReferenceChat):
    """Puts the text of whole answers together on the instance."""

    _text: str = PrivateAttr(default="")

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self._text = ""
        result = super()._generate(*args, **kwargs)
        message = result.generations[0].message
        self._text += str(message.content)
        message.content = self._text
        return result


class HoldsALock(ReferenceChat):
    """Keeps a lock in a private attribute, which cannot be copied."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class ForgetsItsKeyInCopies(ReferenceChat):
    """Takes the key out of what deepcopy makes."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        fields = {name: deepcopy(getattr(self, name), memo) for name in type(self).model_fields}
        return type(self)(**{**fields, "api_key": SecretStr("")})


class CannotBeUnpickled(ReferenceChat):
    """Says how it is pickled, and leaves the model's name out."""

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name != "model"}
        return {**state, "__dict__": fields}


class AsksForTheModels(ReferenceChat):
    """Asks for the list of models while it is built."""

    def model_post_init(self, context: Any, /) -> None:
        """Ask."""
        super().model_post_init(context)
        httpx.get(f"{self.base_url}/models", headers=self._headers(), timeout=self.timeout).raise_for_status()
