# SPDX-License-Identifier: MIT
"""Who may call what: every row of routes.def x every kind of caller x whose job or account it is.

The rows come from the table that the server is made of; EXPECTED says by hand what each handler is for. A row that
nobody has thought about here fails.
"""
import base64
import os
import zlib

import pytest

import routes
import shapes
from p3d_test import PASSWORD, TINY_GLB, Client

# handler -> (whose: what {…} in the path names, or None; body or None; status of success)
OPEN, TOKEN, ADMIN = "PUBLIC", "TOKEN", "ADMIN"
EXPECTED = {
    "root": (OPEN, None, 200),
    "health": (OPEN, None, 200),
    "ready": (OPEN, None, 200),
    "auth_status": (OPEN, None, 200),
    "features": (OPEN, None, 200),
    "register": (OPEN, None, 200),
    "login": (OPEN, None, 200),
    "models": (TOKEN, None, 200),
    "me": (TOKEN, None, 200),
    "admin_user_list": (ADMIN, None, 200),
    "admin_user_get": (ADMIN, "user", 200),
    "admin_user_delete": (ADMIN, "user", 200),
    "submit": (TOKEN, None, 202),
    "submit_feature": (TOKEN, None, 200),
    "history": (TOKEN, None, 200),
    "queue_stats": (TOKEN, None, 200),
    "job_get": (TOKEN, "job", 200),
    "job_info": (TOKEN, "job", 200),
    "job_download": (TOKEN, "job", 200),
    "job_thumbnail": (TOKEN, "job", 200),
    "job_files": (TOKEN, "job", 200),
    "job_file": (TOKEN, "job", 200),
}
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

every_route = pytest.mark.parametrize("route", routes.ALL, ids=lambda r: "%s %s" % (r.method, r.pattern))


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


@pytest.fixture(scope="module")
def world(p3d):
    """Two users and an administrator with a finished job each."""
    class World:
        owner, other, boss = (p3d.register(shapes.unique(n)) for n in ("owner", "other", "unused"))
    World.boss = p3d.boss
    World.jobs = {name: getattr(World, name).submit("of " + name, model_preference="pictured")
                  for name in ("owner", "other", "boss")}
    for name, job in World.jobs.items():
        assert getattr(World, name).wait(job)["status"] == "completed"
    p3d.register(SIGNER)
    World.forged = forged_token(World.owner.token)
    assert World.forged, "the tokens of this server have another checksum than the contract says"
    return World


SIGNER = shapes.unique("signer")  # logs in again and again


def body_of(route):
    name = shapes.unique("made")
    return {
        "register": {"username": name, "email": name + "@example.com", "password": PASSWORD},
        "login": {"username": SIGNER, "password": PASSWORD},
        "submit": {"feature": "mesh_generation", "inputs": {"prompt": "x"}},
        "submit_feature": {"prompt": "x"},
    }.get(route.handler)


def path_of(route, target):
    return route.pattern.replace("{job_id}", target).replace("{user_id}", target).replace("{name}", "result.glb")


def call(client, route, target="", **kw):
    return client.call(route.method, path_of(route, target), body_of(route), **kw)


def test_every_row_is_expected():
    handlers = {r.handler: r.credential for r in routes.ALL}
    assert {name: row[0] for name, row in EXPECTED.items()} == handlers
    assert len(routes.ALL) == len({(r.method, r.pattern) for r in routes.ALL})


