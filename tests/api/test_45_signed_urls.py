# SPDX-License-Identifier: MIT
"""Signed URLs: what they open, for how long, and nothing else.

One server of two processes at debug level for all tests that need none of their own; at its end its log is searched for
every signature that was ever seen. `sign` is the contract's arithmetic made a second time, from both halves of the key.
"""
import hashlib
import hmac
import os
import re
import signal
import time

import pytest

import shapes
from p3d_test import P3D, PICTURED, TINY, TINY_GLB, Client, until
from raw_http import Raw

JOBS = "/api/v1/system/jobs/"
BAD = "Invalid or expired signature"
SIGNED = re.compile(r"^(?P<base>http://[^/]+)?(?P<path>/[^?]+)\?(?:format=base64&)?"
                    r"exp=(?P<exp>\d+)&sig=(?P<sig>[0-9a-f]{80})$")
PNG = b"\x89PNG\r\n\x1a\n"
seen = set()  # every signature that came in a body


@pytest.fixture(scope="module")
def server():
    with P3D(models={"pictured": PICTURED, "tiny": TINY}, processes=2,
             config={"logging": {"level": "debug"}}) as p3d:
        p3d.boss = p3d.admin()
        yield p3d
        log = p3d.log()
        assert "path_route" in log and " debug " in log and seen
        assert "sig=" not in log and "exp=" not in log
        for sig in seen:
            assert sig not in log and sig[16:] not in log


class Made:
    """A user with a finished job."""

    def __init__(self, p3d, name, model="pictured"):
        self.p3d, self.user = p3d, p3d.register(shapes.unique(name))
        self.job = self.user.submit("of " + name, model_preference=model)
        assert self.user.wait(self.job)["status"] == "completed"
        self.url = self.user.job(self.job)["mesh_url"]
        note(self.url)


@pytest.fixture(scope="module")
def ann(server):
    return Made(server, "ann")


@pytest.fixture(scope="module")
def bob(server):
    return Made(server, "bob")


def note(url):
    match = SIGNED.match(url)
    assert match, url
    seen.add(match["sig"])
    return match


def fetch(url, method="GET", base=None, **kw):
    """As a viewer does: no header of ours, a connection of its own."""
    base = "" if url.startswith("http") else base
    client = Client(base)
    try:
        return client.call(method, url, **kw)
    finally:
        client.session.close()
        Client.open[base].remove(client)


def changed(url, **parts):
    """The same URL with another path, exp or sig."""
    match = SIGNED.match(url)
    new = {**match.groupdict(), **parts}
    return "%s%s?exp=%s&sig=%s" % (new["base"] or "", new["path"], new["exp"], new["sig"])


def raw(p3d, target):
    """The answer to a target that no library has touched."""
    with Raw(p3d.base) as connection:
        return connection.request("GET", target).response()


def halves(p3d):
    """The newest half in Redis and the one in the artifact store."""
    keys = p3d.redis().hgetall("p3d:{a}:keys")
    newest = keys[max(keys, key=int)].split()[0]
    with open(os.path.join(p3d.data, "jobs", ".store-key"), "rb") as f:
        return bytes.fromhex(newest.decode()), f.read()


def sign(p3d, path, user_id=None, exp=None, method="GET", key=None):
    redis_half, store_half = halves(p3d)
    key = key or hmac.new(store_half, redis_half, hashlib.sha256).digest()
    exp = int(time.time()) + 600 if exp is None else exp
    who = user_id[len("user_"):] if user_id else "0" * 16
    text = "%s\n%s\n%d\n%s\n" % (method, path, exp, who)
    return "%s%s?exp=%d&sig=%s%s" % (p3d.base, path, exp, who, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())


def urls_of(value):
    """Every URL in a body, with the path of keys that leads to it."""
    if isinstance(value, dict):
        return [(k + "." + where, url) for k, v in value.items() for where, url in urls_of(v)]
    if isinstance(value, list):
        return [("[]." + where, url) for v in value for where, url in urls_of(v)]
    return [("", value)] if isinstance(value, str) and JOBS in value else []


# ---- what they open

