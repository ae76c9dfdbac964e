"""Tables of counts and link files: what is accepted, and the sentence for everything that is not."""

import math

import pytest

from combmesh.config.counts import load_counts, load_link
from combmesh.config.template import counts_template
from combmesh.ground.errors import InputError
from combmesh.protocol.mdi.bounds import OO, OZ, PAIRS, XX, XY, ZZ
from combmesh.protocol.mdi.certificate.rows import CLASSES

TEMPLATE = counts_template(False)
LINK = """
schema_version = 1
pulses = 1e10
clock_hz = 2.5e9
[arm.alice]
efficiency = 4e-3
[arm.bob]
fibre_km = 50
loss_db = 1.0
[relay]
detector_efficiency = 0.5
"""


def written(tmp_path, text, name="counts.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("xx = { detected = 69480", "xx = { detected = 17000", "in `counts.X.xx`: `errors` must be at most `detected`"),
        ("xx = { detected = 69480", "xx = { detected = 2e9", "`counts.X.xx.detected` must be at most the 900000000"),
        (
            "xx = { detected = 69480",
            "xx = { sent = 100, detected = 69480",
            "in `counts.X.xx`: `detected` must be at most",
        ),
        (
            "xx = { detected = 69480",
            'xx = { detected = "many"',
            '`counts.X.xx.detected` must be a number, but is "many"',
        ),
        (
            "xx = { detected = 69480",
            "xx = { detected = -1",
            "in `counts.X.xx`: `detected` must be at least 0, but is -1.",
        ),
        ("xx = { detected = 69480", "xx = { detected = nan", "`detected` must be a finite number, but is nan."),
        ("xx = { detected = 69480, errors = 17805 }", "xx = { detected = 69480 }", "`counts.X.xx.errors` is missing."),
        ("xx = { detected = 69480", "xx = { detectd = 69480", "`counts.X.xx.detectd` is not known. Did you mean"),
        ("\nzz = {", "\nzx = {", "`counts.Z` has no row 'zx'; its rows are zz, oz, zo."),
        ("oo = { detected = 0, errors = 0 }", "", "`counts.X.oo` is missing."),
        ("[counts.Z]", "[counts.Y]", "`counts.Y` is not known."),
        ("pulses   = 1e10", "pulses = 0", "`pulses` must be a finite number above 0, but is 0."),
        ("f_ec     = 1.1 ", "f_ec = 0.9 ", "`f_ec` must be at least 1, but is 0.9."),
        ("f_ec     = 1.1 ", "f_ec = 1.1\nleak_bits = 3\n", "`f_ec` and `leak_bits` both say"),
        ("o = 0.12, x = 0.30", "o = 0.12, x = 0.40", "`probability` must add up to 1, but o + x + y + z = 1.1."),
        ("o = 0.0, x = 0.07", "o = 0.1, x = 0.07", "`o` must be below `x`, but o = 0.1 and x = 0.07."),
        (
            "bound       = 1e-10",
            "bound = 1e-10\ntotal = 1e-10",
            "`epsilon` must have `bound` or `total`, but has both.",
        ),
        ("bound       = 1e-10", "bound = 0.1", "`bound` must be below 1/25, but is 0.1."),
        ("bound       = 1e-10", "bound = 1e-200", "in `epsilon`: `bound` must be at least 1e-100, but is 1e-200."),
        ("correctness = 1e-15", "correctness = 1e-320", "`correctness` must be at least 1e-100"),
        ("o = 0.0, x = 0.07", "x = 1e-200", "in `alice.intensity`: `x` must be at least 1e-09, but is 1e-200."),
        ("z = 0.40 }", "z = 4000 }", "in `alice.intensity`: `z` must be at most 100, but is 4000."),
        ("clock_hz = 2.5e9", "clock_hz = 1e-300", "`clock_hz` must be at least 1e-09, but is 1e-300."),
        ("[counts.X]", "[[counts.X]]", "`counts.X` must be a table, but is [{"),
        (
            "# [printed]",
            "[printed]\nphase_error_upper = 12.4\n#",
            "`phase_error_upper` must be at most 0.5, but is 12.4.",
        ),
        ("# [printed]", "[printed]\nskr_bps = nan\n#", "in `printed`: `skr_bps` must be a finite number, but is nan."),
        ('tail        = "exact"', 'tail = "guess"', "`epsilon.tail`"),
        ("schema_version = 1", "schema_version = 2", "`schema_version` must be 1, but is 2."),
        ("schema_version = 1", "", "`schema_version` is missing."),
    ],
)
def test_exact_a_mistake_is_one_sentence_with_row_and_column(tmp_path, old, new, words):
    assert old in TEMPLATE
    with pytest.raises(InputError) as caught:
        load_counts(written(tmp_path, TEMPLATE.replace(old, new, 1)))
    assert words in str(caught.value)


def test_exact_template_is_a_table_in_both_forms(tmp_path):
    table = load_counts(written(tmp_path, TEMPLATE))
    same = load_counts(written(tmp_path, counts_template(True), "counts.csv"))
    assert table == same
    tally = table.tally()
    assert tally.pulses == 1e10
    assert tally.sent[XX] == pytest.approx(9e8, rel=1e-12)
    assert (tally.detected[ZZ], tally.errors[ZZ], tally.detected[OO]) == (2963504, 44139, 0)


def test_exact_what_a_spreadsheet_writes_is_read(tmp_path):
    """A byte order mark before the text, spaces in the line of names, CR LF."""
    text = counts_template(True).replace("basis,pair,sent", "basis, pair , sent").replace("\n", "\r\n")
    path = tmp_path / "counts.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_counts(path) == load_counts(written(tmp_path, TEMPLATE))


@pytest.mark.parametrize(
    ("t", "number", "words"),
    [
        ("1e-5", "nan", "`scaled.oo` must be a finite number, but is nan."),
        ("1e-5", "inf", "`scaled.oo` must be a finite number, but is inf."),
        ("1e-5", "-2", "`scaled.oo` must be at least -1, but is -2."),
        ("1e-320", "0.0", "`t` must be at least 1e-30, but is"),
    ],
)
def test_exact_a_certificate_that_is_none_is_one_sentence(tmp_path, t, number, words):
    scaled = "".join(f"{name} = 0.0\n" for name in CLASSES[:-1]) + f"{CLASSES[-1]} = {number}\n"
    with pytest.raises(InputError) as caught:
        load_counts(written(tmp_path, f"{TEMPLATE}\n[certificate]\nt = {t}\ne0 = 0.1\n[certificate.scaled]\n{scaled}"))
    assert words in str(caught.value)


def test_exact_what_was_not_measured_is_not_known(tmp_path):
    text = "\n".join(line for line in TEMPLATE.splitlines() if not line.startswith(("xy", "oz")))
    text = text.replace("oy = { detected = 29517, errors = 14744 }", "oy = { detected = 29517.5 }")
    tally = load_counts(written(tmp_path, text)).tally()
    assert tally.sent[XY] == tally.sent[OZ] == 0
    assert math.isnan(tally.detected[XY])
    assert tally.detected[PAIRS.index("oy")] == 29517.5
    assert math.isnan(tally.errors[PAIRS.index("oy")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("basis,pair,count\nX,xx,1\n", "must have a line of column names"),
        ("", "must have a line of column names"),
        ("basis,pair,detected,errors\nQ,xx,1,1\n", "count row 1: `basis` must be X or Z, but is 'Q'."),
        ("basis,pair,detected,errors\nX,xx,1,1\nX,xx,1,1\n", "count row 2: `counts.X.xx` stands there twice."),
        ("basis,pair,detected,errors\nX,xx,1,one\n", "count row 1: `X.xx.errors` must be a number, but is 'one'."),
        ("basis,pair,detected,errors\nX,xx,3,1\n", "`pulses` is missing."),
        ("basis,pair,detected,errors\nX,xx,69,480,17\n", "count row 1 must have at most 4 cells, but has 5."),
        ("basis,pair,detected,detected\nX,xx,3,1\n", "must have a line of column names"),
        ("basis;pair;detected;errors\nX;xx;3;1\n", "must have a line of column names"),
        ('basis,pair,detected,errors\nX,"xx,3,1\n', "is not a CSV file: unexpected end of data."),
    ],
)
def test_exact_a_mistake_in_a_csv_file_is_named(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        load_counts(written(tmp_path, text, "counts.csv"))
    assert words in str(caught.value)


def test_exact_sent_pulses_may_be_given(tmp_path):
    text = TEMPLATE.replace("xx = { detected", "xx = { sent = 8e8, detected", 1)
    assert load_counts(written(tmp_path, text)).tally().sent[XX] == 8e8
    with pytest.raises(InputError, match="`sent` of all rows must be at most `pulses`"):
        load_counts(written(tmp_path, TEMPLATE.replace("zz = { detected", "zz = { sent = 1e11, detected", 1)))


def test_exact_arms_of_a_link(tmp_path):
    file, marks = load_link(written(tmp_path, LINK))
    task = file.task(file.arm, optimised=True)
    assert task.link.efficiency_a == 4e-3
    assert task.link.efficiency_b == pytest.approx(0.5 * 10**-1.1, rel=1e-12)
    assert marks["relay.detector_efficiency"].kind == "given"
    assert marks["relay.visibility"].kind == "default"
    with pytest.raises(InputError, match="no `alice` and `bob`"):
        file.task(file.arm, optimised=False)
    with pytest.raises(InputError, match="has no length to change"):
        file.arm.at_distance(100.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("efficiency = 4e-3", "efficiency = 1.5", "in `arm.alice`: `efficiency` must be at most 1, but is 1.5."),
        ("efficiency = 4e-3", "efficiency = 4e-3\nfibre_km = 3", "it cannot stand beside `fibre_km`"),
        ("efficiency = 4e-3", "", "An arm needs `efficiency`, `fibre_km` or `loss_db`"),
        ("fibre_km = 50", "fibre_km = -50", "in `arm.bob`: `fibre_km` must be at least 0, but is -50."),
        ("clock_hz = 2.5e9", "", "`clock_hz` is missing."),
        ("[relay]", "[relais]", "`relais` is not known. Did you mean `relay`?"),
    ],
)
def test_exact_a_mistake_in_a_link_is_one_sentence(tmp_path, old, new, words):
    with pytest.raises(InputError) as caught:
        load_link(written(tmp_path, LINK.replace(old, new, 1)))
    assert words in str(caught.value)


def test_exact_a_file_of_the_other_kind_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="is a link file and no table of counts; `combmesh rate` reads it"):
        load_counts(written(tmp_path, LINK))
    with pytest.raises(InputError, match="is a table of counts and no link file; `combmesh key` reads it"):
        load_link(written(tmp_path, TEMPLATE))
