"""Links from devices on several lines, every single pulse against the closed form; the budget at many seeds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from combmesh.config.load import load_network
from combmesh.link.devices.build import link_from_devices
from combmesh.link.devices.tables import RelayDevices
from combmesh.link.pulses.engine import Simulation, simulate
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.single_pulses import compare_with_closed_form, light_of
from combmesh.study.budget.anchors import PRINTED_KEY_LINES
from combmesh.study.budget.channels import all_channels, figures
from combmesh.study.budget.chosen import chosen_pair

pytestmark = pytest.mark.verify

EXAMPLE = Path(__file__).parents[2] / "examples" / "devices.toml"
CHOSEN = chosen_pair(load_network(EXAMPLE).network, None)
FALSE_ALARM = 1e-6
"""Of each statistical test here, whose seeds are fixed."""


@pytest.mark.parametrize(("line", "lit"), [(-60, False), (-15, True), (19, False)])
def test_exact_pulses_of_lines_from_devices(line, lit):
    """20 million pulses over short, unequal arms; every pair of sources, right and wrong."""
    devices = replace(CHOSEN.pair.devices, relay=RelayDevices(all_lines_lit=lit))
    link = link_from_devices(replace(CHOSEN.pair, efficiencies=(0.2, 0.1), devices=devices), line)
    settings = Settings(0.1, 0.3, 0.5, 0.3, 0.2, 0.4)
    counted = simulate(Simulation(light_of(settings, settings), link, 20_000_000, 111 + line))
    _, p_value = compare_with_closed_form(counted, link, settings, settings)
    assert p_value > FALSE_ALARM


def test_paper_spreads_of_eight_seeds():
    """The table of docs/budget.md: spreads over 76 lines, means of eight seeds, whose own errors are 5 % and less."""
    found = {}
    for seed in range(1, 9):
        channels = all_channels(CHOSEN.pair, list(CHOSEN.pair.lines()), CHOSEN.rule, seed)
        assert sum(one.line in PRINTED_KEY_LINES for one in channels) == 76
        for figure in figures(channels, CHOSEN.pair.devices.rest):
            found.setdefault(figure.name, []).append((figure.mean, figure.std))
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    assert means["visibility"] == pytest.approx([0.485, 0.014], abs=0.0015)
    assert means["QBER Z"] == pytest.approx([0.0170, 0.00054], abs=1e-4)
    assert means["QBER X"] == pytest.approx([0.2740, 0.0022], abs=3e-4)
    assert means["double-scan"][0] == pytest.approx(47.0, abs=2.0)
