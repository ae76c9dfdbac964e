"""The verdict on count tables: honest ones pass, published and broken ones are named."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.relay import Link, Relay
from combmesh.protocol.epsilon import tail_exponent
from combmesh.protocol.mdi.bounds import METHODS, OZ, PAIRS, XX, XY, YX, YY, ZO, ZZ
from combmesh.protocol.mdi.consistency import check_consistency
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, draw_tally, expected_tally
from combmesh.protocol.mdi.yields_lp import _programme, check_yields, count_row, proof_gap
from combmesh.protocol.statistics import EXACT, expectation_lower, expectation_upper

BOUND = 4e-12  # 10^-10 over 25 terms

# Wei et al., PRX 10, 031030 (2020), Table II at 28 dB; s, mu, nu, omega there are z, y, x, o here.
WEI = Settings(0.035, 0.197, 0.207, 0.267, 0.03, 0.607)
WEI_PULSES = 3e13
WEI_COUNTS = {
    **{"zz": 67610084, "yy": 258557, "xx": 606196, "yo": 49091, "oy": 102736},
    **{"xo": 69561, "ox": 47406, "oo": 6},
}
WEI_ERRORS = {"zz": 1851744, "xx": 160177, "xo": 34705, "ox": 23637, "oo": 4}
WEI_PRINTED = {"s11_lower": 8.98e-5, "phase_error_upper": 0.068, "rate_per_pulse": 1.29e-7, "skr_bps": 268.0}


def table(settings, pulses, counts, errors):
    """A tally of published counts, NaN where nothing is printed."""
    chance = {source: getattr(settings, f"p_{source}") for source in "oxyz"}
    sent = [pulses * chance[pair[0]] * chance[pair[1]] for pair in PAIRS]
    known = [[float(column.get(pair, np.nan)) for pair in PAIRS] for column in (counts, errors)]
    return Tally(np.array(sent), *map(np.array, known), pulses)


WEI_TALLY = table(WEI, WEI_PULSES, WEI_COUNTS, WEI_ERRORS)


def kinds(found):
    return {finding.kind for finding in found.findings}


def rows_of(found, kind):
    return {row for finding in found.findings if finding.kind == kind for row in finding.rows}


# ---- a published table that does not close ----


def test_paper_wei_2020_counts_alone():
    """yo and oy are 4.7 and 1.5 times below the channel of all other rows; xo beside yo asks for more wrong bits in zz
    than there are."""
    found = check_consistency(WEI_TALLY, WEI, WEI, bound=BOUND)
    assert found.verdict == "inconsistent"
    assert rows_of(found, "implausible") == {"X.yo", "X.oy"}
    assert {"X.xo", "X.yo", "Z.zz"} <= rows_of(found, "impossible")
    assert not any(finding.kind == "not reproduced" for finding in found.findings)
    sentence = next(finding.sentence for finding in found.findings if finding.rows == ("X.yo",))
    assert "49091" in sentence
    assert found.channel.detected[PAIRS.index("yo")] == pytest.approx(233_000, rel=0.02)


def test_exact_wei_2020_is_impossible_by_hand():
    """Two photon numbers suffice. e^u S_uo = s_00 + u s_10 + u^2 (...): with xo from below and yo from above

    x (1 - x/y) s_10 >= e^x S_xo - (x/y)^2 e^y S_yo - (1 - x^2/y^2) s_00, the same for s_01,

    and half of what a vacuum and a single photon give in zz is wrong: more than all that is."""
    b, x, y, z = tail_exponent(BOUND), WEI.x, WEI.y, WEI.z

    def gain(pair, bound):
        return bound(WEI_COUNTS[pair], b, EXACT) / WEI_TALLY.sent[PAIRS.index(pair)]

    def single(dim, bright):
        rest = (x / y) ** 2 * exp(y) * gain(bright, expectation_upper)
        rest += (1 - (x / y) ** 2) * gain("oo", expectation_upper)
        return (exp(x) * gain(dim, expectation_lower) - rest) / (x * (1 - x / y))

    s_10, s_01 = single("xo", "yo"), single("ox", "oy")
    wrong = WEI_TALLY.sent[ZZ] * exp(-2 * z) * z * (s_10 + s_01) / 2
    assert wrong > 1.05 * expectation_upper(WEI_ERRORS["zz"], b, EXACT)


def test_paper_wei_2020_printed_results():
    """s11 8.98e-5, but 7.83e-5 without any fluctuation; 268 bit/s, but 1.29e-7 x 1.25 GHz = 161."""
    found = check_consistency(WEI_TALLY, WEI, WEI, bound=BOUND, printed=WEI_PRINTED, clock_hz=1.25e9, f_ec=1.16)
    sentences = {finding.rows[0]: finding.sentence for finding in found.findings if finding.kind == "not reproduced"}
    assert set(sentences) == {"s11_lower", "skr_bps"}
    assert "8.98e-05" in sentences["s11_lower"]
    assert "7.83e-05" in sentences["s11_lower"]
    assert "268" in sentences["skr_bps"]
    assert "161.2" in sentences["skr_bps"]


def test_exact_masks_say_what_is_not_known():
    """Numbers that the masks hide are like numbers that are missing."""
    wild = Tally(WEI_TALLY.sent, np.nan_to_num(WEI_TALLY.detected, nan=7.0), np.nan_to_num(WEI_TALLY.errors), 3e13)
    hidden = check_consistency(
        *(wild, WEI, WEI),
        bound=BOUND,
        detected_known=np.isfinite(WEI_TALLY.detected),
        errors_known=np.isfinite(WEI_TALLY.errors),
    )
    assert hidden.findings == check_consistency(WEI_TALLY, WEI, WEI, bound=BOUND).findings


# Rubenok et al., PRL 111, 130501 (2013), setup 1a; one Bell state; gains and error rates.
RUBENOK = Settings(0.05, 0.396, 0.396, 0.25, 0.25, 0.25)
RUBENOK_GAINS = {
    **{"zz": 1.028e-4, "yy": 1.95e-4, "xx": 3.4e-6, "yo": 5.68e-5, "xo": 8.76e-7},
    **{"oy": 5.77e-5, "ox": 8.59e-7, "oo": 7.1e-10},
}
RUBENOK_QBER = {"zz": 0.0311, "yy": 0.27, "xx": 0.277}


def test_paper_rubenok_2013_gains_are_consistent():
    """The closed form is known to meet these within 0.876 to 1.051; taken as counts of 10^10 pulses each."""
    counts = {pair: round(gain * 1e10) for pair, gain in RUBENOK_GAINS.items()}
    errors = {pair: round(qber * counts[pair]) for pair, qber in RUBENOK_QBER.items()}
    found = check_consistency(table(RUBENOK, 1.6e11, counts, errors), RUBENOK, RUBENOK, bound=BOUND)
    assert found.verdict == "consistent", found.findings


# ---- honest tables ----


def random_case(rng):
    """Arms of 0 to 44 dB that differ by up to 7 dB; dead time, ceilings, one or two Bell states, light in o."""
    eta, ratio = 10 ** rng.uniform(-4, -0.3), 10 ** rng.uniform(-0.7, 0.7)
    users = []
    for balance in (ratio**0.5, ratio**-0.5):
        x = min(0.06 * balance * rng.uniform(0.4, 2.0), 0.6)
        z = rng.uniform(0.1, 1.0)
        o = min(z * 10 ** -rng.uniform(2, 4), x / 2) if rng.random() < 0.5 else 0.0
        p = rng.dirichlet([8.0, 3.0, 16.0, 2.0])
        users.append(Settings(x, min(x * rng.uniform(1.5, 6.0), 2.0), z, *map(float, p[:3]), o))
    relay = Relay(
        *(1.0, 10 ** rng.uniform(-9, -4), rng.uniform(0, 0.05), rng.uniform(0, 0.08), rng.uniform(0.4, 0.5)),
        dead_time_ns=float(rng.choice([0.0, 30.0])),
        max_count_rate_hz=None if rng.random() < 0.5 else 2e7,
        bell_states=int(rng.choice([1, 2])),
    )
    return Link(min(eta / ratio**0.5, 1.0), min(eta * ratio**0.5, 1.0), relay, 2.5e9), *users


HONEST = 60
"""Tables of each test here; 1500 of each were all consistent. At most 2e-10 of honest tables are called impossible."""


def test_limit_drawn_tables_are_consistent():
    """10^6 to 10^14.5 pulses, zero counts among them. False alarm: 1.2e-8 for the tails of 60 tables; of the fit's
    verdicts none of 1500 was false, so at most 0.2 % of tables are with 95 % confidence."""
    for k in range(HONEST):
        rng = np.random.default_rng([51, k])
        link, alice, bob = random_case(rng)
        tally = draw_tally(link, alice, bob, int(10 ** rng.uniform(6, 14.5)), rng)
        found = check_consistency(tally, alice, bob, bound=BOUND)
        assert found.verdict == "consistent", (k, found.findings)
        assert found.false_alarm < 2e-10
        given = check_consistency(tally, alice, bob, bound=BOUND, link=link)
        assert given.verdict == "consistent", (k, given.findings)


def test_limit_expected_tables_are_consistent():
    """Fractional counts of 10^3 to 10^22 pulses: nothing is random, and no solver's tolerance may say otherwise."""
    for k in range(HONEST):
        rng = np.random.default_rng([53, k])
        link, alice, bob = random_case(rng)
        tally = expected_tally(link, alice, bob, 10 ** rng.uniform(3, 22))
        found = check_consistency(tally, alice, bob, bound=BOUND)
        assert found.verdict == "consistent", (k, found.findings)


