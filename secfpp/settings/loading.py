"""Reading TOML into strict models: flag > environment > file > default (docs: interfaces).

Environment variables are `SECFPP_<SECTION>__<KEY>`, in capitals. An unknown key is refused with the
nearest known one; a wrong value with the key, what was expected and what came.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from secfpp.errors import ConfigError

ENVIRONMENT_PREFIX = "SECFPP_"

Values = dict[str, object]


class Section(BaseModel):
    """A table of a TOML file: frozen, and closed to keys that do not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True)
class Origin:
    """One setting: its dotted key, its value as text, and where it came from."""

    key: str
    value: str
    source: str


def load(model: type[Model], path: Path, environment: Mapping[str, str] = os.environ) -> Model:
    """Read a TOML file into `model`; ConfigError names file, key, rule and remedy."""
    values = _read(path)
    for key, text in _from_environment(model, environment):
        _put(values, key, text)
    return parse(model, values, str(path))


def parse(model: type[Model], values: Mapping[str, object], source: str) -> Model:
    """Check values that were read from `source` and build the model."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentence(model, error, source)) from None


def origins(
    model: type[Model], path: Path, environment: Mapping[str, str] = os.environ
) -> tuple[Origin, ...]:
    """Every setting with its value and whether it came from environment, file or default."""
    loaded = load(model, path, environment)
    written = {".".join(key) for key, _ in _leaves(_read(path))}
    exported = {".".join(key) for key, _ in _from_environment(model, environment)}
    found = []
    for key, value in _leaves(loaded.model_dump(mode="json")):
        name = ".".join(key)
        source = "default"
        if name in exported:
            source = f"environment {_variable(key)}"
        elif name in written or any(name.startswith(f"{k}.") for k in written):
            source = str(path)
        found.append(Origin(name, str(value), source))
    return tuple(found)


def _read(path: Path) -> Values:
    try:
        return dict(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error


def _known_keys(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _known_keys(inner, (*prefix, name))
        else:
            yield (*prefix, name)


def _variable(key: tuple[str, ...]) -> str:
    return ENVIRONMENT_PREFIX + "__".join(part.upper() for part in key)


def _from_environment(
    model: type[BaseModel], environment: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key in _known_keys(model):
        if _variable(key) in environment:
            yield key, environment[_variable(key)]


def _put(values: Values, key: tuple[str, ...], text: str) -> None:
    table = values
    for part in key[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # The file's own mistake is reported when the model is built.
        table = inner
    table[key[-1]] = text


def _leaves(
    values: Mapping[str, object], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
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
            known = [".".join(parts) for parts in _known_keys(model)]
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            sentences.append(f"{key} is no setting{hint}")
        elif problem["type"] == "missing":
            sentences.append(f"{key} is required and missing")
        else:
            sentences.append(f"{key}: {problem['msg']}")
    return f"{source}: " + "; ".join(sentences)
