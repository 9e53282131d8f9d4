"""Keys and certificates: what is made, what is refused, and that no key leaves its owner."""

from __future__ import annotations

from pathlib import Path

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
    run = CliRunner().invoke
    command = ["request", "a", "--role", "party", "--dir", str(tmp_path)]
    assert "key made; send" in run(app, command).output
    before = (tmp_path / "a.key").read_bytes()
    assert f"the key in {tmp_path} stays; send" in run(app, command).output
    assert (tmp_path / "a.key").read_bytes() == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot write .*/file/pki/a\.key: Not a directory"):
        store.request(tmp_path / "file" / "pki", "a", Role.PARTY)


def test_an_existing_authority_is_never_overwritten(tmp_path):
    store.init(tmp_path)
    with pytest.raises(ConfigError, match="is not overwritten"):
        store.init(tmp_path)


def test_a_certificate_is_renewed_with_the_key_that_is_there(tmp_path):
    run = CliRunner().invoke
    home = store.throwaway_federation(tmp_path, {"a": Role.PARTY})["a"]
    old, key = Identity.load(home), (home / "a.key").read_bytes()
    assert run(app, ["request", "a", "--role", "party", "--dir", str(home)]).exit_code == 0
    ca, sent = tmp_path / "authority", tmp_path / "sent"
    sent.mkdir()
    (home / "a.csr").rename(sent / "a.csr")
    sign = ["sign", f"{sent}/a.csr", "--role", "party", "--days", "500", "--dir", str(ca)]
    assert run(app, sign).exit_code == 0
    again = run(app, sign)
    assert again.exit_code == 2
    assert f"{sent}/a.crt exists already and is not overwritten" in again.output
    install = ["install", f"{sent}/a.crt", f"{ca}/ca.crt", "--dir", str(home)]
    refused = run(app, install)
    assert refused.exit_code == 2
    assert "install with --replace" in refused.output
    assert Identity.load(home).leaf == old.leaf
    assert run(app, [*install, "--replace"]).exit_code == 0
    assert Identity.load(home).leaf.days_left == 499
    assert (home / "a.key").read_bytes() == key
    assert sorted(path.name for path in home.iterdir()) == ["a.crt", "a.key", "ca.crt"]


def test_a_certificate_is_not_replaced_by_one_of_another_authority(tmp_path):
    home = store.throwaway_federation(tmp_path / "one", {"a": Role.PARTY})["a"]
    store.init(tmp_path / "other")
    csr = store.request(home, "a", Role.PARTY)
    certificate, _ = store.sign(tmp_path / "other", csr, role=Role.PARTY)
    before = (home / "a.crt").read_bytes()
    authority = (tmp_path / "other" / "ca.crt").read_bytes()
    with pytest.raises(ConfigError, match=r"ca\.crt exists already and is not overwritten"):
        store.install(home, certificate, authority, replace=True)
    assert (home / "a.crt").read_bytes() == before


def test_what_does_not_fit_is_named_by_its_file(tmp_path):
    home = store.throwaway_federation(tmp_path / "one", {"a": Role.PARTY})["a"]
    other = store.throwaway_federation(tmp_path / "two", {"a": Role.PARTY})["a"]
    (home / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    with pytest.raises(ConfigError, match=rf"^{home}/a\.crt was not issued by this"):
        Identity.load(home)
    (home / "a.key").write_bytes(b"no key")
    with pytest.raises(ConfigError, match=rf"^{home}/a\.key holds no readable private key"):
        Identity.load(home)


def test_a_directory_that_is_not_there_is_told_from_one_without_keys(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=f"cannot read the directory {tmp_path}/pki: No such"):
        Identity.load(tmp_path / "pki")
    with pytest.raises(ConfigError, match="holds 0 private keys, exactly one is expected"):
        Identity.load(tmp_path)

    def closed(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(ConfigError, match=f"cannot read the directory {tmp_path}: Permission"):
        Identity.load(tmp_path)


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
    with pytest.raises(ConfigError, match=r"does not belong to .*/a\.key"):
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
