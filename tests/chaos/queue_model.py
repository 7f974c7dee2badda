# SPDX-License-Identifier: MIT
"""Queue (the scripts by themselves, with the invariants of docs/redis-schema.md) and World (random operations on it)
of tests/lua, for tests in this folder: a second conftest.py cannot be imported by its name."""
import importlib.util
import os
import sys

LUA_TESTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lua")


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_lua = _load("lua_conftest", os.path.join(LUA_TESTS, "conftest.py"))
_ours = sys.modules.get("conftest")
sys.modules["conftest"] = _lua
try:
    _model = _load("lua_model", os.path.join(LUA_TESTS, "test_model.py"))
finally:
    if _ours is None:
        del sys.modules["conftest"]
    else:
        sys.modules["conftest"] = _ours

Queue, World = _lua.Queue, _model.World
