# SPDX-License-Identifier: MIT
"""Passwords: attempts and their delays, the audit, the keys of signed URLs, records of another system."""
HOME, OFFICE, STRANGER = "192.0.2.1", "192.0.2.2", "198.51.100.7"


def begin(q, login="ann", address=HOME, free=5):
    return q.run("login_begin", "login", login, address, free)


def fail(q, login="ann", address=HOME, free=5):
    out = begin(q, login, address, free)
    if out[0] == "RATE_LIMITED":
        return out[1]
    uid = out[2] if out[0] == "ok" else ""
    assert q.run("attempt_end", out[1], address, free, "failed", uid, address) == ["ok"]
    return 0


def right(q, login="ann", address=HOME):
    out = begin(q, login, address)
    assert out[0] == "ok", out
    return q.run("login_done", out[1], address, 5, out[2], out[15], address)


def back(q, ms):
    """As if the last failures were so long ago."""
    for key in q.r.scan_iter("p3d:{a}:try:*"):
        if q.r.hexists(key, "last"):
            q.r.hset(key, "last", int(q.r.hget(key, "last")) - ms)


def test_exponential_delay_after_five_failures(q):
    q.user("ann")
    assert [fail(q) for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(12):
        wait = fail(q)
        assert 0 < wait, "the sixth has to wait"
        waits.append(round(wait / 1000))
        back(q, wait + 1)
        assert fail(q) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_a_stranger_locks_nobody_out(q):
    q.user("ann")
    for i in range(40):
        fail(q, address="198.51.100.%d" % i)
    for _ in range(30):
        fail(q, address=STRANGER)
        back(q, 1000000)
    assert fail(q, address=STRANGER) == 0 and fail(q, address=STRANGER) > 800000
    assert fail(q, address=OFFICE) == 0, "one typing error is free"
    assert 0 < fail(q, address=OFFICE) <= 1000, "and the next one waits for a second, not for what others did"
    back(q, 1001)
    assert right(q, address=OFFICE)[0] == "ok"
    assert right(q, address=HOME)[0] == "ok"


def test_a_name_that_many_guess_leaves_each_one_guess(q):
    q.user("ann")
    for i in range(5):
        assert fail(q, address="192.0.2.%d" % (10 + i)) == 0
    fail(q, login="bob", address="192.0.2.98")
    assert fail(q, address="192.0.2.98") == 0, "a failure on another name is none on this one"
    assert 0 < fail(q, address="192.0.2.98") <= 1000
    assert fail(q, address="192.0.2.99") == 0 and fail(q, address="192.0.2.99") > 0
    assert fail(q, address="192.0.2.10") > 0, "who has failed on it already waits"


def test_addresses_are_counted_whatever_the_names(q):
    for i in range(5):
        assert fail(q, login="nobody%d" % i, address=STRANGER) == 0
    assert fail(q, login="nobody9", address=STRANGER) > 0
    q.user("ann")
    assert begin(q, "ann", STRANGER)[0] == "RATE_LIMITED", "a right password waits too"
    back(q, 5000)
    assert right(q, "ann", STRANGER)[0] == "ok"
    assert fail(q, login="nobody10", address=STRANGER) == 0 and fail(q, login="nobody11", address=STRANGER) > 0


def test_a_success_forgives_what_was_failed_on_that_name_only(q):
    q.user("ann")
    q.user("own")
    for _ in range(20):  # an office: people mistype and get in
        assert fail(q, "ann", OFFICE) == 0 and right(q, "ann", OFFICE)[0] == "ok"
    hashed = 0
    for i in range(60):  # guessing, with an account of one's own in between
        hashed += fail(q, "victim%d" % i, STRANGER) == 0
        begin(q, "own", STRANGER)[0] == "ok" and right(q, "own", STRANGER)
    assert hashed <= 5


def test_registrations_are_bounded_and_a_taken_name_costs_no_hash(q):
    q.user("ann")
    register = lambda name, address=HOME: q.run("login_begin", "register", name, address, 5, name + "@example.com")
    assert register("ann") == register("ANN") == ["USER_EXISTS"]
    assert q.run("login_begin", "register", "new", HOME, 5, "Ann@example.com") == ["USER_EXISTS"]
    assert [register("new%d" % i)[0] for i in range(9)] == ["ok"] * 8 + ["RATE_LIMITED"]
    assert begin(q, "ann", HOME)[0] == "RATE_LIMITED", "logins and registrations share the places"
    assert begin(q, "ann", OFFICE)[0] == "ok"
    q.run("attempt_end", "", HOME, 5, "dropped", "", HOME)
    assert register("new9")[0] == "ok"


def test_a_password_set_meanwhile_gives_no_token(q):
    ann, _ = q.user("ann")
    old = begin(q)
    q.run("password_set", ann, "", "new", "0", "operator", "local", "", "", -1)  # tokens are kept
    assert q.run("login_done", old[1], HOME, 5, ann, old[15], HOME) == ["LOGIN_FAILED"]
    assert right(q)[0] == "ok"
    again = begin(q)
    q.run("password_swap", ann, "new", "the same, hashed anew")
    assert q.run("login_done", again[1], HOME, 5, ann, again[15], HOME)[0] == "ok", "a rehash is no new password"


def test_unknown_names_wait_like_known_ones(q):
    q.user("ann")
    for _ in range(5):
        assert fail(q, "ann", HOME) == fail(q, "nobody", OFFICE) == 0
    known, unknown = begin(q, "ann", HOME), begin(q, "nobody", OFFICE)
    assert known[0] == unknown[0] == "RATE_LIMITED" and abs(known[1] - unknown[1]) < 200


def test_case_does_not_make_another_name(q):
    q.user("ann")
    names = ["ann", "ANN", "Ann", "aNN", "anN"]
    assert [fail(q, n) for n in names] == [0] * 5 and fail(q, "AnN") > 0


def test_attempts_under_way_are_bounded(q):
    """Fifty at once would else all begin before the first has failed."""
    q.user("ann")
    begun = [begin(q) for _ in range(50)]
    assert sum(b[0] == "ok" for b in begun) == 8
    assert begun[-1] == ["RATE_LIMITED", 1000]
    assert begin(q, address=OFFICE)[0] == "ok"
    for b in begun[:8]:
        q.run("attempt_end", b[1], HOME, 5, "dropped", "", HOME)
    assert begin(q)[0] == "ok", "what is dropped is no failure"
    for _ in range(7):
        begin(q)
    assert begin(q)[0] == "RATE_LIMITED"
    q.r.hset("p3d:{a}:try:a:" + HOME, "at", int(q.r.time()[0] * 1000) - 31000)
    assert begin(q)[0] == "ok", "a process that died in between holds nobody up for good"


def test_switched_off(q):
    q.user("ann")
    assert [fail(q, free=-1) for _ in range(50)] == [0] * 50
    assert not q.r.keys("p3d:{a}:try:*")


def test_failures_are_told_and_a_success_forgets_them(q):
    ann, _ = q.user("ann")
    fail(q, "ann")
    fail(q, "ANN@example.com", OFFICE)
    assert q.run("user_find", "ann")[13] == 2
    assert right(q)[0] == "ok"
    out = q.run("user_find", "ann")
    assert out[13] == 0 and int(out[8]) > 0, "and the time of the last login is there"


def test_a_clock_set_back_keeps_nobody_waiting_for_hours(q):
    q.user("ann")
    for _ in range(6):
        fail(q)
    back(q, -10 ** 9)
    assert 0 < begin(q)[1] <= 900000


def test_the_audit_tells_who_did_what(q):
    ann, who = q.user("ann")
    root, _ = q.user("root", role="admin")
    fail(q, "ann", STRANGER)
    fail(q, "hunter2", STRANGER)
    right(q)
    q.change(ann, "role", "admin", actor=root)
    q.change(ann, "role", "admin", actor=root)
    q.change(ann, "max_queued_jobs", "7")
    q.run("audit_add", ann, "token_created", ann, HOME, "p3d_0AbC")
    q.run("user_delete", ann, root, OFFICE)
    out = q.run("audit_list", 100, "", "")
    rows = [out[i:i + 7] for i in range(2, len(out), 7)]
    assert out[1] == "" and [r[3] for r in rows] == [
        "deleted", "token_created", "limits_changed", "role_changed", "login", "login_failed", "login_failed", "registered",
        "registered"]
    assert rows[0][2:] == [root, "deleted", ann, OFFICE, ""]
    assert rows[2][2:] == ["operator", "limits_changed", ann, "local", "max_queued_jobs default -> 7"]
    assert rows[3][6] == "user -> admin", "and once only"
    assert rows[5][2:] == ["", "login_failed", "", STRANGER, "unknown user"] and "hunter2" not in str(out)
    assert rows[6][4] == ann
    ids = [r[0] for r in rows]
    assert [int(i) for i in ids] == list(range(9, 0, -1))
    seen, cursor = [], ""
    while True:
        page = q.run("audit_list", 2, cursor, "")
        seen += page[2::7]
        cursor = page[1]
        if not cursor:
            break
    assert seen == ids
    of_root = q.run("audit_list", 100, "", root)
    assert [of_root[i] for i in range(5, len(of_root), 7)] == ["deleted", "role_changed", "registered"]


def test_failures_do_not_push_out_the_rest(q):
    q.user("ann")
    for _ in range(30000):
        q.run("attempt_end", "x", HOME, -1, "failed", "", HOME)
    fail(q, "nobody")
    assert q.r.xlen("p3d:{a}:audit:failed") < 20200 and q.r.xlen("p3d:{a}:audit:self") == 1
    ann = q.run("user_find", "ann")[1]
    root, _ = q.user("root", role="admin")
    q.run("audit_add", ann, "token_created", ann, HOME, "p3d")
    q.run("audit_add", root, "token_created", root, HOME, "p3d")
    q.change(ann, "role", "admin", actor=root)
    assert q.r.xlen("p3d:{a}:audit") == 3 and q.r.xlen("p3d:{a}:audit:self") == 2, "what users do to themselves stands apart"


def test_a_page_for_one_user_loses_nothing_between_the_streams(q):
    ann, _ = q.user("ann")
    attempt = lambda uid: q.run("attempt_end", "x", HOME, -1, "failed", uid, HOME)
    for i in range(4100):
        attempt(ann if i == 50 else "")
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = q.run("audit_list", 100, cursor, ann)
        seen += page[5::7]
        cursor, pages = page[1], pages + 1
    assert seen == ["login_failed", "registered"] and pages > 1


def test_keys_are_made_once_and_rotated_with_an_overlap(q):
    get = lambda secret: q.run("keys", "get", secret)
    first = get("aa")
    assert first[1] == 0 and first[3] == "aa" and first[5] == "0"
    assert get("bb") == first, "the first process decides"
    now = int(q.r.time()[0] * 1000)
    out = q.run("keys", "rotate", "cc", 60000, "operator", "local")
    assert out[3] == "aa" and 74000 < int(out[5]) - now < 76000, "verified until the last URL of it is over"
    assert out[7] == "cc" and 14000 < int(out[8]) - now < 16000 and out[9] == "0", "signs when everybody has seen it"
    q.r.hset("p3d:{a}:keys", "1", "aa 1 2")
    assert get("dd")[2:] == out[6:], "and then it is gone"
    for _ in range(7):
        assert q.run("keys", "rotate", "ee", 60000, "operator", "local")[0] == "ok"
    assert q.run("keys", "rotate", "ff", 60000, "operator", "local") == ["BUSY"]
    out = q.run("keys", "now", "99", 0, "operator", "local")
    assert len(out) == 6 and out[3] == "99" and int(out[4]) <= (q.r.time()[0] + 1) * 1000
    assert q.run("audit_list", 1, "", "")[5] == "keys_rotated"


def test_import(q):
    user = lambda n, name="ann", mail="ann@example.com": q.run("import_user", "user_%016d" % n, name, mail, "h", "user", "active", 5)
    out = user(1)
    assert out[13] == 1 and out[7] == "5" and q.run("account_apply", *out[1:13], "", "0") == ["ok"]
    native, _ = q.user("native")
    assert q.run("import_user", native, "native", "native@example.com", "h", "admin", "active", 0) == ["USER_EXISTS"], \
        "an account that did not come from there is not taken over"
    q.run("user_delete", native, "operator", "local")
    assert q.run("import_user", native, "native", "native@example.com", "h", "admin", "active", 0) == ["USER_NOT_FOUND"]
    assert user(1)[13] == 0 and user(2)[0] == user(2, "other")[0] == user(2, "ANN", "x@y")[0] == "USER_EXISTS"
    owner = out[1]
    assert q.run("keys", "get", "aa")[1] == 0
    number = q.run("token_number", owner, "1")[1]
    assert q.run("keys", "get", "aa")[1] == 1
    token = lambda who=owner: q.run("import_token", who, *q.token("01d", number), 7, 8)
    assert token() == ["ok", 1] and token() == ["ok", 0] and token("user_" + "9" * 16) == ["USER_NOT_FOUND"]
    who = ("t", "01d", "0", "0")
    assert q.run("token_revoke", *who, "01d", "")[0] == "ok" and token() == ["ok", 0], "what was revoked here stays so"
    q.r.srem("p3d:{0}:brought", "01d")
    assert token() == ["ok", 1]
    job = lambda ulid, state, who=owner: q.run("import_job", "01ARZ3NDEKTSV4RRFFQ600%04d" % ulid, "a/b", who, state, 5, 0, 3,
                                               1577836800001, 0, 0, '{"x":1}', '{"y":2}', 0)
    assert job(1, 0) == ["ok", 1] and job(1, 0) == ["ok", 0] and job(2, 2) == ["ok", 1] and job(3, 3, "") == ["ok", 1]
    assert job(4, 0, "user_" + "9" * 16) == ["USER_NOT_FOUND"]
    q.places()
    done = q.job("01ARZ3NDEKTSV4RRFFQ6000002", who)
    assert (done.state, done.spec, done.detail, done.progress) == ("completed", '{"x":1}', '{"y":2}', 10000)
    assert q.job("01ARZ3NDEKTSV4RRFFQ6000003", who) == "JOB_FORBIDDEN", "without owner: the administrators'"
    assert q.claim(kinds=(("a/b", -1),))[0] == "01ARZ3NDEKTSV4RRFFQ6000001"
    out = q.run("password_set", owner, "", "new", "1", "operator", "local", "", "", -1)
    q.run("account_apply", *out[1:13], "", "0")
    assert q.run("import_token", owner, *q.token("01e", 99), 7, 8) == ["CONFLICT"], "older than the password of today"


def test_a_migration_does_not_use_up_the_kinds(q):
    job = lambda i, kind: q.run("import_job", "01ARZ3NDEKTSV4RRFFQ70%05d" % i, kind, "", 2, 5, 0, 3, 1577836800001, 0, 0, "{}", "{}", 0)[0]
    assert [job(i, "old/%d" % i) for i in range(300)] == ["ok"] * 256 + ["BUSY"] * 44
    assert job(400, "old/7") == "ok"
    assert [q.submit(kind="new/%d" % i)[0] for i in range(300)].count("ok") == 511 - 256
    assert int(q.r.hget("p3d:{0}:kinds", "#")) == 511
