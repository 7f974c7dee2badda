# SPDX-License-Identifier: MIT
"""Authenticated, simple and api-key mode; the spellings of the switch; what stops the start."""
import pytest

import shapes
from p3d_test import P3D, TINY, TINY_GLB, Client

SUBMIT, JOBS = "/api/v1/mesh-generation", "/api/v1/system/jobs/"
STATUS = "/api/v1/system/auth-status"
SIMPLE = {"user_auth_enabled": False}


def mode(base):
    return Client(base).ok("GET", STATUS)["mode"]


@pytest.fixture(scope="module")
def simple():
    security = {**SIMPLE, "cors_origins": ["https://app.example.org", "http://localhost:3000"]}
    with P3D(models={"tiny": TINY}, config={"security": security}) as p3d:
        yield p3d


def test_simple_mode_asks_for_nothing(simple):
    nobody = simple.client()
    job_id = nobody.submit("for all")
    job = nobody.wait(job_id)
    shapes.job(job, status="completed", user_id=None)
    assert nobody.download(job_id).content == TINY_GLB
    assert job_id in [row["job_id"] for row in nobody.ok("GET", JOBS + "history")["jobs"]]
    assert nobody.ok("GET", JOBS + "queue/stats")["success"] is True
    assert nobody.get("/api/v1/system/models").status_code == 200
    shapes.error(nobody.get(JOBS + shapes.ABSENT_JOB), 404, shapes.NO_JOB)
    for headers in ({"Authorization": "Bearer nonsense"}, {"Authorization": "nonsense"}, {"X-API-Key": "x"}):
        assert nobody.get(JOBS + job_id, headers=headers).status_code == 200  # ignored


def test_simple_mode_has_no_users(simple):
    nobody = simple.client()
    for method, path, body in (("POST", "register", {"username": "ann", "email": "a@b.c", "password": "12345678"}),
                               ("POST", "register", None), ("POST", "login", {"username": "ann", "password": "x"}),
                               ("GET", "me", None), ("GET", "admin/users", None),
                               ("GET", "admin/users/" + shapes.ABSENT_USER, None),
                               ("DELETE", "admin/users/" + shapes.ABSENT_USER, None)):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            r = nobody.call(method, "/api/v1/users/" + path, body, headers=headers)
            shapes.error(r, 503, shapes.AUTH_OFF)


def test_simple_mode_is_one_caller_for_idempotency(simple):
    key = {"Idempotency-Key": shapes.unique("key")}
    first = simple.client().post(SUBMIT, {"prompt": "one"}, headers=key)
    again = simple.client().post(SUBMIT, {"prompt": "one"}, headers=key)
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


def test_auth_status(simple):
    status = simple.client().ok("GET", STATUS)
    assert sorted(status) == ["api_key_required", "description", "features", "mode", "timestamp", "user_auth_enabled"]
    assert (status["user_auth_enabled"], status["mode"]) == (False, "simple")
    assert status["features"] == {"job_isolation": False, "user_management": False, "role_based_access": False}
    assert isinstance(status["timestamp"], float) and isinstance(status["description"], str)


def test_cors_of_a_list(simple):
    """An origin of the list is allowed by name, others are told nothing; caches must know."""
    for origin, want in (("https://app.example.org", "https://app.example.org"), ("http://localhost:3000",) * 2,
                         ("https://evil.example.org", None), ("https://app.example.org.evil.org", None),
                         ("null", None)):
        r = simple.client().get("/health", headers={"Origin": origin})
        assert r.status_code == 200 and r.headers.get("Access-Control-Allow-Origin") == want
        assert "Origin" in r.headers.get("Vary", "")
        r = simple.client().call("OPTIONS", SUBMIT, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert r.headers.get("Access-Control-Allow-Origin") == want


def test_auth_status_of_a_server_with_users(p3d):
    status = p3d.client().ok("GET", STATUS)
    assert (status["user_auth_enabled"], status["mode"]) == (True, "authenticated")
    assert status["features"] == {"job_isolation": True, "user_management": True, "role_based_access": True}


def test_api_keys():
    security = {**SIMPLE, "api_key_required": True, "api_keys": ["first-key-0123456789", "second-key-0123456789"]}
    with P3D(models={"tiny": TINY}, config={"security": security}, workers=1) as p3d:
        nobody = p3d.client()
        status = nobody.ok("GET", STATUS)
        assert (status["mode"], status["api_key_required"], status["user_auth_enabled"]) == ("api_key", True, False)
        assert nobody.get("/health").status_code == 200
        for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}, {"Authorization": "Bearer wrong"},
                        {"Authorization": "first-key-0123456789"}, {"X-API-Key": "first-key-012345678"},
                        {"X-API-Key": "first-key-0123456789x"}, {"X-API-Key": "first-key-0123456789,second-key-0123456789"}):
            for method, path, body in (("POST", SUBMIT, {"prompt": "x"}), ("POST", SUBMIT, {"nonsense": 1}),
                                       ("GET", JOBS + "history", None), ("GET", JOBS + shapes.ABSENT_JOB, None)):
                shapes.error(nobody.call(method, path, body, headers=headers), 401, "Invalid API key")
        shapes.error(nobody.get(JOBS + "history?api_key=first-key-0123456789"), 401, "Invalid API key")
        for key in security["api_keys"]:
            good = Client(p3d.base, key)
            good.wait(good.submit("x"))
            assert nobody.get(JOBS + "history", headers={"X-API-Key": key}).status_code == 200
        for key in security["api_keys"]:
            assert key not in p3d.log()
        shapes.error(nobody.get("/api/v1/users/me"), 503, shapes.AUTH_OFF)