def test_every_url_of_a_body_is_signed_and_works(server, ann):
    job = ann.user.job(ann.job)
    info = ann.user.ok("GET", JOBS + ann.job + "/info")
    row = ann.user.ok("GET", JOBS + "history")["jobs"][0]
    files = ann.user.ok("GET", JOBS + ann.job + "/files")
    assert sorted(where for where, _ in urls_of(job)) == [
        "mesh_url.", "result.files.[].url.", "result.files.[].url.", "result.mesh_url.", "result.thumbnail_url.",
        "thumbnail_url."]
    assert sorted(where for where, _ in urls_of(info)) == [
        "mesh_download_urls.base64_download.", "mesh_download_urls.direct_download.",
        "thumbnail_download_urls.base64_download.", "thumbnail_download_urls.direct_download."]
    assert len(urls_of(row)) == 6 and len(urls_of(files)) == 2
    assert job["mesh_url"] == job["result"]["mesh_url"] and job["thumbnail_url"] == job["result"]["thumbnail_url"]
    for body, absolute in ((job, True), (row, True), (files, True), (info, False)):
        for where, url in urls_of(body):
            match = note(url)
            assert match["base"] == (server.base if absolute else None), url
            assert match["sig"][:16] == ann.user.user["user_id"][5:]
            assert 3595 <= int(match["exp"]) - time.time() <= 3602
            r = fetch(url, base=server.base)
            assert r.status_code == 200, (where, r.text)
            picture = "thumbnail" in match["path"]
            if "format=base64" in url:
                assert r.json()["filename"].endswith(".png" if picture else ".glb")
            else:
                assert r.content == (PNG if picture else TINY_GLB), where
            # the contract's arithmetic, byte for byte
            assert match["sig"] in sign(server, match["path"], ann.user.user["user_id"], int(match["exp"]))


def test_as_a_viewer_uses_it(server, ann):
    r = fetch(ann.url, "HEAD")
    assert r.status_code == 200 and r.headers["Content-Length"] == str(len(TINY_GLB)) and r.content == b""
    etag = r.headers["ETag"]
    r = fetch(ann.url, headers={"Range": "bytes=4-11"})
    assert r.status_code == 206 and r.content == TINY_GLB[4:12]
    assert r.headers["Content-Range"] == "bytes 4-11/%d" % len(TINY_GLB)
    assert fetch(ann.url, headers={"If-None-Match": etag}).status_code == 304
    r = fetch(ann.url + "&format=base64&filename=other.glb")
    assert r.json()["filename"] == "other.glb" and r.json()["job_id"] == ann.job
    r = fetch(ann.url + "&filename=n%C3%A4me.glb")
    assert "filename*=UTF-8''n%C3%A4me.glb" in r.headers["Content-Disposition"]
    query = ann.url.split("?")[1].split("&")
    assert fetch(ann.url.split("?")[0] + "?filename=x&" + query[1] + "&" + query[0]).status_code == 200
    shapes.error(fetch(ann.url + "&format=nonsense"), 422)
    r = fetch(ann.url, headers={"Origin": "https://viewer.example.org"})
    assert r.status_code == 200 and r.headers["Access-Control-Allow-Origin"] == "*"


def test_absolute_form(server, ann):
    """As it is written to a proxy: the path is what was signed."""
    answer = raw(server, ann.url)
    assert answer.status == 200 and answer.body == TINY_GLB


def test_whoever_has_it_may_use_it(bob, ann):
    """Also somebody who is logged in elsewhere: the URL says for whom it was made, not who fetches."""
    assert fetch(bob.url).content == TINY_GLB
    shapes.error(ann.user.get(JOBS + bob.job + "/download"), 403, shapes.NOT_YOURS)


def test_an_administrators_url_to_anothers_job(server, bob):
    url = server.boss.job(bob.job)["mesh_url"]
    assert note(url)["sig"][:16] == server.boss.user["user_id"][5:]  # issued to who asked, not to the owner
    assert fetch(url).content == TINY_GLB


# ---- and nothing else

