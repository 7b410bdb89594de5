"""What an engine is asked, checked before any sees it: sizes, nesting, and that it is JSON at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json
from pratique.policy.engine.port import EngineError, Limits
from pratique.policy.language.annotations import nesting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.engine.port import Document, Module


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Data, as canonical JSON (RFC 8785), and input document, as JSON."""

    data: bytes
    document: bytes


def check_modules(modules: Mapping[str, Module], limits: Limits) -> None:
    """Refuse sources that a parser could take too long over.

    Raises:
        EngineError: no modules, or brackets nested too deep.
    """
    if not modules:
        raise EngineError("compile", "a policy without rules")
    for name, module in sorted(modules.items()):
        if (depth := nesting(module.source)) > limits.source_nesting:
            raise EngineError(
                "limit", f"{name}: brackets nest {depth} deep, more than the {limits.source_nesting} allowed"
            )


def make_request(
    modules: Mapping[str, Module], data: dict[str, Any], document: Document, limits: Limits
) -> Request:
    """Check and encode what goes into one evaluation; modules count towards its size.

    Raises:
        EngineError: not JSON, nested too deep, or too large.
    """
    try:
        sources = sum(len(module.source.encode("utf-8")) for module in modules.values())
        request = Request(
            data=canonical_json(data, max_depth=limits.input_depth),
            document=document
            if isinstance(document, bytes)
            else canonical_json(document, max_depth=limits.input_depth),
        )
    except (MalformedError, UnicodeEncodeError) as error:
        raise EngineError("limit", f"the input is not JSON: {error}") from error
    size = sources + len(request.data) + len(request.document)
    if size > limits.input_bytes:
        raise EngineError("limit", f"{size} bytes of input, more than {limits.input_bytes} allowed")
    return request
