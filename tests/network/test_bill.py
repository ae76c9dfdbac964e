"""What a network takes; the numbers of the paper where it prints them."""

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.network.bill import (
    CLAIMS,
    EARLIER,
    Size,
    bills,
    comb_bill,
    entanglement_bill,
    laser_bill,
    size_of,
)
from combmesh.network.slots import plan_slots


def test_paper_200_users():
    """19,900 pairs and 79,600 detectors, a seed laser each; N-1 locked lasers each without combs (Fig. 1b)."""
    size = size_of(plan_slots(200, range(200)))
    assert (size.pairs, size.lines, size.receivers) == (19_900, 199, 19_900)
    comb, lasers, entangled = bills(size)
    assert comb.count("single-photon detectors") == 79_600
    assert comb.count("seed lasers") == comb.count("soliton microcombs") == 200
    assert comb.count("encoder chips") == 200 * 199
    assert lasers.count("seed lasers") == 200 * 199
    assert lasers.count("soliton microcombs") == 0
    assert entangled.count("wavelength channels") == 200 * 199
    assert entangled.count("single-photon detectors") == 800


def test_paper_earlier_networks():
    """Titles of refs 22 to 24 print eight, forty and sixteen users; 200 users are one order of magnitude more."""
    users = {earlier.reference: earlier.users for earlier in EARLIER}
    assert (users[22], users[23], users[24]) == (8, 40, 16)
    assert 200 / max(users.values()) >= 5
    assert entanglement_bill(4).count("wavelength channels") == 12  # abstract of ref. 21
    assert {claim[2] for claim in CLAIMS} >= {"section 1", "section 2.3", "section 2.4"}


def test_exact_chips_are_lines_of_users_and_slots_save_them():
    """Ten time slots: a user has one chip for each of 200 lines, not for each of 1999 partners."""
    plan = plan_slots(2000, range(200))
    size = size_of(plan, receivers=1000, switched=True)
    assert size.chips == 2000 * 200
    bill = comb_bill(size)
    assert bill.count("single-photon detectors") == 4000
    assert bill.count("switch outputs") == 2000
    assert bill.count("patched fibres") == 0


def test_exact_chips_of_unequal_demands():
    demand = np.array([[0, 3, 1], [3, 0, 1], [1, 1, 0]])
    size = size_of(plan_slots(3, range(9), 1, demand))
    assert size.chips == 4 + 4 + 2
    assert size.pairs == 3
    assert comb_bill(size).count("receivers") == 5


@pytest.mark.parametrize(("receivers", "switches"), [(45, 0), (10, 20), (0, 0)])
def test_limit_fewer_receivers_than_pairs_need_switches(receivers, switches):
    size = size_of(plan_slots(10, range(9)), receivers)
    assert laser_bill(size).count("optical switches") == switches
    for bill in bills(size):
        assert all(part.mark.note for part in bill.parts)
        assert all(part.shown()["mark"].startswith(part.mark.kind) for part in bill.parts)


def test_attack_sizes_that_cannot_be():
    with pytest.raises(InputError, match="`users` must be at least 2, but is 1"):
        Size(1, 0, 1, 1, 0, 0)
    with pytest.raises(InputError, match="`users` must be at least 2, but is 0"):
        entanglement_bill(0)
