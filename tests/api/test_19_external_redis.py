# SPDX-License-Identifier: MIT
"""A Redis that is not ours: what it lacks is said at the start, and memory has a mark all the same."""
import pytest

import shapes
from p3d_test import GATED, P3D, until
from private_redis import PrivateRedis

AOF, MEMORY = "Redis keeps no append-only file", "Redis has no maxmemory"


@pytest.mark.parametrize("args, limit, said", [
    ([], -1, {MEMORY}),
    (["--appendonly", "no"], -1, {AOF, MEMORY}),
    (["--appendonly", "no", "--maxmemory", "100mb"], -1, {AOF}),
    (["--maxmemory", "100mb"], -1, set()),
    ([], 1 << 30, set()),
])
def test_what_it_lacks(args, limit, said):
    redis = PrivateRedis(args=args)
    try:
        with P3D(config={"redis": {"url": redis.url, "memory_limit": limit}}) as p3d:
            log = p3d.log()
            assert {text for text in (AOF, MEMORY) if text in log} == said
            assert ("store_warning" in log) == bool(said)
    finally:
        redis.close()


def test_above_the_mark():
    """Submits are refused; what is there goes on to its end and can be read, and room lets submits in again."""
    redis = PrivateRedis(args=["--maxmemory", "1gb"])
    try:
        used = redis.client().info("memory")["used_memory"]
        with P3D(models={"gated": GATED}, config={"redis": {"url": redis.url, "memory_limit": used + (16 << 20)}}) as p3d:
            ann = p3d.register("ann")
            job = ann.submit("x")
            ann.wait(job, ("processing",))
            redis.client().set("ballast", b"x" * (20 << 20))
            until(lambda: ann.post("/api/v1/mesh-generation", {"prompt": "y"}).status_code == 503, 10, "the mark")
            shapes.error(ann.post("/api/v1/mesh-generation", {"prompt": "y"}), 503)
            p3d.open_gate()
            assert ann.wait(job)["status"] == "completed" and ann.download(job).status_code == 200
            ann.ok("DELETE", "/api/v1/system/jobs/" + job)
            redis.client().delete("ballast")
            until(lambda: ann.post("/api/v1/mesh-generation", {"prompt": "y"}).status_code == 200, 10, "room")
            assert "store_memory state=full" in p3d.log() and "store_memory state=enough" in p3d.log()
    finally:
        redis.close()
