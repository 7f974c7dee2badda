# SPDX-License-Identifier: MIT
"""Is this a GLB? The container by hand, what is in it by the Khronos validator where node is installed."""
import json
import os
import shutil
import struct
import subprocess

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def check(data):
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data)), (magic, version, length, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    return json.loads(data[20:20 + size])


def validate(path):
    """0 errors by the Khronos validator. Without node or its package: only the container is checked."""
    with open(path, "rb") as f:
        document = check(f.read())
    assert document["asset"]["version"] == "2.0"
    node, script = shutil.which("node"), os.path.join(TESTS, "support", "validate_glb.mjs")
    if node and os.path.isdir(os.path.join(TESTS, "node_modules", "gltf-validator")):
        out = subprocess.run([node, script, path], capture_output=True, text=True, timeout=60)
        assert out.returncode == 0 and json.loads(out.stdout)["errors"] == 0, out.stdout + out.stderr
    return document
