import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combmesh.device.demux import CombLines
from combmesh.ground.errors import InputError, RunError
from combmesh.network.plan import Channel, check_plan, one_factors, plan_channels
from combmesh.network.topology import User, members


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(2, 120))
def test_exact_one_factors_are_perfect_matchings(n):
    rounds = one_factors(n)
    assert len(rounds) == (n - 1 if n % 2 == 0 else n)
    graph = nx.complete_graph(n)
    for pairs in rounds:
        assert nx.is_matching(graph, set(pairs))
        assert len(pairs) == n // 2
    assert sorted(pair for pairs in rounds for pair in pairs) == sorted(graph.edges)


@pytest.mark.parametrize(("n", "lines"), [(16, 15), (200, 199), (7, 7)])
def test_exact_number_of_lines(n, lines):
    channels = plan_channels([f"U{i}" for i in range(n)], CombLines(-100, 99))
    assert len(channels) == n * (n - 1) // 2
    assert len({channel.line for channel in channels}) == lines


def test_exact_lines_are_the_nearest_to_the_pump_and_labels_repeat():
    channels = plan_channels([f"U{i}" for i in range(80)], CombLines())
    labels = {channel.line: channel.itu_label for channel in channels}
    assert labels[0] == "C21"  # paper 2.1
    assert labels[15] == "C14"
    assert len(set(labels.values())) < len(labels)  # a label is no identity


def test_limit_more_users_than_lines():
    with pytest.raises(InputError, match=r"needs 15 lines, but `comb` has only 5, -2 to 2"):
        plan_channels([f"U{i}" for i in range(16)], CombLines(-2, 2))


def test_attack_a_wrong_plan_is_refused():
    good = [Channel("a", "b", 1, "C1"), Channel("a", "c", 2, "C2"), Channel("b", "c", 3, "C3")]
    check_plan("abc", good)
    with pytest.raises(RunError, match="serve 3 pairs once each"):
        check_plan("abc", good[:2])
    with pytest.raises(RunError, match="one line twice"):
        check_plan("abc", [*good[:2], Channel("b", "c", 2, "C2")])


def test_exact_equal_users_are_numbered():
    names = [user.name for user in members((User("U", fibre_km=1.0, count=12), User("hub", loss_db=0.0)))]
    assert names[0] == "U01"
    assert names[-2:] == ["U12", "hub"]
