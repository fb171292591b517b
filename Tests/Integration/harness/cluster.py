"""A distributor with its storage nodes, in separate processes or in one."""

from pathlib import Path

from .fleet import Fleet
from .process import DistributorProcess, EmbeddedProcess, StorageProcess
from .rest import RESTClient
from .waiting import wait_until

STATE_SECONDS = 15
REPAIR_SECONDS = 40


class Gateway:
    """What clients talk to."""

    rest: RESTClient

    def wait_for_repairs(self, seconds: float = REPAIR_SECONDS) -> None:
        wait_until(lambda: self.rest.repair_queue_length() == 0, seconds, "the repair queue is empty")

    def wait_for_fragments(self, count: int, seconds: float = REPAIR_SECONDS) -> None:
        wait_until(
            lambda: self.rest.fragment_count() == count or wrong(self.rest.fragment_count(), count), seconds,
            f"the nodes hold {count} fragments")


def wrong(actual: object, wanted: object) -> bool:
    raise AssertionError(f"{actual!r}, not {wanted!r}")


class Cluster(Gateway):
    """A distributor and `node_count` storage processes."""

    def __init__(
        self, fleet: Fleet, node_count: int, replicas: int = 3, quorum: int = 2, chunk_size: str = "1MiB", durability: str = "fsync",
        node_data: dict[int, Path] = {}, secret: str | None = None, name: str = "", start: bool = True,
        distributor_arguments: list[str] = [], node_arguments: list[str] = [],
    ):
        self.fleet = fleet
        environment = {"CHUNKFLOW_CLUSTER_SECRET": secret} if secret else {}
        common = ["--durability", durability]
        self.nodes = [
            fleet.add(
                StorageProcess(
                    f"{name}storage{number + 1}", fleet.directory, common + node_arguments, data=node_data.get(number), environment=environment))
            for number in range(node_count)
        ]
        self.distributor = fleet.add(
            DistributorProcess(
                f"{name}distributor", fleet.directory, [node.address for node in self.nodes],
                ["--replicas", str(replicas), "--write-quorum", str(quorum), "--chunk-size", chunk_size, *common, *distributor_arguments],
                environment=environment))
        if start:
            self.start()

    def start(self) -> None:
        self.fleet.start(*[node for node in self.nodes if not node.is_running])
        if not self.distributor.is_running:
            self.distributor.start()
        self.rest = RESTClient(self.distributor.http_address)
        self.wait_for_state("up", *self.nodes)

    def kill_everything(self) -> None:
        for process in (self.distributor, *self.nodes):
            if process.is_running:
                process.kill()

    def stop_everything(self) -> None:
        for process in (self.distributor, *self.nodes):
            if process.is_running:
                process.stop()

    def wait_for_state(self, state: str, *nodes: StorageProcess, seconds: float = STATE_SECONDS) -> None:
        addresses = [node.address for node in nodes]

        def reached() -> bool:
            states = self.rest.node_states()
            return all(states[address] == state for address in addresses) or wrong(states, f"{addresses} {state}")

        wait_until(reached, seconds, f"{[node.name for node in nodes]} {state}")

    def description(self, node: StorageProcess) -> dict:
        """What GET /cluster says of a node."""
        return next(entry for entry in self.rest.cluster()["nodes"] if entry["address"] == node.address)


class EmbeddedServer(Gateway):
    """`chunkflow server`."""

    def __init__(
        self, fleet: Fleet, arguments: list[str] = [], data: Path | None = None, name: str = "server", start: bool = True, **environment: str
    ):
        self.process = fleet.add(EmbeddedProcess(name, fleet.directory, arguments, data=data, environment=environment))
        if start:
            self.start()

    def start(self) -> None:
        self.process.start()
        self.rest = RESTClient(self.process.http_address)
