# SPDX-License-Identifier: MIT
"""Guessing passwords: failures are counted by name and by address, for all processes together, and cost time."""
import concurrent.futures
import itertools
import json
import socket

import pytest
import requests

import shapes
from p3d_test import P3D, PASSWORD, TINY, until

LOGIN, ME, CHANGE = "/api/v1/users/login", "/api/v1/users/me", "/api/v1/users/me/password"
FREE = 5
WRONG = "Invalid username or password"
TRY = "p3d:{a}:try:"

_address = itertools.count(2)


class Source(requests.adapters.HTTPAdapter):
    """Requests that come from an address of our choice; a connection for each, so that any process may get it."""
    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kw):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kw)


def fresh_address():
    n = next(_address)
    return "127.0.%d.%d" % (n // 250, n % 250 + 2)


def caller(p3d, address=None):
    client = p3d.client()
    client.address = address or fresh_address()
    client.session.mount("http://", Source(client.address))
    client.session.headers["Connection"] = "close"
    return client


def login(client, name, password="wrong password"):
    return client.post(LOGIN, {"username": name, "password": password})


def fail(client, name, times):
    for _ in range(times):
        shapes.error(login(client, name), 401, WRONG)


def wait_of(response):
    """Seconds to wait, of a 429."""
    assert shapes.error(response, 429) and response.status_code == 429
    return int(response.headers["Retry-After"])


def failures(p3d):
    """How many wrong passwords were hashed: each is an entry."""
    with p3d.redis() as r:
        return r.xlen("p3d:{a}:audit:failed")


def rewind(p3d, seconds):
    """As if that much time had passed since the last failures."""
    with p3d.redis() as r:
        for key in itertools.chain(r.scan_iter(TRY + "a:*"), r.scan_iter(TRY + "p:*")):
            if r.hexists(key, "last"):
                r.hincrby(key, "last", -seconds * 1000)


def worsen(p3d):
    """As if there had been more failures: minutes to wait, time enough for a test on a slow machine."""
    with p3d.redis() as r:
        for key in itertools.chain(r.scan_iter(TRY + "a:*"), r.scan_iter(TRY + "p:*"), r.scan_iter(TRY + "n:*")):
            if int(r.hget(key, "n") or 0) >= FREE:
                r.hset(key, "n", FREE + 7)


def long_wait(response):
    assert 64 <= wait_of(response) <= 128


def under_way(p3d):
    with p3d.redis() as r:
        return sum(int(r.hget(key, "open") or 0) for key in r.scan_iter(TRY + "a:*"))


@pytest.fixture(scope="module")
def p3d():
    with P3D(models={"tiny": TINY}, config={"security": {"login_free_failures": FREE, "hash_queue": 200}}, workers=1,
             processes=2) as server:
        yield server


@pytest.fixture
def ann(p3d):
    return p3d.register(shapes.unique("ann"))


def test_the_sixth_has_to_wait(p3d, ann):
    here, name = caller(p3d), ann.user["username"]
    fail(here, name, FREE)
    before = failures(p3d)
    assert wait_of(login(here, name)) == 1
    worsen(p3d)
    long_wait(login(here, name, PASSWORD))  # the right one as well, from here
    long_wait(login(here, name + "@example.com"))
    long_wait(login(here, shapes.unique("other")))  # the address has failed too often, whoever it names
    assert failures(p3d) == before  # none of them was compared
    r = login(caller(p3d), name, PASSWORD)  # the owner, from elsewhere, at once
    assert r.status_code == 200 and p3d.client(r.json()["token"]).get(ME).status_code == 200


def test_each_failure_doubles_the_wait(p3d, ann):
    here, name = caller(p3d), ann.user["username"]
    fail(here, name, FREE)
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900):
        assert wait_of(login(here, name)) == wait
        rewind(p3d, wait)
        fail(here, name, 1)
    assert wait_of(login(here, name, PASSWORD)) == 900
    rewind(p3d, 900)
    assert login(here, name, PASSWORD).status_code == 200


