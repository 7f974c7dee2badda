# SPDX-License-Identifier: MIT
"""Accounts: uniqueness, tokens, the way of a change into the work family, deletion."""
from conftest import KIND


def test_names_are_unique_without_regard_to_case(q):
    assert q.user("ann")[0].startswith("user_")
    assert q.user("ANN")[0] == "USER_EXISTS"
    add = lambda uid, name, mail: q.run("user_add", "user_" + uid * 16, name, mail, "h", "user", "", "", "local")
    assert add("f", "other", "ANN@example.com") == ["USER_EXISTS"]
    assert add("e", "aNN", "new@example.com") == ["USER_EXISTS"]
    bob, _ = q.user("bob")
    assert q.change(bob, "username", "AnN") == ["USER_EXISTS"]
    assert q.run("user_find", "bob")[1] == bob, "nothing was changed"
    assert q.change(bob, "username", "BOB")[3] == "BOB", "one's own in another case"
    assert q.change(bob, "username", "carl")[0] == "ok"
    assert q.user("bob")[0] == "USER_EXISTS", "the email still is"
    assert add("d", "bob", "new@example.com")[0] == "ok", "the old name is free"


def test_find_list_and_swap(q):
    ann, _ = q.user("Ann")
    bob, _ = q.user("bob")
    for name in ("ann", "ANN", "Ann@Example.com", ann, "1"):
        assert q.run("user_find", name)[1] == ann
    assert q.run("user_find", bob)[3] == "bob"
    for name in ("nobody", "", "0", "99", "user_" + "9" * 16, "x@y"):
        assert q.run("user_find", name) == ["USER_NOT_FOUND"]
    for shape in ("user_" + "9" * 16, "12345"):
        uid, _ = q.user(shape)
        assert q.run("user_find", shape) == ["USER_NOT_FOUND"], "what looks like an id is not looked up as a name"
        assert q.run("user_find", shape + "@example.com")[1] == uid
        q.run("user_delete", uid, "operator", "local")
    out = q.run("user_list", 10, 0)
    assert out[1] == 2 and {out[2], out[14]} == {ann, bob}
    assert q.run("user_list", 1, 1)[2:3] in ([ann], [bob])
    assert q.run("password_swap", ann, "hash", "new") == ["ok"]
    assert q.run("password_swap", ann, "hash", "newer") == ["CONFLICT"]


def test_access_refusals_in_their_order(q):
    ann, who = q.user("ann")
    root, admin = q.user("root", role="admin")
    check = lambda w: q.run("access", *w, "")[0]
    assert check(who) == "ok" and q.run("access", *who, "")[5] == "ann"
    assert check(("t", "unknown", "0", "0")) == "TOKEN_INVALID"
    assert check(("t", who[1], "0", "1")) == "ADMIN_REQUIRED" and check(("t", admin[1], "0", "1")) == "ok"
    q.r.hset("p3d:{0}:token:" + who[1], "scopes", "1")
    assert check(("t", who[1], "1", "0")) == "ok" and check(("t", who[1], "2", "0")) == "SCOPE_MISSING"
    q.r.hset("p3d:{0}:token:" + who[1], "expires", "1000")
    assert check(who) == "TOKEN_EXPIRED"
    q.r.hset("p3d:{0}:token:" + who[1], "expires", "0")
    q.change(ann, "status", "suspended")
    assert check(who) == "USER_DISABLED"
    q.change(ann, "status", "active")
    assert check(who) == "ok"


def test_an_administrators_limited_token_has_no_power_without_the_scope(q):
    _, who = q.user("ann")
    _, root = q.user("root", role="admin")
    job = q.submit(who)[4]
    assert q.job(job, root).owner
    q.r.hset("p3d:{0}:token:" + root[1], "scopes", "1")
    assert q.job(job, root) == "JOB_FORBIDDEN"
    assert q.run("access", root[0], root[1], "32", "1", "")[0] == "SCOPE_MISSING"
    assert q.run("access", root[0], root[1], "1", "1", "")[0] == "ADMIN_REQUIRED"
    q.r.hset("p3d:{0}:token:" + root[1], "scopes", "33")
    assert q.job(job, root).owner and q.run("access", root[0], root[1], "32", "1", "")[0] == "ok"
    q.r.hset("p3d:{0}:token:" + who[1], "scopes", "63")
    assert q.run("access", who[0], who[1], "32", "0", "")[0] == "SCOPE_MISSING", "the scope alone gives a user nothing"


