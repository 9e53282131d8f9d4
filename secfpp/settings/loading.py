"""Reading TOML into strict models: flag > environment > file > default (docs: interfaces).

Flags are `--set section.key=value`, environment variables `SECFPP_<SECTION>__<KEY>`, in capitals;
lists and tables in them are JSON. Paths in a file count from the file's directory, others from the
working directory. An unknown key is refused with the nearest known one; a wrong value with where it
came from, the key, what was expected and what came.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_settings import EnvSettingsSource, SettingsError

from secfpp.errors import ConfigError

ENVIRONMENT_PREFIX = "SECFPP_"
OTHER_VARIABLES = {"SECFPP_OPERATOR_TLS", "SECFPP_OPERATOR_ADDRESS"}
"""Of options of commands, not of files."""

Values = dict[str, object]
Key = tuple[str, ...]


class Section(BaseModel):
    """A table of a TOML file: frozen, closed to keys that do not exist, and all numbers finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, about: ValidationInfo) -> object:
        """Python takes true for 1, in a list too; people do not."""
        for item in value if isinstance(value, list) else (value,):
            kind = cls.model_fields[str(about.field_name)].annotation
            if isinstance(item, bool) and kind is not bool:
                raise ValueError("a number or a text is expected")
        return value


class SettingsFile(Section):
    """A whole file, `file` by its usual name."""

    file: ClassVar[str]


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
    """Read a TOML file into `model`; ConfigError names source, key, rule and what came."""
    values = _read(model, path)
    sources = {}
    for key, value, source in _given(model, environment, flags):
        _put(values, key, value)
        sources[key] = source
    return parse(model, values, str(path), sources)


def parse(
    model: type[Model],
    values: Mapping[str, object],
    source: str,
    others: Mapping[Key, str] | None = None,
) -> Model:
    """Check values that were read from `source`, or from `others` by key, and build the model."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        other = _mistaken_for(model, values)
        if other:
            raise ConfigError(
                f"{source}: this looks like a {other}", fix="give the command its own kind of file"
            ) from None
        raise ConfigError(_sentence(model, error, source, others or {})) from None


def origins(
    model: type[Model],
    path: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    flags: Sequence[str] = (),
) -> tuple[Origin, ...]:
    """Every setting with its value and whether flag, environment, file or default gave it."""
    loaded = load(model, path, environment, flags=flags)
    sources = {key: str(path) for key, _ in _leaves(_read(model, path))}
    sources |= {key: source for key, _, source in _given(model, environment, flags)}
    found = []
    for key, value in _leaves(loaded.model_dump(mode="json")):
        found.append(Origin(".".join(key), _text(value), _source(key, sources, "default")))
    return tuple(found)


def strange_variables(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """In words: environment variables that look like settings, and are none of any file's."""
    known = {_variable(key) for file in SettingsFile.__subclasses__() for key in _known_keys(file)}
    said = []
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in known | OTHER_VARIABLES:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near or "__" in name:  # Others may have names of their own that begin alike.
            said.append(f"{name} sets nothing{f'; did you mean {near[0]}?' if near else ''}")
    return tuple(said)


def _read(model: type[BaseModel], path: Path) -> Values:
    """The tables of a file, with its relative paths made to count from its directory."""
    try:
        values: Values = dict(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error
    return _placed(model, values, path.parent)


def _placed(model: type[BaseModel], values: Values, directory: Path) -> Values:
    placed = dict(values)
    for name, field in model.model_fields.items():
        value, kind = values.get(name), field.annotation
        if isinstance(value, str) and kind in (Path, Path | None):
            placed[name] = str(directory / os.path.expanduser(value))
        elif isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, BaseModel):
            placed[name] = _placed(kind, value, directory)
    return placed


def _source(key: Key, sources: Mapping[Key, str], otherwise: str) -> str:
    """Where a key, or a table around it, came from."""
    above = (key[:length] for length in range(len(key), 0, -1))
    return next((sources[part] for part in above if part in sources), otherwise)


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


def _mistaken_for(model: type[BaseModel], values: Mapping[str, object]) -> str:
    """The other kind of file that all of `values` could stand in, where not all could in this."""
    names = set(values)
    if names <= set(model.model_fields):
        return ""
    others = SettingsFile.__subclasses__()
    return next((file.file for file in others if names <= set(file.model_fields)), "")


def _sentence(
    model: type[BaseModel], error: ValidationError, source: str, others: Mapping[Key, str]
) -> str:
    """All that is wrong, each source with its problems."""
    sentences: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_context=False):
        parts = tuple(str(part) for part in problem["loc"] if part != "[key]")
        key, came = ".".join(parts), problem["input"]
        if problem["type"] == "extra_forbidden":
            said = _unknown(model, key)
        elif problem["type"] == "missing":
            said = f"{key} is required and missing"
        else:
            said = problem["msg"].removeprefix("Value error, ")  # Of our own checks.
            said = f"{key}: {said}" if key else said
            if not isinstance(came, dict | BaseModel):
                said += f", not {json.dumps(came, default=str, ensure_ascii=False)[:60]}"
        sentences.setdefault(_source(parts, others, source), []).append(said)
    return "; ".join(f"{where}: {'; '.join(said)}" for where, said in sentences.items())


def _unknown(model: type[BaseModel], key: str) -> str:
    """That `key` is none, and the nearest key or table that is one."""
    known = [".".join(parts) for parts in _known_keys(model)]
    tables = dict.fromkeys(name.rpartition(".")[0] for name in known if "." in name)
    if key in tables:
        example = next(name for name in known if name.startswith(f"{key}."))
        return f"{key} is a table; set its keys, such as {example}"
    near = difflib.get_close_matches(key, [*known, *tables], n=1, cutoff=0.6)
    return f"{key} is no setting{f'; did you mean {near[0]}?' if near else ''}"
