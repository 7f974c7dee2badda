# SPDX-License-Identifier: MIT
"""The operator and the jobs: p3d jobs list, show, retry, cancel, delete against a server that runs, whatever is asked."""
import json
import os
import re
import subprocess
import time

import pytest

import shapes
from p3d_test import BINARY, FAILING, GATED, P3D, TINY, until
from test_50_supervisor import converse

BATCH = "/api/v1/jobs/batch"
# What a model may do to the terminal of whoever reads its error.
RUDE = r"""
printf '{"event":"error","code":"PAINT","message":"\\u001b[2Jred \\u009b31mlive\\nsecond line","retryable":false}\n' >&3
exit 1
"""
MODELS = {"tiny": TINY, "failing": FAILING, "rude": RUDE, "gated": {"script": GATED, "max_workers": 1}}
LIST_KEYS = ["attempt", "cancelling", "created_at", "ended_at", "error", "eta_seconds", "expires_at", "feature",
             "files_bytes", "job_id", "losses", "max_attempts", "model_id", "priority", "progress", "queue_position",
             "retried_as", "retried_from", "started_at", "status", "user_id"]


@pytest.fixture(scope="module")
def p3d():
    with P3D(MODELS, {"limits": {"max_queued_jobs": -1}}, workers=2, default="tiny") as server:
        server.boss = server.admin()
        yield server
        server.open_gate()


def words_of(p3d, *words, config=None):
    return [BINARY, "jobs", *words, "--config", config or p3d.config, "--data-dir", p3d.data]


def jobs(p3d, *words, status=0, config=None):
    """(stdout, lines of stderr)"""
    out = subprocess.run(words_of(p3d, *words, config=config), capture_output=True, text=True, timeout=120,
                         cwd=p3d.folder, env=p3d.environment, stdin=subprocess.DEVNULL)
    assert out.returncode == status, (words[:9], out.returncode, out.stdout[-2000:], out.stderr[-2000:])
    assert "Sanitizer" not in out.stderr and "runtime error" not in out.stderr, out.stderr
    return out.stdout, out.stderr.splitlines()


def told(p3d, *words, **kw):
    return json.loads(jobs(p3d, *words, "--json", **kw)[0])


def show(p3d, job_id):
    return told(p3d, "show", job_id)


def audit(p3d, *words):
    out = p3d.cli("audit", *words, "--json", "--config", p3d.config, "--data-dir", p3d.data)
    assert out.returncode == 0, out.stderr
    return [e for e in json.loads(out.stdout)["entries"] if e["action"].startswith("job_")]


def failed(client, model="failing"):
    job_id = client.submit("x", model_preference=model)
    assert client.wait(job_id)["status"] == "failed"
    return job_id


def scheduled(client, n, **fields):
    """n jobs that never begin by themselves."""
    made = []
    while len(made) < n:
        body = {"jobs": [{"feature": "mesh_generation", "inputs": {"prompt": "x"}, "run_at": "2099-01-01", **fields}
                         for _ in range(min(500, n - len(made)))]}
        made += [job["job_id"] for job in client.ok("POST", BATCH, body, status=202)["jobs"]]
    return made


def hold(p3d, client):
    """None of this account's jobs runs from now on."""
    out = p3d.cli("users", "update", client.user["user_id"], "--max-concurrent-jobs", "0", "--config", p3d.config,
                  "--data-dir", p3d.data)
    assert out.returncode == 0, out.stderr


def ids(rows):
    return [row["job_id"] for row in rows]


# ---- list and show

