"""An annotated table of counts to start from; its counts were drawn for a link of 50 km."""

import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.protocol.mdi.link_rates import MethodRate
    from combmesh.protocol.mdi.settings import Settings

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


def counts_template(as_csv: bool) -> str:
    """The annotated table, as TOML or as CSV: there everything but the counts stands before them, behind `#`."""
    if not as_csv:
        return COUNTS_TEMPLATE
    head, _, counts = COUNTS_TEMPLATE.partition("# Counts, Alice's source first")
    lines = [f"# {line}".rstrip() for line in head.rstrip().splitlines()]
    lines.append("basis,pair,sent,detected,errors")
    for basis, rows in tomllib.loads(counts.partition("\n")[2])["counts"].items():
        lines += [f"{basis},{pair},,{row['detected']},{row['errors']}" for pair, row in rows.items()]
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
