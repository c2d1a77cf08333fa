from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from crm_core.assembly.ordering import dependents, ordered

NAMES = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(NAMES, st.sets(NAMES, max_size=4), max_size=8)


@given(GRAPHS)
def test_whatever_is_required_comes_first(graph: dict[str, set[str]]) -> None:
    order, _ = ordered(graph)

    place = {name: number for number, name in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[other] < place[name] for name in order for other in graph[name] if other in graph)


@given(GRAPHS)
def test_among_those_that_are_ready_the_first_name_goes_first(graph: dict[str, set[str]]) -> None:
    order, _ = ordered(graph)

    for number, name in enumerate(order):
        done = set(order[:number])
        ready = [other for other in order[number:] if graph[other] & set(graph) <= done]
        assert name == min(ready)


@given(GRAPHS, st.randoms())
def test_the_order_does_not_depend_on_how_the_names_were_given(
    graph: dict[str, set[str]], chance: random.Random
) -> None:
    items = list(graph.items())
    chance.shuffle(items)

    assert ordered(dict(items)) == ordered(graph)


@given(GRAPHS)
def test_nobody_is_left_without_an_order_unless_there_is_a_cycle(graph: dict[str, set[str]]) -> None:
    order, cycles = ordered(graph)

    left = set(graph) - set(order)
    assert bool(left) == bool(cycles)
    for cycle in cycles:
        assert set(cycle) <= left
        assert all(after in graph[name] for name, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    in_cycles = {name for cycle in cycles for name in cycle}
    assert left == in_cycles | (dependents(in_cycles, graph) & left)


@given(GRAPHS, st.sets(NAMES))
def test_dependents_are_all_that_lead_to_one_of_the_names(graph: dict[str, set[str]], names: set[str]) -> None:
    found = dependents(names, graph)

    assert all(graph[name] & (names | found) for name in found)
    assert all(name in found for name, needs in graph.items() if needs & (names | found))


def test_a_cycle_is_named_once_from_its_first_name() -> None:
    order, cycles = ordered({"c": ["a"], "a": ["b"], "b": ["c"], "d": ["c"], "e": []})

    assert order == ["e"]
    assert cycles == [("a", "b", "c")]
