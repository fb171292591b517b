"""Waiting for conditions instead of for time to pass."""

import http.client
import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


class DeadlineExceeded(AssertionError):
    pass


def wait_until(condition: Callable[[], Value], seconds: float, what: str, interval: float = 0.05) -> Value:
    """Returns the first true value of `condition`. What it raises counts as false until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        problem: object
        try:
            value = condition()
            if value:
                return value
            problem = f"last value {value!r}"
        except (OSError, http.client.HTTPException, AssertionError, ValueError, KeyError) as error:
            problem = f"last error {error!r}"
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(f"not within {seconds:g} s: {what} ({problem})")
        time.sleep(interval)
