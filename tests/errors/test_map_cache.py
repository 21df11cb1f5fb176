"""The cache of parsed maps: bounded, each read once whoever asks, and by many threads at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from errors.map_cache import Key, MapCache
from errors.sourcemap import ParsedMap, SourceMapInvalid, read_map
from tests.maps import encoded, source_map


def made(size: int) -> ParsedMap:
    """A map that claims to take so many bytes."""
    parsed = read_map(encoded(source_map()))
    parsed.bytes = size
    return parsed


def key(number: int) -> Key:
    return number, f"hash {number}"


def give(size: int) -> Callable[[], ParsedMap]:
    return lambda: made(size)


def refuse() -> ParsedMap:
    raise AssertionError("loaded again")


def test_a_map_is_loaded_once():
    cache = MapCache(100)

    first = cache.get(key(1), give(10))

    assert cache.get(key(1), refuse) is first
    assert cache.bytes == 10


def test_another_upload_of_the_same_row_is_another_map():
    cache = MapCache(100)
    old = cache.get((1, "old"), give(10))

    assert cache.get((1, "new"), give(10)) is not old


def test_the_one_not_used_for_longest_goes_first():
    cache = MapCache(100)
    for number in (1, 2, 3):
        cache.get(key(number), give(30))
    cache.get(key(1), refuse)

    cache.get(key(4), give(30))

    assert [cache.has(key(number)) for number in (1, 2, 3, 4)] == [True, False, True, True]
    assert cache.bytes == 90


def test_it_never_holds_more_than_its_bound():
    cache = MapCache(100)
    for number in range(200):
        cache.get(key(number), give(1 + number * 7 % 60))
        assert cache.bytes == sum(each.bytes for each in cache.kept.values()) <= 100


def test_a_map_larger_than_the_bound_is_used_and_not_kept():
    cache = MapCache(100)
    small = cache.get(key(1), give(50))

    assert cache.get(key(2), give(101)).original(line=1, column=5)

    assert not cache.has(key(2))
    assert cache.get(key(1), refuse) is small
    assert not cache.coming


def test_with_no_room_at_all_every_map_is_read_anew():
    cache = MapCache(0)

    assert cache.get(key(1), give(1)) is not cache.get(key(1), give(1))


@pytest.mark.parametrize("size", [10, 1_000])
def test_those_who_want_a_map_at_once_get_the_one_that_is_read_once(size: int):
    cache, loads, together = MapCache(100), [], threading.Barrier(8)

    def load() -> ParsedMap:
        loads.append(1)
        time.sleep(0.05)
        return made(size)

    def want(_: int) -> ParsedMap:
        together.wait()
        return cache.get(key(1), load)

    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(want, range(8)))

    assert (len(got), len(loads)) == (1, 1)


def test_a_map_that_cannot_be_read_is_so_for_all_who_wait_and_tried_again_later():
    cache, together = MapCache(100), threading.Barrier(4)

    def fail() -> ParsedMap:
        time.sleep(0.05)
        raise SourceMapInvalid("broken")

    def want(_: int) -> str:
        together.wait()
        try:
            cache.get(key(1), fail)
        except SourceMapInvalid as reason:
            return str(reason)
        return "read"

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(want, range(4))) == {"broken"}
    assert cache.get(key(1), give(1)).bytes == 1


def test_many_threads_look_up_in_many_maps_within_the_bound():
    cache = MapCache(3_000)

    def want(number: int) -> int:
        which = number % 7
        content = source_map([(0, 0, which, 0)], sourcesContent=["\n" * 10])
        parsed = cache.get(key(which), lambda: read_map(encoded(content)))
        found = parsed.original(line=1, column=1)
        return found.line - 1 - which if found else -1

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(want, range(4_000))) == {0}
    assert cache.bytes == sum(each.bytes for each in cache.kept.values()) <= 3_000
    assert not cache.coming


def test_it_forgets_when_told():
    cache = MapCache(100)
    cache.get(key(1), give(10))

    cache.clear()

    assert (cache.bytes, cache.has(key(1))) == (0, False)
