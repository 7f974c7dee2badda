# SPDX-License-Identifier: MIT
"""Of several faults in one request, the one that the contract names first is told, and no other.

Made from routes.def: what can be wrong with a request of a row, in the contract's order; then every pair of these at
once, and all of them at once, taken away one by one from the front.
"""
import hashlib
import itertools
import json
import time

import pytest

import routes
import shapes
from p3d_test import GATED, P3D, PASSWORD, TINY, Client
from raw_http import Raw
from world import DISABLED, EXPECTED, EXPIRED, FLAT, NO_SUCH_TOKEN, NO_USER, SCOPES, TOKENS, body_of, path_of

BODY_MAX, PLAIN_MAX = 4096, 65536
LIMITS = {"max_body_bytes": BODY_MAX, "max_submit_body_bytes": BODY_MAX, "max_batch_body_bytes": BODY_MAX}
JSON = {"Content-Type": "application/json"}
# In the order in which they are told. Those in one group cannot be in one request.
ORDER = [("size",), ("missing", "garbage"), ("expired",), ("suspended",), ("role",), ("scope",), ("absent", "foreign"),
         ("media",), ("json",), ("field", "query"), ("rule",), ("state",)]
RANK = {fault: at for at, group in enumerate(ORDER) for fault in group}
SAID = {"size": (413, None), "missing": (401, shapes.NO_TOKEN), "garbage": (401, shapes.BAD_TOKEN),
        "expired": (401, EXPIRED), "suspended": (401, DISABLED), "role": (403, shapes.NOT_ADMIN),
        "media": (415, "Content-Type must be application/json"), "json": (422, None), "field": (422, None),
        "query": (422, None)}
SHORT = "Username must be at least 3 characters"
# handler -> what makes its body break a rule (400), and the text
RULES = {"register": ({"username": "a"}, SHORT), "flat_user_put": ({"username": "a"}, SHORT),
         "password_change": ({"new_password": "short"}, "New password must be at least 8 characters"),
         "submit": ({"model": "none"}, None), "submit_feature": ({"model_preference": "none"}, None)}
QUERIES = {"history": "?limit=x", "admin_user_list": "?limit=x", "flat_user_list": "?offset=-1",
           "job_download": "?format=nonsense"}
TAKEN, SELF = "Username or email already exists", "Cannot delete yourself"

every_route = pytest.mark.parametrize("route", routes.ALL, ids=lambda r: "%s %s" % (r.method, r.pattern))