def test_the_wait_is_rounded_up(p3d, ann):
    here, name = caller(p3d), ann.user["username"]
    fail(here, name, FREE)
    rewind(p3d, 1)
    fail(here, name, 1)
    assert wait_of(login(here, name)) == 2
    with p3d.redis() as r:
        for key in r.scan_iter(TRY + "a:" + here.address + "*"):
            r.hincrby(key, "last", -1500)
        for key in r.scan_iter(TRY + "p:*:" + here.address + "*"):
            r.hincrby(key, "last", -1500)
    assert wait_of(login(here, name)) == 1  # half a second is left


def test_unknown_names_are_delayed_like_known_ones(p3d, ann):
    """The same bodies and headers, step by step."""
    seen = []
    for name in (ann.user["username"], shapes.unique("nobody")):
        here, steps = caller(p3d), []
        for _ in range(FREE + 3):
            r = login(here, name)
            differ = {"x-request-id", "x-process-time", "date"}
            steps.append((r.status_code, r.json(), {k: v for k, v in r.headers.lower_items() if k not in differ}))
        seen.append(steps)
    assert [s[0] for s in seen[0]] == [401] * FREE + [429] * 3
    assert seen[0] == seen[1]


def test_the_name_is_typed_in_any_way(p3d, ann):
    """Case is no new name."""
    here, name = caller(p3d), ann.user["username"]
    for i in range(FREE):
        shapes.error(login(here, name.upper() if i % 2 else name), 401, WRONG)
    with p3d.redis() as r:
        counted = [int(r.hget(key, "n")) for key in r.scan_iter(TRY + "n:*")]
    assert FREE in counted


def test_a_stranger_locks_nobody_out(p3d, ann):
    name = ann.user["username"]
    for _ in range(20):
        fail(caller(p3d), name, 1)
    stranger = caller(p3d)
    fail(stranger, name, 1)
    assert wait_of(login(stranger, name)) >= 1  # one guess, where others are guessing
    home = caller(p3d)
    fail(home, name, 1)
    assert wait_of(login(home, name, PASSWORD)) == 1  # a typing error costs the owner a second, no more
    rewind(p3d, 2)
    assert login(home, name, PASSWORD).status_code == 200
    assert login(caller(p3d), name, PASSWORD).status_code == 200


def test_one_address_cannot_fill_the_queue_of_hashes():
    """Registrations and logins of one address share 8 places: others still get in, with the hashes of real life."""
    config = {"security": {"login_free_failures": FREE, "password_iterations": 600000}}
    with P3D(models={"tiny": TINY}, config=config, workers=1) as p3d:
        ann = p3d.register("ann").user["username"]

        def register(client, i):
            body = {"username": "crowd%d" % i, "email": "crowd%d@example.com" % i, "password": PASSWORD}
            return client.post("/api/v1/users/register", body)
        flood = [caller(p3d, "127.0.9.1") for _ in range(24)]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answers = [pool.submit(register, c, i) for i, c in enumerate(flood)]
            until(lambda: under_way(p3d) > 0, what="the flood has begun")
            assert login(caller(p3d), ann, PASSWORD).status_code == 200
            seen = [f.result().status_code for f in answers]
        assert set(seen) <= {200, 429} and seen.count(429) > 0
        until(lambda: under_way(p3d) == 0, what="all places are given back")
        name_taken = {"username": "ANN", "email": "other@example.com", "password": PASSWORD}
        assert caller(p3d).post("/api/v1/users/register", name_taken).status_code == 400


def test_success_clears(p3d, ann):
    name = ann.user["username"]
    a, b, c = (caller(p3d) for _ in range(3))
    fail(a, name, FREE - 1)
    assert login(b, name, PASSWORD).status_code == 200
    fail(c, name, FREE - 1)  # the name begins anew
    assert login(c, name, PASSWORD).status_code == 200
    for _ in range(12):  # one right one for each wrong one: nobody has to wait
        fail(b, name, 1)
        assert login(b, name, PASSWORD).status_code == 200


