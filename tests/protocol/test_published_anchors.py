"""Figures printed in abstracts and tables of other experiments, and what of them follows without a fit.

Most of these papers are known here by abstract only: their detectors, intensities and block lengths were not found in
any stored source. Such a figure is never fitted and called a prediction. What is tested then is weaker, and the values
that are assumed stand in capitals with the word "assumed". Sources:

- Wei et al., PRX 10 031030 (2020), arXiv 1911.00690: text and Table II, from a copy read by optical character
  recognition; Table I there quotes other experiments.
- Chen et al., arXiv 2105.09587; Zhou et al., PRL 130 250801 (2023), arXiv 2212.14190; Lu et al., arXiv 2505.09223; Liu
  et al., PRL 122 160501 (2019); Xie et al., arXiv 2302.14349: abstracts. Zhou's lengths, drifts, linewidth and
  visibility are his Table S1, Fig. 3 and Eq. 2 as github Quarzii/tfqkd-lab transcribes them.
"""

from math import exp, log2

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.asymptotic import best_asymptotic, repeaterless_bound
from combmesh.protocol.mdi.bounds import PAIRS, ZZ, binary_entropy
from combmesh.protocol.mdi.consistency import check_consistency
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.optimise import best_point, fixed_plan, link_task, optimise, starts_of
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, expected_tally
from combmesh.protocol.mode_pairing import optimise as mode_pairing
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.settings import PairingRule

UNLIMITED = 1e15
METHODS = ("double-scan", "single-scan", "no-scan")

# ---- Wei 2020: intensities, counts, clock, detectors and dark counts are printed; the receiver's loss is not ----

WEI_HZ = 1.25e9
WEI_DARK = 50 * 600e-12  # 50 counts a second in a window of 600 ps
WEI_BOUND = 4e-12  # 10^-10 over 25 terms
WEI_FINITE = 1e-10  # the printed failure probability
WEI_SETTINGS = {
    28: Settings(0.035, 0.197, 0.207, 0.267, 0.03, 0.607),
    36: Settings(0.036, 0.188, 0.141, 0.35, 0.038, 0.488),
}
WEI_PULSES = {28: 3e13, 36: 4.5e13}
WEI_DETECTOR = {28: 0.53, 36: 0.62}
WEI_COUNTS = {
    28: {"zz": 67610084, "yy": 258557, "xx": 606196, "yo": 49091, "oy": 102736, "xo": 69561, "ox": 47406, "oo": 6},
    36: {"zz": 6305857, "yy": 115035, "xx": 388040, "yo": 138680, "oy": 87576, "xo": 26574, "ox": 44947, "oo": 0},
}
WEI_ERRORS = {
    28: {"zz": 1851744, "xx": 160177, "xo": 34705, "ox": 23637, "oo": 4},
    36: {"zz": 178909, "xx": 104895, "xo": 13227, "ox": 22647, "oo": 0},
}
WEI_S11, WEI_E11, WEI_RATE = {28: 8.98e-5, 36: 2.43e-5}, {28: 0.068, 36: 0.089}, {28: 1.29e-7, 36: 2.47e-8}
WEI_BPS = {28: 268, 36: 31}


def wei_tally(loss_db, **changed):
    """Table II, NaN where nothing is printed."""
    settings, counts = WEI_SETTINGS[loss_db], {**WEI_COUNTS[loss_db], **changed}
    chance = {source: getattr(settings, f"p_{source}") for source in "oxyz"}
    sent = np.array([WEI_PULSES[loss_db] * chance[a] * chance[b] for a, b in PAIRS])
    known = [np.array([float(rows.get(p, np.nan)) for p in PAIRS]) for rows in (counts, WEI_ERRORS[loss_db])]
    return Tally(sent, *known, WEI_PULSES[loss_db])


