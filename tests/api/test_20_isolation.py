# SPDX-License-Identifier: MIT
"""Who may call what: every row of routes.def x every kind of caller x whose job or account it is.

The rows come from the table that the server is made of; EXPECTED says by hand what each handler is for. A row that
nobody has thought about here fails. One folder for all of it: the server is started again in another mode, with the
same accounts and jobs.
"""
import concurrent.futures
import os
import signal
import time

import pytest

import routes
import shapes
from p3d_test import PASSWORD, TINY_GLB, Client, until
from raw_http import Raw
from test_45_signed_urls import changed, sign
from world import (API_KEYS, BAD_KEY, BAD_URL, DISABLED, ENDS, EXPECTED, EXPIRED, NO_SUCH_TOKEN, NO_USER, SCOPES, SIGNER,
                   World, body_of, path_of, targets_of)

every_route = pytest.mark.parametrize("route", routes.ALL, ids=lambda r: "%s %s" % (r.method, r.pattern))


@pytest.fixture(scope="module")
def everything():
    made = World()
    with made.p3d:
        yield made.populate()
        made.p3d.open_gate()


@pytest.fixture
def world(everything):
    return everything.mode("auth")


@pytest.fixture(scope="module", autouse=True)
def signer(everything):
    everything.mode("auth").p3d.register(SIGNER)


def test_every_row_is_expected():
    found = {(r.handler, r.credential, r.scope, r.mode) for r in routes.ALL}
    assert found == {(name, e.credential, e.scope, e.mode) for name, e in EXPECTED.items()}
    assert len(routes.ALL) == len({(r.method, r.pattern) for r in routes.ALL})
    for r in routes.ALL:
        whose = {"{job_id}": "job", "{token}": "token", "{user_id}": ("user", "self")}
        names = [want for mark, want in whose.items() if mark in r.pattern]
        assert (EXPECTED[r.handler].whose in names[0]) if names else EXPECTED[r.handler].whose is None


@every_route
def test_without_a_good_credential(world, route):
    expected, good = EXPECTED[route.handler], world.people["owner"].token
    swapped = good[:20] + good[21] + good[20] + good[22:]
    bearer = [("nonsense", shapes.BAD_TOKEN), (world.forged, shapes.BAD_TOKEN),
              (good[:-1] + ("A" if good[-1] != "A" else "B"), shapes.BAD_TOKEN), (good[:12], shapes.BAD_TOKEN),
              (good + "A", shapes.BAD_TOKEN), (good[5:48], shapes.BAD_TOKEN)] + list(world.bad.values())
    if swapped != good:
        bearer.append((swapped, shapes.BAD_TOKEN))
    cases = [({}, shapes.NO_TOKEN), ({"X-API-Key": "nonsense"}, shapes.BAD_TOKEN)]
    cases += [({"Authorization": "Bearer " + token}, text) for token, text in bearer]
    cases += [({"X-API-Key": token}, text) for token, text in world.bad.values()]
    cases += [({"Authorization": value}, shapes.BAD_SCHEME)
              for value in ("Basic cm9vdDpyb290", "Token " + good, good, "Bearer")]
    cases += [({"Authorization": ""}, None)]  # no header or no scheme: both texts say it
    cases += [({"X-Admin-API-Key": good}, shapes.NO_TOKEN)]  # no key of anything here
    for headers, text in cases:
        for target in targets_of(world, route):
            r = world.ask(route, target, headers=headers)
            if expected.credential == "PUBLIC":
                assert r.status_code == expected.status, (headers, r.text)
            else:
                detail = world.refused(r, 401, text)
                assert text or detail in (shapes.NO_TOKEN, shapes.BAD_SCHEME)


