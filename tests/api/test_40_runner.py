# SPDX-License-Identifier: MIT
"""The runner protocol from outside: what a command may do, what it must not, and that nothing of it stays behind.

The model `obey` runs its prompt as a shell script in the attempt's directory, so each test reads as what the command does.
"""
import glob
import json
import os
import signal
import subprocess

import pytest

from p3d_test import BINARY, P3D, TINY_GLB, alive, until

OBEY = r"""
eval "$(/usr/bin/python3 -c 'import json; print(json.load(open("input.json"))["inputs"]["prompt"])')"
"""
ENDED = ("failed", "completed", "cancelled")
GLB = "printf 'glTF\\x02\\x00\\x00\\x00\\x30\\x00\\x00\\x00\\x1c\\x00\\x00\\x00JSON{\"asset\":{\"version\":\"2.0\"}} ' > "
MODELS = {
    "obey": {"script": OBEY, "max_attempts": 3, "env": {"FROM_MODEL": "yes"}},
    "hasty": {"script": OBEY, "timeout_seconds": 1},
    "silent": {"script": OBEY, "outputs": "none"},
    "absent": {"script": "true"},
    "text": {"script": "true"},
}
CONFIG = {"workers": {"max_log_bytes": 4096, "max_output_bytes": 1048576}}


@pytest.fixture(scope="module")
def host():
    with P3D(models=MODELS, config=CONFIG, default="obey") as p3d:
        p3d.user = p3d.register("ann")
        os.unlink(os.path.join(p3d.folder, "absent.sh"))  # the start itself would have refused them
        os.chmod(os.path.join(p3d.folder, "text.sh"), 0o600)
        yield p3d


@pytest.fixture
def run(host):
    def run(script, model="obey", **fields):
        return host.user.wait(host.user.submit(script, model_preference=model, **fields))
    return run


def failed(job, code, *words):
    assert job["status"] == "failed", job
    assert job["error"]["code"] == code, job["error"]
    for word in words:
        assert word in job["error"]["message"], job["error"]
    return job["error"]["message"]


def completed(job):
    assert job["status"] == "completed", job["error"]
    return job["result"]


def log_of(host, job):
    found = glob.glob(os.path.join(host.data, "jobs", job["job_id"], "*", ".log"))
    assert found, "no log of " + job["job_id"]
    with open(max(found), "rb") as f:
        return f.read().decode(errors="replace")


def test_progress_is_seen_and_never_goes_back(host):
    gate = os.path.join(host.folder, "gate-progress")
    said = "printf '{\"event\":\"progress\",\"value\":%s,\"message\":\"%s\"}\\n' >&3; "
    job_id = host.user.submit(said % ("0.5", "half") + said % ("0.2", "back") + said % ("7", "all")
                              + "while [ ! -e %s ]; do sleep 0.02; done; " % gate + GLB + "outputs/r.glb")
    job = until(lambda: [j for j in [host.user.job(job_id)] if j["progress_message"] == "all"])[0]
    assert job["status"] == "processing" and job["progress"] == 1.0
    open(gate, "w").close()
    completed(host.user.wait(job_id))


def test_input_json_and_files(host, run):
    job = run("cp input.json outputs/in.txt; ls -A . inputs > outputs/ls.txt; " + GLB + "outputs/m.glb",
              model_parameters={"depth": 3})
    result = completed(job)
    names = {f["name"]: f for f in result["files"]}
    assert sorted(names) == ["in.txt", "ls.txt", "m.glb"]
    assert names["m.glb"]["role"] == "mesh" and names["in.txt"]["role"] == "file"
    assert result["generation_info"]["model_used"] == "obey"
    assert host.user.download(job["job_id"]).content == TINY_GLB
    base = os.path.dirname(glob.glob(os.path.join(host.data, "jobs", job["job_id"], "*", "in.txt"))[0])
    with open(os.path.join(base, "in.txt")) as f:
        given = json.load(f)
    assert given["job_id"] == job["job_id"] and given["attempt"] == 1
    assert (given["feature"], given["model"]) == ("mesh_generation", "obey")
    assert given["parameters"] == {"depth": 3} and "cp input.json" in given["inputs"]["prompt"]
    with open(os.path.join(base, "ls.txt")) as f:
        assert f.read().split() == [".:", "input.json", "inputs", "outputs", "tmp", "inputs:"]


