"""Comb lines, their ITU labels, and the grating that parts them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from combmesh.device.demux import (
    PRESETS,
    CombLines,
    Demultiplexer,
    demultiplex,
    grid_walk,
    itu_label,
    line_frequency_thz,
)
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.device.microcomb.soliton import soliton_field
from combmesh.device.microcomb.spectrum import CombSpectrum, spectrum_of
from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
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


def comb():
    """The preset's soliton at zeta 20 on 1024 lines, 49 GHz apart."""
    ring, pump = Ring(), Pump()
    return spectrum_of(ring, pump, soliton_field(cavity(ring, pump, 1024), 20.0))


def even(first=-60, last=19, rep_rate_ghz=49.0):
    """A comb of like lines without a pump line that stands out: 1 uW and 30 dB each."""
    line = np.arange(first, last + 1)
    hertz = (RUBIDIUM_PUMP_THZ * 1e3 - line * rep_rate_ghz) * 1e9
    some = np.ones(line.size)
    labels = tuple(itu_label(value * 1e-12) for value in hertz)
    return CombSpectrum(line, hertz, 1e-6 * some, 30.0 * some, labels, some > 0)


def grating(name="matched_80", **changes):
    return replace(PRESETS[name][0], **changes)


def test_paper_eighty_lines_against_the_standard_grid():
    """Notes, from the printed 49 GHz and H50 to C12: 20 of 80 lines lie more than 20 GHz off centre, and 78 bins."""
    walk = grid_walk(CombLines())
    assert (walk.line.size, walk.bins, walk.far) == (80, 78, 20)
    assert walk.off_centre_ghz[60] == pytest.approx(15.2)  # line 0: 192.1152 THz in C21
    assert walk.off_centre_ghz[75] == pytest.approx(-19.8)  # line 15 in C14: 19 GHz in the notes, which round 49 up
    assert np.abs(walk.off_centre_ghz).max() <= 25.0
    assert grid_walk(CombLines(rep_rate_ghz=50.0)).bins == 80


@pytest.mark.parametrize("order", [1, 2, 3])
def test_exact_passband(order):
    """Half of the power at half the width, whatever the order; and the noise width is the area (steps of 10 MHz)."""
    some = grating(order=order, width_ghz=24.0)
    assert some.passband(np.array([0.0, 12.0, -12.0])) == pytest.approx([1.0, 0.5, 0.5])
    away = np.linspace(-100.0, 100.0, 20_001)
    assert 0.01 * some.passband(away).sum() == pytest.approx(some.noise_width_ghz, rel=1e-9)


def test_limit_flat_top_is_flat_and_steep():
    """A tenth of the width off centre: Gaussian 2.7 %, flat-top of order 3 under 1e-4; beyond the edge the reverse."""
    gaussian, flat = grating(order=1).passband, grating(order=3).passband
    assert 1.0 - gaussian(np.array(0.1 * 24.5)) == pytest.approx(1.0 - 2.0**-0.04)
    assert 1.0 - flat(np.array(0.1 * 24.5)) < 1e-4
    assert flat(np.array(20.0)) < gaussian(np.array(20.0))


@pytest.mark.parametrize(("name", "lines"), [("matched_80", 80), ("matched_80_flat", 80), ("matched_200", 200)])
def test_exact_matched_gratings_give_each_line_its_port(name, lines):
    spectrum = comb()
    ports = demultiplex(grating(name), spectrum)
    first = -60 if lines == 80 else -100
    assert ports.line.tolist() == list(range(first, first + lines))
    assert ports.port.tolist() == list(range(lines))
    assert ports.detuning_ghz == pytest.approx(0.0, abs=1e-3)
    assert ports.itu_label == tuple(spectrum.itu_label[spectrum.at(line)] for line in ports.line)
    assert len(set(ports.itu_label)) < lines  # a label is no identity


def test_exact_loss_is_worst_at_the_edge():
    """4 dB in the middle and 1.5 dB more in the first and last port; what leaves is what came less the loss."""
    spectrum = even()
    ports = demultiplex(grating(), spectrum)
    assert ports.loss_db[[0, -1]] == pytest.approx(5.5)
    assert ports.loss_db[39:41] == pytest.approx(4.0, abs=1e-3)
    off = ports.line != 0
    assert 1e-6 * 10 ** (-ports.loss_db[off] / 10) == pytest.approx(ports.power_w[off])


def test_exact_crosstalk_adds_up():
    """80 like lines on 80 ports: in the middle 2 at -30 dB, 2 at -40 dB, 75 at -50 dB; at the end 1, 1 and 77."""
    ports = demultiplex(grating(notch_db=0.0), even())
    ratio = ports.crosstalk_w / ports.power_w
    assert ratio[40] == pytest.approx(2e-3 + 2e-4 + 75e-5)
    assert ratio[0] == pytest.approx(1e-3 + 1e-4 + 77e-5)
    assert ports.neighbours_w[[0, 40]] / ports.power_w[[0, 40]] == pytest.approx([1e-3, 2e-3])
    assert ports.crosstalk_db == pytest.approx(10 * np.log10(ratio))


