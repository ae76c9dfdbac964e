"""The pulses engine against its own plain loop, plain detectors and plain selection, and in its limits."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, poisson

from combmesh.ground.errors import InputError
from combmesh.link.gains import yield_11
from combmesh.link.pulses import emission, engine
from combmesh.link.pulses.bell import PSI_MINUS, PSI_PLUS, announce
from combmesh.link.pulses.detectors import Clicks, Detectors, Receiver, gates_of, receiver_of
from combmesh.link.pulses.emission import BLOCK
from combmesh.link.pulses.engine import Simulation, simulate, simulate_part
from combmesh.link.pulses.light import Light, Phase, bench_of
from combmesh.link.pulses.periods import pulse_at, pulse_start
from combmesh.link.relay import Link, Relay

FALSE_ALARM = 1e-6
"""Of each statistical test here, whose seeds are fixed."""

FOUR = Light(
    np.array([[0.0, 0.06, 0.25, 0.45], [0.0, 0.08, 0.3, 0.5]]),
    np.array([[0.1, 0.24, 0.06, 0.6], [0.2, 0.2, 0.1, 0.5]]),
    np.array([False, False, False, True]),
)
LINK = Link(0.2, 0.1, Relay(1.0, 1e-3, 0.02, 0.05, 0.47), 2.5e9)


def one_source(intensity, in_z=False, **more):
    return Light(np.full((2, 1), float(intensity)), np.ones((2, 1)), np.array([in_z]), **more)


def changed(light, **more):
    return Light(**{name: getattr(light, name) for name in light.__dataclass_fields__} | more)


def perfect(efficiency=0.02, visibility=0.5, **relay):
    return Link(efficiency, efficiency, Relay(visibility=visibility, **relay), 2.5e9)


def same_distribution(one, other):
    """p-value that two counts come from one distribution; rare cells are put together."""
    table = np.array([one.ravel(), other.ravel()])
    rare = table.sum(axis=0) < 20
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    return chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue


def cells(tally):
    wrong = tally.errors
    return np.concatenate(
        [
            (tally.detected - wrong).ravel(),
            wrong.ravel(),
            (tally.sent - tally.detected.sum(axis=2)).ravel(),
        ]
    )


@pytest.mark.parametrize("photons", [False, True])
def test_exact_thinning_has_the_distribution_of_the_plain_loop(photons):
    light = changed(FOUR, photons=photons)
    thin = simulate(Simulation(light, LINK, 6_000_000, 1))
    plain = simulate(Simulation(light, LINK, 6_000_000, 2, thinned=False))
    assert thin.detected.sum() > 5_000
    assert same_distribution(cells(thin), cells(plain)) > FALSE_ALARM
    assert same_distribution(np.append(thin.clicks, 6_000_000), np.append(plain.clicks, 6_000_000)) > FALSE_ALARM
    if photons:
        assert same_distribution(thin.by_number, plain.by_number) > FALSE_ALARM


def test_exact_number_states_of_random_number_are_randomised_phases():
    """A coherent state of random phase is a number state of Poissonian number: two roads to the same counts."""
    waves = simulate(Simulation(FOUR, LINK, 6_000_000, 3))
    numbers = simulate(Simulation(changed(FOUR, photons=True), LINK, 6_000_000, 4))
    assert same_distribution(cells(waves), cells(numbers)) > FALSE_ALARM


def test_exact_yield_and_error_of_single_photons():
    """Of the pulses with one photon each, the share of Ma & Razavi 2012; sent ones from the Poisson law."""
    tally = simulate(Simulation(changed(FOUR, photons=True), LINK, 40_000_000, 5))
    sent = tally.sent * (FOUR.intensity[0] * np.exp(-FOUR.intensity[0]))[:, None]
    sent = sent * (FOUR.intensity[1] * np.exp(-FOUR.intensity[1]))
    expected = yield_11(0.2, 0.1, 1e-3) * sent[1:, 1:]
    seen = tally.by_number[1:, 1:, 1, 1, 0]
    assert chi2.sf((((seen - expected) ** 2) / expected).sum(), seen.size) > FALSE_ALARM


def test_limit_x_basis_qber_of_weak_light_is_a_quarter():
    """Perfect devices, weak coherent pulses: 25 % in X and none in Z."""
    x = simulate(Simulation(one_source(0.05), perfect(), 2_000_000_000, 6))
    announced = int(x.detected.sum())
    assert x.errors.sum() / announced == pytest.approx(0.25, abs=5 * (0.1875 / announced) ** 0.5)
    z = simulate(Simulation(one_source(0.5, in_z=True), perfect(0.2), 2_000_000, 6))
    assert z.detected.sum() > 5_000
    assert z.errors.sum() == 0


def test_limit_x_basis_has_no_errors_with_single_photons():
    light = one_source(1, statistics="fock")
    tally = simulate(Simulation(light, perfect(0.5), 1_000_000, 7))
    assert tally.detected.sum() == pytest.approx(1_000_000 * yield_11(0.5, 0.5, 0.0), rel=0.02)
    assert tally.errors.sum() == 0


def same_polarization_both_outputs(light, visibility, pulses, seed):
    """Coincidences of the two outputs within one polarization (1H with 2H, 1V with 2V)."""
    found = 0

    def look(part):
        nonlocal found
        pulse = part.clicks.time_ps // 400
        seen = np.zeros((pulse[-1] + 1 - part.first, 4), bool)
        seen[pulse - part.first, part.clicks.detector] = True
        found += int((seen[:, 0] & seen[:, 2]).sum() + (seen[:, 1] & seen[:, 3]).sum())

    simulate(Simulation(light, perfect(0.2, visibility), pulses, seed, tags=True), on_part=look)
    return found


def test_limit_hom_visibility_of_weak_coherent_pulses_is_a_half():
    """V = 1 - C(same mode)/C(different modes): 1/2 at the weak limit, and the given V of an imperfect overlap.

    Unequal bits, half of the pulses, do not interfere and give half as many coincidences: a third of all.
    """
    light = one_source(0.1, in_z=True)
    apart = same_polarization_both_outputs(light, 0.0, 120_000_000, 8)
    for visibility in (0.5, 0.4):
        together = same_polarization_both_outputs(light, visibility, 120_000_000, 9)
        assert 1.5 * (1.0 - together / apart) == pytest.approx(visibility, abs=0.03)


def test_limit_hom_visibility_of_single_photons_is_1():
    light = one_source(1, in_z=True, statistics="fock")

    def same_bits(part):
        pulse, detector = part.clicks.time_ps // 400, part.clicks.detector
        order = np.flatnonzero(np.diff(pulse) == 0)
        first, second = detector[order], detector[order + 1]
        return int(((first ^ second) == 2).sum()), int(first.size)

    counts = []

    def look(part):
        counts.append(same_bits(part))

    for visibility in (0.5, 0.0):
        simulate(Simulation(light, perfect(1.0, visibility), 100_000, 10, tags=True), on_part=look)
    assert counts[0][0] == 0  # photons of equal polarization leave by the same output
    assert counts[1][0] == pytest.approx(25_000, abs=800)  # distinguishable: half of the equal bits part


def test_exact_same_tally_and_tags_on_any_number_of_workers():
    relay = Relay(1.0, 1e-3, 0.02, 0.05, 0.47, dead_time_ns=30.0, jitter_fwhm_ps=150.0, gate_ps=300.0)
    pulses = 3 * engine.BLOCKS_AT_ONCE * BLOCK + 12345

    def run(workers):
        parts = []
        simulation = Simulation(FOUR, Link(0.02, 0.01, relay, 2.5e9), pulses, 11, tags=True)
        tally = simulate(simulation, workers, parts.append)
        return tally, [part.clicks for part in parts]

    (one, tags_one), (two, tags_two) = run(1), run(2)
    assert np.array_equal(cells(one), cells(two))
    for a, b in zip(tags_one, tags_two, strict=True):
        assert np.array_equal(a.time_ps, b.time_ps)
        assert np.array_equal(a.detector, b.detector)
    assert one.pulses == pulses == one.sent.sum()
    again = simulate(Simulation(FOUR, Link(0.02, 0.01, relay, 2.5e9), pulses, 12))
    assert not np.array_equal(cells(one), cells(again))


@pytest.mark.parametrize(
    "relay",
    [
        Relay(1.0, 1e-3, dead_time_ns=30.0),
        Relay(1.0, 1e-3, dead_time_ns=3.0, jitter_fwhm_ps=900.0),
        Relay(1.0, 1e-3, max_count_rate_hz=2e7),
        Relay(1.0, 1e-3, dead_time_ns=30.0, max_count_rate_hz=1e7, jitter_fwhm_ps=900.0),
        Relay(1.0, 1e-3, dead_time_ns=20_000.0),
    ],
)
def test_exact_parts_join_without_a_seam(relay, monkeypatch):
    """Parts of 2 blocks give the tags and counts of one part of all blocks, whatever reaches over the border."""
    simulation = Simulation(FOUR, Link(0.05, 0.05, relay, 2.5e9), 6 * BLOCK - 1000, 13, tags=True, records=True)

    def run(blocks_at_once):
        monkeypatch.setattr(engine, "BLOCKS_AT_ONCE", blocks_at_once)
        return [simulate_part(simulation, first) for first in range(0, 6, blocks_at_once)]

    whole, parts = run(6)[0], run(2)
    assert np.array_equal(whole.clicks.time_ps, np.concatenate([part.clicks.time_ps for part in parts]))
    assert np.array_equal(whole.clicks.detector, np.concatenate([part.clicks.detector for part in parts]))
    total = sum((part.tally for part in parts[1:]), parts[0].tally)
    assert total.detected.sum() == whole.tally.detected.sum() > 0


def plain_register(time_ps, detector, dead_ps):
    """Clicks one after the other; a detector is dead for `dead_ps` after each registered one."""
    last, kept = {}, []
    for t, d in sorted(zip(time_ps.tolist(), detector.tolist(), strict=True)):
        if d not in last or t - last[d] >= dead_ps:
            last[d] = t
            kept.append((t, d))
    return kept


def test_exact_dead_time_is_that_of_a_plain_loop():
    rng = np.random.default_rng(14)
    time_ps = np.sort(rng.integers(0, 4_000_000, 5000)) + rng.integers(-50, 50, 5000)
    detector = rng.integers(0, 4, 5000).astype(np.uint8)
    detectors = Detectors(Receiver(2500, np.inf, 400.0, 400.0), 0)
    halves = [
        detectors.register(Clicks(time_ps[:2500], detector[:2500]), int(time_ps[2500]) - 200, rng),
        detectors.register(Clicks(time_ps[2500:], detector[2500:]), 1 << 40, rng),
    ]
    got = [(int(t), int(d)) for part in halves for t, d in zip(part.time_ps, part.detector, strict=True)]
    assert sorted(got) == plain_register(time_ps, detector, 2500)
    assert all(a[0] <= b[0] for a, b in pairwise(got))


def plain_announce(time_ps, detector, period, gate, both):
    """Sets of detectors by pulse, one by one."""
    sets = {}
    for t, d in zip(time_ps.tolist(), detector.tolist(), strict=True):
        pulse = int((t + 0.5) // period)
        if -gate / 2 <= t + 0.5 - (pulse + 0.5) * period < gate / 2:
            sets.setdefault(pulse, (t, set()))[1].add(d)
    states = {(0, 3): PSI_MINUS, (1, 2): PSI_MINUS, (0, 1): PSI_PLUS, (2, 3): PSI_PLUS}
    found = [(pulse, states.get(tuple(sorted(d))), t) for pulse, (t, d) in sets.items()]
    return [row for row in found if row[1] == PSI_MINUS or (both and row[1] == PSI_PLUS)]


@pytest.mark.parametrize(("gate", "both"), [(400.0, 2), (150.0, 2), (400.0, 1)])
def test_exact_selection_is_that_of_a_plain_loop(gate, both):
    rng = np.random.default_rng(15)
    time_ps = np.sort(rng.integers(0, 400_000, 3000))
    detector = rng.integers(0, 4, 3000).astype(np.uint8)
    found = announce(Clicks(time_ps, detector), Receiver(0, np.inf, 400.0, gate), both)
    rows = list(zip(found.pulse.tolist(), found.state.tolist(), found.time_ps.tolist(), strict=True))
    assert rows == plain_announce(time_ps, detector, 400.0, gate, both == 2)
    assert len(rows) > 50


def test_exact_jitter_and_dark_counts_have_their_places():
    """Light: Gaussian about the middle of the period. Dark counts: anywhere, at -ln(1 - p_d) period/gate a period."""
    relay = Relay(1.0, 1e-2, jitter_fwhm_ps=100.0, gate_ps=200.0)
    clicks = []
    simulation = Simulation(one_source(0.0), Link(0.1, 0.1, relay, 2.5e9), 1_000_000, 16, tags=True)
    simulate(simulation, on_part=lambda part: clicks.append(part.clicks))
    mean = -4e6 * np.log(0.99) * 2
    assert clicks[0].time_ps.size == pytest.approx(mean, abs=5 * mean**0.5)
    assert np.std(clicks[0].time_ps % 400) == pytest.approx(400 / 12**0.5, rel=0.01)
    dark = Link(0.1, 0.1, Relay(1.0, 0.0, jitter_fwhm_ps=100.0), 2.5e9)
    simulate(
        Simulation(one_source(0.5), dark, 1_000_000, 16, tags=True), on_part=lambda part: clicks.append(part.clicks)
    )
    offset = clicks[1].time_ps % 400 + 0.5 - 200.0
    assert np.mean(offset) == pytest.approx(0.0, abs=0.6)
    assert np.std(offset) == pytest.approx(100 / 2.3548, rel=0.01)


def test_exact_dead_time_and_ceiling_limit_the_registered_rate():
    tired = Link(0.3, 0.3, Relay(1.0, 1e-4, dead_time_ns=30.0), 2.5e9)
    clicks = []
    simulate(Simulation(FOUR, tired, 2_000_000, 17, tags=True), on_part=lambda part: clicks.append(part.clicks))
    for d in range(4):
        assert np.diff(clicks[0].time_ps[clicks[0].detector == d]).min() >= 30_000
    limited = Link(0.3, 0.3, Relay(1.0, 1e-4, max_count_rate_hz=1e7), 2.5e9)
    for pulses in (BLOCK // 2, 8 * BLOCK):
        expected = 4 * 1e7 / 2.5e9 * pulses
        tally = simulate(Simulation(FOUR, limited, pulses, 17))
        assert tally.clicks.sum() == pytest.approx(expected, abs=5 * expected**0.5)


def test_limit_laser_phase_is_coherent_and_flagged():
    """With two still lasers of one frequency the phase of all pulses is the same, and Bell states are lopsided."""
    still = one_source(0.2, phase=Phase("laser"))
    shares = []
    for seed in range(12):
        tally = simulate(Simulation(still, perfect(0.3), 400_000, seed))
        shares.append(tally.errors.sum() / tally.detected.sum())
    assert still.outside_proof
    assert not FOUR.outside_proof
    assert np.ptp(shares) > 0.2  # cos^2 of a phase that each seed draws
    beating = one_source(0.2, phase=Phase("laser", 30e6, 1e3))
    tally = simulate(Simulation(beating, perfect(0.3), 4_000_000, 18))
    assert tally.errors.sum() / tally.detected.sum() == pytest.approx(0.25, abs=0.02)


def test_exact_laser_phase_diffuses_by_its_linewidth():
    """Mean cos of the change over n pulses is exp(-2 pi linewidth n T / 2), also across the borders of blocks."""
    light = one_source(0.2, phase=Phase("laser", linewidth_hz=2e3))
    run = engine._Run(Simulation(light, perfect(), 10**14, 19))
    last = engine._SPAN - 1
    walks = [run._walk(block) for block in range(last - 400, last + 400)]
    assert all(one.end == next_one.start for one, next_one in pairwise(walks))
    steps = [walk.end - walk.start for walk in walks]
    assert np.var(steps) == pytest.approx(2 * np.pi * 2e3 * BLOCK / 2.5e9, rel=0.25)
    far = [run._walk(block).start for block in range(0, 40 * engine._SPAN, engine._SPAN)]
    assert np.var(np.diff(far)) == pytest.approx(2 * np.pi * 2e3 * engine._SPAN * BLOCK / 2.5e9, rel=1.0)


def test_exact_records_hold_every_pulse_and_its_sources():
    relay = Relay(1.0, 1e-3, 0.02, 0.05, 0.47, jitter_fwhm_ps=500.0)
    parts = []
    simulation = Simulation(FOUR, Link(0.2, 0.1, relay, 2.5e9), 3 * BLOCK, 20, records=True, tags=True)
    tally = simulate(simulation, on_part=parts.append)
    source, bit = parts[0].records
    assert source.shape == bit.shape == (2, 3 * BLOCK)
    sent = np.bincount(4 * source[0].astype(int) + source[1], minlength=16).reshape(4, 4)
    assert np.array_equal(sent, tally.sent)
    expected = 3 * BLOCK * FOUR.probability[0][:, None] * FOUR.probability[1]
    assert chi2.sf(((sent - expected) ** 2 / expected).sum(), 15) > FALSE_ALARM
    assert abs(bit.mean() - 0.5) < 5 / (2 * bit.size**0.5)
    found = announce(parts[0].clicks, receiver_of(simulation.link), 2)
    inside = found.pulse < 3 * BLOCK
    pairs = np.bincount(
        4 * source[0, found.pulse[inside]].astype(int) + source[1, found.pulse[inside]], minlength=16
    ).reshape(4, 4)
    assert np.array_equal(pairs, tally.detected.sum(axis=2))


def test_exact_rare_clicks_are_poissonian():
    """Far away only dark counts are left: the number of events in equal parts has the variance of its mean."""
    link = Link(0.0, 0.0, Relay(1.0, 1e-7), 2.5e9)
    counts = [simulate(Simulation(FOUR, link, 2_000_000, seed)).clicks.sum() for seed in range(200)]
    assert poisson.sf(sum(counts), 200 * 0.8) > FALSE_ALARM
    assert poisson.cdf(sum(counts), 200 * 0.8) > FALSE_ALARM
    assert np.var(counts) == pytest.approx(0.8, abs=0.5)


def test_limit_no_light_and_no_dark_counts_give_nothing():
    tally = simulate(Simulation(FOUR, Link(0.0, 0.0, Relay(), 2.5e9), 5_000_000, 21))
    assert tally.clicks.sum() == tally.detected.sum() == 0
    assert tally.sent.sum() == 5_000_000


def test_exact_tally_does_not_depend_on_what_is_handed_out():
    relay = Relay(1.0, 1e-3, 0.02, 0.05, 0.47, jitter_fwhm_ps=500.0)
    link = Link(0.2, 0.1, relay, 2.5e9)
    bare = simulate(Simulation(FOUR, link, 2 * BLOCK, 22))
    full = simulate(Simulation(FOUR, link, 2 * BLOCK, 22, tags=True, records=True))
    for name in ("sent", "detected", "errors", "clicks"):
        assert np.array_equal(getattr(bare, name), getattr(full, name)), name


def test_limit_a_weak_pulse_never_gives_two():
    """Of pulses with any click at a mean of 1e-12, one in 2e12 has a second; by 1 - exp(-mean) it was one in 2e4."""
    rng = np.random.default_rng(23)
    assert all(emission._poisson(rng, 1e-12, True) == 1 for _ in range(300_000))
    twos = np.bincount([emission._poisson(rng, 0.1, True) for _ in range(100_000)])
    law = poisson.pmf(np.arange(1, 5), 0.1) / -np.expm1(-0.1) * 100_000
    assert chi2.sf(((twos[1:5] - law)[:3] ** 2 / law[:3]).sum(), 2) > FALSE_ALARM


def test_exact_the_faintest_link_still_clicks_as_often_as_it_should():
    link = Link(0.0, 0.0, Relay(1.0, 1e-17), 2.5e9)
    choice = emission.choice_of(bench_of(FOUR, link))
    assert choice.any_click == pytest.approx(4e-17, rel=1e-9)
    assert simulate(Simulation(FOUR, link, 4 * BLOCK, 24)).clicks.sum() == 0


def test_limit_sources_that_are_never_chosen_are_never_sent():
    cumulative = emission.shares(np.array([0.0, 0.1, 0.2, 0.3, 0.1, 0.0]))
    assert cumulative[0] == 0.0
    assert cumulative[4] == cumulative[5] == 1.0  # exactly: a draw below 1 ends at pair 4
    rarely = changed(FOUR, probability=np.array([[0.5, 0.0, 0.5, 0.0], [0.0, 0.3, 0.7, 0.0]]))
    for thinned in (True, False):
        sent = simulate(Simulation(rarely, LINK, BLOCK, 25, thinned)).sent
        assert np.array_equal(sent > 0, (rarely.probability[0][:, None] * rarely.probability[1]) > 0)


def test_exact_an_emission_does_not_depend_on_the_room_it_is_given(monkeypatch):
    def run():
        simulation = Simulation(FOUR, LINK, BLOCK, 26, tags=True, records=True)
        return simulate_part(simulation, 0)

    wide, room = run(), emission._room
    monkeypatch.setattr(emission, "_room", lambda bench, choice, pulses, scale: room(bench, choice, 500 * scale, 1))
    narrow = run()
    assert np.array_equal(wide.clicks.time_ps, narrow.clicks.time_ps)
    assert np.array_equal(wide.records.bit, narrow.records.bit)


@pytest.mark.parametrize("clock_hz", [2.5e9, 1.7e9, 3e9, 1e9 / 7])
@pytest.mark.parametrize("pulse", [0, 1, 12_345, 10**9 + 7, 2 * 10**13])
def test_exact_pulses_begin_where_whole_numbers_say(clock_hz, pulse):
    """Beside fractions of Python's integers; after 2e13 pulses a product of floats is off by ps."""
    period_ps = 1e12 / clock_hz
    start, rest = pulse_start(pulse, period_ps)
    exact = pulse * Fraction(period_ps)
    assert abs(float(exact - start) - rest) < 0.005
    for past in (0, 1, 200, int(period_ps) - 2):
        found, since = pulse_at(start + 1 + past, period_ps)
        assert found == pulse
        assert since == pytest.approx(past + 1.5 - rest, abs=0.005)


