"""What the sources say of themselves."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from .process import ROOT

_PROBLEM = re.compile(r'(?:Problem|\binit)\(\s*\.(\w+),\s*"([a-z0-9-]+)",\s*title:\s*"((?:[^"\\]|\\.)*)"')
# Names that NIO has for statuses and Python has otherwise.
_OTHER_NAMES = {"payloadTooLarge": 413, "rangeNotSatisfiable": 416}


@dataclass(frozen=True)
class ProblemType:
    """A kind of error that the HTTP listeners answer with."""

    name: str
    status: int
    title: str


def problem_types() -> set[ProblemType]:
    """All that are made anywhere under Sources/."""
    return {
        ProblemType(name, _status(status), title)
        for path in sorted((ROOT / "Sources").rglob("*.swift"))
        for status, name, title in _PROBLEM.findall(path.read_text())
    }


def _status(name: str) -> int:
    """The number of `.notFound`."""
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    return HTTPStatus[re.sub(r"(?=[A-Z])", "_", name).upper()].value
