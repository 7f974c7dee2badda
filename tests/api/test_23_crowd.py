# SPDX-License-Identifier: MIT
"""Three serve processes and everybody at once: names and emails stay unique, and what ends a caller's right ends it on
every process and every kept connection with the very next request."""
import concurrent.futures
import random
import re
import threading
import time

import pytest

import shapes
from p3d_test import P3D, PASSWORD, PICTURED, Client, until
from test_45_signed_urls import sign

REGISTER, ME, LOGIN = "/api/v1/users/register", "/api/v1/users/me", "/api/v1/users/login"
FLAT, USERS = "/api/users/", "/api/v1/users/admin/users/"
TAKEN, DISABLED = "Username or email already exists", "User account is disabled"
PROCESSES, CONNECTIONS = 3, 24


@pytest.fixture(scope="module")
def p3d():
    config = {"security": {"hash_queue": 1000}, "logging": {"level": "info"}}
    with P3D(models={"pictured": PICTURED}, config=config, processes=PROCESSES, workers=1) as server:
        server.boss = server.admin()
        yield server


def processes_of(p3d, responses):
    """Which serve processes gave these answers, by the log."""
    marks = {r.headers["X-Request-ID"] for r in responses}

    def found():
        lines = [re.search(r" (serve-\d+)\[.* req=(\S+)", line) for line in p3d.log().splitlines()]
        by = {m[2]: m[1] for m in lines if m and m[2] in marks}
        return by if len(by) == len(marks) else None
    return set(until(found, what="a line of each answer").values())


def cased(name, bits):
    return "".join(c.upper() if bits >> k & 1 else c for k, c in enumerate(name))


def at_once(do, items, threads=50):
    """do(item) for each, on a connection of its own; all threads begin together."""
    gate = threading.Barrier(threads)
    first = threading.local()

    def one(item):
        if not hasattr(first, "passed"):
            first.passed = True
            gate.wait(60)
        return do(item)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, items))


def directory(p3d):
    """name key -> user id, email key -> user id, user id -> its record."""
    with p3d.redis() as r:
        names, emails, users = ({k.decode().split(":", 3)[3]: k for k in r.scan_iter("p3d:{a}:%s:*" % kind, count=1000)}
                                for kind in ("username", "email", "user"))
        return ({k: r.get(v).decode() for k, v in names.items()}, {k: r.get(v).decode() for k, v in emails.items()},
                {k: {a.decode(): b.decode() for a, b in r.hgetall(v).items()} for k, v in users.items()})


def check_directory(p3d):
    """Every account has its name and its email, every name its account, numbers are one's own."""
    names, emails, users = directory(p3d)
    assert names == {u["username"].lower(): id for id, u in users.items()}
    assert emails == {u["email"].lower(): id for id, u in users.items()}
    assert len({u["number"] for u in users.values()}) == len(users)
    with p3d.redis() as r:
        assert {m.decode() for m in r.zrange("p3d:{a}:users", 0, -1)} == set(users)
        until(lambda: r.zcard("p3d:{a}:outbox") == 0, 10, "every change has arrived")
        for id, u in users.items():
            assert r.hget("p3d:{0}:u:" + id, "username").decode() == u["username"]
    return names, emails, users