@pytest.mark.parametrize("clock_hz", [1.7e9, 3e9])
def test_exact_dark_counts_of_a_broken_period_stay_in_their_pulse(clock_hz):
    """A whole ps at the border belongs to one pulse for the source and for the gate alike."""
    link = Link(0.0, 0.0, Relay(1.0, 0.3), clock_hz)
    simulation = Simulation(FOUR, link, BLOCK, 27, tags=True)
    sent, clicks = engine._Run(simulation).block(Detectors(receiver_of(link), 0), 0)
    assert np.array_equal(np.unique(gates_of(clicks.time_ps, 1e12 / clock_hz, 1e12 / clock_hz)), sent.pulse)


def test_exact_time_tags_keep_their_ps_after_hours():
    """Light without jitter comes in the middle of its period, also after 1e13 pulses of 3 GHz."""
    link = Link(0.5, 0.5, Relay(), 3e9)
    run = engine._Run(Simulation(FOUR, link, 3 * 10**13, 28))
    block = 10**13 // BLOCK
    sent, clicks = run.block(run.detectors_at(block), block)
    middle = [int(np.floor((pulse + Fraction(1, 2)) * Fraction(1e12 / 3e9))) for pulse in sent.pulse[:500].tolist()]
    assert set(np.unique(clicks.time_ps)[:500].tolist()) == set(middle)


