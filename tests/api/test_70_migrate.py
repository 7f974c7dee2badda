# SPDX-License-Identifier: MIT
"""`p3d migrate`: what a 3DAIGC server's Redis holds, brought here and looked at through the API. Everything that is
broken there must be named; nothing here may change in a second run; no old token or hash may be at rest here."""
import calendar
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from another import NOBODY, belongs_to_another, myself, person
from daigc import GLB, Daigc
from p3d_test import BINARY, P3D, PASSWORD, TINY, Client, until
from private_redis import PrivateRedis

def features(**more):
    """A new one each time: P3D writes into it."""
    return {**more, "features": {"text_to_textured_mesh": {"title": "Text to textured mesh", "inputs": {
        "text_prompt": {"type": "string", "required": True, "max_length": 2000}}}},
        "models": {"mesh_generation": {"tiny": {"script": TINY}}, "text_to_textured_mesh": {
            "slow": {"command": ["/bin/false"], "enabled": False}}}}


class Old(Daigc):
    """With a Redis of its own that ends with the `with`, and a folder of results when it is told where. redis_args: of
    that redis-server."""

    def __init__(self, folder=None, redis_args=(), **kw):
        self.redis = PrivateRedis(tcp=True, args=redis_args)
        if folder:
            self.folder = os.path.join(folder, "old results")
            os.makedirs(self.folder)
        super().__init__(self.redis.client(), **kw)

    def result_of(self, job_id):
        self.flush()
        return self.client.hget(self.key("results"), job_id)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.redis.close()


def migrate(p3d, old, *flags, status=0, url=None, env=None, before=()):
    out = subprocess.run([*before, BINARY, "migrate", "--config", p3d.config, "--data-dir", p3d.data, "--from", url or old.redis.tcp_url,
                          "--json", *flags], capture_output=True, text=True, timeout=250, cwd=p3d.folder,
                         env={**p3d.environment, **(env or {})})
    assert "Sanitizer" not in out.stderr and "runtime error" not in out.stderr, out.stderr
    assert out.returncode == status, (out.returncode, out.stdout[-2000:], out.stderr[-2000:])
    return json.loads(out.stdout) if out.stdout else out.stderr


def named(report):
    return {(row["kind"], row["id"]) for row in report["not_taken"]}


# Counted at each run or each look, and the names of loaded scripts.
VOLATILE = ("seq:token", "reap", "reaper", "seen")


def dump(client):
    """All that a Redis holds, without what time alone changes."""
    out = {}
    for key in client.scan_iter(count=1000):
        name = key.decode()
        if name.rsplit(":", 1)[-1] in VOLATILE or ":seq:token" in name:
            continue
        kind = client.type(key)
        if kind == b"none":  # a living server has cleaned it up in between
            continue
        read = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
                b"list": lambda k: client.lrange(k, 0, -1), b"stream": client.xlen,
                b"zset": lambda k: client.zrange(k, 0, -1, withscores=True)}[kind]
        out[name] = read(key)
    return out


def job_id_of(old_id, created_ms):
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = created_ms << 80 | int.from_bytes(hashlib.sha256(old_id.encode()).digest()[:10], "big")
    return "job_0" + "".join(digits[number >> (5 * (25 - i)) & 31] for i in range(26))


def all_jobs(client):
    """old id -> job, by the history."""
    found, cursor = {}, None
    while True:
        page = client.ok("GET", "/api/v1/system/jobs/history", params={"limit": 500, **({"cursor": cursor} if cursor else {})})
        for job in page["jobs"]:
            found[job["metadata"].get("migrated_from")] = job
        cursor = page["pagination"].get("next_cursor")
        if not cursor:
            return found


def login(p3d, name, password, status=200):
    return Client(p3d.base).ok("POST", "/api/v1/users/login", {"username": name, "password": password}, status=status)


