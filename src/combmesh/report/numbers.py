"""Numbers as text."""

import math

NO_VALUE = "–"


def fixed(value: float | None, digits: int) -> str:
    """So many digits behind the point.

    >>> fixed(0.12345, 2), fixed(None, 2)
    ('0.12', '–')
    """
    return NO_VALUE if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def significant(value: float) -> str:
    """Three significant digits, with an exponent only for values below 0.001.

    >>> significant(1234567.0), significant(12.345), significant(0.0), significant(2.5e-6)
    ('1,234,567', '12.3', '0', '2.50e-06')
    """
    if not math.isfinite(value):
        return NO_VALUE
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
