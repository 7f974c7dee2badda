# SPDX-License-Identifier: MIT
"""From `p3d up` to a downloaded result and back to nothing."""
import os
import socket

import pytest

import shapes
from p3d_test import GATED, P3D, TINY, TINY_GLB, Client, alive, select_wait


def test_up_submit_download_stop():
    with P3D(models={"tiny": TINY}, workers=2, processes=2) as p3d:
        up = p3d.process
        assert sorted(p3d.pids()) == ["redis", "serve-1", "serve-2", "supervisor", "work-1", "work-2"]
        assert p3d.pid("supervisor") == up.pid

        ann = p3d.register("ann")
        out = Client(p3d.base).ok("POST", "/api/v1/users/login", {"username": "ann", "password": "correct horse 3"})
        ann = p3d.client(out["token"])
        answer = ann.ok("POST", "/api/v1/mesh-generation", {"prompt": "a cat", "model_preference": "trellis"})
        assert sorted(answer) == ["job_id", "message", "status"]
        assert (answer["status"], answer["message"]) == ("queued", "Mesh generation job queued successfully")

        job = ann.wait(answer["job_id"])
        shapes.job(job, status="completed", feature="mesh_generation", model_preference="trellis", model_id="tiny",
                   progress=1.0, inputs={"prompt": "a cat"}, attempt=1, priority=5)
        info = job["result"]["mesh_file_info"]
        assert (info["filename"], info["file_size_bytes"], info["content_type"], info["file_extension"].lstrip(".")) \
            == ("result.glb", len(TINY_GLB), "model/gltf-binary", "glb")

        got = ann.download(answer["job_id"])
        assert got.status_code == 200 and got.content == TINY_GLB
        assert got.headers["Content-Type"] == "model/gltf-binary"
        assert got.headers["X-Job-ID"] == answer["job_id"]
        assert got.headers["Content-Disposition"].startswith("attachment; filename=")
        assert got.headers["ETag"].startswith('"') and len(got.headers["ETag"]) == 66  # SHA-256

        pids = list(p3d.processes())
        assert p3d.stop() == 0
        assert not [pid for pid in pids if alive(pid)]
        assert not p3d.processes()
        assert not [name for name in os.listdir(os.path.join(p3d.data, "run")) if name.endswith(".pid")]


def test_exactly_one_line_on_stdout():
    with P3D(models={"tiny": TINY}, start=False) as p3d:
        p3d.start(wait=False)
        p3d.wait_ready()
        assert p3d.base.startswith("http://127.0.0.1:")
        ann = p3d.register("ann")  # what it said is true: a job is taken and made at once
        assert ann.wait(ann.submit())["status"] == "completed"
        p3d.hang_up()
        p3d.process.terminate()
        rest = p3d.process.stdout.read()
        assert p3d.process.wait(30) == 0 and rest == b""
        p3d.stop(sig=None)


def test_results_are_there_after_a_restart():
    with P3D(models={"tiny": TINY}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("kept")
        before = ann.wait(job)
        assert p3d.stop() == 0
        p3d.start()
        ann = p3d.client(ann.token)
        assert ann.download(job).content == TINY_GLB
        after = ann.job(job)
        for changing in ("mesh_url", "result"):  # another port
            before.pop(changing), after.pop(changing)
        assert after == before


def test_a_data_dir_with_a_path_longer_than_any_socket_may_have(tmp_path):
    folder = tmp_path / ("ü" * 60) / ("long " * 20)
    folder.mkdir(parents=True)
    with P3D(models={"tiny": TINY}, folder=str(folder), workers=1) as p3d:
        ann = p3d.register("ann")
        assert ann.wait(ann.submit())["status"] == "completed"


def test_second_up_on_the_same_data_dir_is_refused():
    with P3D(models={"tiny": TINY}) as p3d:
        second = P3D(models={"tiny": TINY}, folder=p3d.folder, start=False)
        status, out, said = second.refused()
        assert status == 1 and out == ""
        assert p3d.data in said and "in use" in said and str(p3d.pid("supervisor")) in said
        ann = p3d.register("ann")  # and the first has not noticed
        assert ann.wait(ann.submit())["status"] == "completed"


def test_port_in_use_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with P3D(models={"tiny": TINY}, config={"server": {"port": port}}, start=False) as p3d:
            status, out, said = p3d.refused()
            assert status == 1 and out == ""
            assert str(port) in said and "in use" in said


def test_port_zero_gives_every_server_its_own():
    with P3D(models={"tiny": TINY}, workers=1) as one, P3D(models={"tiny": TINY}, workers=1) as two:
        assert one.base != two.base
        one.register("only-in-one")
        r = two.client().post("/api/v1/users/login", {"username": "only-in-one", "password": "correct horse 3"})
        shapes.error(r, 401, "Invalid username or password")


def test_sigterm_lets_the_running_job_finish():
    """Drain: the job that runs completes, the one that waits is there after the next start."""
    with P3D(models={"gated": {"script": GATED, "max_workers": 1}}, workers=1) as p3d:
        ann = p3d.register("ann")
        running, waiting = ann.submit("one"), ann.submit("two")
        ann.wait(running, ("processing",))
        p3d.process.terminate()
        # The listening socket goes away when draining begins.
        port = int(p3d.base.rsplit(":", 1)[1])
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    break
            select_wait(0.02)
        else:
            pytest.fail("still accepting")
        p3d.open_gate(running)
        assert p3d.stop(sig=None) == 0
        p3d.start()
        ann = p3d.client(ann.token)
        shapes.job(ann.job(running), status="completed", attempt=1)
        p3d.open_gate()
        shapes.job(ann.wait(waiting), status="completed", attempt=1)
        assert sorted(p3d.ran()) == sorted([running, waiting])
