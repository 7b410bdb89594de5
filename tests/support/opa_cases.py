"""Run OPA's own conformance cases on a regorus module, and say of each whether it passed.

Usage: opa_cases.py FOLDER [MODULE-FOLDER]: FOLDER is OPA's `v1/test/cases/testdata/v1`; the module is the
installed wheel unless a folder with another `regorus` is given. Writes `{"module": file, "cases": {category:
[case…]}}`; a case has its `file`, `note`, `outcome` and what was `found`, a value or the error's words.
Refused is an error where a result was wanted, which denies; failed is another result than OPA's, or a result
where OPA has an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from pratique.policy.engine.rego_run import first_lines


class Loader(yaml.CSafeLoader):
    """YAML 1.2's booleans: the cases have keys like `on`."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool") or first in "tTfF"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def outcome(regorus: Any, case: dict[str, Any]) -> tuple[str, str]:
    """Give `passed`, `refused` or `failed`, and the value or error that was found."""
    fails = bool(case.get("want_error") or case.get("want_error_code"))
    try:
        found = evaluate(regorus, case)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "passed" if fails else "refused", first_lines(error)
    value = canonical(found)
    if fails:
        return "failed" if case.get("strict_error") or found else "refused", value
    return "passed" if value == canonical(case.get("want_result") or []) else "failed", value


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
    """Print what became of each case."""
    sys.path[:0] = arguments[1:]
    import regorus  # noqa: PLC0415 - not before the path is set

    cases: dict[str, list[dict[str, str]]] = {}
    for path in sorted(Path(arguments[0]).glob("*/*.yaml")):
        document = yaml.load(path.read_bytes(), Loader=Loader) or {}  # noqa: S506 - derived from the safe one
        for case in document.get("cases") or ():
            result, found = outcome(regorus, case)
            told = {"file": path.name, "note": case["note"], "outcome": result, "found": found}
            cases.setdefault(path.parent.name, []).append(told)
    json.dump({"module": regorus.__file__, "cases": cases}, sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
