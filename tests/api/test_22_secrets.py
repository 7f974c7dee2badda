# SPDX-License-Identifier: MIT
"""No password, no token, no signature and no signing key is anywhere but in the answer that gave it out.

One busy server at debug level; while a job runs, everything that holds bytes is searched: Redis, every command that
was sent to it, its files, the data folder, the log, and the arguments and the environment of every process. Each search
must also find what is known to be there, so that a place that was not looked at fails.
"""
import base64
import hashlib
import hmac
import os
import threading

import pytest

import shapes
from p3d_test import GATED, P3D, PICTURED, descendants, until
from test_45_signed_urls import SIGNED, urls_of
from test_70_migrate import Old, migrate

USERS, JOBS, TOKENS = "/api/v1/users/", "/api/v1/system/jobs/", "/api/v1/users/tokens"
OPERATOR_KEY = "operator-canary-4711-0815"
# What is passed in; each is searched for.
WORDS = {name: "canary-%s-Tr0ub4dor" % name for name in (
    "first", "second", "third", "wrong", "unknown", "malformed", "extra", "media", "short-old", "file", "stdin", "boss",
    "migrated", "deep", "query", "flat", "number", "as-name")}


class Busy:
    """What was done, and all that must be nowhere: words, name -> text."""

    def __init__(self, p3d, folder):
        self.p3d, self.folder, self.words, self.kept = p3d, folder, dict(WORDS), {}
        self.monitor = Monitor(p3d)
        self.accounts()
        self.wrong_bodies()
        self.tokens()
        self.signed_urls()
        self.operator()
        self.old_server()
        self.running()
        self.monitor.end()

    def note_token(self, name, token):
        self.words["token of " + name] = token[12:] if token.startswith("p3d_") else token  # 12 are shown
        self.kept[name] = token
        return token

    def accounts(self):
        p3d, client = self.p3d, self.p3d.client()
        self.ann = p3d.register("ann", WORDS["first"])
        self.bob = p3d.register("bob", WORDS["second"])
        self.note_token("ann", self.ann.token)
        self.note_token("bob", self.bob.token)
        for i, name in enumerate(("ann", "ann@example.com")):
            out = client.ok("POST", USERS + "login", {"username": name, "password": WORDS["first"]})
            self.note_token("login %d" % i, out["token"])
        for name, word in (("ann", "wrong"), ("nobody-here", "unknown"), ("bob", "wrong")):
            r = client.post(USERS + "login", {"username": name, "password": WORDS[word]})
            shapes.error(r, 401)
            assert WORDS[word] not in r.text
        for word in (WORDS["as-name"], WORDS["as-name"] + "@example.com"):  # people type it in the wrong field
            shapes.error(client.post(USERS + "login", {"username": word, "password": "x"}), 401)
        self.ann.ok("PUT", USERS + "me/password", {"old_password": WORDS["first"], "new_password": WORDS["third"]})
        shapes.error(self.ann.call("PUT", USERS + "me/password",
                                   {"old_password": WORDS["short-old"], "new_password": WORDS["third"]}), 400)

    def wrong_bodies(self):
        client = self.p3d.client()
        for path in ("register", "login"):
            for kw in ({"data": '{"username": "ann", "password": "%s"' % WORDS["malformed"]},
                       {"json": {"username": "ann", "email": "a@b.c", "password": "x", "extra": WORDS["extra"]}},
                       {"json": {"username": "ann", "email": "a@b.c", "password": {"deep": WORDS["deep"]}}},
                       {"json": {"username": "ann", "email": "a@b.c", "password": [WORDS["number"], 1]}},
                       {"data": WORDS["media"], "headers": {"Content-Type": "text/plain"}},
                       {"json": {"username": "a", "email": "b", "password": WORDS["extra"], WORDS["extra"]: 1}}):
                r = client.call("POST", USERS + path, **kw)
                assert r.status_code in (400, 401, 415, 422), r.text
                if "json" not in kw or WORDS["extra"] not in kw["json"]:  # the name of a field is told
                    assert "canary" not in r.text, r.text
        client.get(USERS + "me?password=" + WORDS["query"])
        client.get("/" + WORDS["query"])
        client.get("/", headers={"X-Request-ID": "x" * 65 + WORDS["query"], "Referer": WORDS["query"],
                                 "Cookie": WORDS["query"]})
        self.ann.call("PUT", "/api/users/" + self.ann.user["user_id"], {"username": "ann", "password": WORDS["flat"]})

    def tokens(self):
        made = [self.note_token("made %d" % i, self.ann.ok("POST", TOKENS, {"token_name": "t"})["token"])
                for i in range(4)]
        nobody = self.p3d.client()
        self.ann.ok("DELETE", TOKENS + "/" + made[0])  # the whole of it is in the path
        shapes.error(self.bob.delete(TOKENS + "/" + made[1]), 404)
        self.p3d.client(made[2]).ok("POST", USERS + "logout")
        for token in made:
            nobody.get(USERS + "me", headers={"X-API-Key": token})
            nobody.get(USERS + "me?token=" + token)
            nobody.get(USERS + "me", headers={"Authorization": "Token " + token})
            nobody.get(USERS + "me", headers={"Authorization": "Bearer " + token[:-1]})
            nobody.get("/" + token)
        nobody.get(USERS + "me", headers={"Authorization": "Bearer " + self.ann.token, "X-API-Key": made[3]})

    def signed_urls(self):
        job = self.ann.submit("shown", model_preference="pictured")
        self.ann.wait(job)
        bodies = self.ann.job(job), self.ann.ok("GET", JOBS + job + "/info")
        urls = [url for body in bodies for _, url in urls_of(body)]
        assert len(urls) >= 3
        nobody = self.p3d.client()
        for url in urls:
            match = SIGNED.match(url)
            self.note_signature(match["sig"])
            path = url[len(match["base"] or ""):]
            assert nobody.get(path).status_code == 200
            shapes.error(nobody.get(path[:-1] + ("0" if path[-1] != "0" else "1")), 401)
            shapes.error(nobody.get(path, headers={"X-API-Key": "nonsense"}), 401)
            nobody.get("/nothing" + path)

    def note_signature(self, sig):
        self.words["signature %d" % len(self.words)] = sig[16:]
        self.kept["sig"] = sig

    def operator(self):
        where, cli = ["--config", self.p3d.config, "--data-dir", self.p3d.data], self.p3d.cli
        path = os.path.join(self.folder, "password")
        with open(path, "w") as f:
            f.write(WORDS["file"] + "\n")
        out = cli("users", "create", "--username", "carl", "--email", "carl@example.com", "--password-file", path,
                  *where)
        assert out.returncode == 0 and WORDS["file"] not in out.stdout + out.stderr
        self.note_token("carl", next(word for word in out.stdout.split() if word.startswith("p3d_")))
        out = cli("users", "set-password", "carl", "--password-file", "-", *where, input=WORDS["stdin"] + "\n")
        assert out.returncode == 0 and WORDS["stdin"] not in out.stdout + out.stderr, out
        self.boss = self.p3d.admin("boss", WORDS["boss"])
        self.note_token("boss", self.boss.token)
        self.note_keys()
        assert cli("keys", "rotate", *where).returncode == 0
        self.note_keys()

    def note_keys(self):
        """What signs: HMAC-SHA-256 with the artifact store's half as the key, over the half in Redis."""
        with open(os.path.join(self.p3d.data, "jobs", ".store-key"), "rb") as f:
            store_half = f.read()
        with self.p3d.redis() as r:
            rows = {k: v.split()[0].decode() for k, v in r.hgetall("p3d:{a}:keys").items()}
        self.halves = store_half, list(rows.values())
        for number, row in rows.items():
            key = hmac.new(store_half, bytes.fromhex(row), hashlib.sha256).digest()
            for form, text in (("raw", key), ("hex", key.hex()), ("HEX", key.hex().upper()),
                               ("base64", base64.b64encode(key).rstrip(b"=")),
                               ("base64url", base64.urlsafe_b64encode(key).rstrip(b"="))):
                self.words["key %s %s" % (number.decode(), form)] = text

    def old_server(self):
        folder = os.path.join(self.folder, "old")
        os.mkdir(folder)
        with Old(folder) as old:
            user = old.good_user("olga", WORDS["migrated"])
            self.note_token("olga", old.good_token(user))
            old.flush()
            report = migrate(self.p3d, old)
        assert report["counts"]["users"]["made"] == 1 and report["counts"]["tokens"]["made"] == 1, report
        client = self.p3d.client(self.kept["olga"])
        until(lambda: client.get(USERS + "me").status_code == 200, what="every server looks old tokens up")
        out = client.ok("POST", USERS + "login", {"username": "olga", "password": WORDS["migrated"]})
        self.note_token("olga anew", out["token"])

    def running(self):
        """A job at its gate, so that a spawner and a runner are there."""
        self.job = self.ann.submit("canary-of-no-secret", model_preference="gated")
        self.ann.wait(self.job, ("processing",))
        until(self.p3d.ran, what="the job's own process")
        self.note_signature(SIGNED.match(self.ann.ok("GET", "/api/v1/jobs")["jobs"][1]["mesh_url"])["sig"])

    def check(self, data, where, words=None):
        for name, word in (words or self.words).items():
            assert (word if isinstance(word, bytes) else word.encode()) not in data, (name, where)


