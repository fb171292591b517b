"""Many clients, and processes that die at random. `CHUNKFLOW_SEED` repeats the choices of a run, not its timing."""

import time

import pytest
from harness import Cluster
from harness.load import Load
from harness.soak import SOAK_LIMIT, SOAK_SECONDS, make_chance

CI_SECONDS = 15


def nodes_die_one_at_a_time(fleet, seconds: float) -> None:
    """One node at a time is killed or hangs: no client may notice."""
    seed, chance = make_chance()
    cluster = Cluster(fleet, 4, chunk_size="256KiB")
    load = Load(cluster.rest, 4, seed, largest=3 << 20)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        node = chance.choice(cluster.nodes)
        if chance.random() < 0.7:
            node.kill()
            time.sleep(chance.uniform(0, 4))
            node.start()
        else:
            node.pause()
            time.sleep(chance.uniform(0, 4))
            node.resume()
        cluster.wait_for_state("up", *cluster.nodes)
    load.finish()
    print(load.counts)
    assert not load.failures, load.failures[:5]
    cluster.wait_for_repairs(60)
    load.verify_everything()
    assert min(load.counts["upload"], load.counts["download"]) > seconds
    # The copies that were made up for are as good as the others.
    chance.choice(cluster.nodes).kill()
    load.verify_everything()


def everything_dies(fleet, seconds: float) -> None:
    """Any process may be killed: requests may fail, what was acknowledged stays."""
    seed, chance = make_chance()
    cluster = Cluster(fleet, 4, chunk_size="256KiB")
    load = Load(cluster.rest, 4, seed, largest=3 << 20)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        victims = chance.sample([cluster.distributor, *cluster.nodes], chance.choice([1, 1, 2, 3, 5]))
        for process in victims:
            process.kill()
        time.sleep(chance.uniform(0, 1))
        cluster.start()
        time.sleep(chance.uniform(0.2, 2))
    load.finish()
    print(load.counts, f"{len(load.failures)} requests failed")
    cluster.wait_for_repairs(60)
    load.verify_everything()
    assert load.counts["upload"] > 0 and load.counts["download"] > 0


@pytest.mark.timeout(180)
def test_no_client_notices_that_nodes_die_and_hang_one_at_a_time(fleet):
    nodes_die_one_at_a_time(fleet, CI_SECONDS)


@pytest.mark.timeout(180)
def test_what_was_acknowledged_survives_the_kill_of_any_processes(fleet):
    everything_dies(fleet, CI_SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_LIMIT)
def test_no_client_notices_for_long_that_nodes_die_and_hang_one_at_a_time(fleet):
    nodes_die_one_at_a_time(fleet, SOAK_SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_LIMIT)
def test_what_was_acknowledged_survives_for_long_the_kill_of_any_processes(fleet):
    everything_dies(fleet, SOAK_SECONDS)