def test_one_path(server, ann, bob):
    path = SIGNED.match(ann.url)["path"]
    assert path == JOBS + ann.job + "/download"
    for other in (JOBS + bob.job + "/download", JOBS + ann.job + "/thumbnail", JOBS + ann.job + "/files/result.glb",
                  "/api/v1/jobs/" + ann.job + "/download"):
        shapes.error(fetch(changed(ann.url, path=other)), 401, BAD)
    query = ann.url.split("?")[1]
    for other in (path.replace("download", "downloa%64"), path.replace("job_", "%6aob_")):  # another spelling
        answer = raw(server, other + "?" + query)
        assert answer.status == 401 and answer.json()["detail"] == BAD
    for other in (path + "/", "/" + path, path.replace("/jobs/", "/jobs/./"), path + "/../download"):
        assert raw(server, other + "?" + query).status == 404
    for other in ("", "/info", "/files"):  # routes that take none
        shapes.error(fetch(changed(ann.url, path=JOBS + ann.job + other)), 401, shapes.NO_TOKEN)
        good = sign(server, JOBS + ann.job + other, ann.user.user["user_id"])
        shapes.error(fetch(good), 401, shapes.NO_TOKEN)
    shapes.error(fetch(sign(server, "/api/v1/users/me", ann.user.user["user_id"])), 401, shapes.NO_TOKEN)


def test_one_method(server, ann):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        shapes.error(fetch(ann.url, method), 405)
    path = SIGNED.match(ann.url)["path"]
    for method in ("HEAD", "POST", "DELETE"):  # HEAD has no signature of its own
        shapes.error(fetch(sign(server, path, ann.user.user["user_id"], method=method)), 401, BAD)


def test_every_part_counts(ann, bob):
    match = SIGNED.match(ann.url)
    exp, sig = match["exp"], match["sig"]
    for at in range(80):
        other = sig[:at] + ("0" if sig[at] != "0" else "1") + sig[at + 1:]
        shapes.error(fetch(changed(ann.url, sig=other)), 401, BAD)
    for other in (sig[:-1], sig + "0", "", sig[16:], sig.upper(), "0" * 80, "x" + sig[1:],
                  bob.user.user["user_id"][5:] + sig[16:], "0" * 16 + sig[16:]):
        if other != sig:
            shapes.error(fetch(changed(ann.url, sig=other)), 401, BAD)
    for other in (str(int(exp) + 1), str(int(exp) - 1), "0" + exp, "+" + exp, "-" + exp, exp + ".0", "", "x", "9" * 30):
        shapes.error(fetch(changed(ann.url, exp=other)), 401, BAD)
    path = ann.url.split("?")[0]
    for query in ("exp=" + exp, "sig=" + sig, "exp=%s&sig=%s&sig=%s" % (exp, sig, sig),
                  "exp=%s&exp=%s&sig=%s" % (exp, exp, sig), "exp=&sig="):
        shapes.error(fetch(path + "?" + query), 401, BAD)
    for query in ("", "?", "?signature=" + sig, "?token=" + ann.user.token):
        shapes.error(fetch(path + query), 401, shapes.NO_TOKEN)
    assert fetch(ann.url).status_code == 200


def test_signed_but_not_for_anybody_here(server, ann):
    """A right sum alone is not enough: the account must be there, and may only what it may."""
    path = JOBS + ann.job + "/download"
    assert fetch(sign(server, path, ann.user.user["user_id"])).status_code == 200
    shapes.error(fetch(sign(server, path, None)), 401, BAD)  # as issued in simple mode
    shapes.error(fetch(sign(server, path, shapes.ABSENT_USER)), 401, BAD)
    shapes.error(fetch(sign(server, path, ann.user.user["user_id"], exp=int(time.time()) - 1)), 401, BAD)
    stranger = server.register(shapes.unique("stranger"))
    shapes.error(fetch(sign(server, path, stranger.user["user_id"])), 403, shapes.NOT_YOURS)
    absent = JOBS + shapes.ABSENT_JOB + "/download"
    shapes.error(fetch(sign(server, absent, ann.user.user["user_id"])), 404, shapes.NO_JOB)


