"""Run OPA's own conformance cases on a regorus module, and say of each whether it passed.

Usage: opa_cases.py FOLDER [MODULE-FOLDER]: FOLDER is OPA's `v1/test/cases/testdata/v1`; the module is the
installed wheel unless a folder with another `regorus` is given. Writes counts by category: refused is an
error where a result was wanted, which denies; failed is another result than OPA's, or a result where OPA has
an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml


class Loader(yaml.CSafeLoader):
    """YAML 1.2's booleans: the cases have keys like `on`."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool") or first in "tTfF"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def outcome(regorus: Any, case: dict[str, Any]) -> str:
    """Give `passed`, `refused` or `failed`."""
    wanted = case.get("want_result")
    try:
        found = evaluate(regorus, case)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "passed" if case.get("want_error") or case.get("want_error_code") else "refused"
    if case.get("want_error") or case.get("want_error_code"):
        return "failed" if case.get("strict_error") or found else "refused"
    return "passed" if canonical(found) == canonical(wanted or []) else "failed"


def evaluate(regorus: Any, case: dict[str, Any]) -> list[Any]:
    """Give the bindings of a case's query."""
    engine = regorus.Engine()
    for index, module in enumerate(case.get("modules") or ()):
        engine.add_policy(f"module-{index}.rego", module)
    if case.get("data"):
        engine.add_data_json(json.dumps(case["data"]))
    if "input_term" in case:
        term = json.loads(regorus.Engine().eval_query_as_json(f"x := {case['input_term']}"))
        engine.set_input_json(json.dumps(term["result"][0]["bindings"]["x"]))
    elif "input" in case:
        engine.set_input_json(json.dumps(case["input"]))
    answer = json.loads(engine.eval_query_as_json(case["query"]))
    return [
        item.get("bindings", {})
        for item in answer.get("result", ())
        if all(expression["value"] is not False for expression in item["expressions"])
    ]


def canonical(results: list[Any]) -> str:
    """Write results without regard to order, which sets do not have and bindings need not."""
    return json.dumps(order(results), sort_keys=True)


def order(value: Any) -> Any:
    """Sort every list by content."""
    if isinstance(value, dict):
        return {str(key): order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((order(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def main(arguments: list[str]) -> None:
    """Print the counts."""
    sys.path[:0] = arguments[1:]
    import regorus  # noqa: PLC0415 - not before the path is set

    counts: dict[str, dict[str, int]] = {}
    for path in sorted(Path(arguments[0]).glob("*/*.yaml")):
        document = yaml.load(path.read_bytes(), Loader=Loader) or {}  # noqa: S506 - derived from the safe one
        for case in document.get("cases") or ():
            count = counts.setdefault(path.parent.name, {"passed": 0, "refused": 0, "failed": 0})
            count[outcome(regorus, case)] += 1
    sys.stdout.write(json.dumps(counts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
