"""The list of what the matrix measures, and the one that is shipped."""

from pathlib import Path

import pytest

from conformance.integrations import shipped
from conformance.matrix.listing import SHIPPED, Integration, ListError, chosen, load

GROQ = '[[integration]]\nmodel = "langchain_groq:ChatGroq"\npackages = ["langchain-groq==1.1.3"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.toml"


def named(*names: str) -> list[Integration]:
    """Integrations; what has a slash in its name shares the environment that stands before it."""
    return [Integration(name=name, model=f"m:{name}", packages=(name.partition("/")[0],)) for name in names]


def test_an_entry_is_read(file: Path) -> None:
    """All keys, and the name where none is given."""
    more = 'python = "3.12"\nconstraints = ["httpx<1"]\nkwargs = { temperature = 0 }\n'
    file.write_text(GROQ + more)
    wanted = Integration(
        name="langchain_groq:ChatGroq",
        model="langchain_groq:ChatGroq",
        packages=("langchain-groq==1.1.3",),
        constraints=("httpx<1",),
        python="3.12",
        kwargs={"temperature": 0},
    )
    assert load(file) == [wanted]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[integration", "is no TOML: "),
        ("", "holds no [[integration]] tables"),
        ("[[integrations]]", "unknown key 'integrations'; did you mean 'integration'?"),
        (GROQ + "package = 1", "integration 1: unknown key 'package'; did you mean 'packages'?"),
        (GROQ + "colour = 1", "unknown key 'colour'; known here: model, packages"),
        (GROQ.replace("model", "name"), 'model is written model = "package.module:Name", not None'),
        (GROQ.replace(":", "."), "not 'langchain_groq.ChatGroq'"),
        (GROQ.replace("[", "(", 0).replace('["langchain-groq==1.1.3"]', '"x"'), "packages is a list of requirements"),
        (GROQ + "python = 3.12", 'python is a version such as "3.12", not 3.12'),
        (GROQ + "kwargs = 1", "kwargs is a table of constructor arguments, not 1"),
        (GROQ + 'name = " "', "name is a text"),
        (GROQ + 'environment = "current"', "packages is of an environment that is built"),
        (GROQ + 'environment = "here"', 'environment is "current" or left out'),
        ('[[integration]]\nmodel = "a:B"', 'packages = ["…"] says what to install'),
        (GROQ + GROQ, "langchain_groq:ChatGroq stands 2 times; give each a name of its own"),
    ],
)
def test_bad_lists_are_refused(file: Path, text: str, message: str) -> None:
    """Each error names the file, the place and what to write."""
    file.write_text(text)
    with pytest.raises(ListError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert message in str(refused.value)


def test_a_list_must_be_there(file: Path) -> None:
    """The error says which file was looked for."""
    with pytest.raises(ListError, match="cannot be read: No such file"):
        load(file)


def test_globs_choose() -> None:
    """By name, by model and by class; one that matches nothing is a mistake."""
    found = named("a.ChatGroq", "a.ChatOther")
    assert [each.name for each in chosen(found, only=["*Groq"])] == ["a.ChatGroq"]
    assert chosen(found, only=["m:a.Chat*"]) == found
    with pytest.raises(ListError, match="called so; did you mean a"):
        chosen(found, only=["a.ChatGroc"])


def test_shards_are_all_and_share_no_environment() -> None:
    """Each integration is in one shard, and one environment is built on one machine alone."""
    found = named("a", "b/1", "b/2", "c", "d", "b/3")
    shards = [[each.name for each in chosen(found, shard=f"{number}/3")] for number in (1, 2, 3)]
    assert shards == [["a", "d"], ["b/1", "b/2", "b/3"], ["c"]]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_shards_are_parts(shard: str) -> None:
    """A part that is none is refused."""
    with pytest.raises(ListError, match="--shard is written 1/4"):
        chosen(named("a"), shard=shard)


def test_the_shipped_list_has_all_stanzas() -> None:
    """Each class with a stanza that is aimed stands in it, and once more for each further wire, at a release."""
    found = load(SHIPPED)
    measured = [(each.model.partition(".")[0].partition(":")[0], each.model.rpartition(":")[2]) for each in found]
    wanted = [
        (name.partition(".")[0].partition(":")[0], name.rpartition(":")[2])
        for name, stanza in shipped().items()
        if not stanza.in_process
        for _ in (stanza.wire, *stanza.also)
    ]
    assert sorted(measured) == sorted(wanted)
    assert all("==" in each.packages[0] for each in found)