def test_no_half_of_the_key_signs(server, ann):
    path, who = JOBS + ann.job + "/download", ann.user.user["user_id"]
    redis_half, store_half = halves(server)
    assert len(redis_half) == len(store_half) == 32 and redis_half != store_half
    for key in (redis_half, store_half, hmac.new(redis_half, store_half, hashlib.sha256).digest(), b"\0" * 32):
        shapes.error(fetch(sign(server, path, who, key=key)), 401, BAD)
    mode = os.stat(os.path.join(server.data, "jobs", ".store-key")).st_mode
    assert mode & 0o777 == 0o600


def test_a_header_decides_where_there_is_one(ann, bob):
    for headers, status, text in (({"Authorization": "Bearer nonsense"}, 401, shapes.BAD_TOKEN),
                                  ({"X-API-Key": "nonsense"}, 401, shapes.BAD_TOKEN),
                                  ({"Authorization": "Basic YTpi"}, 401, shapes.BAD_SCHEME),
                                  ({"X-API-Key": bob.user.token}, 403, shapes.NOT_YOURS)):
        shapes.error(fetch(ann.url, headers=headers), status, text)
    bad = changed(ann.url, sig="0" * 80)
    assert fetch(bad, headers={"Authorization": "Bearer " + ann.user.token}).status_code == 200


def test_a_url_makes_no_url(server, ann):
    """What is fetched with a signature holds no signature: its end is the end."""
    for url in (ann.url + "&format=base64", changed(ann.url, sig="0" * 80)):
        assert "sig=" not in fetch(url).text


def test_old_tokens_are_looked_up_when_some_were_brought():
    """A token without a checksum is in the store, but until the store says that there are such, nobody looks."""
    old = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZa"

    def key(token):
        return "p3d:{0}:token:" + hashlib.sha256(token.encode()).hexdigest()
    with P3D(models={"tiny": TINY}, workers=0) as p3d:
        ann, redis = p3d.register("ann"), p3d.redis()
        redis.hset(key(old), mapping=redis.hgetall(key(ann.token)))
        shapes.error(p3d.client(old).get("/api/v1/users/me"), 401, shapes.BAD_TOKEN)
        redis.set("p3d:{a}:legacy", "1")
        until(lambda: p3d.client(old).get("/api/v1/users/me").status_code == 200, 15)
        assert p3d.client(old).ok("GET", "/api/v1/users/me")["user"] == ann.user
        shapes.error(p3d.client(old[:-1] + "b").get("/api/v1/users/me"), 401, shapes.BAD_TOKEN)


def test_two_processes_accept_each_others(server, ann):
    """Who made one and who judged it is read from the log, by the ids of the requests."""
    def ask(client_headers, url):
        request = shapes.unique("who")
        r = fetch(url, base=server.base, headers={"X-Request-ID": request, **client_headers})
        assert r.status_code == 200, r.text
        line = until(lambda: [x for x in server.log().splitlines() if request in x.split("req=")[-1].split()])[0]
        return re.search(r"serve[^[]*\[(\d+)\]", line)[1], r

    token, pairs = {"Authorization": "Bearer " + ann.user.token}, set()
    deadline = time.monotonic() + 60
    while len({a != b for a, b in pairs}) < 2 or len({a for a, _ in pairs}) < 2:
        assert time.monotonic() < deadline, pairs
        maker, r = ask(token, JOBS + ann.job)
        note(r.json()["mesh_url"])
        judge, r = ask({}, r.json()["mesh_url"])
        assert r.content == TINY_GLB
        pairs.add((maker, judge))


# ---- until when

def suspend(p3d, user_id, verb="suspend"):
    out = p3d.cli("users", verb, user_id, "--config", p3d.config, "--data-dir", p3d.data)
    assert out.returncode == 0, (out.stdout, out.stderr)


def test_suspending_ends_it_at_once(server):
    carl = Made(server, "carl")
    assert fetch(carl.url).status_code == 200
    suspend(server, carl.user.user["user_id"])
    shapes.error(fetch(carl.url), 401, BAD)
    shapes.error(carl.user.get(JOBS + carl.job), 401, "User account is disabled")
    suspend(server, carl.user.user["user_id"], "activate")
    assert fetch(carl.url).status_code == 200