def test_list(p3d, ann):
    user = ann.user["user_id"]
    bad, good, waits = failed(ann), ann.submit("x"), scheduled(ann, 3)
    ann.wait(good)
    out = told(p3d, "list", "--user", user)
    assert sorted(out) == ["jobs", "next_cursor", "total"] and out["total"] == 5 and out["next_cursor"] is None
    assert ids(out["jobs"]) == waits[::-1] + [good, bad]
    for row in out["jobs"]:
        assert sorted(row) == LIST_KEYS and row["user_id"] == user and row["feature"] == "mesh_generation"
    assert out["jobs"][4]["error"]["code"] and "kiln" in out["jobs"][4]["error"]["message"]
    for name in (user, ann.user["email"], ann.user["username"]):
        assert ids(told(p3d, "list", "--user", name, "--status", "failed")["jobs"]) == [bad]
    for filters, want in ((("--status", "failed,completed"), [good, bad]), (("--model", "failing"), [bad]),
                          (("--feature", "painting"), []), (("--feature", "mesh_generation", "--model", "tiny"),
                                                            waits[::-1] + [good])):
        assert ids(told(p3d, "list", "--user", user, *filters)["jobs"]) == want, filters
    page, seen = told(p3d, "list", "--user", user, "--limit", "2"), []
    while True:
        seen += ids(page["jobs"])
        assert page["total"] == 5
        if page["next_cursor"] is None:
            break
        page = told(p3d, "list", "--user", user, "--limit", "2", "--cursor", page["next_cursor"])
    assert seen == ids(out["jobs"])
    text, hint = jobs(p3d, "list", "--user", user, "--limit", "4")
    lines = text.splitlines()
    assert len(lines) == 5 and lines[0].split()[:4] == ["JOB", "STATUS", "FEATURE/MODEL", "OWNER"]
    assert lines[1].split()[:5] == [waits[2], "queued", "mesh_generation/tiny", user, "0/%d" % ann.job(good)["max_attempts"]]
    assert re.match(r"^4 of 5 jobs; older ones: --cursor \S+$", hint[0]), hint


def test_more_than_a_page(p3d, ann):
    """The store gives 500 at a time."""
    made = scheduled(ann, 1100)
    out = told(p3d, "list", "--user", ann.user["user_id"], "--limit", "10000")
    assert ids(out["jobs"]) == made[::-1] and out["next_cursor"] is None
    out = told(p3d, "list", "--user", ann.user["user_id"], "--limit", "1001")
    assert ids(out["jobs"]) == made[:98:-1] and out["next_cursor"]
    text, errors = jobs(p3d, "cancel", *made)
    assert text.count(" is cancelled\n") == 1100 and errors == []
    assert told(p3d, "list", "--user", ann.user["user_id"], "--status", "queued")["total"] == 0


def test_nothing_moves_the_terminal(p3d, ann):
    job_id = failed(ann, "rude")
    for words in (("list", "--user", ann.user["user_id"]), ("show", job_id)):
        text, _ = jobs(p3d, *words)
        assert "PAINT: ?[2Jred" in text and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), repr(text)
        assert "second line" in text and "\nsecond" not in text
    assert show(p3d, job_id)["error"]["message"].startswith("\x1b[2Jred")


def test_a_record_that_makes_no_sense_hides_nothing(p3d, ann):
    job_id, other = failed(ann), failed(ann)
    with p3d.redis() as r:
        key = "p3d:{0}:job:" + job_id[5:]
        assert r.setrange(key, 194, b"\xff]]]") > 194
    assert ids(told(p3d, "list", "--user", ann.user["user_id"])["jobs"]) == [other, job_id]
    assert show(p3d, job_id)["spec"] == {} and show(p3d, job_id)["status"] == "failed"
    out, errors = jobs(p3d, "retry", job_id, other, status=1)
    assert errors == [job_id + ": Its record cannot be read"] and out.startswith(other + " -> ")
    jobs(p3d, "delete", job_id)


def test_show(p3d, ann):
    p3d.close_gate()
    runs = ann.submit("x", model_preference="gated")
    ann.wait(runs, ("processing",))
    waits = [ann.submit("müll", model_preference="gated") for _ in range(2)]
    one = show(p3d, waits[1])
    assert sorted(one) == sorted(LIST_KEYS + ["spec", "detail", "revision"])
    assert one["status"] == "queued" and one["queue_position"] == 2 and one["attempt"] == 0 and one["losses"] == 0
    assert one["spec"]["inputs"] == {"prompt": "müll"} and one["started_at"] is None and one["ended_at"] is None
    text, _ = jobs(p3d, "show", waits[1])
    assert "Status:         queued\n" in text and "Queue position: 2\n" in text and '{"prompt":"müll"}' in text
    assert "Attempt:        1 of " in jobs(p3d, "show", runs)[0]
    late, = scheduled(ann, 1)
    assert "Queue position: none, it is not yet due\n" in jobs(p3d, "show", late)[0]
    assert jobs(p3d, "cancel", runs)[0] == runs + " is told to stop\n"
    p3d.open_gate()
    ann.wait(runs)
    for job_id in waits:
        ann.wait(job_id)
    assert show(p3d, waits[0])["detail"]["result"]["files"]
    assert show(p3d, waits[0])["files_bytes"] > 0