def test_an_own_account_buys_few_guesses(p3d, ann):
    """A right password forgives what was failed on that name, nothing else: guessing at others goes on counting."""
    mine, here = p3d.register(shapes.unique("mallory")), caller(p3d)
    before = failures(p3d)
    for _ in range(40):
        login(here, ann.user["username"])
        login(here, ann.user["username"])
        login(here, mine.user["username"], PASSWORD)
    assert failures(p3d) - before <= 2 * FREE + 5  # and one when a wait is over


def test_two_hundred_on_one_account(p3d, ann):
    before, statuses = failures(p3d), []
    places = [caller(p3d) for _ in range(20)]
    for _ in range(10):
        statuses += [login(place, ann.user["username"]).status_code for place in places]
    assert set(statuses) == {401, 429} and len(statuses) == 200
    hashed = failures(p3d) - before
    assert hashed == statuses.count(401) <= 100
    assert login(caller(p3d), ann.user["username"], PASSWORD).status_code == 200


def test_two_hundred_accounts_from_one_address(p3d):
    here, before = caller(p3d), failures(p3d)
    statuses = [login(here, shapes.unique("victim")).status_code for _ in range(200)]
    assert statuses[:FREE] == [401] * FREE
    hashed = failures(p3d) - before
    assert hashed == statuses.count(401) <= 20


def test_fifty_at_once(p3d, ann):
    """No burst gets through before it is counted: eight of an address are under way, not more."""
    before, here = failures(p3d), fresh_address()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: login(caller(p3d, here), ann.user["username"]), range(50)))
    for r in answers:
        assert r.status_code in (401, 429), r.text
        if r.status_code == 429:
            assert wait_of(r) >= 1
    hashed = failures(p3d) - before
    assert hashed == [r.status_code for r in answers].count(401) <= FREE + 8 + 3  # three: after waits of 1, 2 and 4 s
    assert under_way(p3d) == 0


def test_changing_the_password_counts_as_well(p3d, ann):
    here = caller(p3d)
    here.session.headers["Authorization"] = "Bearer " + ann.token

    def change(old):
        return here.call("PUT", CHANGE, {"old_password": old, "new_password": "another horse 4"})
    for _ in range(FREE):
        shapes.error(change("wrong password"), 400, "Invalid current password")
    assert wait_of(change("wrong password")) == 1
    worsen(p3d)
    long_wait(change(PASSWORD))
    long_wait(login(here, ann.user["username"], PASSWORD))
    rewind(p3d, 128)
    assert change(PASSWORD).status_code == 200
    assert login(caller(p3d), ann.user["username"], "another horse 4").status_code == 200
    assert under_way(p3d) == 0


def test_what_is_no_guess_is_not_counted(p3d, ann):
    """Malformed bodies, and the right password of a suspended account."""
    here, name = caller(p3d), ann.user["username"]
    for _ in range(FREE + 2):
        shapes.faults(here.post(LOGIN, {"username": name}))
        shapes.error(login(here, name, "x" * 1025), 400, "Password is too long")
    with p3d.redis() as r:
        for key in ("p3d:{a}:user:", "p3d:{0}:u:"):
            r.hset(key + ann.user["user_id"], "status", "suspended")
    for _ in range(FREE + 2):
        shapes.error(login(here, name, PASSWORD), 401, "User account is disabled")
    fail(here, name, FREE)
    assert wait_of(login(here, name)) == 1
    assert under_way(p3d) == 0


def test_nothing_that_was_typed_is_kept(p3d):
    word = "my-Secret-typed-as-a-name-" + shapes.unique()
    here = caller(p3d)
    fail(here, word, 2)
    with p3d.redis() as r:
        for key in r.scan_iter("p3d:{a}:*"):
            kind = r.type(key)
            value = {b"hash": r.hgetall, b"string": r.get, b"zset": lambda k: r.zrange(k, 0, -1),
                     b"stream": lambda k: r.xrange(k)}.get(kind, lambda k: b"")(key)
            assert word.lower() not in (str(key) + str(value)).lower(), key


