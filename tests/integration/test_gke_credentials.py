"""kubestress.core.gke_credentials in a play: an API server that really answers, and the token in no output."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml
from helpers.cloud import PROJECT, Cloud, running
from helpers.one_task import returned

MODULE = "kubestress.core.gke_credentials"


def test_a_registered_variable_has_the_token_and_no_output_does(tmp_path: Path, cluster_free_playbook: Any) -> None:
    shown: list[str] = []

    def play(*arguments: Any) -> Any:
        done = cluster_free_playbook(*arguments, cwd=tmp_path, env={"ANSIBLE_DISPLAY_TRACEBACK": "always"})
        shown.append(done.output)
        return done

    with running(Cloud()) as cloud:
        cloud.clusters[PROJECT, "us-east1-b", "training"] = {
            "endpoint": "203.0.113.10",
            "status": "RUNNING",
            "masterAuth": {"clusterCaCertificate": base64.b64encode(b"PEM").decode()},
        }
        options = {
            "project": PROJECT, "location": "us-east1-b", "name": "training", "kubeconfig": "config",
            "credentials_file": str(cloud.key_file(tmp_path)), "endpoints": {"container": cloud.url},
            "current_context": "false",
        }  # fmt: skip
        rc, answer = returned(play, tmp_path, MODULE, options, "-vvv")
        assert rc == 0, shown
        assert answer["api_key"] in cloud.tokens
        made = yaml.safe_load((tmp_path / "config").read_text())
        assert made["users"][0]["user"] == {"token": answer["api_key"]}
        assert [secret for secret in cloud.secrets() if secret in shown[0]] == []
        assert answer["msg"] in shown[0]
        # What it was asked with, the service says back.
        cloud.echoes = True
        rc, refused = returned(play, tmp_path, MODULE, {**options, "name": "other"}, "-vvv")
        assert rc != 0
        assert "cluster other in us-east1-b of project my-project: HTTP 404" in refused["msg"]
        assert "Bearer ***" in refused["msg"]
        assert "Traceback (most recent call last)" in shown[1]
        assert [secret for secret in cloud.secrets() if secret in shown[1] + str(refused)] == []
        assert refused["msg"] in shown[1]
