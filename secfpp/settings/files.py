"""coordinator.toml, party.toml and job.toml as models; the samples carry every key, explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from secfpp.algebra.fixedpoint import MOST_FRACTION_BITS
from secfpp.errors import ConfigError
from secfpp.protocol.params import Feature, QueryKind
from secfpp.settings.addresses import Address, Addresses, AddressOrNowhere, Name, Roster
from secfpp.settings.loading import Section, SettingsFile, parse

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(gt=0, lt=1)]

MOST_SEED = 2**63 - 1
"""TOML's largest whole number, which numpy and torch take as well."""

Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]

MOST_PARTIES = 10**6
LARGEST_VALUE = 1e6
"""Beyond what any run has, so that nothing that is computed from a job overflows."""


class Time(Section):
    """How long anybody waits, in seconds: three knobs, the first two never above the third."""

    connect_wait: Seconds = Field(60, description="for peers to come when a run starts")
    idle_timeout: Seconds = Field(30, description="without any progress in a round")
    round_deadline: Seconds = Field(
        900, description="for one attempt of a round, training included"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Time:
        if self.round_deadline < max(self.connect_wait, self.idle_timeout):
            raise ValueError(
                "round_deadline must not be below connect_wait or idle_timeout: "
                f"{self.round_deadline:g} < {max(self.connect_wait, self.idle_timeout):g}"
            )
        return self


class Tls(Section):
    """Where this participant's key and certificates lie (as `secfpp pki` puts them)."""

    directory: Path = Field(description="(required) the directory with <name>.key, .crt and ca.crt")


class MetricsSettings(Section):
    """Where Prometheus may ask: plain HTTP without a password, so best on loopback only."""

    listen: AddressOrNowhere = Field("", description='such as "127.0.0.1:9464"; "" for nowhere')


class CoordinatorSettings(SettingsFile):
    """coordinator.toml."""

    file = "coordinator.toml"

    listen: Address = Field("127.0.0.1:7750", description="where parties reach the coordinator")
    operator_listen: Address = Field("127.0.0.1:7751", description="where operators reach it")
    state_dir: Path = Field(description="(required) run directories are written below it")
    store_key: Path | None = Field(
        None, description="what seals state.sqlite; default store.key in state_dir"
    )
    once: bool = Field(False, description="end after one run")
    tls: Tls
    parties: Roster = Field(description="(required) name = host:port, in roster order")
    time: Time = Field(default_factory=Time)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)


class PolicySettings(Section):
    """What this party consents to; a job beyond it is refused by the key's name."""

    minimum_colluders: int = Field(1, ge=1, description="the least T a round must withstand")
    minimum_cluster: int = Field(3, ge=3, description="the smallest cluster that may open a sum")
    features: tuple[Feature, ...] = Field((Feature.DOMAIN,), description="what may be clustered by")
    query_kinds: tuple[QueryKind, ...] = Field(
        (QueryKind.MEANS,), description="means, and pairwise for one-shot clustering"
    )
    maximum_queries: int = Field(2_000, ge=1, description="the most distances opened in a round")
    share_accuracy: bool = Field(
        False, description="tell the coordinator this party's accuracy (it goes on the ledger)"
    )


class DataSettings(Section):
    """This party's images."""

    kind: Literal["embedded", "imagefolder", "npz"] | None = Field(
        None,
        description="(required to tune prompts) a folder, a .npz file, or embedded: the small set "
        "shipped with SecFPP, for trials",
    )
    path: Path | None = Field(None, description="the folder or file")
    domain: str = Field("", description="which domain; embedded: which rendering of photographs")
    part: tuple[int, int] = Field((0, 1), description="[index, of]: which part of the images")
    partition: Literal["even", "dirichlet", "disjoint-classes"] = Field(
        "even", description="how the parts of one domain differ"
    )
    beta: float = Field(0.5, gt=0, description="of the Dirichlet partition: small is skewed")
    shots: int = Field(0, ge=0, description="training images a class, 0 for all")
    seed: Seed = Field(0, description="of the split into parts and into train and test")
    test_fraction: Share = Field(0.25, description="held out for accuracy, never trained on")
    on_bad_image: Literal["stop", "skip"] = Field("stop", description="for unreadable images")


class DeviceSettings(Section):
    """How this party trains; everything that others must have alike is in the job."""

    device: str = Field("auto", description="auto, cpu or cuda")
    threads: int = Field(1, ge=1, le=256, description="CPU threads of the trainer")


class VectorSettings(Section):
    """For jobs of training.kind = "vectors": the vectors to deal, one row a round."""

    path: Path | None = Field(None, description="a .npy file, float32 (rounds, dim)")


