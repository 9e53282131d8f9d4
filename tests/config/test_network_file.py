"""network.toml: the sample, profiles between sites, and mistakes named in words."""

from __future__ import annotations

from importlib.resources import files

import pytest

from secfpp.bench.links import network_named
from secfpp.errors import ConfigError
from secfpp.settings.loading import load
from secfpp.settings.network import NetworkSettings
from secfpp.transport.profiles import PROFILES, Profile

TWO = '[sites]\nhere = ["ann"]\nthere = ["bob"]\n'
LINKED = TWO + '[[between]]\nsites = ["here", "there"]\nprofile = "wan"\n'


@pytest.fixture
def network(tmp_path):
    def read(text: str) -> NetworkSettings:
        path = tmp_path / "network.toml"
        path.write_text(text, "utf-8")
        return load(NetworkSettings, path, {})

    return read


def test_the_sample_says_how_slow_it_is_between_any_two(network):
    text = files("secfpp.settings").joinpath("samples", "network.toml").read_text("utf-8")
    sites = network(text)
    far = Profile(rtt_ms=180, mbit=50, jitter_ms=5, loss=0.0001, stall_ms=200)
    assert sites.profile_between("party-001", "coordinator") == PROFILES["lan"]
    assert sites.profile_between("party-001", "party-003") == PROFILES["wan"]
    assert sites.profile_between("party-003", "party-001") == PROFILES["wan"]
    assert sites.profile_between("party-006", "party-004") == far
    assert [sites.profile_of(link) for link in sites.links] == [PROFILES["wan"]]


def test_one_s_own_profile_comes_before_one_of_the_same_name(network):
    sites = network(LINKED + "[profiles.wan]\nrtt_ms = 7\n")
    assert sites.profile_between("ann", "bob") == Profile(rtt_ms=7)


def test_who_is_at_no_site_is_named(network):
    with pytest.raises(ConfigError, match="carl is at none of the network's sites"):
        network(LINKED).profile_between("ann", "carl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWO, "between here and there one profile is needed, not 0"),
        (LINKED + LINKED[len(TWO) :], "between here and there one profile is needed, not 2"),
        (LINKED.replace('"wan"', '"wlan"'), "there is no profile wlan; there are none, lan, wan"),
        (LINKED.replace('["bob"]', '["bob", "ann"]'), "ann is at two sites"),
        (LINKED.replace('["here", "there"]', '["here", "elsewhere"]'), "names elsewhere"),
        (
            LINKED + '[[between]]\nsites = ["here", "here"]\nprofile = "lan"',
            "for two different sites",
        ),
        (LINKED + "[profiles.far]\nrtt_ms = -1", "profiles.far.rtt_ms: Input should be greater"),
        (LINKED + "[profiles.far]\nrtt = 1", "profiles.far.rtt is no setting"),
        (LINKED + "[profiles.far]\nmbit = inf", "profiles.far.mbit: Input should be a finite"),
        (LINKED + "[profiles.far]\njitter_ms = inf", "far.jitter_ms: Input should be a finite"),
        (LINKED + "[profiles.far]\nstall_ms = nan", "far.stall_ms: Input should be a finite"),
        (LINKED + "[profiles.far]\nstall_ms = 1e300", "far.stall_ms: Input should be less than"),
        ('[[links]]\nlisten = "a:1"\nto = "b:1"', "the link to b:1 needs either"),
        (
            LINKED + '[[links]]\nlisten = "a:1"\nto = "b:1"\nmembers = ["ann", "carl"]',
            "a link names carl",
        ),
    ],
)
def test_a_mistake_is_named(network, text, words):
    with pytest.raises(ConfigError, match=words):
        network(text)


@pytest.mark.parametrize("name", ["wlan", "tests"])
def test_what_is_no_network_is_refused_with_all_that_would_be_one(name):
    with pytest.raises(ConfigError, match="is neither a network profile nor") as no:
        network_named(name)
    assert no.value.fix == "use one of none, lan, wan, slow, or a network.toml with sites"