def test_exact_photon_numbers_of_number_states_are_theirs():
    """Also of pulses that are announced for a neighbour's click."""
    light = Light(np.array([[1.0, 2.0]] * 2), np.full((2, 2), 0.5), np.array([False, True]), statistics="fock")
    relay = Relay(1.0, 1e-3, jitter_fwhm_ps=900.0)
    tally = simulate(Simulation(light, Link(0.05, 0.05, relay, 2.5e9), 2_000_000, 29))
    numbers = tally.by_number[..., 0]
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert numbers[i, j, i + 1, j + 1] == numbers[i, j].sum() == tally.detected[i, j].sum() > 0


def test_exact_detectors_that_never_rest_are_followed_once(monkeypatch):
    """A dead time of a thousand clicks is not forgotten: parts then follow one another, and no block is run twice."""
    monkeypatch.setattr(engine, "BLOCKS_AT_ONCE", 2)
    tired = Link(0.3, 0.3, Relay(1.0, 1e-3, dead_time_ns=20_000.0), 2.5e9)
    simulation, blocks, emit = Simulation(FOUR, tired, 8 * BLOCK, 30), [], engine.emit
    monkeypatch.setattr(engine, "emit", lambda *call: blocks.append(call[3]) or emit(*call))
    two = simulate(simulation, workers=2)
    assert blocks == [block * BLOCK for block in range(8)]
    whole = simulate_part(simulation, 0).tally + simulate_part(simulation, 2).tally
    whole += simulate_part(simulation, 4).tally + simulate_part(simulation, 6).tally
    assert np.array_equal(two.clicks, whole.clicks)
    assert np.array_equal(two.detected, whole.detected)


