"""kubestress.core.truenas_info in a play, against the stand-in: results, failures, and where the key is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.democratic_csi import Driver
from helpers.one_task import returned
from helpers.truenas import KEY, USERNAME, TrueNas, running
from helpers.zfs_model import Zfs

MODULE = "kubestress.core.truenas_info"


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[tuple[TrueNas, Driver]]:
    """Yield a running box of 26, and the driver that has made a volume there."""
    csi = Driver(Zfs("tank"), [])
    csi.snapshot(csi.provision())
    with running(TrueNas(csi.zfs, csi.shares, release="26.0"), tmp_path) as box:
        yield box, csi


def test_credentials_from_the_environment_and_the_key_nowhere(
    driver: tuple[TrueNas, Driver], tmp_path: Path, cluster_free_playbook: Any
) -> None:
    box, csi = driver
    credentials = {"TRUENAS_URL": box.url, "TRUENAS_USERNAME": USERNAME, "TRUENAS_API_KEY": KEY}
    shown: list[str] = []

    def play(*arguments: Any) -> Any:
        done = cluster_free_playbook(*arguments, env={**credentials, "TRUENAS_CA_CERT": box.ca_file})
        shown.append(done.output)
        return done

    rc, answer = returned(play, tmp_path, MODULE, {"volume_parents": [csi.parent]}, "-vvv")
    assert rc == 0, answer
    assert (answer["version"], answer["complete"]) == ("TrueNAS-26.0.0", True)
    assert [one["id"] for one in answer["datasets"]] == sorted({csi.parent, *map(csi.path_of, csi.volumes.values())})
    assert KEY not in "".join(shown) + str(answer)
    assert (box.connections, box.logins) == (1, 1)
    # As text, as AWX gives everything.
    options = {"url": box.url, "username": USERNAME, "api_key": KEY, "ca_cert": box.ca_file, "timeout": "20"}
    texts = {"volume_parents": f"{csi.parent},tank/k8s", "parts": "pools,datasets", "strict": "yes"}
    rc, answer = returned(play, tmp_path, MODULE, {**options, **texts}, "--check", "-vvv")
    assert rc == 0, answer
    assert sorted(answer["parts"]) == ["datasets", "pools"]
    rc, answer = returned(play, tmp_path, MODULE, {**options, "url": box.url.replace("https", "http")}, "-vvv")
    assert rc != 0
    assert "is not encrypted, and TrueNAS revokes an API key that comes that way" in answer["msg"]
    assert KEY not in "".join(shown) + str(answer)