class PartySettings(SettingsFile):
    """party.toml."""

    file = "party.toml"

    listen: Address = Field("127.0.0.1:7760", description="where the others reach this party")
    coordinator: Name = Field("coordinator", description="the coordinator's name")
    coordinator_address: Address = Field("127.0.0.1:7750", description="where it listens")
    state_dir: Path = Field(description="(required) prompts and run directories, kept private")
    store_key: Path | None = Field(
        None, description="what seals state.sqlite; default store.key in state_dir"
    )
    once: bool = Field(False, description="end after one run")
    tls: Tls
    policy: PolicySettings = Field(default_factory=PolicySettings)
    data: DataSettings = Field(default_factory=DataSettings)
    training: DeviceSettings = Field(default_factory=DeviceSettings)
    vectors: VectorSettings = Field(default_factory=VectorSettings)
    peers: Addresses = Field(
        default_factory=dict, description="name = host:port, where not as the coordinator says"
    )
    time: Time = Field(default_factory=Time)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)


class ProtocolJob(Section):
    """Thresholds and fixed point; what is left out is chosen from n and printed."""

    colluders: int | None = Field(
        None, ge=1, le=MOST_PARTIES, description="T; default max(1, ⌊(n−1)/5⌋)"
    )
    stragglers: int | None = Field(
        None, ge=0, le=MOST_PARTIES, description="S; default 1, 0 where n does not allow it"
    )
    adversaries: int = Field(
        0, ge=0, le=MOST_PARTIES, description="A ≤ T; how many of the T may also lie"
    )
    clip: float = Field(
        1.0, gt=0, le=LARGEST_VALUE, description="values beyond ±clip are clipped, and counted"
    )
    fraction_bits: int | None = Field(
        None, ge=0, le=MOST_FRACTION_BITS, description="f; default the largest that fits"
    )
    minimum_cluster: int | None = Field(
        None, ge=1, le=MOST_PARTIES, description="default max(3, T+2)"
    )
    strict_queries: bool = Field(False, description="echo each batch before it is answered")


class ClusteringJob(Section):
    """How clusters are found; their number is never given."""

    method: Literal["adaptive", "one_shot"] = Field("adaptive", description="see protocol.md §6")
    query_budget: int | None = Field(
        None, ge=1, le=2**31 - 1, description="distances a round; default 3n², ≤ 2000"
    )
    apart: float | None = Field(
        None,
        gt=0,
        le=LARGEST_VALUE,
        description="a distance beyond which prompts are never alike; default none is known",
    )


class ClipJob(Section):
    """The model and prompt that all parties must have alike."""

    weights: str = Field("embedded", description="embedded, an open_clip tag, or a local path")
    model: str = Field(
        "ViT-B-16", description="the open_clip model of weights that are not embedded"
    )
    tokens: int = Field(8, ge=1, le=64, description="context vectors")
    template: str = Field("a photo of a {}.", description="the initial text, for zero-shot too")


class TrainingJob(Section):
    """One round of local training, or vectors given by the parties."""

    kind: Literal["clip", "vectors"] = Field("clip", description="tune prompts, or deal vectors")
    dim: int = Field(64, ge=1, le=2_000_000, description="of the vectors (kind = vectors)")
    steps: int = Field(20, ge=1, description="optimiser steps a round")
    batch: int = Field(256, ge=1, description="images a step, at most all of a party's")
    optimiser: Literal["adam", "sgd"] = Field("adam", description="adam or sgd")
    learning_rate: float = Field(0.005, gt=0, description="of the domain-level prompt")
    class_learning_rate: float = Field(0.0005, ge=0, description="of the class-level prompt")
    gradient_clip: float = Field(1.0, gt=0, description="largest gradient norm")
    rank: int = Field(0, ge=0, description="of the class-level prompt, 0 for full")


class JobSettings(SettingsFile):
    """job.toml."""

    file = "job.toml"

    name: str = Field(
        "run", pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="of the run"
    )
    rounds: int = Field(
        3, ge=1, le=1000, description="how often prompts are clustered and averaged"
    )
    seed: Seed = Field(0, description="of training; never of the protocol's randomness")
    protocol: ProtocolJob = Field(default_factory=ProtocolJob)
    clustering: ClusteringJob = Field(default_factory=ClusteringJob)
    clip: ClipJob = Field(default_factory=ClipJob)
    training: TrainingJob = Field(default_factory=TrainingJob)


def job_from(text: str) -> JobSettings:
    """A job that came as JSON text, in an invitation or from an operator."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError("the job is no valid JSON, or nested beyond reason") from error
    return parse(JobSettings, values, "the job")