def raw_login(p3d, name, address):
    """Send a login and leave without reading the answer."""
    host, port = p3d.base.split("//")[1].split(":")
    body = json.dumps({"username": name, "password": "wrong password"}).encode()
    with socket.create_connection((host, int(port)), source_address=(address, 0)) as s:
        s.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                  % (LOGIN.encode(), len(body), body))


def test_who_leaves_early_is_counted_all_the_same():
    config = {"security": {"login_free_failures": 100, "hash_queue": 200, "password_iterations": 600000}}
    with P3D(models={"tiny": TINY}, config=config, workers=1) as p3d:
        p3d.register("ann")
        places = [fresh_address() for _ in range(3)]
        for i in range(12):
            raw_login(p3d, "ann" if i % 2 else "nobody", places[i % 3])
        until(lambda: failures(p3d) == 12, what="all are counted")
        until(lambda: under_way(p3d) == 0, what="none is under way")


def test_a_full_pool_gives_the_attempt_back():
    config = {"security": {"login_free_failures": 100, "hash_queue": 1, "hash_threads": 1,
                           "password_iterations": 2000000}}
    with P3D(models={"tiny": TINY}, config=config, workers=1) as p3d:
        p3d.register("ann")
        here = fresh_address()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: login(caller(p3d, here), "ann" if i % 2 else "nobody"), range(8)))
        statuses = [r.status_code for r in answers]
        assert set(statuses) == {401, 503}, statuses
        for r in answers:
            if r.status_code == 503:
                shapes.error(r, 503, "The server is busy")
        assert failures(p3d) == statuses.count(401)  # what was not compared is no failure
        assert under_way(p3d) == 0
        assert login(caller(p3d, here), "ann", PASSWORD).status_code == 200


def test_switched_off():
    with P3D(models={"tiny": TINY}, config={"security": {"login_free_failures": -1}}, workers=1) as p3d:
        p3d.register("ann")
        here = caller(p3d)
        fail(here, "ann", 30)
        assert login(here, "ann", PASSWORD).status_code == 200
        assert failures(p3d) == 30
        with p3d.redis() as r:
            assert not list(r.scan_iter(TRY + "*"))


def test_none_is_free():
    """0: the first failure costs a second already."""
    with P3D(models={"tiny": TINY}, config={"security": {"login_free_failures": 0}}, workers=1) as p3d:
        p3d.register("ann")
        here = caller(p3d)
        fail(here, "ann", 1)
        assert wait_of(login(here, "ann", PASSWORD)) == 2
        assert login(caller(p3d), "ann", PASSWORD).status_code == 200


# ---- behind a proxy

def test_behind_a_trusted_proxy_the_client_is_who_the_proxy_says():
    config = {"security": {"login_free_failures": FREE}, "server": {"trusted_proxies": ["127.0.0.2", "127.0.9.0/24"]}}
    with P3D(models={"tiny": TINY}, config=config) as p3d:
        ann = p3d.register("ann").user["username"]
        proxy, other = caller(p3d, "127.0.0.2"), caller(p3d, "127.0.0.3")

        def attempt(client, forwarded, password="wrong password"):
            headers = {"X-Forwarded-For": forwarded} if forwarded else {}
            return client.post(LOGIN, {"username": ann, "password": password}, headers=headers)
        for _ in range(FREE):
            assert attempt(proxy, "198.51.100.7").status_code == 401
        assert attempt(proxy, "198.51.100.7").status_code == 429
        # What the client itself writes in front is not believed, a second proxy of ours is seen through.
        assert attempt(proxy, "203.0.113.1, 198.51.100.7").status_code == 429
        assert attempt(proxy, "198.51.100.7, 127.0.9.4").status_code == 429
        assert attempt(proxy, "198.51.100.8", PASSWORD).status_code == 200, "another client of the same proxy"
        # Who comes past the proxy is who they are, whatever they say.
        for i in range(FREE):
            assert attempt(other, "203.0.113.%d" % i).status_code == 401
        assert attempt(other, "203.0.113.99").status_code == 429
        with p3d.redis() as r:
            seen = {e[1][b"address"] for e in r.xrange("p3d:{a}:audit:failed")}
        assert seen == {b"198.51.100.7", b"127.0.0.3"}
