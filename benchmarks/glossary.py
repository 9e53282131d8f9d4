"""What the letters and words of the page of results mean; docs/protocol.md has the whole."""

from secfpp.transport.profiles import PROFILES, Profile


def _network(name: str, profile: Profile) -> str:
    if not profile.rtt_ms:
        return f"{name}: this machine's own loopback"
    return f"{name}: {profile.rtt_ms:g} ms round trip, {profile.mbit:g} Mbit/s each way"


TERMS = {
    "n": "The parties of a round, each with a vector of its own: a prompt of d values.",
    "T": "Colluders: so many parties may pool all they see, with the coordinator too.",
    "S": "Stragglers: so many parties may fall silent and the round still ends well.",
    "A": "Adversaries: so many of the T may lie in whatever they send; 0 where nothing is said.",
    "K": "Chunks that a vector is cut in: half of n − 1 − S − 2A, rounded down, less T − 1. "
    "A share has d/K values.",
    "masks": "Random numbers that hide all of an answer but the distance; a few parties deal them.",
    "distance, batch": "The coordinator asks how far a party is from the mean of a set of "
    "parties, many such questions at once in a batch.",
    "flights": "Messages that must follow each other: each costs one way's latency.",
    "witnesses": "The parties of a round that sign what they were shown, and send that "
    "to all others.",
    "share, check, cluster, sum": "The phases of a round: shares and masks are dealt; who holds "
    "what is settled; distances are opened and clusters found; members get their cluster's mean.",
    "warm": "Not the first round of a run, in which connections are made.",
    "network": "; ".join(_network(name, profile) for name, profile in PROFILES.items()) + ".",
    "predicted": "By the formula of docs/protocol.md §10: flights, bytes, CPU.",
    "clock": "The daemons' machines in one process; their time is computed, from charges for "
    "messages, bytes and signatures that are fitted to real rounds.",
    "plain FedAvg": "Federated averaging without secrecy: vectors of 4 bytes a value go to the "
    "coordinator, their mean comes back, over the same transport.",
    "payload": "Bytes of messages before HTTP/2 and TLS; the closed form is that of "
    "docs/protocol.md §10.",
}
