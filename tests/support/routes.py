# SPDX-License-Identifier: MIT
"""The rows of include/p3d/routes.def, job rows under both prefixes, as the server's own table has them."""
import collections
import os
import re

from p3d_test import ROOT

Route = collections.namedtuple("Route", "method pattern credential scope mode body handler")
ROW = re.compile(r'P3D_ROUTE(_JOB)?\(\s*(\w+),\s*"([^"]*)",\s*(\w+),\s*(\w+),\s*(\w+),\s*(\w+),\s*(\w+),\s*"[^"]*"\s*\)')
JOB_PREFIXES = ("/api/v1/system/jobs", "/api/v1/jobs")
FEATURE = Route("POST", "/api/v1/mesh-generation", "TOKEN", "JOBS_WRITE", "ANY", "JSON", "submit_feature")


def read():
    with open(os.path.join(ROOT, "include", "p3d", "routes.def")) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    rows = ROW.findall(text)
    assert len(rows) == text.count("P3D_ROUTE"), "a row of routes.def is not read"
    routes = [FEATURE]
    for job, method, pattern, *rest in rows:
        routes += [Route(method, prefix + pattern, *rest) for prefix in (JOB_PREFIXES if job else ("",))]
    return routes


ALL = read()