def furnish(old):
    """Some of each kind by hand, hundreds at random."""
    old.ann = old.good_user("ann", "ann's old password")
    old.ann_token = old.good_token(old.ann, name="Unity plugin", last_used_at="2024-08-01T10:00:00.5+02:00")
    old.boss = old.good_user("boss", "the boss's own", role="admin")
    old.boss_token = old.good_token(old.boss)
    old.gone = old.good_user("gone", "suspended pw", active=False)
    old.gone_token = old.good_token(old.gone)
    old.odd = old.good_user("odd", "odd password", user_id="Odd:ID/7")
    old.odd_token = old.good_token(old.odd)
    old.mesh_job = old.finished(old.ann, old.folder)
    old.absolute_job = old.finished(old.ann, old.folder, absolute=True)
    old.lost_job = old.finished(old.ann)
    old.below_job = old.finished(old.ann, old.folder)
    record = json.loads(old.result_of(old.below_job))  # as seen from the folder above
    old.put("hset", old.key("results"), old.below_job, json.dumps(
        {k: "old results/" + v for k, v in record.items() if k in ("output_mesh_path", "thumbnail_path")}))
    old.alone_job = old.good_job(None, result={"output_mesh_path": "../../etc/passwd"})
    old.stranger_job = old.good_job("user_" + "0" * 15 + "1", "failed")
    old.odd_job = old.good_job(old.odd, "failed")
    old.leaky_job = old.good_job(old.ann, inputs={
        "text_prompt": "a/b and /c/d stay", "image_base64": "QUJD" * 50, "mesh_path": "/srv/3daigc/uploads/in.glb",
        "nested": [{"note": "see /srv/3daigc/secret/place.txt"}], "n": 3}, error=...)
    old.waiting_job = old.good_job(old.ann, "queued", feature="mesh_generation", model_preference="tiny",
                                   inputs={"prompt": "chair"}, priority=0)
    old.running_job = old.good_job(old.ann, "processing", state="queued", feature="mesh_generation",
                                   model_preference=None, model_id="tiny", inputs={"prompt": "table"})
    for name, result in (("link", "link.glb"), ("linked", "linked/x.glb"), ("outside", "/etc/passwd"), ("dots", "a/../../x"),
                         ("fifo", "fifo.glb"), ("folder", "folder.glb"), ("hard", "hard.glb")):
        setattr(old, name + "_job", old.good_job(old.ann, result={"output_path": result, "thumbnail_url": "/api/v1/x/thumbnail"}))
    outside = os.path.join(os.path.dirname(old.folder), "outside")
    os.makedirs(outside)
    with open(os.path.join(outside, "x.glb"), "wb") as f:
        f.write(GLB + b"outside")
    os.symlink(os.path.join(outside, "x.glb"), os.path.join(old.folder, "link.glb"))
    os.symlink(outside, os.path.join(old.folder, "linked"))
    os.link(os.path.join(outside, "x.glb"), os.path.join(old.folder, "hard.glb"))
    os.mkfifo(os.path.join(old.folder, "fifo.glb"))
    os.mkdir(os.path.join(old.folder, "folder.glb"))
    old.put("hset", old.key("results"), "of-a-job-that-is-gone", "{}")
    old.fill(users=120, jobs=400, broken=0.2, folder=old.folder, files=0.2)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """An old server of some hundreds, brought once while the new one does not run."""
    with Old(str(tmp_path_factory.mktemp("old"))) as old:
        furnish(old)
        old.before = {k: old.client.dump(k) for k in old.client.scan_iter()}
        with P3D(config=features(), start=False, default="tiny", workers=0) as p3d:
            p3d.dry = migrate(p3d, old, "--dry-run", "--files", old.folder)
            p3d.fresh = os.listdir(p3d.data) if os.path.exists(p3d.data) else []
            p3d.report = migrate(p3d, old, "--files", old.folder)
            p3d.start()
            yield p3d, old
        assert {k: old.client.dump(k) for k in old.client.scan_iter()} == old.before, "the old Redis was written to"


def test_counts_and_every_broken_record(moved):
    p3d, old = moved
    counts = p3d.report["counts"]
    assert named(p3d.report) == old.broken
    assert len(p3d.report["not_taken"]) == len(old.broken)
    assert all(row["reason"] for row in p3d.report["not_taken"])
    assert counts["users"] == {"made": len(old.good_users), "there_already": 0,
                               "not_taken": sum(k == "user" for k, _ in old.broken)}
    assert counts["tokens"] == {"made": len(old.good_tokens), "there_already": 0, **old.skipped_tokens,
                                "not_taken": sum(k == "token" for k, _ in old.broken)}
    states = [j["state"] for j in old.good_jobs.values()]
    for state in ("queued", "completed", "failed", "cancelled"):
        assert counts["jobs"][state] == states.count(state), state
    assert counts["jobs"]["owner_unknown"] == 1 and counts["jobs"]["without_owner"] == 1
    assert counts["jobs"]["inputs_dropped"] == 1
    with_files = [j for j in old.good_jobs.values() if j.get("body")]
    assert counts["files"]["copied"] == 2 * len(with_files)
    assert counts["files"]["result_file_not_found"] == states.count("completed") - len(with_files)
    assert counts["files"]["results_without_job"] == 1
    assert p3d.report["complete"] is True


def test_dry_run_says_the_same_and_writes_nothing(moved):
    p3d, _ = moved
    assert p3d.dry["dry_run"] is True and p3d.fresh == []
    assert p3d.dry["counts"] == p3d.report["counts"]
    assert sorted(map(str, p3d.dry["not_taken"])) == sorted(map(str, p3d.report["not_taken"]))


def test_old_passwords_and_the_form_of_their_hash(moved):
    p3d, old = moved

    def stored(user_id):
        return p3d.redis().hget("p3d:{a}:user:" + user_id, "hash").decode()
    assert stored(old.ann).startswith("$pbkdf2-sha256-over-sha256$i=10000$")
    login(p3d, "ann", "ann's new password", status=401)
    login(p3d, "ann", stored(old.ann), status=401)
    assert stored(old.ann).startswith("$pbkdf2-sha256-over-sha256$")
    out = login(p3d, "ann@old.example.com", "ann's old password")
    assert out["user"]["user_id"] == old.ann and out["user"]["role"] == "user"
    until(lambda: stored(old.ann).startswith("$pbkdf2-sha256$i=10000$"), what="a direct hash")
    login(p3d, "ann", "ann's old password")
    login(p3d, "ann", "ann's other password", status=401)
    some = [u for u in old.good_users.values() if u["active"] and u["name"].startswith("u")][:10]
    for user in some:
        login(p3d, user["name"], user["password"])