@every_route
def test_a_token_in_the_url_is_none(world, route):
    if EXPECTED[route.handler].credential == "PUBLIC":
        return
    target, token = targets_of(world, route)[0], world.people["boss"].token
    for name in ("token", "access_token", "api_key", "apikey", "key", "Authorization", "X-API-Key", "authorization"):
        world.refused(world.ask(route, target, query="?%s=%s" % (name, token)), 401, shapes.NO_TOKEN)
    world.refused(world.ask(route, target, headers={"Cookie": "token=" + token}), 401, shapes.NO_TOKEN)


@every_route
def test_each_scope_alone_and_all_but_it(world, route):
    """The row's scope is enough and is needed, whatever the others are."""
    expected = EXPECTED[route.handler]
    if expected.credential == "PUBLIC":
        return
    who, mine = ("boss", SCOPES) if expected.credential == "ADMIN" else ("owner", SCOPES[:-1])
    need = None if expected.scope == "NONE" else expected.scope.lower().replace("_", ":")
    cases = [(scope,) for scope in mine] + ([tuple(s for s in mine if s != need)] if need else [mine])
    for scopes in cases:
        if route.handler == "logout":
            world.limited.pop((who, scopes), None)
        target, token = world.good(route, who, scopes)
        r = world.ask(route, target, token)
        if need is None or need in scopes:
            assert r.status_code == expected.status, (scopes, r.text)
        else:
            world.refused(r, 403, "Missing scope: " + need)


@every_route
def test_what_one_may_submit_one_may_read(world, route):
    """A token with jobs:write alone reads what it submitted itself, and learns nothing of anything else."""
    expected, need = EXPECTED[route.handler], "Missing scope: jobs:read"
    if expected.scope != "JOBS_READ":
        return
    if not world.written:
        token = world.mint(world.people["owner"], ("jobs:write",))
        job = world.p3d.client(token).submit("canary written")
        world.people["boss"].wait(job)
        world.written = token, job
    writer, job = world.written
    if expected.whose != "job":
        world.refused(world.ask(route, "", writer), 403, need)
        return
    assert world.ask(route, job, writer).status_code == expected.status
    for target in (world.jobs["owner"], world.jobs["other"], world.jobs["nobody"], shapes.ABSENT_JOB):
        world.refused(world.ask(route, target, writer), 403, need)
    for scopes in (("jobs:write",), ("account", "files:read")):
        world.refused(world.ask(route, job, world.good(route, "owner", scopes)[1]), 403, need)
    for who, status in (("owner", expected.status), ("boss", expected.status), ("other", 403)):
        assert world.ask(route, job, world.people[who].token).status_code == status


@every_route
def test_whose_it_is(world, route):
    """Own: yes. Another's or nobody's: 403, of administrators yes. Absent: 404. Administrators' routes: 403, always."""
    expected = EXPECTED[route.handler]
    judge = {None: whose_nothing, "job": whose_job, "user": whose_user, "self": whose_self, "token": whose_token}
    if expected.credential != "PUBLIC":
        judge[expected.whose](world, route, expected)
    for person in ("owner", "other"):  # after all of that
        client = world.people[person]
        world.nobody.ok("GET", "/api/v1/users/me", headers={"Authorization": "Bearer " + client.token})


def whose_nothing(world, route, expected):
    for who in ("owner", "boss"):
        target, token = world.good(route, who)
        if route.handler == "logout":
            token = world.mint(world.people[who])
        r = world.ask(route, target, token)
        if expected.credential == "ADMIN" and who == "owner":
            world.refused(r, 403, shapes.NOT_ADMIN)
        else:
            assert r.status_code == expected.status, r.text


def whose_user(world, route, expected):
    target, boss = world.good(route, "boss")
    for one in (target, world.people["owner"].user["user_id"], shapes.ABSENT_USER, "x"):
        world.refused(world.ask(route, one, world.people["owner"].token), 403, shapes.NOT_ADMIN)
    assert world.ask(route, target, boss).status_code == expected.status
    for absent in (shapes.ABSENT_USER, "x", world.people["deleted"].user["user_id"]):
        world.refused(world.ask(route, absent, boss), 404, NO_USER)


