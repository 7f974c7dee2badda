# SPDX-License-Identifier: MIT
"""The operator's command line: every verb by every name of an account, its exit status and its JSON; and that what it
changes is so on every server at the next request."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import shapes
from another import belongs_to_another
from p3d_test import BINARY, GATED, P3D, PASSWORD, TINY, Client, until
from private_redis import PrivateRedis
from test_50_supervisor import converse

LOGIN, ME = "/api/v1/users/login", "/api/v1/users/me"
USERS = "/api/v1/users/admin/users"
DISABLED = "User account is disabled"
ACCOUNT = ["created_at", "email", "id", "is_active", "last_login_at", "max_concurrent_jobs", "max_queued_jobs", "role",
           "status", "user_id", "username"]
MODELS = {"tiny": TINY, "gated": GATED}
ZULU = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def run(p3d, *words, status=0, **kw):
    """The verb with the configuration of p3d; its whole answer."""
    if "input" not in kw:
        kw["stdin"] = subprocess.DEVNULL
    out = p3d.cli(*words, "--config", p3d.config, "--data-dir", p3d.data, **kw)
    assert out.returncode == status, (words, out.returncode, out.stdout, out.stderr)
    assert "Sanitizer" not in out.stderr and "runtime error" not in out.stderr, out.stderr
    if status != 0:
        assert out.stdout == "" and out.stderr.strip(), (words, out)
    return out


def said(p3d, *words, **kw):
    return run(p3d, *words, **kw).stdout


def told(p3d, *words, **kw):
    """With --json: the one value that is printed."""
    return json.loads(run(p3d, *words, "--json", **kw).stdout)


def words_of(p3d, *words):
    return [BINARY, *words, "--config", p3d.config, "--data-dir", p3d.data]


def get(p3d, name):
    return told(p3d, "users", "get", str(name))


def names(p3d, client):
    """Every spelling of an account's id."""
    user = client.user
    return [str(get(p3d, user["user_id"])["id"]), user["user_id"], user["email"], user["username"]]


def login(p3d, name, password=PASSWORD):
    return p3d.client().post(LOGIN, {"username": name, "password": password})


class Everywhere:
    """One kept connection to each serve process."""

    def __init__(self, p3d, processes):
        self.clients = {}
        for _ in range(200):
            client = p3d.client()
            answer = client.get("/health")
            mark = "req=" + answer.headers["X-Request-ID"]
            line = until(lambda: next((x for x in p3d.log().splitlines() if mark in x), None), what="its line")
            self.clients.setdefault(re.search(r" (serve-\d)\[", line).group(1), client)
            if len(self.clients) == processes:
                return
        raise AssertionError("one process takes everything: %s" % list(self.clients))

    def get(self, path, token):
        return [c.get(path, headers={"Authorization": "Bearer " + token}) for c in self.clients.values()]

    def status(self, path, token):
        return [r.status_code for r in self.get(path, token)]


@pytest.fixture(scope="module")
def p3d():
    with P3D(MODELS, {"logging": {"level": "debug"}}, processes=2, workers=2, default="tiny") as server:
        server.everywhere = Everywhere(server, 2)
        server.boss = server.admin()
        yield server


# ---- which account is meant

def test_every_verb_takes_every_name(p3d, ann):
    for name in names(p3d, ann):
        assert get(p3d, name)["user_id"] == ann.user["user_id"]
        for verb in ("promote", "demote", "suspend", "activate"):
            out = told(p3d, "users", verb, name)
            assert sorted(out) == ["changed", "user"] and out["changed"] is True, (verb, out)
            assert sorted(out["user"]) == ACCOUNT
        assert told(p3d, "users", "update", name, "--max-queued-jobs", "7")["user"]["max_queued_jobs"] == 7
        assert told(p3d, "users", "update", "--max-queued-jobs", "default", name)["changed"] is True
        assert told(p3d, "users", "set-password", name, "--password-file", "-", "--keep-tokens",
                    input=PASSWORD + "\n")["user"]["user_id"] == ann.user["user_id"]
        assert told(p3d, "audit", "--user", name, "--limit", "1")["entries"][0]["target"] == ann.user["user_id"]
    assert ann.ok("GET", ME)["user"] == ann.user
    assert get(p3d, ann.user["username"].upper())["user_id"] == ann.user["user_id"]


