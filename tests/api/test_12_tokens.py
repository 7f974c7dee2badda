# SPDX-License-Identifier: MIT
"""One's own tokens: made, listed, revoked, limited to scopes, and logging out."""
import base64
import datetime
import hashlib
import os

import pytest

import routes
import shapes
from p3d_test import PASSWORD

TOKENS, LOGIN, ME, LOGOUT = ("/api/v1/users/" + p for p in ("tokens", "login", "me", "logout"))
SCOPES = ["jobs:read", "jobs:write", "files:read", "files:write", "account", "admin"]
INFO_KEYS = ["created_at", "expires_at", "is_active", "last_used_at", "name", "scopes", "token_prefix"]
DAY = 86400
REVOKED = {"success": True, "message": "Token revoked successfully"}
ABSENT = "Token not found"
BAD_NAME = "A token is named by all of it or by its first 8 to 12 characters"


def make(client, name="mine", **fields):
    return client.ok("POST", TOKENS, {"token_name": name, **fields})["token"]


def limited(p3d, client, *scopes):
    return p3d.client(make(client, "limited", scopes=list(scopes)))


def revoke(client, name):
    return client.delete(TOKENS + "/" + name)


def rows(client):
    return client.ok("GET", TOKENS)["tokens"]


def names(client):
    return [row["name"] for row in rows(client)]


def row_key(token):
    return "p3d:{0}:token:" + hashlib.sha256(token.encode()).hexdigest()


