"""Manifests, indexes and image configurations (OCI image-spec 1.1: manifest.md, image-index.md, config.md).

Parsing is strict about types and about what the parts say of each other: an image has as many layers as its
configuration has `diff_ids`. What is written is canonical JSON, so one image has one digest.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.image.descriptor import (
    INDEX,
    MANIFEST,
    Descriptor,
    Platform,
    oci_media_type,
    parse_descriptor,
)
from pratique.image.fields import mapping, objects, text, text_map, texts
from pratique.model.digest import Digest, parse_digest
from pratique.model.strict_json import canonical_json, parse_json_object

MAX_DOCUMENT_BYTES: Final = 4 << 20  # what registries take for a manifest (distribution-spec 1.1)
MAX_LAYERS: Final = 1000


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One image or artifact: its configuration and its layers, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None

    def encode(self) -> bytes:
        """Write it as canonical JSON."""
        body: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            body["annotations"] = self.annotations
        if self.artifact_type:
            body["artifactType"] = self.artifact_type
        if self.subject:
            body["subject"] = self.subject.to_json()
        return canonical_json(body)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an image's history."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    author: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is run, and what its layers are once uncompressed (`diff_ids`, lowest first)."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: str = ""
    author: str = ""
    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    workdir: str = ""
    labels: dict[str, str] = {}
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()
    stop_signal: str = ""
    history: tuple[Step, ...] = ()

    def encode(self) -> bytes:
        """Write it as canonical JSON, without what is empty."""
        running = {
            "User": self.user,
            "Env": list(self.env),
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "WorkingDir": self.workdir,
            "Labels": self.labels,
            "ExposedPorts": {port: {} for port in self.ports},
            "Volumes": {volume: {} for volume in self.volumes},
            "StopSignal": self.stop_signal,
        }
        body: dict[str, Any] = {
            **self.platform.to_json(),
            "config": {key: value for key, value in running.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in self.diff_ids]},
            "history": [_step_json(step) for step in self.history],
        }
        body |= {key: value for key, value in (("created", self.created), ("author", self.author)) if value}
        return canonical_json(body)


def _step_json(step: Step) -> dict[str, Any]:
    body = {"created": step.created, "created_by": step.created_by, "comment": step.comment}
    body = {key: value for key, value in {**body, "author": step.author}.items() if value}
    return {**body, "empty_layer": True} if step.empty_layer else body


def parse_manifest(data: bytes, what: str) -> Manifest:
    """Parse an image manifest, OCI's or Docker's version 2.

    Raises:
        MalformedError: not one, or another kind of document passed off as one.
    """
    body = parse_json_object(data, what=what, max_bytes=MAX_DOCUMENT_BYTES)
    _kind(body, MANIFEST, what)
    if "manifests" in body:
        raise MalformedError(f"{what}: a manifest that is an index, too (CVE-2021-41190)")
    layers = objects(body, "layers", what)
    if len(layers) > MAX_LAYERS:
        raise MalformedError(f"{what}: {len(layers)} layers, more than the {MAX_LAYERS} allowed")
    subject = body.get("subject")
    return Manifest(
        config=parse_descriptor(body.get("config"), what),
        layers=tuple(parse_descriptor(layer, what) for layer in layers),
        annotations=text_map(body, "annotations", what),
        artifact_type=text(body, "artifactType", what),
        subject=None if subject is None else parse_descriptor(subject, what),
    )


def parse_index(data: bytes, what: str) -> tuple[Descriptor, ...]:
    """Parse an index (or Docker's manifest list) and give its descriptors.

    Raises:
        MalformedError: not one, or another kind of document passed off as one.
    """
    body = parse_json_object(data, what=what, max_bytes=MAX_DOCUMENT_BYTES)
    _kind(body, INDEX, what)
    if "layers" in body or "config" in body:
        raise MalformedError(f"{what}: an index that is a manifest, too (CVE-2021-41190)")
    return tuple(parse_descriptor(item, what) for item in objects(body, "manifests", what))


def encode_index(manifests: tuple[Descriptor, ...], annotations: dict[str, str] | None = None) -> bytes:
    """Write an index as canonical JSON."""
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [item.to_json() for item in manifests],
    }
    return canonical_json({**body, "annotations": annotations} if annotations else body)


def parse_config(data: bytes, what: str) -> ImageConfig:
    """Parse an image configuration.

    Raises:
        MalformedError: a field of a type the image-spec does not give it.
    """
    body = parse_json_object(data, what=what, max_bytes=MAX_DOCUMENT_BYTES)
    running = mapping(body, "config", what)
    roots = mapping(body, "rootfs", what)
    return ImageConfig(
        platform=Platform(
            text(body, "os", what), text(body, "architecture", what), text(body, "variant", what)
        ),
        diff_ids=tuple(parse_digest(digest) for digest in texts(roots, "diff_ids", what)),
        created=text(body, "created", what),
        author=text(body, "author", what),
        user=text(running, "User", what),
        env=texts(running, "Env", what),
        entrypoint=texts(running, "Entrypoint", what),
        cmd=texts(running, "Cmd", what),
        workdir=text(running, "WorkingDir", what),
        labels=text_map(running, "Labels", what),
        ports=tuple(sorted(mapping(running, "ExposedPorts", what))),
        volumes=tuple(sorted(mapping(running, "Volumes", what))),
        on_build=texts(running, "OnBuild", what),
        stop_signal=text(running, "StopSignal", what),
        history=tuple(_step(step, what) for step in objects(body, "history", what)),
    )


def _step(value: dict[str, Any], what: str) -> Step:
    return Step(
        created=text(value, "created", what),
        created_by=text(value, "created_by", what),
        comment=text(value, "comment", what),
        author=text(value, "author", what),
        empty_layer=value.get("empty_layer") is True,
    )


def _kind(body: dict[str, Any], expected: str, what: str) -> None:
    if body.get("schemaVersion") != 2:  # noqa: PLR2004 - the only version there is
        raise MalformedError(f"{what}: schema version {str(body.get('schemaVersion'))[:20]}, not 2")
    stated = text(body, "mediaType", what)
    if stated and oci_media_type(stated) != expected:
        raise MalformedError(f"{what}: says it is {stated[:80]!r}, not {expected!r}")