class Monitor:
    """Everything that is sent to Redis, what scripts do there included."""

    def __init__(self, p3d):
        self.lines, self.client = [], p3d.redis()
        self.connection = self.client.connection_pool.get_connection("MONITOR")
        self.connection.send_command("MONITOR")
        assert self.connection.read_response() == b"OK"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            line = self.connection.read_response()
            self.lines.append(line)
            if b"the-monitor-may-go" in line:
                return

    def end(self):
        self.client.echo("the-monitor-may-go")
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.connection.disconnect()


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    models = {"gated": GATED, "pictured": PICTURED}
    config = {"logging": {"level": "debug"}, "security": {"hash_queue": 200}}
    with P3D(models=models, config=config, processes=2, environment={"ADMIN_API_TOKEN": OPERATOR_KEY}) as p3d:
        yield Busy(p3d, str(tmp_path_factory.mktemp("outside")))
        p3d.open_gate()


def test_redis(busy):
    """Every key, every value, and what it keeps of slow commands and of its clients."""
    seen, names = [], []
    with busy.p3d.redis() as r:
        readers = {b"string": lambda k: [r.get(k)], b"hash": lambda k: [x for row in r.hgetall(k).items() for x in row],
                   b"set": r.smembers, b"list": lambda k: r.lrange(k, 0, -1), b"zset": lambda k: r.zrange(k, 0, -1),
                   b"stream": lambda k: [x for _, row in r.xrange(k) for pair in row.items() for x in pair]}
        for key in r.scan_iter(count=1000):
            names.append(key)
            values = list(readers[r.type(key)](key))
            seen += [key] + values
            busy.check(b"\n".join([key] + [v for v in values if v]), key)
        assert len(names) == len(set(names)) == r.dbsize()
        rest = repr((r.slowlog_get(1000), r.client_list(), r.info("everything"), r.config_get("*"))).encode()
    busy.check(rest, "slow commands, clients, settings")
    seen = b"\n".join(v for v in seen if v)
    for word in (busy.ann.token[:12].encode(), hashlib.sha256(busy.ann.token.encode()).hexdigest().encode(),
                 b"$pbkdf2-sha256$i=10000$", busy.halves[1][0].encode(), b"login_failed", b"keys_rotated",
                 b"canary-of-no-secret"):
        assert word in seen, word  # it was the right place to look
    assert OPERATOR_KEY.encode() not in seen


