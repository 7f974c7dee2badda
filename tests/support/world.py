# SPDX-License-Identifier: MIT
"""What every route is for, by hand; and a server with accounts in every state and jobs of everybody to try them on.

The rows come from the table that the server is made of (routes.py); a handler that is not in EXPECTED fails the tests.
"""
import base64
import collections
import hashlib
import os
import time
import zlib

import shapes
from p3d_test import FAILING, GATED, P3D, PASSWORD, PICTURED, Client

# What a handler is for. whose: what {…} of the path names: a job; an account (administrators' business); "self", an
# account that may do it to itself; a token of the caller's. status: of success.
Expected = collections.namedtuple("Expected", "credential scope mode whose status")


def _open(status=200, mode="ANY"):
    return Expected("PUBLIC", "NONE", mode, None, status)


def _token(scope, whose=None, status=200, mode="ANY", credential="TOKEN"):
    return Expected(credential, scope, mode, whose, status)


def _admin(whose=None, status=200, mode="AUTH"):
    return Expected("ADMIN", "ADMIN", mode, whose, status)


EXPECTED = {
    "root": _open(), "health": _open(), "ready": _open(), "auth_status": _open(), "features": _open(),
    "register": _open(mode="AUTH"), "login": _open(mode="AUTH"),
    "models": _token("NONE"),
    "me": _token("NONE", mode="AUTH"),
    "logout": _token("NONE", mode="AUTH"),
    "password_change": _token("ACCOUNT", mode="AUTH"),
    "token_create": _token("ACCOUNT", mode="AUTH"),
    "token_list": _token("ACCOUNT", mode="AUTH"),
    "token_revoke": _token("ACCOUNT", "token", mode="AUTH"),
    "admin_user_list": _admin(), "admin_user_get": _admin("user"), "admin_user_delete": _admin("user"),
    "flat_me": _token("NONE", mode="AUTH"),
    "flat_user_list": _admin(),
    "flat_user_get": _token("NONE", "self", mode="AUTH"),
    "flat_user_put": _token("ACCOUNT", "self", mode="AUTH"),
    "flat_user_delete": _admin("user", 204),
    "submit": _token("JOBS_WRITE", status=202),
    "submit_feature": _token("JOBS_WRITE"),
    "history": _token("JOBS_READ"), "queue_stats": _token("JOBS_READ"),
    "job_get": _token("JOBS_READ", "job"), "job_info": _token("JOBS_READ", "job"),
    "job_files": _token("JOBS_READ", "job"),
    "job_download": _token("JOBS_READ", "job", credential="URL"),
    "job_thumbnail": _token("JOBS_READ", "job", credential="URL"),
    "job_file": _token("JOBS_READ", "job", credential="URL"),
    "job_logs": _token("JOBS_READ", "job"),
    "job_events": _token("JOBS_READ", "job"), "events": _token("JOBS_READ"),
    "submit_batch": _token("JOBS_WRITE", status=202),
    "job_cancel": _token("JOBS_WRITE", "job", 409),  # they are all final
    "job_retry": _admin("job", 409, "ANY"),  # they are all completed
    "job_delete": _token("JOBS_WRITE", "job", 404),
    "result_delete": _token("JOBS_WRITE", "job", 404),
}
ENDS = ("job_delete", "result_delete")  # whoever may, asks for an absent one here; test_39_delete.py lets them
SCOPES = ("jobs:read", "jobs:write", "files:read", "files:write", "account", "admin")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
API_KEYS = ["first-key-0123456789", "second-key-0123456789"]
MODES = {"auth": {}, "simple": {"P3D_USER_AUTH_ENABLED": "false"},
         "keys": {"P3D_USER_AUTH_ENABLED": "false", "P3D_SECURITY__API_KEY_REQUIRED": "true"},
         "quick": {"P3D_REDIS__TIMEOUT_MS": "500"}}
