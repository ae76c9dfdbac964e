"""Mode pairing against published count tables and rates; the tables stand here as printed.

Zhu et al., PRL 130 030801 (2023), arXiv 2208.05649, Tables I, VI, VII; Zhang et al., PRX 15 021037 (2025), Tables I to
III. Both are taken from the transcription in github Quarzii/tfqkd-lab. Zhu prints 303 km over one column for 304 km.
"""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mode_pairing.compare import Block
from combmesh.protocol.mode_pairing.consistency import impossible_counts
from combmesh.protocol.mode_pairing.keyrate import Analysis, key_length, rate_from_bounds
from combmesh.protocol.mode_pairing.pairing import Coherence, contrast_limit_slots, pairing_rate
from combmesh.protocol.mode_pairing.rates import expected_tally, mean_click
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings
from combmesh.protocol.mode_pairing.tally import MU, NU, O, PairTally

NO_FLUCTUATION = 1.0 - 2**-53
"""A bound that may fail always: b = ln(1/eps) is 1e-16."""

# ---- Zhu 2023: lengths 101, 202, 304, 407 km; D = 16, f = 1.1, least pairing length 63 ----

ZHU_KM = (101, 202, 304, 407)
ZHU_SETTINGS = (
    Settings(0.032, 0.309, 0.18, 0.22),
    Settings(0.035, 0.338, 0.25, 0.25),
    Settings(0.053, 0.531, 0.4, 0.2),
    Settings(0.038, 0.429, 0.41, 0.23),
)
ZHU_ROUNDS = (5.07e11, 2.1e12, 6.33e12, 7.66e13)
ZHU_ETA = (0.0432, 0.0068, 0.000743, 0.000218)
ZHU_DARK = 2.72e-8
ZHU_HZ = 444.83e6
ZHU_LONGEST = (500, 1000, 2000, 2000)
ZHU_CLICK = (0.00635, 0.00113, 0.000189, 5e-5)
ZHU_PAIRING = (0.00246, 0.000429, 4.42e-5, 4.21e-6)
ZHU_M11 = (1.07e8, 5.03e7, 4.51e6, 6.02e6)
ZHU_E11 = (0.2474, 0.2571, 0.337, 0.3468)
ZHU_BPS = (17200, 2080, 19.2, 0.769)
ZHU_Z = (
    ((395, 7624, 89296), (7796, 1484349, 17793988), (87784, 17282569, 207389568)),
    ((1, 2089, 19612), (2170, 1151368, 11133038), (21241, 11257634, 108781949)),
    ((3, 1130, 5674), (1183, 589395, 2890760), (5491, 2951821, 14657476)),
    ((79, 3235, 18641), (3088, 401910, 2593713), (18580, 2495312, 16100111)),
)
ZHU_Z_ERRORS = (64238, 20550, 5494, 23545)
ZHU_X = (
    ((np.nan, 728841, 104986314), (757883, 33604, 1424753), (102882407, 1397813, 6811157)),
    ((np.nan, 540202, 50434095), (620721, 72245, 1941081), (59256669, 2214830, 6799900)),
    ((np.nan, 312052, 7705544), (285196, 147652, 1153426), (7160291, 1087743, 920505)),
    ((np.nan, 195135, 8211680), (213627, 129574, 1576219), (8244022, 1565764, 1658149)),
)
ZHU_X_ERRORS = (
    ((np.nan, 371608, 53565167), (387259, 10596, 623114), (52564215, 611618, 2113807)),
    ((np.nan, 269911, 25204023), (310412, 22978, 841632), (29637863, 977362, 2129516)),
    ((np.nan, 155379, 3840896), (142195, 48961, 515419), (3573229, 480065, 303172)),
    ((np.nan, 96467, 4050328), (105084, 45226, 714854), (4063596, 711299, 566112)),
)

# ---- Zhang 2025: 101, 202, 403 km; D = 16, f = 1.06; wrong X pairs with a vacuum are not printed (nor read) ----

