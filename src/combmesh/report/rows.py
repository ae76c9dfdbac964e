"""What a report needs to know of one pair."""

from typing import Protocol


class PairRow(Protocol):
    """One pair of users on one line; the campaign's own dataclass fits it."""

    @property
    def user_a(self) -> str: ...
    @property
    def user_b(self) -> str: ...
    @property
    def distance_km(self) -> float | None:
        """Sum of both arms."""

    @property
    def line(self) -> int: ...
    @property
    def itu_label(self) -> str: ...
    @property
    def qber_z(self) -> float: ...
    @property
    def qber_x(self) -> float: ...
    @property
    def s11_lower(self) -> float: ...
    @property
    def phase_error_upper(self) -> float: ...
    @property
    def f_ec(self) -> float | None: ...
    @property
    def key_bits(self) -> int: ...
    @property
    def light_s(self) -> float: ...
    @property
    def skr_bps(self) -> float: ...
    @property
    def outcome(self) -> str: ...


FIELDS = (
    "user_a",
    "user_b",
    "distance_km",
    "line",
    "itu_label",
    "qber_z",
    "qber_x",
    "s11_lower",
    "phase_error_upper",
    "f_ec",
    "key_bits",
    "light_s",
    "skr_bps",
    "outcome",
)
"""The attributes of a `PairRow`, in the order of columns."""
