# SPDX-License-Identifier: MIT
"""Accounts: register, login, me, and what administrators do with them."""
import concurrent.futures
import os
import signal
import statistics
import time

import pytest

import shapes
from p3d_test import GATED, P3D, PASSWORD, TINY, Client, until

REGISTER, LOGIN, ME = "/api/v1/users/register", "/api/v1/users/login", "/api/v1/users/me"
USERS = "/api/v1/users/admin/users"


def register(p3d, name, email=None, password=PASSWORD):
    return p3d.client().post(REGISTER, {"username": name, "email": email or name + "@example.com",
                                        "password": password})


def login(p3d, name, password=PASSWORD):
    return p3d.client().post(LOGIN, {"username": name, "password": password})


# ---- register

def test_register(p3d):
    name = shapes.unique("Ann.B_c")
    body = register(p3d, name).json()
    assert sorted(body) == ["message", "success", "token", "token_name", "user"]
    assert body["success"] is True
    assert body["message"] == "User registered successfully. Please login to get an API token."
    assert body["token_name"] == "Login token - " + name
    user = shapes.user(body["user"], username=name, email=name + "@example.com", role="user", is_active=True)
    me = p3d.client(body["token"]).ok("GET", ME)
    assert me == {"success": True, "user": user}


@pytest.mark.parametrize("change, text", [
    ({"username": "ab"}, "Username must be at least 3 characters"),
    ({"username": ""}, "Username must be at least 3 characters"),
    ({"username": "a b c"}, "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ({"username": "päul"}, "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ({"username": "a" * 65}, "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ({"username": "abc\u0007"}, "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ({"email": "nobody"}, "Invalid email address"),
    ({"email": "@example.com"}, "Invalid email address"),
    ({"email": "a@"}, "Invalid email address"),
    ({"email": "a b@example.com"}, "Invalid email address"),
    ({"email": "a@exa\nmple.com"}, "Invalid email address"),
    ({"email": "a" * 65 + "@example.com"}, "Invalid email address"),
    ({"password": "1234567"}, "Password must be at least 8 characters"),
    ({"password": ""}, "Password must be at least 8 characters"),
    ({"password": "ä" * 7}, "Password must be at least 8 characters"),  # characters, not bytes
    ({"password": "x" * 1025}, "Password is too long"),
])
def test_register_refuses(p3d, admin, change, text):
    before = admin.ok("GET", USERS)["pagination"]["total"]
    name = shapes.unique("no")
    body = {"username": name, "email": name + "@example.com", "password": PASSWORD, **change}
    shapes.error(p3d.client().post(REGISTER, body), 400, text)
    assert admin.ok("GET", USERS)["pagination"]["total"] == before


@pytest.mark.parametrize("password", ["x" * 1024, "ä€🙂" * 3, "        ", "tab\tand \"quotes\" \\"],
                         ids=["longest", "unicode", "spaces", "quotes"])
def test_any_text_is_a_password(p3d, password):
    name = shapes.unique("odd")
    assert register(p3d, name, password=password).status_code == 200
    assert login(p3d, name, password).status_code == 200
    shapes.error(login(p3d, name, password + " "), 401 if len(password) < 1024 else 400)


def test_fields_that_are_nobodys(p3d):
    name = shapes.unique("extra")
    r = p3d.client().post(REGISTER, {"username": name, "email": name + "@example.com", "password": PASSWORD,
                                     "role": "admin", "user_id": shapes.ABSENT_USER})
    assert sorted(shapes.faults(r)) == [(("body", "role"), "extra_forbidden"), (("body", "user_id"), "extra_forbidden")]
    shapes.error(login(p3d, name), 401, "Invalid username or password")


def test_unique_without_regard_to_case(p3d):
    name = shapes.unique("Carl")
    assert register(p3d, name).status_code == 200
    text = "Username or email already exists"
    shapes.error(register(p3d, name.upper(), "other-%s@example.com" % name), 400, text)
    shapes.error(register(p3d, shapes.unique("x"), name.upper() + "@EXAMPLE.com"), 400, text)
    assert login(p3d, name.swapcase()).json()["user"]["username"] == name
    assert login(p3d, name.upper() + "@example.COM").json()["user"]["username"] == name


def test_forty_at_once_make_four(p3d, admin):
    stem = shapes.unique("crowd")
    names = [(stem + "-" + "abcd"[i % 4], i) for i in range(40)]

    def one(job):
        name, i = job
        name = "".join(c.upper() if (i >> k) & 1 else c for k, c in enumerate(name))
        return register(p3d, name, "%s@example.com" % name)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, names))
    good = [r.json() for r in answers if r.status_code == 200]
    assert sorted(r["user"]["username"].lower() for r in good) == sorted({name.lower() for name, _ in names})
    for r in answers:
        if r.status_code != 200:
            shapes.error(r, 400, "Username or email already exists")
    mine = [u for u in admin.ok("GET", USERS + "?limit=1000")["users"] if u["username"].lower().startswith(stem)]
    assert len(mine) == 4
    assert len({u["user_id"] for u in mine}) == 4
    for r in good:
        assert p3d.client(r["token"]).ok("GET", ME)["user"] == r["user"]


