# SPDX-License-Identifier: MIT
"""The workflow examples of the user management guide, word for word: bash, curl and jq against a real server with the
real lettering model and default password hashing. Only the port of localhost:7842 is replaced.
"""
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

import glb
import shapes
from p3d_test import BINARY, P3D, ROOT
from private_redis import PrivateRedis

FULL_WORKFLOW = r"""
# 1. Register a new user
curl -X POST http://localhost:7842/api/v1/users/register \
  -H "Content-Type: application/json" \
  -d '{
    "username": "alice",
    "email": "alice@example.com",
    "password": "mypassword"
  }'

# 2. Login to get API token
TOKEN=$(curl -X POST http://localhost:7842/api/v1/users/login \
  -H "Content-Type: application/json" \
  -d '{
    "username": "alice",
    "password": "mypassword"
  }' | jq -r '.token')

# 3. Submit a job (automatically associated with your user)
JOB_ID=$(curl -X POST http://localhost:7842/api/v1/mesh-generation \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "prompt": "a 3d cat model",
    "model_preference": "trellis"
  }' | jq -r '.job_id')

# 4. Check job status (only YOUR jobs are visible)
curl -X GET http://localhost:7842/api/v1/system/jobs/$JOB_ID \
  -H "Authorization: Bearer $TOKEN"

# 5. List your job history (only YOUR jobs)
curl -X GET http://localhost:7842/api/v1/system/jobs/history \
  -H "Authorization: Bearer $TOKEN"

# 6. Download result when complete
curl -X GET http://localhost:7842/api/v1/system/jobs/$JOB_ID/download \
  -H "Authorization: Bearer $TOKEN" \
  -o result.glb
"""

ADMIN_WORKFLOW = r"""
# Login as admin
ADMIN_TOKEN=$(curl -X POST http://localhost:7842/api/v1/users/login \
  -H "Content-Type: application/json" \
  -d '{
    "username": "admin",
    "password": "admin_password"
  }' | jq -r '.token')

# List all users
curl -X GET http://localhost:7842/api/v1/users/admin/users \
  -H "Authorization: Bearer $ADMIN_TOKEN"

# View all jobs (admin sees everything)
curl -X GET http://localhost:7842/api/v1/system/jobs/history \
  -H "Authorization: Bearer $ADMIN_TOKEN"

# Delete a user
curl -X DELETE http://localhost:7842/api/v1/users/admin/users/user_abc123 \
  -H "Authorization: Bearer $ADMIN_TOKEN"
"""

WAIT = r"""
until [ "$(curl -s -H "Authorization: Bearer $TOKEN" http://localhost:7842/api/v1/system/jobs/$JOB_ID |
           jq -r .status)" = completed ]; do [ $SECONDS -lt 60 ] || exit 9; done
"""
CREATE = ["--username", "admin", "--email", "admin@example.com", "--password", "admin_password"]


def steps(text, p3d, folder, tail=""):
    """Run the example by one bash. Returns what each step printed, by its comment, and the variables at the end."""
    marked = re.sub(r"(?m)^# (.*)$", lambda m: "printf '\\n=== %%s\\n' %s" % json.dumps(m.group(1)), text)
    script = marked.replace("http://localhost:7842", p3d.base) + tail.replace("http://localhost:7842", p3d.base)
    script += "\nprintf '\\n=== variables\\n%s\\n%s\\n%s\\n' \"$TOKEN\" \"$JOB_ID\" \"$ADMIN_TOKEN\"\n"
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120,
                          env={**env, "no_proxy": "*"})
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    parts = re.split(r"(?m)^=== (.*)\n", done.stdout)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))


