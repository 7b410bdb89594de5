from __future__ import annotations

import hashlib
import json

import msgspec
import pytest

from pratique.deploy.plan import DeploymentPlan, Service, deployment_id, make_plan, parse_plan
from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import Digest

A, B, C = (Digest(letter * 64) for letter in "abc")
SERVICE = Service(command=("{python}", "-I", "-B", "{release}/app.py", "--port={port}"), port=8080)


def plan(**changes: object) -> DeploymentPlan:
    settings = {"environment": "prod", "path": "/srv/shop", "artifact_name": "shop.tar", "artifact": A}
    return make_plan(**{**settings, **changes})  # type: ignore[arg-type]


def test_the_canonical_bytes_are_what_is_documented() -> None:
    expected = (
        '{"action":"deploy","artifact":{"digest":{"sha256":"' + "a" * 64 + '"},"name":"shop.tar"},'
        '"environment":"prod","kind":"directory","path":"/srv/shop",'
        '"service":{"command":["{python}","-I","-B","{release}/app.py","--port={port}"],"port":8080}}'
    ).encode()
    made = plan(service=SERVICE)
    assert made.encode() == expected
    assert made.digest.hex == hashlib.sha256(expected).hexdigest()
    assert parse_plan(expected) == made


def test_whatever_changes_what_happens_changes_the_digest() -> None:
    variants = [
        plan(service=SERVICE),
        plan(),
        plan(artifact=B, service=SERVICE),
        plan(artifact_name="other.tar", service=SERVICE),
        plan(environment="test", service=SERVICE),
        plan(path="/srv/shop2", service=SERVICE),
        plan(action="rollback", service=SERVICE),
        plan(service=msgspec.structs.replace(SERVICE, port=8081)),
        plan(service=msgspec.structs.replace(SERVICE, health="/ready")),
        plan(service=msgspec.structs.replace(SERVICE, environment={"MODE": "x"})),
        plan(service=msgspec.structs.replace(SERVICE, command=("{python}", "x.py"))),
        plan(service=msgspec.structs.replace(SERVICE, stop_seconds=11)),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "srv/shop"}, "not absolute"),
        ({"path": "/srv/../etc"}, "normalised"),
        ({"path": "/"}, "root directory"),
        ({"path": ""}, "path"),
        ({"environment": "Prod"}, "environment"),
        ({"environment": "../x"}, "environment"),
        ({"environment": "prod\n"}, "environment"),
        ({"artifact_name": "../shop.tar"}, "name"),
        ({"artifact_name": ".hidden"}, "name"),
        ({"artifact_name": "a/b"}, "name"),
        ({"action": "delete"}, "delete"),
        ({"service": Service(command=(), port=1)}, "command"),
        ({"service": Service(command=("python3", "x"), port=1)}, "PATH"),
        ({"service": Service(command=("{python}", "{home}"), port=1)}, "{home}"),
        ({"service": Service(command=("{python}", "a\0b"), port=1)}, "NUL"),
        ({"service": Service(command=("{python}",), port=0)}, "port"),
        ({"service": Service(command=("{python}",), port=65536)}, "port"),
        ({"service": Service(command=("{python}",), port=1, health="health")}, "health"),
        ({"service": Service(command=("{python}",), port=1, health="/a b")}, "health"),
        ({"service": Service(command=("{python}",), port=1, health="/a\r\nX: y")}, "health"),
        ({"service": Service(command=("{python}",), port=1, environment={"LD_PRELOAD": "x"})}, "LD_PRELOAD"),
        ({"service": Service(command=("{python}",), port=1, environment={"PORT": "1"})}, "PORT"),
        ({"service": Service(command=("{python}",), port=1, environment={"A=B": "1"})}, "A=B"),
        ({"service": Service(command=("{python}",), port=1, environment={"A": "\0"})}, "'A'"),
        ({"service": Service(command=("{python}",), port=1, start_seconds=0)}, "startSeconds"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(**changes)
    assert says in caught.value.message


@pytest.mark.parametrize("extra", ['"ring":1', '"action":"deploy"'])
def test_unknown_and_duplicate_fields_are_refused(extra: str) -> None:
    data = plan().encode()
    with pytest.raises(MalformedError):
        parse_plan(data[:-1] + b"," + extra.encode() + b"}")


def test_bytes_that_are_not_canonical_are_refused() -> None:
    with pytest.raises(MalformedError, match="canonical"):
        parse_plan(json.dumps(json.loads(plan().encode()), indent=1).encode())


def test_command_templates_fill_in_arguments_only() -> None:
    assert SERVICE.argv(python="/usr/bin/python3", release="/srv/{port} x") == [
        "/usr/bin/python3", "-I", "-B", "/srv/{port} x/app.py", "--port=8080",
    ]  # fmt: skip


def test_a_deployment_is_named_after_what_it_rests_on() -> None:
    first = deployment_id(A, B, [C, A])
    assert first == deployment_id(A, B, [A, C, C])
    assert len({first, deployment_id(B, A, [C, A]), deployment_id(A, B, [C]), deployment_id(A, B, [])}) == 4
