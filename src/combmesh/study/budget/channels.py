"""All lines of a pair at once: what each shows in one block, and the spread from line to line (Fig. 3h, 4a, 4b)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import floor, log10, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.rng import stream
from combmesh.link.devices.build import Pair, line_terms, links_of
from combmesh.link.devices.residuals import Residuals, held
from combmesh.link.devices.tables import Rest
from combmesh.link.interference.dip import Scan, integration_for
from combmesh.link.interference.overlap import Wave
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import XX, ZZ
from combmesh.protocol.mdi.tally import draw_tally, expected_tally
from combmesh.study.budget.anchors import (
    H28,
    PRINTED_DIP,
    PRINTED_H28,
    PRINTED_H28_STD,
    PRINTED_KEY_LINES,
    PRINTED_QBER_X,
    PRINTED_QBER_X_STD,
    PRINTED_QBER_Z,
    PRINTED_QBER_Z_STD,
    PRINTED_SKR_BPS,
)
from combmesh.study.budget.rates import (
    CERTIFICATE,
    DOUBLE_SCAN,
    KeyRule,
    certificate_bits,
    plans_with_vacuum,
    scan_bits,
)

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Channel:
    """One line of a pair in one block.

    Attributes:
        line, itu_label: the line; labels repeat.
        snr_db: of the worse user.
        dip_visibility: expected of a scan; `counted_visibility` is that with a scan's counting noise.
        qber_z, qber_x: expected of the devices in this block.
        counted_qber_z, counted_qber_x: of the block's drawn counts.
        counting_std_z, counting_std_x: standard deviation of these about the expected ones.
        skr_bps: of the drawn counts by each method; `expected_bps` of the expected ones.
    """

    line: int
    itu_label: str
    snr_db: float
    dip_visibility: float
    counted_visibility: float
    qber_z: float
    qber_x: float
    counted_qber_z: float
    counted_qber_x: float
    counting_std_z: float
    counting_std_x: float
    skr_bps: dict[str, float]
    expected_bps: dict[str, float]


def all_channels(
    pair: Pair,
    lines: Sequence[int],
    rule: KeyRule,
    seed: int,
    on_channel: Progress | None = None,
    dip_std: float = PRINTED_H28_STD,
) -> list[Channel]:
    """One block of each line: its own devices, its own held polarization, its own counts.

    Args:
        pair: the users and their devices.
        lines: line numbers.
        rule: how a block becomes key; each line is planned for its devices at their rms residuals.
        seed: of scatter and counts.
        on_channel: called with the number of lines that are done.
        dip_std: counting noise of a scan's visibility; the printed one of H28 tells how long a scan is.
    """
    streams = [stream(seed, "budget", line) for line in lines]
    left = _scattered(pair, np.asarray(lines, np.int64), streams)
    terms = line_terms(pair, lines, left)
    planned, real = links_of(pair, line_terms(pair, lines)), links_of(pair, terms)
    seen = np.broadcast_to(terms.dip_visibility, len(lines))
    channels = []
    for k, rng in enumerate(streams):
        dip = float(seen[k]), float(seen[k] + dip_std * rng.standard_normal())
        channels.append(_channel(pair, lines[k], (planned[k], real[k]), dip, rule, rng))
        if on_channel:
            on_channel(k + 1)
    return channels


def _channel(
    pair: Pair,
    line: int,
    links: tuple[Link, Link],
    dip: tuple[float, float],
    rule: KeyRule,
    rng: np.random.Generator,
) -> Channel:
    """One block; `links` are the one that is planned for and the one that is met."""
    alice, bob = pair.lights()
    place, place_b = (int(light.places(np.array([line]))[0]) for light in (alice, bob))
    plans = plans_with_vacuum(links[0], rule, (alice.spec, bob.spec))
    scan, certified, link = plans.scan, plans.certificate, links[1]
    expected = expected_tally(link, scan.alice, scan.bob, scan.pulses)
    counted = draw_tally(link, scan.alice, scan.bob, scan.pulses, rng)
    other = draw_tally(link, certified.alice, certified.bob, certified.pulses, rng)
    return Channel(
        line=line,
        itu_label=alice.itu_label[place],
        snr_db=10.0 * log10(min(float(alice.snr[place]), float(bob.snr[place_b]))),
        dip_visibility=dip[0],
        counted_visibility=dip[1],
        qber_z=expected.qber_z,
        qber_x=expected.qber_x,
        counted_qber_z=counted.qber_z,
        counted_qber_x=counted.qber_x,
        counting_std_z=_std(expected.qber_z, float(counted.detected[ZZ])),
        counting_std_x=_std(expected.qber_x, float(counted.detected[XX])),
        skr_bps={
            DOUBLE_SCAN: _bps(scan_bits(counted, rule, scan), scan.pulses, link),
            CERTIFICATE: _bps(certificate_bits(other, rule, certified), certified.pulses, link),
        },
        expected_bps=plans.rates_bps(link.clock_hz),
    )


def scan_seconds(pair: Pair, dip_std: float = PRINTED_H28_STD) -> float:
    """Time at each delay after which a scan has this counting noise, s."""
    spec = pair.lights()[0].spec
    wave = Wave(fwhm_ps=spec.optical_fwhm_ps)
    scan = Scan(clock_hz=pair.clock_hz, dark_count_probability=pair.relay.dark_count_probability)
    return integration_for(scan, wave, wave, dip_std)


def _scattered(
    pair: Pair, lines: NDArray[np.int64], streams: Sequence[np.random.Generator]
) -> tuple[Residuals, Residuals]:
    """Residuals of each line's own block: the mean error of a held polarization scatters."""
    control = pair.devices.control
    off = control.error_rms * np.array([rng.standard_normal((2, 2)) for rng in streams])  # (line, user, basis)
    users = []
    for user, left in enumerate(held(control, pair.comb, lines)):
        e_z, e_x = (
            np.clip(np.asarray(mean) + off[:, user, basis], 0.0, 0.5)
            for basis, mean in enumerate((left.error_z, left.error_x))
        )
        users.append(replace(left, error_z=e_z, error_x=e_x))
    return users[0], users[1]