def test_delete_takes_every_name(p3d):
    for i in range(4):
        gone = p3d.register(shapes.unique("gone"))
        name = names(p3d, gone)[i]
        out = told(p3d, "users", "delete", name, "--yes")
        assert sorted(out) == ["deleted", "user"] and out["deleted"] is True
        assert out["user"]["user_id"] == gone.user["user_id"] and sorted(out["user"]) == ACCOUNT
        for answer in p3d.everywhere.get(ME, gone.token):
            shapes.error(answer, 401, shapes.BAD_TOKEN)
        assert login(p3d, gone.user["username"]).status_code == 401
        assert "User not found" in run(p3d, "users", "delete", gone.user["user_id"], "--yes", status=1).stderr
        assert [e["action"] for e in told(p3d, "audit", "--user", gone.user["user_id"])["entries"]][0] == "deleted"


ABSENT = ["999999", shapes.ABSENT_USER, "nobody@example.com", "nobody-here", "-5", "x" * 300, "", "user_abc", "*"]


@pytest.mark.parametrize("verb", [["get"], ["promote"], ["demote"], ["suspend"], ["activate"], ["delete", "--yes"],
                                  ["update", "--max-queued-jobs", "1"], ["set-password", "--password-file", "-"]])
def test_nobody_of_that_name(p3d, verb):
    for name in ABSENT if verb == ["get"] else ABSENT[:4]:
        out = p3d.cli("users", *verb, "--config", p3d.config, "--json", "--", name, input=PASSWORD + "\n")
        assert (out.returncode, out.stdout, out.stderr) == (1, "", "User not found\n"), (name, out)
    assert run(p3d, "audit", "--user", "nobody-here", status=1).stderr == "User not found\n"


# ---- usage

@pytest.mark.parametrize("words, text", [
    (["users", "get"], "<id> is missing"),
    (["users", "suspend"], "<id> is missing"),
    (["users", "get", "a", "b"], "unknown word b"),
    (["users", "list", "ann"], "unknown word ann"),
    (["users", "list", "--limit", "0"], "--limit: a number from 1 to 1000"),
    (["users", "list", "--limit", "1001"], "--limit"),
    (["users", "list", "--offset", "-1"], "--offset"),
    (["users", "update", "ann"], "nothing to change"),
    (["users", "update", "ann", "--max-queued-jobs", "-2"], "a limit is a number"),
    (["users", "update", "ann", "--max-concurrent-jobs", "many"], "a limit is a number"),
    (["users", "update", "ann", "--max-concurrent-jobs", "100000001"], "a limit is a number"),
    (["users", "update", "ann", "--max-concurrent-jobs"], "a value is missing"),
    (["users", "delete", "ann"], "--yes"),
    (["users", "set-password", "ann"], "no password"),
    (["users", "set-password", "ann", "--password", "x" * 9, "--password-file", "-"], "one of them"),
    (["users", "promote", "ann", "--yes"], "unknown flag --yes"),
    (["audit", "--limit", "x"], "--limit"),
    (["audit", "--limit", "10001"], "--limit"),
    (["audit", "--cursor", ""], "--cursor"),
    (["audit", "--cursor", "yesterday"], "--cursor"),
    (["keys", "rotate", "--later"], "unknown flag --later"),
    (["keys"], "unknown verb"),
    (["users", "marry", "ann"], "unknown verb users marry"),
])
def test_usage(p3d, words, text):
    where = [] if words[-1] in ("--max-concurrent-jobs", "keys") else ["--config", p3d.config]
    out = p3d.cli(*words, *where, stdin=subprocess.DEVNULL)
    assert (out.returncode, out.stdout) == (2, ""), out
    assert text in out.stderr, out.stderr


def test_help_has_an_example():
    for words in ("users list", "users get", "users set-password", "users promote", "users demote", "users suspend",
                  "users activate", "users update", "users delete", "audit", "keys rotate"):
        out = subprocess.run([BINARY, *words.split(), "--help"], capture_output=True, text=True, timeout=60)
        assert out.returncode == 0 and "example:" in out.stdout and "--json" in out.stdout, words
        assert out.stdout.startswith("usage: p3d " + words)


# ---- looking