@pytest.mark.parametrize("what", ["username", "email"])
def test_two_hundred_at_once_make_ten(p3d, what):
    stem = shapes.unique("crowd-" + what)
    before = check_directory(p3d)[2]

    def register(i):
        same, own = cased("%s-%s" % (stem, "abcdefghij"[i % 10]), i * 2654435761), "%s-own-%d" % (stem, i)
        body = {"username": same if what == "username" else own, "password": PASSWORD,
                "email": (same if what == "email" else own) + "@example.com"}
        return body, Client(p3d.base).post(REGISTER, body)
    answers = at_once(register, range(200))
    assert len(processes_of(p3d, [r for _, r in answers])) == PROCESSES
    good = [(body, r.json()) for body, r in answers if r.status_code == 200]
    assert len(good) == 10
    assert sorted(r["user"][what].split("@")[0].lower() for _, r in good) == \
        ["%s-%s" % (stem, c) for c in "abcdefghij"]
    for body, r in answers:
        if r.status_code != 200:
            shapes.error(r, 400, TAKEN)
    for body, r in good:
        assert (r["user"]["username"], r["user"]["email"]) == (body["username"], body["email"])
        assert p3d.client(r["token"]).ok("GET", ME)["user"] == r["user"]
        again = p3d.client().ok("POST", LOGIN, {"username": body[what].swapcase(), "password": PASSWORD})
        assert again["user"] == r["user"]
    users = check_directory(p3d)[2]
    assert set(users) - set(before) == {r["user"]["user_id"] for _, r in good}
    with p3d.redis() as r:  # those that were refused have left nothing
        owners = {r.hget(k, "owner").decode() for k in r.scan_iter("p3d:{0}:token:*", count=1000)}
    assert owners <= set(users)


def test_many_want_one_name(p3d):
    """By registering and by renaming, in all cases of letters: one has it."""
    users = [p3d.register(shapes.unique("racer")) for _ in range(20)]
    prize = shapes.unique("prize")

    def try_it(i):
        name = cased(prize, i * 2654435761)
        if i < 20:
            return Client(p3d.base, users[i].token).call("PUT", FLAT + users[i].user["user_id"], {"username": name})
        return Client(p3d.base).post(REGISTER, {"username": name, "email": shapes.unique("e") + "@example.com",
                                                "password": PASSWORD})
    answers = at_once(try_it, range(30), 30)
    assert sorted(r.status_code for r in answers) == [200] + [400] * 29
    for r in answers:
        if r.status_code == 400:
            shapes.error(r, 400, TAKEN)
    names = check_directory(p3d)[0]
    holder = names[prize.lower()]
    for i, user in enumerate(users):
        own = user.ok("GET", FLAT + "me")["username"]
        assert (own == user.user["username"]) != (holder == user.user["user_id"] and answers[i].status_code == 200)


def test_names_go_round(p3d):
    """Many renames between few names: each name is somebody's or nobody's, never two people's."""
    users = [p3d.register(shapes.unique("rounder")) for _ in range(8)]
    pool = [shapes.unique("round") for _ in range(5)]

    def rename(i):
        user, rng = users[i % 8], random.Random(i)
        return Client(p3d.base, user.token).call("PUT", FLAT + user.user["user_id"],
                                                 {"username": cased(rng.choice(pool), rng.getrandbits(16))})
    answers = at_once(rename, range(160), 16)
    assert {r.status_code for r in answers} == {200, 400}
    check_directory(p3d)


# ---- the very next request

def cli(p3d, *words):
    out = p3d.cli(*words, "--config", p3d.config, "--data-dir", p3d.data)
    assert out.returncode == 0, out


def by_cli(p3d, user):
    cli(p3d, "users", "suspend", user.user["user_id"])


def by_flat(p3d, user):
    assert p3d.boss.delete(FLAT + user.user["user_id"]).status_code == 204


def by_delete(p3d, user):
    p3d.boss.ok("DELETE", USERS + user.user["user_id"])


def by_revoke(p3d, user):
    user.other.ok("DELETE", "/api/v1/users/tokens/" + user.token)


def by_logout(p3d, user):
    p3d.client(user.token).ok("POST", "/api/v1/users/logout")


def by_password(p3d, user):
    user.other.ok("PUT", ME + "/password", {"old_password": PASSWORD, "new_password": "another horse 4"})


def by_operators_password(p3d, user):
    out = p3d.cli("users", "set-password", user.user["user_id"], "--password-file", "-", "--config", p3d.config,
                  "--data-dir", p3d.data, input="another horse 4\n")
    assert out.returncode == 0, out


