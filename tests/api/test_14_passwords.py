# SPDX-License-Identifier: MIT
"""Changing a password, and how passwords are kept: old forms, more rounds."""
import base64
import concurrent.futures
import hashlib
import os

import pytest

import shapes
from p3d_test import P3D, PASSWORD, TINY, Client

CHANGE, LOGIN, ME, TOKENS = ("/api/v1/users/" + p for p in ("me/password", "login", "me", "tokens"))
CHANGED = {"success": True, "message": "Password changed successfully"}
WRONG_OLD = "Invalid current password"
NEW = "another horse 4"


def change(client, old=PASSWORD, new=NEW):
    return client.call("PUT", CHANGE, {"old_password": old, "new_password": new})


def login(p3d, name, password=PASSWORD):
    return p3d.client().post(LOGIN, {"username": name, "password": password})


def stored(p3d, user_id):
    with p3d.redis() as r:
        return r.hget("p3d:{a}:user:" + user_id, "hash").decode()


def store(p3d, user_id, text):
    with p3d.redis() as r:
        r.hset("p3d:{a}:user:" + user_id, "hash", text)


# ---- change

def test_change(p3d, ann):
    name, before = ann.user["username"], stored(p3d, ann.user["user_id"])
    others = [p3d.client(login(p3d, name).json()["token"]),
              p3d.client(ann.ok("POST", TOKENS, {"token_name": "made"})["token"])]
    assert [c.get(ME).status_code for c in others] == [200, 200]
    r = change(ann)
    assert r.status_code == 200 and r.json() == CHANGED
    assert ann.ok("GET", ME)["user"] == ann.user  # the token that was used stays
    for client in others:
        shapes.error(client.get(ME), 401, shapes.BAD_TOKEN)
        shapes.error(client.post("/api/v1/mesh-generation", {"prompt": "x"}), 401, shapes.BAD_TOKEN)
    shapes.error(login(p3d, name), 401, "Invalid username or password")
    assert login(p3d, name, NEW).status_code == 200
    after = stored(p3d, ann.user["user_id"])
    assert after != before and after.startswith("$pbkdf2-sha256$i=10000$")
    listed = ann.ok("GET", TOKENS)
    assert listed["total_count"] == len(listed["tokens"]) == 2  # this one, and the new login
    made = ann.ok("POST", TOKENS, {"token_name": "later"})["token"]
    assert p3d.client(made).get(ME).status_code == 200


def test_change_again_and_to_the_same(p3d, ann):
    for old, new in ((PASSWORD, NEW), (NEW, PASSWORD), (PASSWORD, PASSWORD)):
        assert change(ann, old, new).json() == CHANGED
    assert login(p3d, ann.user["username"]).status_code == 200


def test_wrong_old(p3d, ann):
    for old in ("wrong", "", NEW, PASSWORD + " ", PASSWORD.upper(), "x" * 1024):
        shapes.error(change(ann, old), 400, WRONG_OLD)
    assert login(p3d, ann.user["username"]).status_code == 200
    shapes.error(login(p3d, ann.user["username"], NEW), 401)


@pytest.mark.parametrize("new, text", [
    ("1234567", "New password must be at least 8 characters"),
    ("", "New password must be at least 8 characters"),
    ("ä" * 7, "New password must be at least 8 characters"),
    ("x" * 1025, "Password is too long"),
    ("ä" * 513, "Password is too long"),
])
def test_new_ones_that_are_refused(p3d, ann, new, text):
    for old in (PASSWORD, "wrong"):
        shapes.error(change(ann, old, new), 400, text)
    assert login(p3d, ann.user["username"]).status_code == 200


def test_the_longest(p3d, ann):
    for new in ("x" * 1024, "ä" * 512, "🙂" * 256):
        assert change(ann, PASSWORD, new).json() == CHANGED
        assert login(p3d, ann.user["username"], new).status_code == 200
        shapes.error(login(p3d, ann.user["username"], new[:-1]), 401)
        shapes.error(change(ann, new + "x"), 400, "Password is too long")
        assert change(ann, new, PASSWORD).json() == CHANGED