def test_announced_outputs_info_and_thumbnail(run):
    job = run("mkdir outputs/a; echo ply > outputs/a/m.ply; echo png > outputs/t.png; echo no > outputs/unsaid; "
              "printf '%s\\n' '{\"event\":\"output\",\"path\":\"outputs/a/m.ply\",\"role\":\"mesh\"}' "
              "'{\"event\":\"thumbnail\",\"path\":\"outputs/t.png\"}' "
              "'{\"event\":\"info\",\"triangles\":12,\"model_used\":\"liar\"}' '{\"event\":\"info\",\"b\":2}' >&3")
    result = completed(job)
    assert sorted((f["name"], f["role"]) for f in result["files"]) == [("m.ply", "mesh"), ("t.png", "thumbnail")]
    info = result["generation_info"]
    assert (info["triangles"], info["b"], info["model_used"]) == (12, 2, "obey")


@pytest.mark.parametrize("script, words", [
    ("echo the kiln is cold >&2; exit 3", ("exit status 3", "the kiln is cold")),
    ("kill -SEGV $$", ("killed by SIGSEGV",)),
    ("for i in $(seq 100); do echo line $i; done; exit 1", ("line 91", "line 100")),
])
def test_exit_statuses(run, script, words):
    job = run(script)
    message = failed(job, "MODEL_ERROR", *words)
    assert "line 90\n" not in message and job["attempt"] == 1


def test_the_message_is_always_text(run):
    message = failed(run("head -c 3000 /dev/urandom; head -c 20 /dev/zero; exit 1"), "MODEL_ERROR", "exit status 1")
    assert len(message.encode()) <= 4096


def test_75_is_tried_again(host, run):
    job = run("[ $P3D_ATTEMPT = 1 ] && exit 75; " + GLB + "outputs/r.glb")
    completed(job)
    assert job["attempt"] == 2


def test_error_event_has_the_word(run):
    say = "printf '%%s\\n' '{\"event\":\"error\",\"code\":\"%s\",\"message\":\"no paint\",\"retryable\":%s}' >&3; exit 1"
    assert failed(run(say % ("OUT_OF_PAINT", "false")), "OUT_OF_PAINT", "no paint") == "no paint"
    job = run("[ $P3D_ATTEMPT = 2 ] && { " + GLB + "outputs/r.glb; exit 0; }; " + say % ("X", "true"))
    completed(job)
    assert job["attempt"] == 2


def test_time_out_kills_and_is_final(host, run):
    job = run("trap '' TERM; echo $$ > %s/hasty.pid; echo still here; sleep 1000 & wait; wait" % host.folder, "hasty")
    failed(job, "TIMEOUT", "1 seconds", "still here")
    assert job["attempt"] == 1
    with open(os.path.join(host.folder, "hasty.pid")) as f:
        assert not alive(int(f.read()))


def test_outputs_required_or_not(run):
    failed(run("true"), "NO_OUTPUT")
    assert completed(run("true", "silent"))["files"] == []


@pytest.mark.parametrize("script", [
    "ln -s /etc/passwd outputs/r.glb",
    "ln -s input.json outputs/r.glb",
    "ln input.json outputs/r.glb",
    "mkfifo outputs/r.glb",
    "printf '{\"event\":\"output\",\"path\":\"/etc/passwd\"}\\n' >&3",
    "printf '{\"event\":\"output\",\"path\":\"outputs/../input.json\"}\\n' >&3",
    "printf '{\"event\":\"output\",\"path\":\"outputs/absent.glb\"}\\n' >&3",
    "ln -s /etc outputs/x; printf '{\"event\":\"output\",\"path\":\"outputs/x/passwd\"}\\n' >&3",
    "rmdir outputs; ln -s /etc outputs",
    "touch outputs/f{1..65}",
])
def test_outputs_that_are_none(host, run, script):
    job = run(script)
    failed(job, "BAD_OUTPUT")
    left = glob.glob(os.path.join(host.data, "jobs", job["job_id"], "*", "*"))
    assert left == []


def test_output_that_is_too_large(run):
    # The limit stops the write itself, with SIGXFSZ.
    failed(run("exec /usr/bin/dd if=/dev/zero of=outputs/r.glb bs=65536 count=40"), "OUTPUT_TOO_LARGE", "SIGXFSZ")