def test_exact_a_pause_is_not_seen_while_stray_clicks_may_be_missing():
    detectors = Detectors(Receiver(1000, np.inf, 400.0, 400.0), 0, 5000)
    rng = np.random.default_rng(31)
    detector = np.arange(4, dtype=np.uint8)
    detectors.register(Clicks(np.full(4, 4000), detector), 5500, rng)
    assert not detectors.settled
    detectors.register(Clicks(np.full(4, 6100), detector), 7000, rng)
    assert detectors.settled


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: changed(FOUR, probability=FOUR.probability * 0.9), "`probability` of a user must sum to 1"),
        (lambda: changed(FOUR, intensity=FOUR.intensity[:, :3]), "`intensity` must have shape"),
        (lambda: changed(FOUR, intensity=-FOUR.intensity), "`intensity` must be at least 0"),
        (lambda: changed(FOUR, phase=Phase("laser"), photons=True), "`phase` must be"),
        (lambda: one_source(0.5, statistics="fock"), "whole photon numbers"),
        (lambda: Simulation(FOUR, LINK, 0, 1), "`pulses` must be at least 1"),
        (lambda: Simulation(FOUR, Link(0.1, 0.1, Relay(), 1e6), 10**14, 1), "`pulses` must be at most 46116860184.*53"),
        (lambda: Simulation(FOUR, Link(0.1, 0.1, Relay(), 1e12), 10, 1), "`clock_hz` must be at most 1e.11"),
        (
            lambda: simulate(Simulation(FOUR, perfect(dark_count_probability=1.0), 10, 1)),
            "`dark_count_probability` must",
        ),
        (
            lambda: Light(np.full((2, 17), 0.1), np.full((2, 17), 1 / 17), np.zeros(17, bool)),
            "`sources` must be at most",
        ),
        (lambda: Link(0.1, 0.1, Relay(jitter_fwhm_ps=1e6), 2.5e9), "`jitter_fwhm_ps` must be at most 1000 periods"),
        (lambda: Relay(gate_ps=1e-300), "`gate_ps` must be at least 2"),
        (lambda: Relay(dead_time_ns=1e30), "`dead_time_ns` must be at most"),
        (lambda: simulate(Simulation(one_source(60.0), LINK, 10, 1)), "`intensity` must be at most 50"),
        (lambda: Link(0.1, 0.1, Relay(gate_ps=500.0), 2.5e9), "`gate_ps` must be at most the period of 400 ps"),
    ],
)
def test_bad_light_gets_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