def test_roles_and_suspension(moved):
    p3d, old = moved
    boss, ann = p3d.client(old.boss_token), p3d.client(old.ann_token)
    assert boss.ok("GET", "/api/v1/users/me")["user"]["role"] == "admin"
    assert boss.get("/api/v1/users/admin/users").status_code == 200
    assert ann.get("/api/v1/users/admin/users").status_code == 403
    assert p3d.client(old.gone_token).get("/api/v1/users/me").json()["detail"] == "User account is disabled"
    login(p3d, "gone", "suspended pw", status=401)
    me = ann.ok("GET", "/api/v1/users/me")["user"]
    assert me["created_at"][:10] >= "2024-03-01" and me["created_at"] < "2025"
    odd = p3d.client(old.odd_token).ok("GET", "/api/v1/users/me")["user"]
    assert odd["user_id"] == "user_" + hashlib.sha256(b"3daigc:Odd:ID/7").hexdigest()[:16]


def test_old_tokens(moved):
    p3d, old = moved
    by_key = Client(p3d.base)
    by_key.session.headers["X-API-Key"] = old.ann_token
    assert p3d.client(old.ann_token).ok("GET", "/api/v1/users/me")["user"]["user_id"] == old.ann
    assert by_key.ok("GET", "/api/v1/users/me")["user"]["user_id"] == old.ann
    for wrong in (old.token_text(), old.ann_token[:-1], old.ann_token + "A", old.ann_token.swapcase()):
        assert p3d.client(wrong).get("/api/v1/users/me").status_code == 401, wrong
    rows = p3d.client(old.ann_token).ok("GET", "/api/v1/users/tokens")["tokens"]
    row = [r for r in rows if r["name"] == "Unity plugin"][0]
    assert old.ann_token.startswith(row["token_prefix"].rstrip(".…")) and row["is_active"] is True
    assert row["created_at"] < "2025" and row["expires_at"].startswith("2099-01-01")
    working = [t for t, u in old.good_tokens.items() if old.good_users[u]["active"]][:20]
    for text in working:
        assert p3d.client(text).get("/api/v1/users/me").status_code == 200


def test_jobs_and_their_owners(moved):
    p3d, old = moved
    boss, ann = all_jobs(p3d.client(old.boss_token)), all_jobs(p3d.client(old.ann_token))
    assert {k for k in boss if k} == set(old.good_jobs)
    assert set(ann) == {k for k, j in old.good_jobs.items() if j["owner"] == old.ann}
    for old_id, want in old.good_jobs.items():
        job = boss[old_id]
        assert job["status"] == want["state"], (old_id, job)
        owner = want["owner"] if want["owner"] in old.good_users else None
        if owner != old.odd:
            assert job["user_id"] == owner
    job = boss[old.mesh_job]
    assert job["feature"] == "text_to_textured_mesh" and job["model_id"] == "trellis_text_to_textured_mesh"
    assert job["inputs"]["text_prompt"].startswith("a red chair") and job["metadata"]["client"] == "unity"
    assert job["processing_time"] == 60 and job["progress"] == 1.0
    record = json.loads(old.client.hget(old.key("jobs"), old.mesh_job))
    assert job["created_at"] == record["created_at"] and job["completed_at"] == record["completed_at"]
    assert boss[old.odd_job]["error"]["message"] == "CUDA out of memory in run.py line 3"
    assert boss[old.odd_job]["failed_at"] and boss[old.odd_job]["completed_at"] is None
    assert p3d.client(old.odd_token).ok("GET", "/api/v1/system/jobs/" + boss[old.odd_job]["job_id"])
    other = next(t for t, u in old.good_tokens.items() if u not in (old.ann, old.boss) and old.good_users[u]["active"])
    for old_id in (old.mesh_job, old.alone_job, old.stranger_job):
        assert p3d.client(other).get("/api/v1/system/jobs/" + boss[old_id]["job_id"]).status_code == 403
    created_ms = round(calendar.timegm(time.strptime(record["created_at"], "%Y-%m-%dT%H:%M:%S")) * 1000)
    assert job["job_id"] == job_id_of(old.mesh_job, created_ms)


