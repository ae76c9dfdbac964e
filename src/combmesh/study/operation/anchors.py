"""Fibre beside equivalent loss, and both beside what the paper prints of three hours (Fig. 4c, 4d)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from combmesh.link.devices.tables import Rest
from combmesh.study.budget.anchors import H28, PRINTED_QBER_X, PRINTED_QBER_Z, PRINTED_SKR_BPS
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN
from combmesh.study.operation.blocks import CASES, Block, Record

PRINTED_MEAN_BPS = PRINTED_SKR_BPS[2]
"""Mean over the hours on 200 km of fibre (outlook)."""


@dataclass(frozen=True)
class Comparison:
    """A quantity's mean over the blocks of both cases.

    Blocks of one record are not independent: where a search stands decides what its probes cost, and it wanders slowly.

    Attributes:
        name, unit: of the quantity; a share has the unit "%" and is given as a share.
        kind: "fitted level" where the file's rest is fitted to its printed mean; that both cases differ by so much is
            a prediction all the same.
        fibre, fibre_std: mean and spread over the blocks; None where the case was not run.
        equivalent, equivalent_std: the same of the attenuators.
        printed: the paper's number, on fibre: QBERs are means of 76 lines (section 2.3), the rate that of H28
            (outlook); None where there is none for this line.
    """

    name: str
    unit: str
    kind: str
    fibre: float | None
    fibre_std: float | None
    equivalent: float | None
    equivalent_std: float | None
    printed: float | None

    @property
    def difference(self) -> float | None:
        """Fibre less equivalent loss."""
        return None if self.fibre is None or self.equivalent is None else self.fibre - self.equivalent

    @property
    def deviation(self) -> float | None:
        """Fibre less the printed one."""
        return None if self.fibre is None or self.printed is None else self.fibre - self.printed


def compare(records: Sequence[Record], rest: Rest) -> list[Comparison]:
    """Comparisons of one line's records, without the printed ones where these ran without controls."""
    held = all(record.controlled for record in records)
    h28 = held and all(record.line == H28 for record in records)
    means = (PRINTED_QBER_Z, PRINTED_QBER_X) if held else (None, None)
    fitted = (rest.overlap < 1.0, rest.error_z > 0.0, rest.error_x > 0.0)
    return [
        _compared("visibility", "%", fitted[0] and held, records, lambda block: block.visibility, None),
        _compared("QBER Z", "%", fitted[1] and held, records, lambda block: block.counted_qber_z, means[0]),
        _compared("QBER X", "%", fitted[2] and held, records, lambda block: block.counted_qber_x, means[1]),
        _compared(
            DOUBLE_SCAN,
            "bit/s",
            False,
            records,
            lambda block: block.skr_bps[DOUBLE_SCAN],
            PRINTED_MEAN_BPS if h28 else None,
        ),
        _compared(CERTIFICATE, "bit/s", False, records, lambda block: block.skr_bps[CERTIFICATE], None),
    ]


def _compared(
    name: str,
    unit: str,
    fitted: bool,
    records: Sequence[Record],
    value: Callable[[Block], float],
    printed: float | None,
) -> Comparison:
    by_case = {record.case: [value(block) for block in record.blocks] for record in records}
    (fibre, fibre_std), (equivalent, equivalent_std) = (_spread(by_case.get(case)) for case in CASES)
    kind = "fitted level" if fitted else "prediction"
    return Comparison(name, unit, kind, fibre, fibre_std, equivalent, equivalent_std, printed)


def _spread(values: Sequence[float] | None) -> tuple[float | None, float | None]:
    """(mean, spread) over blocks; no spread of one block."""
    if not values:
        return None, None
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
