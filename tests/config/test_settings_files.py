"""Settings: what is refused and how it is said; samples that load and leave no key out."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import BaseModel

from secfpp.errors import ConfigError
from secfpp.settings.files import (
    CoordinatorSettings,
    JobSettings,
    PartySettings,
    job_from,
)
from secfpp.settings.loading import load, origins, strange_variables
from secfpp.settings.network import NetworkSettings

MODELS = {
    "coordinator.toml": CoordinatorSettings,
    "party.toml": PartySettings,
    "job.toml": JobSettings,
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, "utf-8")
    return path


def sample(name: str) -> str:
    return files("secfpp.settings").joinpath("samples", name).read_text("utf-8")


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (\w+ = )", r"\1", text)


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= keys_of(inner, f"{prefix}{name}.")
        else:
            found.add(f"{prefix}{name}")
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_loads_as_it_is_and_with_every_line_switched_on(tmp_path, name):
    for text in (sample(name), uncommented(sample(name))):
        load(MODELS[name], written(tmp_path, text), {})


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_shows_every_key_and_its_true_default(tmp_path, name):
    shown = tomllib.loads(uncommented(sample(name)))
    flat = {
        f"{table}.{key}": value
        for table, values in shown.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if table not in ("parties", "peers")
    }
    flat |= {key: value for key, value in shown.items() if not isinstance(value, dict)}
    flat |= {table: shown[table] for table in ("parties", "peers") if table in shown}
    assert set(flat) == keys_of(MODELS[name])
    defaults = load(MODELS[name], written(tmp_path, sample(name)), {})
    everything = load(MODELS[name], written(tmp_path, uncommented(sample(name))), {})
    examples = {"path", "colluders", "stragglers", "fraction_bits", "minimum_cluster"}
    examples |= {"peers", "query_budget", "apart", "metrics.listen", "store_key", "data.kind"}
    for key in keys_of(MODELS[name]):
        if not {key, key.split(".")[-1]} & examples:
            assert value_of(defaults, key) == value_of(everything, key), key


def value_of(settings: BaseModel, key: str) -> object:
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path):
    path = written(tmp_path, sample("job.toml").replace("[protocol]", "[protocol]\ncoluders = 1"))
    with pytest.raises(ConfigError) as refusal:
        load(JobSettings, path, {})
    assert "protocol.coluders is no setting; did you mean protocol.colluders?" in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_an_unknown_table_is_refused_with_the_nearest_known_one(tmp_path):
    with pytest.raises(ConfigError, match=r"protocl is no setting; did you mean protocol\?"):
        load(JobSettings, written(tmp_path, "[protocl]\ncolluders = 1"), {})


def test_a_missing_required_key_is_named(tmp_path):
    with pytest.raises(ConfigError, match="state_dir is required and missing"):
        load(PartySettings, written(tmp_path, '[tls]\ndirectory = "pki"'), {})


def test_a_wrong_value_is_refused_by_key_and_rule(tmp_path):
    with pytest.raises(ConfigError, match="rounds: Input should be greater than or equal to 1"):
        load(JobSettings, written(tmp_path, "rounds = 0"), {})


PARTY = 'state_dir = "state"\n[tls]\ndirectory = "pki"\n'
COORDINATOR = PARTY + "[parties]\n"
SOMEBODY = COORDINATOR + 'a = "x:1"\n'


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:99999", "127.0.0.1:0", "localhost", "127.0.0.1:", ":7760", "::1:7760", "a b:1", ""],
)
@pytest.mark.parametrize("key", ["listen", "operator_listen", "coordinator_address"])
def test_what_is_no_address_is_refused_by_its_key_with_what_came(tmp_path, key, address):
    model, rest = (
        (PartySettings, PARTY) if key.startswith("co") else (CoordinatorSettings, SOMEBODY)
    )
    with pytest.raises(ConfigError) as refusal:
        load(model, written(tmp_path, f'{key} = "{address}"\n{rest}'), {})
    assert f"{key}: host:port is expected" in str(refusal.value)
    assert f'from 1 to 65535, not "{address}"' in str(refusal.value)


@pytest.mark.parametrize("address", ["h:1", "10.0.0.7:65535", "[::1]:7760", "a-b.example:80"])
def test_hosts_by_name_and_by_either_number_are_addresses(tmp_path, address):
    text = f'listen = "{address}"\n{SOMEBODY}b = "{address}"\n[metrics]\nlisten = "{address}"'
    settings = load(CoordinatorSettings, written(tmp_path, text), {})
    assert settings.listen == settings.parties["b"] == settings.metrics.listen == address


@pytest.mark.parametrize(
    ("parties", "words"),
    [
        ("", "parties: nobody is on the roster"),
        ('a = "foo"', "parties.a: host:port is expected"),
        ('"Bad Name" = "x:1"', 'parties.Bad Name: a name of .* is expected, not "Bad Name"'),
        ('a = "x:1"\nb = "x:1"', "parties: a and b are given one address, x:1"),
    ],
)
def test_a_roster_is_of_names_each_at_an_address_of_its_own(tmp_path, parties, words):
    with pytest.raises(ConfigError, match=words):
        load(CoordinatorSettings, written(tmp_path, COORDINATOR + parties), {})


def test_peers_and_metrics_and_relays_are_addresses_too(tmp_path):
    for model, text, key in (
        (PartySettings, PARTY + '[peers]\na = "x"', "peers.a"),
        (PartySettings, PARTY + '[metrics]\nlisten = ":9464"', "metrics.listen"),
        (PartySettings, 'coordinator = "The Boss"\n' + PARTY, "coordinator"),
        (NetworkSettings, '[[links]]\nlisten = "x"\nto = "h:1"\nprofile = "wan"', "links.0.listen"),
    ):
        with pytest.raises(ConfigError, match=f"{key}: .* is expected"):
            load(model, written(tmp_path, text), {})


def test_paths_in_a_file_count_from_its_directory_and_others_from_where_one_is(tmp_path):
    path = written(tmp_path, PARTY + '[data]\npath = "~/images"\n[vectors]\npath = "/v.npy"')
    settings = load(PartySettings, path, {"SECFPP_STORE_KEY": "key"}, flags=["tls.directory=pki"])
    assert settings.state_dir == tmp_path / "state"
    assert settings.data.path == Path("~/images").expanduser()
    assert settings.vectors.path == Path("/v.npy")
    assert (settings.store_key, settings.tls.directory) == (Path("key"), Path("pki"))
    assert load(PartySettings, path, {}).tls.directory == tmp_path / "pki"


def test_a_wrong_value_is_said_with_its_true_source_and_with_what_came(tmp_path):
    path = written(tmp_path, "listen = 7\n" + PARTY)
    environment = {"SECFPP_TIME__CONNECT_WAIT": "abc"}
    with pytest.raises(ConfigError) as refusal:
        load(PartySettings, path, environment, flags=["data.shots=-1"])
    said = str(refusal.value)
    assert f"{path}: listen: Input should be a valid string, not 7; " in said
    assert "environment SECFPP_TIME__CONNECT_WAIT: time.connect_wait: " in said
    assert 'unable to parse string as a number, not "abc"' in said
    assert "flag --set data.shots: data.shots: Input should be greater than or equal" in said
    assert 'not "-1"' in said


@pytest.mark.parametrize("line", ["[time]\nidle_timeout = true", "[data]\npart = [true, 2]"])
def test_true_is_no_number(tmp_path, line):
    with pytest.raises(ConfigError, match=r"a number or a text is expected, not .*true"):
        load(PartySettings, written(tmp_path, PARTY + line), {})


def test_a_file_of_another_kind_is_said_to_be_one(tmp_path):
    coordinators = written(tmp_path, sample("coordinator.toml").replace("# operator", "operator"))
    with pytest.raises(ConfigError, match=r"this looks like a coordinator\.toml"):
        load(PartySettings, coordinators, {})
    with pytest.raises(ConfigError, match=r"this looks like a job\.toml"):
        load(PartySettings, written(tmp_path, sample("job.toml").replace("# rounds", "rounds")), {})


def test_variables_that_look_like_settings_and_are_none_are_named():
    environment = {
        "SECFPP_TIME__CONECT_WAIT": "3",
        "SECFPP_PARTYS": "{}",
        "SECFPP_WHAT__EVER": "1",
        "SECFPP_ONCE": "1",
        "SECFPP_ROUNDS": "1",
        "SECFPP_TRAINING__STEPS": "1",
        "SECFPP_OPERATOR_TLS": "pki",
        "SECFPP_PORT_7750_TCP": "of Kubernetes",
        "HOME": "/",
    }
    assert strange_variables(environment) == (
        "SECFPP_PARTYS sets nothing; did you mean SECFPP_PARTIES?",
        "SECFPP_TIME__CONECT_WAIT sets nothing; did you mean SECFPP_TIME__CONNECT_WAIT?",
        "SECFPP_WHAT__EVER sets nothing",
    )


def test_a_seed_beyond_the_largest_whole_number_of_toml_is_refused(tmp_path):
    assert load(JobSettings, written(tmp_path, f"seed = {2**63 - 1}"), {}).seed == 2**63 - 1
    said = "seed: Input should be less than or equal to 9223372036854775807"
    with pytest.raises(ConfigError, match=said):
        load(JobSettings, written(tmp_path, f"seed = {2**63}"), {})
    party = f'state_dir = "s"\n[tls]\ndirectory = "p"\n[data]\nseed = {2**63}'
    with pytest.raises(ConfigError, match=f"data.{said}"):
        load(PartySettings, written(tmp_path, party), {})


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("key", ["protocol.clip", "clustering.apart", "training.learning_rate"])
def test_a_number_that_is_not_finite_is_refused(tmp_path, key, value):
    table, name = key.split(".")
    path = written(tmp_path, f"[{table}]\n{name} = {value}")
    with pytest.raises(ConfigError, match=f"{key}: Input should be a finite number"):
        load(JobSettings, path, {})


def test_what_is_wrong_with_a_whole_table_is_said_without_an_empty_key(tmp_path):
    path = written(tmp_path, '[sites]\nhere = ["ann"]\nthere = ["ann"]')
    with pytest.raises(ConfigError) as refusal:
        load(NetworkSettings, path, {})
    assert str(refusal.value) == f"{path}: ann is at two sites; everyone is at one"


def test_toml_that_is_none_and_a_file_that_is_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match="is no valid TOML"):
        load(JobSettings, written(tmp_path, "rounds = = 3"), {})
    with pytest.raises(ConfigError, match="cannot read"):
        load(JobSettings, tmp_path / "missing.toml", {})


def test_the_three_waits_are_kept_in_order(tmp_path):
    text = '[tls]\ndirectory = "p"\n[parties]\na = "h:1"\n[time]\nround_deadline = 10'
    with pytest.raises(ConfigError, match=r"round_deadline must not be below .* 10 < 60"):
        load(CoordinatorSettings, written(tmp_path, 'state_dir = "s"\n' + text), {})


def test_the_environment_beats_the_file_and_the_file_the_default(tmp_path):
    path = written(tmp_path, "rounds = 5\n[training]\nsteps = 7")
    environment = {"SECFPP_TRAINING__STEPS": "9"}
    assert load(JobSettings, path, {}).training.steps == 7
    assert load(JobSettings, path, environment).training.steps == 9
    found = {item.key: item for item in origins(JobSettings, path, environment)}
    assert found["training.steps"].source == "environment SECFPP_TRAINING__STEPS"
    assert found["rounds"].source == str(path)
    assert found["seed"].source == "default"
    assert found["training.steps"].value == "9"


def test_a_flag_beats_the_environment(tmp_path):
    path = written(tmp_path, "rounds = 5")
    environment = {"SECFPP_ROUNDS": "6", "SECFPP_SEED": "3"}
    flags = ["rounds=7", "training.optimiser=sgd"]
    job = load(JobSettings, path, environment, flags=flags)
    assert (job.rounds, job.seed, job.training.optimiser) == (7, 3, "sgd")
    found = {item.key: item for item in origins(JobSettings, path, environment, flags=flags)}
    assert found["rounds"].source == "flag --set rounds"
    assert found["seed"].source == "environment SECFPP_SEED"


@pytest.mark.parametrize("name", MODELS)
def test_every_key_can_be_set_by_environment_and_flag(tmp_path, name):
    path = written(tmp_path, uncommented(sample(name)))
    everything = load(MODELS[name], path, {}).model_dump(mode="json")
    texts = {key: value_at(everything, key) for key in keys_of(MODELS[name])}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in texts.items()}
    environment = {"SECFPP_" + k.upper().replace(".", "__"): v for k, v in texts.items()}
    flags = [f"{key}={text}" for key, text in texts.items()]
    bare = written(tmp_path, "")
    assert load(MODELS[name], bare, environment).model_dump(mode="json") == everything
    assert load(MODELS[name], bare, {}, flags=flags).model_dump(mode="json") == everything


def value_at(values: dict, key: str) -> object:
    for part in key.split("."):
        values = values[part]
    return values


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("rounds", "sets nothing"),
        ("protocol=3", r"protocol is a table; set its keys, such as protocol\.colluders"),
        ("foo=3", r"--set foo=3: foo is no setting$"),
        ("roundz=3", r"roundz is no setting; did you mean rounds\?"),
        ("rounds=many", "rounds: Input should be a valid integer"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_in_words(tmp_path, flag, words):
    with pytest.raises(ConfigError, match=words):
        load(JobSettings, written(tmp_path, ""), {}, flags=[flag])


def test_a_list_in_the_environment_is_json(tmp_path):
    path = written(tmp_path, 'state_dir = "s"\n[tls]\ndirectory = "pki"')
    settings = load(PartySettings, path, {"SECFPP_DATA__PART": "[1, 4]"})
    assert settings.data.part == (1, 4)
    with pytest.raises(ConfigError, match=r"data.part: '1, 4' is no JSON"):
        load(PartySettings, path, {"SECFPP_DATA__PART": "1, 4"})


def test_a_job_survives_its_way_as_json():
    job = JobSettings(name="clinic", rounds=2)
    assert job_from(job.model_dump_json()) == job
    with pytest.raises(ConfigError, match="no valid JSON"):
        job_from("{")


@pytest.mark.parametrize(
    "setting",
    [
        *("protocol.clip = 1e308", "protocol.fraction_bits = 2000", "clustering.apart = 1e200"),
        *("protocol.colluders = -1", "protocol.adversaries = -1", "protocol.stragglers = -1"),
        *("protocol.minimum_cluster = 0", "clustering.query_budget = 0"),
    ],
)
def test_a_job_with_a_number_beyond_reason_is_refused(tmp_path, setting):
    """Whoever takes part would fall over it, and again at each start."""
    with pytest.raises(ConfigError, match=setting.partition(" ")[0]):
        load(JobSettings, written(tmp_path, setting), {})


def test_a_job_that_is_nested_beyond_reason_is_no_job():
    with pytest.raises(ConfigError, match="nested beyond reason"):
        job_from("[" * 100_000)
