# SPDX-License-Identifier: MIT
"""`p3d up`: one owner per data folder, everything restarted, everything taken down, nothing left behind; and the
accounts that the operator makes with `p3d users create`."""
import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from p3d_test import BINARY, GATED, P3D, PASSWORD, ROOT, TINY, alive, descendants, until


def run_files(p3d):
    return set(os.listdir(os.path.join(p3d.data, "run")))


@contextlib.contextmanager
def not_started(**kw):
    with P3D({"tiny": TINY}, start=False, **kw) as p3d:
        open(p3d.log_path, "ab").close()
        yield p3d


def gone(pid, seconds=20):
    until(lambda: not alive(pid), seconds, "the end of process %d" % pid)


def up_again(p3d, name, old, seconds=30):
    def probe():
        try:
            pid = p3d.pid(name)
        except (OSError, ValueError):
            return None
        return pid if pid != old and alive(pid) else None
    return until(probe, seconds, "a new " + name)


def obituaries(p3d, who):
    return [line for line in p3d.log().splitlines() if " role_died " in line and " who=%s " % who in line]


def test_one_ready_line_and_nothing_left():
    with P3D({"tiny": TINY}, processes=2) as p3d:
        names = {"supervisor", "redis", "serve-1", "serve-2", "work-1", "work-2"}
        assert set(p3d.pids()) == names
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", p3d.base)
        below = descendants(p3d.pid("supervisor"))
        assert {p3d.pid(n) for n in names - {"supervisor"}} <= set(below)
        assert os.stat(p3d.data).st_mode & 0o777 == 0o700
        out = p3d.process.stdout
        assert p3d.process.poll() is None
        p3d.process.send_signal(signal.SIGTERM)
        assert p3d.process.wait(30) == 0
        assert out.read() == b""  # the ready line was the only one
        assert not any(f.endswith((".pid", ".sock")) for f in run_files(p3d))
        assert not [pid for pid in below if alive(pid)]


def test_the_address_that_is_printed():
    with P3D({"tiny": TINY}, {"server": {"host": "0.0.0.0"}}) as p3d:
        assert p3d.base.startswith("http://127.0.0.1:")
    with P3D({"tiny": TINY}, {"server": {"host": "::1"}}) as p3d:
        assert p3d.base.startswith("http://[::1]:")
        assert p3d.client().get("/health").status_code == 200


def test_without_workers_it_is_ready_too():
    with P3D({"tiny": TINY}, workers=0) as p3d:
        assert set(p3d.pids()) == {"supervisor", "redis", "serve-1"}


def test_one_up_per_data_folder():
    with P3D({"tiny": TINY}) as p3d:
        second = subprocess.run([BINARY, "up", "--config", p3d.config, "--port", "0"], capture_output=True, text=True,
                                timeout=30, env=p3d.environment, cwd=p3d.folder)
        assert second.returncode == 1
        assert second.stdout == ""
        assert "is in use by process %d (p3d up)" % p3d.pid("supervisor") in second.stderr
        assert p3d.client().get("/health").status_code == 200


def test_a_port_in_use_stops_the_start_before_anything_runs():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with not_started(config={"server": {"port": port}}) as p3d:
            status, out, err = p3d.refused()
            assert (status, out) == (1, "")
            assert "port %d is in use on 127.0.0.1" % port in err and "--port" in err
            assert "redis.log" not in run_files(p3d)


def test_without_redis_server_the_package_is_named():
    with not_started(environment={"PATH": "/nonexistent"}) as p3d:
        status, out, err = p3d.refused()
        assert (status, out) == (3, "")
        assert "apt-get install redis-server" in err


def test_a_role_that_cannot_start_ends_the_start():
    """The store refuses this artifact folder: every server says so and leaves, and so does `up`."""
    with P3D({"tiny": TINY}) as p3d:
        p3d.stop()
        marker = os.path.join(p3d.data, "jobs", ".store-id")
        os.unlink(marker)  # another store than the one that Redis knows
        status, out, err = p3d.refused(60)
        assert (status, out) == (1, "")
        assert " giving_up " in err
        assert not p3d.pids()


