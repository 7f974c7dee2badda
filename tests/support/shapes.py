# SPDX-License-Identifier: MIT
"""What answers look like, by the wire contract."""
import itertools
import os
import re

CODES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED",
         409: "CONFLICT", 413: "TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE", 416: "RANGE_NOT_SATISFIABLE",
         422: "VALIDATION_ERROR", 429: "RATE_LIMITED", 431: "HEADERS_TOO_LARGE", 500: "INTERNAL_ERROR",
         503: "UNAVAILABLE"}
NO_TOKEN = "Authorization header missing. Please provide a Bearer token."
BAD_SCHEME = "Invalid authorization format. Use 'Bearer <token>'"
BAD_TOKEN = "Invalid token"
NOT_ADMIN = "Admin access required"
NOT_YOURS = "Access denied to this job"
NO_JOB = "Job not found"
AUTH_OFF = "User authentication is disabled on this server. Enable it in configuration."
AUTH_DOWN = "Authentication service is not available. Please check the service configuration."
NAIVE_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$")
USER_KEYS = ["created_at", "email", "is_active", "role", "user_id", "username"]
JOB_KEYS = ["attempt", "completed_at", "created_at", "error", "failed_at", "feature", "inputs", "job_id", "max_attempts",
            "metadata", "model_id", "model_preference", "priority", "processing_time", "progress", "progress_message",
            "result", "started_at", "status", "user_id"]
JOB_ID = re.compile(r"^job_[0-9A-Za-z][0-9A-HJKMNP-TV-Z]{26}$")
ABSENT_JOB = "job_001ARZ3NDEKTSV4RRFFQ69G5FAV"
ABSENT_USER = "user_0123456789abcdef"

_serial = itertools.count()


def unique(stem="user"):
    return "%s-%d-%d" % (stem, os.getpid(), next(_serial))


def error(response, status, detail=None):
    """Checks the envelope and gives back `detail`. detail: the exact text, when it matters."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.headers["Content-Type"].startswith("application/json"), response.headers
    body = response.json()
    assert sorted(body) == ["detail", "error", "message"], body
    assert body["error"] == CODES[status], body
    assert isinstance(body["message"], str) and body["message"], body
    assert "X-Request-ID" in response.headers and "X-Process-Time" in response.headers
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    if status == 503:
        assert int(response.headers["Retry-After"]) >= 0
    if detail is not None:
        assert body["detail"] == detail, body
    return body["detail"]


def faults(response):
    """Of a 422: [(loc tuple, type)]."""
    detail = error(response, 422)
    assert isinstance(detail, list) and detail
    for fault in detail:
        assert sorted(fault) == ["loc", "msg", "type"], fault
        assert fault["msg"] and isinstance(fault["msg"], str)
    return [(tuple(f["loc"]), f["type"]) for f in detail]


def user(value, **expected):
    assert sorted(value) == USER_KEYS, value
    assert re.match(r"^user_[0-9a-f]{16}$", value["user_id"]), value
    assert NAIVE_TIME.match(value["created_at"]), value
    for key, want in expected.items():
        assert value[key] == want, (key, value)
    return value


def job(value, **expected):
    """Every key that is always there, null until known, and the ones that some states add."""
    extra = set(value) - set(JOB_KEYS)
    assert not set(JOB_KEYS) - set(value), set(JOB_KEYS) - set(value)
    allowed = {"queue_position", "eta_seconds"} if value["status"] == "queued" else set()
    if value["status"] == "completed":
        allowed = {"output_mesh_path", "mesh_url", "thumbnail_url"}
        assert {"output_mesh_path", "mesh_url"} <= extra, extra
    assert extra - {"retried_from", "retried_as"} <= allowed, extra
    assert JOB_ID.match(value["job_id"]), value["job_id"]
    assert 0 <= value["progress"] <= 1
    final = value["status"] in ("completed", "failed", "cancelled")
    assert (value["completed_at"] is not None) == (value["status"] in ("completed", "cancelled")), value
    assert (value["failed_at"] is not None) == (value["status"] == "failed"), value
    assert (value["error"] is not None) == (value["status"] == "failed"), value
    assert (value["result"] is not None) == (value["status"] == "completed"), value
    assert final or value["processing_time"] is None
    for key in ("created_at", "started_at", "completed_at", "failed_at"):
        assert value[key] is None or NAIVE_TIME.match(value[key]), (key, value[key])
    for key, want in expected.items():
        assert value[key] == want, (key, value[key])
    return value