class Setting:
    """Accounts {plain, admin} x {active, suspended}, of each a token {fresh, expired} x {all scopes, all but one}."""

    def __init__(self, p3d):
        self.p3d, self.tokens, self.session = p3d, {}, p3d.client()
        boss = p3d.admin(shapes.unique("boss"))
        self.plain, self.other = p3d.register(shapes.unique("plain")), p3d.register(shapes.unique("other"))
        self.accounts = {("plain", False): self.plain, ("admin", False): p3d.admin(shapes.unique("admin")),
                         ("plain", True): p3d.register(shapes.unique("gone")),
                         ("admin", True): p3d.admin(shapes.unique("gone-admin"))}
        for (role, suspended), account in self.accounts.items():
            scopes = SCOPES if role == "admin" else SCOPES[:-1]
            for expired, lack in itertools.product((False, True), (None,) + SCOPES):
                given = [s for s in scopes if s != lack] if lack else None
                token = self.mint(account, given)
                self.tokens[role, suspended, expired, lack] = token
                if expired:
                    self.expire(token)
            if suspended:
                assert boss.delete(FLAT + account.user["user_id"]).status_code == 204
        p3d.close_gate()
        self.mine, self.foreign = (c.submit("x", model_preference="gated") for c in (self.plain, self.other))

    def mint(self, account, scopes):
        return account.ok("POST", TOKENS, {"token_name": "x", **({"scopes": scopes} if scopes else {})})["token"]

    def expire(self, token):
        with self.p3d.redis() as r:
            key = "p3d:{0}:token:" + hashlib.sha256(token.encode()).hexdigest()
            assert r.hset(key, "expires", int(time.time() * 1000) - 1) == 0

    def faults(self, route):
        """What can be wrong with a request of this row, in order."""
        e, found = EXPECTED[route.handler], {"size"}
        if e.credential != "PUBLIC":
            found |= {"missing", "garbage", "expired", "suspended"}
            found |= {"role"} if e.credential == "ADMIN" else set()
            found |= {"scope"} if e.scope != "NONE" else set()
            found |= {"job": {"absent", "foreign"}, "user": {"absent"}, "self": {"foreign"},
                      "token": {"absent"}}.get(e.whose, set())
            found -= {"foreign"} if e.credential == "ADMIN" else set()  # no job is an administrator's alone
        found |= {"media", "json", "field"} if route.body != "NONE" else set()
        found |= {"rule"} if route.handler in RULES else set()
        found |= {"query"} if route.handler in QUERIES else set()
        found |= {"state"} if self.state(route) else set()
        return sorted(found, key=RANK.get)

    def said(self, route, fault):
        e = EXPECTED[route.handler]
        if fault == "scope":
            return 403, "Missing scope: " + e.scope.lower().replace("_", ":")
        if fault == "absent":
            return 404, {"job": shapes.NO_JOB, "user": NO_USER, "token": NO_SUCH_TOKEN}[e.whose]
        if fault == "foreign":
            return 403, shapes.NOT_YOURS if e.whose == "job" else shapes.NOT_ADMIN
        if fault == "rule":
            return 400, RULES[route.handler][1]
        if fault == "state":
            return self.state(route)[0]
        return SAID[fault]

    def state(self, route):
        """What only the action itself finds out: (answer, what to change in the body, target), or None."""
        taken = {"username": self.other.user["username"]}
        me = self.accounts["admin", False].user["user_id"]
        return {"register": ((400, TAKEN), taken, None), "flat_user_put": ((400, TAKEN), taken, None),
                "login": ((401, "Invalid username or password"), {"password": "another one 5"}, None),
                "password_change": ((400, "Invalid current password"), {"old_password": "another one 5"}, None),
                "job_download": ((400, "Job is not completed yet. Current status: "), {}, self.mine),
                "admin_user_delete": ((400, SELF), {}, me), "flat_user_delete": ((400, SELF), {}, me),
                }.get(route.handler)

    # -- a request with these faults
    def token(self, route, faults):
        e = EXPECTED[route.handler]
        if "missing" in faults or e.credential == "PUBLIC":
            return None
        if "garbage" in faults:
            return "nonsense"
        role = "admin" if e.credential == "ADMIN" and "role" not in faults else "plain"
        lack = e.scope.lower().replace("_", ":") if "scope" in faults else None
        return self.tokens[role, "suspended" in faults, "expired" in faults, lack]

    def target(self, route, faults):
        whose, state = EXPECTED[route.handler].whose, self.state(route)
        if "absent" in faults:
            return {"job": shapes.ABSENT_JOB, "user": shapes.ABSENT_USER, "token": "p3d_0aaaaaaa"}[whose]
        if "foreign" in faults:
            return self.foreign if whose == "job" else self.other.user["user_id"]
        if "state" in faults and state[2]:
            return state[2]
        return {"job": self.mine, "token": self.plain.token[:12], "user": self.other.user["user_id"],
                "self": self.plain.user["user_id"]}.get(whose, "")

    def body(self, route, faults):
        body = body_of(route)
        if body is None:
            return b" " * (PLAIN_MAX + 1) if "size" in faults else None
        for fault, change in (("state", self.state(route)), ("rule", RULES.get(route.handler))):
            if fault in faults:
                body.update(change[1] if fault == "state" else change[0])
        if "field" in faults:
            body["nobody_knows"] = 1
        text = json.dumps(body)[:-1 if "json" in faults else None]
        return (text + " " * (BODY_MAX + 1 if "size" in faults else 0)).encode()

    def ask(self, route, faults, session=None):
        token, body = self.token(route, faults), self.body(route, faults)
        headers = {"Authorization": "Bearer " + token} if token else {}
        if body is not None:
            headers["Content-Type"] = "text/plain" if "media" in faults else "application/json"
        query = QUERIES[route.handler] if "query" in faults else ""
        path = path_of(route, self.target(route, faults)) + query
        return (session or self.session).call(route.method, path, data=body, headers=headers)