@pytest.mark.parametrize("distance_db", [0.0, 10.0, 20.0, 30.0, 50.0, 80.0])
def test_limit_any_distance(distance_db):
    """From no loss to nothing but dark counts, the simple tail too."""
    eta = 10 ** (-distance_db / 10)
    link = Link(eta, eta, Relay(1.0, 4e-8, 0.017, 0.034, 0.485), 2.5e9)
    users = Settings(0.053, 0.25, 0.333, 0.278, 0.028, 0.655)
    for pulses in (1.0, 1e9, 2.5e12, 1e20):
        for tail in ("exact", "simple"):
            found = check_consistency(expected_tally(link, users, users, pulses), users, users, bound=BOUND, tail=tail)
            assert found.verdict == "consistent", found.findings


def test_limit_imperfect_models_are_plausible():
    """Each row off by up to 15 %, by a random factor: the fit calls nothing implausible (0 of 150 at 5, 10 and 15 %,
    2 of 150 at 20 %). Whether yields exist is another question: such factors are not a channel's but a source's."""
    for k in range(40):
        rng = np.random.default_rng([57, k])
        link, alice, bob = random_case(rng)
        tally = draw_tally(link, alice, bob, int(10 ** rng.uniform(6, 14.5)), rng)
        factor = rng.uniform(0.85, 1.15, len(PAIRS))
        bent = Tally(tally.sent, np.round(tally.detected * factor), np.round(tally.errors * factor), tally.pulses)
        assert "implausible" not in kinds(check_consistency(bent, alice, bob, bound=BOUND)), k


