"""Tables of counts: annotated ones to start from, a plan to be filled in, and one sifted from time tags."""

import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.protocol.mdi.link_rates import MethodRate
    from combmesh.protocol.mdi.settings import Settings
    from combmesh.protocol.mdi.tally import Tally

_X_PAIRS = ("xx", "xo", "ox", "yy", "yo", "oy", "oo", "xy", "yx")
_Z_PAIRS = ("zz", "zo", "oz")

COUNTS_TEMPLATE = """\
# A block of measured counts. `combmesh key FILE` says what key it is worth, and whether it is consistent.
schema_version = 1
pulses   = 1e10                                 # sent in the block
clock_hz = 2.5e9                                # gives bit/s; may be left out
f_ec     = 1.1                                  # leak = f_ec n_zz h(E_zz); or leak_bits = the bits that were disclosed
# raw_key = "alice"                             # whose bits are the key: decides the vacuum part
# vacuum_credit = true                          # false with two-way reconciliation, which makes the errors public

[epsilon]
bound       = 1e-10                             # of each one-sided bound; or total = of all together
correctness = 1e-15
tail        = "exact"                           # or "simple"

[alice]                                         # x < y: decoys in the X basis; z: signal in the Z basis; o: vacuum
intensity   = { o = 0.0, x = 0.07, y = 0.28, z = 0.40 }
probability = { o = 0.12, x = 0.30, y = 0.08, z = 0.50 }

[bob]
intensity   = { o = 0.0, x = 0.07, y = 0.28, z = 0.40 }
probability = { o = 0.12, x = 0.30, y = 0.08, z = 0.50 }

# Counts, Alice's source first; `sent` may be given, else it is pulses times probabilities. Counts may be fractional.
[counts.X]
xx = { detected = 69480, errors = 17805 }       # xx and zz need their errors
xo = { detected = 7112, errors = 3513 }
ox = { detected = 6870, errors = 3391 }
yy = { detected = 76486, errors = 19593 }
yo = { detected = 29413, errors = 14722 }
oy = { detected = 29517, errors = 14744 }
oo = { detected = 0, errors = 0 }               # no coincidence is a count too
xy = { detected = 114302, errors = 39219 }      # xy and yx if measured: only a certificate uses them
yx = { detected = 113915, errors = 38944 }
[counts.Z]
zz = { detected = 2963504, errors = 44139 }
zo = { detected = 6, errors = 3 }               # zo, oz if measured: the vacuum part
oz = { detected = 5, errors = 3 }
# [printed]                                     # published results, to be checked against the counts
# s11_lower = 1.1e-3
# skr_bps = 60000

# [certificate]                                 # from a plan made before the block (`combmesh rate --plan`)
"""


PAIR_COUNTS_TEMPLATE = """\
# A block of mode pairing. `combmesh key FILE` says what key it is worth, and whether what was printed follows from it.
# The numbers are those of Zhu et al., PRL 130 030801 (2023), at 101 km, with the rate and the bounds printed there.
schema_version = 1
protocol = "mode-pairing"
rounds   = 5.07e11                              # of the block
clock_hz = 444.83e6                             # rounds with quantum light in a second; gives bit/s; may be left out
f_ec     = 1.1                                  # leak = f_ec n h(E) of Z.mm; or leak_bits = bits that were disclosed
vacuum_credit = false                           # Zhu 2023 counts no vacuum part; false with two-way reconciliation

[epsilon]
total       = 1e-10                             # of all together: 23 terms; or bound = of each one-sided bound
correctness = 1e-15
tail        = "exact"                           # or "simple"

[alice]                                         # of a round; nu: weak light, mu: signal, o: vacuum, exactly dark
intensity   = { nu = 0.032, mu = 0.309 }
probability = { o = 0.6, nu = 0.18, mu = 0.22 }

[bob]
intensity   = { nu = 0.032, mu = 0.309 }
probability = { o = 0.6, nu = 0.18, mu = 0.22 }

[pairing]
phase_slices = 16                               # D: X pairs are kept whose phases differ by 0 or pi to within pi/D

[printed]                                       # published results, to be checked; may be left out
m11_lower = 1.07e8                              # single-photon pairs of the key
phase_error_upper = 0.2474
skr_bps = 17200

# Counts, Alice's total intensity in the pair first: o vacuum, n weak light, m signal. Counts may be fractional.
[counts.Z]                                      # one vacuum and one light of each user; only mm needs its errors
oo = { detected = 395 }                         # vacuum in all four places; no pair is a count too
on = { detected = 7624 }
om = { detected = 89296 }
no = { detected = 7796 }
nn = { detected = 1484349 }
nm = { detected = 17793988 }
mo = { detected = 87784 }
mn = { detected = 17282569 }
mm = { detected = 207389568, errors = 64238 }   # the key
[counts.X]                                      # twice the same light, those that were kept; oo is that of Z
on = { detected = 728841, errors = 371608 }     # errors beside a vacuum are not read and may be left out
om = { detected = 104986314, errors = 53565167 }
no = { detected = 757883, errors = 387259 }
nn = { detected = 33604, errors = 10596 }
nm = { detected = 1424753, errors = 623114 }
mo = { detected = 102882407, errors = 52564215 }
mn = { detected = 1397813, errors = 611618 }
mm = { detected = 6811157, errors = 2113807 }
"""