def test_list_and_get(p3d, ann, bob):
    page = told(p3d, "users", "list", "--limit", "2")
    assert sorted(page) == ["total", "users"]
    assert [u["username"] for u in page["users"]] == [bob.user["username"], ann.user["username"]]
    for account in page["users"]:
        assert sorted(account) == ACCOUNT
        assert account["max_concurrent_jobs"] is None and account["max_queued_jobs"] is None
        assert (account["role"], account["status"], account["is_active"]) == ("user", "active", True)
    assert told(p3d, "users", "list", "--limit", "1", "--offset", "1")["users"] == page["users"][1:]
    last = told(p3d, "users", "list", "--offset", str(page["total"] - 1))
    assert last["total"] == page["total"] and len(last["users"]) == 1
    assert told(p3d, "users", "list", "--offset", "100000")["users"] == []

    out = run(p3d, "users", "list", "--limit", "2")
    head, first, second = out.stdout.splitlines()
    assert head.split()[:4] == ["ID", "USER", "ID", "USERNAME"]
    assert first.index(bob.user["user_id"]) == second.index(ann.user["user_id"]) == head.index("USER ID")
    assert first.index(bob.user["email"]) == head.index("EMAIL")
    assert out.stderr == "2 of %d accounts\n" % page["total"]

    one = get(p3d, ann.user["email"])
    assert sorted(one) == sorted(ACCOUNT + ["failed_logins"])
    assert {k: one[k] for k in shapes.USER_KEYS} == ann.user
    text = said(p3d, "users", "get", ann.user["email"])
    for part in ("User ID:              " + ann.user["user_id"], "Email:                " + ann.user["email"],
                 "Role:                 user", "Status:               active",
                 "Max concurrent jobs:  default (no limit)",
                 "Max queued jobs:      default (100000)", "Failed logins lately: 0", "Last login:"):
        assert part in text, text
    assert "pbkdf2" not in text + json.dumps(one)


def test_last_login_and_failed_logins():
    config = {"security": {"login_free_failures": 50}}
    with P3D(MODELS, config, workers=1) as p3d:
        made = p3d.admin("ann")
        assert get(p3d, "ann")["last_login_at"] is None
        assert "Last login:           never" in said(p3d, "users", "get", "ann")
        for _ in range(3):
            assert login(p3d, "ann", "wrong password").status_code == 401
        assert get(p3d, "ann")["failed_logins"] == 3
        assert login(p3d, "ann").status_code == 200
        now = get(p3d, made.user["user_id"])
        assert now["failed_logins"] == 0 and shapes.NAIVE_TIME.match(now["last_login_at"])


# ---- changing

def test_promote_and_demote(p3d, ann):
    name = ann.user["username"]
    assert p3d.everywhere.status(USERS, ann.token) == [403, 403]
    assert said(p3d, "users", "promote", name) == name + " is an admin now\n"
    assert p3d.everywhere.status(USERS, ann.token) == [200, 200]
    assert said(p3d, "users", "promote", name) == name + " is an admin already\n"
    assert told(p3d, "users", "promote", name)["changed"] is False
    assert said(p3d, "users", "demote", name) == name + " is an ordinary user now\n"
    for answer in p3d.everywhere.get(USERS, ann.token):
        shapes.error(answer, 403, shapes.NOT_ADMIN)
    assert said(p3d, "users", "demote", name) == name + " is an ordinary user already\n"


def test_suspend_and_activate(p3d, ann):
    name = ann.user["username"]
    second = login(p3d, name).json()["token"]
    assert said(p3d, "users", "suspend", name) == name + " is suspended now\n"
    for token in (ann.token, second):
        for answer in p3d.everywhere.get(ME, token):
            shapes.error(answer, 401, DISABLED)
    shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 401, DISABLED)
    shapes.error(login(p3d, name), 401, DISABLED)
    assert (get(p3d, name)["status"], get(p3d, name)["is_active"]) == ("suspended", False)
    assert said(p3d, "users", "suspend", name) == name + " is suspended already\n"
    assert said(p3d, "users", "activate", name) == name + " is active now\n"
    for token in (ann.token, second):
        assert p3d.everywhere.status(ME, token) == [200, 200]
    assert login(p3d, name).status_code == 200


