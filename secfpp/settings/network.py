"""network.toml as a model: who is where, and how slow it is from one site to another."""

from __future__ import annotations

import itertools

from pydantic import Field, model_validator

from secfpp.errors import ConfigError
from secfpp.settings.addresses import Address
from secfpp.settings.loading import Section, SettingsFile
from secfpp.transport.profiles import PROFILES, Profile


class ProfileSettings(Section):
    """A profile of one's own; what each value does is said in `transport.profiles.Profile`."""

    rtt_ms: float = Field(0.0, ge=0, le=60_000, description="the round trip in milliseconds")
    mbit: float | None = Field(None, gt=0, description="the rate each way in 10^6 bits a second")
    jitter_ms: float = Field(
        0.0, ge=0, le=60_000, description="how far a delivery lies off, either way"
    )
    loss: float = Field(0.0, ge=0, lt=1, description="the share of packets that are lost")
    stall_ms: float = Field(
        200.0, ge=0, le=60_000, description="how long one loss holds up the rest"
    )


class Between(Section):
    """The link between two sites."""

    sites: tuple[str, str] = Field(description="(required) two names of sites")
    profile: str = Field(description="(required) none, lan, wan, slow, or one of [profiles]")


class LinkSettings(Section):
    """One relay of `secfpp shape`: what comes in at `listen` goes to `to`."""

    listen: Address = Field(description="(required) host:port")
    to: Address = Field(description="(required) host:port")
    profile: str = Field("", description="a profile, or else `members`")
    members: tuple[str, str] | None = Field(None, description="whose sites give the profile")

    @model_validator(mode="after")
    def _one_of_two(self) -> LinkSettings:
        if bool(self.profile) == (self.members is not None):
            raise ValueError(f"the link to {self.to} needs either a profile or two members")
        return self


class NetworkSettings(SettingsFile):
    """network.toml."""

    file = "network.toml"

    within: str = Field("lan", description="the profile between members of one site")
    profiles: dict[str, ProfileSettings] = Field(default_factory=dict, description="by name")
    sites: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="the participants of each site"
    )
    between: tuple[Between, ...] = Field((), description="one for each two sites")
    links: tuple[LinkSettings, ...] = Field((), description="for `secfpp shape`")

    @model_validator(mode="after")
    def _complete(self) -> NetworkSettings:
        members = [member for site in self.sites.values() for member in site]
        twice = sorted({name for name in members if members.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is at two sites; everyone is at one")
        for link in self.between:
            unknown = set(link.sites) - set(self.sites)
            if unknown:
                raise ValueError(f"between names {min(unknown)}, which is none of [sites]")
        given = [frozenset(link.sites) for link in self.between]
        for pair in itertools.combinations(self.sites, 2):
            if given.count(frozenset(pair)) != 1:
                count = given.count(frozenset(pair))
                raise ValueError(
                    f"between {pair[0]} and {pair[1]} one profile is needed, not {count}"
                )
        if any(len(pair) == 1 for pair in given):
            raise ValueError("between is for two different sites; inside one it is `within`")
        named = {self.within, *(link.profile for link in self.between)}
        named |= {link.profile for link in self.links}
        missing = named - {*PROFILES, *self.profiles, ""}
        if missing:
            known = ", ".join((*PROFILES, *self.profiles))
            raise ValueError(f"there is no profile {min(missing)}; there are {known}")
        strangers = {name for link in self.links for name in link.members or ()} - set(members)
        if strangers:
            raise ValueError(f"a link names {min(strangers)}, who is at none of [sites]")
        return self

    def profile(self, name: str) -> Profile:
        """The profile of that name: one's own before those that SecFPP brings."""
        if name in self.profiles:
            return Profile(**self.profiles[name].model_dump())
        return PROFILES[name]

    def profile_between(self, one: str, other: str) -> Profile:
        """How slow it is between two participants; ConfigError for one who is at no site."""
        where = {member: site for site, members in self.sites.items() for member in members}
        for name in (one, other):
            if name not in where:
                raise ConfigError(
                    f"{name} is at none of the network's sites", fix="add it to one of [sites]"
                )
        sites = frozenset((where[one], where[other]))
        named = {frozenset(link.sites): link.profile for link in self.between}
        return self.profile(named.get(sites, self.within))

    def profile_of(self, link: LinkSettings) -> Profile:
        """The profile of a relay."""
        if link.members is None:
            return self.profile(link.profile)
        return self.profile_between(*link.members)
