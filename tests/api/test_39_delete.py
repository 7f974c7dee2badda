# SPDX-License-Identifier: MIT
"""Cancelling, deleting a job, deleting only its result."""
import os
import time

import pytest

import shapes
from p3d_test import until
from raw_http import Raw

JOBS = "/api/v1/system/jobs/"
ROUTES = [("POST", "/cancel"), ("DELETE", ""), ("DELETE", "/result")]


def folder(p3d, job_id):
    for name, dirs, _ in os.walk(os.path.join(p3d.data, "jobs")):
        if job_id in dirs:
            return os.path.join(name, job_id)
    return None


@pytest.mark.parametrize("method, tail", ROUTES)
def test_whose(ann, bob, admin, method, tail):
    job_id = ann.submit("x")
    ann.wait(job_id)
    shapes.error(bob.call(method, JOBS + job_id + tail), 403, shapes.NOT_YOURS)
    shapes.error(bob.call(method, JOBS + shapes.ABSENT_JOB + tail), 404, shapes.NO_JOB)
    shapes.error(bob.call(method, JOBS + "nonsense" + tail), 404, shapes.NO_JOB)
    assert ann.job(job_id)["status"] == "completed" and ann.download(job_id).status_code == 200
    assert admin.call(method, JOBS + job_id + tail).status_code == (409 if tail == "/cancel" else 200)


def test_cancel_queued(gate, ann):
    first = ann.submit("x", model_preference="gated")
    ann.wait(first, ("processing",))
    job_id = ann.submit("x", model_preference="gated")
    job = shapes.job(ann.ok("POST", JOBS + job_id + "/cancel"), status="cancelled")
    assert job["completed_at"] is not None and job["started_at"] is None
    shapes.error(ann.post(JOBS + job_id + "/cancel"), 409, "Job is already cancelled")
    gate.empty_gate(gate.boss)  # whatever was to run has run
    assert first in gate.ran() and job_id not in gate.ran()


def test_cancel_scheduled(ann):
    job_id = ann.ok("POST", "/api/v1/jobs", {"feature": "mesh_generation", "model": "tiny", "inputs": {"prompt": "x"},
                                             "run_at": "2099-01-01"}, status=202)["job_id"]
    shapes.job(ann.ok("POST", "/api/v1/jobs/" + job_id + "/cancel"), status="cancelled")


def test_cancel_running(gate, ann):
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    began = time.monotonic()
    job = ann.ok("POST", JOBS + job_id + "/cancel")
    if job["status"] == "processing":
        assert job["progress_message"] == "Cancelling"
    ended = ann.ok("GET", JOBS + job_id + "?wait=30")
    assert ended["status"] == "cancelled" and ended["error"] is None
    print("a running job was cancelled after %.2f s" % (time.monotonic() - began))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("model, status", [("tiny", "completed"), ("failing", "failed")])
def test_cancel_final(ann, model, status):
    job_id = ann.submit("x", model_preference=model)
    ann.wait(job_id)
    shapes.error(ann.post(JOBS + job_id + "/cancel"), 409, "Job is already " + status)


@pytest.mark.parametrize("model", ["tiny", "failing"])
def test_delete_final(p3d, ann, model):
    job_id = ann.submit("x", model_preference=model)
    before = ann.wait(job_id)
    place = folder(p3d, job_id)
    url = before.get("mesh_url")
    body = ann.ok("DELETE", JOBS + job_id)
    assert body == {"job_id": job_id, "message": "Job deleted successfully from database", "deleted": True,
                    "job_info": {"status": before["status"], "feature": "mesh_generation",
                                 "created_at": before["created_at"]}}
    for path in ("", "/info", "/download", "/files", "/logs", "/events"):
        shapes.error(ann.get(JOBS + job_id + path), 404, shapes.NO_JOB)
    shapes.error(ann.delete(JOBS + job_id), 404, shapes.NO_JOB)
    shapes.error(ann.post(JOBS + job_id + "/cancel"), 404, shapes.NO_JOB)
    assert job_id not in [j["job_id"] for j in ann.ok("GET", JOBS + "history")["jobs"]]
    if url:
        assert ann.call("GET", url.replace(ann.base, "")).status_code in (401, 404)
        assert place is not None
    until(lambda: folder(p3d, job_id) is None, 30, "the end of its files")


def test_delete_queued_and_running(gate, ann):
    first = ann.submit("x", model_preference="gated")
    ann.wait(first, ("processing",))
    job_id = ann.submit("x", model_preference="gated")
    assert ann.ok("DELETE", JOBS + job_id)["job_info"]["status"] == "queued"
    shapes.error(ann.delete(JOBS + first), 409, "The job is processing. Cancel it first.")
    gate.open_gate()
    assert ann.wait(first)["status"] == "completed"
    gate.empty_gate(gate.boss)
    assert first in gate.ran() and job_id not in gate.ran()


def test_delete_result(p3d, ann):
    job_id = ann.submit("x", model_preference="pictured")
    job = ann.wait(job_id)
    before = folder(p3d, job_id)
    size = sum(f["size_bytes"] for f in ann.ok("GET", JOBS + job_id + "/files")["files"])
    body = ann.ok("DELETE", JOBS + job_id + "/result")
    assert body == {"job_id": job_id, "message": "Result file deleted successfully", "deleted": True,
                    "freed_space_mb": round(size / 1048576, 4), "deleted_file": "result.glb"}
    after = ann.job(job_id)
    assert after["status"] == "completed" and after["result"] is None
    assert ann.ok("GET", JOBS + job_id + "/files")["files"] == []
    shapes.error(ann.download(job_id), 404, "No result available for this job")
    for url in (job["mesh_url"], job["thumbnail_url"]):
        assert ann.call("GET", url.replace(ann.base, "")).status_code == 404
    place = folder(p3d, job_id)
    assert before is not None  # else nothing was looked at
    left = [f for _, _, names in os.walk(place) for f in names] if place else []
    assert "result.glb" not in left and "thumbnail.png" not in left, left
    again = ann.ok("DELETE", JOBS + job_id + "/result")
    assert again == {"job_id": job_id, "message": "No result file to delete", "deleted": False, "freed_space_mb": 0.0,
                     "deleted_file": None}
    assert ann.ok("DELETE", JOBS + job_id)["deleted"] is True


def test_delete_result_of_unfinished(gate, ann):
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    shapes.error(ann.delete(JOBS + job_id + "/result"), 400, "Job is not completed yet. Current status: processing")
    gate.open_gate()
    ann.wait(job_id)
    failed = ann.submit("x", model_preference="failing")
    ann.wait(failed)
    assert ann.ok("DELETE", JOBS + failed + "/result")["deleted"] is False
    assert ann.job(failed)["status"] == "failed"


def test_two_delete_one_result(ann):
    """Both are answered; the files go once."""
    for _ in range(10):
        job_id = ann.submit("x")
        ann.wait(job_id)
        with Raw(ann.base) as a, Raw(ann.base) as b:
            for raw in (a, b):
                raw.request("DELETE", JOBS + job_id + "/result", Authorization="Bearer " + ann.token)
            answers = [raw.response() for raw in (a, b)]
        assert [r.status for r in answers] == [200, 200]
        assert sorted(r.json()["deleted"] for r in answers) == [False, True]
