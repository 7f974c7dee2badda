# SPDX-License-Identifier: MIT
"""Accounts: uniqueness, tokens, the way of a change into the work family, deletion."""
from conftest import KIND


def test_names_are_unique_without_regard_to_case(q):
    assert q.user("ann")[0].startswith("user_")
    assert q.user("ANN")[0] == "USER_EXISTS"
    assert q.run("user_add", "user_" + "f" * 16, "other", "ANN@example.com", "h", "user", "", family="a") == ["USER_EXISTS"]
    assert q.run("user_add", "user_" + "e" * 16, "aNN", "new@example.com", "h", "user", "", family="a") == ["USER_EXISTS"]


def test_find_list_and_swap(q):
    ann, _ = q.user("Ann")
    bob, _ = q.user("bob")
    for name in ("ann", "ANN", "Ann@Example.com"):
        assert q.run("user_find", "login", name, family="a")[1] == ann
    assert q.run("user_find", "id", bob, family="a")[3] == "bob"
    assert q.run("user_find", "login", "nobody", family="a") == ["USER_NOT_FOUND"]
    out = q.run("user_list", 10, 0, family="a")
    assert out[1] == 2 and {out[2], out[9]} == {ann, bob}
    assert q.run("user_list", 1, 1, family="a")[2:3] in ([ann], [bob])
    assert q.run("password_swap", ann, "hash", "new", family="a") == ["ok"]
    assert q.run("password_swap", ann, "hash", "newer", family="a") == ["CONFLICT"]


def test_access_refusals_in_their_order(q):
    ann, who = q.user("ann")
    root, admin = q.user("root", role="admin")
    check = lambda w: q.run("access", *w, "")[0]
    assert check(who) == "ok" and q.run("access", *who, "")[4] == "ann"
    assert check(("t", "unknown", "0", "0")) == "TOKEN_INVALID"
    assert check(("t", who[1], "0", "1")) == "ADMIN_REQUIRED" and check(("t", admin[1], "0", "1")) == "ok"
    q.r.hset("p3d:{0}:token:" + who[1], "scopes", "1")
    assert check(("t", who[1], "1", "0")) == "ok" and check(("t", who[1], "2", "0")) == "SCOPE_MISSING"
    q.r.hset("p3d:{0}:token:" + who[1], "expires", "1000")
    assert check(who) == "TOKEN_EXPIRED"
    q.r.hset("p3d:{0}:token:" + who[1], "expires", "0")
    q.r.hset("p3d:{0}:u:" + ann, "status", "suspended")
    assert check(who) == "USER_DISABLED"


def test_login_tokens_are_capped(q):
    ann, first = q.user("ann")
    for i in range(12):
        assert q.run("token_add", ann, "login%d" % i, "p", "n", "0", 100 + i, "", "1", 10) == ["ok"]
    alive = [i for i in range(12) if q.run("access", "t", "login%d" % i, "0", "0", "")[0] == "ok"]
    assert alive == list(range(2, 12)), "the newest ten"
    assert q.r.zcard("p3d:{0}:tokens:" + ann) == 10


def test_versions_never_go_back_and_the_outbox_replays(q):
    ann, who = q.user("ann")
    assert [x for x in q.r.zrange("p3d:{a}:outbox", 0, -1)] == [ann.encode()]
    q.r.zadd("p3d:{a}:outbox", {ann: 1})
    out = q.run("outbox", "get", family="a")
    assert out[1] == ann and out[2] == "1" and out[4] == "ann"
    q.run("outbox", "done", ann, 0, family="a")
    assert q.run("outbox", "get", family="a")[1] == ann, "the note of another change stays"
    q.run("outbox", "done", ann, 1, family="a")
    assert q.run("outbox", "get", family="a") == ["ok"]
    old = (ann, 0, 1, "old", "old@example.com", "admin", "active", 1, "0")
    assert q.run("account_apply", *old) == ["ok"]
    assert q.run("access", *who, "")[4] == "ann"


def test_deleting_an_account_takes_tokens_and_queued_jobs(q):
    ann, who = q.user("ann")
    _, root = q.user("root", role="admin")
    running = q.submit(who)[4]
    ulid, rec = q.claim()
    assert ulid == running
    queued = [q.submit(who)[4] for _ in range(70)]
    assert q.run("user_delete", ann, family="a") == ["ok"]
    assert q.run("user_delete", ann, family="a") == ["USER_NOT_FOUND"]
    assert q.run("account_drop", ann) == ["ok"]
    assert q.run("access", *who, "") == ["TOKEN_INVALID"]
    assert q.job(queued[0], root).state == "cancelled", "reads as cancelled before the reaper has come by"
    assert q.claim(worker="w9") == (None, "NOT_FOUND"), "no queued job starts any more"
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["STALE"], "the running one loses its lease"
    for _ in range(8):
        q.reap()
    states = q.places()
    assert set(states.values()) == {"cancelled"} and len(states) == 71
    assert not list(q.r.scan_iter("p3d:{0}:token:sha-ann")) and not q.r.exists("p3d:{0}:q:%s:%s" % (KIND, ann))
    assert not q.r.exists("p3d:{0}:tombs") and not q.r.hexists("p3d:{0}:vt:" + KIND, ann)
    assert q.run("account_apply", ann, 2, 1, "ann", "a@b.c", "user", "active", 1, "0") == ["USER_NOT_FOUND"]
    assert q.user("ann")[0].startswith("user_"), "the name is free again"


def test_check_binds_one_schema_and_one_store(q):
    assert q.run("check", 1, "store-a", family="a") == ["ok"]
    assert q.run("check", 1, "store-b", family="a")[0] == "CONFIG"
    assert q.run("check", 2, "store-a", family="a")[0] == "CONFIG"
