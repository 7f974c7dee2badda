# SPDX-License-Identifier: MIT
"""History and the numbers of the queue, against a list of jobs that the test knows."""
import datetime

import pytest

import shapes
from p3d_test import until

HISTORY, STATS = "/api/v1/system/jobs/history", "/api/v1/system/jobs/queue/stats"
STATES = "queued, processing, completed, failed, cancelled"


def ids(page):
    return [row["job_id"] for row in page["jobs"]]


@pytest.fixture(scope="module")
def past(p3d):
    """A user with 14 jobs: 8 completed by two models, 2 failed, 1 that runs, 2 that wait, 1 of another feature."""
    class Past:
        user = p3d.register(shapes.unique("history"))
        jobs = []  # newest first, as the API lists them
        by = {}
    p3d.close_gate()

    def add(kind, state, **fields):
        job = Past.user.submit(kind, **fields)
        Past.jobs.insert(0, job)
        Past.by.setdefault(state, []).insert(0, job)
        Past.by.setdefault(fields["model_preference"], []).insert(0, job)
    for i in range(8):
        add("done %d" % i, "completed", model_preference=("tiny", "pictured")[i % 2])
    for i in range(2):
        add("fails %d" % i, "failed", model_preference="failing")
    for job in Past.jobs:
        Past.user.wait(job)
    add("runs", "processing", model_preference="gated")
    Past.user.wait(Past.jobs[0], ("processing",))
    for i in range(2):
        add("waits %d" % i, "queued", model_preference="gated")
    painting = Past.user.ok("POST", "/api/v1/jobs", {"feature": "painting", "inputs": {}}, status=202)["job_id"]
    Past.jobs.insert(0, painting)
    Past.by["painting"] = [painting]
    Past.by["completed"].insert(0, painting)
    Past.user.wait(painting)
    yield Past
    p3d.open_gate()


def test_shape(past):
    page = past.user.ok("GET", HISTORY)
    assert sorted(page) == ["filters", "jobs", "pagination", "timestamp"]
    assert ids(page) == past.jobs
    assert page["pagination"] == {"limit": 100, "offset": 0, "total": 14, "has_more": False, "next_cursor": None}
    assert isinstance(page["timestamp"], float)
    for row in page["jobs"]:
        assert shapes.job(row) == past.user.job(row["job_id"]) or row["status"] == "processing"
    times = [row["created_at"] for row in page["jobs"]]
    assert times == sorted(times, reverse=True)
    for path in ("/api/v1/system/jobs", "/api/v1/jobs", "/api/v1/jobs/history"):
        assert ids(past.user.ok("GET", path)) == past.jobs


def test_queue_position(past):
    waiting = [past.user.job(job)["queue_position"] for job in past.by["queued"]]
    assert waiting == [2, 1]
    assert "queue_position" not in past.user.job(past.by["processing"][0])


@pytest.mark.parametrize("limit", [1, 3, 5, 13, 14, 500])
def test_pages_by_offset(past, limit):
    seen = []
    while True:
        page = past.user.ok("GET", HISTORY + "?limit=%d&offset=%d" % (limit, len(seen)))
        assert page["pagination"]["total"] == 14 and page["pagination"]["offset"] == len(seen)
        assert len(page["jobs"]) <= limit
        seen += ids(page)
        assert page["pagination"]["has_more"] == (len(seen) < 14)
        if not page["pagination"]["has_more"]:
            break
    assert seen == past.jobs
    beyond = past.user.ok("GET", HISTORY + "?limit=%d&offset=14" % limit)
    assert beyond["jobs"] == [] and beyond["pagination"]["has_more"] is False


@pytest.mark.parametrize("limit", [1, 3, 7, 13])
def test_pages_by_cursor(past, limit):
    seen, cursor = [], None
    for _ in range(20):
        page = past.user.ok("GET", HISTORY, params={"limit": limit, "cursor": cursor} if cursor else {"limit": limit})
        assert page["pagination"]["total"] == 14
        seen += ids(page)
        cursor = page["pagination"]["next_cursor"]
        assert (cursor is not None) == page["pagination"]["has_more"]
        if cursor is None:
            break
    assert seen == past.jobs


def test_a_cursor_does_not_slip(p3d, past):
    """New jobs come in at the top; who goes on reading neither skips nor repeats."""
    other = p3d.register(shapes.unique("slip"))
    old = [other.submit("old") for _ in range(6)][::-1]
    first = other.ok("GET", HISTORY + "?limit=3")
    for _ in range(3):
        other.submit("new")
    second = other.ok("GET", HISTORY, params={"limit": 3, "cursor": first["pagination"]["next_cursor"]})
    assert ids(first) + ids(second) == old
    assert second["pagination"]["has_more"] is False