def test_set_password(p3d, ann):
    name = ann.user["username"]
    new = "another horse 4"
    second = login(p3d, name).json()["token"]
    out = run(p3d, "users", "set-password", name, "--password-file", "-", input=new + "\n")
    assert out.stdout == name + " has a new password; all tokens of the account have ended\n" and out.stderr == ""
    for token in (ann.token, second):
        for answer in p3d.everywhere.get(ME, token):
            shapes.error(answer, 401, shapes.BAD_TOKEN)
    shapes.error(login(p3d, name), 401, "Invalid username or password")
    token = login(p3d, name, new).json()["token"]
    assert p3d.everywhere.status(ME, token) == [200, 200]

    newest = "third horse 5"  # the tokens stay; the admin's from the environment is nobody else's
    p3d.environment["ADMIN_PASSWORD"] = "horse of the admin 6"
    try:
        refused = run(p3d, "users", "set-password", name, status=2)
        assert "no password: give --password-file" in refused.stderr and "ADMIN_PASSWORD" not in refused.stderr
        out = told(p3d, "users", "set-password", name, "--keep-tokens", "--password-file", "-", input=newest)
        made = told(p3d, "users", "create", "--username", "of-" + name, "--email", name + "@env.example.com")
        assert login(p3d, "of-" + name, "horse of the admin 6").status_code == 200 and made["user"]["role"] == "user"
    finally:
        del p3d.environment["ADMIN_PASSWORD"]
    assert "ADMIN_PASSWORD" not in said(p3d, "users", "set-password", "--help")
    assert "ADMIN_PASSWORD" in said(p3d, "users", "create", "--help")
    assert sorted(out) == ["tokens_revoked", "user"] and out["tokens_revoked"] is False
    assert p3d.everywhere.status(ME, token) == [200, 200]
    assert login(p3d, name, new).status_code == 401 and login(p3d, name, newest).status_code == 200

    for bad, text in (("short", "Password must be at least 8 characters"), ("x" * 1025, "Password is too long")):
        assert text in run(p3d, "users", "set-password", name, "--password-file", "-", status=1, input=bad).stderr
    assert login(p3d, name, newest).status_code == 200


def test_update(p3d, ann, bob):
    name = ann.user["username"]
    renamed = shapes.unique("renamed")
    out = said(p3d, "users", "update", name, "--username", renamed, "--max-concurrent-jobs", "3", "--max-queued-jobs",
               "-1")
    assert out == "username: %s -> %s\nmax concurrent jobs: default -> 3\nmax queued jobs: default -> no limit\n" % (
        name, renamed)
    assert "Max concurrent jobs:  3\nMax queued jobs:      no limit\n" in said(p3d, "users", "get", renamed)
    now = get(p3d, renamed)
    assert (now["max_concurrent_jobs"], now["max_queued_jobs"]) == (3, -1)
    assert ann.ok("GET", ME)["user"]["username"] == renamed
    assert login(p3d, renamed).status_code == 200 and login(p3d, name).status_code == 401
    assert said(p3d, "users", "update", renamed, "--max-concurrent-jobs", "3") == renamed + " is like that already\n"
    out = said(p3d, "users", "update", renamed, "--max-concurrent-jobs=default")
    assert out == "max concurrent jobs: 3 -> default\n"
    taken = run(p3d, "users", "update", renamed, "--username", bob.user["username"].upper(), status=1)
    assert taken.stderr == "Username or email already exists\n"
    for bad, text in (("ab", "Username must be at least 3 characters"), ("a b c", "Username may contain only")):
        assert text in run(p3d, "users", "update", renamed, "--username", bad, status=1).stderr
    assert get(p3d, renamed)["username"] == renamed


# ---- the limits count

def submitted(client, n, model="gated"):
    return [client.submit("job %d" % i, model_preference=model) for i in range(n)]


def states(client, jobs):
    return [client.job(j)["status"] for j in jobs]


def test_max_queued_jobs():
    with P3D(MODELS, workers=1, default="gated") as p3d:
        ann = p3d.register("ann")
        run(p3d, "users", "update", "ann", "--max-queued-jobs", "2")
        first = ann.submit("runs")
        ann.wait(first, ("processing",))
        waiting = submitted(ann, 2)
        shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 429, "Too many queued jobs")
        run(p3d, "users", "update", "ann", "--max-queued-jobs", "3")
        waiting += submitted(ann, 1)
        shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 429)
        run(p3d, "users", "update", "ann", "--max-queued-jobs", "-1")
        waiting += submitted(ann, 2)
        run(p3d, "users", "update", "ann", "--max-queued-jobs", "0")
        shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 429)
        run(p3d, "users", "update", "ann", "--max-queued-jobs", "default")
        waiting += submitted(ann, 1)
        p3d.open_gate()
        for job in [first] + waiting:
            assert ann.wait(job)["status"] == "completed"