def test_nothing_of_the_old_machine_leaks(moved):
    p3d, old = moved
    ann = p3d.client(old.ann_token)
    job = all_jobs(ann)[old.leaky_job]
    assert job["inputs"] == {"text_prompt": "a/b and /c/d stay", "image_base64": None, "mesh_path": "in.glb",
                             "nested": [{"note": "see place.txt"}], "n": 3}
    assert job["metadata"]["migrated_without"] == ["image_base64"]
    info = all_jobs(ann)[old.mesh_job]["result"]["generation_info"]
    assert info["cache"] == "x.bin" and info["generation_time"] == 12.5
    whole = b"".join(v for k, v in ((k, p3d.redis().get(k)) for k in p3d.redis().scan_iter("p3d:{0}:job:*")) if v)
    for word in (b"/srv/3daigc", b"QUJDQUJD", b"/etc/passwd", old.folder.encode()):
        assert word not in whole, word


def test_results(moved):
    p3d, old = moved
    jobs = all_jobs(p3d.client(old.boss_token))
    boss = p3d.client(old.boss_token)
    some = [k for k, j in old.good_jobs.items() if j.get("body")][:30] + [old.mesh_job, old.absolute_job, old.below_job]
    for old_id in some:
        want, job_id = old.good_jobs[old_id], jobs[old_id]["job_id"]
        got = boss.download(job_id)
        assert got.status_code == 200 and got.content == want["body"], old_id
        assert got.headers["Content-Type"] == "model/gltf-binary"
        assert boss.get("/api/v1/system/jobs/%s/thumbnail" % job_id).content == want["picture"]
    assert p3d.client(old.ann_token).download(jobs[old.mesh_job]["job_id"]).status_code == 200
    for name in ("lost", "alone", "link", "linked", "outside", "dots", "fifo", "folder", "hard"):
        r = boss.download(jobs[getattr(old, name + "_job")]["job_id"])
        assert r.status_code == 404 and r.json()["detail"] == "No result available for this job", name
    noted = {row["id"]: row["reason"] for row in p3d.report["notes"] if row["kind"] == "file"}
    assert "link" in noted[old.link_job] and "more than one name" in noted[old.hard_job]
    assert old.mesh_job not in noted and old.outside_job in noted


def test_what_waited_is_run(moved):
    """Both are in the queue, the one of the higher priority first, and a worker takes them."""
    p3d, old = moved
    ann = p3d.client(old.ann_token)
    jobs = all_jobs(ann)
    assert jobs[old.waiting_job]["priority"] == 6 and jobs[old.running_job]["priority"] == 5
    work = subprocess.Popen([BINARY, "work", "--config", p3d.config, "--data-dir", p3d.data], cwd=p3d.folder,
                            env=p3d.environment, stdout=subprocess.DEVNULL, stderr=open(p3d.log_path, "ab"))
    try:
        for old_id in (old.waiting_job, old.running_job):
            assert ann.wait(jobs[old_id]["job_id"])["status"] == "completed"
            assert ann.download(jobs[old_id]["job_id"]).status_code == 200
    finally:
        work.send_signal(signal.SIGTERM)
        assert work.wait(30) == 0


def test_a_second_run_changes_nothing(moved):
    """With the server running; with and without files."""
    p3d, old = moved
    before, size = dump(p3d.redis()), p3d.redis().dbsize()
    store = {(d, f): os.stat(os.path.join(d, f)).st_ino for d, _, fs in os.walk(os.path.join(p3d.data, "jobs")) for f in fs}
    for flags in (["--files", old.folder], [], ["--dry-run"]):
        report = migrate(p3d, old, *flags)
        counts = report["counts"]
        assert named(report) == old.broken
        assert counts["users"]["made"] == 0 and counts["users"]["there_already"] == len(old.good_users)
        if "--dry-run" not in flags:
            assert counts["tokens"]["made"] == 0 and counts["tokens"]["there_already"] == len(old.good_tokens)
        assert sum(counts["jobs"][s] for s in ("queued", "completed", "failed", "cancelled")) == 0
        assert counts["jobs"]["there_already"] == len(old.good_jobs)
        assert counts["files"]["copied"] == 0
    after = dump(p3d.redis())
    assert before.keys() == after.keys()
    assert {k for k in before if before[k] != after[k]} == set()
    assert p3d.redis().dbsize() == size
    assert store == {(d, f): os.stat(os.path.join(d, f)).st_ino
                     for d, _, fs in os.walk(os.path.join(p3d.data, "jobs")) for f in fs}


def test_no_old_secret_is_at_rest_or_printed(moved):
    p3d, old = moved
    hashes = [json.loads(old.client.get(old.key("user:" + u)))["password_hash"] for u in old.good_users]
    secrets = [h.split("$")[1] for h in hashes] + list(old.good_tokens)
    told = json.dumps(p3d.report) + json.dumps(p3d.dry)
    files = [os.path.join(d, f) for d, _, fs in os.walk(p3d.data) for f in fs]
    assert any(f.endswith(".aof") for f in files)
    for path in files:
        if os.path.isfile(path):
            with open(path, "rb") as f:
                body = f.read()
            for secret in secrets:
                assert secret.encode() not in body, path
    for secret in secrets:
        assert secret not in told


