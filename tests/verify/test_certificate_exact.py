"""`tests/protocol/test_certificate_exact.py` with more vectors and edges: `make verify`."""

import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[1] / "protocol" / "test_certificate_exact.py"
_SPEC = importlib.util.spec_from_file_location("small_certificate_exact", _PATH)
exact = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(exact)

pytestmark = [pytest.mark.verify, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("kind", exact.KINDS)
def test_exact_rows_that_fail_are_never_accepted(kind):
    exact.check_vectors(kind, 12, 4, 60)


@pytest.mark.parametrize(("kind", "problems", "least"), [("dark", 12, 15), ("lit", 12, 15), ("Eve's", 4, 3)])
def test_exact_last_accepted_number_and_the_next(kind, problems, least):
    exact.check_edges(kind, problems, 3, least)


def test_exact_last_accepted_number_and_the_next_with_light_and_eves_intensities():
    exact.check_edges("lit, Eve's", 4, 1, 1)