_TEMPLATES = {"mdi": COUNTS_TEMPLATE, "mode-pairing": PAIR_COUNTS_TEMPLATE}
_COUNT_COLUMNS = {"mdi": ("sent", "detected", "errors"), "mode-pairing": ("detected", "errors")}


def counts_template(as_csv: bool, protocol: str = "mdi") -> str:
    """The annotated table, as TOML or as CSV: there everything but the counts stands before them, behind `#`."""
    text, columns = _TEMPLATES[protocol], _COUNT_COLUMNS[protocol]
    if not as_csv:
        return text
    head, _, counts = text.partition("# Counts, Alice's")
    lines = [f"# {line}".rstrip() for line in head.rstrip().splitlines()]
    lines.append(",".join(("basis", "pair", *columns)))
    for basis, rows in tomllib.loads(counts.partition("\n")[2])["counts"].items():
        for pair, row in rows.items():
            lines.append(",".join([basis, pair, *(str(row.get(column, "")) for column in columns)]))
    return "\n".join(lines) + "\n"


def plan_table(file: "LinkFile", chosen: "MethodRate") -> str:
    """A table of counts to be filled in after the block, with the settings and the certificate that were planned."""
    epsilon = file.epsilon
    spent = f"bound       = {epsilon.bound!r}" if epsilon.bound else f"total       = {epsilon.budget().secrecy!r}"
    lines = [
        "# Planned before the block: keep this file as it is, send with these settings, then fill in the counts.",
        f"# Expected by {chosen.method}: {chosen.length_bits} bits, {chosen.skr_bps:.6g} bit/s.",
        "schema_version = 1",
        f"pulses   = {file.pulses!r}",
        f"clock_hz = {file.clock_hz!r}",
        f"f_ec     = {file.f_ec!r}",
        f"vacuum_credit = {str(file.vacuum_credit).lower()}",
        "",
        "[epsilon]",
        spent,
        f"correctness = {epsilon.correctness!r}",
        f'tail        = "{epsilon.tail}"',
        "",
        *_sources("alice", chosen.alice),
        *_sources("bob", chosen.bob),
        *_certificate(chosen),
        "[counts.X]",
        *(f"# {pair} = {{ detected = 0, errors = 0 }}" for pair in _X_PAIRS),
        "[counts.Z]",
        *(f"# {pair} = {{ detected = 0, errors = 0 }}" for pair in _Z_PAIRS),
    ]
    return "\n".join(lines) + "\n"


def sifted_table(tally: "Tally", alice: "Settings", bob: "Settings", clock_hz: float, *, simulated: bool) -> str:
    """The table of counts of a block that was sifted from time tags."""
    light = "simulated time tags" if simulated else "time tags"
    lines = [
        f"# Counted from {light} and both users' records: `combmesh key` reads this.",
        "schema_version = 1",
        f"pulses   = {tally.pulses:.0f}",
        f"clock_hz = {clock_hz!r}",
        "f_ec     = 1.16        # assumed; or leak_bits, what was really disclosed",
        "",
        "[epsilon]",
        "total       = 1e-10",
        "correctness = 1e-15",
        "",
        *_sources("alice", alice),
        *_sources("bob", bob),
    ]
    from combmesh.protocol.mdi.bounds import PAIRS

    rows = dict(zip(PAIRS, zip(tally.sent, tally.detected, tally.errors, strict=True), strict=True))
    for basis, pairs in (("X", _X_PAIRS), ("Z", _Z_PAIRS)):
        lines.append(f"[counts.{basis}]")
        for pair in pairs:
            sent, detected, errors = rows[pair]
            lines.append(f"{pair} = {{ sent = {sent:.0f}, detected = {detected:.0f}, errors = {errors:.0f} }}")
    return "\n".join(lines) + "\n"


def _sources(name: str, user: "Settings") -> list[str]:
    return [
        f"[{name}]",
        f"intensity   = {{ o = {user.o!r}, x = {user.x!r}, y = {user.y!r}, z = {user.z!r} }}",
        f"probability = {{ x = {user.p_x!r}, y = {user.p_y!r}, z = {user.p_z!r} }}  # vacuum takes the rest",
        "",
    ]


def _certificate(chosen: "MethodRate") -> list[str]:
    from combmesh.protocol.mdi.certificate.rows import CLASSES

    certificate = chosen.certificate
    if certificate is None:
        return []
    return [
        f"[certificate]  # SHA-256 {certificate.digest}",
        f"t = {certificate.t!r}",
        f"e0 = {certificate.e0!r}",
        f"delta = {certificate.delta!r}",
        "[certificate.scaled]",
        *(f"{name} = {value!r}" for name, value in zip(CLASSES, certificate.scaled, strict=True)),
        "",
    ]
