"""Where pulses begin, and which pulse a time belongs to, to a small part of a ps however long the record is."""

from math import floor

from combmesh.ground.kernels import kernel


@kernel
def pulse_start(pulse: int, period_ps: float) -> tuple[int, float]:
    """(whole ps, rest of 0 to 1 ps) at which a pulse's period begins.

    A product of floating-point numbers would be off by 8 ps after 10 hours; here whole and broken part of the period
    are multiplied apart, which is exact for a whole period and good to 0.02 ps at 1e14 pulses.
    """
    whole = int(period_ps)
    broken = pulse * (period_ps - whole)
    more = floor(broken)
    return pulse * whole + more, broken - more


@kernel
def pulse_at(time_ps: int, period_ps: float) -> tuple[int, float]:
    """(pulse, time since its period's begin) of the middle of a whole ps."""
    pulse = floor((time_ps + 0.5) / period_ps)
    start, rest = pulse_start(pulse, period_ps)
    past = (time_ps - start) + 0.5 - rest
    while past < 0.0 or past >= period_ps:
        step = -1 if past < 0.0 else 1
        start, rest = pulse_start(pulse + step, period_ps)
        there = (time_ps - start) + 0.5 - rest
        if step > 0 and there < 0.0:  # between two periods by rounding
            return pulse, past
        pulse, past = pulse + step, there
    return pulse, past