def test_max_concurrent_jobs():
    with P3D(MODELS, workers=2, default="gated") as p3d:
        ann, bob = p3d.register("ann"), p3d.register("bob")
        run(p3d, "users", "update", "ann", "--max-concurrent-jobs", "1")
        jobs = submitted(ann, 5)
        for i in range(3):  # one after the other, though two workers are there
            running = until(lambda: [j for j in jobs if ann.job(j)["status"] == "processing"], what="one runs")
            until(lambda: running[0] in p3d.ran(), what="the attempt has begun")
            if i == 0:  # the other worker is free for others
                other = bob.submit("bob's", model_preference="tiny")
                assert bob.wait(other)["status"] == "completed"
            assert states(ann, jobs).count("processing") == 1, states(ann, jobs)
            p3d.open_gate(running[0])
            assert ann.wait(running[0])["status"] == "completed"
        until(lambda: states(ann, jobs).count("processing") == 1, what="the fourth runs")
        run(p3d, "users", "update", "ann", "--max-concurrent-jobs", "2")  # raised: both run
        until(lambda: states(ann, jobs).count("processing") == 2, what="both run")
        p3d.open_gate()
        for job in jobs:
            ann.wait(job)
        p3d.close_gate()

        run(p3d, "users", "update", "ann", "--max-concurrent-jobs", "0")
        jobs = submitted(ann, 2)
        for _ in range(3):  # both workers come and go meanwhile
            other = bob.submit("bob's", model_preference="tiny")
            assert bob.wait(other)["status"] == "completed"
        assert states(ann, jobs) == ["queued", "queued"]
        run(p3d, "users", "update", "ann", "--max-concurrent-jobs", "-1")
        until(lambda: states(ann, jobs) == ["processing", "processing"], what="both run")
        p3d.open_gate()
        for job in jobs:
            assert ann.wait(job)["status"] == "completed"


# ---- the audit

def test_audit(p3d, ann):
    name, user_id = ann.user["username"], ann.user["user_id"]
    for words in (["promote"], ["demote"], ["suspend"], ["activate"], ["update", "--max-queued-jobs", "5"],
                  ["update", "--username", name + "x"]):
        run(p3d, "users", words[0], user_id, *words[1:])
    run(p3d, "users", "set-password", user_id, "--password-file", "-", input=PASSWORD)
    run(p3d, "users", "delete", user_id, "--yes")
    out = told(p3d, "audit", "--user", user_id)
    assert sorted(out) == ["entries", "next_cursor"] and out["next_cursor"] is None
    for e in out["entries"]:
        assert sorted(e) == ["action", "actor", "address", "detail", "id", "target", "time"]
        assert ZULU.match(e["time"]) and e["target"] == user_id and isinstance(e["id"], int)
    ours = [e for e in out["entries"] if e["actor"] == "operator"]
    assert [e["action"] for e in ours] == ["deleted", "password_set", "username_changed", "limits_changed",
                                           "status_changed", "status_changed", "role_changed", "role_changed"]
    assert {e["address"] for e in ours} == {"local"}
    assert "tokens revoked" in ours[1]["detail"] and "5" in ours[3]["detail"]
    theirs = [e for e in out["entries"] if e["actor"] != "operator"]
    assert [e["action"] for e in theirs][-1] == "registered"
    assert PASSWORD not in json.dumps(out)
    assert (name + "x") not in json.dumps(out)  # ids only

    text = said(p3d, "audit", "--user", user_id)
    lines = text.splitlines()
    assert lines[0].split() == ["TIME", "ACTOR", "ACTION", "TARGET", "ADDRESS", "DETAIL"]
    assert len(lines) == 1 + len(out["entries"])
    assert lines[1].split()[1:5] == ["operator", "deleted", user_id, "local"]


def test_audit_pages(p3d):
    for _ in range(5):
        p3d.register(shapes.unique("page"))
    whole = told(p3d, "audit", "--limit", "10000")["entries"]
    assert len({e["id"] for e in whole}) == len(whole) > 8
    first = run(p3d, "audit", "--limit", "3")
    cursor = re.fullmatch(r"older ones: --cursor (\S+)\n", first.stderr).group(1)
    found = told(p3d, "audit", "--limit", "3")
    assert found["entries"] == whole[:3] and found["next_cursor"] == cursor
    second = told(p3d, "audit", "--limit", "4", "--cursor", cursor)
    assert second["entries"] == whole[3:7]


def noted(r, *entries):
    """As the store's scripts do it (store/lua/directory.lua)."""
    last = r.incrby("p3d:{a}:seq:audit", len(entries))
    pipe = r.pipeline()
    for i, entry in enumerate(entries):
        whole = {"at": int(time.time() * 1000), "actor": "operator", "action": "role_changed",
                 "target": shapes.ABSENT_USER, "address": "local", "detail": ""}
        pipe.xadd("p3d:{a}:audit", {**whole, **entry}, id="%d-0" % (last - len(entries) + 1 + i))
    pipe.execute()


