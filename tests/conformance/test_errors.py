"""What is read from errors of packages that have little in common."""

from types import SimpleNamespace
from typing import Any

import pytest

from conformance.errors import chain, report, statuses, words


class Failure(Exception):
    """An error with whatever attributes a package gives it."""

    def __init__(self, text: str = "", **fields: Any) -> None:
        super().__init__(text)
        vars(self).update(fields)


class Unread(Failure):
    """An error whose response was not read."""

    @property
    def response(self) -> Any:
        raise RuntimeError("call read() first")


def raised(error: Failure, *, cause: ValueError, hidden: bool = False) -> Exception:
    """The error, as it is once it was raised from another one, or in its place."""
    try:
        try:
            raise cause
        except ValueError:
            raise error from None if hidden else cause
    except Failure as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        Failure(status_code=429),
        Failure(status=429),
        Failure(code=429),
        Failure(response=SimpleNamespace(status_code=429)),
        Failure(response=SimpleNamespace(status=429)),
        Failure(response={"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 429}}),
        Failure("Error code: 429 - too many requests"),
        ExceptionGroup("two", [Failure(status_code=429), Failure()]),
        raised(Failure("it failed"), cause=ValueError("HTTP 429")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_status_is_found(error: Exception) -> None:
    """Wherever a package keeps it."""
    assert 429 in statuses(error)


@pytest.mark.parametrize(
    "error",
    [
        Failure("took 4290 ms"),
        Failure(code="rate_limited"),
        Unread("it failed"),
        raised(Failure("it failed"), cause=ValueError("HTTP 429"), hidden=True),
    ],
    ids=str,
)
def test_no_status_is_found(error: Exception) -> None:
    """A longer number, a code that is a word, a response that was not read and an error that is hidden have none."""
    assert 429 not in statuses(error)


@pytest.mark.parametrize(
    "error",
    [
        Failure("the fish sleep"),
        Failure(message="the fish sleep"),
        Failure(body={"error": {"message": "the fish sleep"}}),
        Failure(response=SimpleNamespace(text="the fish sleep")),
        Failure(response={"Error": {"Message": "the fish sleep"}}),
        raised(Failure("it failed"), cause=ValueError("the fish sleep")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_words_are_found(error: Exception) -> None:
    """Wherever a package keeps them."""
    assert "the fish sleep" in words(error)


def test_words_that_are_hidden_are_not_found() -> None:
    """Neither those of an error that is hidden nor those of a response that was not read."""
    assert "fish" not in words(raised(Failure("it failed"), cause=ValueError("the fish sleep"), hidden=True))
    assert "fish" not in words(Unread("it failed"))


def test_a_chain_that_is_a_ring_ends() -> None:
    """Each error comes once."""
    one, other = Failure("one"), Failure("other")
    one.__cause__, other.__cause__ = other, one
    assert list(chain(one)) == [one, other]


def test_a_report_has_notes_and_causes() -> None:
    """All that a log shows of an error."""
    error = raised(Failure("it failed"), cause=ValueError("the fish sleep"))
    error.add_note("asked at noon")
    assert all(told in report(error) for told in ("it failed", "the fish sleep", "asked at noon"))