@pytest.fixture(scope="module")
def setting():
    config = {"server": LIMITS, "security": {"hash_queue": 200}}
    with P3D(models={"gated": {"script": GATED, "max_workers": 1}, "tiny": TINY}, config=config, default="tiny") as p3d:
        yield Setting(p3d)
        p3d.open_gate()


@pytest.fixture(scope="module")
def simple():
    config = {"server": LIMITS,
              "security": {"user_auth_enabled": False}}
    with P3D(models={"tiny": TINY}, config=config, workers=1) as p3d:
        yield p3d


def check(response, said, faults):
    status, text = said
    assert response.status_code == status, (faults, response.status_code, response.text)
    detail = shapes.error(response, status)
    if text is not None:
        assert detail.startswith(text) if text.endswith(": ") else detail == text, (faults, detail)
    return detail


@every_route
def test_of_two_faults_the_earlier_is_told(setting, route):
    faults = setting.faults(route)
    for one, two in itertools.combinations_with_replacement(faults, 2):
        if one != two and RANK[one] == RANK[two] or "rule" in (one, two) and "state" in (one, two):
            continue  # one request cannot have both
        if (route.handler, one, two) == ("submit_feature", "field", "rule"):
            continue  # which fields there are is said by the model: both are one step
        detail = check(setting.ask(route, {one, two}), setting.said(route, one), (one, two))
        if one == "json":
            assert [fault["type"] for fault in detail] == ["json_invalid"]


@every_route
def test_all_faults_at_once(setting, route):
    """Taken away from the front, one by one."""
    faults = setting.faults(route)
    first = [f for f in faults if not (f == "garbage" or f == "foreign" and "absent" in faults)]
    first = [f for f in first if not (f == "state" and "rule" in faults)]
    first = [f for f in first if not (f == "rule" and route.handler == "submit_feature")]
    for at in range(len(first)):
        check(setting.ask(route, set(first[at:])), setting.said(route, first[at]), first[at:])


# ---- the two that come first

@every_route
def test_the_route_comes_before_everything(setting, route):
    """404 and 405 whoever asks and whatever is sent with it."""
    path, huge = path_of(route, setting.target(route, set())), b"{" * (PLAIN_MAX + 1)
    known = {r.method for r in routes.ALL if r.pattern == path or "{" in route.pattern and is_match(r.pattern, path)}
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Content-Type": "text/plain"}):
        for body in (b"{", huge):
            for method in sorted({"PATCH", "PUT", "DELETE", "POST", "BREW"} - known):
                r = setting.session.call(method, path, data=body, headers=headers)
                shapes.error(r, 405, "Method not allowed")
                allowed = known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
                assert set(r.headers["Allow"].split(", ")) == allowed
            r = setting.session.call(route.method, path.rstrip("/") + "/nothing/at/all", data=body, headers=headers)
            shapes.error(r, 404, "Not Found")


def is_match(pattern, path):
    a, b = pattern.split("/"), path.split("/")
    return len(a) == len(b) and all(x == y or x.startswith("{") and y for x, y in zip(a, b))


