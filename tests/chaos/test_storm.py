# SPDX-License-Identifier: MIT
"""A short storm of all kinds. CHAOS_SEED=N: another one; scripts/chaos: a long one."""
import os
import random

import report
import storm


def test_storm():
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10 ** 9))
    print("CHAOS_SEED=" + seed)
    options = storm.arguments(["--kills", "40", "--seconds", "45", "--seed", seed])
    figures, verdict = storm.Storm(options).run()
    report.show(figures, verdict)
    assert verdict.clean, figures["found"]
    # It was a storm: hits of each sort, and work went on.
    assert figures["kills"] >= 25 and len(figures["kinds"]) >= 5, figures["kinds"]
    assert figures["acked"] >= 50 and figures["states"]["completed"] >= 30, figures
