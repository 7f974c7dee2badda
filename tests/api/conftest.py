# SPDX-License-Identifier: MIT
"""One server for all tests of a file that need none of their own, with names that never meet."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import shapes  # noqa: E402
from p3d_test import FAILING, GATED, P3D, PICTURED, TINY  # noqa: E402

# Says as much as a model may: JSON as deep as it is read, one level deeper, no JSON, not UTF-8.
TALKATIVE = r"""
nest() { printf '{"event":"info","deep%d":' $1; printf '[%.0s' $(seq $1); printf ']%.0s' $(seq $1); printf '}\n'; }
nest 63 >&3
nest 64 >&3
printf 'nonsense\n{"event":"info","text":"\xff"}\n{"event":"progress","value":7}\n{"event":"nothing"}\n[]\n\n' >&3
printf '{"event":"info","said":"ä"}\n' >&3
"""
MODELS = {
    "tiny": TINY,
    "pictured": PICTURED,
    "failing": FAILING,
    # One at a time: while one waits at the gate, the next ones are queued.
    "gated": {"script": GATED, "max_workers": 1},
    "off": {"command": ["/bin/true"], "enabled": False},
}
CONFIG = {
    "security": {"hash_queue": 200},
    "features": {"mesh_segmentation": {"title": "Mesh segmentation", "route": "mesh-segmentation/segment-mesh",
                                       "inputs": {}},
                 "painting": {"title": "Painting", "default_model": "plain",
                              "inputs": {"size": {"type": "integer", "minimum": 1, "maximum": 10, "default": 4}}}},
    "models": {"mesh_segmentation": {"off": {"command": ["/bin/true"], "enabled": False}},
               "painting": {"plain": {"command": ["/bin/true"], "outputs": "none", "max_workers": -1},
                            "talkative": {"script": TALKATIVE, "outputs": "none"}}},
}


@pytest.fixture(scope="session")
def p3d():
    with P3D(models=MODELS, config=CONFIG, default="tiny") as server:
        server.boss = server.admin()
        yield server


@pytest.fixture
def admin(p3d):
    return p3d.boss


@pytest.fixture
def ann(p3d):
    return p3d.register(shapes.unique("ann"))


@pytest.fixture
def bob(p3d):
    return p3d.register(shapes.unique("bob"))


@pytest.fixture
def gate(p3d):
    """The gate of the model `gated`, closed; at the end it is open again and nothing waits behind it."""
    p3d.close_gate()
    yield p3d
    p3d.empty_gate(p3d.boss)