def test_register_gives_a_token_only_when_it_is_to():
    with P3D(models={"tiny": TINY}, config={"security": {"token_on_register": False}}, workers=1) as p3d:
        body = register(p3d, "ann").json()
        assert sorted(body) == ["message", "success", "user"]
        token = login(p3d, "ann").json()["token"]
        assert p3d.client(token).ok("GET", "/api/v1/users/tokens")["total_count"] == 1


# ---- login

def test_login(p3d, ann):
    name = ann.user["username"]
    body = login(p3d, name).json()
    assert sorted(body) == ["message", "token", "token_name", "user"]
    assert body["message"] == "Login successful. Use this token in Authorization header."
    assert body["token_name"] == "Login token - " + name
    assert body["user"] == ann.user and body["token"] != ann.token
    by_email = login(p3d, name + "@example.com").json()
    assert by_email["user"] == ann.user
    for token in (ann.token, body["token"], by_email["token"]):  # a login ends no other
        assert len(token) == 54 and token.startswith("p3d_")
        assert p3d.client(token).ok("GET", ME)["user"] == ann.user
    assert p3d.client().get(ME, headers={"X-API-Key": body["token"]}).json()["user"] == ann.user


def test_unknown_user_and_wrong_password_are_the_same_answer(p3d, ann):
    wrong, unknown = login(p3d, ann.user["username"], "wrong password"), login(p3d, shapes.unique("nobody"))
    shapes.error(wrong, 401, "Invalid username or password")
    assert wrong.json() == unknown.json()
    differ = {"x-request-id", "x-process-time", "date"}
    assert {k: v for k, v in wrong.headers.lower_items() if k not in differ} == \
        {k: v for k, v in unknown.headers.lower_items() if k not in differ}
    for odd in ("", "a", "x" * 400, "a b", "nobody@example.com", "p3d:{a}:users", "*"):
        assert login(p3d, odd).json() == wrong.json(), odd


def test_login_times_do_not_tell_who_exists():
    """With as many rounds as by default, so that the hash is what takes the time."""
    with P3D(models={"tiny": TINY}, config={"security": {"password_iterations": 600000}}, workers=1) as p3d:
        p3d.register("known")
        took = {"known": [], "unknown": []}
        for _ in range(5):
            for name in took:
                begin = time.monotonic()
                shapes.error(login(p3d, name, "wrong password"), 401)
                took[name].append(time.monotonic() - begin)
        known, unknown = statistics.median(took["known"]), statistics.median(took["unknown"])
        assert known > 0.03, "the hash costs nothing?"
        assert 0.6 < unknown / known < 1.6, took


def test_only_the_newest_login_tokens_are_kept(p3d):
    name = shapes.unique("many")
    tokens = [register(p3d, name).json()["token"]]
    tokens += [login(p3d, name).json()["token"] for _ in range(10)]
    alive = [p3d.client(t).get(ME).status_code for t in tokens]
    assert alive == [401] + [200] * 10


def test_a_suspended_account(p3d, ann):
    """Told only to somebody who knows the password; its tokens are refused with the same words."""
    with p3d.redis() as r:
        user_id = ann.user["user_id"]
        assert r.exists("p3d:{a}:user:" + user_id) and r.exists("p3d:{0}:u:" + user_id)
        r.hset("p3d:{a}:user:" + user_id, "status", "suspended")
        r.hset("p3d:{0}:u:" + user_id, "status", "suspended")
    name = ann.user["username"]
    shapes.error(ann.get(ME), 401, "User account is disabled")
    shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 401, "User account is disabled")
    shapes.error(login(p3d, name), 401, "User account is disabled")
    shapes.error(login(p3d, name, "wrong password"), 401, "Invalid username or password")