def wei_verdict(loss_db, printed=(), **changed):
    settings = WEI_SETTINGS[loss_db]
    known = {"s11_lower": WEI_S11, "phase_error_upper": WEI_E11, "rate_per_pulse": WEI_RATE, "skr_bps": WEI_BPS}
    claims = {name: known[name][loss_db] for name in printed}
    tally = wei_tally(loss_db, **changed)
    return check_consistency(tally, settings, settings, bound=WEI_BOUND, printed=claims, clock_hz=WEI_HZ, f_ec=1.16)


def wei_link(loss_db, receiver):
    """Printed but for `receiver`; misalignments from the printed error counts: E_z, and E_x = 1/4 + e_d/2."""
    counts, errors = WEI_COUNTS[loss_db], WEI_ERRORS[loss_db]
    e_z, e_x = errors["zz"] / counts["zz"], 2 * errors["xx"] / counts["xx"] - 0.5
    arm = receiver * WEI_DETECTOR[loss_db] * 10 ** (-loss_db / 20)
    return Link(arm, arm, Relay(1.0, WEI_DARK, e_z, e_x), WEI_HZ)


def wei_expected(loss_db, receiver):
    settings = WEI_SETTINGS[loss_db]
    return expected_tally(wei_link(loss_db, receiver), settings, settings, WEI_PULSES[loss_db])


def wei_analysis(method):
    return Analysis(method, "exact", WEI_FINITE, vacuum_credit=False)


def wei_key(loss_db, **changed):
    """Key of the printed counts without a scan, nothing fitted; our constants of the key length are in."""
    settings, known = WEI_SETTINGS[loss_db], wei_tally(loss_db, **changed)
    tally = Tally(known.sent, np.nan_to_num(known.detected), np.nan_to_num(known.errors), known.pulses)
    return key_length(tally, settings, settings, wei_analysis("no-scan"), f_ec=1.16)


def wei_receiver(loss_db):
    """Transmission of the receiver for each arm by which zz alone is met: the one number that is fitted."""
    receiver = 1.0
    for _ in range(30):
        receiver *= (WEI_COUNTS[loss_db]["zz"] / wei_expected(loss_db, receiver).detected[ZZ]) ** 0.5
    return receiver


@pytest.mark.parametrize(("loss_db", "receiver"), [(28, 0.803), (36, 0.784)])
def test_paper_wei_2020_receiver_loss(loss_db, receiver):
    """Both columns ask for the same loss that is not printed: 0.95 and 1.06 dB for each arm, 0.11 dB apart."""
    assert wei_receiver(loss_db) == pytest.approx(receiver, abs=1e-3)


@pytest.mark.parametrize(
    ("loss_db", "over_expected"),
    [
        (28, {"yy": 0.863, "xx": 0.807, "yo": 0.205, "oy": 0.428, "xo": 1.029, "ox": 0.701}),
        (36, {"yy": 0.846, "xx": 0.916, "yo": 1.250, "oy": 0.789, "xo": 0.708, "ox": 1.197}),
    ],
)
def test_paper_wei_2020_counts_predicted(loss_db, over_expected):
    """Printed over expected once zz is met: all of 36 dB within 30 %, of 28 dB all but yo and oy.

    The spread is far beyond statistics and goes opposite ways for the two users: their intensities are not as equal as
    printed. yo at 28 dB is 5 times too low.
    """
    expected = wei_expected(loss_db, wei_receiver(loss_db)).detected
    found = {pair: WEI_COUNTS[loss_db][pair] / expected[PAIRS.index(pair)] for pair in over_expected}
    assert found == pytest.approx(over_expected, abs=2e-3)
    assert {pair for pair, ratio in found.items() if not 0.69 < ratio < 1.31} == (
        {"yo", "oy"} if loss_db == 28 else set()
    )


