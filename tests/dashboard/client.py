"""Asks the application as a browser does, without a browser: the callback that makes an output, given all values."""

from __future__ import annotations

import json
from typing import Any

from costmodel.dashboard.state import FIELDS

HOST = {"Host": "localhost"}


def defaults() -> dict[str, Any]:
    """The value of every control of a fresh page."""
    return {f"{component}.{prop}": default for component, prop, default, _ in FIELDS.values()}


class Client:
    def __init__(self, app: Any) -> None:
        self.app, self.http = app, app.server.test_client()
        dependencies = self.http.get("/_dash-dependencies", headers=HOST).get_json()
        self.callbacks = [d for d in dependencies if not d.get("clientside_function")]

    def ask(self, output: str, values: dict[str, Any] | None = None, changed: str = "", wild: Any = ()) -> Any:
        """The answer of the callback that makes ``output``; ``wild`` are (id, value) of components found by a
        pattern."""
        return self.of(
            next(c["output"] for c in self.callbacks if output in _outputs(c["output"])), values, changed, wild
        )

    def of(self, output: str, values: dict[str, Any] | None = None, changed: str = "", wild: Any = ()) -> Any:
        """The answer of the callback with just these outputs, as the application writes them."""
        found = next(c for c in self.callbacks if c["output"] == output)
        known = {**defaults(), **(values or {})}

        def entry(spec: dict[str, str]) -> Any:
            if spec["id"].startswith("{"):
                kind = json.loads(spec["id"])["type"]
                return [
                    {"id": id, "property": spec["property"], "value": id if spec["property"] == "id" else value}
                    for id, value in wild
                    if id["type"] == kind
                ]
            key = f"{spec['id']}.{spec['property']}"
            return {"id": spec["id"], "property": spec["property"], "value": known.get(key)}

        multiple = found["output"].startswith("..")
        outs = [
            {"id": name.rpartition(".")[0], "property": name.rpartition(".")[2].split("@")[0]}
            for name in _outputs(found["output"])
        ]
        body = {
            "output": found["output"], "outputs": outs if multiple else outs[0],
            "inputs": [entry(s) for s in found["inputs"]], "state": [entry(s) for s in found.get("state", [])],
            "changedPropIds": [changed or _first(found)],
        }  # fmt: skip
        response = self.http.post("/_dash-update-component", json=body, headers=HOST)
        if response.status_code == 204:
            return None
        assert response.status_code == 200, response.get_data(as_text=True)[:500]
        return response.get_json()["response"]


def _outputs(text: str) -> list[str]:
    return [part.split("@")[0] for part in text.strip(".").split("...")]


def _first(callback: dict[str, Any]) -> str:
    spec = callback["inputs"][0]
    return f"{spec['id']}.{spec['property']}"


def text_of(component: Any) -> str:
    """All words of a component that was answered."""
    if isinstance(component, dict):
        return text_of(component.get("props", {}).get("children"))
    if isinstance(component, list):
        return " ".join(text_of(c) for c in component)
    return "" if component is None else str(component)
