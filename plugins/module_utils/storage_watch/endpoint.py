# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest figures over HTTP, by prometheus-client's own server, for who cannot read the textfile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import ModuleFailed
from ..libraries import PROMETHEUS_CLIENT, MissingLibrary
from ..results.openmetrics import Family


def check_prometheus_client() -> None:
    """Raise MissingLibrary where it is not installed."""
    _imported()


class Endpoint:
    """Answers at http://ADDRESS:PORT/metrics until it is closed. The server runs in threads of its own.

    Raises ModuleFailed where that address cannot be had, and MissingLibrary.
    """

    def __init__(self, address: str, port: int) -> None:
        self._client = _imported()
        # Replaced as a whole: a thread that answers has the old ones or the new ones.
        self._families: Sequence[Family] = ()
        registry = self._client.CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = self._client.start_http_server(port, addr=address, registry=registry)
        except OSError as error:
            raise ModuleFailed(
                f"http_port: {port} of {address} cannot be listened on: {error.strerror or error}"
            ) from error

    def show(self, families: Iterable[Family]) -> None:
        """Answer with these from now on."""
        self._families = tuple(families)

    def collect(self) -> Iterator[Any]:
        """For the client's registry."""
        for family in self._families:
            metric = self._client.Metric(family.name, family.text, family.kind)
            for sample in family.samples:
                if sample.value is not None:
                    labels = {name: str(value) for name, value in sample.labels.items()}
                    metric.add_sample(family.name + sample.suffix, labels, sample.value)
            if metric.samples:
                yield metric

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _imported() -> Any:
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingLibrary([PROMETHEUS_CLIENT], error) from error
    return prometheus_client
