#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make an admin account and its token "Default admin token" (365 days).

python3 scripts/create_admin_user.py [--username NAME] [--email ADDRESS] [--password-file FILE|-] [--redis-url URL]

Asks for what is not given. All flags go to `p3d users create`, which takes over this process.
"""
import os
import shutil
import sys


def find_p3d():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for preset in ("release", "dev"):
        path = os.path.join(root, "build", preset, "p3d")
        if os.access(path, os.X_OK):
            return path
    return shutil.which("p3d")


def main():
    p3d = find_p3d()
    if p3d is None:
        sys.stderr.write(
            "p3d is not built yet: run scripts/run, or "
            "cmake --preset release && cmake --build --preset release\n"
        )
        return 3
    args = ["--role", "admin", "--token-name", "Default admin token", "--token-days", "365"]
    os.execv(p3d, [p3d, "users", "create"] + args + sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
