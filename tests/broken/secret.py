"""Models that break one rule of SECRET each."""

from typing import Any, cast

from langchain_core.language_models import LangSmithParams
from langchain_openai import ChatOpenAI
from pydantic import Field, SecretStr

from ..reference import ReferenceChat


class ShowsItsKey(ReferenceChat):
    """Keeps its key as plain text, so that repr shows it."""

    key: str = ""

    def model_post_init(self, context: Any, /) -> None:
        """Copy the key."""
        super().model_post_init(context)
        self.key = self.api_key.get_secret_value()


class DumpsItsKey(ReferenceChat):
    """Tells LangChain's dumps its headers, and the key in them."""

    @property
    def lc_attributes(self) -> dict[str, Any]:
        return {"default_headers": self._headers()}


class OpenAITracesItsKey(ChatOpenAI):
    """Puts its key into the metadata of traces, on top of the released class."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        assert isinstance(self.openai_api_key, SecretStr)
        key = {"ls_account": self.openai_api_key.get_secret_value()}
        return cast("LangSmithParams", {**super()._get_ls_params(stop=stop, **kwargs), **key})


class CannotBeLoaded(ReferenceChat):
    """Says that it is serialisable, and leaves out a field that it needs."""

    base_url: str = Field(exclude=True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True


class LoadsElsewhere(ReferenceChat):
    """Says that it is serialisable, and forgets where it was aimed."""

    base_url: str = Field(default="http://127.0.0.1:9/v1", exclude=True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True


class ForgetsItsLimit(ReferenceChat):
    """Says that it is serialisable, and is loaded without the limit of tokens that was set."""

    max_tokens: int | None = Field(default=None, exclude=True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True
