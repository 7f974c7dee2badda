# SPDX-License-Identifier: MIT
"""What a storm submits: the models, the kinds of jobs, and how each of them may end."""

# Every attempt leaves a line in `ran` beside the script, and its name (the folder it runs in) in its result.
BEGIN = r"""
echo "$P3D_JOB_ID $P3D_ATTEMPT ${PWD##*/} $EPOCHREALTIME" >> "${0%/*}/ran"
sleep "$P3D_USER_META_SECONDS"
"""
END = r"""
printf 'glTF\x02\x00\x00\x00\x30\x00\x00\x00\x1c\x00\x00\x00JSON{"asset":{"version":"2.0"}} %s %s %s' \
  "$P3D_JOB_ID" "$P3D_ATTEMPT" "${PWD##*/}" > outputs/result.glb
"""
MODELS = {
    "plain": BEGIN + END,
    "flaky": BEGIN + "[ \"$P3D_ATTEMPT\" -ge 2 ] || exit 75\n" + END,
    "hopeless": {"script": BEGIN + "exit 75\n", "max_attempts": 2},
    "broken": BEGIN + "exit 3\n",
    "single": {"script": BEGIN + END, "max_workers": 1},
    "bare": {"script": BEGIN, "outputs": "none"},
}
GLB_HEAD = 48  # bytes in front of the three words

LOST = ("failed", "WORKER_LOST")  # three workers died with it: any job may end so in a storm
DONE = ("completed", None)
# plan -> (share, the ends that are right besides LOST)
PLANS = {
    "plain": (40, {DONE}),
    "batch": (10, {DONE}),
    "single": (6, {DONE}),
    "bare": (6, {DONE}),
    "flaky": (6, {DONE}),
    "hopeless": (2, {("failed", "MODEL_ERROR")}),
    "broken": (4, {("failed", "MODEL_ERROR")}),
    "cancel": (12, {DONE, ("cancelled", None)}),
    "later": (10, {DONE}),
    "expires": (10, {DONE, ("failed", "EXPIRED")}),
}
MIX = {name: share for name, (share, _) in PLANS.items()}


def right(plan, status, code):
    """May a job of this plan end so?"""
    return (status, code) == LOST or (status, code) in PLANS[plan][1]


def choose(dice, mix):
    names = sorted(mix)
    return dice.choices(names, [mix[name] for name in names])[0]


def make(dice, plan, key, now, job_seconds):
    """(path, body, how many jobs, run_at or None). now: s since 1970; job_seconds: (shortest, longest) of a job."""
    def one(n):
        model = plan if plan in MODELS else "plain"
        return {"feature": "mesh_generation", "model": model, "priority": dice.randrange(10),
                "inputs": {"prompt": key},
                "metadata": {"key": key, "n": n, "seconds": "%.3f" % dice.uniform(*job_seconds)}}
    if plan == "batch":
        jobs = [one(n) for n in range(dice.randint(2, 8))]
        return "/api/v1/jobs/batch", {"jobs": jobs}, len(jobs), None
    body, run_at = one(0), None
    if plan == "later":
        run_at = body["run_at"] = round(now + dice.uniform(0.3, 2.0), 3)
    if plan == "expires":
        body["expires_at"] = round(now + dice.uniform(0.5, 3.0), 3)
    return "/api/v1/jobs", body, 1, run_at