@pytest.mark.parametrize("name", ["serve-1", "work-1", "redis"])
def test_what_dies_comes_back_and_is_told(name):
    with P3D({"tiny": TINY}) as p3d:
        ann = p3d.register("ann")
        old = p3d.kill(name)
        up_again(p3d, name, old)
        line, = obituaries(p3d, name)
        assert "child=%d " % old in line and "signal=SIGKILL" in line and "restart_in_ms=100" in line
        assert "doing=nothing" in line

        def submitted():
            try:
                r = ann.post("/api/v1/mesh-generation", {"prompt": "hi"})
            except OSError:
                return None
            return r.json()["job_id"] if r.status_code == 200 else None
        assert ann.wait(until(submitted, 20, "a submit that is accepted"))["status"] == "completed"


def test_the_obituary_of_a_worker_names_its_job():
    with P3D({"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit()
        until(lambda: p3d.ran(), what="the start of the job")
        until(lambda: ann.job(job)["status"] == "processing", what="processing")
        old = p3d.kill("work-1")
        up_again(p3d, "work-1", old)
        line, = obituaries(p3d, "work-1")
        assert "doing=" + job in line
        p3d.open_gate()
        assert ann.wait(job)["status"] == "completed"


def test_a_worker_and_its_spawner_die_and_the_runner_does_too():
    with P3D({"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit()
        until(lambda: p3d.ran(), what="the start of the job")
        below = descendants(p3d.pid("work-1"))
        assert len(below) >= 2  # spawner, runner
        old = p3d.pid("work-1")
        for pid in [old] + below[:1]:
            os.kill(pid, signal.SIGKILL)
        for pid in below:
            gone(pid)
        up_again(p3d, "work-1", old)
        p3d.open_gate()
        assert ann.wait(job)["status"] == "completed"


def test_a_killed_supervisor_leaves_redis_and_the_job_to_the_next_one():
    with P3D({"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit()
        until(lambda: p3d.ran(), what="the start of the job")
        before = p3d.pids()
        p3d.kill_supervisor()
        gone(before["serve-1"])
        until(lambda: len([n for n in ("work-1", "work-2") if alive(before[n])]) == 1, what="the end of the idle worker")
        busy, = [n for n in ("work-1", "work-2") if alive(before[n])]
        assert alive(before["redis"])

        p3d.start()
        assert p3d.pid("redis") == before["redis"]
        assert "redis_adopted" in p3d.log()
        until(lambda: "slot_held who=%s by=%d" % (busy, before[busy]) in p3d.log(), what="the line about the old worker")
        assert alive(before[busy])
        p3d.open_gate()
        job = p3d.client(ann.token).wait(job)
        assert (job["status"], len(p3d.ran())) == ("completed", 1)  # the attempt was never touched
        gone(before[busy])
        up_again(p3d, busy, before[busy])
        assert p3d.stop() == 0
        assert not alive(before["redis"])


def test_an_adopted_redis_that_dies_is_replaced():
    with P3D({"tiny": TINY}) as p3d:
        redis = p3d.pid("redis")
        p3d.kill_supervisor()
        p3d.start()
        assert p3d.pid("redis") == redis
        p3d.kill("redis")
        up_again(p3d, "redis", redis)
        ann = until(lambda: register_or_none(p3d), 20, "a server that has its Redis again")
        assert ann.wait(ann.submit())["status"] == "completed"


def register_or_none(p3d):
    try:
        return p3d.register("ann")
    except (AssertionError, OSError):
        return None


def test_drain_lets_the_job_finish():
    with P3D({"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        ann.submit()
        until(lambda: p3d.ran(), what="the start of the job")
        serve, redis = p3d.pid("serve-1"), p3d.pid("redis")
        p3d.process.send_signal(signal.SIGTERM)
        gone(serve)
        assert p3d.process.poll() is None and alive(redis)
        p3d.open_gate()
        assert p3d.process.wait(30) == 0
        p3d.process.stdout.close()
        p3d.process = None
        assert " job_completed " in p3d.log()
        assert not alive(redis)


def test_a_second_signal_gives_the_job_back():
    with P3D({"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit()
        until(lambda: p3d.ran(), what="the start of the job")
        p3d.process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in p3d.log() and "draining" in p3d.log(), what="the drain")
        p3d.process.send_signal(signal.SIGINT)
        assert p3d.process.wait(30) == 0
        p3d.process.stdout.close()
        p3d.process = None
        p3d.open_gate()
        p3d.start()
        ann = p3d.client(ann.token)
        assert ann.wait(job)["status"] == "completed"
        assert len(p3d.ran()) == 2


def test_interrupt_on_the_terminal_reaches_only_the_supervisor():
    with P3D({"tiny": TINY}) as p3d:
        for name, pid in p3d.pids().items():
            if name != "supervisor":
                assert os.getsid(pid) == pid, name
        os.killpg(os.getpgid(p3d.process.pid), signal.SIGINT)
        assert p3d.process.wait(30) == 0
        p3d.process.stdout.close()
        p3d.process = None


def test_redis_keeps_what_it_has_over_a_restart():
    with P3D({"tiny": TINY}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit()
        ann.wait(job)
        assert p3d.redis().config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert int(p3d.redis().config_get("maxmemory")["maxmemory"]) > 0
        assert p3d.stop() == 0
        p3d.start()
        assert p3d.client(ann.token).job(job)["status"] == "completed"


def test_a_long_data_folder(tmp_path):
    """Longer than a socket's address may be."""
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    with P3D({"tiny": TINY}, folder=str(folder)) as p3d:
        ann = p3d.register("ann")
        assert ann.wait(ann.submit())["status"] == "completed"


def test_an_external_redis_that_is_away(tmp_path):
    with not_started(config={"redis": {"url": "unix://%s/none.sock" % tmp_path}}) as p3d:
        p3d.start(wait=False)
        until(lambda: os.path.isdir(os.path.join(p3d.data, "run")) and {"work-2", "serve-1"} <= set(p3d.pids()),
              what="the roles")
        assert "redis" not in p3d.pids()
        readable, _, _ = select.select([p3d.process.stdout], [], [], 1)
        assert not readable  # it cannot take a job
        assert p3d.stop() == 0


# ---- p3d users create ----

def create(p3d, *args, **kw):
    return p3d.cli("users", "create", "--config", p3d.config, "--data-dir", p3d.data, *args, **kw)


def test_an_account_without_a_running_server():
    with not_started() as p3d:
        out = create(p3d, "--username", "root", "--email", "root@example.com", "--role", "admin", "--json",
                     "--password-file", "-", input=PASSWORD + "\n")
        assert out.returncode == 0, out.stderr
        made = json.loads(out.stdout)
        assert set(made) == {"user", "token", "token_name"}
        assert made["user"]["role"] == "admin" and made["user"]["is_active"] is True
        assert not p3d.processes()  # the Redis of the call is gone again
        again = create(p3d, "--username", "ROOT", "--email", "x@example.com", "--password-file", "-", input=PASSWORD)
        assert (again.returncode, again.stdout) == (1, "")
        assert "Username or email already exists" in again.stderr
        p3d.start()
        me = p3d.client(made["token"]).ok("GET", "/api/v1/users/me")["user"]
        assert me == made["user"]
        login = p3d.client().ok("POST", "/api/v1/users/login", {"username": "root", "password": PASSWORD})
        assert login["user"]["user_id"] == me["user_id"]


def test_refusals_have_their_exit_status():
    with not_started() as p3d:
        whole = {"--username": "ann", "--email": "ann@example.com", "--password": PASSWORD}
        cases = [
            ({"--username": "ab"}, 1, "Username must be at least 3 characters"),
            ({"--username": "a b c"}, 1, "Username may contain only"),
            ({"--email": "ann"}, 1, "Invalid email address"),
            ({"--password": "short"}, 1, "Password must be at least 8 characters"),
            ({"--password": "x" * 1025}, 1, "Password is too long"),
            ({"--role": "king"}, 2, "--role"),
            ({"--token-days": "0"}, 2, "--token-days"),
            ({"--username": None}, 2, "--username is missing"),
            ({"--password": None}, 2, "no password"),
            ({"--redis-url": "redis://me:hush@127.0.0.1:1/0"}, 3, "redis://127.0.0.1:1/0"),
            ({"--redis-url": "http://me:hush@127.0.0.1"}, 1, "redis.url"),
            ({"--nonsense": "x"}, 2, "unknown flag --nonsense"),
        ]
        for change, status, text in cases:
            flags = [part for k, v in {**whole, **change}.items() if v is not None for part in (k, v)]
            out = create(p3d, *flags, stdin=subprocess.DEVNULL)
            assert (out.returncode, out.stdout) == (status, ""), (change, out)
            assert text in out.stderr, (change, out.stderr)
            assert "hush" not in out.stderr


def test_secrets_leave_the_command_line_at_once(tmp_path):
    with not_started() as p3d:
        p = subprocess.Popen([BINARY, "users", "create", "--config", p3d.config, "--username", "ann", "--email", "a@b.c",
                              "--password=" + PASSWORD, "--redis-url", "unix://user:hush@%s/none.sock" % tmp_path],
                             env=p3d.environment, cwd=p3d.folder, stderr=subprocess.PIPE)
        try:
            p.stderr.readline()  # the warning about --password: it is at work
            with open("/proc/%d/cmdline" % p.pid, "rb") as f:
                line = f.read()
            assert b"--password=" in line
            assert PASSWORD.encode() not in line and b"hush" not in line
        finally:
            p.kill()
            p.wait()
            p.stderr.close()


def converse(argv, answers, env, cwd):
    """Run argv on a terminal; answers: (what is waited for, what is typed). Returns (exit status, all it showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(argv[0], argv, env)
    shown, seen = b"", 0
    try:
        deadline = time.monotonic() + 60
        while True:
            if answers and shown.find(answers[0][0], seen) >= 0:
                seen = len(shown)
                os.write(fd, answers.pop(0)[1])
            readable, _, _ = select.select([fd], [], [], deadline - time.monotonic())
            assert readable, shown
            try:
                part = os.read(fd, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
    finally:
        os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize("script", ["create_admin_user", "create_admin_user.py"])
def test_the_script_asks_for_what_is_missing(script, tmp_path):
    # A tree of its own, so that the script finds the binary that is tested.
    (tmp_path / "build" / "release").mkdir(parents=True)
    (tmp_path / "build" / "release" / "p3d").symlink_to(BINARY)
    shutil.copytree(os.path.join(ROOT, "scripts"), tmp_path / "scripts")
    with P3D({"tiny": TINY}) as p3d:
        env = p3d.environment
        argv = [str(tmp_path / "scripts" / script), "--config", p3d.config, "--data-dir", p3d.data]
        answers = [(b"username: ", b"boss\n"), (b"email: ", b"boss@example.com\n"),
                   (b"Password: ", PASSWORD.encode() + b"\n"), (b"Password again: ", PASSWORD.encode() + b"\n")]
        status, shown = converse(argv, answers, env, p3d.folder)
        assert status == 0, shown
        assert PASSWORD not in shown
        assert "Token name: Default admin token (365 days)" in shown
        token = re.search(r"^Token: (p3d_\w[\w-]{49})\r?$", shown, re.M).group(1)
        boss = p3d.client(token)
        assert boss.ok("GET", "/api/v1/users/me")["user"]["role"] == "admin"
        assert boss.get("/api/v1/users/admin/users").status_code == 200


def test_two_passwords_that_differ():
    with not_started() as p3d:
        answers = [(b"Password: ", b"one password\n"), (b"Password again: ", b"another one\n")]
        status, shown = converse([BINARY, "users", "create", "--config", p3d.config, "--username", "ann", "--email",
                                  "a@b.c"], answers, p3d.environment, p3d.folder)
        assert status == 1 and "not the same" in shown


# ---- config ----

def test_config_check_names_file_line_and_key():
    with not_started() as p3d:
        out = p3d.cli("config", "check", "--config", p3d.config)
        assert (out.returncode, out.stdout) == (0, "configuration ok: %s\n" % p3d.config)
        with open(p3d.config, "w") as f:
            f.write("server:\n  port: 99999\n")
        out = p3d.cli("config", "check", "--config", p3d.config)
        assert (out.returncode, out.stdout) == (1, "")
        assert re.match(r".*config\.yaml:2: server\.port: ", out.stderr)
        assert p3d.cli("up", "--config", p3d.config).returncode == 1


def test_unknown_verbs_and_help():
    with not_started() as p3d:
        assert p3d.cli("dance").returncode == 2
        assert p3d.cli().returncode == 2
        assert p3d.cli("help").returncode == 0
        assert re.fullmatch(r"p3d \d+\.\d+\.\d+\n", p3d.cli("version").stdout)
        for verb in (["up"], ["serve"], ["work"], ["config", "check"], ["config", "show"], ["users", "create"]):
            out = p3d.cli(*verb, "--help")
            assert out.returncode == 0 and "example:" in out.stdout, verb
