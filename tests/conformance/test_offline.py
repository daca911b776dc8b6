"""A run is held to loopback, and tells who tried to leave."""

import pytest

from .plugin_runs import REFERENCE, run

MODELS = """
import contextlib
import socket

from tests.reference import ReferenceChat


class Aimed(ReferenceChat):
    "Asks its own provider, wherever it is aimed."

    def model_post_init(self, context, /):
        self.base_url = "https://provider.example/v1"


class Telling(ReferenceChat):
    "Tells somebody else of each call, and swallows what comes of it."

    def _generate(self, *args, **kwargs):
        with contextlib.suppress(Exception):
            socket.create_connection(("192.0.2.1", 443), timeout=1)
        return super()._generate(*args, **kwargs)


class Fetching(ReferenceChat):
    "Asks its provider for what it can do when it is made."

    def model_post_init(self, context, /):
        socket.getaddrinfo("provider.example", 443)
"""
TITLE = "kept from leaving loopback (nothing was sent; docs/integrations.md says more):"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_model_that_asks_elsewhere_is_told(folder: pytest.Pytester, workers: str) -> None:
    """With its first item: the text of the failure and the end of the run name host, port and caller, once each."""
    folder.makepyfile(models=MODELS)
    result = run(folder, "--chat-model=models:Aimed", "-k", "INVOKE-01-sync", "-p", "xdist", "-n", workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "  network    kept from reaching provider.example:443, from *reference.py:*: loopback alone*",
            TITLE,
            "  provider.example:443  from *reference.py:*, first during INVOKE-01-sync-*",
        ]
    )
    assert sum(line.startswith("  provider.example:443") for line in result.outlines) == 1


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_a_model_swallows_is_told(folder: pytest.Pytester, workers: str) -> None:
    """The rule is judged on the answer, which is right; the attempt is shown at the end, and does not fail the run."""
    folder.makepyfile(models=MODELS)
    result = run(folder, "--chat-model=models:Telling", "-k", "INVOKE-05-sync", "-p", "xdist", "-n", workers)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([TITLE, "  192.0.2.1:443  from models.py:*, first during INVOKE-05-sync*"])


def test_a_model_that_leaves_while_it_is_built(folder: pytest.Pytester) -> None:
    """It is a usage error, which names the host."""
    folder.makepyfile(models=MODELS)
    result = run(folder, "--chat-model=models:Fetching")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: models:Fetching cannot be built: LeavesLoopback: *", "kept from reaching provider.example:443, from *"]
    )


def test_the_users_own_tests_are_not_held(folder: pytest.Pytester) -> None:
    """Nor is anything after the run."""
    folder.makepyfile(
        test_own="""
        from conformance.loopback import attempts, _GUARDS


        def test_own(chat_model):
            _GUARDS[-1].refuse("provider.example")
            assert attempts() == ()
        """
    )
    result = run(folder, REFERENCE, "test_own.py", "conformance::ReferenceChat::INVOKE-05-sync")
    result.assert_outcomes(passed=2)
    assert TITLE not in result.outlines