def test_paper_wei_2020_rate_at_36_db():
    """31 bit/s printed; 25.6 without, 32.9 with one and 35.0 with both scans, at the printed settings.

    One fitted number, from the counts of zz. Assumed: each bound fails with 1e-10, the paper's failure probability, of
    which it does not say what it counts; Wei uses joint constraints and does not say whether he scans. As in formula A1
    there is no vacuum part. Our constants of the key length, 250 bits of a million, are in.
    """
    settings, block = WEI_SETTINGS[36], BlockRule(WEI_PULSES[36] / WEI_HZ, UNLIMITED)
    link = wei_link(36, wei_receiver(36))
    plans = [fixed_plan(link, settings, settings, wei_analysis(method), 1.16, block) for method in METHODS]
    rates = [plan.rate_per_pulse * WEI_HZ for plan in plans]
    assert rates == pytest.approx([35.0, 32.9, 25.6], rel=5e-3)
    assert rates[2] < WEI_BPS[36] < rates[1]


def test_paper_wei_2020_key_of_the_counts_at_36_db():
    """From the printed counts themselves, nothing fitted: 31.6 bit/s without a scan, 31 printed.

    Our s11 is 4 % above the printed one and our phase error 0.015 below; the printed rate does not follow from those
    (see the next test), so the agreement is one of rates alone.
    """
    key = wei_key(36)
    assert key.signed_bits / WEI_PULSES[36] * WEI_HZ == pytest.approx(WEI_BPS[36], rel=0.02)
    assert key.s11_lower / WEI_S11[36] == pytest.approx(1.038, abs=2e-3)
    assert key.phase_error_upper - WEI_E11[36] == pytest.approx(-0.0149, abs=5e-4)


@pytest.mark.parametrize(("loss_db", "rate", "printed_over_it"), [(28, 1.277e-7, 1.010), (36, 1.893e-8, 1.305)])
def test_paper_wei_2020_rate_formula_replayed(loss_db, rate, printed_over_it):
    """Formula A1 at the printed s11 and e11: 28 dB closes to 1 %, 36 dB is printed 30 % above it.

    Rounding of s11, e11, s and P_s explains at most 4 %. The text's bit/s are the table's rate times the clock at
    36 dB, and 1.66 times that at 28 dB.
    """
    s, pulses = WEI_SETTINGS[loss_db], WEI_PULSES[loss_db]
    counts, errors = WEI_COUNTS[loss_db]["zz"], WEI_ERRORS[loss_db]["zz"]
    private = s.p_z**2 * s.z**2 * exp(-2 * s.z) * WEI_S11[loss_db] * (1 - binary_entropy(WEI_E11[loss_db]))
    replayed = private - 1.16 * counts / pulses * binary_entropy(errors / counts)
    assert replayed == pytest.approx(rate, rel=1e-3)
    assert WEI_RATE[loss_db] / replayed == pytest.approx(printed_over_it, rel=2e-3)
    assert (round(WEI_RATE[loss_db] * WEI_HZ) == WEI_BPS[loss_db]) == (loss_db == 36)


def test_paper_wei_2020_table_at_36_db_is_possible():
    """Nothing in it is impossible and no printed bound is too good; yo alone is 1.4 times the channel of all rows."""
    found = wei_verdict(36, ("s11_lower", "phase_error_upper", "rate_per_pulse", "skr_bps"))
    assert found.verdict == "implausible"
    assert [finding.rows for finding in found.findings] == [("X.yo",)]


@pytest.mark.parametrize(
    ("digit", "impossible", "too_good", "implausible"),
    [
        (0, True, True, True),  # as read
        (1, False, True, True),
        (2, False, False, False),
        (3, False, False, False),
        (4, False, False, True),
        (5, False, False, True),
        (6, True, False, True),
        (7, True, False, True),
        (8, True, False, True),
        (9, True, False, True),
    ],
)
def test_paper_wei_2020_a_lost_digit_of_yo(digit, impossible, too_good, implausible):
    """yo at 28 dB reads 49 091. Only after a 2 or a 3 is it possible, plausible and enough for the printed s11.

    Of the two 249 091 is nearer to the count of the zz channel, 1.04 times it; 349 091 is 1.45 times it. A guess at the
    print, no finding: the only copy found reads 49 091, and oy stays too low with any digit.
    """
    found = wei_verdict(28, ("s11_lower", "phase_error_upper", "rate_per_pulse"), yo=49_091 + 100_000 * digit)
    rows = {kind: {row for f in found.findings if f.kind == kind for row in f.rows} for kind in
            ("impossible", "not reproduced", "implausible")}  # fmt: skip
    assert ("X.yo" in rows["impossible"]) == impossible
    assert ("s11_lower" in rows["not reproduced"]) == too_good
    assert ("X.yo" in rows["implausible"]) == implausible
    assert "X.oy" in rows["implausible"]