def whose_self(world, route, expected):
    mine, token = world.good(route, "owner")
    for one in (world.people["other"].user["user_id"], world.people["boss"].user["user_id"], shapes.ABSENT_USER, "x"):
        world.refused(world.ask(route, one, token), 403, shapes.NOT_ADMIN)
    world.refused(world.ask(route, mine, world.people["other"].token), 403, shapes.NOT_ADMIN)
    weak = world.mint(world.people["boss"], ("account",))
    world.refused(world.ask(route, mine, weak), 403, shapes.NOT_ADMIN)
    assert world.ask(route, mine, token).status_code == expected.status
    boss = world.people["boss"].token
    assert world.ask(route, mine, boss).status_code == expected.status
    for absent in (shapes.ABSENT_USER, "x"):
        world.refused(world.ask(route, absent, boss), 404, NO_USER)


def whose_token(world, route, expected):
    people = world.people
    others = people["other"].token
    for name in (others, others[:12], people["boss"].token, world.bad["expired"][0] + "x"):
        text, status = (NO_SUCH_TOKEN, 404) if len(name) in (12, 54) else (None, 400)
        world.refused(world.ask(route, name, people["owner"].token), status, text)
    world.refused(world.ask(route, people["owner"].token, people["boss"].token), 404, NO_SUCH_TOKEN)
    target, token = world.good(route, "owner")
    world.refused(world.ask(route, target, people["other"].token), 404, NO_SUCH_TOKEN)
    assert world.ask(route, target, token).status_code == expected.status


def whose_admins_job(world, route, expected):
    jobs, boss = world.jobs, world.people["boss"].token
    for target in (jobs["owner"], jobs["nobody"], jobs["suspended"], shapes.ABSENT_JOB, "x"):
        world.refused(world.ask(route, target, world.people["owner"].token), 403, shapes.NOT_ADMIN)
    for who in ("owner", "boss", "nobody", "suspended", "deleted"):
        assert world.ask(route, jobs[who], boss).status_code == expected.status, who
    for absent in (shapes.ABSENT_JOB, "job_abc123", "job_1" + jobs["owner"][5:], "x"):
        world.refused(world.ask(route, absent, boss), 404, shapes.NO_JOB)


def whose_job(world, route, expected):
    if expected.credential == "ADMIN":
        whose_admins_job(world, route, expected)
        return
    jobs, people = world.jobs, world.people
    weak = world.mint(people["boss"], ("jobs:read", "jobs:write"))
    mine = [(people[who].token, jobs[who]) for who in ("owner", "other", "boss")]
    mine += [(people["boss"].token, jobs[who]) for who in ("owner", "nobody", "suspended", "deleted")]
    mine += [(weak, jobs["boss"])]
    for token, target in mine if route.handler not in ENDS else []:
        assert world.ask(route, target, token).status_code == expected.status, target
    for who in ("owner", "other", "boss"):
        foreign = [job for name, job in jobs.items() if name not in (who, "failed", "running", "queued")]
        foreign += [jobs[name] for name in ("failed", "running", "queued") if who != "other"]
        for target in foreign:  # the state of it makes no difference
            token = weak if who == "boss" else people[who].token
            world.refused(world.ask(route, target, token), 403, shapes.NOT_YOURS)
        own = jobs[who]
        for absent in (shapes.ABSENT_JOB, "job_abc123", own.lower(), "job_1" + own[5:], own + "A", "x"):
            world.refused(world.ask(route, absent, people[who].token), 404, shapes.NO_JOB)