def test_nothing_was_even_sent_to_redis(busy):
    data = b"\n".join(busy.monitor.lines)
    busy.check(data, "MONITOR", {name: word for name, word in busy.words.items() if name != "as-name"})
    assert data.count(b"evalsha") + data.count(b"EVALSHA") > 50 and b"login_failed" in data and b"pbkdf2-sha256" in data
    for word in (busy.ann.token[:12], hashlib.sha256(busy.ann.token.encode()).hexdigest()):
        assert word.encode() in data, word
    assert OPERATOR_KEY.encode() not in data


def test_files(busy):
    """The data folder with Redis's own files, run files, work folders, results, and the log. Not: the configuration."""
    found = {}
    with busy.p3d.redis() as r:
        r.execute_command("SAVE")  # an RDB as well as the log
    for folder, _, names in os.walk(busy.p3d.folder):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".sock") or path == busy.p3d.config:
                continue
            with open(path, "rb") as f:
                found[path] = f.read()
            busy.check(found[path], path, {**busy.words, "operator's key": OPERATOR_KEY})
            busy.check(path.encode(), path)
    assert len(found) > 10

    def holds(part, *words):
        data = b"".join(text for path, text in found.items() if part in path)
        for word in words:
            assert (word if isinstance(word, bytes) else word.encode()) in data, (part, word)
    with busy.p3d.redis() as r:
        stored = r.hget("p3d:{a}:user:" + busy.ann.user["user_id"], "hash")
    holds(".aof", stored, busy.ann.token[:12], busy.halves[1][0])
    holds(".rdb", busy.bob.token[:12])
    holds("/jobs/", busy.halves[0], b"glTF")
    holds("p3d.log", "path_route", " debug ", "/api/v1/users/tokens/{token}")
    holds("/work/", "canary-of-no-secret")  # what the running job was given