def test_refusals():
    """Bad URL, nothing there, wrong prefix, unreachable, missing folder, usage: words and exit status."""
    with P3D(config=features(), start=False, default="tiny", workers=0) as p3d, Old() as empty:
        redis = empty.redis
        said = migrate(p3d, empty, status=1)
        assert "nothing of 3DAIGC under the prefix 3daigc:" in said
        other = Daigc(empty.client, prefix="other:")
        other.good_user("ann")
        other.flush()
        assert "prefix 3daigc:" in migrate(p3d, empty, status=1)
        assert migrate(p3d, empty, "--prefix", "other")["counts"]["users"]["made"] == 1
        assert migrate(p3d, empty, "--prefix", "other:")["counts"]["users"]["there_already"] == 1
        assert "prefix o*r:" in migrate(p3d, empty, "--prefix", "o*r", status=1)
        assert "--from: " in migrate(p3d, empty, url="http://127.0.0.1/", status=1)
        said = migrate(p3d, empty, url="redis://:hunter2@127.0.0.1:1/0", status=3)
        assert "127.0.0.1:1" in said and "hunter2" not in said
        said = migrate(p3d, empty, url="redis://:hunter2@127.0.0.1:%d" % redis.port, status=3)
        assert "AUTH" in said and "hunter2" not in said
        assert "--files" in migrate(p3d, empty, "--files", os.path.join(p3d.folder, "nowhere"), status=1)
        said = migrate(p3d, empty, "--prefix", "other", "--redis-url", "redis://:hunter2@127.0.0.1:1/0", status=3)
        assert "127.0.0.1:1" in said and "hunter2" not in said
        elsewhere = P3D(config=features(), start=False, default="tiny", workers=0)
        with elsewhere:  # another artifact store with the Redis of this one
            migrate(p3d, empty, "--prefix", "other", "--redis-url", redis.tcp_url + "/1")
            said = migrate(elsewhere, empty, "--prefix", "other", "--redis-url", redis.tcp_url + "/1", status=1)
            assert "artifact" in said
        out = p3d.cli("migrate", "--config", p3d.config)
        assert out.returncode == 2 and "--from" in out.stderr
        key = other.key("jobs")
        empty.client.set(key, "no hash")
        report = migrate(p3d, empty, "--prefix", "other")
        assert [n["id"] for n in report["notes"] if n["kind"] == "key"] == [key] and report["complete"] is False


def test_names_that_are_taken_and_ids_that_belong_to_another():
    with P3D(config=features(), default="tiny", workers=0) as p3d, Old() as old:
        here = p3d.register("ann")
        same_name = old.user("Ann")
        same_mail = old.user("other", email="ann@EXAMPLE.com")
        twice = old.user("twice"), old.user("TWICE")
        thief = here.user["user_id"]
        old.user("thief", user_id=thief)
        old.token(thief)
        odd_role = old.user("odd", role="superuser", is_active="yes")
        old.flush()
        dry, report = migrate(p3d, old, "--dry-run"), migrate(p3d, old)
        for r in (dry, report):
            assert {("user", same_name), ("user", same_mail), ("user", thief)} < named(r)
            assert sum(u in [i for _, i in named(r)] for u in twice) == 1
            assert r["counts"]["users"]["made"] == 2 and r["counts"]["tokens"]["made"] == 0
            assert [n["id"] for n in r["notes"]] == [odd_role]
        got = p3d.admin().ok("GET", "/api/users/" + odd_role)
        assert got["username"] == "odd"
        login(p3d, "odd", "secret pw", status=401)  # is_active made no sense: suspended


def test_what_was_ended_here_stays_ended():
    """A deleted account and a revoked token do not come back with the next run."""
    with P3D(config=features(), default="tiny", workers=0) as p3d, Old() as old:
        ann, bob, boss = old.good_user("ann"), old.good_user("bob"), old.good_user("boss", role="admin")
        token, revoked = old.good_token(ann), old.good_token(ann)
        of_bob, of_boss = old.good_token(bob), old.good_token(boss)
        job = old.good_job(bob, "failed")
        old.flush()
        migrate(p3d, old)
        admin = p3d.client(of_boss)
        until(lambda: admin.get("/api/v1/users/me").status_code == 200, what="old tokens are known")
        p3d.client(token).ok("DELETE", "/api/v1/users/tokens/" + revoked)
        admin.ok("DELETE", "/api/v1/users/admin/users/" + bob)
        before = dump(p3d.redis())
        report = migrate(p3d, old)
        assert named(report) == {("user", bob), ("token", of_bob[:8] + "…")}
        for text in (revoked, of_bob):
            assert p3d.client(text).get("/api/v1/users/me").status_code == 401
        login(p3d, "bob", "secret pw", status=401)
        assert all_jobs(admin)[job]["user_id"] in (None, bob)
        assert not p3d.redis().exists("p3d:{a}:user:" + bob) and p3d.redis().exists("p3d:{a}:brought")
        assert before.keys() >= {k for k in dump(p3d.redis()) if "token:" in k or ":user:" in k}


