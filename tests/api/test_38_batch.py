# SPDX-License-Identifier: MIT
"""POST /jobs/batch, and when a job may run: run_at, expires_at."""
import concurrent.futures
import datetime
import json
import time

import pytest

import shapes
from p3d_test import BINARY, P3D, TINY, Client, until

BATCH, JOBS = "/api/v1/jobs/batch", "/api/v1/system/jobs/"


def one(**fields):
    return {"feature": "mesh_generation", "model": "tiny", "inputs": {"prompt": "x"}, **fields}


def total(client):
    return client.ok("GET", JOBS + "history?limit=1")["pagination"]["total"]


def iso(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    return (datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)).strftime(form)


def test_some_jobs(ann):
    r = ann.post(BATCH, {"jobs": [one(priority=i % 10, metadata={"i": i}) for i in range(7)]})
    assert r.status_code == 202
    assert sorted(r.json()) == ["jobs"]
    made = r.json()["jobs"]
    assert len({j["job_id"] for j in made}) == 7
    for i, j in enumerate(made):
        assert sorted(j) == ["eta_seconds", "job_id", "message", "queue_position", "status"]
        assert j["status"] == "queued" and j["message"] == "Mesh generation job queued successfully"
        done = ann.wait(j["job_id"])
        assert done["status"] == "completed" and done["metadata"] == {"i": i} and done["priority"] == i % 10


def test_500_jobs(gate, ann):
    began = time.monotonic()
    made = ann.ok("POST", BATCH, {"jobs": [one(model="gated") for _ in range(500)]}, status=202)["jobs"]
    print("500 jobs in %.3f s" % (time.monotonic() - began))
    assert len({j["job_id"] for j in made}) == 500 and total(ann) == 500
    page = ann.ok("GET", JOBS + "history?limit=500")
    assert sorted(j["job_id"] for j in made) == sorted(j["job_id"] for j in page["jobs"])
    for j in made:
        assert ann.post(JOBS + j["job_id"] + "/cancel").status_code == 200


@pytest.mark.parametrize("body, loc", [
    ({}, ("body", "jobs")), ({"jobs": None}, ("body", "jobs")), ({"jobs": {}}, ("body", "jobs")),
    ({"jobs": []}, ("body", "jobs")), ({"jobs": [one()] * 501}, ("body", "jobs")),
    ({"jobs": [one()], "more": 1}, ("body", "more")),
    ({"jobs": [one(), 5]}, ("body", "jobs", 1)),
    ({"jobs": [one(), one(), {}]}, ("body", "jobs", 2, "feature")),
    ({"jobs": [one(priority=10)]}, ("body", "jobs", 0, "priority")),
    ({"jobs": [one(), one(inputs={})]}, ("body", "jobs", 1, "inputs", "prompt")),
    ({"jobs": [one(), one(user_id="user_0123456789abcdef")]}, ("body", "jobs", 1, "user_id")),
    ({"jobs": [one(), one(webhook_url="http://127.0.0.1/")]}, ("body", "jobs", 1, "webhook_url")),
])
def test_faults_are_named_by_place(ann, body, loc):
    assert loc in [f[0] for f in shapes.faults(ann.post(BATCH, body))]
    assert total(ann) == 0


def test_faults_of_many_jobs(ann):
    found = shapes.faults(ann.post(BATCH, {"jobs": [one(priority=-1) for _ in range(200)]}))
    assert len(found) == 64 and found[63][0] == ("body", "jobs", 63, "priority")


def test_rules_of_the_domain(ann):
    detail = shapes.error(ann.post(BATCH, {"jobs": [one(), one(model="nope"), one(feature="nope")]}), 400)
    assert detail.startswith("jobs[1]: Model 'nope' is not available"), detail
    assert total(ann) == 0


def test_broken_bodies(ann):
    for data, status in ((b"", 422), (b"{", 422), (b"[]", 422), (b'{"jobs":[' + b"[" * 100 + b"]" * 100 + b"]}", 422)):
        r = ann.call("POST", BATCH, data=data, headers={"Content-Type": "application/json"})
        shapes.error(r, status)
    shapes.error(ann.call("POST", BATCH, data=b"{}", headers={"Content-Type": "text/plain"}), 415)
    shapes.error(Client(ann.base).post(BATCH, {"jobs": 1}), 401, shapes.NO_TOKEN)
    shapes.error(Client(ann.base, "nonsense").call("POST", BATCH, data=b"{"), 401, shapes.BAD_TOKEN)
    assert total(ann) == 0