LINK = Link(0.02, 0.01, Relay(1.0, 1e-7, 0.01, 0.03, 0.485), 2.5e9)
ALICE = Settings(0.04, 0.2, 0.3, 0.3, 0.05, 0.6)
BOB = Settings(0.06, 0.3, 0.4, 0.25, 0.04, 0.65)


def tally_with(changes=(), errors=()):
    """Expected counts of 10^12 pulses with some detected or wrong counts multiplied."""
    tally = expected_tally(LINK, ALICE, BOB, 1e12)
    detected, wrong = tally.detected.copy(), tally.errors.copy()
    for pair, factor in dict(changes).items():
        detected[PAIRS.index(pair)] *= factor
        wrong[PAIRS.index(pair)] *= factor
    for pair, factor in dict(errors).items():
        wrong[PAIRS.index(pair)] *= factor
    return Tally(tally.sent, detected, wrong, tally.pulses)


@pytest.mark.parametrize("missing", [[XY, YX], [OZ, ZO], [XY, YX, OZ, ZO, YY], list(range(len(PAIRS)))])
def test_limit_missing_pairs(missing):
    """Never sent or not counted: the rest is still checked, and nothing is made up."""
    whole = tally_with()
    sent, detected = whole.sent.copy(), whole.detected.copy()
    sent[missing] = 0.0
    detected[missing] = np.nan
    for tally in (
        Tally(sent, whole.detected, whole.errors, whole.pulses),
        Tally(whole.sent, detected, whole.errors, whole.pulses),
    ):
        found = check_consistency(tally, ALICE, BOB, bound=BOUND)
        assert found.verdict == "consistent", found.findings
        assert (found.channel is None) == (len(missing) == len(PAIRS))


