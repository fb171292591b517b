"""The bounds that the scripts of benchmarks/ hold themselves to."""

import subprocess
import sys

import pytest
from harness.process import ROOT

SECONDS = 900


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 10)
@pytest.mark.parametrize("script", ["movement.py", "repair.py"])
def test_a_quick_run_stays_within_the_bounds(script):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, "--quick"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
