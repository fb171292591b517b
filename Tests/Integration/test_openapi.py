"""The description of the API, held against the sources and the running server."""

import base64
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import openapi_spec_validator
import pytest
import yaml
from jsonschema import Draft202012Validator

from harness import EmbeddedServer, RESTClient
from harness.process import ROOT, clean_environment, executable
from harness.s3 import Signer, root_environment
from harness.sources import problem_types
from test_quick_start import LOOPBACK_UP, OWN_NETWORK

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
PLACE = "Sources/APIDescription/openapi.yaml"
# One file's operations change files, the others' the cluster: each has a server that may be left as it falls.
FILE_TAGS = ("files", "health", "metadata", "accounts", "description")
CLUSTER_TAGS = ("cluster", "changes")
EXAMPLES = 20
# The same requests every time, so that a change is judged by what it changes. Others: CHUNKFLOW_SEED=$RANDOM make integration ARGS="-k described"
SEED = os.environ.get("CHUNKFLOW_SEED", "20261126")
ADMINISTRATION = f"""
set -euo pipefail
python3 -c "{LOOPBACK_UP}"
"$CHUNKFLOW" server --nodes 5 --replicas 1 --write-quorum 1 --http 127.0.0.1:8080 > server.out 2> server.err &
server=$!
trap 'kill -KILL $server 2> /dev/null || true' EXIT
until grep -qx ready server.out; do kill -0 $server; sleep 0.05; done
"$@"
kill -TERM $server
trap - EXIT
wait $server
"""


@pytest.fixture(scope="module")
def description(shared_server) -> dict:
    response = shared_server.rest.request("GET", "/openapi.json")
    assert response.status == 200, f"{response}"
    return response.json()


def test_the_description_is_openapi_and_the_same_in_both_forms(rest, description):
    openapi_spec_validator.validate(description)
    response = rest.request("GET", "/openapi.yaml")
    assert response.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(response.body) == description


def test_every_example_is_what_its_schema_says(description):
    checked = 0
    components = {"components": strict(description)["components"]}
    for place, schema, example in examples(description, description):
        # With the components beside it, so that its references lead somewhere.
        validator = Draft202012Validator({**components, **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER)
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(example)]
        assert not errors, f"{place}: {errors}"
        checked += 1
    assert checked > 80


def test_every_problem_of_the_sources_is_described_and_no_other(description):
    in_sources = {(problem.name, problem.status, problem.title) for problem in problem_types()}
    described = {
        (name, example["value"]["status"], example["value"]["title"])
        for name, example in description["components"]["examples"].items()
        if example["value"].get("type") == f"urn:chunkflow:problem:{name}"
    }
    assert len(in_sources) > 30
    missing, surplus = in_sources - described, described - in_sources
    assert not missing, f"add these to components/examples of {PLACE}, and to the answers of the operations that give them: {missing}"
    assert not surplus, f"no source has these problems with this status and title: mend components/examples of {PLACE}: {surplus}"


def test_every_problem_belongs_to_an_answer_of_its_status(description):
    answered: dict[str, set[str]] = {}
    for operation in operations(description):
        for status, response in operation["responses"].items():
            response = resolved(description, response)
            for name in response.get("content", {}).get("application/problem+json", {}).get("examples", {}):
                answered.setdefault(name, set()).add(status)
    # Told to whom no operation answers.
    answered |= {"no-such-route": {"404"}, "method-not-allowed": {"405"}, "node-removed": {"409"}}
    for problem in problem_types():
        assert answered.get(problem.name) == {str(problem.status)}, f"{PLACE}: no operation, or one with another status, answers with {problem}"


@pytest.mark.parametrize("page, lacking", [("rest-api.md", "what they mean"), ("troubleshooting.md", "what to do then")])
def test_every_problem_is_in_the_readable_text(page, lacking):
    text = (ROOT / "docs" / page).read_text()
    missing = sorted(problem.name for problem in problem_types() if f"`{problem.name}`" not in text)
    assert not missing, f"docs/{page} does not name these problems, and {lacking}: {missing}"


def test_the_page_is_well_formed_and_leads_nowhere_else(rest):
    response = rest.request("GET", "/docs")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(response.body.decode())
    page.close()
    assert page.open == [], f"never closed: {page.open}"
    assert len(page.identifiers) == len(set(page.identifiers)), "an id stands twice"
    for target in page.links:
        assert target in ("/openapi.yaml", "/openapi.json") or target[1:] in page.identifiers, f"{target} leads nowhere"
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "form"}
    # What a browser is told to allow is the style that the page has, and nothing else.
    style = page.texts["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]
    assert "url(" not in style and "@import" not in style


@pytest.mark.timeout(150)
def test_files_are_served_as_described(fleet, description):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    write_strict(description, fleet.directory)
    command = schemathesis(server.process.url, FILE_TAGS)
    done = subprocess.run(command, cwd=fleet.directory, capture_output=True, text=True, timeout=140, env=clean_environment())
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert server.process.is_running


@pytest.mark.timeout(150)
def test_the_cluster_is_changed_as_described(tmp_path, description):
    """On a network of its own: the server connects to whatever address it is told to."""
    write_strict(description, tmp_path)
    done = subprocess.run(
        [*OWN_NETWORK, "bash", "-c", ADMINISTRATION, "bash", *schemathesis("http://127.0.0.1:8080", CLUSTER_TAGS)], cwd=tmp_path,
        capture_output=True, text=True, timeout=140, env={**clean_environment(), "CHUNKFLOW": executable("chunkflow")},
    )
    log = (tmp_path / "server.err").read_text() if (tmp_path / "server.err").exists() else ""
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:] + log[-2_000:]