def test_limit_light_of_one_user_in_both_polarizations_is_honest():
    """Real misalignment lets one user's Z light coincide with itself: 1 % of it outshines the dark counts in oz."""
    tally = tally_with()
    detected, errors = tally.detected.copy(), tally.errors.copy()
    for k, light in ((OZ, 0.01 * 0.4), (ZO, 0.02 * 0.3)):
        detected[k] += tally.sent[k] * 0.01 * light**2
        errors[k] = detected[k] / 2
    leaky = Tally(tally.sent, detected, errors, tally.pulses)
    assert detected[OZ] > 10 * tally.detected[OZ]
    for link in (None, LINK):
        found = check_consistency(leaky, ALICE, BOB, bound=BOUND, link=link)
        assert "implausible" not in kinds(found), found.findings


# ---- broken tables ----


@pytest.mark.parametrize(
    ("changes", "errors", "rows"),
    [
        ({"yo": 0.1}, {}, {"X.yo"}),  # brighter light cannot click less than vacuum and single photons of xo force
        ({"oo": 1e8}, {}, {"X.oo"}),  # the vacuum is part of every row
        ({}, {"xo": 0.5}, {"X.xo"}),  # a vacuum's error is a coin
        ({"xx": 0.2}, {}, {"X.xx"}),  # xx holds what xo and ox say of vacuum and photons
        ({}, {"xx": 0.1}, {"X.xx"}),  # half of H is wrong
    ],
)
def test_attack_broken_rows_are_named(changes, errors, rows):
    found = check_consistency(tally_with(changes, errors), ALICE, BOB, bound=BOUND)
    assert found.verdict == "inconsistent"
    assert rows <= rows_of(found, "impossible")


@pytest.mark.parametrize("pair", ["xx", "yy", "zz", "xo", "oy"])
@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_attack_one_row_off_is_named(pair, factor):
    """Against the fit and against the true channel: the row, and no other, is off by more than 30 %."""
    tally = tally_with({pair: factor})
    name = ("Z." if "z" in pair else "X.") + pair
    for link in (None, LINK):
        found = check_consistency(tally, ALICE, BOB, bound=BOUND, link=link)
        assert rows_of(found, "implausible") == {name}, found.findings
        assert found.verdict != "consistent"


def test_attack_another_channel_than_the_given_one():
    """Twice the efficiency of one arm: consistent with itself, not with the link."""
    tally = expected_tally(replace(LINK, efficiency_a=0.04), ALICE, BOB, 1e12)
    assert check_consistency(tally, ALICE, BOB, bound=BOUND).verdict == "consistent"
    found = check_consistency(tally, ALICE, BOB, bound=BOUND, link=LINK)
    assert found.verdict == "implausible"
    assert "the given channel" in found.findings[0].sentence


@pytest.mark.parametrize(
    ("detected", "errors", "words"),
    [(10.0, 11.0, "11 were wrong"), (1e13, 0.0, "were sent"), (-1.0, 0.0, "negative")],
)
def test_attack_counts_that_are_none(detected, errors, words):
    tally = tally_with()
    tally.detected[XX], tally.errors[XX] = detected, errors
    found = check_consistency(tally, ALICE, BOB, bound=BOUND)
    assert found.verdict == "inconsistent"
    assert found.findings[0].rows == ("X.xx",)
    assert words in found.findings[0].sentence


def test_exact_users_may_change_places():
    """Exchanging the users exchanges the names of the rows."""
    order = [PAIRS.index(pair[::-1]) for pair in PAIRS]
    tally = tally_with({"yo": 0.1})
    turned = Tally(tally.sent[order], tally.detected[order], tally.errors[order], tally.pulses)
    here, there = (check_consistency(t, *u, bound=BOUND) for t, u in ((tally, (ALICE, BOB)), (turned, (BOB, ALICE))))
    assert here.verdict == there.verdict
    for kind in ("impossible", "implausible"):
        assert {row[:2] + row[:1:-1] for row in rows_of(there, kind)} == rows_of(here, kind)


# ---- the proof ----


