"""`secfpp pki`: the steps by which a federation's keys are made. Human words go to stderr."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secfpp.pki import store
from secfpp.pki.certificates import LEAF_DAYS, Leaf
from secfpp.pki.names import Role

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Make, sign and look at keys and certificates."
)

Directory = Annotated[Path, typer.Option("--dir", help="The owner's directory (0700).")]


@app.command()
def init(directory: Directory, federation: str = "secfpp") -> None:
    """Make a certificate authority; its key stays in this directory."""
    _say(f"certificate authority made, fingerprint {store.init(directory, federation)}")
    _say(f"keep {directory / 'ca.key'} where no party and no coordinator can read it")


@app.command()
def request(name: str, role: Annotated[Role, typer.Option()], directory: Directory) -> None:
    """Make your key and a signing request; send only the request to the authority."""
    path = store.request(directory, name, role)
    _say(f"key made; send {path} to whoever runs the certificate authority")


@app.command()
def sign(
    csr: Path,
    role: Annotated[Role, typer.Option(help="The role you mean this owner to have.")],
    directory: Directory,
    days: Annotated[int, typer.Option(min=1, max=3650)] = LEAF_DAYS,
) -> None:
    """Sign a request with the authority in --dir; writes the certificate beside the request."""
    certificate, leaf = store.sign(directory, csr, role=role, days=days)
    target = csr.with_suffix(".crt")
    target.write_bytes(certificate)
    _say(f"signed {target}: {_sentence(leaf)}")
    _say("compare this fingerprint with the owner by another way, a telephone say")


@app.command()
def install(certificate: Path, authority: Path, directory: Directory) -> None:
    """Put a signed certificate and the CA's beside your key, after checking that they fit."""
    leaf = store.install(directory, certificate.read_bytes(), authority.read_bytes())
    _say(f"installed: {_sentence(leaf)}")


@app.command()
def show(certificate: Path) -> None:
    """Say whose certificate this is, in which role, and until when."""
    _say(_sentence(store.show(certificate)))


def _sentence(leaf: Leaf) -> str:
    return (
        f"{leaf.name}, role {leaf.role.value}, expires {leaf.expires:%Y-%m-%d} "
        f"({leaf.days_left} days left), SHA-256 {leaf.fingerprint}"
    )


def _say(text: str) -> None:
    typer.echo(text, err=True)