@pytest.mark.parametrize("body, faults", [
    ({}, [("new_password", "missing"), ("old_password", "missing")]),
    ({"old_password": PASSWORD}, [("new_password", "missing")]),
    ({"old_password": 1, "new_password": NEW}, [("old_password", "string_type")]),
    ({"old_password": PASSWORD, "new_password": None}, [("new_password", "string_type")]),
    ({"old_password": PASSWORD, "new_password": NEW, "user_id": "x"}, [("user_id", "extra_forbidden")]),
])
def test_bodies_that_are_refused(p3d, ann, body, faults):
    r = ann.call("PUT", CHANGE, body)
    assert sorted(shapes.faults(r)) == [(("body", name), kind) for name, kind in faults]
    assert PASSWORD not in r.text and NEW not in r.text
    assert login(p3d, ann.user["username"]).status_code == 200


def test_the_credential_comes_first(p3d, ann):
    for body in ({}, {"old_password": "x", "new_password": "y"}, {"old_password": PASSWORD, "new_password": NEW}):
        shapes.error(p3d.client().call("PUT", CHANGE, body), 401, shapes.NO_TOKEN)
        shapes.error(p3d.client(ann.token[:-6] + "000000").call("PUT", CHANGE, body), 401, shapes.BAD_TOKEN)
        weak = p3d.client(ann.ok("POST", TOKENS, {"token_name": "weak", "scopes": ["jobs:read"]})["token"])
        shapes.error(weak.call("PUT", CHANGE, body), 403, "Missing scope: account")
    assert login(p3d, ann.user["username"]).status_code == 200


def test_tokens_can_be_kept():
    with P3D(models={"tiny": TINY}, config={"security": {"keep_tokens_on_password_change": True}}, workers=1) as p3d:
        ann = p3d.register("ann")
        other = p3d.client(login(p3d, "ann").json()["token"])
        assert change(ann).json() == CHANGED
        assert [c.get(ME).status_code for c in (ann, other)] == [200, 200]
        shapes.error(login(p3d, "ann"), 401)
        assert login(p3d, "ann", NEW).status_code == 200


def test_the_shortest_is_configured():
    with P3D(models={"tiny": TINY}, config={"security": {"password_min_length": 12}}, workers=1) as p3d:
        ann = p3d.register("ann")
        shapes.error(change(ann, new="elevenchars"), 400, "New password must be at least 12 characters")
        assert change(ann, new="twelve chars").json() == CHANGED


# ---- at once

def test_two_changes_at_once(p3d):
    """From the same old one, exactly one wins; the others learn it, and its password is the one that counts."""
    for _ in range(5):
        ann = p3d.register(shapes.unique("twice"))
        news = ["horse number %d" % i for i in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda new: change(Client(p3d.base, ann.token), PASSWORD, new), news))
        won = [new for new, r in zip(news, answers) if r.status_code == 200]
        assert len(won) == 1, [r.text for r in answers]
        for r in answers:
            if r.status_code != 200:
                texts = {400: WRONG_OLD, 409: "The password was changed meanwhile"}
                shapes.error(r, r.status_code, texts[r.status_code])
        for new in news:
            assert login(p3d, ann.user["username"], new).status_code == (200 if new in won else 401)


def test_no_login_with_the_old_one_outlives_the_change(p3d):
    """However they meet: after the answer to the change, no token that the old password gave is good."""
    for _ in range(5):
        ann = p3d.register(shapes.unique("race"))
        name = ann.user["username"]
        made = ann.ok("POST", TOKENS, {"token_name": "made"})["token"]  # many logins do not end it
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            logins = [pool.submit(login, p3d, name) for _ in range(16)]
            changed = pool.submit(change, Client(p3d.base, made)).result()
            answers = [f.result() for f in logins]
        assert changed.json() == CHANGED
        for r in answers:
            if r.status_code == 200:
                shapes.error(p3d.client(r.json()["token"]).get(ME), 401, shapes.BAD_TOKEN)
            else:
                shapes.error(r, 401, "Invalid username or password")
        assert p3d.client(made).get(ME).status_code == 200


def test_logins_at_once_all_work(p3d, ann):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: login(p3d, ann.user["username"]), range(8)))
    assert {r.status_code for r in answers} == {200}
    assert {p3d.client(r.json()["token"]).get(ME).status_code for r in answers} == {200}