TOKENS, FLAT = "/api/v1/users/tokens", "/api/users/"
NO_USER, NO_SUCH_TOKEN, BAD_KEY = "User not found", "Token not found", "Invalid API key"
BAD_URL, EXPIRED, DISABLED = "Invalid or expired signature", "Token has expired", "User account is disabled"
SPENDS = ("logout", "password_change", "flat_user_put")  # the account or its token is not the same afterwards

SIGNER = shapes.unique("signer")  # logs in again and again


def forged_token(known):
    """Of the right form, with the right checksum, that nobody was given. None when the checksum is made otherwise."""
    def checksum(text):
        n, out = zlib.crc32(text.encode()), ""
        for _ in range(6):
            n, digit = divmod(n, 62)
            out = BASE62[digit] + out
        return out
    if checksum(known[:-6]) != known[-6:]:
        return None
    body = "p3d_0" + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    return body + checksum(body)


class World:
    """Accounts in every state, jobs in every state and of everybody, and a server over them in any mode."""

    def __init__(self):
        self.p3d = P3D(models={"pictured": PICTURED, "failing": {"script": FAILING, "max_attempts": 1},
                               "gated": {"script": GATED, "max_workers": 1}},
                       config={"security": {"hash_queue": 200, "api_keys": API_KEYS}, "server": {"drain_seconds": 1}},
                       default="pictured", start=False)
        self.now, self.written, self.limited, self.people, self.jobs, self.bad = None, None, {}, {}, {}, {}

    def mode(self, name):
        if self.now == name:
            return self
        if self.now:
            self.p3d.open_gate()  # a stopping worker lets its job finish
            assert self.p3d.stop() == 0
        for variables in MODES.values():
            for variable in variables:
                self.p3d.environment.pop(variable, None)
        self.p3d.environment.update(MODES[name])
        self.p3d.start()
        self.now, self.nobody = name, self.p3d.client()
        return self

    # -- making it
    def populate(self):
        job = self.mode("simple").nobody.submit("canary of nobody")
        self.nobody.wait(job)
        self.jobs["nobody"] = job
        self.mode("auth").p3d.close_gate()
        self.people["boss"] = self.p3d.admin(shapes.unique("boss"))
        for name in ("owner", "other", "suspended", "deleted", "former"):
            self.people[name] = self.p3d.register(shapes.unique(name))
        self.people["late"] = self.p3d.register(shapes.unique("late"))
        for name in ("owner", "other", "boss", "suspended", "deleted"):
            self.jobs[name] = self.people[name].submit("canary of " + name)
        self.jobs["failed"] = self.people["other"].submit("canary failed", model_preference="failing")
        self.jobs["running"] = self.people["other"].submit("canary running", model_preference="gated")
        self.jobs["queued"] = self.people["other"].submit("canary queued", model_preference="gated")
        boss = self.people["boss"]
        for name, job in self.jobs.items():
            boss.wait(job, {"running": ("processing",), "queued": ("queued",)}.get(name, ("completed", "failed")))
        self.created = [boss.job(job)["created_at"] for job in self.jobs.values()]
        self.end_some()
        self.forged = forged_token(self.people["owner"].token)
        assert self.forged, "the tokens of this server have another checksum than the contract says"
        self.words = ["canary", "kiln"] + list(self.jobs.values()) + self.created
        self.words += [p.user[key] for p in self.people.values() for key in ("user_id", "username", "email")]
        return self

    def end_some(self):
        """Credentials that were good once: name -> (token, what is said of it)."""
        people, boss = self.people, self.people["boss"]
        expired, revoked = (self.mint(people["owner"]) for _ in range(2))
        with self.p3d.redis() as r:
            key = "p3d:{0}:token:" + hashlib.sha256(expired.encode()).hexdigest()
            assert r.hexists(key, "expires")
            r.hset(key, "expires", int(time.time() * 1000) - 1)
        people["owner"].ok("DELETE", TOKENS + "/" + revoked)
        old = self.mint(people["former"])
        people["former"].ok("PUT", "/api/v1/users/me/password",
                            {"old_password": PASSWORD, "new_password": "another horse 4"})
        assert boss.delete(FLAT + people["suspended"].user["user_id"]).status_code == 204
        boss.ok("DELETE", "/api/v1/users/admin/users/" + people["deleted"].user["user_id"])
        self.bad = {"expired": (expired, EXPIRED), "revoked": (revoked, shapes.BAD_TOKEN),
                    "of an older password": (old, shapes.BAD_TOKEN),
                    "suspended": (people["suspended"].token, DISABLED),
                    "deleted": (people["deleted"].token, shapes.BAD_TOKEN)}

    def mint(self, person, scopes=None):
        body = {"token_name": "made", **({"scopes": list(scopes)} if scopes else {})}
        return Client.ok(self.p3d.client(person.token), "POST", TOKENS, body)["token"]

    # -- asking
    def ask(self, route, target="", token=None, headers=None, query="", method=None, body=None):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        return self.nobody.call(method or route.method, path_of(route, target) + query, body or body_of(route),
                                headers=headers, stream=route.handler == "events")

    def refused(self, response, status, text):
        """Refused with these words, and nothing of anybody in the answer."""
        detail = shapes.error(response, status, text)
        said = response.text + repr(list(response.headers.items()))
        for word in self.words:
            assert word not in said, (word, said)
        return detail

    def good(self, route, who, scopes=None):
        """What `who` may ask for: (target, token). With a token of these scopes only, when there are any."""
        expected = EXPECTED[route.handler]
        person, key = self.people[who], (who, scopes)
        if route.handler in SPENDS:
            person = self.p3d.register(shapes.unique("spent"))
            token = self.mint(person, scopes) if scopes else person.token
        elif scopes and key not in self.limited:
            token = self.limited[key] = self.mint(person, scopes)
        else:
            token = self.limited[key] if scopes else person.token
        return self.target(expected.whose, route, who, person), token

    def target(self, whose, route, who, person):
        if whose == "job":
            return shapes.ABSENT_JOB if route.handler in ENDS else self.jobs[who]
        if whose == "token":
            return self.mint(person)
        if whose == "user" and route.method == "DELETE":
            return self.p3d.register(shapes.unique("victim")).user["user_id"]
        return person.user["user_id"]


