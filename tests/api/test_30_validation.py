# SPDX-License-Identifier: MIT
"""Requests that are wrong, and the fixed parts of every answer. Nothing wrong leaves a trace in Redis."""
import base64
import concurrent.futures
import json
import re

import pytest
import requests

import routes
import shapes
from p3d_test import TINY_GLB, Client, until
from raw_http import Raw

SUBMIT, JOBS = "/api/v1/mesh-generation", "/api/v1/jobs"
REGISTER, LOGIN = "/api/v1/users/register", "/api/v1/users/login"
JSON = {"Content-Type": "application/json"}
# Comes and goes by itself: housekeeping, workers asking for work.
VOLATILE = re.compile(rb"^p3d:\{\w+\}:(reap|reaper|nothing|workers?|worker:.*|wake:.*|leases)$")


def what_is_stored(p3d):
    with p3d.redis() as r:
        keys = {k for k in r.scan_iter("*", count=1000) if not VOLATILE.match(k)}
        return keys, r.zcard("p3d:{0}:i"), r.zcard("p3d:{a}:users"), r.get("p3d:{a}:seq:user")


@pytest.fixture
def untouched(p3d, admin):
    """The store holds after the test what it held before."""
    def at_rest():
        stats = admin.ok("GET", "/api/v1/system/jobs/queue/stats")["data"]
        return stats["pending_jobs"] == stats["processing_jobs"] == 0
    until(at_rest, what="earlier jobs to be done")
    before = what_is_stored(p3d)
    yield
    after = what_is_stored(p3d)
    assert after[0] ^ before[0] == set()
    assert after == before


@pytest.fixture(scope="module")
def user(p3d):
    return p3d.register(shapes.unique("validator"))


def deep(n, inner="1"):
    return '{"prompt":"x","model_parameters":%s%s%s}' % ('{"a":' * (n - 1), inner, "}" * (n - 1))


