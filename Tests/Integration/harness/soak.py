"""How long the tests of "make soak" go on."""

import os
import random

SOAK_SECONDS = float(os.environ.get("CHUNKFLOW_SOAK_SECONDS", 600))
# To get going, and to be whole again in the end.
SOAK_LIMIT = SOAK_SECONDS + 900


def make_chance() -> tuple[int, random.Random]:
    """`CHUNKFLOW_SEED` repeats the choices of a run, not its timing."""
    seed = int(os.environ.get("CHUNKFLOW_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"CHUNKFLOW_SEED={seed}")
    return seed, random.Random(seed)
