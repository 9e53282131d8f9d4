"""`secfpp pki`: the steps by which a federation's keys are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secfpp.journal.files import read_bytes
from secfpp.journal.output import Data, Format, Output, say, speaking
from secfpp.pki import store
from secfpp.pki.certificates import LEAF_DAYS, Leaf
from secfpp.pki.names import Role

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Make, sign and look at keys and certificates."
)

Directory = Annotated[Path, typer.Option("--dir", help="The owner's directory (0700).")]
Authority = Annotated[Path, typer.Option("--dir", help="The authority's directory (0700).")]
Certificate = Annotated[Path, typer.Argument(metavar="CERTIFICATE", help="<name>.crt")]


@app.command()
def init(
    directory: Authority,
    federation: Annotated[str, typer.Option(help="Its name on the CA certificate.")] = "secfpp",
    output: Output = Format.HUMAN,
) -> None:
    """Make a certificate authority; its key stays in this directory."""

    def made() -> Data:
        fingerprint = store.init(directory, federation)
        say(f"certificate authority made, SHA-256 {fingerprint}")
        say(f"keep {directory / 'ca.key'} where no party and no coordinator can read it")
        return {"authority": str(directory / "ca.crt"), "fingerprint": fingerprint}

    speaking(output, made)


@app.command()
def request(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Your name, such as hospital-a.")],
    role: Annotated[Role, typer.Option(help="What you will be.")],
    directory: Directory,
    output: Output = Format.HUMAN,
) -> None:
    """Make your key and a signing request; send only the request to the authority.

    Where your key is already, the request is made anew for it: so a certificate is renewed.
    """

    def made() -> Data:
        is_new = not (directory / f"{name}.key").exists()
        path = store.request(directory, name, role)
        what = "key made" if is_new else f"the key in {directory} stays"
        say(f"{what}; send {path} to whoever runs the certificate authority")
        return {"request": str(path)}

    speaking(output, made)


@app.command()
def sign(
    csr: Annotated[Path, typer.Argument(metavar="REQUEST", help="<name>.csr")],
    role: Annotated[Role, typer.Option(help="The role you mean this owner to have.")],
    directory: Authority,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = LEAF_DAYS,
    output: Output = Format.HUMAN,
) -> None:
    """Sign a request with the authority in --dir; writes the certificate beside the request."""

    def signed() -> Data:
        certificate, leaf = store.sign(directory, csr, role=role, days=days)
        target = csr.with_suffix(".crt")
        store.write_new(target, certificate)
        say(f"signed {target}: {_sentence(leaf)}")
        say("compare this fingerprint with the owner by another way, a telephone say")
        return {"certificate": str(target), **_facts(leaf)}

    speaking(output, signed)


@app.command()
def install(
    certificate: Certificate,
    authority: Annotated[Path, typer.Argument(metavar="CA_CERTIFICATE", help="ca.crt")],
    directory: Directory,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of an older one of the same key.")
    ] = False,
    output: Output = Format.HUMAN,
) -> None:
    """Put a signed certificate and the CA's beside your key, after checking that they fit."""

    def installed() -> Data:
        pems = read_bytes(certificate), read_bytes(authority)
        leaf = store.install(directory, *pems, replace=replace)
        fingerprint = store.authority_fingerprint(authority)
        say(f"installed: {_sentence(leaf)}")
        say(f"from now on trusted: the certificate authority with SHA-256 {fingerprint}")
        say("compare both fingerprints with whoever runs it by another way, a telephone say")
        return {**_facts(leaf), "authority": fingerprint}

    speaking(output, installed)


@app.command()
def federation(
    parties: Annotated[list[str], typer.Argument(metavar="PARTY...", help="Their names.")],
    directory: Annotated[Path, typer.Option("--dir", help="A directory for each is made here.")],
    output: Output = Format.HUMAN,
) -> None:
    """Make all keys of a federation on this machine: authority, coordinator, operator, parties.

    For trials on one machine only. What is there already stays as it is.
    """

    def made() -> Data:
        roles = {"coordinator": Role.COORDINATOR, "operator": Role.OPERATOR}
        homes = store.throwaway_federation(
            directory, {**roles, **dict.fromkeys(parties, Role.PARTY)}
        )
        fingerprint = store.authority_fingerprint(directory / "authority" / "ca.crt")
        say(f"keys and certificates of {', '.join(homes)}; authority SHA-256 {fingerprint}")
        return {"fingerprint": fingerprint, "owners": {n: str(h) for n, h in homes.items()}}

    speaking(output, made)


@app.command()
def show(certificate: Certificate, output: Output = Format.HUMAN) -> None:
    """Say whose certificate it is, in which role, until when; or that it is an authority's."""

    def shown() -> Data:
        fingerprint = store.authority_fingerprint(certificate)
        if fingerprint is not None:
            say(f"a certificate authority, SHA-256 {fingerprint}")
            return {"authority": str(certificate), "fingerprint": fingerprint}
        leaf = store.show(certificate)
        say(_sentence(leaf))
        return _facts(leaf)

    speaking(output, shown)


def _facts(leaf: Leaf) -> Data:
    return {
        "name": leaf.name,
        "role": leaf.role.value,
        "expires": leaf.expires.isoformat(),
        "fingerprint": leaf.fingerprint,
    }


def _sentence(leaf: Leaf) -> str:
    return (
        f"{leaf.name}, role {leaf.role.value}, expires {leaf.expires:%Y-%m-%d} "
        f"({leaf.days_left} days left), SHA-256 {leaf.fingerprint}"
    )
