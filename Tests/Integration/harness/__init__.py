"""Starts the real executables on real sockets and disks, and misuses them. Standard library only."""

from .cluster import Cluster, EmbeddedServer
from .command import ClientCommand, run_client
from .content import crc32c, make_bytes
from .fleet import Fleet
from .process import DistributorProcess, ServerProcess, StartFailure, StorageProcess
from .prometheus import Prometheus
from .proxy import CuttingProxy
from .rest import Response, RESTClient, multipart_body
from .waiting import DeadlineExceeded, wait_until
from .wire import Connection, PacedDownload, PacedUpload

__all__ = [
    "ClientCommand",
    "Cluster",
    "Connection",
    "CuttingProxy",
    "DeadlineExceeded",
    "DistributorProcess",
    "EmbeddedServer",
    "Fleet",
    "PacedDownload",
    "PacedUpload",
    "Prometheus",
    "RESTClient",
    "Response",
    "ServerProcess",
    "StartFailure",
    "StorageProcess",
    "crc32c",
    "make_bytes",
    "multipart_body",
    "run_client",
    "wait_until",
]