ZHANG_SETTINGS = (
    Settings(0.016, 0.266, 0.227, 0.206),
    Settings(0.02, 0.234, 0.303, 0.185),
    Settings(0.018, 0.292, 0.325, 0.199),
)
ZHANG_ROUNDS = (7e11, 1e12, 1e14)
ZHANG_HZ = 1.25e9 * 7 / 8
ZHANG_BPS = (97500, 6300, 47.8)
ZHANG_Z = (
    ((0, 912, 13639), (899, 1256956, 19087863), (14166, 18607910, 281215881)),
    ((0, 220, 1452), (204, 558753, 4080155), (1557, 3638570, 26646030)),
    ((19, 3885, 36123), (3799, 392658, 3665849), (34656, 3674645, 34412624)),
)
ZHANG_Z_ERRORS = (9756, 1096, 29609)
ZHANG_X = (
    ((0, 624375, 13488265), (641524, 53991, 3059991), (145543908, 2969156, 9037747)),
    ((0, 299088, 12774216), (264452, 50269, 734656), (14008155, 651638, 863571)),
    ((0, 200568, 17723656), (190050, 44713, 1132510), (16903994, 1159813, 1502874)),
)
ZHANG_X_ERRORS = (
    ((0, 0, 0), (0, 14808, 1386915), (0, 1342262, 2412570)),
    ((0, 0, 0), (0, 14377, 317844), (0, 286390, 239806)),
    ((0, 0, 0), (0, 13583, 516815), (0, 531537, 441223)),
)


def zhu_tally(k):
    tables = (np.array(table[k], dtype=float) for table in (ZHU_Z, ZHU_X, ZHU_X_ERRORS))
    return PairTally(*tables, ZHU_Z_ERRORS[k], ZHU_ROUNDS[k])


def zhang_tally(k):
    tables = (np.array(table[k], dtype=float) for table in (ZHANG_Z, ZHANG_X, ZHANG_X_ERRORS))
    return PairTally(*tables, ZHANG_Z_ERRORS[k], ZHANG_ROUNDS[k])


def zhu_link(k):
    return Link(ZHU_ETA[k], ZHU_ETA[k], Relay(dark_count_probability=ZHU_DARK), ZHU_HZ)


# ---- can the tables be true? ----


def test_paper_zhu_and_zhang_print_counts_that_can_be():
    """Seven published tables meet every necessary condition at 1e-10/23 a tail: none is called impossible."""
    zhu = [Block(zhu_tally(k), ZHU_SETTINGS[k], ZHU_SETTINGS[k], Analysis(), 2 / 16) for k in range(4)]
    zhang = [Block(zhang_tally(k), ZHANG_SETTINGS[k], ZHANG_SETTINGS[k], Analysis(), 2 / 16) for k in range(3)]
    assert [list(impossible_counts(block)) for block in (*zhu, *zhang)] == [[]] * 7


@pytest.mark.parametrize(
    ("table", "place", "count", "row"),
    [
        ("x_errors", (NU, NU), 5000.0, "X.nn"),  # 10596; half of those with a vacuum are about 9000
        ("x_pairs", (NU, NU), 20_000.0, "X.nn"),  # 33604
        ("z_pairs", (MU, MU), 9e7, "Z.mm"),  # 2.07e8, of which 1.07e8 are of single photons
    ],
)
def test_attack_counts_that_cannot_be_are_named(table, place, count, row):
    tally = zhu_tally(0)
    counts = getattr(tally, table).copy()
    counts[place] = count
    wrong = np.minimum(tally.x_errors, counts) if table == "x_pairs" else tally.x_errors
    changed = replace(tally, **{"x_errors": wrong, table: counts})
    block = Block(changed, ZHU_SETTINGS[0], ZHU_SETTINGS[0], Analysis(), 2 / 16)
    assert row in {name for finding in impossible_counts(block) for name in finding.rows}


# ---- finite key from the tables ----


@pytest.mark.parametrize(
    ("k", "m11_ratio", "e11_excess", "rate_ratio"),
    [
        (0, 0.9989, 0.0054, 0.957),
        (1, 1.0342, -0.0121, 1.010),
        (2, 1.0110, -0.0103, 1.191),
        (3, 1.0159, -0.0182, 1.868),
    ],
)
def test_paper_zhu_bounds_and_rates(k, m11_ratio, e11_excess, rate_ratio):
    """Zhu's M11, e11 and rate from his counts, nothing fitted: M11 within 3.5 %, e11 within 0.018.

    They cannot be met to the digit: Zhu does not print his decoy estimator (linear programme or closed form), nor the
    failure probability of a single tail; ours is 1e-10/23 with 23 tails, which his 1e-10 in all is compared with. The
    rate at 407 km is 1.87 times the printed one, because near e11 = 1/2 a difference of 0.018 is half of the key. Ours
    is not beyond what the counts allow: see the next test. Zhu's formula has no vacuum part.
    """
    settings = ZHU_SETTINGS[k]
    key = key_length(zhu_tally(k), settings, settings, Analysis(vacuum_credit=False), matched_share=2 / 16, f_ec=1.1)
    assert key.pairs_11_lower / ZHU_M11[k] == pytest.approx(m11_ratio, abs=2e-4)
    assert key.phase_error_upper - ZHU_E11[k] == pytest.approx(e11_excess, abs=2e-4)
    assert key.signed_bits / ZHU_ROUNDS[k] * ZHU_HZ / ZHU_BPS[k] == pytest.approx(rate_ratio, abs=2e-3)
    assert key.outcome == "key"


