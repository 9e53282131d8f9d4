"""Reading TOML into strict models: flag > environment > file > default (docs: interfaces).

Flags are `--set section.key=value`, environment variables `SECFPP_<SECTION>__<KEY>`, in capitals;
lists and tables in them are JSON. An unknown key is refused with the nearest known one; a wrong
value with the key, and what was expected.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from secfpp.errors import ConfigError

ENVIRONMENT_PREFIX = "SECFPP_"

Values = dict[str, object]
Key = tuple[str, ...]


class Section(BaseModel):
    """A table of a TOML file: frozen, closed to keys that do not exist, and all numbers finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True)
class Origin:
    """One setting: its dotted key, its value as text, and where it came from."""

    key: str
    value: str
    source: str


def load(
    model: type[Model],
    path: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    flags: Sequence[str] = (),
) -> Model:
    """Read a TOML file into `model`; ConfigError names file, key, rule and remedy."""
    values = _read(path)
    for key, value, _ in _given(model, environment, flags):
        _put(values, key, value)
    return parse(model, values, str(path))


def parse(model: type[Model], values: Mapping[str, object], source: str) -> Model:
    """Check values that were read from `source` and build the model."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentence(model, error, source)) from None


def origins(
    model: type[Model],
    path: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    flags: Sequence[str] = (),
) -> tuple[Origin, ...]:
    """Every setting with its value and whether flag, environment, file or default gave it."""
    loaded = load(model, path, environment, flags=flags)
    sources = {key: str(path) for key, _ in _leaves(_read(path))}
    sources |= {key: source for key, _, source in _given(model, environment, flags)}
    found = []
    for key, value in _leaves(loaded.model_dump(mode="json")):
        above = (key[:length] for length in range(len(key), 0, -1))
        source = next((sources[part] for part in above if part in sources), "default")
        found.append(Origin(".".join(key), _text(value), source))
    return tuple(found)


def _read(path: Path) -> Values:
    try:
        return dict(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error


def _known_keys(model: type[BaseModel], prefix: Key = ()) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _known_keys(inner, (*prefix, name))
        else:
            yield (*prefix, name)


def _variable(key: Key) -> str:
    return ENVIRONMENT_PREFIX + "__".join(part.upper() for part in key)


def _given(
    model: type[BaseModel], environment: Mapping[str, str], flags: Sequence[str]
) -> Iterator[tuple[Key, object, str]]:
    """Key, value and origin of what environment and flags set; the later beats the earlier."""
    known = list(_known_keys(model))
    for key in known:
        variable = _variable(key)
        if variable in environment:
            yield key, _value(model, key, environment[variable]), f"environment {variable}"
    for flag in flags:
        name, equals, text = flag.partition("=")
        key = tuple(name.split("."))
        if not equals:
            raise ConfigError(f"--set {flag} sets nothing", fix="write --set section.key=value")
        if key not in known:
            raise ConfigError(f"--set {flag}: {_unknown(model, name)}")
        yield key, _value(model, key, text), f"flag --set {name}"


class _Texts(EnvSettingsSource):
    """Settings from texts by name, as environment variables are; pydantic-settings reads them."""

    def __init__(self, model: type[BaseModel], texts: Mapping[str, str]) -> None:
        self._texts = {name.lower(): text for name, text in texts.items()}
        # It asks no more of a model than its fields.
        super().__init__(
            model,  # type: ignore[arg-type]
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter="__",
        )

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._texts


def _value(model: type[BaseModel], key: Key, text: str) -> object:
    """The value that `text` stands for: JSON for lists and tables, else the text itself."""
    try:
        value: object = _Texts(model, {_variable(key): text})()
    except SettingsError as error:
        raise ConfigError(f"{'.'.join(key)}: {text!r} is no JSON") from error
    for part in key:
        value = value[part] if isinstance(value, dict) else value
    return value


def _put(values: Values, key: Key, value: object) -> None:
    table = values
    for part in key[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # The file's own mistake is reported when the model is built.
        table = inner
    table[key[-1]] = value


def _text(value: object) -> str:
    """A value for people: as in the file, and nothing where there is none."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _leaves(values: Mapping[str, object], prefix: Key = ()) -> Iterator[tuple[Key, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _sentence(model: type[BaseModel], error: ValidationError, source: str) -> str:
    sentences = []
    for problem in error.errors(include_url=False, include_context=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            sentences.append(_unknown(model, key))
        elif problem["type"] == "missing":
            sentences.append(f"{key} is required and missing")
        else:
            rule = problem["msg"].removeprefix("Value error, ")  # Of our own checks.
            sentences.append(f"{key}: {rule}" if key else rule)
    return f"{source}: " + "; ".join(sentences)


def _unknown(model: type[BaseModel], key: str) -> str:
    """That `key` is none, and the nearest key or table that is one."""
    known = [".".join(parts) for parts in _known_keys(model)]
    tables = dict.fromkeys(name.rpartition(".")[0] for name in known if "." in name)
    near = difflib.get_close_matches(key, [*known, *tables], n=1, cutoff=0.4)
    return f"{key} is no setting{f'; did you mean {near[0]}?' if near else ''}"
