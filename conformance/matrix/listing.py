"""The list of what the matrix measures: a TOML file with a table for each model.

::

    [[integration]]
    model = "langchain_groq:ChatGroq"             # as --chat-model takes it
    packages = ["langchain-groq==1.1.3"]          # what is installed
    constraints = ["httpx<1"]                     # versions to keep to, of what comes along
    python = "3.12"                               # where it is not to be the one that runs
    kwargs = { temperature = 0 }                  # constructor arguments
    name = "ChatGroq, cold"                       # where a model stands in the list more than once

``environment = "current"`` in place of packages, constraints and python: the packages that are installed here.
"""

import difflib
import fnmatch
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

CURRENT: Final = "current"
SHIPPED: Final = Path(__file__).with_name("integrations.toml")
"""The list that comes with this project: all classes that have stanzas."""
_KEYS: Final = ("model", "packages", "constraints", "python", "kwargs", "name", "environment")
_OF_ENVIRONMENTS: Final = ("packages", "constraints", "python")
_MODEL: Final = re.compile(r"[\w.]+:[\w.]+")
_PYTHON: Final = re.compile(r"3\.\d+")
_SHARD: Final = re.compile(r"([1-9]\d*)/([1-9]\d*)")


class ListError(Exception):
    """A list, or a choice from it, that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """A model and what is installed for it.

    Args:
        name: tells it from the others of the list.
        model: as ``--chat-model`` takes it.
        packages: requirements; none where it runs in the present environment.
        constraints: requirements that what comes along must meet.
        python: the version of Python, such as ``3.12``; empty for the present one.
        kwargs: constructor arguments.
        is_current: whether it runs in the present environment.
    """

    name: str
    model: str
    packages: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    python: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    is_current: bool = False


def load(file: Path) -> list[Integration]:
    """The integrations of a list, in its order.

    Raises:
        ListError: the file cannot be read, is no TOML, or an entry is not right.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ListError(f"{file}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ListError(f"{file}: is no TOML: {error}") from None
    for key in document:
        _check_key(key, ("integration",), str(file))
    tables = document.get("integration")
    if not isinstance(tables, list) or not tables or not all(isinstance(each, dict) for each in tables):
        raise ListError(f"{file}: holds no [[integration]] tables, one for each model")
    found = [parse(table, f"{file}: integration {number}") for number, table in enumerate(tables, 1)]
    for name, count in Counter(each.name for each in found).items():
        if count > 1:
            raise ListError(f"{file}: {name} stands {count} times; give each a name of its own: name = …")
    return found


def parse(table: Mapping[str, Any], where: str) -> Integration:
    """A checked entry.

    Raises:
        ListError: a key or a value is not right.
    """
    for key in table:
        _check_key(key, _KEYS, where)
    model = table.get("model")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise ListError(f'{where}: model is written model = "package.module:Name", not {model!r}')
    where = f"{where}, {model}"
    packages, constraints = (_texts(table, key, where) for key in ("packages", "constraints"))
    python, kwargs, name = table.get("python", ""), table.get("kwargs", {}), table.get("name", model)
    if python and (not isinstance(python, str) or not _PYTHON.fullmatch(python)):
        raise ListError(f'{where}: python is a version such as "3.12", not {python!r}')
    if not isinstance(kwargs, dict):
        raise ListError(f"{where}: kwargs is a table of constructor arguments, not {kwargs!r}")
    if not isinstance(name, str) or not name.strip():
        raise ListError(f"{where}: name is a text, not {name!r}")
    return Integration(
        name=name,
        model=model,
        packages=packages,
        constraints=constraints,
        python=python,
        kwargs=kwargs,
        is_current=_is_current(table, where),
    )


def _is_current(table: Mapping[str, Any], where: str) -> bool:
    """Whether an entry asks for the present environment.

    Raises:
        ListError: it asks for that and for packages, or for neither.
    """
    environment = table.get("environment")
    if environment not in (None, CURRENT):
        raise ListError(f'{where}: environment is "{CURRENT}" or left out, not {environment!r}')
    told = [key for key in _OF_ENVIRONMENTS if key in table]
    if environment and told:
        raise ListError(
            f'{where}: {told[0]} is of an environment that is built; environment = "{CURRENT}" is the present'
        )
    if not environment and not table.get("packages"):
        raise ListError(
            f'{where}: packages = ["…"] says what to install, or environment = "{CURRENT}" that all is here'
        )
    return bool(environment)


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ListError(f'{where}: {key} is a list of requirements such as ["langchain-groq==1.1.3"], not {value!r}')
    return tuple(value)


def _check_key(key: str, known: Sequence[str], where: str) -> None:
    if key not in known:
        nearest = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(known)}"
        raise ListError(f"{where}: unknown key {key!r}; {hint}")


def chosen(of: Sequence[Integration], *, only: Sequence[str] = (), shard: str = "") -> list[Integration]:
    """Those whose name or class matches one of these globs; of them, a part where a shard such as ``1/4`` is given.

    What shares an environment stays together, so that no machine builds what another does.

    Raises:
        ListError: a glob matches nothing, or the shard is none.
    """
    for glob in only:
        if not any(_matches(each, glob) for each in of):
            names = [each.name for each in of]
            nearest = difflib.get_close_matches(glob, [*names, *(name.rpartition(":")[2] for name in names)], 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else f"; it has {', '.join(names[:3])}, …"
            raise ListError(f"--only {glob}: nothing in the list is called so{hint}")
    found = [each for each in of if not only or any(_matches(each, glob) for glob in only)]
    return _shard(found, shard) if shard else found


def _matches(integration: Integration, glob: str) -> bool:
    names = (integration.name, integration.model, integration.model.rpartition(":")[2])
    return any(fnmatch.fnmatchcase(name, glob) for name in names)


def _shard(of: Sequence[Integration], shard: str) -> list[Integration]:
    match = _SHARD.fullmatch(shard)
    if not match or int(match[1]) > int(match[2]):
        raise ListError(f"--shard is written 1/4 (the first of four parts), not {shard}")
    places = list(dict.fromkeys((each.packages, each.constraints, each.python) for each in of))
    number, count = int(match[1]), int(match[2])
    mine = places[number - 1 :: count]
    return [each for each in of if (each.packages, each.constraints, each.python) in mine]
