"""Keys and certificates: what is made, what is refused, and that no key leaves its owner."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from secfpp.cli.pki import app
from secfpp.errors import ConfigError
from secfpp.pki import store
from secfpp.pki.names import Role
from secfpp.pki.store import Identity


def test_request_sign_install_make_an_identity_and_only_the_request_travels(tmp_path):
    store.init(tmp_path / "ca")
    home = tmp_path / "clinic"
    csr = store.request(home, "clinic", Role.PARTY)
    certificate, leaf = store.sign(tmp_path / "ca", csr, role=Role.PARTY)
    store.install(home, certificate, (tmp_path / "ca" / "ca.crt").read_bytes())
    identity = Identity.load(home)
    assert (identity.name, identity.leaf.role) == ("clinic", Role.PARTY)
    assert identity.leaf.fingerprint == leaf.fingerprint
    assert b"PRIVATE" not in csr.read_bytes() + certificate
    assert sorted(p.name for p in (tmp_path / "ca").iterdir()) == ["ca.crt", "ca.key"]


def test_keys_are_0600_in_directories_0700(tmp_path):
    homes = store.throwaway_federation(tmp_path / "fed", {"a": Role.PARTY})
    assert homes["a"].stat().st_mode & 0o777 == 0o700
    assert (homes["a"] / "a.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path):
    homes = store.throwaway_federation(tmp_path, {"a": Role.PARTY})
    (homes["a"] / "a.key").chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        Identity.load(homes["a"])


def test_an_existing_key_is_never_overwritten(tmp_path):
    store.request(tmp_path, "a", Role.PARTY)
    before = (tmp_path / "a.key").read_bytes()
    with pytest.raises(ConfigError, match="is not overwritten"):
        store.request(tmp_path, "a", Role.PARTY)
    assert (tmp_path / "a.key").read_bytes() == before


def test_a_request_is_signed_only_in_the_role_it_asks_for(tmp_path):
    store.init(tmp_path / "ca")
    csr = store.request(tmp_path / "a", "a", Role.PARTY)
    with pytest.raises(ConfigError, match="asks for the role party, it was to be signed as op"):
        store.sign(tmp_path / "ca", csr, role=Role.OPERATOR)


def test_a_changed_request_is_refused(tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    store.init(tmp_path / "ca")
    csr = store.request(tmp_path / "a", "a", Role.PARTY)
    der = bytearray(
        x509.load_pem_x509_csr(csr.read_bytes()).public_bytes(serialization.Encoding.DER)
    )
    place = der.index(b"secfpp:role:party") + len("secfpp:role:")
    der[place : place + 5] = b"parts"
    changed = x509.load_der_x509_csr(bytes(der))
    csr.write_bytes(changed.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ConfigError, match="changed on its way"):
        store.sign(tmp_path / "ca", csr, role=Role.PARTY)


def test_a_certificate_of_another_key_or_ca_is_not_installed(tmp_path):
    one = store.throwaway_federation(tmp_path / "one", {"a": Role.PARTY})
    two = store.throwaway_federation(tmp_path / "two", {"a": Role.PARTY})
    certificate = (two["a"] / "a.crt").read_bytes()
    authority = (two["a"] / "ca.crt").read_bytes()
    with pytest.raises(ConfigError, match="does not belong to the key here"):
        store.install(one["a"], certificate, authority)
    with pytest.raises(ConfigError, match="not issued by this federation"):
        store.install(two["a"], certificate, (one["a"] / "ca.crt").read_bytes())


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a" * 64, "ä", "a.b"])
def test_a_name_that_is_no_dns_label_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is not possible"):
        store.request(tmp_path, name, Role.PARTY)


def test_an_identity_shows_no_key(tmp_path):
    homes = store.throwaway_federation(tmp_path, {"a": Role.PARTY})
    identity = Identity.load(homes["a"])
    assert repr(identity) == "Identity(a, party)"


def test_the_commands_do_the_same_by_hand(tmp_path):
    run = CliRunner().invoke
    ca, home = str(tmp_path / "ca"), str(tmp_path / "clinic")
    steps = (
        ["init", "--dir", ca],
        ["request", "clinic", "--role", "party", "--dir", home],
        ["sign", f"{home}/clinic.csr", "--role", "party", "--dir", ca],
        ["install", f"{home}/clinic.crt", f"{ca}/ca.crt", "--dir", home],
        ["show", f"{home}/clinic.crt"],
    )
    for step in steps:
        result = run(app, step)
        assert result.exit_code == 0, result.output
    assert "clinic, role party" in result.output
    assert Identity.load(tmp_path / "clinic").name == "clinic"


def test_whoever_installs_sees_the_fingerprint_of_the_authority_that_will_be_trusted(tmp_path):
    run = CliRunner().invoke
    fingerprint = store.init(tmp_path / "ca")
    csr = store.request(tmp_path / "clinic", "clinic", Role.PARTY)
    certificate, _ = store.sign(tmp_path / "ca", csr, role=Role.PARTY)
    (tmp_path / "clinic.crt").write_bytes(certificate)
    authority = str(tmp_path / "ca" / "ca.crt")
    install = ["install", str(tmp_path / "clinic.crt"), authority, "--dir"]
    assert fingerprint in run(app, [*install, str(tmp_path / "clinic")]).output
    assert fingerprint in run(app, ["show", authority]).output
    elsewhere = run(app, [*install, str(tmp_path / "bank")])
    assert elsewhere.exit_code == 2
    assert "holds no key clinic.key" in elsewhere.output