def test_deleting_ends_it_at_once(server):
    dora = Made(server, "dora")
    admins = server.boss.job(dora.job)["mesh_url"]
    note(admins)
    assert fetch(dora.url).status_code == 200
    assert server.boss.delete("/api/v1/users/admin/users/" + dora.user.user["user_id"]).status_code == 200
    shapes.error(fetch(dora.url), 401, BAD)
    assert fetch(admins).content == TINY_GLB  # finished jobs stay, for admins only


def test_an_administrator_no_more(server, bob):
    eve = server.admin(shapes.unique("eve"))
    url = eve.job(bob.job)["mesh_url"]
    note(url)
    assert fetch(url).status_code == 200
    suspend(server, eve.user["user_id"], "demote")
    shapes.error(fetch(url), 403, shapes.NOT_YOURS)


def test_expiry():
    """Good for at least the configured time, and then no longer; also while the file is asked for again and again."""
    with P3D(models={"pictured": PICTURED}, config={"security": {"url_ttl_seconds": 1}}, workers=1) as p3d:
        ann = Made(p3d, "ann")
        began = time.time()
        url = ann.user.job(ann.job)["mesh_url"]
        end = int(SIGNED.match(url)["exp"])
        assert began + 1 <= end <= time.time() + 2
        assert fetch(url).status_code == 200

        def ended():
            at = time.time()
            r = fetch(url)
            if r.status_code == 200:
                assert at < end + 0.5
                return None
            assert time.time() >= end
            return [r]
        shapes.error(until(ended, 10, "the end of the URL")[0], 401, BAD)
        assert fetch(ann.user.job(ann.job)["mesh_url"]).status_code == 200


def rotate(p3d, *options):
    out = p3d.cli("keys", "rotate", *options, "--config", p3d.config, "--data-dir", p3d.data)
    assert out.returncode == 0, (out.stdout, out.stderr)
    for half in halves(p3d):
        assert half.hex() not in out.stdout + out.stderr


def test_rotation():
    with P3D(models={"pictured": PICTURED}, workers=1) as p3d:
        ann = Made(p3d, "ann")
        path = SIGNED.match(ann.url)["path"]
        old_half = halves(p3d)[0]
        key = hmac.new(halves(p3d)[1], old_half, hashlib.sha256).digest()
        rotate(p3d)
        assert halves(p3d)[0] != old_half
        assert fetch(ann.url).status_code == 200  # given out before: good to its end

        def new_key_signs():
            url = ann.user.job(ann.job)["mesh_url"]
            assert fetch(url).status_code == 200  # at no time is one given out that is not good
            exp = int(SIGNED.match(url)["exp"])
            return url if url == sign(p3d, path, ann.user.user["user_id"], exp) else None
        newer = until(new_key_signs, 30, "the new key")
        assert fetch(ann.url).status_code == 200 and fetch(newer).status_code == 200
        assert fetch(sign(p3d, path, ann.user.user["user_id"], key=key)).status_code == 200

        rotate(p3d, "--now")
        r = until(lambda: [r for r in [fetch(newer)] if r.status_code != 200], 10, "the end of all URLs")[0]
        shapes.error(r, 401, BAD)
        shapes.error(fetch(ann.url), 401, BAD)
        assert fetch(ann.user.job(ann.job)["mesh_url"]).status_code == 200


def test_restarts_and_another_half():
    """The same keys after a restart; a store without its half makes a new one, and nothing old is good."""
    with P3D(models={"pictured": PICTURED}, workers=1) as p3d:
        ann = Made(p3d, "ann")
        relative = ann.url[len(SIGNED.match(ann.url)["base"]):]
        assert p3d.stop() == 0
        p3d.start()
        assert fetch(relative, base=p3d.base).content == TINY_GLB
        assert p3d.stop() == 0
        os.unlink(os.path.join(p3d.data, "jobs", ".store-key"))
        p3d.start()
        shapes.error(fetch(relative, base=p3d.base), 401, BAD)
        assert fetch(p3d.client(ann.user.token).job(ann.job)["mesh_url"]).status_code == 200
        assert p3d.stop() == 0
        os.chmod(os.path.join(p3d.data, "jobs", ".store-key"), 0o644)
        status, out, said = p3d.refused(60)
        assert status == 1 and out == "" and "/.store-key is a secret that others may use (mode 644)" in said