@every_route
def test_without_a_good_credential(p3d, world, route):
    credential, whose, status = EXPECTED[route.handler]
    targets = {"job": [world.jobs["owner"], shapes.ABSENT_JOB, "x"],
               "user": [world.other.user["user_id"], shapes.ABSENT_USER]}.get(whose, [""])
    good = world.owner.token
    changed = good[:-1] + ("A" if good[-1] != "A" else "B")
    swapped = good[:20] + good[21] + good[20] + good[22:]
    cases = [
        ({}, shapes.NO_TOKEN),
        ({"Authorization": "Bearer nonsense"}, shapes.BAD_TOKEN),
        ({"Authorization": "Bearer " + world.forged}, shapes.BAD_TOKEN),
        ({"Authorization": "Bearer " + changed}, shapes.BAD_TOKEN),
        ({"Authorization": "Bearer " + good[:12]}, shapes.BAD_TOKEN),
        ({"Authorization": "Bearer " + good + "A"}, shapes.BAD_TOKEN),
        ({"X-API-Key": "nonsense"}, shapes.BAD_TOKEN),
        ({"Authorization": "Basic cm9vdDpyb290"}, shapes.BAD_SCHEME),
        ({"Authorization": "Token " + good}, shapes.BAD_SCHEME),
        ({"Authorization": good}, shapes.BAD_SCHEME),
        ({"Authorization": "Bearer"}, shapes.BAD_SCHEME),
        ({"Authorization": ""}, None),  # no header or no scheme: both texts say it
    ]
    if swapped != good:
        cases.append(({"Authorization": "Bearer " + swapped}, shapes.BAD_TOKEN))
    nobody = p3d.client()
    for headers, text in cases:
        for target in targets:
            r = call(nobody, route, target, headers=headers)
            if credential == OPEN:
                assert r.status_code == status, (headers, r.text)
            else:
                detail = shapes.error(r, 401, text)
                assert text or detail in (shapes.NO_TOKEN, shapes.BAD_SCHEME)


@every_route
def test_a_token_in_the_url_is_none(p3d, world, route):
    credential, whose, _ = EXPECTED[route.handler]
    target = {"job": world.jobs["owner"], "user": world.other.user["user_id"]}.get(whose, "")
    if credential == OPEN:
        return
    token = world.boss.token
    for name in ("token", "access_token", "api_key", "apikey", "key", "Authorization", "X-API-Key"):
        r = p3d.client().call(route.method, path_of(route, target), body_of(route), params={name: token})
        shapes.error(r, 401, shapes.NO_TOKEN)
    r = p3d.client().call(route.method, path_of(route, target), body_of(route), cookies={"token": token})
    shapes.error(r, 401, shapes.NO_TOKEN)


@every_route
def test_with_a_credential(p3d, world, route):
    """Own: yes. Another's: 403, of administrators yes. Absent: 404. Administrators' routes: 403 for users, always."""
    credential, whose, status = EXPECTED[route.handler]
    if whose is None:
        for client, admin in ((world.owner, False), (world.boss, True)):
            r = call(client, route)
            if credential == ADMIN and not admin:
                shapes.error(r, 403, shapes.NOT_ADMIN)
            else:
                assert r.status_code == status, r.text
    elif whose == "user":
        victim = p3d.register(shapes.unique("victim")).user["user_id"]
        for target in (victim, world.owner.user["user_id"], shapes.ABSENT_USER, "x"):
            shapes.error(call(world.owner, route, target), 403, shapes.NOT_ADMIN)
        assert call(world.boss, route, victim).status_code == status
        shapes.error(call(world.boss, route, shapes.ABSENT_USER), 404, "User not found")
    else:
        jobs = world.jobs
        for client, target, want in [
                (world.owner, jobs["owner"], status), (world.other, jobs["other"], status),
                (world.boss, jobs["boss"], status), (world.boss, jobs["owner"], status),
                (world.owner, jobs["other"], 403), (world.other, jobs["owner"], 403), (world.owner, jobs["boss"], 403),
                (world.owner, shapes.ABSENT_JOB, 404), (world.boss, shapes.ABSENT_JOB, 404),
                (world.owner, "job_abc123", 404), (world.boss, jobs["owner"].lower(), 404)]:
            r = call(client, route, target)
            if want == status:
                assert r.status_code == status, (target, r.text)
            else:
                shapes.error(r, want, {403: shapes.NOT_YOURS, 404: shapes.NO_JOB}[want])
                assert jobs["other"] not in r.text and "of other" not in r.text


