# SPDX-License-Identifier: MIT
"""A folder of another user, whoever runs the tests.

    with belongs_to_another(folder) as (uid, before):
        p3d.cli("users", "list", before=before)

Root, and who may use sudo, gives it away and takes it back. Everybody else lays a folder of root's over it, in a mount
and user namespace of the one command that is run behind `before`: it is uid 0 there, and root's folder is nobody's.
"""
import contextlib
import os
import pwd
import shutil
import subprocess

NOBODY = 65534
LAID_OVER = "/usr"


def person(uid):
    """As messages name one."""
    try:
        return "%s (uid %d)" % (pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return "uid %d" % uid


def myself(before):
    return person(0 if before else os.geteuid())


def _chown(uid, folder):
    if os.geteuid() == 0:
        os.chown(folder, uid, -1)
        return True
    return shutil.which("sudo") is not None and subprocess.run(
        ["sudo", "-n", "chown", str(uid), folder], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


@contextlib.contextmanager
def belongs_to_another(folder, uid=NOBODY):
    """(uid of its owner as the command sees it, words to put before the command). In a namespace it is always NOBODY."""
    if uid != os.geteuid() and _chown(uid, folder):
        try:
            yield uid, []
        finally:
            assert _chown(os.geteuid(), folder), "%s is not ours any more" % folder
        return
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              'mount --bind "$0" "$1" && shift && exec "$@"', LAID_OVER, folder]
    seen = subprocess.run([*before, "stat", "-c", "%u", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert seen.stdout == "%d\n" % NOBODY, "neither root, nor sudo, nor user namespaces: " + seen.stderr
    yield NOBODY, before