def test_a_signed_url_ends_with_its_user_and_its_time(q):
    ann, who = q.user("ann")
    bob, other = q.user("bob")
    root, _ = q.user("root", role="admin")
    job = q.submit(who)[4]
    now = int(q.r.time()[0])
    url = lambda user, end=now + 60: ("u", "%s %d" % (user, end), "1", "0")
    assert q.job(job, url(ann)).owner == ann and q.job(job, url(root)).owner == ann
    assert q.job(job, url(bob)) == "JOB_FORBIDDEN"
    for bad in (url(ann, now - 1), url(ann, now), url("user_" + "9" * 16), ("u", ann, "1", "0"), ("u", "", "1", "0"),
                ("u", ann + " x", "1", "0")):
        assert q.job(job, bad) == "SIGNATURE_INVALID", bad
    assert q.run("access", "u", url(ann)[1], "2", "0", "")[0] == "SCOPE_MISSING", "it reads, and nothing else"
    q.change(ann, "status", "suspended")
    assert q.job(job, url(ann)) == "SIGNATURE_INVALID"
    q.change(ann, "status", "active")
    assert q.job(job, url(ann)).owner == ann
    q.run("user_delete", ann, "operator", "local")
    q.run("account_drop", ann)
    assert q.job(job, url(ann)) == "SIGNATURE_INVALID"
    assert q.run("access", "u", "- %d" % (now + 60), "1", "0", "")[0] == "ok", "simple mode: nobody's"
    assert q.run("access", "u", "- %d" % (now - 60), "1", "0", "")[0] == "SIGNATURE_INVALID"


def test_last_use_is_written_once_a_minute(q):
    _, who = q.user("ann")
    key = "p3d:{0}:token:" + who[1]
    q.run("access", *who, "")
    first = q.r.hget(key, "used")
    q.run("access", *who, "")
    assert first and q.r.hget(key, "used") == first
    q.r.hset(key, "used", int(first) - 61000)
    q.run("access", *who, "")
    assert int(q.r.hget(key, "used")) >= int(first)


SYSTEM = ("s", "", "0", "0")


def add(q, who, sha, number, scopes=0, owner="", gen="", login=0, prefix="p3d_0AbCdEfG"):
    return q.run("token_add", *who, owner, gen, *q.token(sha, number, scopes, login, prefix=prefix))


def alive(q, sha):
    return q.run("access", "t", sha, "0", "0", "")[0] == "ok"


def test_login_tokens_are_capped(q):
    ann, first = q.user("ann")
    for i in range(12):
        assert add(q, SYSTEM, "cafe%d" % i, 100 + i, owner=ann, gen="0", login=10)[0] == "ok"
    assert add(q, first, "made", 200)[0] == "TOKEN_INVALID", "the token of the registration has gone"
    assert [i for i in range(12) if alive(q, "cafe%d" % i)] == list(range(2, 12)), "the newest ten"
    assert q.r.zcard("p3d:{0}:tokens:" + ann) == q.r.zcard("p3d:{0}:prefixes:" + ann) == 10
    for i in range(20):
        assert add(q, ("t", "cafe11", "0", "0"), "aaa%d" % i, 300 + i)[0] == "ok"
    assert q.r.zcard("p3d:{0}:tokens:" + ann) == 30, "those that are made on purpose are not pruned"


def test_a_token_mints_only_what_it_may(q):
    ann, who = q.user("ann")
    root, admin = q.user("root", role="admin")
    assert add(q, who, "1", 10, scopes=3)[3] == 3
    limited = ("t", "1", "0", "0")
    assert add(q, limited, "2", 11, scopes=1)[3] == 1
    assert add(q, limited, "3", 12, scopes=7) == ["SCOPE_MISSING", ann, "0", 4]
    assert add(q, limited, "4", 13)[0] == "SCOPE_MISSING", "all, by leaving them out"
    assert add(q, who, "5", 14)[3] == 31 and add(q, admin, "6", 15)[3] == 63
    assert add(q, who, "7", 16, scopes=33) == ["SCOPE_MISSING", ann, "0", 32], "a user has no administrator's scope"
    root2 = q.run("token_list", *who, 1000, 0)
    assert root2[3] == 4
    assert add(q, who, "8", 17, scopes=31)[0] == "ok" and add(q, ("t", "8", "0", "0"), "9", 18)[3] == 31
    q.change(ann, "role", "admin")
    assert not q.run("access", "t", "9", "32", "1", "")[0] == "ok", "a child of a limited token stays limited"
    assert q.run("access", *who[:2], "32", "1", "")[0] == "ok"
    q.change(ann, "role", "user")
    assert [alive(q, x) for x in "1234567"] == [True, True, False, False, True, True, False]