@pytest.mark.parametrize("host, security, what", [
    ("0.0.0.0", SIMPLE, "everybody there may do everything"),
    ("::", SIMPLE, "everybody there may do everything"),
    ("0.0.0.0", {**SIMPLE, "api_key_required": True, "api_keys": ["first-key-0123456789"]},
     "everybody with an API key sees all jobs"),
    ("127.0.0.1", SIMPLE, None), ("0.0.0.0", {}, None),
], ids=["all", "all of IPv6", "with keys", "loopback", "with accounts"])
def test_an_open_server_says_so(host, security, what):
    """In its log at every start, in auth-status, and in the greeting."""
    config = {"server": {"host": host}, "security": security}
    with P3D(models={"tiny": TINY}, config=config, workers=1) as p3d:
        base = "http://127.0.0.1:" + p3d.base.rsplit(":", 1)[1]
        warned = [line for line in p3d.log().splitlines() if "unsafe_setting" in line and "security.user_auth_enabled" in line]
        assert len(warned) == (1 if what else 0), p3d.log()
        for line in warned:
            assert " warn " in line and what in line and "other machines reach" in line, line
        greeting, status = Client(base).ok("GET", "/")["description"], Client(base).ok("GET", STATUS)
        for text in (greeting, status["description"]):
            assert ("may do everything" in text) == (security != {}), text
            assert ("Simple mode" in text) == (security != {}), text
        assert status["features"]["job_isolation"] == (security == {})


def test_modes_change_and_nothing_is_lost():
    with P3D(models={"tiny": TINY}, workers=1) as p3d:
        def restart(**environment):
            assert p3d.stop() == 0
            for name in ("P3D_SECURITY__USER_AUTH_ENABLED", "P3D_USER_AUTH_ENABLED"):
                p3d.environment.pop(name, None)
            p3d.environment.update(environment)
            p3d.start()

        admin, ann = p3d.admin(), p3d.register("ann")
        owned = ann.submit("owned")
        ann.wait(owned)

        restart(P3D_SECURITY__USER_AUTH_ENABLED="false")
        nobody = p3d.client()
        assert nobody.job(owned)["user_id"] == ann.user["user_id"]  # all jobs are everybody's
        assert nobody.download(owned).content == TINY_GLB
        ownerless = nobody.submit("ownerless")
        shapes.job(nobody.wait(ownerless), user_id=None)
        assert {row["job_id"] for row in nobody.ok("GET", JOBS + "history")["jobs"]} == {owned, ownerless}

        restart()
        admin, ann = p3d.client(admin.token), p3d.client(ann.token)
        assert ann.job(owned)["status"] == "completed"
        assert p3d.client().post("/api/v1/users/login", {"username": "ann", "password": "correct horse 3"}).ok
        for path in ("", "/download", "/info", "/files", "/thumbnail"):
            shapes.error(ann.get(JOBS + ownerless + path), 403, shapes.NOT_YOURS)
        assert [row["job_id"] for row in ann.ok("GET", JOBS + "history")["jobs"]] == [owned]
        assert admin.download(ownerless).content == TINY_GLB
        assert {row["job_id"] for row in admin.ok("GET", JOBS + "history")["jobs"]} == {owned, ownerless}
        shapes.error(p3d.client().get(JOBS + ownerless), 401, shapes.NO_TOKEN)


# ---- spellings. A refused start is quick; each accepted spelling is one real start.

ENV, SHORT = "P3D_SECURITY__USER_AUTH_ENABLED", "P3D_USER_AUTH_ENABLED"