def test_environment_is_clean_and_descriptors_closed(host, run):
    job = run("env -0 > outputs/env; ls /proc/self/fd > outputs/fds; cat /proc/$$/stat > outputs/stat; umask > outputs/um")
    completed(job)
    base = os.path.dirname(glob.glob(os.path.join(host.data, "jobs", job["job_id"], "*", "env"))[0])

    def read(name):
        with open(os.path.join(base, name)) as f:
            return f.read()
    env = dict(line.split("=", 1) for line in read("env").split("\0") if line)
    own = env["HOME"]
    assert own.startswith(os.path.join(host.data, "work"))
    for made_by_shell in ("_", "PWD", "SHLVL", "OLDPWD"):
        env.pop(made_by_shell, None)
    assert env == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": own, "LANG": "C.UTF-8",
        "TMPDIR": own + "/tmp", "P3D_JOB_ID": job["job_id"], "P3D_ATTEMPT": "1", "P3D_FEATURE": "mesh_generation",
        "P3D_MODEL": "obey", "P3D_INPUT": own + "/input.json", "P3D_OUTPUT_DIR": own + "/outputs",
        "P3D_EVENTS_FD": "3", "CUDA_VISIBLE_DEVICES": "", "FROM_MODEL": "yes"}
    assert read("fds").split() == ["0", "1", "2", "3", "4"]  # 4 is ls reading the folder
    pid, _, fields = read("stat").partition(" ")
    group, session = fields.rsplit(")", 1)[1].split()[2:4]
    assert pid == group == session
    assert read("um").strip() == "0077"


def test_metadata_reaches_the_environment(host):
    out = host.user.ok("POST", "/api/v1/jobs", {
        "feature": "mesh_generation", "model": "obey", "metadata": {"Scene-Name": "no", "scene": "x=y z", "n": 1},
        "inputs": {"prompt": "env | grep ^P3D_USER_META_ > outputs/env"}}, status=202)
    job = host.user.wait(out["job_id"])
    completed(job)
    with open(glob.glob(os.path.join(host.data, "jobs", job["job_id"], "*", "env"))[0]) as f:
        assert f.read() == "P3D_USER_META_SCENE=x=y z\n"


def test_log_is_kept_and_capped(host, run):
    job = run("echo out; echo err >&2; " + GLB + "outputs/r.glb")
    completed(job)
    assert log_of(host, job) == "out\nerr\n"
    job = run("yes aaaaaaa | head -c 100000; " + GLB + "outputs/r.glb")
    completed(job)
    assert log_of(host, job) == "aaaaaaa\n" * 512 + "\n[log truncated]\n"
    job = run("echo why; exit 4")
    assert log_of(host, job) == "why\n"


def test_garbage_on_descriptor_3_changes_nothing(host, run):
    job = run("head -c 200000 /dev/urandom >&3; printf '\\nnull\\n[]\\n{\"event\":\"output\",\"path\":5}\\n"
              "{\"event\":\"nope\"}\\n' >&3; yes '{' | head -c 300000 >&3; " + GLB + "outputs/r.glb")
    completed(job)
    assert "on descriptor 3 were no events" in log_of(host, job)


def test_what_was_forked_away_dies(host, run):
    pids = os.path.join(host.folder, "forked.pids")
    job = run("setsid sh -c 'trap \"\" TERM HUP; setsid sleep 1000 & echo $! $$ > %s; sleep 1000' & "
              "while [ ! -s %s ]; do sleep 0.02; done; " % (pids, pids) + GLB + "outputs/r.glb")
    completed(job)  # said only when nobody lives
    with open(pids) as f:
        assert not [pid for pid in f.read().split() if alive(int(pid))]


@pytest.mark.parametrize("model, word", [("absent", "ENOENT"), ("text", "EACCES")])
def test_exec_that_fails_says_why(run, model, word):
    job = run("true", model)
    failed(job, "EXEC_FAILED", "exec failed", word)
    assert job["attempt"] == 1


def test_nothing_is_left_in_the_work_folders(host, run):
    run("mkdir -p outputs/a/b tmp/c; chmod 0 outputs/a; touch tmp/x; exit 1")
    work = os.path.join(host.data, "work")
    until(lambda: not [path for path in glob.glob(work + "/*/*")], 5, "empty work folders")


