"""A Prometheus of its own, which scrapes the servers of a test."""

import json
import math
import urllib.parse
from pathlib import Path

from .ports import free_port
from .process import START_SECONDS, ServerProcess
from .rest import RESTClient
from .waiting import wait_until

SCRAPE_SECONDS = 1


class Prometheus(ServerProcess):
    """Debian's package. `jobs`: the addresses to scrape, by the job's name."""

    def __init__(self, name: str, directory: Path, jobs: dict[str, list[tuple[str, int]]]):
        self.address = ("127.0.0.1", free_port())
        self.client = RESTClient(self.address)
        configuration = directory / f"{name}.yaml"
        # JSON is YAML too.
        configuration.write_text(
            json.dumps({
                "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
                "scrape_configs": [
                    {"job_name": job, "static_configs": [{"targets": [f"{host}:{port}" for host, port in addresses]}]}
                    for job, addresses in jobs.items()
                ],
            }))
        super().__init__(
            name,
            [
                "/usr/bin/prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={directory / name}",
                f"--web.listen-address={self.address[0]}:{self.address[1]}", "--log.level=warn",
            ], directory)

    def wait_ready(self, seconds: float = START_SECONDS) -> "Prometheus":
        wait_until(lambda: self.client.request("GET", "/-/ready").status == 200, seconds, f"{self.name} is ready")
        return self

    def values(self, expression: str) -> list[float]:
        """What an instant query finds now. What is not a number (a share of nothing) is nothing found."""
        result = self._ask("query", query=expression)
        values = [float(sample["value"][1]) for sample in result["result"]]
        return [value for value in values if not math.isnan(value)]

    def label_values(self, metric: str, label: str) -> list[str]:
        return self._ask(f"label/{label}/values", **{"match[]": metric})

    def _ask(self, path: str, **parameters: str):
        response = self.client.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert response.status == 200, f"{parameters}: {response}"
        return response.json()["data"]