def test_an_account_of_here_is_nobody_of_there():
    """A record that has its id, name, email and time all the same brings no token and no job to it."""
    with P3D(config=features(), default="tiny", workers=0) as p3d, Old() as old:
        here, boss, left = p3d.register("ann"), p3d.admin(), p3d.register("left")
        boss.ok("DELETE", "/api/v1/users/admin/users/" + left.user["user_id"])
        owners = [c.user["user_id"] for c in (here, boss, left)]
        for c in (here, boss, left):
            old.user(c.user["username"], "thief's own pw", user_id=c.user["user_id"], email=c.user["email"],
                     created_at=c.user["created_at"])
        tokens = [old.token(owner) for owner in owners]
        jobs = [old.job(owner, "failed") for owner in owners]
        honest = old.good_user("honest")
        old.good_token(honest)
        old.flush()
        dry, report, again = migrate(p3d, old, "--dry-run"), migrate(p3d, old), migrate(p3d, old)
        for r in (report, again):
            reasons = {row["id"]: row["reason"] for row in r["not_taken"]}
            assert set(reasons) == {*owners, *(t[:8] + "…" for t in tokens)}
            assert reasons[owners[0]] == reasons[owners[1]] == "an account here that did not come from there has this id"
            assert "deleted" in reasons[owners[2]] and "user" in reasons[tokens[0][:8] + "…"]
        assert set(owners[:2]) <= {i for _, i in named(dry)}
        assert report["counts"]["users"] == {"made": 1, "there_already": 0, "not_taken": 3}
        assert again["counts"]["users"] == {"made": 0, "there_already": 1, "not_taken": 3}
        assert report["counts"]["tokens"]["made"] == 1 and report["counts"]["jobs"]["owner_unknown"] == 3
        for text in tokens:
            assert p3d.client(text).get("/api/v1/users/me").status_code == 401
        brought = all_jobs(boss)
        assert [brought[j]["user_id"] for j in jobs] == [None] * 3 and all_jobs(here) == {}
        login(p3d, "ann", "thief's own pw", status=401)
        login(p3d, "ann", PASSWORD)


def test_tokens_of_before_a_new_password():
    """Who changed the password here wanted the old tokens to end, also those that were not brought yet."""
    with P3D(config=features(), default="tiny", workers=0) as p3d, Old() as old:
        ann, bob = old.good_user("ann"), old.good_user("bob")
        early = old.good_token(ann)
        old.flush()
        migrate(p3d, old)
        until(lambda: p3d.client(early).get("/api/v1/users/me").status_code == 200, what="old tokens are known")
        out = p3d.cli("users", "set-password", "ann", "--config", p3d.config, "--data-dir", p3d.data, "--password-file", "-",
                      input="quite another pw\n")
        assert out.returncode == 0, out
        late, of_bob = old.token(ann), old.good_token(bob)
        old.flush()
        report = migrate(p3d, old)
        assert named(report) == {("token", t[:8] + "…") for t in (early, late)} and report["complete"] is True
        assert {row["reason"] for row in report["not_taken"]} == {
            "the password of its user has been changed here, which ends older tokens"}
        assert report["counts"]["tokens"]["made"] == 1 and report["counts"]["users"]["there_already"] == 2
        until(lambda: p3d.client(of_bob).get("/api/v1/users/me").status_code == 200, what="the token of bob")
        for text in (early, late):
            assert p3d.client(text).get("/api/v1/users/me").status_code == 401


@pytest.mark.parametrize("hidden", [False, True])
def test_results_that_cannot_be_read(hidden, tmp_path):
    """Of another type, or hidden by an access rule: told once, however many pages there are; jobs come without."""
    with P3D(config=features(), default="tiny", workers=0, start=False) as p3d, Old() as old:
        url = None
        for _ in range(2000):
            old.good_job(None)
        old.flush()
        results = old.key("results")
        if hidden:
            old.client.hset(results, "x", "{}")
            old.client.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "+@read", "+select", "+client|setname",
                                       "~3daigc:jobs", "~3daigc:user*", "~3daigc:token*", "~3daigc:queue:*")
            url = old.redis.tcp_url.replace("//", "//reader:pw@")
        else:
            old.client.set(results, "no hash")
        for flags in (["--dry-run"], []):
            report = migrate(p3d, old, "--files", str(tmp_path), *flags, url=url)
            keys = [row for row in report["notes"] if row["kind"] == "key"]
            assert [row["id"] for row in keys] == [results] and report["complete"] is False
            assert ("NOPERM" if hidden else "WRONGTYPE") in keys[0]["reason"]
            assert report["counts"]["jobs"]["completed"] == 2000 and report["not_taken"] == []


def test_too_many_kinds():
    """Each run alone stays below its own bound; what the store has no number for is named."""
    with P3D(config=features(), default="tiny", workers=0, start=False) as p3d, Old() as server:
        for prefix, kinds in (("a:", 200), ("b:", 200)):
            old = Daigc(server.client, prefix=prefix, seed=ord(prefix[0]))
            for i in range(kinds):
                old.good_job(None, "failed", feature="%s%d" % (prefix[0], i))
            old.flush()
            report = migrate(p3d, server, "--prefix", prefix)
            made = report["counts"]["jobs"]["failed"]
            assert made + len(report["not_taken"]) == kinds
            assert {row["reason"] for row in report["not_taken"]} == ({"too many kinds of jobs here"} if prefix == "b:" else set())
        assert 0 < made < kinds


