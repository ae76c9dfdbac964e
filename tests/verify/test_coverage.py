"""The coverage tests of `tests/protocol` with 10^5 experiments each: `make verify`."""

import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[1] / "protocol" / "test_coverage.py"
_SPEC = importlib.util.spec_from_file_location("small_coverage", _PATH)
coverage = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(coverage)

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]

EXPERIMENTS = 100_000


@pytest.mark.parametrize("kind", coverage.WORLDS)
@pytest.mark.parametrize("name", coverage.CASES)
def test_attack_bounds_fail_no_more_often_than_their_epsilons(name, kind):
    """At eps = 10^-2 per bound: s11, key term, three methods, two tails. False alarm: 12 comparisons of 10^-6 each."""
    coverage.check_coverage(name, kind, EXPERIMENTS)


@pytest.mark.parametrize("name", coverage.CASES)
def test_attack_bounds_without_their_tails_are_caught(name):
    """Worst yields break bounds that grant no fluctuation; the false-alarm rate at 0.4 of 10^5 is far below 10^-100."""
    coverage.check_power(name, EXPERIMENTS)


@pytest.mark.parametrize("name", coverage.CASES)
def test_attack_each_count_alone(name):
    """Each count by itself: between a fortieth of its epsilon and the sum of its terms. False alarm: 96 comparisons of
    10^-6; the lower limit, 25 where 60 to 150 are seen, another 10^-6 each."""
    coverage.check_each_count_alone(name, EXPERIMENTS)