def test_a_store_that_is_away():
    """503, never 401."""
    with P3D(models={"pictured": PICTURED}, workers=1) as p3d:
        ann = Made(p3d, "ann")
        redis = p3d.pid("redis")
        os.kill(redis, signal.SIGSTOP)
        try:
            shapes.error(fetch(ann.url), 503)
            # by now the server knows: a key may have come that it does not know
            until(lambda: fetch(changed(ann.url, sig="0" * 80)).status_code == 503, 30)
            shapes.error(fetch(changed(ann.url, sig="0" * 79)), 401, BAD)
            shapes.error(fetch(ann.url.split("?")[0]), 401, shapes.NO_TOKEN)
        finally:
            os.kill(redis, signal.SIGCONT)
        until(lambda: fetch(ann.url).status_code == 200, 30)
        until(lambda: fetch(changed(ann.url, sig="0" * 80)).status_code == 401, 30)


# ---- simple mode

SIMPLE = {"P3D_SECURITY__USER_AUTH_ENABLED": "false"}
KEYED = {**SIMPLE, "P3D_SECURITY__API_KEY_REQUIRED": "true", "P3D_SECURITY__API_KEYS": "some-key-0123456789"}


def test_modes():
    """In simple mode a URL is nobody's, with API keys it stands in for the key; none is good in the other mode."""
    with P3D(models={"pictured": PICTURED}, workers=1) as p3d:
        def restart(environment):
            assert p3d.stop() == 0
            for name in KEYED:
                p3d.environment.pop(name, None)
            p3d.environment.update(environment)
            p3d.start()

        ann = Made(p3d, "ann")
        anns = SIGNED.match(ann.url)
        path = anns["path"]

        restart(KEYED)
        keyed = p3d.client("some-key-0123456789")
        url = keyed.job(ann.job)["mesh_url"]
        assert SIGNED.match(url)["sig"][:16] == "0" * 16
        assert fetch(url).content == TINY_GLB and fetch(url, "HEAD").status_code == 200
        shapes.error(fetch(p3d.base + path), 401, "Invalid API key")
        shapes.error(fetch(url, headers={"X-API-Key": "another-key-0123456"}), 401, "Invalid API key")
        shapes.error(fetch(changed(url, path=JOBS + ann.job)), 401, "Invalid API key")
        shapes.error(fetch(changed(url, path=path.replace("download", "thumbnail"))), 401, BAD)
        shapes.error(fetch(changed(url, sig="0" * 80)), 401, BAD)
        shapes.error(fetch(changed(ann.url, base=p3d.base)), 401, BAD)  # issued to an account
        shapes.error(fetch(sign(p3d, path, exp=int(time.time()) - 1)), 401, BAD)
        relative = keyed.ok("GET", JOBS + ann.job + "/info")["mesh_download_urls"]["base64_download"]
        assert fetch(relative, base=p3d.base).json()["job_id"] == ann.job
        assert "may do everything" in p3d.client().ok("GET", "/")["description"]
        assert "may do everything" in p3d.client().ok("GET", "/api/v1/system/auth-status")["description"]

        restart(SIMPLE)
        assert fetch(changed(url, base=p3d.base)).status_code == 200
        assert fetch(changed(url, base=p3d.base, sig="0" * 80)).status_code == 200  # ignored: everybody may
        assert fetch(p3d.client().job(ann.job)["mesh_url"]).status_code == 200
        for where in ("/", "/api/v1/system/auth-status"):
            assert "everybody who reaches this server may do everything" in p3d.client().ok("GET", where)["description"]

        restart({})
        shapes.error(fetch(changed(url, base=p3d.base)), 401, BAD)
        assert fetch(changed(ann.url, base=p3d.base)).content == TINY_GLB
        assert "may do everything" not in p3d.client().ok("GET", "/")["description"]
        assert "sig=" not in p3d.log()