def test_redis_is_away():
    """503 for right and wrong alike, never 401; and it works again when Redis does."""
    with P3D(models={"tiny": TINY}, config={"redis": {"timeout_ms": 500}}, workers=1) as p3d:
        ann = p3d.register("ann")
        pid = p3d.kill("redis", signal.SIGSTOP)
        try:
            calls = [("POST", LOGIN, {"username": "ann", "password": PASSWORD}),
                     ("POST", LOGIN, {"username": "ann", "password": "wrong password"}),
                     ("POST", LOGIN, {"username": "nobody", "password": "wrong password"}),
                     ("POST", REGISTER, {"username": "bob", "email": "bob@example.com", "password": PASSWORD}),
                     ("PUT", ME + "/password", {"old_password": PASSWORD, "new_password": "another horse 4"}),
                     ("POST", "/api/v1/users/tokens", {"token_name": "x"}), ("GET", "/api/v1/users/tokens", None),
                     ("DELETE", "/api/v1/users/tokens/" + ann.token[:12], None), ("POST", "/api/v1/users/logout", None),
                     ("GET", ME, None), ("GET", "/api/users/me", None), ("GET", "/api/users", None)]
            with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
                answers = list(pool.map(lambda c: Client(p3d.base, ann.token).call(*c), calls))
        finally:
            os.kill(pid, signal.SIGCONT)
        for r in answers:
            shapes.error(r, 503, shapes.AUTH_DOWN)
        # What was on its way then may have been done: the answer said that it is not known.
        until(lambda: login(p3d, "ann").status_code in (200, 401), what="Redis answers again")


# ---- what is stored

def test_no_password_and_no_token_is_stored_or_logged():
    secret = "Tr0ub4dor&3-unmistakable"
    with P3D(models={"tiny": TINY}, config={"logging": {"level": "debug"}}) as p3d:
        out = register(p3d, "ann", password=secret).json()
        other = register(p3d, "bob", password=secret).json()
        tokens = [out["token"], other["token"], login(p3d, "ann", secret).json()["token"]]
        login(p3d, "ann", secret + "!")
        p3d.client().post(LOGIN, data='{"username": "ann", "password": "%s"' % secret)  # malformed
        ann = p3d.client(tokens[0])
        ann.wait(ann.submit("x"))
        ann.get(ME + "?token=" + tokens[0])
        tokens += [ann.ok("POST", "/api/v1/users/tokens", {"token_name": str(i)})["token"] for i in range(2)]
        for name in (tokens[-1], tokens[1], tokens[-1] + "x", tokens[-1]):  # named in a path: gone, others', no name
            ann.delete("/api/v1/users/tokens/" + name)
        ann.call("PUT", ME + "/password", {"old_password": secret + "!", "new_password": secret + "?"})
        ann.ok("PUT", ME + "/password", {"old_password": secret, "new_password": secret + "?"})
        p3d.client(tokens[1]).ok("POST", "/api/v1/users/logout")
        with p3d.redis() as r:
            hashes = [r.hget("p3d:{a}:user:" + u["user"]["user_id"], "hash").decode() for u in (out, other)]
        assert p3d.stop() == 0
        for h in hashes:
            kind, rounds, salt, value = h[1:].split("$")
            assert (kind, rounds) == ("pbkdf2-sha256", "i=10000") and len(salt) >= 22 and len(value) >= 43
        assert hashes[0].split("$")[3] != hashes[1].split("$")[3]  # a salt of each one's own
        looked = 0
        for folder, _, names in os.walk(p3d.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                looked += 1
                for word in [secret] + tokens:
                    # A token's prefix is stored to be shown; the whole never.
                    assert word.encode() not in data, (os.path.join(folder, name), word)
        assert looked > 5
        aof = b"".join(open(os.path.join(d, n), "rb").read() for d, _, ns in os.walk(p3d.data) for n in ns)
        assert hashes[0].encode() in aof  # it was the right place to look


# ---- admins

def test_list(p3d, admin):
    names = [shapes.unique("list") for _ in range(5)]
    for name in names:
        p3d.register(name)
    page = admin.ok("GET", USERS + "?limit=3")
    assert sorted(page) == ["count", "pagination", "success", "users"] and page["success"] is True
    assert [u["username"] for u in page["users"]] == names[:1:-1]  # newest first
    total = page["pagination"]["total"]
    assert page["count"] == 3
    assert page["pagination"] == {"limit": 3, "offset": 0, "total": total, "has_more": True}
    second = admin.ok("GET", USERS + "?limit=3&offset=3")
    assert [u["username"] for u in second["users"]][:2] == names[1::-1]
    assert second["pagination"]["offset"] == 3
    assert len(second["users"]) == second["count"] == min(3, total - 3)
    last = admin.ok("GET", USERS + "?limit=1000&offset=%d" % (total - 1))
    assert last["count"] == 1 and last["pagination"]["has_more"] is False
    assert last["users"][0] == admin.user
    beyond = admin.ok("GET", USERS + "?offset=%d" % (total + 10))
    assert beyond["users"] == [] and beyond["pagination"]["has_more"] is False
    assert admin.ok("GET", USERS)["pagination"]["limit"] == 100
    for u in page["users"] + last["users"]:
        shapes.user(u)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=", "offset=-1", "offset=x",
                                   "limit=99999999999999999999"])