def test_tokens_are_listed_and_revoked_by_their_owner_only(q):
    ann, who = q.user("ann")
    _, other = q.user("bob")
    for i, prefix in enumerate(["p3d_0AAAAAAA", "p3d_0AAAAAAB", "p3d_0BBBBBBB"]):
        assert add(q, who, "%da" % i, 50 + i, prefix=prefix)[0] == "ok"
    out = q.run("token_list", *who, 1000, 0)
    assert out[3] == 4 and [out[i] for i in range(5, len(out), 7)] == ["52", "51", "50", "1"], "newest first"
    assert {out[i] for i in range(8, len(out), 7)} == {31}, "what they may in effect: she is no administrator"
    revoke = lambda w, sha="", prefix="": q.run("token_revoke", *w, sha, prefix)[0]
    assert revoke(other, "0a") == revoke(other, prefix="p3d_0AAAAAAA") == "TOKEN_NOT_FOUND" and alive(q, "0a")
    assert revoke(who, prefix="p3d_0AAA") == "TOKEN_AMBIGUOUS" and alive(q, "0a")
    assert revoke(who, prefix="p3d_0AAAAAAA") == "ok" and not alive(q, "0a")
    assert revoke(who, prefix="p3d_0AAA") == "ok" and not alive(q, "1a") and alive(q, "2a")
    assert revoke(who, prefix="p3d_0AAA") == "TOKEN_NOT_FOUND" and revoke(who, "0a") == "TOKEN_NOT_FOUND"
    q.r.delete("p3d:{0}:token:2a")  # as its end of life does
    assert revoke(who, prefix="p3d_0BBB") == "TOKEN_NOT_FOUND"
    assert q.run("token_list", *who, 1000, 0)[3] == 1
    assert revoke(who, who[1]) == "ok" and not alive(q, who[1])
    assert q.r.keys("p3d:{0}:tokens:" + ann) == q.r.keys("p3d:{0}:prefixes:" + ann) == []


def test_a_new_generation_ends_all_tokens_but_one(q):
    ann, who = q.user("ann")
    for i in range(100):
        assert add(q, who, "%da" % i, 50 + i)[0] == "ok"
    old = q.run("login_begin", "login", "ann", "192.0.2.1", 5)
    swap = lambda was, new, revoke="1": q.run("password_set", ann, was, new, revoke, ann, "192.0.2.1", "", "", -1)
    assert swap("other", "new") == ["CONFLICT"] and alive(q, "1a")
    out = swap("hash", "new", "0")
    q.run("account_apply", *out[1:13], who[1], "0")
    assert alive(q, "1a"), "tokens may be kept"
    out = swap("new", "newer")
    assert q.run("account_apply", *out[1:13], who[1], "0") == ["ok"]
    assert alive(q, who[1]) and not any(alive(q, "%da" % i) for i in range(100))
    assert q.run("token_list", *who, 1000, 0)[3] == 1, "nothing of them is shown"
    assert q.run("account_apply", *out[1:13], "", "0") == ["ok"] and alive(q, who[1]), "the note again: no change"
    # What was under way with the old password ends in nothing.
    assert q.run("login_done", old[1], "192.0.2.1", 5, ann, old[15], "192.0.2.1") == ["LOGIN_FAILED"]
    assert add(q, SYSTEM, "late", 900, owner=ann, gen="0")[0] == "LOGIN_FAILED" and not alive(q, "late")
    assert add(q, SYSTEM, "0ff", 901, owner=ann, gen="1")[0] == "ok" and alive(q, "0ff")
    for _ in range(4):
        q.reap()
    left = sorted(k.decode().rsplit(":", 1)[1] for k in q.r.scan_iter("p3d:{0}:token:*"))
    assert left == sorted([who[1], "0ff"]) and not q.r.keys("p3d:{0}:grave*")


def test_a_deleted_account_takes_its_buried_tokens_along(q):
    ann, who = q.user("ann")
    add(q, who, "1a", 50)
    out = q.run("password_set", ann, "", "new", "1", "operator", "local", "", "", -1)
    q.run("account_apply", *out[1:13], "", "0")
    assert not alive(q, who[1])
    q.run("user_delete", ann, "operator", "local")
    q.run("account_drop", ann)
    for _ in range(6):
        q.reap()
    assert not list(q.r.scan_iter("p3d:{0}:token:*")) and not q.r.keys("p3d:{0}:grave*")


def test_versions_never_go_back_and_the_outbox_replays(q):
    ann, who = q.user("ann")
    assert q.r.zcard("p3d:{a}:outbox") == 0
    out = q.run("user_change", ann, "operator", "local", "username", "anna")
    q.r.zadd("p3d:{a}:outbox", {ann: 1})
    row = q.run("outbox", "get")
    assert row[1:13] == out[1:13] and row[3] == "anna" and row[12] == "2"
    assert q.run("outbox", "get") == ["ok"], "offered again in two seconds, not at once"
    q.run("outbox", "done", ann, 0)
    q.r.zadd("p3d:{a}:outbox", {ann: 1})
    assert q.run("outbox", "get")[1] == ann, "the note of another change stays"
    assert q.run("account_apply", *row[1:13], "", "0") == ["ok"]
    q.run("outbox", "done", ann, 2)
    assert q.r.zcard("p3d:{a}:outbox") == 0
    old = row[1:3] + ["old", "old@example.com", "admin", "active", 1, "", "", "", "", 1]
    assert q.run("account_apply", *old, "", "0") == ["ok"]
    assert q.run("access", *who, "")[5] == "anna"