@pytest.mark.parametrize("outside", [False, True])
def test_an_artifact_store_of_another_user(outside):
    """What root writes there the service could not read: refused before anything is, whoever's Redis it is."""
    with P3D(config=features(), default="tiny", workers=0, start=False) as p3d, Old() as old, \
            PrivateRedis(tcp=True) as own:
        flags = ["--redis-url", own.tcp_url] if outside else []
        old.good_user("ann")
        old.flush()
        folder = os.path.join(p3d.data, "jobs")
        os.makedirs(folder)
        for other in (4711, NOBODY):  # without a name, and with one
            with belongs_to_another(folder, other) as (uid, before):
                said = migrate(p3d, old, *flags, status=1, before=before)
                assert "The artifact store %s belongs to %s; what %s writes there" % (
                    folder, person(uid), myself(before)) in said
                assert said.rstrip().endswith("run it as " + person(uid))
                assert migrate(p3d, old, "--dry-run", *flags, before=before)["counts"]["users"]["made"] == 1
            assert os.listdir(p3d.data) == ["jobs"] and os.listdir(folder) == [] and own.client().dbsize() == 0
        assert migrate(p3d, old, *flags)["counts"]["users"]["made"] == 1


ODD = (None, True, -1, 0, 10 ** 30, 1e300, "", "x", "\u202e\x1b[31m\n", "ä" * 3000, "2024-13-45T99:00:00", [], [[[]]], {}, {"a": {"b": [None]}},
       "/etc/passwd", "../../x", "a/b", "data:x", {"mesh_path": 3}, ["completed"])


def test_any_field_may_be_anything(tmp_path):
    """Each field of each record is once each of these; nothing breaks, and each record is here or named."""
    with P3D(config=features(), default="tiny", workers=0) as p3d, Old() as old:
        boss = old.good_user("boss", role="admin")
        token = old.good_token(boss)
        users, tokens, jobs, number = [], [], [], 0
        for odd in ODD:
            for field in ("user_id", "username", "email", "password_hash", "role", "is_active", "created_at", "metadata"):
                number += 1
                user_id = "user_%016x" % number
                users.append(user_id)
                record = {"user_id": user_id, "username": "odd%d" % number, "email": "odd%d@example.com" % number,
                          "password_hash": "0" * 32 + "$" + "1" * 64, "role": "user", "is_active": True, field: odd}
                old.user("odd%d" % number, user_id=user_id, raw=json.dumps(record))
            for field in ("user_id", "name", "created_at", "expires_at", "last_used_at", "is_active", "token"):
                text = old.token_text()
                tokens.append(text)
                old.token(boss, text, raw=json.dumps({"token": text, "user_id": boss, "name": "x", "is_active": True,
                                                      field: odd}))
            for field in ("job_id", "feature", "inputs", "model_preference", "model_id", "assigned_model", "priority",
                          "status", "created_at", "started_at", "completed_at", "metadata", "user_id", "error", "result",
                          "timeout_seconds", "retry_count", "max_retries"):
                for status in ("completed", "failed", "queued"):
                    fields = {"feature": "mesh_generation", "model_id": "tiny", "inputs": {"prompt": "x"}, field: odd}
                    job_id = old.random.randbytes(8).hex()
                    jobs.append(job_id)
                    old.job(boss, fields.pop("status", status), job_id=job_id, raw=json.dumps(
                        {"job_id": job_id, "status": status, "user_id": boss, "created_at": "2024-05-05T05:05:05",
                         **fields, field: odd}))
            for field in ("output_mesh_path", "mesh_path", "output_path", "file_path", "thumbnail_path", "thumbnail_url",
                          "generation_info", "result"):
                jobs.append(old.job(boss, "completed", result={field: odd, "output_mesh_path": odd}))
            jobs.append(old.job(boss, "completed", result=json.dumps(odd)))
        old.flush()
        report = migrate(p3d, old, "--files", str(tmp_path))
        counts, refused = report["counts"], named(report)
        here = p3d.client(token)
        until(lambda: here.get("/api/v1/users/me").status_code == 200, what="old tokens are known")
        brought = all_jobs(here)
        assert set(jobs) == {i for k, i in refused if k == "job"} | {k for k in brought if k}
        for job in brought.values():
            for path in ("", "/info"):
                assert here.get("/api/v1/system/jobs/" + job["job_id"] + path).status_code == 200
            assert here.download(job["job_id"]).status_code in (400, 404)
        assert counts["users"]["made"] + counts["users"]["not_taken"] == len(users) + 1
        assert sum(counts["tokens"].values()) == len(tokens) + 1
        people = p3d.admin("root2").ok("GET", "/api/users", params={"limit": 1000})
        assert len(people) == counts["users"]["made"] + 1
        assert not any("\x1b" in row["id"] + row["reason"] for row in report["not_taken"] + report["notes"])
        again = migrate(p3d, old)["counts"]
        assert again["users"]["made"] == again["tokens"]["made"] == again["jobs"]["completed"] == 0


