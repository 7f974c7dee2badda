# SPDX-License-Identifier: MIT
"""One process of many gets a wrong clock or a full disk: a small library in front of it (tests/support/*.c), and a
redis-server in PATH that is started with one. Nothing has to be installed, and no privilege is needed."""
import errno
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


class Disk:
    """A small disk of its own that can be full. A tmpfs where this user may mount one; else full_disk.c in front of the
    processes that were started with environment(). P3D_DISK=preload: that one in any case."""

    def __init__(self, folder, megabytes=16):
        self.folder, self.path = folder, os.path.join(folder, "disk")
        os.mkdir(self.path, 0o700)
        self.filler = os.path.join(self.path, ".full")
        self.mounted = os.environ.get("P3D_DISK") != "preload" and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=%dm,mode=700" % megabytes, "none", self.path],
            stderr=subprocess.DEVNULL).returncode == 0

    def environment(self):
        return {} if self.mounted else environment(self.folder, "full_disk", FULL_DISK=self.path)

    def fill(self):
        fd = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while self.mounted:
                os.write(fd, bytes(4096))
        except OSError as e:
            assert e.errno == errno.ENOSPC
        finally:
            os.close(fd)

    def free(self):
        os.unlink(self.filler)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=True)
