# SPDX-License-Identifier: MIT
"""One process of many gets a wrong clock or a full disk: a small library in front of it (tests/support/*.c), and a
redis-server in PATH that is started with one. Nothing has to be installed, and no privilege is needed."""
import os
import shutil
import struct
import subprocess

from p3d_test import ROOT


def library(folder, name):
    path = os.path.join(folder, name + ".so")
    if not os.path.exists(path):
        subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", path,
                        os.path.join(ROOT, "tests", "support", name + ".c")], check=True)
    return path


def environment(folder, name, **variables):
    """For a process with this library in front. A sanitizer's runtime insists on being first, unless told."""
    options = os.environ.get("ASAN_OPTIONS", "detect_leaks=1")
    return {"LD_PRELOAD": library(folder, name), "ASAN_OPTIONS": options + ":verify_asan_link_order=0", **variables}


def redis_server(folder, variables):
    """A folder for the front of PATH: its redis-server is the real one with these variables."""
    path = os.path.join(folder, "bin")
    os.makedirs(path, exist_ok=True)
    script = os.path.join(path, "redis-server")
    with open(script, "w") as f:
        f.write("#!/bin/sh\n" + "".join("export %s='%s'\n" % pair for pair in variables.items()) +
                "exec %s \"$@\"\n" % shutil.which("redis-server"))
    os.chmod(script, 0o700)
    return path


class Clock:
    """The wall clock of the processes that were started with environment()."""

    def __init__(self, folder, name="clock"):
        self.folder, self.path = folder, os.path.join(folder, name)
        self.move(0)

    def move(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def environment(self):
        return environment(self.folder, "moved_clock", MOVED_CLOCK=self.path)