MALFORMED = {
    "cut off": b'{"prompt": "x"',
    "nothing": b"",
    "spaces": b"   ",
    "a word": b"prompt",
    "single quotes": b"{'prompt': 'x'}",
    "trailing comma": b'{"prompt": "x",}',
    "comment": b'{"prompt": "x"} // yes',
    "two values": b'{"prompt": "x"}{}',
    "duplicate key": b'{"prompt": "x", "prompt": "y"}',
    "duplicate by escape": b'{"prompt": "x", "pr\\u006fmpt": "y"}',
    "duplicate deep down": b'{"prompt": "x", "model_parameters": {"a": 1, "a": 2}}',
    "depth 65": deep(65).encode(),
    "depth 5000": b"[" * 5000,
    "NUL byte": b'{"prompt": "x\x00y"}',
    "NUL at the end": b'{"prompt": "x"}\x00',
    "NUL escaped": b'{"prompt": "x\\u0000y"}',
    "NUL in a key": b'{"prompt": "x", "a\\u0000b": 1}',
    "BOM": b'\xef\xbb\xbf{"prompt": "x"}',
    "UTF-16": '{"prompt": "x"}'.encode("utf-16"),
    "bad UTF-8": b'{"prompt": "\xff"}',
    "overlong UTF-8": b'{"prompt": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"prompt": "\xed\xa0\x80"}',
    "lone high surrogate": b'{"prompt": "\\ud800"}',
    "lone low surrogate": b'{"prompt": "\\udc00x"}',
    "swapped surrogates": b'{"prompt": "\\udc00\\ud800"}',
    "raw newline": b'{"prompt": "a\nb"}',
    "NaN": b'{"prompt": "x", "model_parameters": {"a": NaN}}',
    "Infinity": b'{"prompt": "x", "model_parameters": {"a": 1e999}}',
    "integer too big": b'{"prompt": "x", "model_parameters": {"a": 123456789012345678901234567890}}',
    "leading zero": b'{"prompt": "x", "model_parameters": {"a": 01}}',
    "a list": b'[{"prompt": "x"}]',
    "a string": b'"prompt"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed(p3d, user, untouched, body):
    for path in (SUBMIT, JOBS):
        found = shapes.faults(user.call("POST", path, data=body, headers=JSON))
        assert len(found) == 1 and found[0][0][0] == "body"
        shapes.error(p3d.client().call("POST", path, data=body, headers=JSON), 401, shapes.NO_TOKEN)
    for path in (REGISTER, LOGIN):
        assert shapes.faults(p3d.client().call("POST", path, data=body, headers=JSON))[0][0][0] == "body"


def test_depth_64_is_fine(user):
    r = user.call("POST", SUBMIT, data=deep(64), headers=JSON)
    assert r.status_code == 200, r.text
    assert user.wait(r.json()["job_id"])["status"] == "completed"


WRONG = {  # body of the feature's route -> where
    "missing": ({}, {("body", "prompt")}),
    "null": ({"prompt": None}, {("body", "prompt")}),
    "number": ({"prompt": 1}, {("body", "prompt")}),
    "list": ({"prompt": ["x"]}, {("body", "prompt")}),
    "object": ({"prompt": {}}, {("body", "prompt")}),
    "boolean": ({"prompt": True}, {("body", "prompt")}),
    "empty": ({"prompt": ""}, {("body", "prompt")}),
    "2001 characters": ({"prompt": "ä" * 2001}, {("body", "prompt")}),
    "unknown field": ({"prompt": "x", "promt": "y"}, {("body", "promt")}),
    "nobody's fields": ({"prompt": "x", "user_id": "me", "priority": 9}, {("body", "user_id"), ("body", "priority")}),
    "model is a number": ({"prompt": "x", "model_preference": 1}, {("body", "model_preference")}),
    "format is a list": ({"prompt": "x", "output_format": []}, {("body", "output_format")}),
    "unknown format": ({"prompt": "x", "output_format": "docx"}, {("body", "output_format")}),
    "parameters are text": ({"prompt": "x", "model_parameters": "a"}, {("body", "model_parameters")}),
    "several at once": ({"prompt": 1, "x": 2, "model_parameters": 3}, {("body", "prompt"), ("body", "model_parameters"), ("body", "x")}),
    "a file of no feature": ({"prompt": "x", "image_path": "/etc/passwd"}, {("body", "image_path")}),
}


@pytest.mark.parametrize("body, where", WRONG.values(), ids=WRONG)
def test_wrong_fields(user, untouched, body, where):
    found = {loc for loc, _ in shapes.faults(user.post(SUBMIT, body))}
    # Faults of the frame (types of its fields) may be told before those of the inputs, but none is invented.
    assert found and found <= where, found
    if where != WRONG["several at once"][1]:
        assert found == where


def whole(**change):
    return {"feature": "mesh_generation", "inputs": {"prompt": "x"}, **change}


NESTED = {
    "no feature": ({"inputs": {"prompt": "x"}}, {("body", "feature")}),
    "no inputs": ({"feature": "mesh_generation"}, {("body", "inputs")}),
    "feature is null": (whole(feature=None), {("body", "feature")}),
    "inputs are a list": (whole(inputs=[]), {("body", "inputs")}),
    "input missing": (whole(inputs={}), {("body", "inputs", "prompt")}),
    "input unknown": (whole(inputs={"prompt": "x", "colour": 1}), {("body", "inputs", "colour")}),
    "priority 10": (whole(priority=10), {("body", "priority")}),
    "priority -1": (whole(priority=-1), {("body", "priority")}),
    "priority 1.5": (whole(priority=1.5), {("body", "priority")}),
    "priority is text": (whole(priority="5"), {("body", "priority")}),
    "priority is true": (whole(priority=True), {("body", "priority")}),
    "max_attempts 0": (whole(max_attempts=0), {("body", "max_attempts")}),
    "timeout 0": (whole(timeout_seconds=0), {("body", "timeout_seconds")}),
    "metadata is a list": (whole(metadata=[]), {("body", "metadata")}),
    "metadata too long": (whole(metadata={"a": "x" * 17000}), {("body", "metadata")}),
    "unknown field": (whole(prio=1), {("body", "prio")}),
    "user_id": (whole(user_id="user_0123456789abcdef"), {("body", "user_id")}),
    "size 0": (whole(feature="painting", inputs={"size": 0}), {("body", "inputs", "size")}),
    "size 11": (whole(feature="painting", inputs={"size": 11}), {("body", "inputs", "size")}),
    "size is text": (whole(feature="painting", inputs={"size": "4"}), {("body", "inputs", "size")}),
    "size 4.5": (whole(feature="painting", inputs={"size": 4.5}), {("body", "inputs", "size")}),
}


@pytest.mark.parametrize("body, where", NESTED.values(), ids=NESTED)
def test_wrong_fields_of_jobs(user, untouched, body, where):
    assert {loc for loc, _ in shapes.faults(user.post(JOBS, body))} == where


def test_metadata_too_deep(user, untouched):
    body = '{"feature":"mesh_generation","inputs":{"prompt":"x"},"metadata":%s}' % ('{"a":' * 64 + "1" + "}" * 64)
    assert shapes.faults(user.call("POST", JOBS, data=body, headers=JSON))[0][0][0] == "body"


def test_metadata_as_deep_as_can_be(user):
    body = '{"feature":"mesh_generation","inputs":{"prompt":"x"},"metadata":%s}' % ('{"a":' * 63 + "1" + "}" * 63)
    r = user.call("POST", JOBS, data=body, headers=JSON)
    assert r.status_code == 202 and user.wait(r.json()["job_id"])["metadata"] == json.loads(body)["metadata"]


def test_jobs_answers_202(user):
    r = user.post(JOBS, whole(priority=7, metadata={"note": "ä", "n": [1, {"a": None}]}, max_attempts=2,
                              timeout_seconds=30, model="tiny"))
    assert r.status_code == 202
    body = r.json()
    assert sorted(body) == ["eta_seconds", "job_id", "message", "queue_position", "status"]
    assert body["status"] == "queued" and body["message"] == "Mesh generation job queued successfully"
    assert r.headers["Location"].endswith("/api/v1/jobs/" + body["job_id"])
    shapes.job(user.wait(body["job_id"]), status="completed", priority=7, max_attempts=2, model_preference="tiny",
               metadata={"note": "ä", "n": [1, {"a": None}]})
    r = user.ok("POST", JOBS, {"feature": "painting", "inputs": {}}, status=202)
    shapes.job(user.wait(r["job_id"]), status="completed", inputs={"size": 4}, model_id="plain",  # the default filled in
               model_preference=None)


@pytest.mark.parametrize("body, text", [
    ({"prompt": "x", "model_preference": "nothing"},
     "Model 'nothing' is not available for feature 'mesh_generation'. "
     "Available models: ['tiny', 'pictured', 'failing', 'gated']"),
    ({"prompt": "x", "model_preference": "off"},  # configured, not enabled
     "Model 'off' is not available for feature 'mesh_generation'. "
     "Available models: ['tiny', 'pictured', 'failing', 'gated']"),
])
def test_unknown_model(user, untouched, body, text):
    shapes.error(user.post(SUBMIT, body), 400, text)
    r = user.post(JOBS, {"feature": "mesh_generation", "model": body["model_preference"], "inputs": {"prompt": "x"}})
    shapes.error(r, 400, text)


def test_unknown_feature(user, untouched):
    text = "No models available for feature 'mesh_segmentation'. Please check if models are registered."
    shapes.error(user.post("/api/v1/mesh-segmentation/segment-mesh", {}), 400, text)
    shapes.error(user.post(JOBS, {"feature": "mesh_segmentation", "inputs": {}}), 400, text)
    detail = shapes.error(user.post(JOBS, {"feature": "nothing", "inputs": {}}), 400)
    assert "'nothing'" in detail


def test_prompts_come_back_as_they_were(user):
    prompts = ["ä€🙂\u2028\u202e\ufeff", "\\\"'`$(reboot)${x}", "a\tb\nc\r\n", "x" * 2000, "🙂" * 2000, "\u0001\u001f\u007f",
               "../../etc/passwd", "%s%n%d", "<script>", " lead and trail "]
    jobs = [(user.submit(p), p) for p in prompts]
    for job, prompt in jobs:
        assert user.wait(job)["inputs"]["prompt"] == prompt


def test_what_a_model_says_is_judged_too(user):
    """A job whose model said something deep, wrong or unreadable can be read by its owner all the same."""
    body = {"feature": "painting", "model": "talkative", "inputs": {}}
    job_id = user.ok("POST", JOBS, body, status=202)["job_id"]
    job = shapes.job(user.wait(job_id), status="completed")
    info = job["result"]["generation_info"]
    assert info["said"] == "ä" and info["model_used"] == "talkative"
    assert "deep63" in info and "deep64" not in info and "text" not in info
    assert job_id in [row["job_id"] for row in user.ok("GET", JOBS)["jobs"]]


# ---- sizes and types of bodies

def test_a_body_of_ten_megabytes(p3d, user, untouched):
    """The head is enough to say so; who sends it all the same sees 413 or a closed connection."""
    for headers in ({"Authorization": "Bearer " + user.token}, {}):
        with Raw(p3d.base) as raw:
            raw.request("POST", SUBMIT, Content_Type="application/json", Content_Length=10 << 20, **headers)
            answer = raw.response()
            assert answer.status == 413 and answer.json()["error"] == "TOO_LARGE"  # size before credential
    try:
        r = user.call("POST", SUBMIT, data=json.dumps({"prompt": "x" * (10 << 20)}), headers=JSON)
        assert r.status_code == 413
    except requests.exceptions.ConnectionError:
        pass
    with Raw(p3d.base) as raw:  # chunked: the length shows only on the way
        raw.send(b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % SUBMIT.encode())
        try:
            raw.send((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 40 + b"0\r\n\r\n")
            assert raw.response().status == 413
        except (EOFError, ConnectionError):
            pass
    assert user.get("/health").status_code == 200


def test_a_body_of_one_megabyte_is_read(user):
    just = b'{"prompt": "x"' + b" " * ((1 << 20) - 15) + b"}"
    assert user.call("POST", SUBMIT, data=just, headers=JSON).status_code == 200
    assert user.call("POST", SUBMIT, data=just + b" ", headers=JSON).status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/jsonx", "application/xml", "*/*", "application/json,text/plain"])
def test_wrong_content_type(p3d, user, untouched, kind):
    shapes.error(user.call("POST", SUBMIT, data='{"prompt": "x"}', headers={"Content-Type": kind}), 415)
    shapes.error(p3d.client().call("POST", SUBMIT, data='{"prompt": "x"}', headers={"Content-Type": kind}), 401)


@pytest.mark.parametrize("kind", [None, "application/json; charset=utf-8", "Application/JSON", "application/json;"])
def test_good_content_type(p3d, user, kind):
    headers = {"Authorization": "Bearer " + user.token}
    if kind:
        headers["Content_Type"] = kind
    with Raw(p3d.base) as raw:
        assert raw.request("POST", SUBMIT, b'{"prompt": "x"}', **headers).response().status == 200


def test_chunked_body(p3d, user):
    def pieces():
        for c in b'{"prompt": "in pieces"}':
            yield bytes([c])
    r = user.call("POST", SUBMIT, data=pieces(), headers=JSON)
    assert r.status_code == 200 and user.wait(r.json()["job_id"])["inputs"] == {"prompt": "in pieces"}


def test_an_empty_body_where_none_is_needed(p3d, admin):
    victim = p3d.register(shapes.unique("victim"))
    r = admin.delete("/api/v1/users/admin/users/" + victim.user["user_id"], headers={"Content-Type": "text/plain"})
    assert r.status_code == 200


# ---- routes, methods, order of checks

def test_unknown_route(p3d, user):
    for client in (p3d.client(), user):
        for path in ("/nothing", "/api", "/api/v1", "/api/v1/system", "/api/v1/jobs/%s/nothing" % shapes.ABSENT_JOB,
                     "/api/v1//jobs", "/api/v1/jobs/", "/API/V1/jobs", "/api/v1/users/admin/users/a/b", "/health/",
                     "/..%2fhealth", "/api/v1/jobs/%00"):
            for method in ("GET", "POST"):
                r = client.call(method, path)
                if path == "/api/v1/jobs/%00":
                    assert r.status_code in (404, 400, 401), path
                else:
                    shapes.error(r, 404)
                    assert r.json()["message"] == "Resource not found"


def test_wrong_method(p3d):
    for path in sorted({r.pattern for r in routes.ALL}):
        known = {r.method for r in routes.ALL if r.pattern == path}
        path = path.replace("{job_id}", shapes.ABSENT_JOB).replace("{user_id}", shapes.ABSENT_USER).replace("{name}", "a")
        path = path.replace("{token}", "p3d_0aaa")
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "BREW"} - known:
            r = p3d.client().call(method, path, headers=JSON, data='{"malformed')
            # A literal segment wins, but another row's parameter may fit the same path.
            if r.status_code == 401:
                assert "/jobs/" in path or path == "/api/users/me"
                continue
            shapes.error(r, 405)
            allow = {m.strip() for m in r.headers["Allow"].split(",")}
            assert known <= allow and method not in allow
            assert ("HEAD" in allow) == ("GET" in allow)


def test_order_of_checks(p3d, user, untouched):
    nobody, bad = p3d.client(), {"Authorization": "Bearer nonsense"}
    shapes.error(nobody.get("/nothing", headers=bad), 404)                                        # route
    shapes.error(nobody.call("PUT", SUBMIT, data="{", headers=JSON), 405)                         # before credential
    shapes.error(nobody.call("POST", SUBMIT, data="{", headers=JSON), 401, shapes.NO_TOKEN)       # before validation
    shapes.error(nobody.call("POST", SUBMIT, data="{", headers={**JSON, **bad}), 401, shapes.BAD_TOKEN)
    shapes.error(nobody.get(JOBS + "/history?limit=x"), 401, shapes.NO_TOKEN)
    shapes.error(nobody.get("/api/v1/users/admin/users?limit=x"), 401, shapes.NO_TOKEN)
    shapes.error(user.get("/api/v1/users/admin/users?limit=x"), 403, shapes.NOT_ADMIN)            # role before validation
    shapes.error(user.get(JOBS + "/history?limit=x&user_id=" + shapes.ABSENT_USER), 403)
    shapes.error(user.get(JOBS + "/%s/download?format=x" % shapes.ABSENT_JOB), 404, shapes.NO_JOB)  # existence
    shapes.error(user.call("POST", SUBMIT, data="{", headers={"Content-Type": "text/plain"}), 415)
    key = {"Idempotency-Key": "x" * 256}
    shapes.error(nobody.post(SUBMIT, {"prompt": "x"}, headers=key), 401)
    shapes.error(user.call("POST", SUBMIT, data="{", headers={**JSON, "Idempotency-Key": "fine"}), 422)


# ---- broken heads

BROKEN = {
    "not HTTP": b"hello\r\n\r\n",
    "two lengths": b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "length is no number": b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
    "unknown coding": b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "folded": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2\r\n\r\n",
}


@pytest.mark.parametrize("head", BROKEN.values(), ids=BROKEN)
def test_broken_heads(p3d, head):
    with Raw(p3d.base) as raw:
        answer = raw.send(head).response()
        assert answer.status == 400
        assert answer.json()["error"] == "BAD_REQUEST"
        assert sorted(answer.json()) == ["detail", "error", "message"]
        assert raw.at_end()  # what follows on that connection is never read as a request


def test_head_too_large(p3d):
    with Raw(p3d.base) as raw:
        answer = raw.request("GET", "/health", X_Large="x" * 100000).response()
        assert answer.status == 431 and answer.json()["error"] == "HEADERS_TOO_LARGE"
    with Raw(p3d.base) as raw:
        answer = raw.request("GET", "/" + "x" * 100000).response()
        assert answer.status == 431
    with Raw(p3d.base) as raw:
        assert raw.request("GET", "/health", X_Fine="x" * 4000).response().status == 200


# ---- HEAD

@pytest.mark.parametrize("route", [r for r in routes.ALL if r.method == "GET" and r.handler != "events"],
                         ids=lambda r: r.pattern)  # that one has no end: test_36_events.py
def test_head_has_no_body_and_the_connection_goes_on(p3d, user, admin, route):
    job = getattr(user, "pictured", None)
    if job is None:
        job = user.pictured = user.submit("head", model_preference="pictured")
        assert user.wait(job)["status"] == "completed"
    client = admin if route.credential == "ADMIN" else user
    path = route.pattern.replace("{job_id}", job).replace("{name}", "result.glb") \
        .replace("{user_id}", user.user["user_id"])
    good = {"Authorization": "Bearer " + client.token}
    with Raw(p3d.base) as raw:
        raw.request("HEAD", path, **good).request("GET", "/health").request("HEAD", path)
        raw.request("GET", path, **good).request("HEAD", path, **good).request("GET", "/health")
        head = raw.response(head=True)
        assert head.status == 200
        assert raw.response().json()["status"] == "healthy"
        assert raw.response(head=True).status == (200 if route.credential == "PUBLIC" else 401)
        get = raw.response()
        assert get.status == 200 and (get.body or route.handler == "job_logs")
        assert raw.response(head=True).status == 200
        assert raw.response().json()["status"] == "healthy"
    assert head.headers["content-type"] == get.headers["content-type"]
    if "download" in path or "/files/" in path or "thumbnail" in path:
        for name in ("content-length", "etag", "last-modified", "content-disposition", "accept-ranges"):
            assert head.headers[name] == get.headers[name]
        assert int(head.headers["content-length"]) == len(get.body)


# ---- every answer

@pytest.mark.parametrize("given, kept", [("abc.DEF_1-2", True), ("x" * 64, True), ("x" * 65, False), ("", False),
                                         ("a b", False), ("a/b", False), ("é", False), ("a\tb", False), (None, False)])
def test_request_id(p3d, user, given, kept):
    headers = {} if given is None else {"X-Request-ID": given.encode()}
    seen = set()
    for r in (user.get("/health", headers=headers), user.get("/nothing", headers=headers),
              user.call("POST", SUBMIT, data="{", headers={**JSON, **headers}),
              p3d.client().get(JOBS, headers=headers)):
        got = r.headers["X-Request-ID"]
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", got)
        assert (got == given) == kept
        assert re.fullmatch(r"\d+\.\d+", r.headers["X-Process-Time"]) and float(r.headers["X-Process-Time"]) < 30
        seen.add(got)
    assert len(seen) == (1 if kept else 4)


def test_cors(p3d):
    r = p3d.client().get("/health", headers={"Origin": "https://app.example.org"})
    assert r.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in r.headers
    r = p3d.client().get(JOBS, headers={"Origin": "https://app.example.org"})  # errors can be read too
    assert r.status_code == 401 and r.headers["Access-Control-Allow-Origin"] == "*"
    for path, method in ((SUBMIT, "POST"), ("/api/v1/system/jobs/" + shapes.ABSENT_JOB, "GET"),
                         ("/api/v1/users/admin/users/" + shapes.ABSENT_USER, "DELETE")):
        r = p3d.client().call("OPTIONS", path, headers={
            "Origin": "https://app.example.org", "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key"})
        assert r.status_code in (200, 204) and r.headers["Access-Control-Allow-Origin"] == "*"
        assert method in r.headers["Access-Control-Allow-Methods"]
        allowed = {h.strip().lower() for h in r.headers["Access-Control-Allow-Headers"].split(",")}
        assert {"authorization", "content-type", "idempotency-key", "x-api-key"} <= allowed
        assert "Access-Control-Allow-Credentials" not in r.headers
        assert r.content == b""


def test_nothing_private_is_cached(user):
    for path in ("/api/v1/users/me", JOBS):
        assert "no-store" in user.get(path).headers.get("Cache-Control", "")


# ---- Idempotency-Key

def with_key(client, key, body=None, path=SUBMIT):
    return client.post(path, body or {"prompt": "x"}, headers={"Idempotency-Key": key})


def test_idempotency(p3d, user, bob):
    key = shapes.unique("key")
    first = with_key(user, key)
    assert first.status_code == 200 and "Idempotent-Replayed" not in first.headers
    user.wait(first.json()["job_id"])
    again = with_key(user, key)
    assert again.status_code == 200 and again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    shapes.error(with_key(user, key, {"prompt": "another"}), 409)
    assert with_key(bob, key).json()["job_id"] != first.json()["job_id"]  # a key is its caller's
    assert with_key(user, key + "2").json()["job_id"] != first.json()["job_id"]
    other = with_key(user, shapes.unique("key"), whole(), JOBS)
    assert other.status_code == 202
    again = with_key(user, other.request.headers["Idempotency-Key"], whole(), JOBS)
    assert (again.status_code, again.json()["job_id"]) == (202, other.json()["job_id"])
    assert again.headers["Location"] == other.headers["Location"]
    # Refused requests do not use a key up.
    key = shapes.unique("key")
    shapes.faults(with_key(user, key, {"prompt": 1}))
    assert "Idempotent-Replayed" not in with_key(user, key).headers


@pytest.mark.parametrize("key", ["x" * 256, "a b", "ä".encode("utf-8"), "a\tb"])
def test_bad_keys(user, untouched, key):
    assert shapes.faults(user.post(SUBMIT, {"prompt": "x"}, headers={"Idempotency-Key": key}))


def test_good_keys(user):
    for key in ("x" * 255, "!~\"#$%&'()*+,-./:;<=>?@[]^_`{|}", "1"):
        assert with_key(user, key).status_code == 200


def test_twenty_at_once_make_one(p3d, user):
    key = shapes.unique("key")
    before = user.ok("GET", JOBS)["pagination"]["total"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: with_key(Client(p3d.base, user.token), key), range(20)))
    assert [r.status_code for r in answers] == [200] * 20
    assert len({r.json()["job_id"] for r in answers}) == 1
    assert sum("Idempotent-Replayed" not in r.headers for r in answers) == 1
    assert user.ok("GET", JOBS)["pagination"]["total"] == before + 1


# ---- downloads

def test_download(p3d, user):
    job = user.submit("bytes", model_preference="pictured")
    user.wait(job)
    path = "/api/v1/system/jobs/%s/download" % job
    whole_ = user.get(path)
    tag = whole_.headers["ETag"]
    assert whole_.headers["Accept-Ranges"] == "bytes" and whole_.content == TINY_GLB

    def ranged(spec, **more):
        return user.get(path, headers={"Range": spec, **more})
    for spec, want in (("bytes=0-3", (0, 4)), ("bytes=4-", (4, 48)), ("bytes=-4", (44, 48)), ("bytes=-100", (0, 48)),
                       ("bytes=40-1000", (40, 48)), ("bytes=0-0", (0, 1))):
        r = ranged(spec)
        assert r.status_code == 206 and r.content == TINY_GLB[want[0]:want[1]], spec
        assert r.headers["Content-Range"] == "bytes %d-%d/48" % (want[0], want[1] - 1)
    for spec in ("bytes=48-", "bytes=100-200", "bytes=-0"):
        r = ranged(spec)
        shapes.error(r, 416)
        assert r.headers["Content-Range"] == "bytes */48"
    for spec in ("bytes=0-1,4-5", "lines=1-2", "bytes=5-2", "bytes=a-b", "bytes"):
        r = ranged(spec)
        assert r.status_code == 200 and r.content == TINY_GLB, spec
    assert ranged("bytes=0-3", **{"If-Range": tag}).status_code == 206
    assert ranged("bytes=0-3", **{"If-Range": '"other"'}).status_code == 200
    for match in (tag, "*", '"a", ' + tag, "W/" + tag):
        r = user.get(path, headers={"If-None-Match": match})
        assert r.status_code == 304 and r.content == b"" and r.headers["ETag"] == tag
    assert user.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    r = user.get(path + "?format=base64")
    body = r.json()
    assert sorted(body) == ["base64_data", "content_type", "download_time", "file_size_mb", "filename",
                            "generation_info", "job_id"]
    assert base64.b64decode(body["base64_data"], validate=True) == TINY_GLB and body["job_id"] == job
    assert [loc for loc, _ in shapes.faults(user.get(path + "?format=zip"))] == [("query", "format")]
    r = user.get(path, params={"filename": "kätze \"x\"\r\nX-Evil: 1/../a.glb"})
    assert r.status_code == 200 and "X-Evil" not in r.headers
    assert "filename*=UTF-8''" in r.headers["Content-Disposition"] and ".." not in r.headers["Content-Disposition"][:30]
    info = user.ok("GET", "/api/v1/system/jobs/%s/info" % job)
    assert info["has_result"] is True and info["file_info"]["file_exists"] is True
    assert info["mesh_download_urls"]["direct_download"].startswith("/api/v1/system/jobs/")
    files = user.ok("GET", "/api/v1/system/jobs/%s/files" % job)["files"]
    assert {f["name"]: f["role"] for f in files} == {"result.glb": "mesh", "thumbnail.png": "thumbnail"}
    thumbnail = user.get("/api/v1/system/jobs/%s/thumbnail" % job)
    assert thumbnail.content == b"\x89PNG\r\n\x1a\n" and thumbnail.headers["Content-Type"] == "image/png"


def test_download_before_the_end_and_without_a_result(gate, user):
    job = user.submit("waits", model_preference="gated")
    user.wait(job, ("processing",))
    path = "/api/v1/system/jobs/%s" % job
    shapes.error(user.get(path + "/download"), 400, "Job is not completed yet. Current status: processing")
    second = user.submit("waits too", model_preference="gated")
    shapes.error(user.get("/api/v1/jobs/%s/download" % second), 400, "Job is not completed yet. Current status: queued")
    assert user.ok("GET", path + "/info")["has_result"] is False
    gate.open_gate()
    user.wait(second)
    failed = user.submit("fails", model_preference="failing")
    job = shapes.job(user.wait(failed), status="failed", attempt=1)
    assert job["error"]["code"] and "the kiln is cold" in job["error"]["message"]
    shapes.error(user.get("/api/v1/jobs/%s/download" % failed), 400, "Job is not completed yet. Current status: failed")
    r = user.ok("POST", JOBS, {"feature": "painting", "inputs": {}}, status=202)
    user.wait(r["job_id"])
    shapes.error(user.get("/api/v1/jobs/%s/download" % r["job_id"]), 404, "No result available for this job")
    plain = user.submit("no picture", model_preference="tiny")
    user.wait(plain)
    shapes.error(user.get("/api/v1/jobs/%s/thumbnail" % plain), 404)