def test_accounts_are_made_as_described(fleet, description):
    server = EmbeddedServer(fleet, **root_environment())
    path, keys = "/accounts", "/accounts/anna/keys"
    pair = {"accessKey": "AK1", "secretKey": "a-secret/+"}
    answered = set()
    for method, target, document, status in [
        ("POST", path, {"id": "anna", "displayName": "Anna", "email": "anna@example.com"}, 201),
        ("POST", path, {"id": "bert", "displayName": "Bert", "tenant": "t"}, 201), ("POST", path, {"id": "anna", "displayName": "A"}, 409),
        ("POST", path, {"id": "anna/", "displayName": "A"}, 400), ("GET", path, None, 200), ("POST", keys, {}, 201), ("POST", keys, pair, 201),
        ("POST", keys, pair, 409), ("POST", keys, {"accessKey": "AK2"}, 400), ("POST", "/accounts/eve/keys", {}, 404), ("GET", keys, None, 200),
        ("GET", "/accounts/eve/keys", None, 404), ("PUT", "/keys/AK1", {"enabled": False}, 204), ("PUT", "/keys/AK1", {"enabled": 1}, 400),
        ("PUT", "/keys/AK2", {"enabled": True}, 404), ("DELETE", "/keys/AK1", None, 204), ("DELETE", "/keys/AK1", None, 404),
    ]:
        response = signed(server.rest, method, target, document)
        assert response.status == status, f"{method} {target} {document}: {response}"
        template = re.sub("/accounts/[^/]+/", "/accounts/{account}/", re.sub("/keys/.+", "/keys/{accessKey}", target))
        operation = description["paths"][template][method.lower()]
        check_answer(description, operation, response)
        answered.add((operation["operationId"], status))
    assert {name for name, _ in answered} == {
        operation["operationId"] for operation in operations(description) if "accounts" in operation["tags"]}


def signed(rest: RESTClient, method: str, path: str, document: object):
    body = b"" if document is None else json.dumps(document).encode()
    headers = Signer().headers(method, f"{rest.address[0]}:{rest.address[1]}", path, hashlib.sha256(body).hexdigest())
    return rest.request(method, path, body or None, headers)


def check_answer(description: dict, operation: dict, response) -> None:
    """That an answer is one of those that the description has for its operation."""
    described = resolved(description, operation["responses"][str(response.status)])
    if "content" not in described:
        assert not response.body
        return
    schema = described["content"][response.headers["Content-Type"]]["schema"]
    validator = Draft202012Validator(
        {"components": strict(description)["components"], **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert not [f"{error.json_path}: {error.message}" for error in validator.iter_errors(response.json())]


def schemathesis(url: str, tags: tuple[str, ...]) -> list[str]:
    return [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION), "--no-color", "run", "strict.json", "--url", url,
        "--checks", "all", "--max-examples", str(EXAMPLES), "--continue-on-failure", "--generation-database", "none", "--seed", SEED,
        *[argument for tag in tags for argument in ("--include-tag", tag)],
    ]


def write_strict(description: dict, directory: Path) -> None:
    (directory / "strict.json").write_text(json.dumps(strict(description)))


def strict(description: dict) -> dict:
    """The description without room for members that it does not name: clients ignore them, but here they are a mistake."""
    description = copy.deepcopy(description)

    def close(value: object) -> None:
        if isinstance(value, dict):
            if "properties" in value and value.get("type") == "object":
                value.setdefault("additionalProperties", False)
            for part in value.values():
                close(part)
        elif isinstance(value, list):
            for part in value:
                close(part)

    close(description["components"]["schemas"])
    return description


def resolved(description: dict, value: dict) -> dict:
    """What a reference stands for."""
    while "$ref" in value:
        names = value["$ref"].removeprefix("#/").split("/")
        value = description
        for name in names:
            value = value[name]
    return value


def operations(description: dict) -> list[dict]:
    return [
        operation for path in description["paths"].values() for method, operation in path.items()
        if method in ("get", "head", "post", "put", "delete")
    ]


def examples(description: dict, part: object, place: str = "#"):
    """Everything that has a schema and examples of it: where, the schema, the example."""
    if isinstance(part, dict):
        if isinstance(part.get("schema"), dict) and part["schema"]:
            if "example" in part:
                yield place, part["schema"], part["example"]
            for name, example in part.get("examples", {}).items():
                yield f"{place}/{name}", part["schema"], resolved(description, example)["value"]
        for name, value in part.items():
            yield from examples(description, value, f"{place}/{name}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from examples(description, value, f"{place}/{index}")


class Page(HTMLParser):
    """What is in a page. Fails where an element ends that was not the last to begin."""

    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            assert name not in ("style", "src") and not re.match(r"on[a-z]+$", name), f"<{tag} {name}> is not allowed under the page's policy"
            if name == "id":
                self.identifiers.append(value)
            if name == "href":
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data