def test_every_process(busy):
    """Arguments and environment of the supervisor and everything below it, the running job included."""
    p3d, seen = busy.p3d, {}
    everybody = {p3d.process.pid, *descendants(p3d.process.pid), *p3d.processes()}
    for pid in everybody:
        texts = {}
        for name in ("cmdline", "environ", "comm"):
            try:
                with open("/proc/%d/%s" % (pid, name), "rb") as f:
                    texts[name] = f.read()
            except OSError:  # a command of the job's script has ended
                break
        else:
            seen[pid] = texts
            for name, text in texts.items():
                busy.check(text, (pid, name, texts["cmdline"]))
    words = {pid: text["cmdline"].replace(b"\0", b" ").decode() for pid, text in seen.items()}
    roles = {role: [pid for pid, text in words.items() if mark in text] for role, mark in
             (("up", "p3d up "), ("redis", "redis-server"), ("serve", "p3d serve"), ("work", "p3d work"),
              ("spawner", "p3d spawner"), ("job", "gated.sh"))}
    assert {role: len(pids) for role, pids in roles.items()} == \
        {"up": 1, "redis": 1, "serve": 2, "work": 2, "spawner": 2, "job": 1}, words
    assert OPERATOR_KEY.encode() in seen[roles["up"][0]]["environ"]  # that is how it was given
    job = seen[roles["job"][0]]
    assert busy.job.encode() in job["environ"]
    for pid in roles["job"] + roles["redis"] + roles["spawner"]:
        assert OPERATOR_KEY.encode() not in seen[pid]["environ"], words[pid]
    for text in seen.values():
        assert OPERATOR_KEY.encode() not in text["cmdline"]


def test_what_was_given_out_still_works(busy):
    """None of the words was searched for in a wrong spelling."""
    for name in ("ann", "bob", "carl", "boss", "olga", "olga anew", "made 3"):
        status = busy.p3d.client(busy.kept[name]).get(USERS + "me").status_code
        # A password that was set, by oneself or by the operator, has ended carl's and ann's other tokens.
        assert status == (401 if name == "carl" else 200), (name, status)
    for name, word in (("ann", "third"), ("bob", "second"), ("carl", "stdin"), ("boss", "boss"), ("olga", "migrated")):
        assert busy.p3d.client().post(USERS + "login", {"username": name, "password": WORDS[word]}).ok, name
    path = [url for _, url in urls_of(busy.ann.ok("GET", "/api/v1/jobs"))][0]
    assert SIGNED.match(path)
    assert len([w for w in busy.words if w.startswith("signature")]) >= 4
    assert len([w for w in busy.words if w.startswith("key")]) >= 10
