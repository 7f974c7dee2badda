# SPDX-License-Identifier: MIT
"""A real P3D for a test: `p3d up` on port 0 in a temp folder of its own, with a client for its API.

    with P3D(models={...}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("hello")
        ann.wait(job)

The folder is kept and named when the test fails (P3D_KEEP=1 keeps it always). Only pids that we started are killed.
"""
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

import requests

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from private_redis import PrivateRedis, select_wait  # noqa: E402,F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("P3D_BUILD_DIR", os.path.join(ROOT, "build", "dev"))
BINARY = os.path.join(BUILD, "p3d")
FINAL = ("completed", "failed", "cancelled")
PASSWORD = "correct horse 3"


def until(probe, seconds=20, what="the expected state"):
    """Look until probe() is true; its value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %s s in vain for %s" % (seconds, what))
        select_wait(0.02)


def clean_environment(**extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("P3D_", "ADMIN_"))}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env.update({k: str(v) for k, v in extra.items()})
    return env


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid):
    """All living processes below pid, as pids."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
            except OSError:
                pass
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


class Client:
    """One caller: a token (or none) and the server's base URL."""
    open = {}  # base URL -> clients that may hold connections to it

    def __init__(self, base, token=None, user=None):
        self.base, self.token, self.user = base, token, user
        self.open.setdefault(base, []).append(self)
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = "Bearer " + token

    def call(self, method, path, body=None, **kw):
        if body is not None:
            kw["json"] = body
        return self.session.request(method, self.base + path, timeout=30, **kw)

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)

    def ok(self, method, path, body=None, status=200, **kw):
        r = self.call(method, path, body, **kw)
        assert r.status_code == status, (method, path, r.status_code, r.text)
        return r.json()

    def submit(self, prompt="hi", **fields):
        return self.ok("POST", "/api/v1/mesh-generation", {"prompt": prompt, **fields})["job_id"]

    def job(self, job_id):
        return self.ok("GET", "/api/v1/system/jobs/" + job_id)

    def wait(self, job_id, states=FINAL, seconds=60):
        def probe():
            job = self.job(job_id)
            return job if job["status"] in states else None
        return until(probe, seconds, "job %s in %s" % (job_id, states))

    def download(self, job_id, **kw):
        return self.get("/api/v1/system/jobs/%s/download" % job_id, **kw)