# ---- what is refused

USAGE = [("list", "--status", "nope"), ("list", "--status", ""), ("list", "--status", "failed,"), ("list", "--limit", "0"),
         ("list", "--limit", "10001"), ("list", "--cursor", "x"), ("list", "--cursor", ""), ("list", "--feature", ""),
         ("list", "--model", ""), ("list", "--model", "x" * 129), ("list", "x"), ("show",),
         ("show", shapes.ABSENT_JOB, shapes.ABSENT_JOB), ("retry",), ("retry", "--yes"), ("retry", "--model", "x", "--yes"),
         ("retry", "--status", "completed", "--yes"), ("retry", "--status", "failed,queued", "--yes"),
         ("retry", "--status", "failed", "--feature", "", "--yes"), ("retry", "--status", "failed"),
         ("retry", shapes.ABSENT_JOB, "--status", "failed"), ("retry", shapes.ABSENT_JOB, "--yes"), ("cancel",),
         ("delete",), ("delete", "--status", "failed"), ("retry", "--status", "failed", "--limit", "0", "--yes")]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_usage(p3d, words):
    out, errors = jobs(p3d, *words, status=2)
    assert out == "" and errors


def test_no_such_account(p3d):
    for words in (("list",), ("retry", "--status", "failed", "--yes")):
        for name in ("nobody", "", "x" * 300):
            assert jobs(p3d, *words, "--user", name, status=1) == ("", ["User not found"])
        out = told(p3d, *words, "--user", shapes.ABSENT_USER)  # it may be one that is deleted
        assert out["jobs"] == []


def test_ids_that_name_nothing(p3d, ann):
    job_id = ann.submit("x")
    ann.wait(job_id)
    alias = "job_1" + job_id[5:]  # of another shard; without a look at it a job would have 62 names
    absent = [alias, shapes.ABSENT_JOB, "x", "", job_id.lower(), job_id + "A", "job_\x1b[2J", "é"]
    for word in absent:
        assert jobs(p3d, "show", word, status=1) == ("", ["Job not found"])
    for verb, count in (("retry", "retried"), ("cancel", "cancelled"), ("delete", "deleted")):
        out = told(p3d, verb, *absent, status=1)
        assert ids(out["jobs"]) == absent and out["refused"] == len(absent) and out[count] == 0
        assert {(row["error"], row["detail"]) for row in out["jobs"]} == {("NOT_FOUND", "Job not found")}
        out, errors = jobs(p3d, verb, *absent, status=1)
        assert out == "" and errors[0] == alias + ": Job not found" and not any("\x1b" in line for line in errors)
    assert ann.job(job_id)["status"] == "completed"


def test_cancel_and_delete(p3d, ann):
    p3d.close_gate()
    runs = ann.submit("x", model_preference="gated")
    ann.wait(runs, ("processing",))
    done, waits = ann.submit("x"), ann.submit("x", model_preference="gated")
    ann.wait(done)
    out, errors = jobs(p3d, "delete", runs, done, status=1)
    assert out == done + " is deleted\n" and errors == [runs + ": The job is processing. Cancel it first."]
    shapes.error(ann.get("/api/v1/jobs/" + done), 404, shapes.NO_JOB)
    until(lambda: not os.path.exists(os.path.join(p3d.data, "jobs", done)), 60, "its files to go")
    out = told(p3d, "cancel", waits, runs, waits, status=1)
    assert [(row.get("status"), row.get("error")) for row in out["jobs"]] == [
        ("cancelled", None), ("processing", None), (None, "CONFLICT")]
    assert out["jobs"][2]["detail"] == "Job is already cancelled" and (out["cancelled"], out["refused"]) == (2, 1)
    assert ann.wait(runs)["status"] == "cancelled"
    p3d.open_gate()
    entries = [(e["actor"], e["action"], e["detail"]) for e in audit(p3d, "--user", ann.user["user_id"])]
    assert entries == [("operator", "job_cancelled", runs), ("operator", "job_cancelled", waits),
                       ("operator", "job_deleted", done)]


