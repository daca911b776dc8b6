"""How tests of the plugin run pytest."""

import pytest

# pytester forgets what a run imports; what is imported already need not be imported again for each run.
import conformance.rules
import conformance.session  # noqa: F401
import tests.reference  # noqa: F401

REFERENCE = "--chat-model=tests.reference:ReferenceChat"
STANZA = """
[tool.conformance.models."tests.reference:ReferenceChat"]
wire = "openai-chat"
kwargs = { model = "m", api_key = "{key}", base_url = "{url}/v1" }
"""


def run(folder: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with the plugin."""
    return folder.runpytest_inprocess("-p", "conformance.plugin", *arguments)