class P3D:
    """models: of the feature mesh_generation, name -> what model_row() takes. config: sections, merged into ours.
    binary: another build of p3d."""

    def __init__(self, models=None, config=None, folder=None, environment=None, start=True, workers=2, processes=1,
                 default=None, binary=None):
        self.binary = binary or BINARY
        self.folder = folder or tempfile.mkdtemp(prefix="p3d-test-")
        self.data = os.path.join(self.folder, "data")
        self.config = os.path.join(self.folder, "config.yaml")
        self.environment = clean_environment(**(environment or {}))
        self.process = None
        self.base = None
        self.log_path = os.path.join(self.folder, "p3d.log")
        self.write_config(models or {}, config or {}, workers, processes, default)
        if start:
            self.start()

    def write_config(self, models, config, workers, processes, default):
        rows = {name: self.model_row(name, model) for name, model in models.items()}
        if not rows:
            rows["lettering"] = {"command": ["{libexec}/lettering"], "max_workers": -1, "timeout_seconds": 120,
                                 "supported_inputs": ["text"], "supported_outputs": ["glb"]}
        default = default or next(iter(rows))
        whole = {
            "server": {"host": "127.0.0.1", "port": 0, "processes": processes},
            "data_dir": self.data,
            "security": {"password_iterations": 10000, "login_free_failures": -1},
            "workers": {"count": workers, "lease_seconds": 2, "kill_grace_seconds": 1},
            "features": {"mesh_generation": {
                "title": "Mesh generation", "route": "mesh-generation", "default_model": default,
                "model_aliases": {"trellis": default},
                "inputs": {"prompt": {"type": "string", "required": True, "min_length": 1, "max_length": 2000,
                                      "description": "what to make"}}}},
            "models": {"mesh_generation": rows},
        }
        for section, values in config.items():
            if isinstance(values, dict) and isinstance(whole.get(section), dict):
                whole[section].update(values)
            else:
                whole[section] = values
        for feature in whole["models"].values():
            for name, model in feature.items():
                if "script" in model:
                    feature[name] = self.model_row(name, model)
        with open(self.config, "w") as f:
            json.dump(whole, f, indent=1)  # JSON is YAML

    def model_row(self, name, model):
        """Shell text, {"script": shell text, setting: value…}, or settings alone."""
        model = {"script": model} if isinstance(model, str) else dict(model)
        if "script" in model:
            path = os.path.join(self.folder, name + ".sh")
            with open(path, "w") as f:
                f.write("#!/bin/bash\n" + model.pop("script"))
            os.chmod(path, stat.S_IRWXU)
            model["command"] = [path]
        return {"max_workers": -1, "timeout_seconds": 60, "supported_outputs": ["glb"], **model}

    # -- life
    def start(self, seconds=60, wait=True):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.binary, "up", "--config", self.config, "--data-dir", self.data], cwd=self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        log.close()
        if wait:
            self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=60):
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline().decode() if readable else ""
        assert line.startswith("ready http://"), "no ready line but %r\n%s" % (line, self.log()[-4000:])
        self.base = line.split()[1]

    def stop(self, sig=signal.SIGTERM, seconds=60):
        """Returns the exit status. sig None: it has been told already."""
        if self.process is None:
            return None
        self.hang_up()
        if sig is not None and self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError("p3d up did not stop\n" + self.log()[-4000:])
        self.process.stdout.close()
        self.process = None
        return status

    def hang_up(self):
        """Close our connections: a draining server waits a while for idle ones."""
        for client in Client.open.pop(self.base, []):
            client.session.close()

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def refused(self, seconds=30):
        """Start one that must refuse: (exit status, stdout, what it wrote to stderr)."""
        before = len(self.log())
        self.start(wait=False)
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError("it started\n" + self.log()[before:])
        status, self.process = self.process.returncode, None
        return status, out.decode(), self.log()[before:]

    def kill_supervisor(self):
        """As by the kernel: nothing is taken down in order."""
        self.hang_up()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def processes(self):
        """pid -> command line of all that belongs to this folder, whoever its parent is by now."""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open("/proc/%s/cmdline" % name, "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode(errors="replace")
                cwd = os.readlink("/proc/%s/cwd" % name)
            except OSError:
                continue
            if alive(int(name)) and (self.folder in line or (cwd + "/").startswith(self.folder + "/")):
                found[int(name)] = line
        return found

    # -- the gate of GATED models
    def open_gate(self, job_id=None):
        """Let one job go on, or all."""
        open(os.path.join(self.folder, "go" + ("." + job_id if job_id else "")), "w").close()

    def close_gate(self):
        for name in os.listdir(self.folder):
            if name == "go" or name.startswith("go."):
                os.unlink(os.path.join(self.folder, name))

    def empty_gate(self, admin, kind="mesh_generation/gated"):
        """The gate is open until nothing of that kind is left: who closes it again at once shuts nobody in, who would
        hold the model until its time is over."""
        self.open_gate()

        def left():
            counts = admin.ok("GET", "/api/v1/system/jobs/queue/stats")["data"]["by_model"].get(kind, {})
            return counts.get("pending_jobs", 0) + counts.get("processing_jobs", 0)
        until(lambda: left() == 0, 60, "the end of all jobs of " + kind)

    def ran(self):
        """Job ids of GATED, one for each attempt that began."""
        try:
            with open(os.path.join(self.folder, "ran")) as f:
                return [line.split()[0] for line in f]
        except FileNotFoundError:
            return []

    def pid(self, name):
        with open(os.path.join(self.data, "run", name + ".pid")) as f:
            return int(f.read())

    def pids(self):
        """name -> pid of what is alive by the pid files."""
        run, found = os.path.join(self.data, "run"), {}
        for name in os.listdir(run):
            if name.endswith(".pid"):
                try:
                    pid = self.pid(name[:-4])
                except (OSError, ValueError):
                    continue
                if alive(pid):
                    found[name[:-4]] = pid
        return found

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, sig)
        return pid

    def redis(self):
        import redis
        return redis.Redis(unix_socket_path=os.path.join(self.data, "run", "redis.sock"))

    def cli(self, *args, before=(), **kw):
        """before: a command that runs ours, with its words."""
        return subprocess.run([*before, self.binary, *args], capture_output=True, text=True, timeout=120, cwd=self.folder,
                              env=self.environment, **kw)

    # -- callers
    def client(self, token=None):
        return Client(self.base, token)

    def register(self, name, password=PASSWORD):
        out = Client(self.base).ok("POST", "/api/v1/users/register",
                                   {"username": name, "email": name + "@example.com", "password": password})
        return Client(self.base, out["token"], out["user"])

    def admin(self, name="root", password=PASSWORD):
        out = self.cli("users", "create", "--config", self.config, "--data-dir", self.data, "--role", "admin", "--json",
                       "--username", name, "--email", name + "@example.com", "--password-file", "-",
                       input=password + "\n")
        assert out.returncode == 0, (out.returncode, out.stdout, out.stderr)
        made = json.loads(out.stdout)
        return Client(self.base, made["token"], made["user"])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                if self.process is not None:
                    status = self.stop()
                    assert status == 0, "exit status %s\n%s" % (status, self.log()[-4000:])
                left = self.processes()
                assert not left, "left behind: %s" % left
                self.check_log()
        except BaseException as failure:
            kind = type(failure)
            raise
        finally:
            self.kill_all()
            if kind is not None or os.environ.get("P3D_KEEP"):
                print("kept:", self.folder, "\n", self.log()[-6000:], file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    def kill_all(self):
        """Whatever belongs to this folder, at once: the supervisor first, so that it starts nothing again."""
        if self.process is not None:
            self.kill_supervisor()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def check_log(self):
        """A sanitizer's report in any process fails the test."""
        log = self.log()
        for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion"):
            at = log.find(sign)
            assert at < 0, log[max(0, at - 500):at + 5000]


# A model that needs no time: the smallest valid GLB.
TINY = r"""
printf '{"event":"progress","value":0.5,"message":"half"}\n' >&3
printf 'glTF\x02\x00\x00\x00\x30\x00\x00\x00\x1c\x00\x00\x00JSON{"asset":{"version":"2.0"}} ' > outputs/result.glb
"""
# What TINY and GATED make.
TINY_GLB = b'glTF\x02\x00\x00\x00\x30\x00\x00\x00\x1c\x00\x00\x00JSON{"asset":{"version":"2.0"}} '
# TINY with a picture.
PICTURED = TINY + r"""
printf '\x89PNG\r\n\x1a\n' > outputs/thumbnail.png
printf '{"event":"thumbnail","path":"outputs/thumbnail.png"}\n' >&3
"""
# Fails for good.
FAILING = r"""
echo "the kiln is cold" >&2
exit 3
"""
# TINY, but only when the file `go` or `go.<job>` is there (beside the script): P3D.open_gate().
GATED = r"""
printf '{"event":"progress","value":0.1,"message":"waiting"}\n' >&3
echo "$P3D_JOB_ID $P3D_ATTEMPT" >> "$(dirname "$0")/ran"
while [ ! -e "$(dirname "$0")/go" ] && [ ! -e "$(dirname "$0")/go.$P3D_JOB_ID" ]; do sleep 0.05; done
""" + TINY
