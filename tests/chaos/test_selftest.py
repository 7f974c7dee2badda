# SPDX-License-Identifier: MIT
"""The suite against what it must find: binaries without a guard, and facts that were tampered with."""
import copy
import os
import shutil

import pytest

import oracle
import report
import storm
from facts import Served
from p3d_test import BUILD

# What brings the lack of each guard to light; the right binary stands the same.
FENCE = ["--only", "worker-stop", "--seed", "5", "--pause", "0.1-0.3", "--job-seconds", "0.5-0.8", "--mix", "plain=1",
         "--workers", "5", "--processes", "1", "--outstanding", "3", "--kills", "10", "--seconds", "15", "--delete", "10"]
IDEMPOTENCY = ["--only", "serve", "--seed", "6", "--pause", "0.2-0.4", "--mix", "expires=1", "--processes", "3",
               "--replay", "0", "--clients", "6", "--outstanding", "25", "--job-seconds", "0.01-0.02", "--kills", "40",
               "--seconds", "10", "--delete", "10"]




def run(schedule, guard=None):
    """(figures, verdict). A storm that had to be bad leaves no folder behind."""
    binary = ["--binary", os.path.join(BUILD, "tests", "p3d-" + guard)] if guard else []
    made = storm.Storm(storm.arguments(schedule + binary))
    figures, verdict = made.run()
    report.show(figures, verdict)
    if guard:
        shutil.rmtree(made.folder)
    return figures, verdict


def test_no_fence():
    """A worker that was given up for lost goes on while another one runs its job: both results are accepted."""
    figures, verdict = run(FENCE, "no-fence")
    assert verdict.double, figures
    assert not verdict.lost and not verdict.duplicates


def test_with_fence():
    figures, verdict = run(FENCE)
    assert verdict.clean and figures["kinds"]["worker-stop"] >= 4, figures


def test_no_idempotency():
    """A server dies between Redis and the client: the same key makes another job."""
    figures, verdict = run(IDEMPOTENCY, "no-idempotency")
    assert verdict.duplicates, figures
    assert not verdict.lost and not verdict.double


def test_with_idempotency():
    figures, verdict = run(IDEMPOTENCY)
    assert verdict.clean and figures["kinds"]["serve"] >= 10, figures