@pytest.mark.parametrize("k", range(4))
def test_paper_zhu_lies_inside_what_the_counts_allow(k):
    """Zhu's bounds and ours are on the safe side of the same counts without fluctuation: M11 above, e11 below."""
    settings = ZHU_SETTINGS[k]
    infinite, ours = (
        key_length(zhu_tally(k), settings, settings, Analysis(bound=bound), matched_share=2 / 16)
        for bound in (NO_FLUCTUATION, Analysis().bound)
    )
    assert max(ZHU_M11[k], ours.pairs_11_lower) < infinite.pairs_11_lower < 1.05 * ZHU_M11[k]
    assert ZHU_E11[k] - 0.07 < infinite.phase_error_upper < min(ZHU_E11[k], ours.phase_error_upper)


@pytest.mark.parametrize(("k", "rate_ratio"), [(0, 1.023), (1, 1.120), (2, 1.456)])
def test_paper_zhang_rates(k, rate_ratio):
    """A second experiment, same protocol, other group; its bounds are not printed, so only the rate is compared.

    Zhang takes the yield of X from bright X pairs (Eqs. C5, C7), which is looser the farther the link; so ours is above
    at each length. At 101 km the printed count X(2 mu, o) is 11 times X(o, 2 mu), a misprint; it is not read here.
    """
    s = ZHANG_SETTINGS[k]
    key = key_length(zhang_tally(k), s, s, Analysis(vacuum_credit=False), matched_share=2 / 16, f_ec=1.06)
    assert key.signed_bits / ZHANG_ROUNDS[k] * ZHANG_HZ / ZHANG_BPS[k] == pytest.approx(rate_ratio, abs=2e-3)


@pytest.mark.parametrize(("k", "replayed_bps"), [(0, 17294.3), (1, 1826.8), (2, 19.300), (3, 0.77274)])
def test_paper_zhu_rates_replayed_from_his_bounds(k, replayed_bps):
    """Three rows close to 0.55 %, what three digits of M11 allow; at 202 km the print says 13.9 % more than it gives.

    No rounding explains 202 km: even free error correction gives 1893 bit/s (Quarzii/tfqkd-lab found the same).
    """
    n = zhu_tally(k).z_pairs[MU, MU]
    inputs = (ZHU_M11[k], ZHU_E11[k], n, ZHU_Z_ERRORS[k])
    replay = rate_from_bounds(*inputs, rounds=ZHU_ROUNDS[k], rounds_hz=ZHU_HZ, f_ec=1.1, printed_bps=ZHU_BPS[k])
    assert replay.rate_bps == pytest.approx(replayed_bps, rel=1e-4)
    if k == 1:
        assert replay.verdict == "does not close: the printed rate is 13.9% above what the printed bounds give"
        free = rate_from_bounds(*inputs[:3], 0.0, rounds=ZHU_ROUNDS[k], rounds_hz=ZHU_HZ, f_ec=1.1)
        assert free.rate_bps == pytest.approx(1893, rel=1e-3)
        assert free.verdict == "nothing printed to compare with"
    else:
        assert replay.verdict == "closes"
        assert abs(replay.excess) < 0.0056


@pytest.mark.parametrize(("k", "per_pair"), [(0, 7.75e-5), (2, 8.65e-8), (3, 3.46e-9)])
def test_paper_zhu_bits_for_each_potential_pair(k, per_pair):
    """Table VI's other rate column; a potential pair is two rounds."""
    n = zhu_tally(k).z_pairs[MU, MU]
    replay = rate_from_bounds(
        ZHU_M11[k], ZHU_E11[k], n, ZHU_Z_ERRORS[k], rounds=ZHU_ROUNDS[k], rounds_hz=ZHU_HZ, f_ec=1.1
    )
    assert replay.bits_per_pair == pytest.approx(per_pair, rel=0.006)


def test_paper_zhu_pairs_with_a_vacuum_are_not_a_fair_coin_there():
    """371608 of 728841 at 101 km is 0.510, 17 sigma from 1/2: so the bounds take half, not the printed errors."""
    tally = zhu_tally(0)
    share = tally.x_errors[O, NU] / tally.x_pairs[O, NU]
    assert (share - 0.5) * 2 * np.sqrt(tally.x_pairs[O, NU]) > 16


# ---- the rate model against Table VI ----