# how, what the token is told then, whether the account is over as well
WAYS = [(by_cli, DISABLED, True), (by_flat, DISABLED, True), (by_delete, shapes.BAD_TOKEN, True),
        (by_revoke, shapes.BAD_TOKEN, False), (by_logout, shapes.BAD_TOKEN, False),
        (by_password, shapes.BAD_TOKEN, False), (by_operators_password, shapes.BAD_TOKEN, False)]


def connections(p3d, token=None):
    """Many kept ones, that every process has some of."""
    clients = [Client(p3d.base, token) for _ in range(CONNECTIONS)]
    until(lambda: len(processes_of(p3d, [c.get("/health") for c in clients])) == PROCESSES or
          clients.extend([Client(p3d.base, token) for _ in range(8)]), what="a connection to each process")
    return clients


@pytest.mark.parametrize("way, text, account", WAYS, ids=[w[0].__name__ for w in WAYS])
def test_the_next_request_is_refused_everywhere(p3d, way, text, account):
    user = p3d.register(shapes.unique("ended"))
    body = {"username": user.user["username"], "password": PASSWORD}
    user.other = p3d.client(p3d.client().ok("POST", LOGIN, body)["token"])
    job = user.submit("x")
    user.wait(job)
    path = "/api/v1/system/jobs/" + job
    url = sign(p3d, path + "/download", user.user["user_id"])[len(p3d.base):]
    clients, viewers = connections(p3d, user.token), connections(p3d)
    for client in clients:
        assert client.get(ME).status_code == client.get(path).status_code == 200
    for viewer in viewers:
        assert viewer.get(url).status_code == 200
    stop, seen, lock = threading.Event(), [], threading.Lock()

    def hammer(asked, token):
        client = Client(p3d.base, token)
        while not stop.is_set():
            begun = time.monotonic()
            r = client.get(asked)
            with lock:
                seen.append((begun, token is not None, r.status_code))
    hammers = [threading.Thread(target=hammer, args=x) for x in [(path, user.token)] * 6 + [(url, None)] * 3]
    for thread in hammers:
        thread.start()
    try:
        until(lambda: len(seen) > 50, what="some answers")
        way(p3d, user)
        ended = time.monotonic()
        answers = [client.get(ME) for client in clients]
        shown = [viewer.get(url) for viewer in viewers]
        submits = [client.post("/api/v1/mesh-generation", {"prompt": "x"}) for client in clients]
        count = len(seen)
        until(lambda: len(seen) > count + 50, what="some more answers")
    finally:
        stop.set()
        for thread in hammers:
            thread.join()
    assert len(processes_of(p3d, answers)) == len(processes_of(p3d, shown)) == PROCESSES
    for r in answers + submits:
        shapes.error(r, 401, text)
    for r in shown:
        if account:
            shapes.error(r, 401, "Invalid or expired signature")
        else:
            assert r.status_code == 200  # the URL is the account's, not the token's
    late = [(by_token, status) for begun, by_token, status in seen if begun > ended]
    assert len(late) > 50
    assert {status for by_token, status in late if by_token} == {401}
    assert {status for by_token, status in late if not by_token} == ({401} if account else {200})
    assert {status for _, _, status in seen} <= {200, 401}
    if way is by_cli:
        cli(p3d, "users", "activate", user.user["user_id"])
        assert {client.get(ME).status_code for client in clients} == {200}


def test_an_administrator_no_more(p3d):
    user = p3d.admin(shapes.unique("demoted"))
    clients = connections(p3d, user.token)
    assert {c.get("/api/users").status_code for c in clients} == {200}
    cli(p3d, "users", "demote", user.user["user_id"])
    answers = [c.get("/api/users") for c in clients]
    for r in answers:
        shapes.error(r, 403, shapes.NOT_ADMIN)
    assert len(processes_of(p3d, answers)) == PROCESSES
    cli(p3d, "users", "promote", user.user["user_id"])
    assert {c.get("/api/users").status_code for c in clients} == {200}
