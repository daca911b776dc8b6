"""How keys, and the ids of accounts, look in texts."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_START: Final = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9A-F]{2}))"
"""Before a key stands no part of a word; but the `n` of an escaped line feed is none, nor is an escaped character."""

REDACTED: Final = "REDACTED"


def mask(secret: bytes) -> bytes:
    """As many bytes that say that something was here."""
    return (REDACTED.encode() * (len(secret) // len(REDACTED) + 1))[: len(secret)]


def is_mask(text: bytes) -> bool:
    """Whether a text is what stands in place of a secret."""
    return text == mask(text)


def _group(found: re.Match[bytes] | re.Match[str]) -> int | str:
    return "id" if "id" in found.re.groupindex else 0


@dataclass(frozen=True)
class Format:
    """How secrets of one kind look.

    Args:
        issuer: who issues them, or what they are.
        marks: texts of which one is in each of them, so that most bodies need not be searched.
        pattern: a regular expression; what is to go is its group `id`, or all that it matches where it has none.
    """

    issuer: str
    marks: tuple[str, ...]
    pattern: str

    @cached_property
    def _bytes(self) -> re.Pattern[bytes]:
        return re.compile(self.pattern.encode())

    @cached_property
    def _text(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def is_in(self, text: str) -> bool:
        """Whether a text has such a secret, and not only what stands in place of one."""
        if self.marks and not any(mark in text for mark in self.marks):
            return False
        return any(not is_mask(found[_group(found)].encode()) for found in self._text.finditer(text))

    def overwrite(self, data: bytes) -> tuple[bytes, int]:
        """The bytes with as many others in place of each secret, and how many secrets that were."""
        count = 0

        def masked(found: re.Match[bytes]) -> bytes:
            nonlocal count
            group = _group(found)
            secret, start = found[group], found.start(group) - found.start()
            count += not is_mask(secret)
            return found[0][:start] + mask(secret) + found[0][start + len(secret) :]

        if self.marks and not any(mark.encode() in data for mark in self.marks):
            return data, 0
        return self._bytes.sub(masked, data), count


def _prefixed(issuer: str, prefix: str, rest: str) -> Format:
    return Format(issuer, (prefix,), _START + re.escape(prefix) + rest)


# Sources: GitHub's "Supported secret scanning patterns" (https://docs.github.com/en/code-security/secret-scanning), the
# rules of gitleaks (https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml), and the providers' pages on
# their keys. Formats without a prefix (Mistral, Cohere, Azure, IBM) are known by the request that brings such a key.
FORMATS: Final = (
    _prefixed("Anthropic", "sk-ant-", r"[\w-]{16,}"),
    _prefixed("OpenRouter", "sk-or-", r"[\w-]{16,}"),
    _prefixed("OpenAI, DeepSeek, Moonshot and others", "sk-", r"(?=[\w-]*\d)[\w-]{16,}"),
    _prefixed("OpenAI sessions", "sess-", r"[A-Za-z0-9]{20,}"),
    _prefixed("Google", "AIza", r"[\w-]{30,}"),
    _prefixed("Google access", "ya29.", r"[\w.-]{16,}"),
    _prefixed("Groq", "gsk_", r"[A-Za-z0-9]{20,}"),
    _prefixed("xAI", "xai-", r"[A-Za-z0-9]{20,}"),
    _prefixed("Hugging Face", "hf_", r"[A-Za-z0-9]{20,}"),
    Format(
        "Amazon",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        _START + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9+])",
    ),
    Format(
        "Amazon Bedrock",
        ("ABSK", "bedrock-api-key-"),
        _START + r"(?:ABSK[A-Za-z0-9+/]{80,}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{16,}={0,2})",
    ),
    Format(
        "Amazon signatures",
        ("X-Amz-",),
        r"X-Amz-(?:Signature|Credential|Security-Token)=(?P<id>[^&\s\"\\]{8,})",
    ),
    _prefixed("NVIDIA", "nvapi-", r"[\w-]{20,}"),
    _prefixed("Perplexity", "pplx-", r"[A-Za-z0-9]{20,}"),
    _prefixed("Fireworks", "fw_", r"[A-Za-z0-9]{20,}"),
    _prefixed("Cerebras", "csk-", r"[A-Za-z0-9]{20,}"),
    _prefixed("Together", "tgp_v", r"\d_[\w-]{20,}"),
    _prefixed("Replicate", "r8_", r"[A-Za-z0-9]{20,}"),
    _prefixed("LangSmith", "lsv2_", r"(?:pt|sk)_[0-9a-f]{20,}\w*"),
    _prefixed("Databricks", "dapi", r"[0-9a-f]{32}(?:-\d)?"),
    Format(
        "GitHub",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _START + r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
    ),
    _prefixed("JSON web tokens", "eyJ", r"[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    Format(
        "bearer credentials",
        ("earer ", "EARER "),
        _START + r"(?i:bearer) (?=[\w.~+/=-]*\d)(?P<id>[\w.~+/=-]{16,})",
    ),
    Format(
        "private keys",
        ("PRIVATE KEY-----",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<id>(?:[^-\"]|-(?!----))+)",
    ),
)
"""The formats of keys."""
_COLON: Final = r"(?::|%3[Aa])"
ACCOUNTS: Final = (
    Format(
        "organisations, projects, users",
        ("org-", "org_", "proj_", "user-"),
        _START + r"(?:org[-_]|proj_|user-)[A-Za-z0-9]{16,}",
    ),
    Format(
        "accounts of Amazon",
        ("arn:", "arn%3A", "arn%3a"),
        rf"arn{_COLON}aws[\w-]*(?:{_COLON}[\w-]*){{2}}{_COLON}(?P<id>\d{{12}})(?!\d)",
    ),
    Format("accounts of Oracle", ("ocid1.",), r"ocid1\.(?:tenancy|compartment|user)\.[\w.-]{20,}"),
    Format("projects of Google", ("projects/",), r"(?<![\w-])projects/(?P<id>[\w.:%-]+)(?=/locations/)"),
)
"""The formats of ids of organisations, projects, users and accounts."""
PATHS: Final = (
    Format(
        "accounts in paths",
        (),
        r"/(?:accounts|organizations|projects|resourceGroups|subscriptions|tenants|workspaces)/(?P<id>[^/?]+)",
    ),
    Format("accounts of Cloudflare", (), r"/(?P<id>[0-9a-f]{32})(?=/|$)"),
)
"""Where paths name an account: after a word that says so, or as a segment of 32 digits of base 16."""
_FIELD: Final = (
    r"(?i:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access)?[_-]?key)?|client[_-]?secret|password|"
    r"(?:access|refresh|id|session|auth|bearer)[_-]?token|authorization|cookie|email|"
    r"organi[sz]ation(?:[_-]?id)?|(?:org|account|tenant|subscription|compartment|project|space|user)[_-]?id|"
    r"safety[_-]?identifier)"
)
FIELDS: Final = (
    Format("fields", ('"',), rf'"{_FIELD}"\s*:\s*"(?P<id>(?:[^"\\]|\\.)+)(?=")'),
    Format(
        "fields in JSON that is text in other JSON", ('\\"',), rf'\\+"{_FIELD}\\+"\s*:\s*\\+"(?P<id>[^"\\]+)(?=\\+")'
    ),
)
"""Fields of JSON that are named as secrets or accounts."""
