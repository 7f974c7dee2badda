# SPDX-License-Identifier: MIT
"""A failed or cancelled job once more: POST /jobs/{id}/retry, for administrators."""
import concurrent.futures
import json

import pytest

import shapes
from p3d_test import FAILING, P3D, TINY, Client

PREFIXES = ["/api/v1/system/jobs/", "/api/v1/jobs/"]
ONLY = "Only failed and cancelled jobs can be retried"
MEANWHILE = "The job has been changed meanwhile"
MODELS = {"tiny": TINY, "failing": {"script": FAILING, "max_attempts": 1}}


def failed(client):
    job_id = client.submit("again", model_preference="failing")
    assert client.wait(job_id)["status"] == "failed"
    return job_id


def retry(client, job_id, prefix=PREFIXES[0], **kw):
    return client.post(prefix + job_id + "/retry", **kw)


def entries(p3d, client):
    out = p3d.cli("audit", "--user", client.user["user_id"], "--json", "--config", p3d.config, "--data-dir", p3d.data)
    return [(e["actor"], e["action"], e["target"], e["address"], e["detail"]) for e in json.loads(out.stdout)["entries"]
            if e["action"].startswith("job_")]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_failed_job(p3d, admin, ann, prefix):
    old = failed(ann)
    r = retry(admin, old, prefix)
    assert r.status_code == 202, r.text
    body = r.json()
    assert sorted(body) == ["eta_seconds", "job_id", "message", "queue_position", "status"]
    assert body["status"] == "queued" and body["message"] == "Mesh generation job queued successfully"
    new = body["job_id"]
    assert r.headers["Location"] == "/api/v1/jobs/" + new and new != old
    job = shapes.job(ann.wait(new), status="failed", retried_from=old, user_id=ann.user["user_id"])
    assert job["inputs"] == {"prompt": "again"} and "retried_as" not in job
    shapes.job(ann.job(old), status="failed", retried_as=new)
    assert [row["job_id"] for row in ann.ok("GET", "/api/v1/jobs")["jobs"]] == [new, old]
    me = admin.user["user_id"]
    assert entries(p3d, ann) == [(me, "job_retried", ann.user["user_id"], "127.0.0.1", "%s as %s" % (old, new))]


def test_a_cancelled_one(admin, ann):
    old = ann.ok("POST", "/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "x"}, "model": "tiny",
                                          "run_at": "2099-01-01", "metadata": {"a": [1, "ü"]}}, status=202)["job_id"]
    ann.ok("POST", "/api/v1/jobs/%s/cancel" % old)
    new = retry(admin, old).json()["job_id"]
    assert shapes.job(ann.wait(new), status="completed", retried_from=old)["metadata"] == {"a": [1, "ü"]}


def test_others_may_not(admin, ann, bob):
    old = failed(ann)
    for who in (ann, bob):
        for job_id in (old, shapes.ABSENT_JOB, "x"):
            shapes.error(retry(who, job_id), 403, shapes.NOT_ADMIN)
    shapes.error(retry(Client(ann.base), old), 401, shapes.NO_TOKEN)
    weak = admin.ok("POST", "/api/v1/users/tokens", {"token_name": "x", "scopes": ["jobs:read", "jobs:write"]})["token"]
    shapes.error(retry(Client(ann.base, weak), old), 403, "Missing scope: admin")
    assert "retried_as" not in ann.job(old)


def test_only_what_has_failed(gate, admin, ann):
    done = ann.submit("x")
    ann.wait(done)
    runs = ann.submit("x", model_preference="gated")
    ann.wait(runs, ("processing",))
    waits = ann.submit("x", model_preference="gated")
    for job_id in (done, runs, waits):
        shapes.error(retry(admin, job_id), 409, ONLY)
    for absent in (shapes.ABSENT_JOB, "x", "job_1" + done[5:]):
        shapes.error(retry(admin, absent), 404, shapes.NO_JOB)
    assert ann.ok("GET", "/api/v1/jobs")["pagination"]["total"] == 3


def test_a_repeated_request_makes_another(admin, ann):
    """There is no Idempotency-Key here: the old job says which one came of it."""
    old = failed(ann)
    key = {"Idempotency-Key": "one"}
    first, second = (retry(admin, old, headers=key) for _ in range(2))
    assert first.status_code == second.status_code == 202 and "Idempotent-Replayed" not in second.headers
    assert ann.job(old)["retried_as"] == second.json()["job_id"] != first.json()["job_id"]


def test_many_at_once(p3d, admin, ann):
    old = failed(ann)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: retry(p3d.client(admin.token), old), range(64)))
    made = [r.json()["job_id"] for r in answers if r.status_code == 202]
    for r in answers:
        if r.status_code != 202:
            shapes.error(r, 409, MEANWHILE)
    assert made and len(set(made)) == len(made)
    assert ann.ok("GET", "/api/v1/jobs")["pagination"]["total"] == 1 + len(made)


def test_of_a_deleted_account(p3d, admin):
    gone = p3d.register(shapes.unique("gone"))
    old = failed(gone)
    admin.ok("DELETE", "/api/v1/users/admin/users/" + gone.user["user_id"])
    shapes.error(retry(admin, old), 404, "User not found")


def test_what_an_administrator_does_to_others_is_written_down(p3d, admin, ann):
    """And what people do to their own jobs is not."""
    mine, theirs, gone = (failed(c) for c in (admin, ann, ann))
    for client, job_id in ((ann, theirs), (admin, mine)):
        assert client.delete(PREFIXES[0] + job_id).status_code == 200
    assert entries(p3d, ann) == [] and mine not in repr(entries(p3d, admin))
    assert admin.delete(PREFIXES[0] + gone).json()["job_info"]["feature"] == "mesh_generation"
    assert [e[1:] for e in entries(p3d, ann)] == [("job_deleted", ann.user["user_id"], "127.0.0.1", gone)]
    waits = ann.ok("POST", "/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "long" * 100},
                                            "run_at": "2099-01-01"}, status=202)["job_id"]
    job = shapes.job(admin.ok("POST", PREFIXES[0] + waits + "/cancel"), status="cancelled")
    assert job["inputs"] == {"prompt": "long" * 100} and entries(p3d, ann)[0][1] == "job_cancelled"


def test_a_model_that_is_gone():
    with P3D(MODELS, workers=1, default="tiny") as p3d:
        admin, ann = p3d.admin(), p3d.register("ann")
        old = failed(ann)
        assert p3d.stop() == 0
        p3d.write_config({"tiny": TINY},
                         {"features": {"mesh_generation": {
                             "title": "Mesh generation", "route": "mesh-generation", "inputs": {},
                             "model_aliases": {"failing": "tiny"}}}}, 1, 1, "tiny")
        p3d.start()
        admin = p3d.client(admin.token)
        text = "Model 'failing' is not available for feature 'mesh_generation'. Available models: ['tiny']"
        shapes.error(retry(admin, old), 400, text)
        assert "retried_as" not in admin.job(old)


def test_simple_mode():
    """Everybody may; nothing is in the audit, nobody did it."""
    with P3D(MODELS, {"security": {"user_auth_enabled": False}}, workers=1,
             default="tiny") as p3d:
        client = p3d.client()
        old = failed(client)
        assert client.wait(retry(client, old).json()["job_id"])["user_id"] is None
        out = p3d.cli("audit", "--json", "--config", p3d.config, "--data-dir", p3d.data)
        assert json.loads(out.stdout)["entries"] == []
        out = p3d.cli("jobs", "retry", old, "--config", p3d.config, "--data-dir", p3d.data)
        assert out.returncode == 0, out.stderr
