"""The answers to a run's invitation, and whether they fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from secfpp.errors import ConfigError, PeersMissing, PolicyRefusal

Geometry = dict[str, str]
"""What all parties must have alike: fields and values, as they accept with them."""


@dataclass
class Answers:
    """What the invited parties (in roster order) have answered so far.

    `accepted` has the geometry that each wants to learn with, `refused` the reason, `doing` what
    each was last heard to do, or what was found at its address.
    """

    invited: tuple[str, ...]
    accepted: dict[str, Geometry] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    doing: dict[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> tuple[str, ...]:
        """Those who have not answered."""
        return tuple(n for n in self.invited if n not in self.accepted and n not in self.refused)

    @property
    def roster(self) -> tuple[str, ...]:
        """Those who have accepted, and do not differ from most."""
        odd = self.odd
        return tuple(n for n in self.invited if n in self.accepted and n not in odd)

    @property
    def odd(self) -> dict[str, str]:
        """Who has accepted with another geometry than most, and what differs; none without a most.

        They count as missing: what one party says of itself ends no run of the others.
        """
        usual = self._usual
        if usual is None:
            return {}
        what = {name: differences(geometry, usual) for name, geometry in self.accepted.items()}
        return {
            name: f"would learn with another model: {', '.join(w)}" for name, w in what.items() if w
        }

    @property
    def _usual(self) -> Geometry | None:
        """The geometry of more than half of those who have accepted, if there is one."""
        alike = Counter(tuple(sorted(geometry.items())) for geometry in self.accepted.values())
        for geometry, count in alike.most_common(1):
            if 2 * count > len(self.accepted):
                return dict(geometry)
        return None

    def check_enough(self, allowed: int) -> None:
        """At most `allowed`, and never all, may be missing, refuse or be odd; an error names them.

        PolicyRefusal where all of them refused by their policies, ConfigError where all refused
        what they were given to work with, or were given something else, else PeersMissing.
        """
        known = {name: self.doing.get(name, "not heard of") for name in self.silent}
        gone = {name: f"did not answer in time ({what})" for name, what in known.items()}
        gone |= {name: f"refused: {why}" for name, why in self.refused.items()}
        gone |= self.odd
        allowed = min(allowed, len(self.invited) - 1)
        if len(gone) <= allowed:
            return
        missing = (
            f"{len(gone)} of {len(self.invited)} parties do not take part, at most {allowed} may "
            f"be missing: {_together(gone)}"
        )
        codes = {why.partition(":")[0] for why in self.refused.values()}
        codes |= {ConfigError.code for _ in self.odd}
        if not known and codes == {PolicyRefusal.code}:
            raise PolicyRefusal("consent", missing, fix="change the job, or the parties' [policy]")
        if not known and codes <= {PolicyRefusal.code, ConfigError.code}:
            raise ConfigError(
                missing, fix="mend what the words name, in the parties' settings or in the job"
            )
        raise PeersMissing(missing, fix="start them, or mend what the words name")

    def common_geometry(self) -> Geometry:
        """What more than half learn with; else ConfigError names who differs, and in what."""
        if self._usual is not None:
            return self._usual
        fields = {key for geometry in self.accepted.values() for key in geometry}
        usual = {
            key: Counter(g.get(key, "none") for g in self.accepted.values()).most_common(1)[0][0]
            for key in fields
        }
        odd = {name: differences(self.accepted[name], usual) for name in self.accepted}
        differing = [f"{name} differs in {', '.join(what)}" for name, what in odd.items() if what]
        raise ConfigError(
            f"no more than half would learn with the same model: {'; '.join(differing)}",
            fix="give all of them the same weights (clip.weights) and the same version",
        )


def differences(geometry: Geometry, usual: Geometry) -> list[str]:
    """In what a party's geometry differs from what most have, in words."""
    keys = sorted(geometry.keys() | usual.keys())
    own = {key: geometry.get(key, "none") for key in keys}
    most = {key: usual.get(key, "none") for key in keys}
    odd = [key for key in keys if own[key] != most[key]]
    return [f"{key} ({_short(own[key])}, most have {_short(most[key])})" for key in odd]


def _short(value: str) -> str:
    """A value for people: of a digest or a description the beginning says enough."""
    return value if len(value) <= 24 else f"{value[:12]}…"


def waiting_for(names: Iterable[str], doing: Mapping[str, str]) -> str:
    """Whom the run waits for, and what they were last heard to do."""
    said = {name: f"({doing.get(name, 'not heard of')})" for name in names}
    return f"waiting for {_together(said)}"


def _together(said: Mapping[str, str]) -> str:
    """Names with what is said of them; those of whom the same is said stand together."""
    alike: dict[str, list[str]] = {}
    for name, what in said.items():
        alike.setdefault(what, []).append(name)
    return "; ".join(f"{', '.join(names)} {what}" for what, names in alike.items())