def test_list_refuses(admin, query):
    r = admin.get(USERS + "?" + query)
    assert [loc for loc, _ in shapes.faults(r)] == [("query", query.split("=")[0])]


def test_get(p3d, admin, ann):
    assert admin.ok("GET", USERS + "/" + ann.user["user_id"]) == {"success": True, "user": ann.user}
    for absent in (shapes.ABSENT_USER, "user_abc123", "x", "1"):
        shapes.error(admin.get(USERS + "/" + absent), 404, "User not found")


def test_nobody_else_is_an_admin(p3d, ann, bob):
    for method, path in (("GET", USERS), ("GET", USERS + "/" + bob.user["user_id"]),
                         ("DELETE", USERS + "/" + bob.user["user_id"]), ("DELETE", USERS + "/" + ann.user["user_id"]),
                         ("GET", USERS + "/" + shapes.ABSENT_USER)):
        shapes.error(ann.call(method, path), 403, shapes.NOT_ADMIN)
    assert bob.ok("GET", ME)["user"] == bob.user


def test_delete_yourself(admin):
    shapes.error(admin.delete(USERS + "/" + admin.user["user_id"]), 400, "Cannot delete yourself")
    assert admin.ok("GET", ME)["user"] == admin.user


def test_delete_absent(admin):
    for absent in (shapes.ABSENT_USER, "user_abc123"):
        shapes.error(admin.delete(USERS + "/" + absent), 404, "User not found")


def test_delete(gate, admin):
    """Tokens die at once, queued jobs never start, the running one is stopped, finished ones stay for admins."""
    p3d = gate
    ann = p3d.register(shapes.unique("gone"))
    name, user_id = ann.user["username"], ann.user["user_id"]
    second = p3d.client(login(p3d, name).json()["token"])
    finished = ann.submit("done", model_preference="tiny")
    ann.wait(finished)
    running = ann.submit("runs", model_preference="gated")
    ann.wait(running, ("processing",))
    until(lambda: running in p3d.ran(), what="the attempt has begun")
    queued = [ann.submit("waits", model_preference="gated") for _ in range(200)]  # more than one round of housekeeping
    assert ann.job(queued[0])["status"] == "queued"

    path = USERS + "/" + user_id
    assert admin.ok("DELETE", path) == {"success": True, "message": "User %s deleted successfully" % user_id}
    for client in (ann, second):
        for call in (ME, "/api/v1/system/jobs/" + finished, "/api/v1/system/jobs/history"):
            shapes.error(client.get(call), 401, shapes.BAD_TOKEN)
        shapes.error(client.post("/api/v1/mesh-generation", {"prompt": "x"}), 401, shapes.BAD_TOKEN)
    for job in queued[:1] + queued[-2:]:
        shapes.job(admin.job(job), status="cancelled", user_id=user_id, attempt=0)
    rows = {row["job_id"]: row for row in admin.ok("GET", "/api/v1/system/jobs/history?limit=300")["jobs"]}
    for job in queued:
        shapes.job(rows[job], status="cancelled", user_id=user_id)

    until(lambda: not [line for line in p3d.processes().values() if "gated.sh" in line], 15, "the running job is stopped")
    shapes.job(admin.wait(running, seconds=15), status="cancelled")
    p3d.open_gate()
    bob = p3d.register(shapes.unique("next"))  # the model is free for others, and nobody's old job goes first
    bob.wait(bob.submit("mine", model_preference="gated"))
    assert not set(queued) & set(p3d.ran())

    assert admin.job(finished)["status"] == "completed"
    assert admin.download(finished).status_code == 200
    shapes.error(admin.get(path), 404, "User not found")
    shapes.error(admin.delete(path), 404, "User not found")
    assert user_id not in [u["user_id"] for u in admin.ok("GET", USERS + "?limit=1000")["users"]]
    shapes.error(login(p3d, name), 401, "Invalid username or password")

    again = p3d.register(name)  # name and address are free, the id is not used again
    assert again.user["user_id"] != user_id
    shapes.error(again.get("/api/v1/system/jobs/" + finished), 403, shapes.NOT_YOURS)
    assert again.ok("GET", "/api/v1/system/jobs/history")["jobs"] == []
    shapes.error(ann.get(ME), 401, shapes.BAD_TOKEN)  # the old token does not come to life