def test_audit_follows_short_pages(p3d):
    """The entries of one account lie far behind many of others."""
    old = p3d.register(shapes.unique("old"))
    with p3d.redis() as r:
        noted(r, *[{"detail": str(i)} for i in range(9000)])
    entries = told(p3d, "audit", "--user", old.user["username"], "--limit", "2")["entries"]
    assert "registered" in [e["action"] for e in entries]


def test_nothing_reaches_the_terminal_that_moves_the_cursor(p3d, ann):
    with p3d.redis() as r:
        noted(r, {"action": "login", "target": ann.user["user_id"], "address": "x\x1b[2Jy",
                  "detail": b"\xff\n\xc2\x9b1m"})
    out = run(p3d, "audit", "--limit", "1").stdout
    assert "\x1b" not in out and "\x9b" not in out and "x?[2Jy" in out and len(out.splitlines()) == 2


# ---- keys of signed URLs

def test_keys_rotate():
    config = {"security": {"url_ttl_seconds": 600}}
    with P3D(MODELS, config, processes=2, default="tiny") as p3d:
        everywhere = Everywhere(p3d, 2)
        ann = p3d.register("ann")
        job = ann.submit("x")
        url = ann.wait(job)["mesh_url"]
        assert "sig=" in url
        path = url[len(p3d.base):]

        def statuses():
            return [c.get(path).status_code for c in everywhere.clients.values()]
        assert statuses() == [200, 200]
        out = told(p3d, "keys", "rotate")
        assert sorted(out) == ["at_once", "old_urls_until", "rotated", "signs_from"]
        assert out["rotated"] is True and out["at_once"] is False
        assert ZULU.match(out["signs_from"]) and ZULU.match(out["old_urls_until"])
        assert statuses() == [200, 200]
        text = said(p3d, "keys", "rotate")
        assert re.match(r"A new key signs URLs from \S+Z on\. URLs given out before stay good until", text)
        assert statuses() == [200, 200]

        out = told(p3d, "keys", "rotate", "--now")
        assert out["at_once"] is True and out["old_urls_until"] is None
        until(lambda: statuses() == [401, 401], 8, "the end of old URLs")
        for client in everywhere.clients.values():
            shapes.error(client.get(path), 401, "Invalid or expired signature")
        fresh = ann.job(job)["mesh_url"][len(p3d.base):]
        until(lambda: [c.get(fresh).status_code for c in everywhere.clients.values()] == [200, 200], 8, "new URLs")

        for _ in range(7):
            run(p3d, "keys", "rotate")
        assert "no room for another" in run(p3d, "keys", "rotate", status=1).stderr
        assert "All URLs given out before are refused within 5 seconds" in said(p3d, "keys", "rotate", "--now")
        entries = [e for e in told(p3d, "audit")["entries"] if e["action"] == "keys_rotated"]
        assert len(entries) == 11 and {e["actor"] for e in entries} == {"operator"}


# ---- where Redis is

def test_while_nothing_runs():
    with P3D(MODELS, start=False) as p3d:
        open(p3d.log_path, "ab").close()
        made = json.loads(run(p3d, "users", "create", "--username", "root", "--email", "root@example.com", "--json",
                              "--password-file", "-", input="lost and gone\n").stdout)
        assert said(p3d, "users", "promote", "root") == "root is an admin now\n"
        run(p3d, "users", "set-password", "root@example.com", "--password-file", "-", input=PASSWORD)
        run(p3d, "users", "update", "1", "--max-queued-jobs", "9")
        assert "warning: no active admin is left" in run(p3d, "users", "suspend", "root").stderr
        assert run(p3d, "users", "activate", "root").stderr == ""
        run(p3d, "keys", "rotate")
        assert len(told(p3d, "audit")["entries"]) >= 6
        assert told(p3d, "users", "list")["total"] == 1
        assert not p3d.processes()  # the Redis of each call is gone again
        p3d.start()
        assert p3d.client(made["token"]).get(ME).status_code == 401
        token = login(p3d, "root").json()["token"]
        assert p3d.client(token).ok("GET", USERS)["count"] == 1


