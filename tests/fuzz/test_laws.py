"""The laws of `laws.py` on a few cases each; ``VARCONVEX_FUZZ_CASES=10000 pytest tests/fuzz`` tries as many of each.

With a report, and in several processes: ``python -m benchmarks.fuzz``.
"""

import os
import subprocess
import sys

import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, settings
from laws import LAWS

CASES = int(os.environ.get("VARCONVEX_FUZZ_CASES", "8"))


@pytest.mark.parametrize("name", LAWS)
def test_law(name):
    more = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    settings(max_examples=CASES, derandomize=CASES < 1000, **more)(LAWS[name])()


@pytest.mark.slow
def test_twenty_thousand_cases():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--cases", "20000", "--jobs", "2"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