def _std(qber: float, counts: float) -> float:
    return sqrt(qber * (1.0 - qber) / counts) if counts > 0.0 else nan


def _bps(bits: float, pulses: int, link: Link) -> float:
    return floor(max(bits, 0.0)) / pulses * link.clock_hz


@dataclass(frozen=True)
class Figure:
    """Mean and spread of a quantity over lines, beside the paper's.

    Attributes:
        name, unit: of the quantity; a share has the unit "%" and is given as a share.
        kind: "fitted mean" where the file's rest is fitted to the mean, "fitted level" of the one line that goes with
            such a mean; spreads are predictions, save the counting noise of the visibility, which is the printed one.
        mean, std: of the block's counts.
        devices_std: of the devices alone, without counting.
        printed, printed_std: None where the paper prints none.
    """

    name: str
    unit: str
    kind: str
    mean: float
    std: float
    devices_std: float
    printed: float | None
    printed_std: float | None

    @property
    def deviation(self) -> float | None:
        """Mean less the printed one."""
        return None if self.printed is None else self.mean - self.printed


def figures(channels: Sequence[Channel], rest: Rest) -> list[Figure]:
    """Every figure of the lines: visibility over all, QBERs and rates over those of Fig. 4 where there are any.

    H28 has its expected visibility, with the counting error of the printed scan as its spread.
    """
    of_keys = [one for one in channels if one.line in PRINTED_KEY_LINES] or list(channels)
    rows = [
        _figure("visibility", rest.overlap < 1.0, channels, "counted_visibility", "dip_visibility", PRINTED_DIP, None),
        _figure("QBER Z", rest.error_z > 0, of_keys, "counted_qber_z", "qber_z", PRINTED_QBER_Z, PRINTED_QBER_Z_STD),
        _figure("QBER X", rest.error_x > 0, of_keys, "counted_qber_x", "qber_x", PRINTED_QBER_X, PRINTED_QBER_X_STD),
    ]
    rows[1:1] = [
        Figure(
            "visibility of H28",
            "%",
            "fitted level" if rest.overlap < 1.0 else "prediction",
            one.dip_visibility,
            PRINTED_H28_STD,
            0.0,
            PRINTED_H28,
            PRINTED_H28_STD,
        )
        for one in channels
        if one.line == H28
    ]
    for method, printed in ((DOUBLE_SCAN, PRINTED_SKR_BPS[0]), (CERTIFICATE, None)):
        counted, expected = [one.skr_bps[method] for one in of_keys], [one.expected_bps[method] for one in of_keys]
        rows.append(Figure(method, "bit/s", "prediction", *_spread(counted, expected), printed, None))
    return rows


def _figure(
    name: str,
    fitted: bool,
    channels: Sequence[Channel],
    counted: str,
    expected: str,
    printed: float | None,
    printed_std: float | None,
) -> Figure:
    columns = [[float(getattr(one, field)) for one in channels] for field in (counted, expected)]
    kind = "fitted mean" if fitted else "prediction"
    return Figure(name, "%", kind, *_spread(*columns), printed, printed_std)


def _spread(counted: Sequence[float], expected: Sequence[float]) -> tuple[float, float, float]:
    """(mean, spread, spread without counting)."""
    if len(counted) < 2:
        return float(counted[0]), 0.0, 0.0
    return float(np.mean(counted)), float(np.std(counted, ddof=1)), float(np.std(expected, ddof=1))
