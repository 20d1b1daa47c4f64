"""The routes as the OpenAPI document has them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hubbub.config import Settings
from hubbub.web.app import build_api

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One operation. `fields` are those of its body, `queries` those of its query string."""

    method: str
    path: str
    operation: dict[str, Any]
    fields: tuple[str, ...]
    queries: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, value: object, **named: object) -> str:
        """The path with every parameter replaced, by its name or else by `value`."""
        return re.sub(r"\{(\w+)\}", lambda found: str(named.get(found[1], value)), self.path)


def document() -> dict[str, Any]:
    return build_api(Settings()).openapi()


def routes() -> list[Route]:
    return list(_routes(document()))


def _routes(openapi: dict[str, Any]) -> Iterator[Route]:
    for path, operations in openapi["paths"].items():
        for method in METHODS:
            if method not in operations:
                continue
            operation = operations[method]
            queries = tuple(
                p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"
            )
            yield Route(method.upper(), path, operation, _fields(openapi, operation), queries)


def _fields(openapi: dict[str, Any], operation: dict[str, Any]) -> tuple[str, ...]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    for choice in (schema, *schema.get("anyOf", ())):
        if "$ref" in choice:
            choice = openapi["components"]["schemas"][choice["$ref"].rpartition("/")[2]]
        if "properties" in choice:
            return tuple(choice["properties"])
    return ()
