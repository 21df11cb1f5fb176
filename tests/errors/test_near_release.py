import pytest

from errors.near_release import is_near

NEAR = [
    ("1.2.0", "v1.2.0"),
    ("1.2.0", "V1.2.0"),
    ("1.2.0", " 1.2.0\n"),
    ("1.2.0-RC1", "1.2.0-rc1"),
    ("1.2.0", "1.2.0+45"),
    ("1.2.0+44", "1.2.0+45"),
    ("1.2.0", "1.2.0 (45)"),
    ("1.2.0", "shop@1.2.0"),
    ("v1.2.0", "@acme/shop@1.2.0+45"),
    ("1.2.0", "release-1.2.0"),
    ("1.2.0", "refs/tags/v1.2.0"),
    ("version 1.2.0", "1.2.0"),
    ("4f9c2a1", "4F9C2A1E8B7D6C5A4F3E2D1C0B9A8F7E6D5C4B3A"),
    ("Verona", "verona"),
]
FAR = [
    ("1.2.0", "1.2.0"),  # the same is no miss
    ("1.2.0", "1.2.1"),
    ("1.2.0", "1.2"),
    ("1.2.0", "11.2.0"),
    ("1.2.0", "1.2.0-rc1"),
    ("ios@1.2.0", "android@1.2.0"),
    ("verona", "erona"),
    ("4f9c2a1", "4f9c2b1e8b7d6c5a4f3e2d1c0b9a8f7e6d5c4b3a"),
    ("1234", "12345678"),
    ("", " "),
    ("", "v"),
    ("unknown", "1.2.0"),
]


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_releases_that_mean_the_same_are_near(one: str, other: str):
    assert is_near(one, other)
    assert is_near(other, one)


@pytest.mark.parametrize(("one", "other"), FAR)
def test_releases_that_do_not_are_not(one: str, other: str):
    assert not is_near(one, other)
    assert not is_near(other, one)