def parse_time(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp()


def info(value, **expected):
    assert sorted(value) == INFO_KEYS, value
    assert len(value["token_prefix"]) == 15 and value["token_prefix"].endswith("..."), value
    for key in ("created_at", "expires_at", "last_used_at"):
        assert value[key] is None or shapes.NAIVE_TIME.match(value[key]), value
    for key, want in expected.items():
        assert value[key] == want, (key, value)
    return value


# ---- make

def test_make(p3d, ann):
    body = ann.ok("POST", TOKENS, {"token_name": "laptop"})
    assert sorted(body) == ["message", "success", "token", "token_info"]
    assert body["success"] is True and body["message"] == "API token created successfully"
    token = body["token"]
    assert len(token) == 54 and token.startswith("p3d_0")
    made = info(body["token_info"], name="laptop", token_prefix=token[:12] + "...", expires_at=None, last_used_at=None,
                is_active=True, scopes=SCOPES[:-1])
    assert p3d.client(token).ok("GET", ME)["user"] == ann.user
    assert p3d.client().get(ME, headers={"X-API-Key": token}).status_code == 200
    listed = rows(ann)[0]
    assert {**listed, "last_used_at": None} == made


def test_an_administrators_token_may_all(admin):
    body = admin.ok("POST", TOKENS, {"token_name": "all"})
    assert body["token_info"]["scopes"] == SCOPES


@pytest.mark.parametrize("days", [1, 30, 3650])
def test_expiry(ann, days):
    made = ann.ok("POST", TOKENS, {"token_name": "x", "expires_in_days": days})["token_info"]
    assert parse_time(made["expires_at"]) - parse_time(made["created_at"]) == pytest.approx(days * DAY, abs=60)


@pytest.mark.parametrize("name", ["x", "n" * 100, "ä" * 100, "🙂" * 100, "a \"quoted\" <name> \\ /", "  "])
def test_names(ann, name):
    assert ann.ok("POST", TOKENS, {"token_name": name})["token_info"]["name"] == name
    assert names(ann)[0] == name


@pytest.mark.parametrize("change, loc, kind", [
    ({"token_name": None}, "token_name", "string_type"),
    ({"token_name": 7}, "token_name", "string_type"),
    ({"token_name": ""}, "token_name", "string_too_short"),
    ({"token_name": "n" * 101}, "token_name", "string_too_long"),
    ({"token_name": "ä" * 101}, "token_name", "string_too_long"),
    ({"token_name": "🙂" * 101}, "token_name", "string_too_long"),
    ({"token_name": "a\nb"}, "token_name", "string_pattern_mismatch"),
    ({"token_name": "a\x1b[31m"}, "token_name", "string_pattern_mismatch"),
    ({"token_name": "a\x7f"}, "token_name", "string_pattern_mismatch"),
    ({"token_name": "a\x85"}, "token_name", "string_pattern_mismatch"),
    ({"token_name": "a\u2028b"}, "token_name", "string_pattern_mismatch"),
    ({"expires_in_days": 0}, "expires_in_days", "greater_than_equal"),
    ({"expires_in_days": -1}, "expires_in_days", "greater_than_equal"),
    ({"expires_in_days": 3651}, "expires_in_days", "less_than_equal"),
    ({"expires_in_days": "30"}, "expires_in_days", "int_type"),
    ({"expires_in_days": 1.5}, "expires_in_days", "int_type"),
    ({"expires_in_days": True}, "expires_in_days", "int_type"),
    ({"expires_in_days": 2 ** 63}, None, None),
    ({"scopes": []}, "scopes", "too_short"),
    ({"scopes": ["jobs:read", "root"]}, "scopes", "enum"),
    ({"scopes": [""]}, "scopes", "enum"),
    ({"scopes": ["Jobs:Read"]}, "scopes", "enum"),
    ({"scopes": ["jobs:read", 1]}, "scopes", "string_type"),
    ({"scopes": "jobs:read"}, "scopes", "list_type"),
    ({"scopes": {}}, "scopes", "list_type"),
    ({"user_id": "user_0123456789abcdef"}, "user_id", "extra_forbidden"),
    ({"expires_in": 5}, "expires_in", "extra_forbidden"),
])
def test_make_refuses(ann, change, loc, kind):
    r = ann.post(TOKENS, {"token_name": "x", **change})
    if loc is None:
        shapes.faults(r)
    else:
        assert shapes.faults(r) == [(("body", loc), kind)]
    assert len(rows(ann)) == 1


def test_make_needs_a_name_and_a_body(ann):
    assert shapes.faults(ann.post(TOKENS, {})) == [(("body", "token_name"), "missing")]
    assert shapes.faults(ann.call("POST", TOKENS, data=b"")) == [(("body",), "missing")]
    shapes.error(ann.call("POST", TOKENS, data=b"x=1", headers={"Content-Type": "text/plain"}), 415)


def test_null_is_absent(ann):
    made = ann.ok("POST", TOKENS, {"token_name": "x", "expires_in_days": None, "scopes": None})["token_info"]
    assert made["expires_at"] is None and made["scopes"] == SCOPES[:-1]


def test_a_bad_body_is_told_to_no_stranger(p3d, ann):
    shapes.error(p3d.client().post(TOKENS, {}), 401, shapes.NO_TOKEN)
    shapes.error(limited(p3d, ann, "jobs:read").post(TOKENS, {"x": 1}), 403, "Missing scope: account")


def test_duplicate_scopes_and_any_order(ann):
    made = ann.ok("POST", TOKENS, {"token_name": "x", "scopes": ["files:read", "jobs:read", "files:read"]})
    assert made["token_info"]["scopes"] == ["jobs:read", "files:read"]


# ---- list

def test_list(p3d, ann, bob):
    made = [make(ann, "token %d" % i) for i in range(4)]
    make(bob, "of bob")
    body = ann.ok("GET", TOKENS)
    assert sorted(body) == ["success", "tokens", "total_count"]
    assert body["success"] is True and body["total_count"] == 5
    assert [row["name"] for row in body["tokens"]] == \
        ["token 3", "token 2", "token 1", "token 0", "Login token - " + ann.user["username"]]  # newest first
    for row in body["tokens"]:
        info(row, is_active=True)
    assert [row["token_prefix"] for row in body["tokens"][:4]] == [t[:12] + "..." for t in made[::-1]]
    text = ann.get(TOKENS).text
    for token in made + [ann.token]:
        assert token not in text and token[:13] not in text


def test_login_tokens_expire_and_are_capped_made_ones_are_not(p3d, ann):
    name = ann.user["username"]
    made = [make(ann, "kept %d" % i) for i in range(12)]
    logins = [ann.token] + [p3d.client().ok("POST", LOGIN, {"username": name, "password": PASSWORD})["token"]
                            for _ in range(10)]
    assert [p3d.client(t).get(ME).status_code for t in logins] == [401] + [200] * 10
    assert {p3d.client(t).get(ME).status_code for t in made} == {200}
    body = p3d.client(made[0]).ok("GET", TOKENS)
    assert body["total_count"] == 22
    for row in body["tokens"]:
        if row["name"].startswith("Login token - "):
            assert parse_time(row["expires_at"]) - parse_time(row["created_at"]) == pytest.approx(365 * DAY, abs=60)
        else:
            assert row["expires_at"] is None


def test_last_used_is_written_at_most_once_a_minute(p3d, ann):
    token = make(ann)
    client = p3d.client(token)
    assert rows(ann)[0]["last_used_at"] is None
    client.ok("GET", ME)
    first = rows(ann)[0]["last_used_at"]
    assert first is not None
    with p3d.redis() as r:
        used = r.hget(row_key(token), "used")
        for _ in range(5):
            client.ok("GET", ME)
        assert r.hget(row_key(token), "used") == used
        assert rows(ann)[0]["last_used_at"] == first
        r.hset(row_key(token), "used", int(used) - 59000)
        client.ok("GET", ME)
        assert int(r.hget(row_key(token), "used")) == int(used) - 59000
        r.hset(row_key(token), "used", int(used) - 61000)
        client.ok("GET", ME)
        assert int(r.hget(row_key(token), "used")) >= int(used)


# ---- revoke

def test_revoke_by_the_whole(p3d, ann):
    token = make(ann)
    assert revoke(ann, token).json() == REVOKED
    shapes.error(p3d.client(token).get(ME), 401, shapes.BAD_TOKEN)
    shapes.error(revoke(ann, token), 404, ABSENT)
    assert ann.ok("GET", ME)["user"] == ann.user
    assert len(rows(ann)) == 1


@pytest.mark.parametrize("length", range(8, 13))
@pytest.mark.parametrize("dots", ["", "..."])
def test_revoke_by_prefix(p3d, length, dots):
    ann = p3d.register(shapes.unique("prefix"))
    token = make(ann)
    while token[:8] == ann.token[:8]:  # "p3d_0" and three characters: one in 262,144
        token = make(ann)
    assert revoke(ann, token[:length] + dots).json() == REVOKED
    shapes.error(p3d.client(token).get(ME), 401, shapes.BAD_TOKEN)
    shapes.error(revoke(ann, token[:length] + dots), 404, ABSENT)


def test_other_lengths_are_no_names(p3d, ann):
    token = make(ann)
    for length in list(range(1, 8)) + list(range(13, 43)) + list(range(44, 54)):
        shapes.error(revoke(ann, token[:length]), 400, BAD_NAME)
        shapes.error(revoke(ann, token[:length] + "..."), 400, BAD_NAME)
    for odd in (token + "A", token + token, "...", "......", "x" * 128, token[:7] + "%2e%2e%2e"):
        shapes.error(revoke(ann, odd), 400, BAD_NAME)
    shapes.error(revoke(ann, token[:8] + "......"), 404, ABSENT)  # dots are cut off once
    shapes.error(revoke(ann, token[:12] + "*"), 404)  # no such route: not a character of a name
    assert p3d.client(token).get(ME).status_code == 200


def test_a_whole_token_that_is_none(p3d, ann):
    token = make(ann)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    old = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    assert len(old) == 43
    for name in (changed, token[:20] + "." + token[21:], old, "." * 40 + "aaa", changed + "..."):
        shapes.error(revoke(ann, name), 404, ABSENT)
    assert p3d.client(token).get(ME).status_code == 200


def test_a_token_of_the_old_form(p3d, ann):
    """As p3d migrate leaves it: 43 characters without a checksum; named by all of it or by its beginning."""
    old = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    plant(p3d, ann, hashlib.sha256(old.encode()).hexdigest(), old[:12], "old")
    assert rows(ann)[0]["token_prefix"] == old[:12] + "..."
    assert revoke(ann, old).json() == REVOKED
    shapes.error(revoke(ann, old), 404, ABSENT)
    assert "old" not in names(ann)


def plant(p3d, client, sha, prefix, name):
    """A row as token_add.lua writes it, with a prefix of our choice."""
    owner = client.user["user_id"]
    with p3d.redis() as r:
        number = r.incr("p3d:{a}:seq:token")
        gen = r.hget("p3d:{0}:u:" + owner, "gen") or b"0"
        r.hset("p3d:{0}:token:" + sha, mapping={"owner": owner, "prefix": prefix, "name": name, "expires": 0,
                                                "number": number, "created": 1700000000000, "gen": gen})
        r.zadd("p3d:{0}:tokens:" + owner, {sha + ":" + prefix: number})
        r.zadd("p3d:{0}:prefixes:" + owner, {prefix + ":" + sha: 0})


def test_an_ambiguous_prefix(p3d, ann):
    token = make(ann, "first")
    prefix = token[:12]
    other = prefix[:10] + ("AA" if prefix[10:] != "AA" else "BB")
    plant(p3d, ann, hashlib.sha256(b"planted" + os.urandom(8)).hexdigest(), other, "second")
    for length in (8, 9, 10):
        shapes.error(revoke(ann, prefix[:length]), 409, "Several tokens begin like this")
    shapes.error(revoke(ann, prefix[:8] + "..."), 409)
    assert sorted(names(ann))[-2:] == ["first", "second"]
    assert revoke(ann, other).json() == REVOKED
    assert "second" not in names(ann) and "first" in names(ann)
    assert revoke(ann, prefix[:10]).json() == REVOKED  # it is one again
    assert "first" not in names(ann)


def test_equal_whole_prefixes(p3d, ann):
    token = make(ann, "first")
    plant(p3d, ann, hashlib.sha256(b"same" + os.urandom(8)).hexdigest(), token[:12], "second")
    shapes.error(revoke(ann, token[:12]), 409, "Several tokens begin like this")
    assert revoke(ann, token).json() == REVOKED  # all of it names one
    assert revoke(ann, token[:12]).json() == REVOKED
    assert len(rows(ann)) == 1


def test_other_users_tokens(p3d, ann, bob, admin):
    token = make(bob)
    for client in (ann, admin):
        for name in (token, token[:12], token[:8], token[:12] + "..."):
            shapes.error(revoke(client, name), 404, ABSENT)
    assert p3d.client(token).get(ME).status_code == 200
    plant(p3d, ann, hashlib.sha256(b"alike" + os.urandom(8)).hexdigest(), token[:12], "alike")
    assert revoke(ann, token[:12]).json() == REVOKED  # others' make nothing ambiguous
    assert p3d.client(token).get(ME).status_code == 200


def test_a_token_may_revoke_itself(p3d, ann):
    client = p3d.client(make(ann))
    assert revoke(client, client.token[:12]).json() == REVOKED
    shapes.error(client.get(ME), 401, shapes.BAD_TOKEN)
    assert ann.get(ME).status_code == 200


def test_an_expired_token(p3d, ann):
    token = make(ann, "short", expires_in_days=1)
    client = p3d.client(token)
    client.ok("GET", ME)
    with p3d.redis() as r:
        r.hset(row_key(token), "expires", 1700000000000)
    for call in (("GET", ME), ("POST", LOGOUT), ("GET", TOKENS), ("GET", "/api/v1/system/jobs/history")):
        shapes.error(client.call(*call), 401, "Token has expired")
    shapes.error(client.post(TOKENS, {}), 401, "Token has expired")  # before what is wrong with the body
    row = rows(ann)[0]
    assert row["name"] == "short" and row["is_active"] is False
    assert revoke(ann, token[:12]).json() == REVOKED
    shapes.error(client.get(ME), 401, shapes.BAD_TOKEN)


# ---- log out

def test_logout(p3d, ann):
    other = p3d.client(make(ann))
    assert ann.ok("POST", LOGOUT) == {"success": True, "message": "Logged out successfully"}
    shapes.error(ann.get(ME), 401, shapes.BAD_TOKEN)
    shapes.error(ann.post(LOGOUT), 401, shapes.BAD_TOKEN)
    assert other.ok("GET", ME)["user"] == ann.user
    r = p3d.client().post(LOGOUT, headers={"X-API-Key": other.token})
    assert r.status_code == 200 and other.get(ME).status_code == 401


def test_logout_with_any_body_and_scope(p3d, ann):
    client = limited(p3d, ann, "jobs:read")
    r = client.call("POST", LOGOUT, data=b"ignored", headers={"Content-Type": "text/plain"})
    assert r.status_code == 200 and client.get(ME).status_code == 401
    shapes.error(p3d.client().post(LOGOUT), 401, shapes.NO_TOKEN)


# ---- scopes

def in_path(pattern, user_id):
    return (pattern.replace("{user_id}", user_id).replace("{job_id}", shapes.ABSENT_JOB)
            .replace("{name}", "result.glb").replace("{token}", "p3d_0aaa"))


GUARDED = [r for r in routes.ALL if r.scope != "NONE"]
FREE = [r for r in routes.ALL if r.scope == "NONE" and r.credential == "TOKEN"]


@pytest.fixture(scope="module")
def keys(p3d):
    """Of one user and one administrator: a token with each scope alone, and one with all but it."""
    class Keys:
        user, boss = p3d.register(shapes.unique("scoped")), p3d.admin(shapes.unique("boss"))
        only, but = {}, {}
    for scope in SCOPES:
        owner = Keys.boss if scope == "admin" else Keys.user
        Keys.only[scope] = limited(p3d, owner, scope)
        Keys.but[scope] = limited(p3d, owner, *(s for s in SCOPES if s not in (scope, "admin")))
    return Keys


@pytest.mark.parametrize("route", GUARDED, ids=lambda r: "%s %s" % (r.method, r.pattern))
def test_each_route_and_its_scope(p3d, keys, route):
    scope = route.scope.lower().replace("_", ":")
    path = in_path(route.pattern, shapes.ABSENT_USER)
    refused, allowed = (k[scope].call(route.method, path, stream=route.handler == "events") for k in (keys.but, keys.only))
    shapes.error(refused, 403, "Missing scope: " + scope)
    if allowed.status_code == 403:  # /api/users/{id} of another
        assert allowed.json()["detail"] == shapes.NOT_ADMIN
    else:
        assert allowed.status_code in (200, 202, 404, 422)
    allowed.close()  # an event stream has no end


@pytest.mark.parametrize("route", [r for r in FREE if r.handler != "logout"],
                         ids=lambda r: "%s %s" % (r.method, r.pattern))
def test_routes_without_a_scope(keys, route):
    path = in_path(route.pattern, keys.user.user["user_id"])
    for scope in SCOPES[:-1]:
        assert keys.only[scope].call(route.method, path).status_code == 200


def test_a_limited_token_works_within_its_scopes(p3d, ann):
    writer, reader = limited(p3d, ann, "jobs:write"), limited(p3d, ann, "jobs:read")
    job = writer.submit("x", model_preference="tiny")
    assert reader.wait(job)["status"] == "completed"
    shapes.error(reader.post("/api/v1/mesh-generation", {"prompt": "x"}), 403, "Missing scope: jobs:write")
    shapes.error(reader.get(TOKENS), 403, "Missing scope: account")


def test_a_mint_never_exceeds_its_token(p3d, ann, admin):
    some = limited(p3d, ann, "account", "jobs:read", "files:write")
    less = some.ok("POST", TOKENS, {"token_name": "x", "scopes": ["jobs:read"]})
    assert less["token_info"]["scopes"] == ["jobs:read"]
    for wanted, missing in ((["jobs:write"], "jobs:write"), (["jobs:read", "files:read"], "files:read"),
                            (["files:read", "jobs:write"], "jobs:write"), (["admin"], "admin"), (None, "jobs:write")):
        body = {"token_name": "more"}
        if wanted:
            body["scopes"] = wanted
        shapes.error(some.post(TOKENS, body), 403, "Missing scope: " + missing)
    shapes.error(ann.post(TOKENS, {"token_name": "more", "scopes": ["admin"]}), 403, "Missing scope: admin")
    shapes.error(ann.post(TOKENS, {"token_name": "more", "scopes": SCOPES}), 403, "Missing scope: admin")
    boss = limited(p3d, admin, "account")
    shapes.error(boss.post(TOKENS, {"token_name": "more", "scopes": ["admin"]}), 403, "Missing scope: admin")
    shapes.error(boss.post(TOKENS, {"token_name": "more"}), 403, "Missing scope: jobs:read")
    assert "more" not in names(ann) + names(admin)


def test_an_administrators_limited_token_has_no_power(p3d, admin, ann):
    job = ann.submit("of ann", model_preference="tiny")
    ann.wait(job)
    weak = limited(p3d, admin, "jobs:read", "jobs:write", "account")
    strong = limited(p3d, admin, "jobs:read", "admin")
    path = "/api/v1/system/jobs/"
    shapes.error(weak.get(path + job), 403, shapes.NOT_YOURS)
    shapes.error(weak.get(path + job + "/download"), 403, shapes.NOT_YOURS)
    assert ann.user["user_id"] not in {row["user_id"] for row in weak.ok("GET", path + "history?limit=500")["jobs"]}
    assert weak.get(path + "history?user_id=" + ann.user["user_id"]).status_code == 403
    for call in (("GET", "/api/v1/users/admin/users"), ("DELETE", "/api/v1/users/admin/users/" + ann.user["user_id"]),
                 ("GET", "/api/users"), ("DELETE", "/api/users/" + ann.user["user_id"])):
        shapes.error(weak.call(*call), 403, "Missing scope: admin")
    shapes.error(weak.get("/api/users/" + ann.user["user_id"]), 403, shapes.NOT_ADMIN)
    assert strong.ok("GET", path + job)["user_id"] == ann.user["user_id"]
    assert strong.ok("GET", "/api/v1/users/admin/users?limit=1")["count"] == 1
    assert strong.ok("GET", "/api/users/" + ann.user["user_id"])["user_id"] == ann.user["user_id"]
    assert ann.get(ME).status_code == 200


def test_the_mint_of_a_revoked_token(p3d, ann):
    client = p3d.client(make(ann))
    assert revoke(ann, client.token).status_code == 200
    shapes.error(client.post(TOKENS, {"token_name": "late"}), 401, shapes.BAD_TOKEN)
    assert "late" not in names(ann)


def test_many_tokens(p3d, ann):
    """The list has an end, the number of all is told, and each can still be revoked."""
    for i in range(1005):
        plant(p3d, ann, hashlib.sha256(b"%d" % i + ann.token.encode()).hexdigest(), "p3d_0%07d" % i, "planted %d" % i)
    body = ann.ok("GET", TOKENS)
    assert body["total_count"] == 1006 and len(body["tokens"]) == 1000
    assert [row["name"] for row in body["tokens"][:2]] == ["planted 1004", "planted 1003"]
    assert revoke(ann, "p3d_00000000").json() == REVOKED
    shapes.error(revoke(ann, "p3d_000000"), 409, "Several tokens begin like this")
    assert ann.ok("GET", TOKENS)["total_count"] == 1005