# ---- retry

def test_retry_by_name(p3d, ann):
    bad = failed(ann)
    gone = scheduled(ann, 1, priority=8, metadata={"a": "ü"}, max_attempts=7)[0]
    ann.ok("POST", "/api/v1/jobs/%s/cancel" % gone)
    done = ann.submit("x")
    ann.wait(done)
    waits, = scheduled(ann, 1)
    text, errors = jobs(p3d, "retry", bad, done, gone, waits, bad, status=1)
    lines = [line.split(" -> ") for line in text.splitlines()]
    assert [old for old, _ in lines] == [bad, gone]
    only = "Only failed and cancelled jobs can be retried"
    assert errors == ["%s: %s" % (job_id, only) for job_id in (done, waits)]
    fresh = lines[1][1]
    job = ann.wait(fresh)
    assert job["status"] == "completed" and job["priority"] == 8 and job["metadata"] == {"a": "ü"}
    assert job["max_attempts"] == 7 and job["user_id"] == ann.user["user_id"] and job["retried_from"] == gone
    assert ann.job(gone)["retried_as"] == fresh and ann.job(gone)["status"] == "cancelled"
    assert ann.wait(lines[0][1])["status"] == "failed"
    assert ann.job(bad)["error"] is not None and show(p3d, bad)["retried_as"] == lines[0][1]
    again = told(p3d, "retry", bad)
    assert again["retried"] == 1 and again["jobs"][0]["retried_as"] not in (lines[0][1], bad)
    entries = [e for e in audit(p3d, "--user", ann.user["user_id"]) if e["action"] == "job_retried"]
    assert [e["detail"] for e in entries[1:]] == ["%s as %s" % (old, new) for old, new in lines[::-1]]
    assert {e["actor"] for e in entries} == {"operator"} and len(entries) == 3


def test_the_configuration_of_the_call_decides(p3d, ann):
    bad = failed(ann)
    with open(p3d.config) as f:
        whole = json.load(f)
    known = whole["models"]["mesh_generation"]
    path = os.path.join(p3d.folder, "other.yaml")
    plain = whole["features"]["mesh_generation"]
    aliased = {**plain, "model_aliases": {"failing": "tiny"}}
    cases = [(plain, {**known, "failing": {**known["failing"], "enabled": False}},
              "Model 'failing' is not available for feature 'mesh_generation'. Available models: ["),
             (aliased, {k: v for k, v in known.items() if k != "failing"},
              "Model 'failing' is not available for feature 'mesh_generation'. Available models: [")]
    # An alias is a name for a submit; a job that is there has its model, and no other.
    for feature, models, words in cases:
        whole["models"]["mesh_generation"], whole["features"]["mesh_generation"] = models, feature
        with open(path, "w") as f:
            json.dump(whole, f)
        for by in ((bad,), ("--user", ann.user["user_id"], "--status", "failed", "--yes")):
            out, errors = jobs(p3d, "retry", *by, status=1, config=path)
            assert out == "" and errors[0].startswith("%s: %s" % (bad, words)), errors
    whole["features"] = {"painting": {"title": "Painting"}}
    whole["models"] = {"painting": {"plain": {"command": ["/bin/true"]}}}
    with open(path, "w") as f:
        json.dump(whole, f)
    _, errors = jobs(p3d, "retry", bad, status=1, config=path)
    assert errors == [bad + ": Feature 'mesh_generation' is not available. Available features: ['painting']"]
    assert show(p3d, bad)["retried_as"] is None


def test_of_a_deleted_account(p3d):
    gone = p3d.register(shapes.unique("gone"))
    bad, waits = failed(gone), scheduled(gone, 1)[0]
    user = gone.user["user_id"]
    p3d.boss.ok("DELETE", "/api/v1/users/admin/users/" + user)
    for by in ((bad, waits), ("--user", user, "--status", "failed,cancelled", "--yes")):
        out, errors = jobs(p3d, "retry", *by, status=1)
        assert out == "" and bad + ": Its account is deleted" in errors, errors
    assert told(p3d, "list", "--user", user)["total"] == 2
    assert jobs(p3d, "delete", bad)[0] == bad + " is deleted\n"