@pytest.mark.parametrize(
    ("yo", "over_expected", "bps"), [(49_091, 0.205, 62), (149_091, 0.621, 157), (249_091, 1.038, 252)]
)
def test_paper_wei_2020_key_at_28_db(yo, over_expected, bps):
    """The method that gives 31.6 for the printed 31 bit/s at 36 dB: with 249 091 it gives 252, and the text prints 268.

    But the table prints 161 bit/s, which is near 149 091: the two printed rates speak for two digits, and 349 091, with
    348 bit/s, for neither.
    """
    expected = wei_expected(28, wei_receiver(28)).detected[PAIRS.index("yo")]
    assert yo / expected == pytest.approx(over_expected, abs=2e-3)
    assert wei_key(28, yo=yo).signed_bits / WEI_PULSES[28] * WEI_HZ == pytest.approx(bps, abs=1)


@pytest.mark.parametrize(
    ("who", "clock_hz", "loss_db", "bps"),
    [
        ("Tang 2016", 10e6, 2.0, 25),
        ("Tang 2014", 75e6, 9.9, 67),
        ("Valivarthi 2017", 20e6, 16.0, 100),
        ("Yin 2016", 75e6, 19.5, 1380),
        ("Comandar 2016", 1e9, 20.4, 4567),
        ("Wei 2020", 1.25e9, 20.4, 6172),
        ("Wei 2020", 1.25e9, 28.0, 268),
        ("Wei 2020", 1.25e9, 36.0, 31),
    ],
)
def test_limit_no_experiment_passes_ideal_devices(who, clock_hz, loss_db, bps):
    """Wei 2020, Table I: clock, loss and key alone; detectors and blocks of the others were not found.

    They lie 41 to 17 000 times below ideal detectors, endless data and no errors at their clock and loss.
    """
    arm = 10 ** (-loss_db / 20)
    most = best_asymptotic(Link(arm, arm, Relay(), clock_hz), 1.0)[0] * clock_hz
    assert bps < most / 40 < most < repeaterless_bound(arm * arm) * clock_hz, who


# ---- Chen 2021: 10^10 pulses give a key at 150 km by the double scan, and by no former method ----

CHEN_PULSES = 1e10
CHEN_ASSUMED = {  # detector efficiency, dark counts a gate, misalignments in Z and X, dB/km
    "good alignment": (0.75, 1e-8, 0.005, 0.015, 0.2),
    "ultra-low-loss fibre": (0.75, 4e-8, 0.017, 0.048, 0.16),
}


def chen_bits(method, distance_km, efficiency, dark, e_z, e_x, attenuation_db_km):
    arm = efficiency * 10 ** (-attenuation_db_km * distance_km / 20)
    link = Link(arm, arm, Relay(1.0, dark, e_z, e_x), 1e9)
    plan = optimise(link, Analysis(method, bound=1e-10), 1.1, BlockRule(CHEN_PULSES / 1e9, UNLIMITED))
    return plan.rate_per_pulse * CHEN_PULSES


@pytest.mark.parametrize("case", CHEN_ASSUMED)
def test_paper_chen_2021_key_at_150_km_by_the_double_scan_alone(case):
    """Both halves of the abstract's sentence, at assumed detectors: the paper's, its loss and its key were not found.

    f_ec 1.1, 1e-10 for each bound. Both sets were chosen where the sentence can be true, at the edge of the double
    scan's reach: 215 and 329 bits of a block. The former methods are the single scan and no scan.
    """
    double, single, none = (chen_bits(method, 150, *CHEN_ASSUMED[case]) for method in METHODS)
    assert 0 < double < 1000
    assert max(single, none) < 0