# ---- how they are kept

def old_form(password):
    salt = os.urandom(16).hex()
    return salt + "$" + hashlib.sha256(password.encode() + salt.encode()).hexdigest()


def b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def wrapped_form(password, rounds=10000):
    old_salt, digest = old_form(password).split("$")
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha256", digest.encode(), salt, rounds)
    return "$pbkdf2-sha256-over-sha256$i=%d$%s$%s$%s" % (rounds, old_salt, b64(salt), b64(key))


def plain_form(password, rounds):
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return "$pbkdf2-sha256$i=%d$%s$%s" % (rounds, b64(salt), b64(key))


@pytest.mark.parametrize("form", [old_form, wrapped_form])
def test_old_forms_are_verified_and_rewritten(p3d, ann, form):
    name, user_id = ann.user["username"], ann.user["user_id"]
    secret = "pässword of old times"
    text = form(secret)
    store(p3d, user_id, text)
    for wrong in (PASSWORD, secret + "!", "", text, text.split("$")[1]):
        shapes.error(login(p3d, name, wrong), 401, "Invalid username or password")
    assert stored(p3d, user_id) == text  # a wrong one rewrites nothing
    out = login(p3d, name, secret)
    assert out.status_code == 200 and p3d.client(out.json()["token"]).get(ME).status_code == 200
    rewritten = stored(p3d, user_id)
    assert rewritten.startswith("$pbkdf2-sha256$i=10000$")
    assert ann.get(ME).status_code == 200  # the same password: no token ends
    assert login(p3d, name, secret).status_code == 200
    assert stored(p3d, user_id) == rewritten


@pytest.mark.parametrize("form", [old_form, wrapped_form])
def test_an_old_form_can_be_changed(p3d, ann, form):
    store(p3d, ann.user["user_id"], form("the old password"))
    shapes.error(change(ann, PASSWORD), 400, WRONG_OLD)
    assert change(ann, "the old password").json() == CHANGED
    assert stored(p3d, ann.user["user_id"]).startswith("$pbkdf2-sha256$i=10000$")
    assert login(p3d, ann.user["username"], NEW).status_code == 200


def test_old_forms_with_many_logins_at_once(p3d, ann):
    store(p3d, ann.user["user_id"], old_form("the old password"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: login(p3d, ann.user["username"], "the old password"), range(8)))
    assert {r.status_code for r in answers} == {200}


def test_a_stored_hash_that_is_none(p3d, ann):
    """Damage is told as such, by a number, and opens nothing."""
    for text in ("nonsense", "$pbkdf2-sha256$i=0$a$b", PASSWORD):
        store(p3d, ann.user["user_id"], text)
        r = login(p3d, ann.user["username"])
        assert shapes.error(r, 500) == r.headers["X-Request-ID"]
    store(p3d, ann.user["user_id"], plain_form(PASSWORD, 10000))
    assert login(p3d, ann.user["username"]).status_code == 200


def test_more_rounds_are_taken_up_at_login():
    models = {"tiny": TINY}
    with P3D(models=models, workers=1) as p3d:
        ann = p3d.register("ann")
        user_id = ann.user["user_id"]
        assert stored(p3d, user_id).startswith("$pbkdf2-sha256$i=10000$")
        assert p3d.stop() == 0
        p3d.write_config(models, {"security": {"password_iterations": 20000}}, 1, 1, None)
        p3d.start()
        assert stored(p3d, user_id).startswith("$pbkdf2-sha256$i=10000$")
        shapes.error(login(p3d, "ann", "wrong password"), 401)
        assert stored(p3d, user_id).startswith("$pbkdf2-sha256$i=10000$")
        assert login(p3d, "ann").status_code == 200
        risen = stored(p3d, user_id)
        assert risen.startswith("$pbkdf2-sha256$i=20000$")
        assert login(p3d, "ann").status_code == 200 and stored(p3d, user_id) == risen
        assert p3d.client(ann.token).get(ME).status_code == 200  # the same password: no token ends
        store(p3d, user_id, plain_form(PASSWORD, 50000))  # more than are asked for: stays
        kept = stored(p3d, user_id)
        assert login(p3d, "ann").status_code == 200 and stored(p3d, user_id) == kept