def test_killed_worker_takes_its_runner_along_and_the_job_runs_once_more():
    with P3D(models={"obey": {"script": OBEY}}, workers=1) as p3d:
        ann = p3d.register("ann")
        ran, gate = os.path.join(p3d.folder, "ran"), os.path.join(p3d.folder, "gate")
        job_id = ann.submit("setsid sleep 1000 & echo $$ $! >> %s; while [ ! -e %s ]; do sleep 0.02; done; "
                            % (ran, gate) + GLB + "outputs/r.glb")
        until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
        pids = [int(pid) for pid in open(ran).read().split()]
        p3d.kill("work-1")
        until(lambda: not [pid for pid in pids if alive(pid)], 10, "death of the runner")
        until(lambda: len(open(ran).read().splitlines()) == 2, 30, "the second attempt")
        open(gate, "w").close()
        job = ann.wait(job_id)
        assert job["status"] == "completed"
        assert len(open(ran).read().splitlines()) == 2
        assert ann.download(job_id).content == TINY_GLB


def test_refused_heartbeat_kills_the_runner():
    """A worker that slept through its lease: somebody else has the job; its own runner must die, its result not count."""
    with P3D(models={"obey": {"script": OBEY}}, workers=2, config={"workers": {"lease_seconds": 1}}) as p3d:
        ann = p3d.register("ann")
        ran, gate = os.path.join(p3d.folder, "ran"), os.path.join(p3d.folder, "gate")
        job_id = ann.submit("echo $$ $P3D_OUTPUT_DIR >> %s; while [ ! -e %s ]; do sleep 0.02; done; "
                            % (ran, gate) + GLB + "outputs/r.glb")
        until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
        first, where = open(ran).read().split()
        slot = where.split("/work/")[1].split("/")[0]
        worker = p3d.pid("work-" + slot)
        os.kill(worker, signal.SIGSTOP)
        try:
            until(lambda: len(open(ran).read().splitlines()) == 2, 30, "the second attempt")
            assert alive(int(first))  # nobody could kill it
        finally:
            os.kill(worker, signal.SIGCONT)
        until(lambda: not alive(int(first)), 10, "death of the first runner")
        open(gate, "w").close()
        assert ann.wait(job_id)["status"] == "completed"
        assert "lease_lost" in p3d.log()
        result = glob.glob(os.path.join(p3d.data, "jobs", job_id, "*", "r.glb"))
        assert len(result) == 1  # the first one published nothing


def test_redis_away_for_a_while_changes_nothing_for_the_runner():
    with P3D(models={"obey": {"script": OBEY}}, workers=1) as p3d:
        ann = p3d.register("ann")
        ran, gate = os.path.join(p3d.folder, "ran"), os.path.join(p3d.folder, "gate")
        job_id = ann.submit("echo $$ >> %s; while [ ! -e %s ]; do sleep 0.02; done; " % (ran, gate) + GLB + "outputs/r.glb")
        until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
        until(lambda: ann.job(job_id)["status"] == "processing")
        p3d.kill("redis")
        open(gate, "w").close()  # it ends while nobody can be told
        job = until(lambda: [j for j in [ann.get("/api/v1/system/jobs/" + job_id)]
                             if j.status_code == 200 and j.json()["status"] in ENDED], 60)[0].json()
        assert job["status"] == "completed", job["error"]
        assert len(open(ran).read().splitlines()) == 1


def test_orphaned_runner_is_ended():
    with P3D(models={"obey": {"script": OBEY}}, workers=1, config={"workers": {"orphan_seconds": 1}}) as p3d:
        ann = p3d.register("ann")
        ran = os.path.join(p3d.folder, "ran")
        ann.submit("echo $$ >> %s; [ $(wc -l < %s) = 1 ] && sleep 1000; " % (ran, ran) + GLB + "outputs/r.glb")
        until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
        redis = p3d.pid("redis")
        os.kill(redis, signal.SIGSTOP)
        try:
            until(lambda: not alive(int(open(ran).read().split()[0])), 30, "death of the runner")
        finally:
            os.kill(redis, signal.SIGCONT)
        assert "lease_orphaned" in p3d.log()