def test_exact_ports_against_a_plain_loop():
    """The same written out line by line, on the standard grid where nothing fits."""
    spectrum, some = comb(), grating("grid_78")
    ports = demultiplex(some, spectrum)

    def through(hertz, port):
        away = abs(hertz - (195.05e12 - port * 50e9)) * 1e-9
        below = {0: np.inf, 1: 30.0, 2: 40.0}.get(round(away / 50.0), 50.0)
        shape = max(2.0 ** -((2 * away / 25.0) ** 2), 10 ** (-below / 10))
        return shape * 10 ** (-(4.0 + 1.5 * ((port - 38.5) / 38.5) ** 2) / 10)

    powers = spectrum.power_w * np.where(spectrum.line == 0, 10**-5.4, 1.0)
    for k in (0, 17, 60, 79):
        place, port = spectrum.at(int(ports.line[k])), int(ports.port[k])
        own = through(spectrum.frequency_hz[place], port) * powers[place]
        every = sum(through(hertz, port) * power for hertz, power in zip(spectrum.frequency_hz, powers, strict=True))
        assert ports.power_w[k] == pytest.approx(own)
        assert ports.crosstalk_w[k] == pytest.approx(every - own)


def test_limit_the_standard_grid_does_not_fit():
    """78 ports for 80 lines: two ports hold two lines, and a line at the edge of its bin loses 12 dB.

    `3.01 (2 x 24.8 / 25)^2` = 11.9 dB for the line farthest off, before the port's own loss."""
    ports = demultiplex(grating("grid_78"), even())
    assert ports.line.size == 80
    assert len(set(ports.port.tolist())) == 78
    assert np.count_nonzero(np.abs(ports.detuning_ghz) > 20.0) == 20
    worst = np.argmax(np.abs(ports.detuning_ghz))
    assert abs(ports.detuning_ghz[worst]) == pytest.approx(24.8)
    assert ports.loss_db[worst] == pytest.approx(11.85 + grating("grid_78").port_loss_db[ports.port[worst]], abs=0.01)
    shared = [np.count_nonzero(ports.port == port) == 2 for port in ports.port]
    assert np.count_nonzero(shared) == 4
    assert np.all(ports.crosstalk_db[shared] > -6.0)
    assert np.median(demultiplex(grating(), even()).crosstalk_db) < -20.0


def test_limit_a_spacing_beside_the_pitch_walks_off():
    """Spacing 48.95 GHz on a pitch of 49 GHz: 50 MHz a line, 3 GHz at line -60, which costs 0.18 dB."""
    ports = demultiplex(grating(), even(rep_rate_ghz=48.95))
    assert ports.detuning_ghz == pytest.approx(0.05 * ports.line, abs=1e-3)
    assert ports.loss_db[0] - 5.5 == pytest.approx(10 * np.log10(2.0) * (2 * 3.0 / 24.5) ** 2, abs=1e-3)


def test_limit_without_a_notch_the_pump_drowns_its_neighbours():
    """1.8 W of pump pass the ring and lines carry 7 uW: at -30 dB the port of line 1 holds more pump than line."""
    spectrum = comb()
    notched, plain = demultiplex(grating(), spectrum), demultiplex(grating(notch_db=0.0), spectrum)
    assert plain.crosstalk_db[61] > 20.0
    assert notched.crosstalk_db[61] < -20.0
    assert 0.5 < notched.power_w[60] / notched.power_w[61] < 2.0


def test_exact_snr_counts_the_noise_that_the_port_passes():
    """A Gaussian of 24.5 GHz passes the noise of 26.1 GHz: 3.2 dB less than in 12.5 GHz; detuning costs signal only."""
    ports = demultiplex(grating(notch_db=0.0), even())
    assert ports.snr_db == pytest.approx(30.0 - 10 * np.log10(26.0794 / 12.5), abs=1e-4)
    walked = demultiplex(grating("grid_78", notch_db=0.0), even())
    extra = walked.loss_db - grating("grid_78").port_loss_db[walked.port]
    assert walked.snr_db == pytest.approx(30.0 - 10 * np.log10(grating("grid_78").noise_width_ghz / 12.5) - extra)


def test_exact_every_value_of_a_preset_has_a_mark():
    names = {field.name for field in fields(Demultiplexer)}
    for _, marks in PRESETS.values():
        assert set(marks) == names
        assert all(mark.note for mark in marks.values())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"ports": 0}, "`ports`.*0"),
        ({"order": 0}, "`order`.*0"),
        ({"pitch_ghz": -49.0}, "`pitch_ghz`.*-49"),
        ({"width_ghz": 120.0}, "`width_ghz` must be at most twice the pitch of 49 GHz.*120"),
        ({"loss_db": -1.0}, "`loss_db`.*-1"),
        ({"next_db": 20.0}, "`next_db` must be at least 30.*20"),
        ({"floor_db": float("inf")}, "`floor_db`.*inf"),
        ({"ports": 5000}, "`ports` must end above 0 THz.*5000"),
    ],
)
def test_exact_wrong_gratings_get_a_sentence(bad, words):
    with pytest.raises(InputError, match=words):
        grating(**bad)
    with pytest.raises(InputError, match=r"`snr_bandwidth_ghz`.*0"):
        demultiplex(grating(), even(), 0.0)
