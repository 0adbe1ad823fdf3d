"""What lies on disk: keys for this user only, a folder that is ours before it is removed, a damaged state."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.binaries import Binary
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import ForeignFolderError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.files import write_kubeconfig
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import Layout
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import ADMIN, IDENTITIES, Pki
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.state import State
from cryptography import x509


@pytest.fixture
def pki(tmp_path) -> Pki:
    result = Pki(tmp_path)
    result.create(["127.0.0.1"])
    return result


def test_a_strangers_folder_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ForeignFolderError, match="not a local cluster's folder"):
        Layout(tmp_path).check_ownership()


def test_an_empty_a_missing_and_an_own_folder_are_fine(tmp_path):
    Layout(tmp_path).check_ownership()
    Layout(tmp_path / "none").check_ownership()
    own = Layout(tmp_path / "own")
    own.create()
    own.check_ownership()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ForeignFolderError, match="is not a folder"):
        Layout(tmp_path / "file").check_ownership()


def test_keys_are_for_this_user_only(pki):
    assert pki.complete
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in pki.folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_server_certificate_is_for_the_address(pki):
    certificate = x509.load_pem_x509_certificate(pki.server_certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(pki.ca_certificate.read_bytes())
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_every_identity_has_a_token_of_its_own(pki):
    tokens = {pki.token(identity) for identity in IDENTITIES}
    assert len(tokens) == len(IDENTITIES)
    assert min(map(len, tokens)) == 64


def test_kubeconfig(pki, tmp_path):
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, server="https://127.0.0.1:1", pki=pki, identity=ADMIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert document["users"][0]["user"] == {"token": pki.token(ADMIN)}
    assert document["current-context"] == document["contexts"][0]["name"]


def test_state_comes_back_as_it_was(tmp_path):
    state = State(
        settings={"api_port": 1, "binaries_dir": None},
        fingerprints={"etcd": "x"},
        binaries={"etcd": Binary("etcd", Path("/b/etcd"), "3.6.16", "cache")},
        pinned={"etcd": "v3.6.16"},
    )
    state.save(tmp_path / "state.json")
    assert State.load(tmp_path / "state.json") == state


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 99}', "not json"])
def test_a_damaged_state_is_an_empty_one(tmp_path, content):
    (tmp_path / "state.json").write_text(content)
    assert State.load(tmp_path / "state.json") == State()