def test_sizes(p3d, ann):
    """16 MiB are read, and do not stop the others; one byte more is too large."""
    pad = json.dumps({"jobs": [one(inputs={"prompt": "x", "pad": "y" * 32000}) for _ in range(499)]})
    body = pad + " " * (16777216 - len(pad))
    slowest, asked = 0.0, 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        big = pool.submit(lambda: ann.call("POST", BATCH, data=body))
        other = p3d.client()
        while not big.done():
            began = time.monotonic()
            assert other.get("/health").status_code == 200
            slowest, asked = max(slowest, time.monotonic() - began), asked + 1
    shapes.error(big.result(), 422)
    assert asked > 0 and slowest < 5, (asked, slowest)
    print("16 MiB: answered with faults; the slowest of the others meanwhile: %.0f ms" % (slowest * 1000))
    r = ann.call("POST", BATCH, data=body + " ")
    assert r.status_code == 413


def heavy(values, size=8 << 20):
    """A body of that size that nobody accepts: each job has an input too many, a list of empty objects."""
    objects = (values - 5000) // 2 // 499
    inputs = '{"prompt":"x","zz":[' + ",".join(["{}"] * objects) + "]}"
    body = '{"jobs":[' + ",".join(['{"feature":"mesh_generation","inputs":' + inputs + "}"] * 499) + "]}"
    return (body + " " * (size - len(body))).encode()


def megabytes(pid, what):
    """VmHWM: the most memory that the process has had. VmRSS: what it has."""
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith(what))


def serve_pid(own):
    return own.pid(next(name for name in own.pids() if name.startswith("serve")))


def sanitized():
    with open(BINARY, "rb") as f:
        return b"__asan_init" in f.read()


@pytest.mark.parametrize("values", [190000, 2700000])
def test_large_batches_stop_nobody(values):
    """16 at a time: some are read, the others are sent away, and whoever wants a file gets it meanwhile."""
    with P3D(models={"tiny": TINY}, environment={"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1"}) as own:
        ann, bob = own.register("ann"), own.register("bob")
        job_id = bob.submit("x")
        assert bob.wait(job_id)["status"] == "completed"
        body = heavy(values)
        waits = {"download": [], "health": []}

        def timed(what, call):
            began = time.monotonic()
            assert call().status_code == 200
            waits[what].append(time.monotonic() - began)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sent = [pool.submit(lambda: Client(own.base, ann.token).call("POST", BATCH, data=body)) for _ in range(32)]
            while not all(s.done() for s in sent):
                timed("download", lambda: bob.download(job_id))
                timed("health", lambda: own.client().get("/health"))
        statuses = [s.result().status_code for s in sent]
        high = megabytes(serve_pid(own), "VmHWM")
        print("%d values: %s, the slowest of the others %.0f ms, at most %d MB" % (
            values, {s: statuses.count(s) for s in set(statuses)},
            max(waits["download"] + waits["health"]) * 1000, high))
        assert max(waits["download"]) < 2 and max(waits["health"]) < 2, waits
        assert 422 in statuses and set(statuses) <= {422, 503}
        assert 503 in statuses or values > 200000  # those are seen through faster than they are sent
        for r in (s.result() for s in sent):
            if r.status_code == 503:
                shapes.error(r, 503, "The server is busy")
                assert int(r.headers["Retry-After"]) > 0
            else:
                assert ("too many values" in r.text) == (values > 200000), r.text[:200]
        assert high < 500, "MB"  # the bodies of 16 are half of it
        assert ann.post(BATCH, {"jobs": [one()]}).status_code == 202
        if not sanitized():  # a sanitizer has a heap of its own, which keeps what is freed
            until(lambda: megabytes(serve_pid(own), "VmRSS") < 64, 10, "memory that is given back")


def test_number_of_values(ann):
    """200,000 in a text, whatever they stand in: the body, jobs, and one object with what is in it."""
    def sent(path, n):
        body = '{"feature":"mesh_generation","inputs":{"prompt":"x","zz":[0' + ",0" * n + "]}}"
        return ann.call("POST", path, data='{"jobs":[' + body + "]}" if path == BATCH else body)

    for path, fixed in ((BATCH, 8), ("/api/v1/jobs", 6)):
        assert "too many values" not in sent(path, 200000 - fixed).text
        found = shapes.faults(sent(path, 200000 - fixed + 1))
        assert found == [(("body",), "json_invalid")]


def test_idempotency_of_a_batch(ann):
    key = {"Idempotency-Key": shapes.unique("key")}
    body = {"jobs": [one(metadata={"i": i}) for i in range(20)]}
    first = ann.post(BATCH, body, headers=key)
    again = ann.post(BATCH, body, headers=key)
    assert first.status_code == again.status_code == 202
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert [j["job_id"] for j in first.json()["jobs"]] == [j["job_id"] for j in again.json()["jobs"]]
    assert total(ann) == 20
    shapes.error(ann.post(BATCH, {"jobs": body["jobs"][:19]}, headers=key), 409,
                 "Idempotency-Key was used with another body")
    shapes.error(ann.post("/api/v1/jobs", one(), headers=key), 409)
    shapes.error(ann.post(BATCH, body, headers={"Idempotency-Key": "k" * 256}), 422)