@pytest.mark.parametrize("query, want", [
    ("status=completed", "completed"), ("status=failed", "failed"), ("status=queued", "queued"),
    ("status=processing", "processing"), ("model=tiny", "tiny"), ("model=pictured", "pictured"),
    ("model=failing", "failing"), ("feature=painting", "painting"), ("feature=painting&model=plain", "painting"),
    ("feature=mesh_generation&model=gated", "gated"), ("status=failed&model=failing", "failing"),
])
def test_filters(past, query, want):
    page = past.user.ok("GET", HISTORY + "?" + query)
    assert ids(page) == past.by[want]
    assert page["pagination"]["total"] == len(past.by[want])
    for part in query.split("&"):
        name, value = part.split("=")
        assert page["filters"][name] == value
    short = past.user.ok("GET", HISTORY + "?limit=1&" + query)
    assert ids(short) == past.by[want][:1] and short["pagination"]["total"] == len(past.by[want])
    if len(past.by[want]) > 1:
        rest = past.user.ok("GET", HISTORY + "?" + query, params={"cursor": short["pagination"]["next_cursor"]})
        assert ids(short) + ids(rest) == past.by[want]


@pytest.mark.parametrize("query", ["status=cancelled", "model=nothing", "feature=nothing", "feature=painting&model=tiny",
                                   "status=failed&model=tiny", "model=tin", "model=%2a", "feature=mesh_generation/tiny"])
def test_filters_that_fit_nothing(past, query):
    page = past.user.ok("GET", HISTORY + "?" + query)
    assert page["jobs"] == [] and page["pagination"]["total"] == 0 and "error" not in page


@pytest.mark.parametrize("status", ["done", "COMPLETED", "completed,failed", " completed", "5"])
def test_unknown_status(past, status):
    page = past.user.ok("GET", HISTORY, params={"status": status})
    assert page["jobs"] == [] and page["pagination"]["total"] == 0
    assert page["error"] == "Invalid status: %s. Valid statuses: %s" % (status, STATES)


@pytest.mark.parametrize("query", [
    "limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=0x10", "limit=%31%00",
    "offset=-1", "offset=x", "offset=99999999999999999999", "start_date=yesterday", "end_date=2024-13-01",
    "start_date=2024-02-30", "start_date=", "end_date=2024-01-01T25:00:00", "cursor=nonsense", "cursor=%ff",
    "cursor=1:2:3", "user_id=x"])
def test_bad_queries(past, admin, query):
    who = admin if query.startswith("user_id") else past.user
    assert [loc for loc, _ in shapes.faults(who.get(HISTORY + "?" + query))] == [("query", query.split("=")[0])]


def test_unknown_parameters_are_ignored(past):
    assert ids(past.user.ok("GET", HISTORY + "?colour=blue&limit=2&page=7")) == past.jobs[:2]


def test_dates(past):
    rows = past.user.ok("GET", HISTORY)["jobs"]
    middle = rows[5]["created_at"]
    since = [row["job_id"] for row in rows if row["created_at"] >= middle]
    until_ = [row["job_id"] for row in rows if row["created_at"] <= middle]
    for spelling in (middle, middle + "Z", middle + "+00:00"):
        assert ids(past.user.ok("GET", HISTORY, params={"start_date": spelling})) == since, spelling
        assert ids(past.user.ok("GET", HISTORY, params={"end_date": spelling})) == until_, spelling
    moment = datetime.datetime.fromisoformat(middle)
    east = (moment + datetime.timedelta(hours=5, minutes=30)).isoformat() + "+05:30"
    assert ids(past.user.ok("GET", HISTORY, params={"start_date": east})) == since
    both = past.user.ok("GET", HISTORY, params={"start_date": middle, "end_date": middle})
    assert ids(both) == [j for j in past.jobs if j in since and j in until_] and both["pagination"]["total"] == len(both["jobs"])
    day = rows[-1]["created_at"][:10]
    tomorrow = (datetime.date.fromisoformat(rows[0]["created_at"][:10]) + datetime.timedelta(days=1)).isoformat()
    assert ids(past.user.ok("GET", HISTORY, params={"start_date": day})) == past.jobs
    # A bare date as the end is that whole day.
    assert ids(past.user.ok("GET", HISTORY, params={"end_date": rows[0]["created_at"][:10]})) == past.jobs
    assert ids(past.user.ok("GET", HISTORY, params={"end_date": tomorrow})) == past.jobs
    assert ids(past.user.ok("GET", HISTORY, params={"start_date": tomorrow})) == []
    assert ids(past.user.ok("GET", HISTORY, params={"end_date": "2020-01-01"})) == []
    assert ids(past.user.ok("GET", HISTORY, params={"start_date": "1969-01-01", "end_date": "2100-01-01"})) == past.jobs


