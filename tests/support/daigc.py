# SPDX-License-Identifier: MIT
"""A 3DAIGC server's Redis as that server leaves it, and broken in many ways: users, tokens, jobs, results.

    old = Daigc(redis_client, seed=1)
    ann = old.user("ann", "secret pw")
    token = old.token(ann)
    old.fill(users=200, jobs=1000, broken=0.1, folder=tmp)

What a migration must make of it is kept beside it: `good_users`, `good_tokens`, `good_jobs`, and `broken`, the set of
(kind, id) that cannot be taken. Random, but the same for the same seed.
"""
import base64
import datetime
import hashlib
import json
import os
import random

T0 = datetime.datetime(2024, 3, 1, 12, 0, 0)
GLB = b"glTF\x02\x00\x00\x00"
PNG = b"\x89PNG\r\n\x1a\n"


def old_hash(password, salt):
    return "%s$%s" % (salt, hashlib.sha256((password + salt).encode()).hexdigest())


class Daigc:
    def __init__(self, client, prefix="3daigc:", seed=7):
        self.client, self.prefix, self.random = client, prefix, random.Random(seed)
        self.pipe = client.pipeline(transaction=False)
        self.queued = 0
        self.good_users, self.good_tokens, self.good_jobs = {}, {}, {}
        self.broken = set()
        self.skipped_tokens = {"expired": 0, "inactive": 0}
        self.number = 0

    # -- Redis
    def put(self, command, *args):
        getattr(self.pipe, command)(*args)
        self.queued += 1
        if self.queued >= 2000:
            self.flush()

    def flush(self):
        self.pipe.execute()
        self.queued = 0

    def key(self, name):
        return self.prefix + name

    def hex(self, n):
        return "%0*x" % (n, self.random.getrandbits(4 * n))

    def when(self, aware=False):
        t = T0 + datetime.timedelta(seconds=self.random.randrange(20_000_000), microseconds=self.random.randrange(1_000_000))
        return t.isoformat() + ("+00:00" if aware else "")

    # -- users
    def user(self, name, password="secret pw", role="user", active=True, user_id=None, raw=None, **fields):
        """raw: the text to write in place of the record."""
        user_id = user_id or "user_" + self.hex(16)
        record = {"user_id": user_id, "username": name, "email": name + "@old.example.com",
                  "password_hash": old_hash(password, self.hex(32)), "role": role, "is_active": active,
                  "created_at": self.when(), "updated_at": self.when(), "metadata": {}}
        record.update(fields)
        record = {k: v for k, v in record.items() if v is not Ellipsis}
        self.put("sadd", self.key("users:all"), user_id)
        self.put("set", self.key("user:" + user_id), json.dumps(record) if raw is None else raw)
        if isinstance(record.get("username"), str):
            self.put("set", self.key("user:username:" + record["username"]), user_id)
            self.put("set", self.key("user:email:%s" % record.get("email")), user_id)
        return user_id

    def good_user(self, name, password="secret pw", **fields):
        user_id = self.user(name, password, **fields)
        self.good_users[user_id] = {"name": name, "password": password, "role": fields.get("role", "user"),
                                    "active": fields.get("active", True)}
        return user_id

    def broken_user(self):
        n = self.next()
        name = "bad%d" % n
        kind = self.random.randrange(12)
        user_id = "user_" + self.hex(16)
        self.broken.add(("user", user_id))
        if kind == 0:
            self.user("two words %d" % n, user_id=user_id)
        elif kind == 1:
            self.user("ünïcödé%d" % n, user_id=user_id)
        elif kind == 2:
            self.user(name, user_id=user_id, email="no-address")
        elif kind == 3:
            self.user(name, user_id=user_id, password_hash="$2b$12$abcdefghijklmnopqrstuv")
        elif kind == 4:
            self.user(name, user_id=user_id, raw="{not json")
        elif kind == 5:
            self.user(name, user_id=user_id, raw=b'{"username": "\xff\xfe"}')
        elif kind == 6:
            self.user(name, user_id=user_id, username=["a", "list"])
        elif kind == 7:
            self.user(name, user_id=user_id, password_hash=...)
        elif kind == 8:
            self.user(name, user_id=user_id, raw=json.dumps(["not", "an", "object"]))
        elif kind == 9:
            self.user(name, user_id=user_id, metadata={"x": "y" * 70000})
        elif kind == 10:
            self.put("sadd", self.key("users:all"), user_id)
            self.put("hset", self.key("user:" + user_id), "a", "hash")
        else:
            self.put("sadd", self.key("users:all"), user_id)  # no record at all

    # -- tokens
    def token_text(self):
        raw = bytes(self.random.getrandbits(8) for _ in range(32))
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def token(self, user_id, text=None, raw=None, **fields):
        text = text or self.token_text()
        record = {"token": text, "user_id": user_id, "name": "Login token", "created_at": self.when(),
                  "expires_at": "2099-01-01T00:00:00", "last_used_at": None, "is_active": True}
        record.update(fields)
        record = {k: v for k, v in record.items() if v is not Ellipsis}
        self.put("set", self.key("token:" + text), json.dumps(record) if raw is None else raw)
        self.put("sadd", self.key("user:%s:tokens" % user_id), text)
        return text

    def good_token(self, user_id, **fields):
        text = self.token(user_id, **fields)
        self.good_tokens[text] = user_id
        return text

    def broken_token(self, user_id):
        kind = self.random.randrange(8)
        if kind == 0:
            self.token(user_id, expires_at="2020-01-01T00:00:00")
            self.skipped_tokens["expired"] += 1
            return
        if kind == 1:
            self.token(user_id, is_active=False)
            self.skipped_tokens["inactive"] += 1
            return
        text = self.token_text()
        self.broken.add(("token", text[:8] + "…"))
        if kind == 2:
            self.token("user_" + self.hex(16), text)
        elif kind == 3:
            self.token(user_id, text, raw="[1")
        elif kind == 4:
            self.token(user_id, text, expires_at="tomorrow")
        elif kind == 5:
            self.token(user_id, text + "=")
        elif kind == 6:
            self.token(user_id, text, raw=json.dumps({"token": text, "user_id": 17}))
        else:
            self.token(user_id, text, token=self.token_text())

    # -- jobs
    def job(self, user_id=None, status="completed", job_id=None, raw=None, result=None, **fields):
        job_id = job_id or "%s-%s" % (self.hex(8), self.hex(12))
        created = T0 + datetime.timedelta(seconds=self.random.randrange(20_000_000))
        record = {"job_id": job_id, "feature": "text_to_textured_mesh",
                  "inputs": {"text_prompt": "a red chair no. %d" % self.random.randrange(1000), "texture_resolution": 1024},
                  "model_preference": "trellis_text_to_textured_mesh", "priority": 1, "status": status,
                  "created_at": created.isoformat(), "metadata": {"client": "unity"}, "user_id": user_id,
                  "timeout_seconds": 3600, "retry_count": 0, "max_retries": 4}
        if status != "queued":
            record["model_id"] = "trellis_text_to_textured_mesh"
            record["started_at"] = (created + datetime.timedelta(seconds=5)).isoformat()
        if status == "completed":
            record["completed_at"] = (created + datetime.timedelta(seconds=65)).isoformat()
        if status == "failed":
            record["failed_at"] = (created + datetime.timedelta(seconds=25)).isoformat()
            record["error"] = "CUDA out of memory in /srv/3daigc/models/trellis/run.py line 3"
        record.update(fields)
        record = {k: v for k, v in record.items() if v is not Ellipsis}
        self.put("hset", self.key("jobs"), job_id, json.dumps(record) if raw is None else raw)
        if result is not None:
            self.put("hset", self.key("results"), job_id, json.dumps(result) if isinstance(result, dict) else result)
        if status == "queued":
            self.put("zadd", self.key("queue:pending"), {job_id: 1e10 + created.timestamp()})
        if status == "processing":
            self.put("sadd", self.key("queue:processing"), job_id)
        return job_id

    def good_job(self, user_id=None, status="completed", state=None, **fields):
        job_id = self.job(user_id, status, **fields)
        self.good_jobs[job_id] = {"owner": user_id, "state": state or status}
        return job_id

    def finished(self, user_id, folder=None, absolute=False):
        """A completed job; with a folder its files are there."""
        name = "%s/mesh_%s.glb" % (self.hex(2), self.hex(8))
        body = GLB + self.hex(64).encode()
        picture = PNG + self.hex(16).encode()
        result = {"output_mesh_path": name, "thumbnail_path": name[:-4] + "_thumb.png", "success": True,
                  "generation_info": {"model_used": "trellis", "generation_time": 12.5, "cache": "/srv/3daigc/cache/x.bin"}}
        if folder:
            os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(folder, name), "wb") as f:
                f.write(body)
            with open(os.path.join(folder, name[:-4] + "_thumb.png"), "wb") as f:
                f.write(picture)
            if absolute:
                result["output_mesh_path"] = os.path.join(folder, name)
        job_id = self.good_job(user_id, result=result)
        self.good_jobs[job_id].update({"body": body if folder else None, "picture": picture if folder else None})
        return job_id

    def broken_job(self, user_id):
        kind = self.random.randrange(13)
        job_id = "%s-%s" % (self.hex(8), self.hex(12))
        self.broken.add(("job", job_id))
        if kind == 0:
            self.job(user_id, job_id=job_id, raw="{'single': 'quotes'}")
        elif kind == 1:
            self.job(user_id, job_id=job_id, raw=b'{"status": "completed", "x": "\x80"}')
        elif kind == 2:
            self.job(user_id, job_id=job_id, status="exploded")
        elif kind == 3:
            self.job(user_id, job_id=job_id, created_at=...)
        elif kind == 4:
            self.job(user_id, job_id=job_id, created_at="yesterday")
        elif kind == 5:
            self.job(user_id, job_id=job_id, feature="no spaces please/../x")
        elif kind == 6:
            self.job(user_id, job_id=job_id, feature=...)
        elif kind == 7:
            self.job(user_id, job_id=job_id, status="queued")  # of a feature that is not here
        elif kind == 8:
            self.job(user_id, job_id=job_id, raw='{"status": "completed", "progress": NaN}')
        elif kind == 9:
            self.put("zadd", self.key("queue:pending"), {job_id: 1e10})
        elif kind == 10:
            self.job(user_id, job_id=job_id, raw="[" * 5000)
        elif kind == 11:
            self.job(user_id, job_id=job_id, created_at="1970-01-01T00:00:00")
        else:
            self.job(user_id, job_id=job_id, metadata={str(i): "m" * 60000 for i in range(30)})

    # -- many
    def next(self):
        self.number += 1
        return self.number

    def share(self, broken):
        return self.random.random() < broken

    def fill(self, users, jobs, broken=0.05, folder=None, files=0.0):
        """files: share of the completed jobs that have theirs, beneath folder."""
        ids = []
        for _ in range(users):
            if self.share(broken):
                self.broken_user()
                continue
            n = self.next()
            ids.append(self.good_user("user%d" % n, "password %d" % n, active=n % 20 != 0))
            self.good_token(ids[-1])
            if self.share(broken):
                self.broken_token(ids[-1])
        for _ in range(jobs):
            owner = self.random.choice(ids)
            if self.share(broken):
                self.broken_job(owner)
                continue
            kind = self.random.random()
            if kind < 0.7:
                self.finished(owner, folder if self.random.random() < files else None)
            elif kind < 0.9:
                self.good_job(owner, "failed")
            else:
                self.good_job(owner, "failed", state="cancelled", error="Cancelled by user")
        self.flush()
        return ids