@pytest.mark.parametrize("answer, status, says", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", 3, "cannot be reached"),
    (b"", 3, "cannot be reached"),
    (b"+OK\r\n", 1, "makes no sense"),
    (b"*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n", 3, "not a Redis server"),
    (b"-NOAUTH Authentication required.\r\n", 3, "NOAUTH"),
    (b"-LOADING it\x1b[31m\r\n", 3, "LOADING"),
])
def test_a_server_that_is_none(answer, status, says):
    """Whatever answers at that address, it ends with words."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(peer):
        with peer:
            while not stop.is_set():
                asked = peer.recv(65536)
                if not asked or not answer:
                    return
                peer.sendall(answer * max(1, asked.count(b"*")))

    def accept():
        while not stop.is_set():
            try:
                peer = server.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    try:
        with P3D(config=features(), start=False, default="tiny", workers=0) as p3d:
            said = migrate(p3d, None, "--dry-run", url="redis://127.0.0.1:%d" % server.getsockname()[1], status=status)
            assert says in said and "\x1b" not in said, said
    finally:
        stop.set()
        server.close()


def test_a_lost_connection_and_going_on():
    """The old Redis dies in the middle: exit 3; the next run brings the rest."""
    with P3D(config=features(), default="tiny", workers=0, start=False) as p3d, Old() as old:
        old.fill(users=300, jobs=1500, broken=0)
        run = subprocess.Popen([BINARY, "migrate", "--config", p3d.config, "--data-dir", p3d.data, "--from",
                                old.redis.tcp_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=p3d.folder,
                               env=p3d.environment, text=True)
        until(lambda: os.path.exists(os.path.join(p3d.data, "run", "redis.sock")), what="the embedded Redis")
        until(lambda: p3d.redis().exists("p3d:{a}:users"), what="the first users")
        old.redis.process.send_signal(signal.SIGKILL)
        old.redis.process.wait()
        out, err = run.communicate(timeout=120)
        assert run.returncode == 3 and "the same command goes on" in err, (run.returncode, out, err)
        assert "Redis that is read was lost" in err or "cannot be reached" in err
        old.redis.start()
        report = migrate(p3d, old)
        made = report["counts"]["users"]["made"], report["counts"]["users"]["there_already"]
        assert sum(made) == 300 and made[1] > 0
        assert sum(migrate(p3d, old)["counts"]["jobs"][k] for k in ("there_already",)) == 1500


def test_a_server_that_hangs_up_on_the_idle():
    """Hashing takes longer than the old Redis's `timeout`: the connection is made again. By its unix socket, too."""
    with P3D(config=features(security={"password_iterations": 150000, "login_free_failures": -1}), default="tiny", workers=0,
             start=False) as p3d, Old(redis_args=["--timeout", "1"]) as old:
        old.fill(users=60, jobs=50, broken=0)
        report = migrate(p3d, old, url=old.redis.url)
        assert report["counts"]["tokens"]["made"] == 60 and report["not_taken"] == []
        assert old.client.info()["total_connections_received"] > 3


def test_interrupted_by_a_signal():
    """Ctrl-C: what is under way ends, the report is printed, the embedded Redis is taken down."""
    with P3D(config=features(security={"password_iterations": 200000, "login_free_failures": -1}), default="tiny",
             workers=0, start=False) as p3d, Old() as old:
        old.fill(users=600, jobs=1, broken=0)
        run = subprocess.Popen([BINARY, "migrate", "--config", p3d.config, "--data-dir", p3d.data, "--from",
                                old.redis.tcp_url, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               cwd=p3d.folder, env=p3d.environment, text=True)
        until(lambda: os.path.exists(os.path.join(p3d.data, "run", "redis.sock")), what="the embedded Redis")
        until(lambda: p3d.redis().exists("p3d:{a}:users"), what="the first users")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
        assert run.returncode in (1, -signal.SIGINT), (run.returncode, out, err)
        report = json.loads(out)
        assert report["complete"] is False and 0 < report["counts"]["users"]["made"] < 600
        assert not p3d.processes()


def test_thousands():
    """1,000 users and 10,000 jobs, some broken (the tenfold is tests/bench/bench_migrate.py)."""
    with P3D(config=features(), default="tiny", workers=0, start=False) as p3d, Old() as old:
        old.fill(users=1000, jobs=10000, broken=0.03)
        report = migrate(p3d, old)
        assert named(report) == old.broken
        assert report["counts"]["users"]["made"] == len(old.good_users)
        assert report["counts"]["tokens"]["made"] == len(old.good_tokens)
        assert sum(report["counts"]["jobs"][s] for s in ("completed", "failed", "cancelled")) == len(old.good_jobs)
