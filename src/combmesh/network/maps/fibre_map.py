"""A map of fibres as a planner uses it: sites, spans between them, and where each length comes from."""

from collections import Counter
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.provenance import Mark

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (2a + b)/3 of the GRS 80 ellipsoid; great circles are good to 0.6 %."""

MARKS = {
    "MapRules.route_factor": Mark("assumed", "ducts follow roads: 1.2 to 1.5 times the great circle"),
    "MapRules.attenuation_db_km": Mark("assumed", "standard single-mode fibre, splices included"),
    "MapRules.connectors_per_span": Mark("assumed", "a patch panel at each end"),
    "MapRules.connector_loss_db": Mark("assumed", "0.25 dB, a usual mean of mated pairs"),
}

ROLES = ("node", "hut")
LENGTHS = ("auto", "fibre", "great-circle")


@dataclass(frozen=True)
class MapRules:
    """What fills in what a file does not say.

    Attributes:
        route_factor: fibre length over great circle, 1 to 2; usually 1.2 to 1.5.
        attenuation_db_km: loss of the fibre where the file gives none, dB/km.
        connectors_per_span: connectors of a span where the file counts none.
        connector_loss_db: loss of each, dB.
        lengths: "fibre" takes lengths in the file as they are; "great-circle" multiplies them by the route factor;
            "auto" does so if nearly all of them equal the great circles of their ends.
    """

    route_factor: float = 1.3
    attenuation_db_km: float = 0.2
    connectors_per_span: int = 2
    connector_loss_db: float = 0.25
    lengths: str = "auto"

    def __post_init__(self) -> None:
        check_range("route_factor", self.route_factor, 1.0, 2.0)
        check_range("attenuation_db_km", self.attenuation_db_km, 0.0, 10.0)
        check_range("connectors_per_span", self.connectors_per_span, 0, 1000)
        check_range("connector_loss_db", self.connector_loss_db, 0.0, 10.0)
        if self.lengths not in LENGTHS:
            raise InputError(f"`lengths` must be one of {', '.join(LENGTHS)}, but is {self.lengths!r}.")


@dataclass(frozen=True)
class Site:
    """A place where fibres end.

    Attributes:
        name: its name, unique on the map.
        latitude, longitude: position in degrees; None where it is unknown.
        role: "node", which may be a user, or "hut", an amplifier's hut between nodes: a relay may stand there.
        position_mark: where the position comes from.
    """

    name: str
    latitude: float | None = None
    longitude: float | None = None
    role: str = "node"
    position_mark: Mark = Mark("given", "position in the file")

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"`role` must be one of {', '.join(ROLES)}, but is {self.role!r}.")
        if (self.latitude is None) != (self.longitude is None):
            raise InputError(f"Site {self.name!r} must have both `latitude` and `longitude`, or none of them.")
        if self.latitude is not None and self.longitude is not None:
            check_range("latitude", self.latitude, -90.0, 90.0)
            check_range("longitude", self.longitude, -180.0, 180.0)


@dataclass(frozen=True)
class Span:
    """A fibre between two sites.

    Attributes:
        a, b: names of the sites.
        length_km: length of the fibre, km.
        loss_db: loss from end to end, connectors included, dB.
        connectors: number of connectors in it.
        length_mark, loss_mark: where both come from.
    """

    a: str
    b: str
    length_km: float
    loss_db: float
    connectors: int
    length_mark: Mark
    loss_mark: Mark

    def __post_init__(self) -> None:
        for name in ("length_km", "loss_db", "connectors"):
            check_range(f"{name} of {self.a} - {self.b}", getattr(self, name), 0.0)


@dataclass(frozen=True)
class Demand:
    """Traffic that the file asks for between two sites, in the file's own unit; both directions added."""

    a: str
    b: str
    amount: float


@dataclass(frozen=True)
class FibreMap:
    """Sites and spans; complete once constructed.

    Attributes:
        name: name of the map.
        source_format: format that it was read from.
        sites: the sites, names unique.
        spans: the spans; two sites may have several.
        rules: what filled in what the file did not say.
        findings: one sentence about each thing that was changed, left out or assumed.
        demands: what the file asks for, where it does.
    """

    name: str
    source_format: str
    sites: tuple[Site, ...]
    spans: tuple[Span, ...]
    rules: MapRules = MapRules()
    findings: tuple[str, ...] = ()
    demands: tuple[Demand, ...] = ()

    def __post_init__(self) -> None:
        names = Counter(site.name for site in self.sites)
        if len(names) < 2:
            raise InputError(f"Map {self.name!r} must have at least 2 sites, but has {len(names)}.")
        for name, times in names.items():
            if times > 1:
                raise InputError(
                    f"Map {self.name!r} must name each site once, but {name!r} stands there {times} times."
                )
        for span in self.spans:
            if span.a not in names or span.b not in names or span.a == span.b:
                raise InputError(f"A span must join two sites of the map, but joins {span.a!r} and {span.b!r}.")

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the sites that may be users."""
        return tuple(site.name for site in self.sites if site.role == "node")


def great_circle_km(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    r"""Length of the great circle between two places, km.

    .. math:: d = 2R\arcsin\sqrt{\sin^2\tfrac{\varphi_b-\varphi_a}{2}
              + \cos\varphi_a\cos\varphi_b\sin^2\tfrac{\lambda_b-\lambda_a}{2}}

    (haversine formula; latitudes phi and longitudes lambda in degrees.)

    >>> round(great_circle_km(0.0, 0.0, 0.0, 90.0))
    10008
    """
    phi_a, phi_b = radians(latitude_a), radians(latitude_b)
    half_lambda = 0.5 * radians(longitude_b - longitude_a)
    h = sin(0.5 * (phi_b - phi_a)) ** 2 + cos(phi_a) * cos(phi_b) * sin(half_lambda) ** 2  # haversine
    return 2.0 * EARTH_RADIUS_KM * asin(min(sqrt(h), 1.0))
