"""What people deploy with: Dockerfiles, docker-compose.yaml, Kubernetes manifests, systemd units, the configuration of Prometheus.

Whether the containers work for real is shown by scripts/check-containers.sh.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness import DistributorProcess, StorageProcess
from harness.ports import free_port
from harness.process import ROOT

DOCKERFILES = [ROOT / "distributor.Dockerfile", ROOT / "storage.Dockerfile"]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
HEALTH_CHECK = ROOT / "scripts" / "container-health.sh"
# The numbers that the images know the user chunkflow by.
USER = 10001


def check(*command: str | Path, **options) -> str:
    """Runs a command that must succeed, of the virtual environment before those of the system."""
    program = Path(sys.executable).parent / command[0]
    arguments = [program if program.exists() else command[0], *command[1:]]
    done = subprocess.run(list(map(str, arguments)), cwd=ROOT, text=True, capture_output=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documents(path: Path) -> list[dict]:
    return list(yaml.safe_load_all(path.read_text()))


def manifests(kind: str) -> list[dict]:
    return [document for path in MANIFESTS for document in documents(path) if document["kind"] == kind]


# Images


def test_the_dockerfiles_are_clean():
    assert check("hadolint", "--config", ".hadolint.yaml", *DOCKERFILES) == ""


def test_the_images_share_the_stage_that_compiles():
    stages = [path.read_text().rpartition("\nFROM ")[0] for path in DOCKERFILES]
    assert stages[0] == stages[1]
    assert "swift build" in stages[0]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_says_what_it_is_and_who_runs_it(path):
    text = path.read_text()
    version = re.search(r'chunkFlowVersion = "(.+)"', (ROOT / "Sources/Core/Version.swift").read_text())[1]
    assert f'org.opencontainers.image.version="{version}"' in text
    for label in ("title", "description", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in text, label
    assert f"USER {USER}:{USER}\n" in text
    assert "STOPSIGNAL SIGTERM\n" in text


def container_health(address: str) -> int:
    environment = {"PATH": os.environ["PATH"], "CHUNKFLOW_HTTP": address}
    return subprocess.run([str(HEALTH_CHECK)], env=environment, capture_output=True, timeout=20).returncode


def test_the_health_check_tells_ready_from_not_ready_from_gone(fleet):
    node = fleet.add(StorageProcess("storage", fleet.directory)).start()
    host, port = node.listeners["http"]
    for address in (f"0.0.0.0:{port}", f"[::]:{port}", f"{host}:{port}"):
        assert container_health(address) == 0, address
    node.stop()
    assert container_health(f"0.0.0.0:{port}") != 0
    # A distributor that has no storage node serves, but is not ready.
    distributor = fleet.add(DistributorProcess("distributor", fleet.directory, [])).start()
    assert container_health(f"0.0.0.0:{distributor.http_address[1]}") != 0


def check_containers(path: Path, **environment: str) -> subprocess.CompletedProcess:
    """scripts/check-containers.sh where no programs are but those that it needs to find that out."""
    for name in ("bash", "dirname"):
        (path / name).symlink_to(shutil.which(name))
    environment = {"PATH": str(path), "CONTAINERS_PREPARE": "/nonexistent", **environment}
    return subprocess.run(["bash", "scripts/check-containers.sh"], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=30)


def test_containers_are_never_left_out_silently(tmp_path):
    done = check_containers(tmp_path)
    assert done.returncode == 1 and "make test CONTAINERS=no" in done.stderr, done.stderr


def test_containers_can_be_left_out(tmp_path):
    done = check_containers(tmp_path, CONTAINERS="no")
    assert done.returncode == 0 and "left out" in done.stdout, done.stderr


# docker-compose.yaml


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    return documents(ROOT / "docker-compose.yaml")[0]["services"]


def test_the_compose_file_has_the_form_that_the_specification_asks_for():
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yaml")


def test_every_container_is_confined(services):
    assert {"distributor", "storage1", "storage2", "storage3", "storage4", "prometheus", "grafana"} <= set(services)
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["pids_limit"], name
        assert service["restart"] == "unless-stopped", name
        for port in service.get("ports", []):
            assert port.startswith("${CHUNKFLOW_BIND:-127.0.0.1}:"), f"{name} publishes {port}"


def test_clients_reach_rest_and_s3_whose_root_key_comes_from_outside(services):
    distributor = services["distributor"]
    assert distributor["ports"] == [
        "${CHUNKFLOW_BIND:-127.0.0.1}:${CHUNKFLOW_HTTP_PORT:-8080}:8080", "${CHUNKFLOW_BIND:-127.0.0.1}:${CHUNKFLOW_S3_PORT:-9000}:9000"]
    exposed = re.search(r"(?m)^EXPOSE (.+)$", DOCKERFILES[0].read_text())[1].split()
    assert {port.rpartition(":")[2] for port in distributor["ports"]} <= set(exposed)
    for name in ("CHUNKFLOW_ROOT_ACCESS_KEY", "CHUNKFLOW_ROOT_SECRET_KEY"):
        # Nobody has a key that everybody can read.
        assert distributor["environment"][name] == f"${{{name}:-}}"
        assert not any(name in service.get("environment", {}) for service in services.values() if service is not distributor)


def test_every_server_has_a_health_check_and_keeps_its_data_in_a_volume(services):
    servers = {name: service for name, service in services.items() if "build" in service}
    volumes = [volume for service in servers.values() for volume in service["volumes"]]
    assert len(servers) == 5 and len(set(volumes)) == 5
    assert all(volume.endswith(":/var/lib/chunkflow") for volume in volumes)
    assert all(service["healthcheck"]["test"] == ["CMD", "container-health"] for service in servers.values())


def test_monitoring_is_a_profile_and_mounts_what_there_is(services):
    assert {name for name, service in services.items() if service.get("profiles") == ["monitoring"]} == {"prometheus", "grafana"}
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).is_dir(), source


def test_prometheus_scrapes_every_server_of_the_compose_file(services):
    check("promtool", "check", "config", "deploy/prometheus/prometheus.yaml")
    configuration = documents(ROOT / "deploy/prometheus/prometheus.yaml")[0]
    targets = {target for job in configuration["scrape_configs"] for targets in job["static_configs"] for target in targets["targets"]}
    assert targets == {"distributor:8080"} | {f"storage{number}:9101" for number in range(1, 5)}
    assert {target.split(":")[0] for target in targets} <= set(services)


# Kubernetes


def test_the_manifests_have_the_form_that_kubernetes_asks_for():
    assert MANIFESTS
    check("kubernetes-validate", "--strict", *MANIFESTS)


def test_every_pod_is_confined_probed_and_has_a_disk():
    for workload in manifests("StatefulSet") + manifests("Deployment"):
        spec = workload["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert {spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {USER}
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        assert any(mount["mountPath"] == "/var/lib/chunkflow" for mount in container["volumeMounts"])


def test_services_reach_the_pods_that_they_are_for():
    workloads = manifests("StatefulSet") + manifests("Deployment")
    for service in manifests("Service"):
        wanted = service["spec"]["selector"].items()
        (workload,) = [one for one in workloads if wanted <= one["spec"]["template"]["metadata"]["labels"].items()]
        named = {port["name"] for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named
    (storage,) = manifests("StatefulSet")
    headless = next(service for service in manifests("Service") if service["metadata"]["name"] == storage["spec"]["serviceName"])
    assert headless["spec"]["clusterIP"] == "None" and headless["spec"]["publishNotReadyAddresses"] is True
    (budget,) = manifests("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"] == storage["spec"]["selector"]["matchLabels"]


def environment_of(workload: dict) -> dict[str, str]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def test_storage_nodes_join_the_distributor_under_names_that_last():
    (storage,) = manifests("StatefulSet")
    environment = environment_of(storage)
    host, port = environment["CHUNKFLOW_JOIN"].split(":")
    joined = next(service for service in manifests("Service") if service["metadata"]["name"] == host)
    assert int(port) in {port["port"] for port in joined["spec"]["ports"]} and joined["spec"]["publishNotReadyAddresses"] is True
    assert environment["CHUNKFLOW_ADVERTISE"] == f"$(POD_NAME).{storage['spec']['serviceName']}:9001"
    secrets = [secret["metadata"]["name"] for secret in manifests("Secret")]
    for workload in [storage, *manifests("Deployment")]:
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        (secret,) = [variable for variable in container["env"] if variable["name"] == "CHUNKFLOW_CLUSTER_SECRET"]
        assert secret["valueFrom"]["secretKeyRef"]["name"] in secrets


def test_s3_is_served_to_clients_and_its_root_key_is_a_secret():
    (distributor,) = manifests("Deployment")
    service = next(service for service in manifests("Service") if service["metadata"]["name"] == "chunkflow")
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == {"rest": 8080, "s3": 9000}
    (container,) = distributor["spec"]["template"]["spec"]["containers"]
    (secret,) = manifests("Secret")
    for variable, key in (("CHUNKFLOW_ROOT_ACCESS_KEY", "root-access-key"), ("CHUNKFLOW_ROOT_SECRET_KEY", "root-secret-key")):
        (found,) = [one for one in container["env"] if one["name"] == variable]
        assert found["valueFrom"]["secretKeyRef"] == {"name": secret["metadata"]["name"], "key": key, "optional": True}
        assert key in secret["stringData"]


def test_secrets_that_everybody_can_read_are_refused(fleet):
    (secret,) = manifests("Secret")
    values = secret["stringData"]
    node = StorageProcess("storage", fleet.directory, environment={"CHUNKFLOW_CLUSTER_SECRET": values["cluster-secret"]})
    keys = {"CHUNKFLOW_ROOT_ACCESS_KEY": values["root-access-key"], "CHUNKFLOW_ROOT_SECRET_KEY": values["root-secret-key"]}
    distributor = DistributorProcess("distributor", fleet.directory, [], environment=keys)
    for process in (node, distributor):
        assert fleet.add(process).launch().wait() == 78


# systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_sound_and_confined(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd here")
    copy = tmp_path / unit.name
    # systemd asks whether the executable is there.
    copy.write_text(re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text()))
    assert check("systemd-analyze", "verify", copy) == ""
    # 100 is no protection at all; a server on the network that may do nothing else comes to 17.
    check("systemd-analyze", "security", "--offline=true", "--threshold=20", copy)


def test_units_do_not_start_again_what_is_told_something_wrong():
    for unit in UNITS:
        assert "RestartPreventExitStatus=64 78\n" in unit.read_text(), unit


def test_the_sample_configurations_are_accepted(fleet):
    samples = ROOT / "deploy" / "systemd"
    # Flags come before the file: what belongs to this machine is left out of it.
    storage = StorageProcess("storage", fleet.directory, ["--config", str(samples / "storage.yaml"), "--join", f"127.0.0.1:{free_port()}"])
    distributor = DistributorProcess("distributor", fleet.directory, [], ["--config", str(samples / "distributor.yaml")])
    fleet.start(fleet.add(storage), fleet.add(distributor))