def body_of(route):
    name = shapes.unique("made")
    return {
        "register": {"username": name, "email": name + "@example.com", "password": PASSWORD},
        "login": {"username": SIGNER, "password": PASSWORD},
        "submit": {"feature": "mesh_generation", "inputs": {"prompt": "x"}},
        "submit_feature": {"prompt": "x"},
        "submit_batch": {"jobs": [{"feature": "mesh_generation", "inputs": {"prompt": "x"}}]},
        "password_change": {"old_password": PASSWORD, "new_password": "another horse 4"},
        "token_create": {"token_name": "made", "scopes": ["account"]},
        "flat_user_put": {"username": name},
    }.get(route.handler)


def path_of(route, target):
    path = route.pattern.replace("{name}", "result.glb")
    for parameter in ("{job_id}", "{user_id}", "{token}"):
        path = path.replace(parameter, target)
    assert "{" not in path, path
    return path


def targets_of(world, route):
    """Everything that the path could name, of everybody and of nobody."""
    ids = {name: person.user["user_id"] for name, person in world.people.items()}
    return {"job": [world.jobs["owner"], world.jobs["suspended"], world.jobs["nobody"], shapes.ABSENT_JOB, "x"],
            "user": [ids["other"], ids["deleted"], shapes.ABSENT_USER, "x"],
            "self": [ids["owner"], ids["suspended"], shapes.ABSENT_USER, "x"],
            "token": [world.people["owner"].token[:12], "p3d_0aaaaaaa", "x"]}.get(EXPECTED[route.handler].whose, [""])