@every_route
def test_head_and_wrong_queries_do_not_open_doors(p3d, world, route):
    """What is wrong with a request is told only to those who may be there."""
    credential, whose, _ = EXPECTED[route.handler]
    if whose != "job":
        return
    target = world.jobs["owner"]
    for query in ("?format=nonsense", "?filename=%ff", "?format=base64", "?wait=x"):
        r = world.other.call(route.method, path_of(route, target) + query)
        shapes.error(r, 403, shapes.NOT_YOURS)
        shapes.error(p3d.client().call(route.method, path_of(route, target) + query), 401, shapes.NO_TOKEN)
    r = world.other.call("HEAD", path_of(route, target))
    assert r.status_code == 403 and r.content == b""
    assert p3d.client().call("HEAD", path_of(route, target)).status_code == 401


def test_files_of_a_job_are_only_those(world):
    path = "/api/v1/system/jobs/%s/files/" % world.jobs["owner"]
    assert world.owner.get(path + "result.glb").content == TINY_GLB
    assert world.owner.get(path + "thumbnail.png").headers["Content-Type"] == "image/png"
    for name in ("nothing.glb", "input.json", "..%2fresult.glb", "%2e%2e", "result.glb%00", "%2fetc%2fpasswd", "..",
                 "Result.glb", "result.glb/"):
        shapes.error(world.owner.get(path + name), 404)


def test_two_different_credentials_are_refused(p3d, world):
    both = {"Authorization": "Bearer " + world.owner.token, "X-API-Key": world.other.token}
    assert p3d.client().get("/api/v1/users/me", headers=both).status_code == 401
    same = {"Authorization": "Bearer " + world.owner.token, "X-API-Key": world.owner.token}
    assert p3d.client().get("/api/v1/users/me", headers=same).status_code == 200
    loose = {"authorization": "bearer   " + world.owner.token + " "}  # RFC 9110: the scheme's case is free
    assert p3d.client().get("/api/v1/users/me", headers=loose).status_code == 200


def test_history_shows_only_own_jobs(p3d, world):
    for name in ("owner", "other"):
        client = getattr(world, name)
        page = client.ok("GET", "/api/v1/system/jobs/history?limit=500")
        assert {row["user_id"] for row in page["jobs"]} == {client.user["user_id"]}
        assert page["pagination"]["total"] == len(page["jobs"])
        assert world.jobs[name] in [row["job_id"] for row in page["jobs"]]
    everything = world.boss.ok("GET", "/api/v1/system/jobs/history?limit=500")["jobs"]
    assert set(world.jobs.values()) <= {row["job_id"] for row in everything}
    mine = world.boss.ok("GET", "/api/v1/system/jobs/history?limit=500&user_id=" + world.owner.user["user_id"])
    assert {row["user_id"] for row in mine["jobs"]} == {world.owner.user["user_id"]}
    r = world.other.get("/api/v1/system/jobs/history?user_id=" + world.owner.user["user_id"])
    assert r.status_code == 403 and world.jobs["owner"] not in r.text


def test_the_owner_is_the_tokens_user(world):
    """A user_id in the body is refused, at every depth where a body has fields of ours."""
    me = world.owner.user["user_id"]
    for path, body in (("/api/v1/mesh-generation", {"prompt": "x", "user_id": me}),
                       ("/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "x"}, "user_id": me}),
                       ("/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "x", "user_id": me}})):
        assert [loc[-1] for loc, _ in shapes.faults(world.other.post(path, body))] == ["user_id"]
    job = world.other.submit("plain")
    assert world.other.job(job)["user_id"] == world.other.user["user_id"]


def test_queue_stats_are_of_all(world):
    """The one thing that is not isolated: numbers, and nothing but numbers."""
    mine, all_ = (c.ok("GET", "/api/v1/system/jobs/queue/stats")["data"] for c in (world.other, world.boss))
    assert mine["completed_jobs"] == all_["completed_jobs"] >= 3
    text = str(mine)
    assert "user_" not in text and "job_" not in text


def test_one_connection_many_callers(p3d, world):
    """What one request on a connection may do, the next one on it may not."""
    one = Client(p3d.base)
    path = "/api/v1/system/jobs/" + world.jobs["owner"]
    for _ in range(3):
        for client, status in ((world.owner, 200), (world.other, 403), (world.boss, 200), (None, 401)):
            headers = {"Authorization": "Bearer " + client.token} if client else {}
            assert one.get(path, headers=headers).status_code == status