@every_route
def test_signed_urls(world, route):
    expected, jobs = EXPECTED[route.handler], world.jobs
    ids = {name: person.user["user_id"] for name, person in world.people.items()}
    if expected.credential == "PUBLIC":
        return

    def signed(target, who, **kw):
        url = sign(world.p3d, path_of(route, target), ids.get(who, who), **kw)
        return url[len(world.p3d.base):]

    def fetch(url, headers=None):
        return world.nobody.call(route.method, url, body_of(route), headers=headers)
    target = targets_of(world, route)[0]
    if expected.credential != "URL":
        for who in ("owner", "boss"):
            for method in ("GET", route.method):
                world.refused(fetch(signed(target, who, method=method)), 401, shapes.NO_TOKEN)
        return
    for who, whose in (("owner", "owner"), ("boss", "owner"), ("boss", "nobody"), ("boss", "deleted"),
                       ("other", "other")):
        assert fetch(signed(jobs[whose], who)).status_code == expected.status, (who, whose)
    for who, whose in (("other", "owner"), ("owner", "other"), ("owner", "nobody"), ("owner", "deleted"),
                       ("other", "boss"), ("owner", "queued"), ("owner", "failed")):
        world.refused(fetch(signed(jobs[whose], who)), 403, shapes.NOT_YOURS)
    for absent in (shapes.ABSENT_JOB, "x"):
        world.refused(fetch(signed(absent, "owner")), 404, shapes.NO_JOB)
    url = signed(target, "owner")
    at, last = url.index("sig=") + 4, "0" if url[-1] != "0" else "1"
    owners, others = (path_of(route, jobs[name]) for name in ("owner", "other"))
    wrong = [url[:-1] + last, url[:-1], url + "0", url[:at] + ids["boss"][5:] + url[at + 16:],
             url[:at] + "0" * 16 + url[at + 16:], url.replace(owners, others), url.split("&")[0],
             url.replace("exp=", "exp=1"), url.replace("exp=", "exp=0"), url.replace("sig=", "sig=A"),
             url + "&" + url.split("?")[1],
             changed(url, sig=url[at:].upper()), signed(target, "owner", exp=int(time.time()) - 1),
             signed(target, "owner", method="POST"), signed(target, "owner", key=b"\0" * 32), signed(target, None),
             signed(target, "suspended"), signed(jobs["suspended"], "suspended"), signed(jobs["deleted"], "deleted"),
             signed(target, shapes.ABSENT_USER)]
    for one in wrong:
        world.refused(fetch(one), 401, BAD_URL)
    for headers, status, text in (({"Authorization": "Bearer " + world.people["other"].token}, 403, shapes.NOT_YOURS),
                                  ({"Authorization": "Bearer " + world.bad["expired"][0]}, 401, EXPIRED),
                                  ({"X-API-Key": "nonsense"}, 401, shapes.BAD_TOKEN),
                                  ({"Authorization": "Basic x"}, 401, shapes.BAD_SCHEME)):
        world.refused(fetch(url, headers), status, text)  # a credential in a header decides


@every_route
def test_head_and_wrong_queries_do_not_open_doors(world, route):
    """What is wrong with a request is told only to those who may be there."""
    if EXPECTED[route.handler].whose != "job":
        return
    target, stranger = world.jobs["owner"], world.people["other"].token
    no = shapes.NOT_ADMIN if EXPECTED[route.handler].credential == "ADMIN" else shapes.NOT_YOURS
    for query in ("?format=nonsense", "?filename=%ff", "?format=base64", "?wait=x"):
        world.refused(world.ask(route, target, stranger, query=query), 403, no)
        world.refused(world.ask(route, target, query=query), 401, shapes.NO_TOKEN)
    if route.method != "GET":
        return
    r = world.ask(route, target, stranger, method="HEAD")
    assert r.status_code == 403 and r.content == b""
    assert world.ask(route, target, method="HEAD").status_code == 401


# ---- what the table does not say

def test_files_of_a_job_are_only_those(world):
    path, owner = "/api/v1/system/jobs/%s/files/" % world.jobs["owner"], world.p3d.client(world.people["owner"].token)
    assert owner.get(path + "result.glb").content == TINY_GLB
    assert owner.get(path + "thumbnail.png").headers["Content-Type"] == "image/png"
    for name in ("nothing.glb", "input.json", "..%2fresult.glb", "%2e%2e", "result.glb%00", "%2fetc%2fpasswd", "..",
                 "Result.glb", "result.glb/"):
        shapes.error(owner.get(path + name), 404)


