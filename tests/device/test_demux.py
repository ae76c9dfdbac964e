"""Comb lines and their ITU labels."""

import pytest

from combmesh.device.demux import CombLines, itu_label, line_frequency_thz
from combmesh.ground.errors import InputError


@pytest.mark.parametrize(("line", "label"), [(0, "C21"), (15, "C14"), (-15, "H28"), (-60, "H50"), (19, "C12")])
def test_paper_itu_labels(line, label):
    """The labels that the paper (arXiv 2512.17318) prints for its lines; CH+n lies n lines to the red."""
    assert itu_label(line_frequency_thz(CombLines(), line)) == label


def test_exact_itu_grid():
    """ITU-T G.694.1, 50 GHz: C21 is 192.10 THz, H21 lies 50 GHz above."""
    assert itu_label(192.10) == "C21"
    assert itu_label(192.15) == "H21"
    assert itu_label(192.20) == "C22"
    assert itu_label(192.10 + 0.024) == itu_label(192.10 - 0.024) == "C21"


def test_exact_labels_repeat_along_a_49_ghz_comb():
    """80 lines of 49 GHz span 3871 GHz, 78 or 79 bins of 50 GHz: at least one label names two lines."""
    comb = CombLines()
    labels = [itu_label(line_frequency_thz(comb, line)) for line in range(comb.first_line, comb.last_line + 1)]
    assert comb.count == len(labels) == 80
    assert len(set(labels)) < 80
    assert len(set(labels)) >= 78


def test_exact_nearest_lines():
    comb = CombLines(-3, 2)
    assert comb.nearest_to_pump(1) == (0,)
    assert comb.nearest_to_pump(4) == (-2, -1, 0, 1)  # of two lines as near, the bluer one
    assert comb.nearest_to_pump(6) == (-3, -2, -1, 0, 1, 2)
    with pytest.raises(InputError, match=r"needs 7 lines.*only 6, -3 to 2"):
        comb.nearest_to_pump(7)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"first_line": 3, "last_line": 2}, "`last_line`.*2 < 3"),
        ({"rep_rate_ghz": 0.0}, "`rep_rate_ghz`.*0"),
        ({"pump_thz": float("nan")}, "`pump_thz`.*nan"),
    ],
)
def test_exact_errors_name_the_value(bad, words):
    with pytest.raises(InputError, match=words):
        CombLines(**bad)
