"""What rules set on models, each in the unit in which it counts."""

from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from conformance.integrations import Stanza, StanzaError, parse
from conformance.target import resolve


class Whole(ChatOpenAI):
    """Takes whole numbers alone."""

    patience: int | None = None
    tries: int = 3
    ending: str | None = None


def fields(setting: dict[str, Any], **stanza: Any) -> dict[str, Any]:
    """What a rule that sets this gives to `Whole`."""
    spec = f"{__name__}:Whole"
    kwargs = {"model": "m", "api_key": "k", "base_url": "{url}/v1"}
    return resolve(spec, {}, {spec: Stanza(wire="openai-chat", kwargs=kwargs, **stanza)}).with_settings(**setting)


@pytest.mark.parametrize(
    ("setting", "stanza", "given"),
    [
        ({"timeout": 0.25}, {}, {"timeout": 0.25}),
        ({"timeout": 0.25}, {"units": {"timeout": "milliseconds"}}, {"timeout": 250}),
        ({"timeout": 0.25}, {"settings": {"timeout": "patience"}}, {"patience": 1}),
        (
            {"timeout": 0.25},
            {"settings": {"timeout": "patience"}, "units": {"timeout": "milliseconds"}},
            {"patience": 250},
        ),
        ({"timeout": 0.25}, {"settings": {"timeout": ""}}, {}),
        ({"retries": 0}, {}, {"max_retries": 0}),
        ({"retries": 0}, {"settings": {"retries": "tries"}, "units": {"retries": "attempts"}}, {"tries": 1}),
        ({"retries": 0}, {"settings": {"retries": "tries"}, "units": {"retries": "at-least-one"}}, {"tries": 1}),
        ({"retries": 2}, {"settings": {"retries": "tries"}, "units": {"retries": "at-least-one"}}, {"tries": 2}),
        ({"stop": ["END", "."]}, {}, {"stop": ["END", "."]}),
        ({"stop": ["END", "."]}, {"settings": {"stop": "ending"}}, {"ending": "END"}),
    ],
)
def test_settings_are_given_as_the_model_counts(
    setting: dict[str, Any], stanza: dict[str, Any], given: dict[str, Any]
) -> None:
    """In its unit, rounded up where it takes whole numbers alone, and one text where it takes no list."""
    assert fields(setting, **stanza) == given


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ("seconds", "units is a table"),
        ({"temperature": "degrees"}, "units holds timeout, retries, not 'temperature'"),
        ({"timeout": "minutes"}, "timeout counts in seconds or milliseconds, not 'minutes'"),
    ],
)
def test_units_that_are_not_right(units: object, told: str) -> None:
    """The error says what can stand there."""
    with pytest.raises(StanzaError, match=told):
        parse({"units": units}, "here")