def test_paper_chen_2021_needs_better_than_the_usual_parameters():
    """With 40 %, 1e-7, 1.5 %, 0.2 dB/km the reach ends between 100 and 110 km, and at 0.16 dB/km before 150 km.

    So they stand in github Jungling-White/MDI-QKD, a reproduction of the theory by others, whose sweep ends at 110 km.
    """
    usual = (0.4, 1e-7, 0.015, 0.015)
    assert chen_bits("double-scan", 110, *usual, 0.2) < 0 < chen_bits("double-scan", 100, *usual, 0.2)
    assert chen_bits("double-scan", 150, *usual, 0.16) < 0 < chen_bits("double-scan", 120, *usual, 0.16)


# ---- Liu 2019: own intensities for each user, > 10 times the key at large asymmetry, 20 to 50 km more reach ----

LIU_ASSUMED = Relay(1.0, 1e-7, 0.005, 0.015)  # 65 % and 0.2 dB/km are in the arms
LIU_BLOCK = BlockRule(1e11 / 75e6, UNLIMITED)  # assumed: 10^11 pulses at 75 MHz


def liu_link(short_km, long_km):
    return Link(0.65 * 10 ** (-0.02 * short_km), 0.65 * 10 ** (-0.02 * long_km), LIU_ASSUMED, 75e6)


def liu_rates(short_km, long_km):
    """Bits for each pulse: seven intensities; fibre added to the short arm; the same settings for both users."""
    link, padded, analysis = liu_link(short_km, long_km), liu_link(long_km, long_km), Analysis()
    task = link_task(link, analysis, 1.16, LIU_BLOCK)
    starts = starts_of(link, True) + starts_of(padded, True) + starts_of(liu_link(short_km, short_km), True)
    seven, added = (optimise(each, analysis, 1.16, LIU_BLOCK).rate_per_pulse for each in (link, padded))
    return seven, added, best_point(starts, task)[1]


def test_paper_liu_2019_ten_times_the_key_at_large_asymmetry():
    """Arms of 10 and 80 km, 14 dB apart: 31 times the better of both older ways; 10 and 60 km: 2.5 times.

    Detectors, dark counts, misalignment and pulses are assumed; the paper's were not found.
    """
    seven, added, same = liu_rates(10, 80)
    assert seven > 10 * max(added, same) > 0
    seven, added, same = liu_rates(10, 60)
    assert 2 < seven / max(added, same) < 3


def test_paper_liu_2019_reach_grows_by_20_km():
    """Beside 10 km the older ways end before a long arm of 100 km, seven intensities beyond 120 km."""
    assert max(liu_rates(10, 100)[1:]) < 0
    assert liu_rates(10, 120)[0] > 0


# ---- Zhou 2023 and Lu 2025: finite keys beyond the repeaterless bound ----

ZHOU_KM, ZHOU_BPS, ZHOU_RATIO = (413.73, 508.16), (590.61, 42.64), (1.80, 4.08)
ZHOU_DRIFT_RAD_S = {306.31: 3400.0, 413.73: 5300.0, 508.16: 5900.0}


def test_paper_zhou_2023_bound_of_the_printed_ratios():
    """Rate over ratio is the bound: 0.1585 dB/km between both lengths whatever the clock; rounding leaves 0.0002.

    If the clock is 1 GHz (assumed: it is not in what was found) both lengths have 0.160 to 0.161 dB/km on their own.
    """
    bounds = [bps / ratio for bps, ratio in zip(ZHOU_BPS, ZHOU_RATIO, strict=True)]
    between = 10 * np.log10(bounds[0] / bounds[1]) / (ZHOU_KM[1] - ZHOU_KM[0])
    assert between == pytest.approx(0.1585, abs=2e-4)
    for km, bound in zip(ZHOU_KM, bounds, strict=True):
        assert repeaterless_bound(10 ** (-0.0161 * km)) * 1e9 < bound < repeaterless_bound(10 ** (-0.0160 * km)) * 1e9