def test_deleting_an_account_takes_tokens_and_queued_jobs(q):
    ann, who = q.user("ann")
    _, root = q.user("root", role="admin")
    running = q.submit(who)[4]
    ulid, rec = q.claim()
    assert ulid == running
    queued = [q.submit(who)[4] for _ in range(70)]
    assert q.run("user_delete", ann, "operator", "local") == ["ok"]
    assert q.run("user_delete", ann, "operator", "local") == ["USER_NOT_FOUND"]
    assert q.run("account_drop", ann) == ["ok"]
    assert q.run("access", *who, "") == ["TOKEN_INVALID"]
    assert q.job(queued[0], root).state == "cancelled", "reads as cancelled before the reaper has come by"
    assert q.claim(worker="w9") == (None, "NOT_FOUND"), "no queued job starts any more"
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["STALE"], "the running one loses its lease"
    for _ in range(8):
        q.reap()
    states = q.places()
    assert set(states.values()) == {"cancelled"} and len(states) == 71
    assert not list(q.r.scan_iter("p3d:{0}:token:5adann")) and not q.r.exists("p3d:{0}:q:%s:%s" % (KIND, ann))
    assert not q.r.exists("p3d:{0}:tombs") and not q.r.hexists("p3d:{0}:vt:" + KIND, ann)
    assert q.run("account_apply", ann, 1, "ann", "a@b.c", "user", "active", 1, "", "", "", "", 2, "", "0") == ["USER_NOT_FOUND"]
    assert q.user("ann")[0].startswith("user_"), "the name is free again"


def test_check_binds_one_schema_and_one_store(q):
    assert q.run("check", 1, "store-a") == ["ok"]
    assert q.run("check", 1, "store-b")[0] == "CONFIG"
    assert q.run("check", 2, "store-a")[0] == "CONFIG"


def test_a_token_reads_what_it_submitted_whatever_its_scopes(q):
    ann, who = q.user("ann")
    q.user("bob")
    for sha, number, scopes in (("1", 50, 2), ("2", 51, 2), ("3", 52, 16)):
        assert add(q, who, sha, number, scopes=scopes)[0] == "ok"
    token = lambda sha, need=1: ("t", sha, str(need), "0")
    mine, hers, bobs = q.submit(token("1", 2))[4], q.submit(who)[4], q.submit(("t", "5adbob", "2", "0"))[4]
    assert q.job(mine, token("1")).owner == ann and q.job(mine, who).token == 50
    assert q.run("access", *token("1"), mine)[0] == "ok"
    for job in (hers, bobs, "01ARZ3NDEKTSV4RRFFQ699999X"):
        assert q.job(job, token("1")) == "SCOPE_MISSING" and q.run("access", *token("1"), job)[0] == "SCOPE_MISSING"
    assert q.job(mine, token("2")) == q.job(mine, token("3")) == "SCOPE_MISSING", "another token of hers did not submit it"
    assert q.run("history", *token("1"), 10, 0, 0, "", "", 0, 0, "", "")[0] == "SCOPE_MISSING"
    assert q.submit(token("3", 2))[0] == "SCOPE_MISSING"


def test_nothing_of_tokens_that_are_over_is_kept(q):
    ann, who = q.user("ann")
    for i in range(50):
        add(q, who, "%da" % i, 50 + i)
    for i in range(50):
        q.r.delete("p3d:{0}:token:%da" % i)  # as their end of life does
    size = lambda: [q.r.zcard("p3d:{0}:%s:%s" % (k, ann)) for k in ("tokens", "prefixes")]
    assert size() == [51, 51]
    for i in range(10):
        add(q, who, "%db" % i, 200 + i)
    assert size()[0] < 51, "each new one buries some"
    assert q.run("token_list", *who, 5, 0)[3] >= 11 and q.run("token_list", *who, 1000, 0)[3] == 11
    assert size() == [11, 11]
    page = q.run("token_list", *who, 3, 2)
    assert [page[i] for i in range(5, len(page), 7)] == ["207", "206", "205"] and page[3] == 11


def test_notes_that_go_wrong_do_not_hold_up_the_others(q):
    users = [q.user("u%d" % i)[0] for i in range(20)]
    for uid in users:
        q.r.zadd("p3d:{a}:outbox", {uid: 1})
    first, second = q.run("outbox", "get")[1::12], q.run("outbox", "get")[1::12]
    assert len(first) == 16 and set(first) | set(second) == set(users)