def test_it_asks(p3d, ann):
    bad = failed(ann)
    argv = words_of(p3d, "retry", "--status", "failed", "--user", ann.user["user_id"])
    for answer in (b"no\n", b"\n", b"y\n", b"yes please, all\n"):
        status, shown = converse(argv, [(b"retry them: ", answer)], p3d.environment, p3d.folder)
        assert status == 1 and "1 jobs match" in shown and "nothing was retried" in shown, shown
    assert show(p3d, bad)["retried_as"] is None
    status, shown = converse(argv, [(b"retry them: ", b"yes\n")], p3d.environment, p3d.folder)
    assert status == 0 and bad + " -> job_" in shown, shown


def test_a_thousand_failed_jobs_in_one_go(p3d, ann):
    user = ann.user["user_id"]
    hold(p3d, ann)
    soon = time.time() + 4
    body = {"jobs": [{"feature": "mesh_generation", "inputs": {"prompt": "x"}, "expires_at": soon}
                     for _ in range(500)]}
    for _ in range(2):
        ann.ok("POST", BATCH, body, status=202)
    ann.ok("POST", BATCH, {"jobs": body["jobs"][:23]}, status=202)
    by = ("--user", user, "--status", "failed")
    until(lambda: told(p3d, "list", *by, "--limit", "1")["total"] == 1023, 120, "all to be over")
    old = ids(told(p3d, "list", *by, "--limit", "10000")["jobs"])
    out = told(p3d, "retry", *by, "--limit", "10", "--yes")
    assert out["retried"] == 10 and ids(out["jobs"]) == old[:10]
    began = time.monotonic()
    out = told(p3d, "retry", *by, "--yes")
    print("1013 jobs retried in %.2f s" % (time.monotonic() - began))
    assert (out["retried"], out["refused"], out["left_out"]) == (1013, 0, 10) and ids(out["jobs"]) == old[10:]
    assert len({row["retried_as"] for row in out["jobs"]}) == 1013
    assert told(p3d, "list", "--user", user, "--status", "queued", "--limit", "1")["total"] == 1023
    out = told(p3d, "retry", *by, "--yes")
    assert (out["retried"], out["left_out"]) == (0, 1023)
    assert len(audit(p3d, "--user", user, "--limit", "2000")) == 1023


def test_a_run_that_is_killed_can_be_begun_again(p3d, ann):
    by = ("--user", ann.user["user_id"], "--status", "cancelled", "--yes")
    hold(p3d, ann)
    made = scheduled(ann, 400)
    jobs(p3d, "cancel", *made)
    with subprocess.Popen(words_of(p3d, "retry", *by), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=p3d.folder, env=p3d.environment) as run:
        for _ in range(20):
            assert run.stdout.readline()
        run.kill()
        run.stdout.read()
    assert run.returncode == -9
    before = told(p3d, "list", "--user", ann.user["user_id"], "--status", "queued")["total"]
    assert 20 <= before < 400, "it was too fast, or did nothing"
    out = told(p3d, "retry", *by)
    assert (out["retried"], out["left_out"]) == (400 - before, before)
    rows = told(p3d, "list", "--user", ann.user["user_id"], "--status", "queued", "--limit", "1000")["jobs"]
    assert sorted(row["retried_from"] for row in rows) == sorted(made), "each once"


def test_without_redis(p3d, ann):
    bad = [failed(ann) for _ in range(2)]
    url = ("--redis-url", "unix:///nowhere/redis.sock")
    out, errors = jobs(p3d, "retry", *bad, *url, status=3)
    assert out == "" and sum("cannot be reached" in line for line in errors) == 1, errors
    assert not any(bad[1] in line for line in errors), "nothing further is tried"
    out = told(p3d, "retry", *bad, *url, status=3)
    assert out["refused"] == 1 and out["jobs"][0]["error"] == "UNAVAILABLE"
    assert jobs(p3d, "list", *url, status=3)[0] == "" and jobs(p3d, "show", bad[0], *url, status=3)[0] == ""