def test_delete_while_they_submit():
    """However the two meet: after the answer to DELETE no job of theirs is queued or starts."""
    with P3D(models={"gated": {"script": GATED, "max_workers": 1}}, workers=1) as p3d:
        admin, ann = p3d.admin(), p3d.register("ann")

        def submit(_):
            r = Client(p3d.base, ann.token).post("/api/v1/mesh-generation", {"prompt": "x"})
            return r.json()["job_id"] if r.status_code == 200 else shapes.error(r, 401, shapes.BAD_TOKEN)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = [pool.submit(submit, i) for i in range(60)]
            answers[10].result()
            admin.ok("DELETE", USERS + "/" + ann.user["user_id"])
            made = [a.result() for a in answers if a.result().startswith("job_")]
            refused = len(answers) - len(made)
        assert made and refused, "the two did not meet"
        for job in made:
            assert admin.wait(job, ("cancelled", "processing"), 15)["user_id"] == ann.user["user_id"]
        for job in made:
            assert admin.wait(job, seconds=15)["status"] == "cancelled"
        p3d.open_gate()
        bob = p3d.register("bob")
        job = bob.submit("after")
        bob.wait(job)
        assert len([j for j in p3d.ran() if j in made]) <= 1  # the one that ran already


def test_the_operators_token_outlives_logins(p3d):
    """A token made on purpose is no login token: logging in often does not end it."""
    made = p3d.admin(shapes.unique("operator"))
    for _ in range(12):
        assert login(p3d, made.user["username"]).status_code == 200
    assert made.ok("GET", ME)["user"] == made.user


# ---- the audit

def entries(p3d, user_id):
    """By or about that account: (action, actor, target, address)."""
    with p3d.redis() as r:
        rows = sum((r.xrange("p3d:{a}:audit" + s) for s in ("", ":self", ":failed")), [])
    rows = [{k.decode(): v.decode() for k, v in row.items()} for _, row in rows]
    return [(e["action"], e["actor"], e["target"], e["address"]) for e in rows if user_id in (e["actor"], e["target"])]


def test_what_was_done_is_written_down(p3d, admin):
    ann = p3d.register(shapes.unique("audited"))
    me, root, here = ann.user["user_id"], admin.user["user_id"], "127.0.0.1"
    other = p3d.client(login(p3d, ann.user["username"]).json()["token"])
    login(p3d, ann.user["username"], "wrong password")
    token = ann.ok("POST", "/api/v1/users/tokens", {"token_name": "x"})["token"]
    ann.ok("DELETE", "/api/v1/users/tokens/" + token[:12])
    other.ok("POST", "/api/v1/users/logout")
    ann.ok("PUT", ME + "/password", {"old_password": PASSWORD, "new_password": "another horse 4"})
    ann.ok("PUT", "/api/users/" + me, {"username": shapes.unique("audited-anew")})
    assert admin.delete("/api/users/" + me).status_code == 204
    login(p3d, ann.user["email"], "another horse 4")
    admin.ok("DELETE", USERS + "/" + me)
    by_me = [(action, me, me, here) for action in ("registered", "login", "token_created", "token_revoked",
                                                   "token_revoked", "password_changed", "username_changed")]
    want = by_me[:2] + [("login_failed", "", me, here)] + by_me[2:] + [
        ("status_changed", root, me, here), ("login_refused", me, me, here), ("deleted", root, me, here)]
    until(lambda: sorted(entries(p3d, me)) == sorted(want) or None, 5, str((entries(p3d, me), want)))
