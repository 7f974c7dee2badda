# SPDX-License-Identifier: MIT
"""/api/users: the same accounts as flat objects."""
import concurrent.futures
import random
import re

import pytest

import shapes
from p3d_test import PASSWORD, Client

FLAT, LOGIN = "/api/users", "/api/v1/users/login"
ZULU = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
TAKEN = "Username or email already exists"
DISABLED = "User account is disabled"


def flat(value, **expected):
    assert sorted(value) == ["created_at", "email", "user_id", "username"], value
    assert ZULU.match(value["created_at"]), value
    for key, want in expected.items():
        assert value[key] == want, (key, value)
    return value


def of(user):
    return FLAT + "/" + user["user_id"]


def test_me(p3d, ann):
    mine = flat(ann.ok("GET", FLAT + "/me"), user_id=ann.user["user_id"], username=ann.user["username"],
                email=ann.user["email"])
    assert mine["created_at"] == ann.user["created_at"][:19] + "Z"
    shapes.error(p3d.client().get(FLAT + "/me"), 401, shapes.NO_TOKEN)
    shapes.error(p3d.client("nonsense").get(FLAT + "/me"), 401, shapes.BAD_TOKEN)


def test_list(p3d, admin, ann, bob):
    page = admin.ok("GET", FLAT + "?limit=2")
    assert isinstance(page, list)
    assert [flat(u)["user_id"] for u in page] == [bob.user["user_id"], ann.user["user_id"]]  # newest first
    assert admin.ok("GET", FLAT + "?limit=1&offset=1") == page[1:]
    assert admin.ok("GET", FLAT + "?offset=100000") == []
    everybody = admin.ok("GET", FLAT + "?limit=1000")
    nested = admin.ok("GET", "/api/v1/users/admin/users?limit=1000")["users"]
    assert [u["user_id"] for u in everybody] == [u["user_id"] for u in nested]
    assert len(admin.ok("GET", FLAT)) == min(100, len(everybody))
    shapes.error(ann.get(FLAT), 403, shapes.NOT_ADMIN)
    shapes.error(ann.get(FLAT + "?limit=x"), 403, shapes.NOT_ADMIN)
    shapes.error(p3d.client().get(FLAT), 401, shapes.NO_TOKEN)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "offset=-1", "offset=1.5"])
def test_list_refuses(admin, query):
    assert [loc for loc, _ in shapes.faults(admin.get(FLAT + "?" + query))] == [("query", query.split("=")[0])]


def test_get(admin, ann, bob):
    mine = flat(ann.ok("GET", of(ann.user)), user_id=ann.user["user_id"])
    assert ann.ok("GET", FLAT + "/me") == mine == admin.ok("GET", of(ann.user))
    for target in (of(bob.user), of(admin.user), FLAT + "/" + shapes.ABSENT_USER, FLAT + "/x", FLAT + "/1",
                   FLAT + "/" + bob.user["username"], FLAT + "/" + ann.user["user_id"].upper()):
        shapes.error(ann.get(target), 403, shapes.NOT_ADMIN)
    for absent in (shapes.ABSENT_USER, "x", "1", "user_abc123"):
        shapes.error(admin.get(FLAT + "/" + absent), 404, "User not found")


def test_a_username_that_looks_like_an_id(p3d, admin):
    """Opens and shows nothing under that id."""
    fake = "user_%016x" % random.getrandbits(64)
    mallory = p3d.register(fake)
    for path in (FLAT, "/api/v1/users/admin/users"):
        shapes.error(admin.get(path + "/" + fake), 404, "User not found")
        shapes.error(mallory.get(path + "/" + fake), 403, shapes.NOT_ADMIN)
        shapes.error(admin.delete(path + "/" + fake), 404, "User not found")
    shapes.error(admin.call("PUT", FLAT + "/" + fake, {"username": "fine-name"}), 404, "User not found")
    shapes.error(mallory.call("PUT", FLAT + "/" + fake, {"username": "fine-name"}), 403, shapes.NOT_ADMIN)
    assert mallory.ok("GET", FLAT + "/me")["username"] == fake


def test_put(p3d, admin, ann, bob):
    new = shapes.unique("renamed")
    body = flat(ann.ok("PUT", of(ann.user), {"username": new}), username=new, email=ann.user["email"],
                user_id=ann.user["user_id"])
    assert ann.ok("GET", FLAT + "/me") == body
    assert ann.ok("GET", "/api/v1/users/me")["user"] == {**ann.user, "username": new}
    login = p3d.client().post(LOGIN, {"username": new.upper(), "password": PASSWORD})
    assert login.status_code == 200 and login.json()["user"]["username"] == new
    shapes.error(p3d.client().post(LOGIN, {"username": ann.user["username"], "password": PASSWORD}), 401)
    flat(admin.ok("PUT", of(bob.user), {"username": new + "-2"}), username=new + "-2", user_id=bob.user["user_id"])
    assert bob.ok("GET", FLAT + "/me")["username"] == new + "-2"
    free = p3d.client().post("/api/v1/users/register", {"username": ann.user["username"], "password": PASSWORD,
                                                        "email": shapes.unique("new") + "@example.com"})
    assert free.status_code == 200  # the old name is anybody's again


