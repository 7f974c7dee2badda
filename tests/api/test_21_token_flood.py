# SPDX-License-Identifier: MIT
"""Guessing tokens: none opens anything, and nearly all of the guesses cost Redis nothing."""
import pytest

import flood
import shapes
from p3d_test import P3D, TINY, select_wait
from world import forged_token

GUESSES = 20000


@pytest.fixture(scope="module")
def p3d():
    with P3D(models={"tiny": TINY}, workers=1, config={"logging": {"level": "warn"}}) as server:
        yield server


def test_twenty_thousand_guesses(p3d):
    ann = p3d.register("ann")
    with p3d.redis() as r:
        before = flood.script_calls(r)
        select_wait(1.0)
        idle = flood.script_calls(r) - before  # in a second; the flood takes a few
        before = flood.script_calls(r)
        found = flood.pour(p3d.base, flood.texts(GUESSES, ann.token, 4711))
        asked = flood.script_calls(r) - before
    print("guesses %d, answers %s, scripts %d (idle: %d/s)" % (GUESSES, found, asked, idle))
    assert found == {401: GUESSES}
    assert asked < GUESSES // 100


def test_what_could_be_one_is_looked_up_once(p3d):
    """The counting above counts: each well-made token costs one script, and is refused as well."""
    ann = p3d.register("bob")
    made = [forged_token(ann.token) for _ in range(500)]
    with p3d.redis() as r:
        before = flood.script_calls(r)
        assert flood.pour(p3d.base, made) == {401: 500}
        assert 500 <= flood.script_calls(r) - before < 700
    assert flood.pour(p3d.base, [ann.token] * 50) == {200: 50}
    shapes.user(ann.ok("GET", "/api/v1/users/me")["user"])