def zhou_over_bound(km, efficiency, rounds, f_ec, misalignment):
    """Best finite key over the bound: drift, 1 Hz lasers and visibility printed, 1 GHz and 0.16 dB/km assumed."""
    arm = efficiency * 10 ** (-0.008 * km)
    link = Link(arm, arm, Relay(1.0, 1e-8, 0.1 * misalignment, misalignment, 0.46), 1e9)
    drift = Coherence(1.0, 1.0, fibre_drift_rad_s=ZHOU_DRIFT_RAD_S[km])
    plan = mode_pairing.optimise(mode_pairing.PairingTask(link, drift, rounds, f_ec), PairingRule(2000))
    return plan.rate_per_round / repeaterless_bound(10 ** (-0.016 * km))


def test_paper_zhou_2023_passes_the_bound_where_printed():
    """With assumed 75 %, 1e-8 dark counts, 1e14 rounds, f 1.1, 1 %: 0.51, 2.6 and 6.2 times the bound.

    Printed: over 5 kbit/s at 306 km, 0.28 of our bound there, and 1.80 and 4.08. So beyond it at the same lengths, and
    within a factor of 2 below the optimum of the assumed devices. Not every set of devices passes: the next test.
    """
    good = (0.75, 1e14, 1.1, 0.01)
    near, middle, far = (zhou_over_bound(km, *good) for km in ZHOU_DRIFT_RAD_S)
    assert 5000 / (repeaterless_bound(10 ** (-0.016 * 306.31)) * 1e9) < near < 1
    assert middle / 2 < ZHOU_RATIO[0] < middle
    assert far / 2 < ZHOU_RATIO[1] < far


def test_limit_zhou_2023_worse_devices_do_not_pass_the_bound():
    """60 %, 1e13 rounds, f 1.16, 2 %, all assumed: 0.91 of the bound at 413 km."""
    assert 0.8 < zhou_over_bound(413.73, 0.6, 1e13, 1.16, 0.02) < 1


def test_paper_lu_2025_bound_of_the_printed_ratios():
    """Rate over ratio at the printed 0.2 dB/km is one clock of 0.39 to 0.44 GHz at all three lengths.

    7 % of the clock is 0.3 dB of 60 to 80 dB. With it 202 km gives 16 % of the bound; no ratio is printed there.
    Detectors, intensities and rounds were not found, so the rates are not recomputed.
    """
    lengths_km, rates, ratios = (303.37, 354.62, 404.25), (561.26, 113.59, 10.20), (1.0267, 2.5230, 2.1033)
    clocks = [
        bps / ratio / repeaterless_bound(10 ** (-0.02 * km))
        for km, bps, ratio in zip(lengths_km, rates, ratios, strict=True)
    ]
    assert clocks == pytest.approx([4.43e8, 3.86e8, 4.09e8], rel=2e-3)
    assert max(clocks) / min(clocks) < 10 ** (0.06)
    assert 8695.34 / np.mean(clocks) < 0.2 * repeaterless_bound(10 ** (-0.02 * 202.31))


# ---- Xie 2023: simulated 6.02 Mbit/s at 50 km, 2.29 Mbit/s at 100 km ----


@pytest.mark.parametrize(("km", "bps", "least_hz"), [(50, 6.02e6, 0.94e9), (100, 2.29e6, 1.02e9)])
def test_limit_xie_2023_needs_a_gigahertz(km, bps, least_hz):
    """Clock, detectors, pulses and fibre of the simulation were not found.

    At 0.16 dB/km (assumed) ideal devices, endless data and still phases need 1 GHz for either rate, at the best
    settings found for our pairing; below one repeater's bound. It says what is not printed, and predicts nothing.
    """
    arm = 10 ** (-0.008 * km)
    plan = mode_pairing.optimise(
        mode_pairing.PairingTask(Link(arm, arm, Relay(), 1.0), Coherence(), None, 1.0), PairingRule(2000)
    )
    assert bps / plan.rate_per_round == pytest.approx(least_hz, rel=0.01)
    assert plan.rate_per_round < -log2(1 - arm)