def test_admins_see_all_and_may_ask_for_one(p3d, past, admin):
    mine = admin.ok("GET", HISTORY, params={"user_id": past.user.user["user_id"]})
    assert ids(mine) == past.jobs and mine["filters"]["user_id"] == past.user.user["user_id"]
    assert set(past.jobs) <= set(ids(admin.ok("GET", HISTORY + "?limit=500")))
    nobody = admin.ok("GET", HISTORY, params={"user_id": shapes.ABSENT_USER})
    assert nobody["jobs"] == [] and nobody["pagination"]["total"] == 0
    both = admin.ok("GET", HISTORY, params={"user_id": past.user.user["user_id"], "status": "failed"})
    assert ids(both) == past.by["failed"]


def test_queue_stats(p3d, past, admin):
    # Two workers; one holds the job at the gate.
    until(lambda: past.user.ok("GET", STATS)["data"]["workers"] == {"alive": 2, "busy": 1}, what="the others to finish")
    whole = past.user.ok("GET", STATS)
    assert sorted(whole) == ["data", "success"] and whole["success"] is True
    data = whole["data"]
    assert sorted(data) == ["by_model", "cancelled_jobs", "completed_jobs", "failed_jobs", "max_queue_size",
                            "pending_jobs", "processing_jobs", "queue_utilization", "timestamp", "workers"]
    for state, name in (("pending", "queued"), ("processing", "processing"), ("failed", "failed"),
                        ("completed", "completed"), ("cancelled", "cancelled")):
        listed = admin.ok("GET", HISTORY + "?limit=1&status=" + name)["pagination"]["total"]
        assert data[state + "_jobs"] == listed, state
        assert data[state + "_jobs"] == sum(m[state + "_jobs"] for m in data["by_model"].values())
    assert data["by_model"]["mesh_generation/gated"]["processing_jobs"] == 1
    assert 0 <= data["queue_utilization"] <= 1 and data["max_queue_size"] >= 0
    assert isinstance(data["timestamp"], float)


def test_who_is_next(p3d, past):
    """Priority orders one owner's jobs; among owners it is turns, whatever somebody has piled up."""
    one, two = (p3d.register(shapes.unique(n)) for n in ("one", "two"))

    def add(client, prompt, **fields):
        body = {"feature": "mesh_generation", "model": "gated", "inputs": {"prompt": prompt}, **fields}
        return client.ok("POST", "/api/v1/jobs", body, status=202)["job_id"]
    pile = [add(one, "n %d" % i, priority=p) for i, p in enumerate((1, 5, 9, 5, 0, 9))]
    lone = add(two, "only one", priority=0)
    before = len(p3d.ran())
    for job in past.by["queued"] + past.by["processing"]:  # what was there before passes whenever it comes
        p3d.open_gate(job)
    order = []
    while len(order) < 7:
        new = until(lambda: [j for j in p3d.ran()[before:] if j in pile + [lone] and j not in order], what="the next")
        assert len(new) == 1  # one at a time, as the model's max_workers says
        order += new
        p3d.open_gate(new[0])
    assert [j for j in order if j != lone] == [pile[i] for i in (2, 5, 1, 3, 0, 4)]
    assert order.index(lone) <= 2, "it waited behind the pile"


def test_deep_pages(p3d, past):
    """Offsets above 500 are found by bisection, not by counting along. Last, because it leaves much to clean up."""
    past.user.wait(past.user.submit("in front", model_preference="gated"), ("processing",))
    deep, n = p3d.register(shapes.unique("deep")), 620
    jobs = [deep.submit("n", model_preference="gated") for _ in range(n)][::-1]
    seen = []
    for offset in range(0, n, 155):
        page = deep.ok("GET", HISTORY + "?limit=155&offset=%d" % offset)
        assert page["pagination"]["total"] == n
        seen += ids(page)
    assert seen == jobs
    for offset in (499, 500, 501, 502, 611, n - 1):
        assert ids(deep.ok("GET", HISTORY + "?limit=2&offset=%d" % offset)) == jobs[offset:offset + 2]
    assert deep.job(jobs[0])["queue_position"] == n
    p3d.boss.ok("DELETE", "/api/v1/users/admin/users/" + deep.user["user_id"])
    for job in (jobs[0], jobs[-1]):
        assert p3d.boss.job(job)["status"] == "cancelled"