def test_killed_spawner_ends_the_worker_and_everything_below():
    with P3D(models={"obey": {"script": OBEY}}, workers=1) as p3d:
        ann = p3d.register("ann")
        ran, gate = os.path.join(p3d.folder, "ran"), os.path.join(p3d.folder, "gate")
        job_id = ann.submit("setsid sleep 1000 & echo $PPID $$ $! >> %s; while [ ! -e %s ]; do sleep 0.02; done; "
                            % (ran, gate) + GLB + "outputs/r.glb")
        until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
        spawner, *pids = [int(pid) for pid in open(ran).read().split()]
        os.kill(spawner, signal.SIGKILL)
        until(lambda: not [pid for pid in pids if alive(pid)], 10, "death of the runner")
        open(gate, "w").close()
        assert ann.wait(job_id)["status"] == "completed"
        assert "spawner_lost" in p3d.log()


def start_long(p3d, user):
    """A job that runs until the file `gate` is there: (id, path of the list of its attempts, path of the gate)."""
    ran, gate = os.path.join(p3d.folder, "ran"), os.path.join(p3d.folder, "gate")
    job_id = user.submit("echo $$ >> %s; while [ ! -e %s ]; do sleep 0.02; done; " % (ran, gate) + GLB + "outputs/r.glb")
    until(lambda: os.path.exists(ran) and open(ran).read().endswith("\n"))
    return job_id, ran, gate


@pytest.mark.parametrize("signals, drain_seconds", [(1, 0), (2, 3600)])
def test_drain_that_ends_early_gives_the_job_back(signals, drain_seconds):
    with P3D(models={"obey": {"script": OBEY}}, workers=1, config={"workers": {"drain_seconds": drain_seconds}}) as p3d:
        ann = p3d.register("ann")
        job_id, ran, gate = start_long(p3d, ann)
        worker, runner = p3d.pid("work-1"), int(open(ran).read())
        for n in range(signals):
            os.kill(worker, signal.SIGTERM)
            until(lambda: "draining state=" in p3d.log())
        until(lambda: not alive(worker) and not alive(runner))
        assert "job_released" in p3d.log()
        open(gate, "w").close()  # the supervisor has started another worker
        job = ann.wait(job_id)
        assert job["status"] == "completed" and job["attempt"] == 1  # the first one never was
        assert len(open(ran).read().splitlines()) == 2


def test_drained_worker_finishes_and_takes_no_more():
    with P3D(models={"obey": {"script": OBEY}}, workers=1) as p3d:
        ann = p3d.register("ann")
        job_id, ran, gate = start_long(p3d, ann)
        second = ann.submit(GLB + "outputs/r.glb")
        worker = p3d.pid("work-1")
        os.kill(worker, signal.SIGTERM)
        until(lambda: "draining state=" in p3d.log())
        open(gate, "w").close()
        assert ann.wait(job_id)["attempt"] == 1
        until(lambda: not alive(worker))
        assert ann.wait(second)["status"] == "completed"
        assert p3d.log().count("job_claimed job=" + second) == 1
        assert "work-1[%d] job_claimed job=%s" % (worker, second) not in p3d.log()


def test_worker_started_by_hand_and_the_wrong_artifact_store():
    with P3D(models={"obey": {"script": OBEY}}, workers=0) as p3d:
        ann = p3d.register("ann")
        job_id = ann.submit(GLB + "outputs/r.glb")
        hand = [BINARY, "work", "--config", p3d.config, "--data-dir", p3d.data]
        wrong = subprocess.run(hand, capture_output=True, text=True, timeout=60,
                               env={**p3d.environment, "P3D_ARTIFACT__ROOT": os.path.join(p3d.folder, "elsewhere")})
        assert wrong.returncode == 1 and "mount it, or use another artifact.root" in wrong.stderr, wrong.stderr
        assert ann.job(job_id)["status"] == "queued"
        said = open(os.path.join(p3d.folder, "hand.log"), "w+")
        workers = [subprocess.Popen(hand, env=p3d.environment, stderr=said) for _ in range(2)]
        try:
            assert ann.wait(job_id)["status"] == "completed"
            until(lambda: all(os.path.isdir(os.path.join(p3d.data, "work", str(n))) for n in (1000, 1001)))
        finally:
            for worker in workers:
                worker.terminate()
            assert [worker.wait(30) for worker in workers] == [0, 0]
            said.close()
