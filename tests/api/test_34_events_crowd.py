# SPDX-License-Identifier: MIT
"""Many streams with much to say, and one on a busy queue: nobody else waits for them, and they come to their end."""
import socket
import statistics
import threading
import time

from p3d_test import P3D, TINY
from sse import Stream, gather

JOBS = "/api/v1/system/jobs/"


def fill(client, jobs, **fields):
    made = []
    for at in range(0, jobs, 500):
        rows = [{"feature": "mesh_generation", "inputs": {"prompt": "x"}, **fields}] * min(500, jobs - at)
        made += [row["job_id"] for row in client.ok("POST", "/api/v1/jobs/batch", {"jobs": rows}, status=202)["jobs"]]
    return made


def test_a_stream_on_a_busy_queue_tells_all():
    """More jobs come while the first part is told than a stream keeps in mind."""
    with P3D(models={"tiny": TINY}, workers=0) as p3d:
        ann = p3d.register("ann")
        want = set(fill(ann, 4000))
        s = Stream(ann, JOBS + "events").until(lambda x: x.events)
        coming = threading.Thread(target=lambda: want.update(fill(p3d.client(ann.token), 3000)))
        coming.start()
        while coming.is_alive():
            gather([s], lambda: not coming.is_alive(), 60)
        coming.join()
        s.until(lambda x: len({e[2]["job_id"] for e in x.events}) >= len(want) or x.over, 60)
        assert not s.over and {e[2]["job_id"] for e in s.events} == want
        s.close()


def test_streams_that_nobody_reads_hold_up_nobody():
    """Each may have pages of megabytes to read from Redis, over the connection that all requests use."""
    with P3D(models={"tiny": TINY}, workers=0, environment={"P3D_SERVER__MAX_CONNECTIONS": "2000"}) as p3d:
        ann, bob = p3d.register("ann"), p3d.register("bob")
        big = {"metadata": {"m": "x" * 16000}}
        for _ in range(4):
            fill(ann, 100, **big)
        job = bob.submit("x")
        where = ("127.0.0.1", int(p3d.base.rsplit(":", 1)[1]))
        request = ("GET /api/v1/jobs/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % ann.token).encode()
        deaf = []
        for _ in range(150):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(where)
            s.sendall(request)
            deaf.append(s)
        took = []
        for _ in range(100):
            began = time.monotonic()
            assert bob.get(JOBS + job).status_code == 200
            took.append(time.monotonic() - began)
        print("beside 150 streams: median %.4f s, worst %.4f s" % (statistics.median(took), max(took)))
        assert max(took) < 2
        assert "store state=down" not in p3d.log()
        for s in deaf:
            s.close()