def test_put_the_same_and_other_case(ann):
    name = ann.user["username"]
    for again in (name, name.upper(), name):
        flat(ann.ok("PUT", of(ann.user), {"username": again}), username=again)


def test_put_taken(ann, bob):
    for name in (bob.user["username"], bob.user["username"].upper()):
        shapes.error(ann.call("PUT", of(ann.user), {"username": name}), 400, TAKEN)
    assert ann.ok("GET", "/api/v1/users/me")["user"] == ann.user


@pytest.mark.parametrize("body, fault", [
    ({}, ("username", "missing")),
    ({"username": 1}, ("username", "string_type")),
    ({"username": None}, ("username", "string_type")),
    ({"username": "fine-name", "email": "a@example.com"}, ("email", "extra_forbidden")),
    ({"username": "fine-name", "role": "admin"}, ("role", "extra_forbidden")),
    ({"username": "fine-name", "is_active": False}, ("is_active", "extra_forbidden")),
])
def test_put_refuses(ann, body, fault):
    assert shapes.faults(ann.call("PUT", of(ann.user), body)) == [(("body", fault[0]), fault[1])]
    assert ann.ok("GET", "/api/v1/users/me")["user"] == ann.user


@pytest.mark.parametrize("name, text", [
    ("ab", "Username must be at least 3 characters"),
    ("", "Username must be at least 3 characters"),
    ("a b c", "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ("a" * 65, "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
    ("päul", "Username may contain only letters, digits, '.', '_' and '-' (at most 64)"),
])
def test_put_judges_names(ann, name, text):
    shapes.error(ann.call("PUT", of(ann.user), {"username": name}), 400, text)


def test_put_of_others(p3d, admin, ann, bob):
    """403 before anything about the body, whether the account exists or not; 404 before it for administrators."""
    bodies = ({"username": "fine-name"}, {}, {"username": "a"}, {"x": 1})
    for body in bodies:
        for target in (of(bob.user), FLAT + "/" + shapes.ABSENT_USER, FLAT + "/x"):
            shapes.error(ann.call("PUT", target, body), 403, shapes.NOT_ADMIN)
            shapes.error(p3d.client().call("PUT", target, body), 401, shapes.NO_TOKEN)
        for absent in (shapes.ABSENT_USER, "x"):
            shapes.error(admin.call("PUT", FLAT + "/" + absent, body), 404, "User not found")
    shapes.error(ann.call("PUT", of(bob.user), data=b"{", headers={"Content-Type": "application/json"}), 403)
    shapes.error(ann.call("PUT", of(ann.user), data=b"x", headers={"Content-Type": "text/plain"}), 415)
    assert bob.ok("GET", "/api/v1/users/me")["user"] == bob.user


def test_one_name_for_many_at_once(p3d):
    users = [p3d.register(shapes.unique("racer")) for _ in range(8)]
    name = shapes.unique("prize")

    def one(user):
        return Client(p3d.base, user.token).call("PUT", of(user.user), {"username": name})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, users))
    assert sorted(r.status_code for r in answers) == [200] + [400] * 7
    assert sorted(u.ok("GET", FLAT + "/me")["username"] == name for u in users) == [False] * 7 + [True]


def test_delete_suspends(p3d, admin, ann, bob):
    job = ann.submit("stays", model_preference="tiny")
    ann.wait(job)
    shapes.error(bob.delete(of(ann.user)), 403, shapes.NOT_ADMIN)
    shapes.error(bob.delete(FLAT + "/" + shapes.ABSENT_USER), 403, shapes.NOT_ADMIN)
    shapes.error(ann.delete(of(ann.user)), 403, shapes.NOT_ADMIN)
    for _ in range(2):  # again changes nothing
        r = admin.delete(of(ann.user))
        assert r.status_code == 204 and r.content == b"" and "Content-Length" not in r.headers
    shapes.error(ann.get(FLAT + "/me"), 401, DISABLED)
    shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "x"}), 401, DISABLED)
    login = {"username": ann.user["username"], "password": PASSWORD}
    shapes.error(p3d.client().post(LOGIN, login), 401, DISABLED)
    shapes.error(p3d.client().post(LOGIN, {**login, "password": "wrong one"}), 401, "Invalid username or password")
    flat(admin.ok("GET", of(ann.user)))
    assert admin.ok("GET", "/api/v1/users/admin/users/" + ann.user["user_id"])["user"] == \
        {**ann.user, "is_active": False}
    assert admin.job(job)["status"] == "completed"
    shapes.error(admin.delete(FLAT + "/" + shapes.ABSENT_USER), 404, "User not found")
    shapes.error(admin.delete(FLAT + "/x"), 404, "User not found")


def test_delete_yourself(admin):
    shapes.error(admin.delete(of(admin.user)), 400, "Cannot delete yourself")
    assert admin.ok("GET", "/api/v1/users/me")["user"] == admin.user