def create_admin(p3d, *flags, script="create_admin_user.py"):
    """The script beside a build/ whose p3d is the one under test."""
    tree = os.path.join(p3d.folder, "tree")
    os.makedirs(os.path.join(tree, "build", "release"), exist_ok=True)
    os.makedirs(os.path.join(tree, "scripts"), exist_ok=True)
    link = os.path.join(tree, "build", "release", "p3d")
    if not os.path.islink(link):
        os.symlink(BINARY, link)
    shutil.copy(os.path.join(ROOT, "scripts", script), os.path.join(tree, "scripts"))
    run = ["/usr/bin/python3"] if script.endswith(".py") else ["bash"]
    return subprocess.run([*run, os.path.join(tree, "scripts", script), *flags], cwd=p3d.folder, env=p3d.environment,
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def whole_guide(p3d, folder):
    before, after = FULL_WORKFLOW.split("# 6.")
    out = steps(before + WAIT + "\n# 6." + after, p3d, folder)
    token, job_id = out["variables"].split("\n")[:2]
    registered = json.loads(out["1. Register a new user"])
    assert registered["success"] is True
    assert registered["message"] == "User registered successfully. Please login to get an API token."
    alice = shapes.user(registered["user"], username="alice", email="alice@example.com", role="user", is_active=True)
    assert token.startswith("p3d_") and job_id.startswith("job_")
    status = shapes.job(json.loads(out["4. Check job status (only YOUR jobs are visible)"]), job_id=job_id,
                        user_id=alice["user_id"], model_preference="trellis", model_id="lettering",
                        inputs={"prompt": "a 3d cat model"})
    assert status["status"] in ("queued", "processing", "completed")
    history = json.loads(out["5. List your job history (only YOUR jobs)"])
    assert [row["job_id"] for row in history["jobs"]] == [job_id]
    assert history["pagination"]["total"] == 1
    document = glb.validate(os.path.join(folder, "result.glb"))
    assert document["meshes"]

    out = steps(ADMIN_WORKFLOW, p3d, folder)
    users = json.loads(out["List all users"])
    assert users["success"] is True and users["count"] == 2
    assert [(u["username"], u["role"]) for u in users["users"]] == [("alice", "user"), ("admin", "admin")]
    jobs = json.loads(out["View all jobs (admin sees everything)"])["jobs"]
    assert [(row["job_id"], row["user_id"]) for row in jobs] == [(job_id, alice["user_id"])]
    refused = json.loads(out["Delete a user"])
    assert (refused["error"], refused["detail"]) == ("NOT_FOUND", "User not found")

    real = ADMIN_WORKFLOW.replace("user_abc123", alice["user_id"])
    deleted = json.loads(steps(real, p3d, folder)["Delete a user"])
    assert deleted == {"success": True, "message": "User %s deleted successfully" % alice["user_id"]}
    shapes.error(p3d.client(token).get("/api/v1/users/me"), 401, shapes.BAD_TOKEN)


DEFAULTS = {"security": {"password_iterations": 600000}}


def test_guide_with_the_embedded_redis(tmp_path):
    with P3D(config=DEFAULTS) as p3d:
        made = create_admin(p3d, *CREATE)
        assert made.returncode == 0, (made.stdout, made.stderr)
        assert "admin_password" not in made.stdout + made.stderr
        token = re.search(r"p3d_[\w-]{50}", made.stdout).group(0)
        assert "Default admin token" in made.stdout
        admin = p3d.client(token)
        shapes.user(admin.ok("GET", "/api/v1/users/me")["user"], username="admin", role="admin")
        whole_guide(p3d, str(tmp_path))
        again = create_admin(p3d, *CREATE)
        assert again.returncode == 1 and "Username or email already exists" in again.stderr


def test_guide_with_an_external_redis(tmp_path):
    with PrivateRedis(tcp=True) as external:
        with P3D(config={**DEFAULTS, "redis": {"url": external.tcp_url}}, start=False) as p3d:
            made = create_admin(p3d, *CREATE, "--redis-url", external.tcp_url)  # before the first start
            assert made.returncode == 0, (made.stdout, made.stderr)
            p3d.start()
            assert "redis" not in p3d.pids()
            whole_guide(p3d, str(tmp_path))
        assert external.client().ping()  # somebody else's Redis is left alone


def test_admin_before_the_first_start_and_by_shell_script(tmp_path):
    with P3D(start=False, workers=1) as p3d:
        made = create_admin(p3d, *CREATE[:-2], "--password-file", "-", script="create_admin_user")
        assert made.returncode != 0  # nothing on standard input
        made = create_admin(p3d, *CREATE, script="create_admin_user")
        assert made.returncode == 0, (made.stdout, made.stderr)
        assert not p3d.processes()  # the Redis that was started for the call is gone
        p3d.start()
        out = steps(ADMIN_WORKFLOW, p3d, str(tmp_path))
        assert json.loads(out["List all users"])["count"] == 1


def test_redis_that_cannot_be_reached_is_named():
    with P3D(start=False) as p3d, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # not listening: refused
        url = "redis://:hunter2@127.0.0.1:%d" % nobody.getsockname()[1]
        made = create_admin(p3d, *CREATE, "--redis-url", url)
        assert made.returncode == 3
        assert "127.0.0.1:%d" % nobody.getsockname()[1] in made.stderr
        assert "hunter2" not in made.stdout + made.stderr