def test_all_or_none_at_the_limit():
    """A batch that does not fit into the user's queue makes nothing."""
    with P3D(models={"tiny": TINY}, environment={"P3D_LIMITS__MAX_QUEUED_JOBS": "30"}) as own:
        ann = own.register("ann")
        later = {"run_at": "2099-01-01T00:00:00Z"}
        assert ann.post(BATCH, {"jobs": [one(**later)] * 20}).status_code == 202
        shapes.error(ann.post(BATCH, {"jobs": [one(**later)] * 11}), 429)
        assert total(ann) == 20
        assert ann.post(BATCH, {"jobs": [one(**later)] * 10}).status_code == 202
        shapes.error(ann.post(BATCH, {"jobs": [one()]}), 429)
        assert total(ann) == 30


# ---- run_at, expires_at ----

@pytest.mark.parametrize("value", ["2001-01-01T00:00:00", "2001-01-01", 0, 1.5, "2001-01-01T00:00:00+05:30"])
def test_run_at_has_passed(ann, value):
    job_id = ann.ok("POST", "/api/v1/jobs", one(run_at=value), status=202)["job_id"]
    assert ann.wait(job_id)["status"] == "completed"


@pytest.mark.parametrize("field", ["run_at", "expires_at"])
@pytest.mark.parametrize("value", ["nonsense", "2024-13-01", True, [], {}, -1, 1e300, ""])
def test_bad_times(ann, field, value):
    found = shapes.faults(ann.post("/api/v1/jobs", one(**{field: value})))
    assert found == [(("body", field), "datetime_parsing")]


def test_expires_at_must_make_sense(ann):
    for fields in ({"expires_at": "2001-01-01"}, {"expires_at": time.time() - 1},
                   {"run_at": iso(3600), "expires_at": iso(1800)},
                   {"run_at": "2099-01-01T00:00:00Z", "expires_at": "2099-01-01T01:00:00+01:00"}):
        found = shapes.faults(ann.post("/api/v1/jobs", one(**fields)))
        assert found == [(("body", "expires_at"), "value_error")], fields


def test_expires_at_in_a_batch_names_the_job(ann):
    before = ann.ok("GET", "/api/v1/jobs")["pagination"]["total"]
    found = shapes.faults(ann.post("/api/v1/jobs/batch", {"jobs": [one(), one(), one(expires_at=time.time() - 1)]}))
    assert found == [(("body", "jobs", 2, "expires_at"), "value_error")]
    assert ann.ok("GET", "/api/v1/jobs")["pagination"]["total"] == before


def test_a_repeat_after_the_deadline_gets_the_first_answer(ann):
    for path, made in (("/api/v1/jobs", lambda fields: one(**fields)),
                       ("/api/v1/jobs/batch", lambda fields: {"jobs": [one(**fields)] * 2})):
        at = time.time() + 1
        headers = {"Idempotency-Key": "deadline-%f" % at}
        first = ann.post(path, made({"expires_at": at}), headers=headers)
        assert first.status_code == 202, first.text
        until(lambda: time.time() > at + 0.1, 5, "the deadline")
        again = ann.post(path, made({"expires_at": at}), headers=headers)
        assert again.status_code == 202 and again.headers["Idempotent-Replayed"] == "true"
        ids = [[job["job_id"] for job in r.json().get("jobs", [r.json()])] for r in (first, again)]
        assert ids[0] == ids[1]


@pytest.mark.parametrize("form", ["zulu", "offset", "float", "naive"])
def test_run_at_is_waited_for(ann, form):
    at = time.time() + 2.5
    value = {"zulu": datetime.datetime.utcfromtimestamp(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
             "naive": datetime.datetime.utcfromtimestamp(at).strftime("%Y-%m-%dT%H:%M:%S.%f"),
             "offset": datetime.datetime.utcfromtimestamp(at + 5400).strftime("%Y-%m-%dT%H:%M:%S.%f") + "+01:30",
             "float": at}[form]
    made = ann.ok("POST", "/api/v1/jobs", one(run_at=value), status=202)
    assert made["status"] == "queued"
    job = shapes.job(ann.job(made["job_id"]), status="queued")
    assert "queue_position" not in job
    done = ann.wait(made["job_id"])
    assert time.time() >= at - 0.01 and done["status"] == "completed"


def test_expires(gate, ann):
    first = ann.submit("x", model_preference="gated")
    ann.wait(first, ("processing",))
    job_id = ann.ok("POST", "/api/v1/jobs", one(model="gated", expires_at=time.time() + 1.5), status=202)["job_id"]
    job = ann.wait(job_id, seconds=20)
    assert job["status"] == "failed" and job["error"]["code"] == "EXPIRED"
    shapes.job(job)


def test_none_means_absent(ann):
    job_id = ann.ok("POST", "/api/v1/jobs", one(run_at=None, expires_at=None, webhook_url=None), status=202)["job_id"]
    assert ann.wait(job_id)["status"] == "completed"