def test_calls_at_the_same_time_while_nothing_runs():
    """None stops the Redis that another one talks to."""
    with P3D(MODELS, start=False) as p3d:
        open(p3d.log_path, "ab").close()
        p3d.admin("ann")
        for _ in range(4):
            calls = [subprocess.Popen([BINARY, "users", verb, "ann", "--config", p3d.config, "--data-dir", p3d.data],
                                      cwd=p3d.folder, env=p3d.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                     for verb in ("get", "promote", "activate", "get", "promote", "activate")]
            for call in calls:
                out, err = call.communicate(timeout=60)
                assert call.returncode == 0 and out, (out, err)
        assert not p3d.processes()


def test_the_last_admin(p3d):
    other = p3d.register(shapes.unique("other"))
    run(p3d, "users", "promote", other.user["username"])
    assert run(p3d, "users", "demote", other.user["username"]).stderr == ""  # one is left
    with P3D(MODELS, workers=1) as alone:
        root = alone.admin()
        warned = [run(alone, "users", "demote", "root").stderr]
        assert run(alone, "users", "demote", "root").stderr == ""
        run(alone, "users", "promote", "root")
        warned.append(run(alone, "users", "suspend", "root").stderr)
        run(alone, "users", "activate", "root")
        assert root.get(USERS).status_code == 200
        warned.append(run(alone, "users", "delete", "root", "--yes").stderr)
        assert warned == ["warning: no active admin is left; `p3d users promote <id>` makes one\n"] * 3


def test_another_redis(tmp_path):
    with PrivateRedis(tcp=True) as external:
        with P3D(MODELS, {"redis": {"url": external.tcp_url}}, workers=1) as p3d:
            ann = p3d.register("ann")
            for where in (["--redis-url", external.url], []):
                assert told(p3d, "users", "get", "ann", *where)["user_id"] == ann.user["user_id"]
            assert said(p3d, "users", "suspend", "ann", "--redis-url", external.tcp_url) == "ann is suspended now\n"
            shapes.error(ann.get(ME), 401, DISABLED)
            bare = {k: v for k, v in p3d.environment.items()}
            out = subprocess.run([BINARY, "users", "activate", "ann"], capture_output=True, text=True, timeout=60,
                                 cwd=str(tmp_path), env={**bare, "P3D_REDIS_URL": external.tcp_url},
                                 stdin=subprocess.DEVNULL)
            assert (out.returncode, out.stdout) == (0, "ann is active now\n"), out
            assert not os.path.exists(os.path.join(p3d.data, "run", "redis.sock"))
            assert ann.get(ME).status_code == 200


VERBS = [["users", "list"], ["users", "get", "ann"], ["users", "promote", "ann"], ["users", "demote", "ann"],
         ["users", "suspend", "ann"], ["users", "activate", "ann"], ["users", "delete", "ann", "--yes"],
         ["users", "update", "ann", "--max-queued-jobs", "1"], ["audit"], ["keys", "rotate"],
         ["users", "set-password", "ann", "--password-file", "-"]]


def test_redis_out_of_reach():
    with P3D(MODELS, start=False) as p3d, socket.socket() as nobody:
        open(p3d.log_path, "ab").close()
        nobody.bind(("127.0.0.1", 0))  # not listening: refused
        port = nobody.getsockname()[1]
        calls = [subprocess.Popen([BINARY, *verb, "--config", p3d.config, "--json", "--redis-url",
                                   "redis://me:hush@127.0.0.1:%d/0" % port], cwd=p3d.folder, env=p3d.environment,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                 for verb in VERBS]
        for verb, call in zip(VERBS, calls):
            out, err = call.communicate(PASSWORD + "\n", timeout=60)
            assert (call.returncode, out) == (3, ""), (verb, call.returncode, out, err)
            assert "Redis cannot be reached at redis://127.0.0.1:%d/0" % port in err and "hush" not in err, (verb, err)
        assert not p3d.processes()
        out = run(p3d, "users", "list", "--redis-url", "ftp://me:hush@127.0.0.1", status=1)
        assert "redis.url" in out.stderr and "hush" not in out.stderr


def test_an_answer_that_does_not_come():
    """Connected, then Redis hangs: it is not known what was done, and that is said."""
    external = PrivateRedis()
    try:
        with P3D(MODELS, {"redis": {"url": external.url, "timeout_ms": 1000}}, start=False) as p3d:
            open(p3d.log_path, "ab").close()
            p3d.admin("ann")

            class Answers(list):
                def pop(self, _):
                    external.process.send_signal(signal.SIGSTOP)
                    return super().pop(0)
            status, shown = converse(words_of(p3d, "users", "delete", "ann"), Answers([(b"confirm: ", b"ann\n")]),
                                     p3d.environment, p3d.folder)
            external.process.send_signal(signal.SIGCONT)
            assert status == 3, shown
            assert "whether anything was changed is not known" in shown
            assert "Redis cannot be reached at " + external.url in shown
    finally:
        external.process.send_signal(signal.SIGCONT)
        external.close()


def test_the_data_folder_of_another_user():
    """Files that root's Redis would leave there could not be written by the service any more."""
    with P3D(MODELS, start=False) as p3d:
        open(p3d.log_path, "ab").close()
        p3d.admin("ann")
        redis_folder = os.path.join(p3d.data, "redis")
        there = sorted(os.listdir(redis_folder))
        with belongs_to_another(redis_folder) as (uid, before):
            refused = run(p3d, "users", "list", status=1, before=before).stderr
            assert "belongs to user %d and nothing runs there" % uid in refused
            assert not p3d.processes()
        assert sorted(os.listdir(redis_folder)) == there
        assert told(p3d, "users", "list")["total"] == 1  # ours again
        p3d.start()
        with belongs_to_another(redis_folder) as (_, before):
            assert told(p3d, "users", "list", before=before)["total"] == 1  # it runs: nothing is started


def test_simple_mode():
    """Accounts sleep, and can be looked after all the same."""
    with P3D(MODELS, {"security": {"user_auth_enabled": False}}, workers=1) as p3d:
        p3d.admin("ann")
        assert said(p3d, "users", "demote", "ann") == "ann is an ordinary user now\n"
        assert said(p3d, "users", "suspend", "ann") == "ann is suspended now\n"
        run(p3d, "users", "set-password", "ann", "--password-file", "-", input=PASSWORD)
        run(p3d, "users", "update", "ann", "--max-concurrent-jobs", "0")
        assert "keys_rotated" not in said(p3d, "audit")
        run(p3d, "keys", "rotate")
        assert "keys_rotated" in said(p3d, "audit")
        assert told(p3d, "users", "list")["total"] == 1
        free = p3d.client()
        assert free.wait(free.submit("x", model_preference="tiny"))["status"] == "completed"
        run(p3d, "users", "delete", "ann", "--yes")


# ---- at the terminal

def test_delete_asks(p3d, ann):
    name = ann.user["username"]
    argv = words_of(p3d, "users", "delete", name)
    status, shown = converse(argv, [(b"confirm: ", b"no\n")], p3d.environment, p3d.folder)
    assert status == 1 and "nothing was deleted" in shown and ann.user["email"] in shown
    assert ann.get(ME).status_code == 200
    status, shown = converse(argv, [(b"confirm: ", name.encode() + b"\n")], p3d.environment, p3d.folder)
    assert status == 0 and "is deleted" in shown, shown
    shapes.error(ann.get(ME), 401, shapes.BAD_TOKEN)


def test_set_password_asks_twice_unseen(p3d, ann):
    argv = words_of(p3d, "users", "set-password", ann.user["username"])
    new = b"typed unseen 6"
    status, shown = converse(argv, [(b"Password: ", new + b"\n"), (b"Password again: ", b"other\n")], p3d.environment,
                             p3d.folder)
    assert status == 1 and "not the same" in shown
    status, shown = converse(argv, [(b"Password: ", new + b"\n"), (b"Password again: ", new + b"\n")], p3d.environment,
                             p3d.folder)
    assert status == 0 and "all tokens of the account have ended" in shown and new.decode() not in shown
    assert login(p3d, ann.user["username"], new.decode()).status_code == 200
    # A wrong name is said before anything is asked.
    status, shown = converse(words_of(p3d, "users", "set-password", "nobody-here"), [], p3d.environment, p3d.folder)
    assert status == 1 and shown == "User not found\r\n"


@pytest.mark.parametrize("verb", ["delete", "set-password"])
def test_interrupt_at_the_question_takes_redis_down(verb):
    with P3D(MODELS, start=False) as p3d:
        open(p3d.log_path, "ab").close()
        p3d.admin("ann")
        question = b"confirm: " if verb == "delete" else b"Password: "
        argv = words_of(p3d, "users", verb, "ann")
        status, shown = converse(argv, [(question, b"\x03")], p3d.environment, p3d.folder)
        assert status == 1, shown
        assert not p3d.processes()
        assert get(p3d, "ann")["role"] == "admin"


def test_no_secret_is_left_where_others_see_it(p3d, ann):
    secret = "unmistakable-horse-7"
    run(p3d, "users", "set-password", ann.user["username"], "--password", secret)
    run(p3d, "users", "set-password", ann.user["username"], "--password-file", "-", input=secret)
    for folder, _, files in os.walk(p3d.folder):
        for name in files:
            if name.endswith(".sock"):
                continue
            with open(os.path.join(folder, name), "rb") as f:
                assert secret.encode() not in f.read(), name
