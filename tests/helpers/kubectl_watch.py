"""What kubectl's own watch hears, as a witness that is not ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Versions = Callable[[], Iterator[dict[str, Any]]]


@contextmanager
def watching(kubectl: str | Path, kubeconfig: str | Path, file: Path, *what: str) -> Iterator[Versions]:
    """Watch `what` (arguments of `kubectl get`) in the block; yield a function that returns all versions so far.

    They come in the order in which the API server sends them. `file` is where kubectl writes them.
    """
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), "get", *what, "--watch", "-o", "json"]
    with file.open("w") as output:
        process = subprocess.Popen(command, stdout=output)
        try:
            yield lambda: documents_of(file.read_text())
        finally:
            process.terminate()
            process.wait(timeout=30)


def documents_of(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents of a stream; one that was cut off at its end is left out."""
    decoder, place = json.JSONDecoder(), 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        try:
            document, place = decoder.raw_decode(text, place)
        except ValueError:
            return
        yield document
