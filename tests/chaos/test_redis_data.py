# SPDX-License-Identifier: MIT
"""What Redis holds is cut or forgotten: the end of its append-only file, its scripts.

A script's effects are one MULTI/EXEC block in the file, so a cut drops whole scripts from the end and never a part of one:
after any cut the state is exactly that behind some script. P3D_CUTS=1000: as many cuts; P3D_SEED=n: other ones.
"""
import json
import os
import random
import re
import shutil
import threading

import pytest

import queue_state
from p3d_test import FAILING, GATED, P3D, TINY_GLB, select_wait, until
from private_redis import PrivateRedis
from queue_model import Queue, World
from test_crash import wait_confirmed

SEED = int(os.environ.get("P3D_SEED", "11"))
CUTS = int(os.environ.get("P3D_CUTS", "15"))
STEPS = 150
LOG = os.path.join("appendonlydir", "appendonly.aof.1.incr.aof")


class Written:
    """A Redis that random operations went through, and what was true behind each of its scripts."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.redis = PrivateRedis(folder)
        self.world = World(Queue(self.redis.client()), seed)
        self.floor = self.size()
        self.history = []  # (bytes of the file behind it, ulid -> state), by bytes
        run = self.world.q.run

        def recorded(name, *args):
            out = run(name, *args)
            self.history.append((self.size(), self.world.q.places()))
            return out
        self.world.q.run = recorded
        for _ in range(STEPS):
            self.world.go()
        self.redis.kill()
        with open(os.path.join(folder, LOG), "rb") as f:
            self.bytes = f.read()

    def size(self):
        return os.path.getsize(os.path.join(self.folder, LOG))

    def at(self, cut):
        """What was true behind the last script that is there as a whole."""
        state = {}
        for size, places in self.history:
            if size > cut:
                break
            state = places
        return state


def in_block(log, cut):
    """Is this byte inside of the effects of a script?"""
    return log.rfind(b"\r\nMULTI\r\n", 0, cut) > log.rfind(b"\r\nEXEC\r\n", 0, cut)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return Written(str(tmp_path_factory.mktemp("aof")), SEED)


@pytest.mark.timeout(0 if CUTS > 100 else 300)
def test_the_end_of_the_log_is_cut(written, tmp_path):
    dice = random.Random(SEED)
    states, inside = set(), 0
    for n in range(CUTS):
        cut = dice.randrange(written.floor, len(written.bytes))
        inside += in_block(written.bytes, cut)
        folder = str(tmp_path / ("cut-%d" % n))
        shutil.copytree(os.path.join(written.folder, "appendonlydir"), os.path.join(folder, "appendonlydir"))
        os.truncate(os.path.join(folder, LOG), cut)
        redis = PrivateRedis(folder)
        try:
            world = World.__new__(World)
            world.__dict__.update(written.world.__dict__, q=Queue(redis.client()), leases=[], seen={}, accepted={})
            now = world.q.places()
            assert now == written.at(cut), (SEED, cut)
            states |= set(now.values())
            # And from there it goes on: new ones come in, all come to their ends.
            out = world.q.submit(key="after the cut", body="b")
            assert out[0] == "ok", (SEED, cut, out)
            world.quiet()
        except BaseException:
            print("seed", SEED, "cut", cut, "kept:", folder)
            raise
        finally:
            redis.close()
        shutil.rmtree(folder)
    assert inside >= CUTS // 3  # or it showed nothing about scripts
    assert states == {"queued", "processing", "completed", "failed", "cancelled"}, states


def test_all_effects_of_a_script_are_one_block(written):
    """Why the above holds. Were there a second kind of writing (a script without a block), a cut could leave half of it."""
    commands = re.findall(rb"\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n", written.bytes[written.floor:])
    open_block, alone = False, set()
    for command in commands:
        if command == b"MULTI":
            assert not open_block
            open_block = True
        elif command == b"EXEC":
            assert open_block
            open_block = False
        elif not open_block:
            alone.add(command.upper())
    # Single commands: of the test itself (time_passes, reap, limits), of scripts that write once, and expired keys.
    assert alone <= {b"ZADD", b"DEL", b"HSET", b"ZREM", b"LPOP", b"RPUSH", b"SADD", b"SREM", b"PEXPIREAT"}, alone
    assert commands.count(b"MULTI") > STEPS / 2


@pytest.mark.parametrize("part", [0.35, 0.7, 1.0])
def test_p3d_up_on_a_log_that_was_cut(part):
    """All killed at once, and the last part of the log never reached the disk."""
    dice = random.Random(SEED + int(part * 100))
    with P3D(models={"gated": GATED, "failing": {"script": FAILING, "max_attempts": 1}},
             config={"security": {"user_auth_enabled": False, "password_iterations": 10000}}) as p3d:
        nobody = p3d.client()
        done = [nobody.submit("done %d" % n) for n in range(3)]
        for job in done:
            p3d.open_gate(job)
            nobody.wait(job)
        failed = nobody.submit("fails", model_preference="failing")
        nobody.wait(failed)
        running = [nobody.submit("runs %d" % n) for n in range(2)]
        for job in running:
            wait_confirmed(p3d, job)
        waiting = [nobody.submit("waits %d" % n) for n in range(4)]
        gone = nobody.submit("cancelled")
        nobody.ok("POST", "/api/v1/system/jobs/%s/cancel" % gone)
        before = done + [failed] + running + waiting + [gone]
        p3d.kill_all()
        until(lambda: not p3d.processes(), 5, "all to be gone")
        log = os.path.join(p3d.data, "redis", LOG)
        size = os.path.getsize(log)
        os.truncate(log, size - 1 - dice.randrange(30) if part == 1.0 else int(size * part) - dice.randrange(200))
        looked = p3d.cli("doctor", "--json", "--config", p3d.config, "--data-dir", p3d.data)
        # The cut may lie between a worker's wake-up and its claim: nobody is woken then until the first worker is there.
        assert {problem["what"] for problem in json.loads(looked.stdout)["problems"]} <= {"wake"}, looked.stdout
        assert looked.returncode in (0, 1), looked.stderr
        p3d.open_gate()
        p3d.start()
        with p3d.redis() as r:
            known = queue_state.records(r)
            nobody = p3d.client()
            rows = nobody.ok("GET", "/api/v1/system/jobs/history?limit=100")["jobs"]
            kept = [job for job in before if job[5:] in known]
            assert sorted(row["job_id"] for row in rows) == sorted(kept)
            assert kept == before[:len(kept)]  # the end is missing, nothing before it
            if part == 1.0:
                assert kept == before
            for job in kept:
                end = nobody.wait(job)
                assert end["status"] in {failed: ("failed",), gone: ("cancelled", "completed")}.get(job, ("completed",)), end
                if end["status"] == "completed":
                    assert nobody.download(job).content == TINY_GLB
            assert nobody.wait(nobody.submit("new"))["status"] == "completed"
            until(lambda: not r.zcard("p3d:{0}:leases"), 5, "no lease")
            Queue(r).places()


def test_scripts_are_forgotten_all_the_time():
    """SCRIPT FLUSH every few milliseconds: each role meets NOSCRIPT with every script it has, and nobody notices."""
    with P3D(models={"gated": GATED}, processes=2, workers=2) as p3d:
        ann = p3d.register("ann")
        stop = threading.Event()

        def flush():
            with p3d.redis() as r:
                while not stop.is_set():
                    r.script_flush()
                    select_wait(0.001)
        thread = threading.Thread(target=flush)
        thread.start()
        try:
            jobs = []
            for n in range(40):
                client = p3d.client(ann.token)  # a connection of its own: both servers
                headers = {"Idempotency-Key": "n-%d" % n}
                path, body = "/api/v1/mesh-generation", {"prompt": "n %d" % n}
                jobs.append(client.ok("POST", path, body, headers=headers)["job_id"])
                assert client.ok("POST", path, body, headers=headers)["job_id"] == jobs[-1]
                client.session.close()
            for job in p3d.ran():
                wait_confirmed(p3d, job)  # heartbeats too
            p3d.open_gate()
            for job in jobs:
                end = ann.wait(job)
                assert (end["status"], end["attempt"]) == ("completed", 1)
        finally:
            stop.set()
            thread.join()
        assert sorted(p3d.ran()) == sorted(jobs)
        with p3d.redis() as r:
            errors = r.info("errorstats")
            assert set(errors) == {"errorstat_NOSCRIPT"}, errors
            assert int(errors["errorstat_NOSCRIPT"].split("=")[1]) > 100, errors
            Queue(r).places()