@pytest.mark.parametrize("config, environment, want", [
    ({}, {}, "authenticated"),
    ({"security": SIMPLE}, {}, "simple"),
    ({"user_auth_enabled": False}, {}, "simple"),
    ({"user_auth_enabled": False, "security": SIMPLE}, {}, "simple"),
    ({}, {ENV: "false"}, "simple"),
    ({}, {SHORT: "No"}, "simple"),
    ({"security": SIMPLE}, {ENV: "TRUE"}, "authenticated"),  # environment over file
    ({"user_auth_enabled": False}, {SHORT: "1"}, "authenticated"),
    ({"security": {"user_auth_enabled": "off"}}, {}, "simple"),
    ({}, {ENV: "0", SHORT: "off"}, "simple"),
], ids=str)
def test_spellings(config, environment, want):
    with P3D(models={"tiny": TINY}, config=config, environment=environment, workers=1) as p3d:
        assert mode(p3d.base) == want


def refused(p3d, *words):
    status, out, said = p3d.refused()
    assert status == 1 and out == "", (status, out, said)
    for word in words:
        assert word in said, (word, said)
    assert not p3d.processes()
    return said


@pytest.mark.parametrize("environment, words", [
    ({ENV: "maybe"}, [ENV, "maybe"]),
    ({ENV: ""}, [ENV]),
    ({SHORT: "2"}, [SHORT]),
    ({ENV: "true", SHORT: "false"}, [ENV, SHORT]),
    ({"P3D_SECURITY__USER_AUTH_ENABELD": "true"}, ["P3D_SECURITY__USER_AUTH_ENABELD"]),
    ({"P3D_NOTHING": "1"}, ["P3D_NOTHING"]),
    ({"P3D_SERVER__PORT": "http"}, ["P3D_SERVER__PORT", "http"]),
    ({"P3D_SERVER__PORT": "65536"}, ["P3D_SERVER__PORT"]),
    ({"P3D_REDIS_URL": "unix:///a", "P3D_REDIS__URL": "unix:///b"}, ["P3D_REDIS_URL", "P3D_REDIS__URL"]),
], ids=str)
def test_environment_that_stops_the_start(environment, words):
    with P3D(models={"tiny": TINY}, environment=environment, start=False) as p3d:
        refused(p3d, *words)


GOOD = "server:\n  port: 0\n"


@pytest.mark.parametrize("text, words", [
    (GOOD + "security:\n  user_auth_enabled: perhaps\n", [":4", "user_auth_enabled", "perhaps"]),
    (GOOD + "security:\n  user_auth_enabled:\n", [":4", "user_auth_enabled"]),
    (GOOD + "user_auth_enabled: [true]\n", [":3", "user_auth_enabled"]),
    (GOOD + "security:\n  user_auth_enabled: true\nuser_auth_enabled: false\n", ["user_auth_enabled"]),
    (GOOD + "security:\n  user_auth_enabeld: false\n", [":4", "user_auth_enabeld"]),
    (GOOD + "securty:\n  user_auth_enabled: false\n", [":3", "securty"]),
    (GOOD + "security:\n  user_auth_enabled: false\n  user_auth_enabled: true\n", [":5", "user_auth_enabled"]),
    (GOOD + "security: {api_key_required: true, user_auth_enabled: false}\n", ["api_key"]),
    (GOOD + "security: [\n", ["config.yaml"]),
    (GOOD + "\tsecurity:\n", ["config.yaml:3"]),
    ("- a\n- b\n", ["config.yaml"]),
    (GOOD + "workers: {count: -1}\n", [":3", "count", "-1"]),
    (GOOD + "workers: {count: 1e9}\n", [":3", "count"]),
    (GOOD + "features:\n  f:\n    default_model: none\n", ["default_model"]),
    (GOOD + "features:\n  f: {}\nmodels:\n  f:\n    x: {mode: oneshot}\n", [":7", "models.f.x", "command"]),
    (GOOD + "models:\n  nothing:\n    x: {command: [/bin/true]}\n", [":4", "models.nothing"]),
], ids=lambda x: x if isinstance(x, str) else "")
def test_file_that_stops_the_start(text, words):
    with P3D(models={"tiny": TINY}, start=False) as p3d:
        with open(p3d.config, "w") as f:
            f.write(text)
        refused(p3d, "config.yaml", *words)


def test_a_file_that_is_not_there_or_cannot_be_read():
    with P3D(models={"tiny": TINY}, start=False) as p3d:
        p3d.config = p3d.config + ".absent"
        refused(p3d, "config.yaml.absent")
        p3d.config = p3d.folder
        refused(p3d, p3d.folder)


def test_secrets_stay_out_of_the_log_and_of_show():
    secret = "redis-password-4711"
    with P3D(models={"tiny": TINY}, config={"redis": {"url": "redis://:%s@127.0.0.1:1/x" % secret}},
             environment={"ADMIN_API_TOKEN": "operator-key-0815-4711"}, start=False) as p3d:
        said = refused(p3d)
        assert secret not in said
        show = p3d.cli("config", "show", "--config", p3d.config)
        assert show.returncode in (0, 1) and secret not in show.stdout + show.stderr
        assert "operator-key" not in show.stdout + show.stderr