@pytest.mark.parametrize("k", range(4))
def test_paper_zhu_pairing_rate(k):
    """From the printed click probability, three digits; r_p goes as its square at 407 km. Measured: within 0.6 %."""
    rule = PairingRule(ZHU_LONGEST[k], 63)
    assert pairing_rate(ZHU_CLICK[k], rule) == pytest.approx(ZHU_PAIRING[k], rel=0.006)
    assert pairing_rate(ZHU_CLICK[0], PairingRule(500)) == pytest.approx(1.26 * ZHU_PAIRING[0], rel=0.01)  # no least


@pytest.mark.parametrize("k", [0, 2, 3])
def test_paper_zhu_click_probability_predicted(k):
    """From efficiency, dark counts and intensities, nothing fitted: within 0.8 %."""
    settings = ZHU_SETTINGS[k]
    assert mean_click(zhu_link(k), settings, settings) == pytest.approx(ZHU_CLICK[k], rel=0.008)


def test_paper_zhu_202_km_clicks_are_not_met():
    """The model gives 1.266e-3, the print 1.13e-3: 12 % apart, though the printed counts agree with the model to 2 %.

    It is the row whose rate does not close either.
    """
    settings = ZHU_SETTINGS[1]
    assert mean_click(zhu_link(1), settings, settings) == pytest.approx(1.120 * ZHU_CLICK[1], rel=1e-3)


@pytest.mark.parametrize(("k", "worst"), [(0, 0.09), (1, 0.02), (2, 0.08), (3, 0.05)])
def test_paper_zhu_counts_predicted(k, worst):
    """Z pairs with light on both sides and all X pairs, nothing fitted: 2 to 10 %, all of X within 10 %.

    Not predicted: Z pairs with a vacuum, which Zhu has up to 43 times as many of as dark counts give (a leaking vacuum,
    40 dB below the signal), the QBER of Z (the same leak), and the X error of 0.31 to 0.35 where linewidths of 2 kHz
    alone give 0.253 to 0.260: the phase's other movements are not printed.
    """
    settings = ZHU_SETTINGS[k]
    rule, drift = PairingRule(ZHU_LONGEST[k], 63), Coherence(2000.0, 2000.0)
    expected, seen = expected_tally(zhu_link(k), settings, settings, rule, drift, ZHU_ROUNDS[k]), zhu_tally(k)
    z = expected.z_pairs[NU:, NU:] / seen.z_pairs[NU:, NU:]
    x = (expected.x_pairs / seen.x_pairs).ravel()[1:]
    assert np.all(np.abs(z - 1) < worst)
    assert np.all(np.abs(x - 1) < 0.105)
    assert expected.z_pairs[O, MU] < seen.z_pairs[O, MU]
    assert 0.25 < expected.qber_x < 0.261 < 0.31 < seen.qber_x


# ---- phases ----


def test_paper_zhang_error_of_weak_pulses_in_slices():
    """Zhang 2025, Eq. B10 at D = 0: M = 32 (here D = 16 slices) leaves 0.2516033; weak light, equal arms."""
    weak = Settings(1e-6, 1e-3, 0.3, 0.3)
    tally = expected_tally(Link(1e-2, 1e-2, Relay(), 1e9), weak, weak, PairingRule(100), Coherence(), 1e20)
    assert tally.qber_x == pytest.approx(0.25160328721394853, abs=1e-7)


def test_paper_zhou_error_of_a_second_order_visibility():
    """Zhou 2023, Eq. 2 at no delay: 1/2 - V/2 = 0.27 for V = 0.46; thin slices."""
    weak = Settings(1e-6, 1e-3, 0.3, 0.3)
    link = Link(1e-2, 1e-2, Relay(visibility=0.46), 1e9)
    tally = expected_tally(link, weak, weak, PairingRule(100, phase_slices=1000), Coherence(), 1e20)
    assert tally.qber_x == pytest.approx(0.27, abs=1e-5)


def test_paper_locks_of_31_khz_leave_a_contrast_of_074():
    """31 kHz over 1e4 slots of 2.5 GHz is 0.78 rad (notes); the .74 is the *Gaussian* contrast at the end of the wait.

    exp(-0.779^2/2) = 0.738. A fixed offset of 31 kHz would leave cos(0.779) = 0.711. The mean over all waits up to 1e4
    slots is higher, 0.906: the .74 belongs to the longest pairs alone.
    """
    wait_s = 1e4 / 2.5e9
    assert 2 * np.pi * 31e3 * wait_s == pytest.approx(0.78, abs=0.002)
    assert Coherence(beat_std_hz=31e3).contrast(wait_s) == pytest.approx(0.74, abs=0.003)
    assert Coherence(beat_offset_hz=31e3).contrast(wait_s) == pytest.approx(0.711, abs=0.001)
    assert contrast_limit_slots(31e3, 2.5e9, 0.7383) == pytest.approx(1e4, rel=1e-3)