def test_attack_no_weights_prove_a_possible_table_impossible():
    """20,000 random weights, sparse and dense, on expected counts: the sum that would be a proof never is one."""
    b = tail_exponent(BOUND)
    tally = tally_with()
    rows = tuple(
        count_row(PAIRS[k], part, tally.sent[k], count, b, EXACT)
        for k in range(len(PAIRS))
        for part, count in (("right", tally.detected[k] - tally.errors[k]), ("wrong", tally.errors[k]))
    )
    problem = _programme(rows, ALICE, BOB)
    rng = np.random.default_rng(61)
    for _ in range(20_000):
        weights = rng.exponential(size=(2, len(rows))) ** 3 * (rng.random((2, len(rows))) < rng.random())
        assert proof_gap(problem, *weights, rng.normal()) <= 0.0


def test_exact_proof_on_two_rows():
    """oo and xo alone, by hand: e^x S_xo >= s_00. Just below it is impossible, just above it is not."""
    b, sent, vacuum = tail_exponent(BOUND), 1e12, 1e6
    oo = count_row("oo", "all", sent, vacuum, b, EXACT)
    least = oo.lower * exp(-ALICE.x)
    for factor, impossible in ((0.999, True), (1.001, False)):
        xo = replace(count_row("xo", "all", sent, least, b, EXACT), lower=0.0, upper=least * factor)
        assert check_yields((oo, xo), ALICE, BOB).impossible == impossible


# ---- printed results ----


@pytest.mark.parametrize(
    ("printed", "rows"),
    [
        ({"qber_z": 0.0274, "qber_x": 0.271}, set()),
        ({"qber_z": 0.017}, {"qber_z"}),
        ({"qber_x": 0.20}, {"qber_x"}),
        ({"s11_lower": 7.8e-5, "phase_error_upper": 0.068}, set()),
        ({"phase_error_upper": 0.01}, set()),  # a scan's phase error may be below: it belongs to the scan's s11
        ({"s11_lower": 7.8e-5, "phase_error_upper": 0.01}, {"s11_lower", "phase_error_upper"}),
        ({"length_bits": 3.87e6, "rate_per_pulse": 1.29e-7, "skr_bps": 161.0}, set()),
        ({"length_bits": 3.87e6, "rate_per_pulse": 2.58e-7}, {"length_bits", "rate_per_pulse"}),
        ({"length_bits": 3.87e6, "skr_bps": 268.0}, {"length_bits", "skr_bps"}),
        ({"length_bits": 1e8}, {"length_bits"}),
    ],
)
def test_exact_printed_results_of_wei(printed, rows):
    """Error rates by division, keys against each other and against the counts: without fluctuation
    s11 7.83e-5 and phase error 1.64 % (by the formulas of the notes), 6.87e-5 private bits for each pair."""
    found = check_consistency(WEI_TALLY, WEI, WEI, bound=BOUND, printed=printed, clock_hz=1.25e9, f_ec=1.16)
    assert rows_of(found, "not reproduced") == rows


@pytest.mark.parametrize("method", METHODS)
def test_limit_own_results_are_reproduced(method):
    """What our own analysis gives for honest tables, key or none, may be printed beside them."""
    tables = [(tally_with(), ALICE, BOB)]
    for k in range(25):
        rng = np.random.default_rng([59, k])
        link, alice, bob = random_case(rng)
        tables.append((draw_tally(link, alice, bob, int(10 ** rng.uniform(11, 14)), rng), alice, bob))
    for tally, alice, bob in tables:
        key = key_length(tally, alice, bob, Analysis(method), f_ec=1.1)
        printed = {
            "s11_lower": key.s11_lower,
            "phase_error_upper": key.phase_error_upper,
            "length_bits": float(key.length_bits),
            "rate_per_pulse": key.length_bits / tally.pulses,
            "skr_bps": key.length_bits / tally.pulses * 2.5e9,
            "qber_z": tally.qber_z,
            "qber_x": tally.qber_x,
        }
        known = {name: value for name, value in printed.items() if np.isfinite(value)}
        found = check_consistency(tally, alice, bob, bound=BOUND, printed=known, clock_hz=2.5e9, f_ec=1.1)
        assert found.verdict == "consistent", found.findings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bound": 0.0}, "`bound`.*0"),
        ({"bound": BOUND, "tail": "guess"}, "`tail`.*'guess'"),
        ({"bound": BOUND, "printed": {"s12": 1.0}}, "'s12'"),
        ({"bound": BOUND, "printed": {"skr_bps": float("nan")}}, "`skr_bps`.*nan"),
    ],
)
def test_exact_errors_name_the_value(arguments, words):
    with pytest.raises(InputError, match=words):
        check_consistency(WEI_TALLY, WEI, WEI, **arguments)