@every_route
def test_framing_comes_before_the_credential(setting, simple, route):
    """On a connection that closes then: nobody can tell where the next request begins."""
    for p3d in (setting.p3d, simple):
        path = path_of(route, setting.target(route, set()))
        for lines, body, status in (
                ("Content-Length: 2\r\nContent-Length: 3\r\n", b"{}", 400),
                ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"{}", 400),
                ("Content-Length: two\r\n", b"{}", 400), ("Host: other\r\n", b"", 400),
                ("X-Long: %s\r\n" % ("x" * 70000), b"", 431),
                ("Content-Length: 99999999999999999999\r\n", b"", 413)):
            with Raw(p3d.base) as raw:
                head = "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer nonsense\r\n%s\r\n"
                raw.send((head % (route.method, path, raw.host, lines)).encode() + body)
                answer = raw.response()
                assert answer.status == status, (lines[:40], answer.status, answer.body)
                assert answer.json()["error"] == shapes.CODES[status]
                assert raw.at_end()


@every_route
def test_a_chunked_body_that_is_too_large(setting, route):
    if route.body == "NONE":
        return
    with Raw(setting.p3d.base) as raw:
        raw.request(route.method, path_of(route, setting.target(route, set())), Transfer_Encoding="chunked",
                    Content_Type="text/plain")
        raw.send(b"%x\r\n%s\r\n0\r\n\r\n" % (BODY_MAX + 1, b" " * (BODY_MAX + 1)))
        answer = raw.response()
    assert answer.status == 413, answer.body


@every_route
def test_the_mode_comes_before_the_credential(setting, simple, route):
    if EXPECTED[route.handler].mode != "AUTH":
        return
    nobody = simple.client()
    faults = setting.faults(route)
    for fault in faults:
        want = (413, None) if fault == "size" else (503, shapes.AUTH_OFF)
        check(setting.ask(route, {fault}, nobody), want, fault)
    check(setting.ask(route, set(), nobody), (503, shapes.AUTH_OFF), "none")


# ---- the last ones: idempotency, limits, action

def test_idempotency_comes_behind_validation_and_before_limits(setting):
    p3d, user = setting.p3d, setting.p3d.register(shapes.unique("full"))
    path, body = "/api/v1/mesh-generation", {"prompt": "first", "model_preference": "gated"}
    key = {"Idempotency-Key": shapes.unique("key")}
    with p3d.redis() as r:
        for family in ("{a}:user:", "{0}:u:"):
            r.hset("p3d:" + family + user.user["user_id"], "max_queued_jobs", 1)
    setting.plain.wait(setting.mine, ("processing",))  # so that the next one stays queued
    first = user.post(path, body, headers=key)
    assert first.status_code == 200, first.text
    shapes.error(user.post(path, body), 429)  # the queue is full
    again = user.post(path, body, headers=key)
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (200, first.json(), "true")
    shapes.error(user.post(path, {**body, "prompt": "second"}, headers=key), 409)  # not 429
    shapes.error(user.post(path, {**body, "prompt": ""}, headers=key), 422)
    shapes.error(user.post(path, {**body, "model_preference": "none"}, headers=key), 400)
    shapes.error(user.call("POST", path, data=b"x", headers={**key, "Content-Type": "text/plain"}), 415)
    shapes.error(user.post(path, {**body, "prompt": ""}), 422)  # nor is a bad one told of the limit
    weak = p3d.client(setting.mint(user, ["jobs:read"]))
    shapes.error(weak.post(path, body, headers=key), 403, "Missing scope: jobs:write")
    shapes.error(p3d.client().post(path, body, headers=key), 401, shapes.NO_TOKEN)
    theirs = setting.other.post(path, body, headers=key)  # another's key is another key
    assert theirs.status_code == 200 and theirs.json()["job_id"] != first.json()["job_id"]


def test_what_was_refused_changed_nothing(setting):
    """After all of that: the accounts are as they were, and nobody's password was touched."""
    for account in (setting.plain, setting.other, setting.accounts["admin", False]):
        assert account.ok("GET", "/api/v1/users/me")["user"] == account.user
        body = {"username": account.user["username"], "password": PASSWORD}
        assert setting.session.post("/api/v1/users/login", body).ok
    assert setting.plain.job(setting.mine)["status"] == "processing"
    jobs = setting.plain.ok("GET", "/api/v1/jobs")["jobs"]
    assert [row["job_id"] for row in jobs] == [setting.mine]
