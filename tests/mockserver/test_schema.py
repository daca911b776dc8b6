"""The JSON Schema of scripts and the loader say the same."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from mockserver import Delivery, Reply, Turn, When, WhenMessage, WhenMessages
from mockserver.scripts import loader
from mockserver.scripts.shapes import Either, Made, Many, Map, Record, Shape
from mockserver.scripts.yamlnodes import Flaws, parse

from .test_loader import FULL
from .test_loader_errors import BAD, MANY
from .test_scripts_page import EXAMPLES

SCHEMA: Final = json.loads(loader.schema())
VALIDATOR: Final = Draft202012Validator(SCHEMA)
BEYOND: Final = (
    "stands twice",  # a mapping in JSON has each key once
    "unknown key '<<'",  # it is a merge, which YAML has carried out
    "redacted reasoning has",
    "citations: a citation",
    "base64",
    "mime type",
    "is JSON text",
    "an order names",
    "usage: output_tokens includ",
    "the same id",
    "half a surrogate",
    "is not JSON serializab",
    "JSON compliant",
    "cuts are ascending",
    "a time in seconds",
    "the fault is before piece 1",
    "frames are put in before frames",
    "nothing to",
    "a name in lower case",
)
"""What no schema can say, by the words of its error: rules between values, and what values mean."""


def as_json(text: str) -> Any:
    """A script as an editor sees it: keys are strings, and dates are text."""
    return json.loads(json.dumps(parse(text, Path("script")).plain, default=str))


def test_the_published_file_is_that_of_the_loader() -> None:
    """After a change, `mockserver schema > mockserver/scripts/script.schema.json` brings it up to date."""
    assert loader.SCHEMA_FILE.read_text(encoding="utf-8") == loader.schema()


def test_it_is_a_schema_of_its_draft() -> None:
    """Draft 2020-12 accepts it, and it names the draft."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [FULL, *EXAMPLES])
def test_what_loads_is_valid(text: str) -> None:
    """Every example of the tests and of the documentation."""
    loader.parse_script(text, "script")
    VALIDATOR.validate(as_json(text))


def broken() -> Iterator[tuple[str, str]]:
    """The catalogue of wrong scripts, without those that are no YAML, or hold a number that JSON cannot."""
    for text, _, words in BAD:
        try:
            as_json(text)
        except (Flaws, ValueError):
            continue
        yield text, words
    yield MANY, "many"


BROKEN: Final = tuple(broken())


@pytest.mark.parametrize(("text", "words"), BROKEN, ids=[words for _, words in BROKEN])
def test_what_does_not_load_is_not_valid(text: str, words: str) -> None:
    """Both refuse it; what the loader alone refuses is listed, and the schema accepts no less of it."""
    with pytest.raises(Flaws):
        loader.parse_script(text, "script")
    beyond = any(each in words for each in BEYOND)
    assert VALIDATOR.is_valid(as_json(text)) is beyond


def test_what_is_beyond_is_tried() -> None:
    """Nothing is listed as beyond the schema that is not in the catalogue."""
    assert [each for each in BEYOND if not any(each in words for _, words in BROKEN)] == []


def records(shape: Shape) -> Iterator[Record]:
    """All mappings with known keys that a shape leads to."""
    match shape:
        case Record():
            yield shape
            inner = list(shape.keys.values())
        case Either():
            inner = list(shape._shapes)
        case Made():
            inner = [shape._shape]
        case Many():
            inner = [shape._item]
        case Map():
            inner = [shape._value]
        case _:
            inner = []
    for each in inner:
        yield from records(each)


def test_keys_are_the_same() -> None:
    """Each key that the loader knows is in the schema, and the other way round."""
    known = {record.name: set(record.keys) for record in records(loader._SCRIPT)}
    said = {name: set(definition["properties"]) for name, definition in SCHEMA["$defs"].items()}
    assert known == said


@pytest.mark.parametrize(
    ("cls", "name", "python_only"),
    [
        (Turn, "turn", {"recording"}),
        (When, "when", {"predicate"}),
        (WhenMessage, "when_message", set()),
        (WhenMessages, "when_messages", set()),
        (Delivery, "delivery", set()),
    ],
)
def test_names_are_those_of_python(cls: type, name: str, python_only: set[str]) -> None:
    """Every field of the Python objects is a key, apart from what YAML cannot hold."""
    assert {each.name for each in fields(cls)} - python_only == set(SCHEMA["$defs"][name]["properties"])


def test_a_reply_has_all_fields_of_python() -> None:
    """And beside them the kinds of content."""
    assert {each.name for each in fields(Reply)} < set(SCHEMA["$defs"]["reply"]["properties"])


def test_keys_are_described() -> None:
    """Editors show what a key is for: those of turns, conditions and deliveries all say it."""
    for name in ("script", "turn", "when", "when_message", "when_messages", "delivery", "fault", "reply", "block"):
        properties = SCHEMA["$defs"][name]["properties"]
        assert [key for key, each in properties.items() if "description" not in each] in ([], ["$schema"])
