"""The demo's result for people: per party, per round, what was opened to whom, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # The data is JSON of our own making; see interfaces.

from secfpp.journal.output import say, show_table

Json = Mapping[str, Any]


def show(data: Json) -> None:
    """Print the tables and the verdict to stderr."""
    _parties(data)
    _rounds(data)
    _disclosed(data)
    _verdict(data)


def _parties(data: Json) -> None:
    last = data["rounds"][-1]
    rows = []
    for name, domain in data["true_domains"].items():
        before, after = last["accuracy_zero_shot"].get(name), last["accuracy"].get(name)
        moved = [one["bytes"].get(name, {"sent": 0, "received": 0}) for one in data["rounds"]]
        rows.append(
            [
                name,
                domain,
                str(last["assignment"].get(name, "–")),
                "–" if before is None else f"{100 * before:.1f} %",
                "–" if after is None else f"{100 * after:.1f} %",
                f"{sum(one['sent'] for one in moved) / 1024:,.0f} KiB",
                f"{sum(one['received'] for one in moved) / 1024:,.0f} KiB",
            ]
        )
    header = ("party", "true domain", "cluster", "zero-shot", "tuned", "sent", "received")
    show_table("Parties", header, rows)


def _rounds(data: Json) -> None:
    phases = ("train", "share", "check", "cluster", "sum", "total")
    rows = [
        [
            str(one["round"]),
            str(1 + max(one["assignment"].values())),
            str(one["distances"]),
            str(one["flights"]),
            *(f"{one['seconds'][phase]:.2f}" for phase in phases),
        ]
        for one in data["rounds"]
    ]
    header = ("round", "clusters", "distances", "flights", *phases)
    show_table("Rounds, in each column the seconds of the party that took longest", header, rows)
    say("total is that of one party: the phases, each of another, may add up to more\n")


def _disclosed(data: Json) -> None:
    opened = data["disclosed"]
    rows = [
        ["distances of a party to a mean", "the coordinator", str(opened["distances"])],
        ["assignments", "everyone", str(opened["assignments"])],
        ["cluster prompts", "their members only", str(opened["cluster_means_to_members"])],
        ["single prompts, images, class prompts", "nobody", "0"],
    ]
    show_table("What was opened, and to whom", ("what", "to whom", "count"), rows)
    say(f"each of them: {data['report']}/coordinator/{data['run']}/ledger.json\n")


def _verdict(data: Json) -> None:
    check = data["verify"]
    say("the same computed in the clear, from the parties' own files:")
    for what, key in (
        ("assignments to clusters", "assignments_equal"),
        (f"{check['distance_checks']} distances, to the last bit", "distances_equal"),
        ("cluster prompts, to the last bit", "prompts_equal"),
        ("what was shared, and the trained prompts", "levels_equal"),
    ):
        say(f"  {what}: {_word(check[key])}")
    say(
        f"  cost of fixed point: {check['prompt_max_abs_error']:.1e}, "
        f"at most {check['prompt_error_bound']:.1e}"
    )
    index = data["adjusted_rand_index"]
    say(f"  clusters and true domains: adjusted Rand index {index:.2f} (1 is equal)")
    say("verified" if check["passed"] else "NOT VERIFIED")


def _word(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