def test_two_different_credentials_are_refused(world):
    owner, other = (world.people[name].token for name in ("owner", "other"))
    both = {"Authorization": "Bearer " + owner, "X-API-Key": other}
    assert world.nobody.get("/api/v1/users/me", headers=both).status_code == 401
    same = {"Authorization": "Bearer " + owner, "X-API-Key": owner}
    assert world.nobody.get("/api/v1/users/me", headers=same).status_code == 200
    loose = {"authorization": "bearer   " + owner + " "}  # RFC 9110: the scheme's case is free
    assert world.nobody.get("/api/v1/users/me", headers=loose).status_code == 200


def test_a_credential_twice_is_none(world):
    """Proxies differ about which of two headers counts."""
    good, other = ("Bearer " + world.people[name].token for name in ("owner", "other"))
    for name, values in (("Authorization", (good, good)), ("Authorization", (other, good)),
                         ("X-API-Key", (good[7:],) * 2), ("Authorization", (good, "Bearer nonsense")),
                         ("Authorization", ("", good))):
        with Raw(world.p3d.base) as raw:
            lines = "".join("%s: %s\r\n" % (name, value) for value in values)
            raw.send(("GET /api/v1/users/me HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (raw.host, lines)).encode())
            answer = raw.response()
        assert (answer.status, answer.json()["detail"]) == (401, shapes.BAD_SCHEME), values


def test_history_shows_only_own_jobs(world):
    path = "/api/v1/system/jobs/history?limit=500"
    clients = {name: world.p3d.client(person.token) for name, person in world.people.items()}
    ids = {name: person.user["user_id"] for name, person in world.people.items()}
    for name in ("owner", "other"):
        for filters in ("", "&status=completed", "&feature=mesh_generation", "&offset=0", "&start_date=2020-01-01"):
            page = clients[name].ok("GET", path + filters)
            assert {row["user_id"] for row in page["jobs"]} == {ids[name]}
            assert page["pagination"]["total"] == len(page["jobs"])
            assert world.jobs[name] in [row["job_id"] for row in page["jobs"]]
    everything = clients["boss"].ok("GET", path)["jobs"]
    assert set(world.jobs.values()) <= {row["job_id"] for row in everything}
    mine = clients["boss"].ok("GET", path + "&user_id=" + ids["owner"])
    assert {row["user_id"] for row in mine["jobs"]} == {ids["owner"]}
    world.refused(clients["other"].get(path + "&user_id=" + ids["owner"]), 403, None)
    # A place in another's history is no way in.
    cursor = clients["boss"].ok("GET", "/api/v1/system/jobs/history?limit=1")["pagination"]["next_cursor"]
    for row in clients["owner"].ok("GET", path + "&cursor=" + cursor)["jobs"]:
        assert row["user_id"] == ids["owner"]


def test_the_owner_is_the_tokens_user(world):
    """A user_id in the body is refused, at every depth where a body has fields of ours."""
    me, other = world.people["owner"].user["user_id"], world.p3d.client(world.people["other"].token)
    for path, body in (("/api/v1/mesh-generation", {"prompt": "x", "user_id": me}),
                       ("/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "x"}, "user_id": me}),
                       ("/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "x", "user_id": me}})):
        assert [loc[-1] for loc, _ in shapes.faults(other.post(path, body))] == ["user_id"]
    job = other.submit("plain")
    assert other.job(job)["user_id"] == world.people["other"].user["user_id"]


def test_queue_stats_are_of_all(world):
    """The one thing that is not isolated: numbers, and nothing but numbers."""
    clients = [world.p3d.client(world.people[name].token) for name in ("other", "boss")]

    def settled():
        mine, all_ = (c.ok("GET", "/api/v1/system/jobs/queue/stats")["data"] for c in clients)
        return mine["completed_jobs"] == all_["completed_jobs"] >= 3 and mine
    text = str(until(settled, what="the same numbers"))
    assert "user_" not in text and "job_" not in text


def test_one_connection_many_callers(world):
    """What one request on a connection may do, the next one on it may not."""
    one, people = Client(world.p3d.base), world.people
    path = "/api/v1/system/jobs/" + world.jobs["owner"]
    signed = sign(world.p3d, path + "/download", people["owner"].user["user_id"])[len(world.p3d.base):]
    for _ in range(3):
        for who, status in (("owner", 200), ("other", 403), ("boss", 200), (None, 401), ("suspended", 401),
                            ("url", 200)):
            if who == "url":
                assert one.get(signed).status_code == 200
                continue
            headers = {"Authorization": "Bearer " + people[who].token} if who else {}
            for tail in ("", "/download"):
                assert one.get(path + tail, headers=headers).status_code == status


def test_nothing_was_changed_by_anybody_else(world):
    for name in ("owner", "other", "boss"):
        client, user = world.p3d.client(world.people[name].token), world.people[name].user
        assert client.ok("GET", "/api/v1/users/me")["user"] == user
        assert client.job(world.jobs[name])["inputs"]["prompt"] == "canary of " + name
        assert world.nobody.post("/api/v1/users/login", {"username": user["username"], "password": PASSWORD}).ok


# ---- the store is away

@pytest.mark.parametrize("how", ["it hangs", "it is gone"])
def test_without_redis_nobody_is_judged(everything, how):
    """503 for the good and the expired alike: never 401, never 200. Nothing is guessed."""
    world = everything.mode("quick")
    spent = {r: world.mint(world.people["late"]) for r in ("logout", "token_revoke")}
    calls, ids = [], {name: person.user["user_id"] for name, person in world.people.items()}
    for route in routes.ALL:
        expected = EXPECTED[route.handler]
        if expected.credential == "PUBLIC":
            continue
        target = {"job": world.jobs["owner"], "user": shapes.ABSENT_USER, "self": ids["late"],
                  "token": spent["token_revoke"]}.get(expected.whose, "")
        who = "boss" if expected.credential == "ADMIN" else "late" if expected.mode == "AUTH" else "owner"
        good = spent["logout"] if route.handler == "logout" else world.people[who].token
        for token in (good, world.forged, world.bad["expired"][0], world.bad["suspended"][0]):
            calls.append((route, target, token, ""))
        if expected.credential == "URL":
            url = sign(world.p3d, path_of(route, target), ids["owner"])
            calls.append((route, target, None, url[url.index("?"):]))
    redis, supervisor = world.p3d.pid("redis"), world.p3d.process.pid
    if how == "it hangs":
        os.kill(redis, signal.SIGSTOP)
    else:
        os.kill(supervisor, signal.SIGSTOP)  # else it would start another at once
        os.kill(redis, signal.SIGKILL)
    try:
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda c: Client(world.p3d.base).call(
                c[0].method, path_of(c[0], c[1]) + c[3], body_of(c[0]),
                headers={"Authorization": "Bearer " + c[2]} if c[2] else {}), calls))
        garbage = world.nobody.get("/api/v1/users/me", headers={"Authorization": "Bearer nonsense"})
        public = [world.ask(r, "") for r in routes.ALL if r.handler in ("root", "health", "auth_status", "features")]
    finally:
        os.kill(redis if how == "it hangs" else supervisor, signal.SIGCONT)
    for (route, _, _, _), r in zip(calls, answers):
        world.refused(r, 503, shapes.AUTH_DOWN if route.mode == "AUTH" else None)
    assert len(answers) > 120
    world.refused(garbage, 401, shapes.BAD_TOKEN)  # seen without asking anybody
    assert [r.status_code for r in public] == [200] * len(public)
    path = "/api/v1/system/jobs/" + world.jobs["owner"]
    header = {"Authorization": "Bearer " + world.people["owner"].token}
    until(lambda: world.nobody.get(path, headers=header).status_code == 200, 30, "an answer again")


# ---- simple mode

def simple_target(world, route):
    return {"job": world.target("job", route, "owner", None), "user": shapes.ABSENT_USER, "self": world.people["owner"].user["user_id"],
            "token": "p3d_0aaaaaaa"}.get(EXPECTED[route.handler].whose, "")


@every_route
def test_simple_mode(everything, route):
    """Everybody may do everything with every job; there are no accounts, whatever is shown."""
    world, expected = everything.mode("simple"), EXPECTED[route.handler]
    target, people = simple_target(world, route), world.people
    shown = [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}, {"X-API-Key": "nonsense"}]
    shown += [{"Authorization": "Bearer " + token} for token in (people["boss"].token, world.bad["suspended"][0])]
    for headers in shown:
        r = world.ask(route, target, headers=headers)
        if expected.mode == "AUTH":
            world.refused(r, 503, shapes.AUTH_OFF)
        else:
            assert r.status_code == expected.status, r.text
    if expected.whose == "job":
        for name in ("owner", "other", "nobody", "deleted") if route.handler not in ENDS else ():
            assert world.ask(route, world.jobs[name]).status_code == expected.status
        world.refused(world.ask(route, shapes.ABSENT_JOB), 404, shapes.NO_JOB)
    if expected.credential == "URL":  # what needs no credential ignores it
        good = sign(world.p3d, path_of(route, target), None)
        query = good[good.index("?"):]
        for one in (query, query[:-1], "?exp=1&sig=" + "0" * 80, "?sig=x"):
            assert world.ask(route, target, query=one).status_code == expected.status


@every_route
def test_simple_mode_with_keys(everything, route):
    world, expected = everything.mode("keys"), EXPECTED[route.handler]
    target, boss = simple_target(world, route), world.people["boss"].token
    wrong = [{}, {"X-API-Key": "nonsense"}, {"X-API-Key": API_KEYS[0][:-1]}, {"X-API-Key": API_KEYS[0] + "x"},
             {"Authorization": "Bearer " + boss}, {"Authorization": API_KEYS[0]},
             {"Authorization": "Basic " + API_KEYS[0]},
             {"X-API-Key": API_KEYS[0], "Authorization": "Bearer " + API_KEYS[1]}]
    right = [{"X-API-Key": API_KEYS[0]}, {"Authorization": "Bearer " + API_KEYS[1]}]
    for headers in wrong + right:
        r = world.ask(route, target, headers=headers)
        if expected.mode == "AUTH":
            world.refused(r, 503, shapes.AUTH_OFF)
        elif expected.credential == "PUBLIC" or headers in right:
            assert r.status_code == expected.status, (headers, r.text)
        else:
            world.refused(r, 401, BAD_KEY)
    if expected.mode == "AUTH" or expected.credential == "PUBLIC":
        return
    for name in ("api_key", "X-API-Key", "token"):
        world.refused(world.ask(route, target, query="?%s=%s" % (name, API_KEYS[0])), 401, BAD_KEY)
    good = sign(world.p3d, path_of(route, target), None)
    users = sign(world.p3d, path_of(route, target), world.people["owner"].user["user_id"])
    query = good[good.index("?"):]
    if expected.credential != "URL":
        world.refused(world.ask(route, target, query=query), 401, BAD_KEY)
        return
    assert world.ask(route, target, query=query).status_code == expected.status
    for one in (query[:-1] + ("0" if query[-1] != "0" else "1"), users[users.index("?"):],
                query.replace("exp=", "exp=1")):
        world.refused(world.ask(route, target, query=one), 401, BAD_URL)
    world.refused(world.ask(route, target, query=query, headers={"X-API-Key": "nonsense"}), 401, BAD_KEY)
