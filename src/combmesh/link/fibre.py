"""What a fibre takes from the light."""

from combmesh.ground.errors import check_range


def transmission(loss_db: float) -> float:
    """Share of the light that passes a loss of `loss_db` dB.

    >>> transmission(20.0)
    0.01
    """
    check_range("loss_db", loss_db, 0.0)
    return float(10.0 ** (-loss_db / 10.0))


def fibre_loss_db(length_km: float, attenuation_db_km: float) -> float:
    """Loss of a fibre, dB.

    >>> fibre_loss_db(100.0, 0.2)
    20.0
    """
    check_range("length_km", length_km, 0.0)
    check_range("attenuation_db_km", attenuation_db_km, 0.0)
    return length_km * attenuation_db_km
