"""A batch makes the folder of its results, and says so where it cannot."""

from __future__ import annotations

from pathlib import Path

from helpers.batches import run_batch

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
PLAN = {"run_id": "r", "namespaces": ["a"], "fragments": [{"role": "maps", "steps": [{"definition": MAP}]}]}


def test_the_folder_is_made_before_anything_is_asked_of_a_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "first"
    result = run_batch(**PLAN, results_dir=str(folder), kubeconfig="/nowhere")
    assert "/nowhere" in result["msg"]
    assert folder.is_dir()


def test_in_check_mode_it_is_not(tmp_path: Path) -> None:
    result = run_batch(**PLAN, results_dir=str(tmp_path / "results"), kubeconfig="/nowhere", check_mode=True)
    assert "/nowhere" in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_batch(**PLAN, results_dir=str(tmp_path / "file" / "results"))
    assert result["msg"] == f"results_dir: the folder {tmp_path}/file/results cannot be made: Not a directory"
