#!/usr/bin/env python3
"""Memory of every process while a large file, then sixteen at once, go through four storage processes.

Bounds: distributor 256 MiB, each node 192 MiB plus its index. Ends with 1 when one is passed or the file comes back changed.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import GIB, MIB, MemorySampler, curl, require_space, table, write_content

from harness import Cluster, Fleet

DISTRIBUTOR_LIMIT = 256 * MIB
NODE_LIMIT = 192 * MIB
COPIES = 3


def upload(cluster: Cluster, path: Path) -> str:
    answer = curl("-X", "POST", f"{cluster.distributor.url}/upload", "-H", "Content-Type: multipart/form-data", "-F", f"file=@{path}")
    return json.loads(answer)["fileID"]


def download_digest(cluster: Cluster, file_id: str) -> str:
    digest = hashlib.sha256()
    with subprocess.Popen(["curl", "-sSf", f"{cluster.distributor.url}/download/{file_id}"], stdout=subprocess.PIPE) as process:
        while data := process.stdout.read(MIB):
            digest.update(data)
    if process.returncode != 0:
        raise RuntimeError(f"the download ended with {process.returncode}")
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-gib", type=float, default=10, help="size of the large file (default: 10)")
    parser.add_argument("--uploads", type=int, default=16, help="uploads at once (default: 16)")
    parser.add_argument("--upload-mib", type=int, default=256, help="size of each of them (default: 256)")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    parser.add_argument("--quick", action="store_true", help="a quarter of a GiB, and 16 uploads of 16 MiB")
    options = parser.parse_args()
    if options.quick:
        options.size_gib, options.upload_mib = 0.25, 16
    large = int(options.size_gib * GIB)
    small = options.upload_mib * MIB

    with Fleet(options.directory) as fleet:
        require_space(fleet.directory, int(1.05 * ((COPIES + 1) * large + COPIES * options.uploads * small)) + 2 * GIB)
        source = fleet.directory / "source"
        digest = write_content(source, large)
        cluster = Cluster(fleet, 4, replicas=COPIES, quorum=2, chunk_size="8MiB")
        processes = [cluster.distributor, *cluster.nodes]
        idle = {process.name: process.memory_bytes() for process in processes}
        sampler = MemorySampler(processes)
        file_id = sampler.phase("upload", lambda: upload(cluster, source))
        came_back = sampler.phase("download", lambda: download_digest(cluster, file_id))
        source.unlink()

        small_source = fleet.directory / "small"
        small_digest = write_content(small_source, small)
        with ThreadPoolExecutor(options.uploads) as pool:
            ids = sampler.phase("uploads at once", lambda: list(pool.map(lambda _: upload(cluster, small_source), range(options.uploads))))
        small_back = all(download_digest(cluster, small_id) == small_digest for small_id in ids[:2])
        sampler.stop()

        rows, over = [], []
        for process in processes:
            limit = DISTRIBUTOR_LIMIT if process is cluster.distributor else NODE_LIMIT
            most = process.memory_bytes("VmHWM")
            if most >= limit:
                over.append(process.name)
            peaks = [sampler.peaks[phase][process.name] for phase in ("upload", "download", "uploads at once")]
            rows.append([process.name, *(f"{value / MIB:.0f}" for value in (idle[process.name], *peaks, most, limit))])
        print(f"\nresident memory in MiB, {sampler.sample_count} samples; 'most' is the kernel's own high-water mark")
        table(["process", "idle", "upload", "download", f"{options.uploads} uploads", "most", "limit"], rows)
        nodes = max(node.memory_bytes("VmHWM") for node in cluster.nodes)
        print(f"file of {options.size_gib:g} GiB: {'identical (SHA-256)' if came_back == digest and small_back else 'CHANGED'}")
        print(f"memory: distributor {cluster.distributor.memory_bytes('VmHWM') / MIB:.0f} MiB, fullest node {nodes / MIB:.0f} MiB")
        if over:
            print(f"over the limit: {', '.join(over)}")
        return 0 if came_back == digest and small_back and not over else 1


if __name__ == "__main__":
    sys.exit(main())
