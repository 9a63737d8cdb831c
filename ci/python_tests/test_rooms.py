"""A library is named in its backend's folder alone, a backend's header in the registry alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2]
FOLDERS = ("base", "workloads", "backends", "results", "benches", "training", "tools")
REGISTRY = Path("backends/registry/registry.cpp")
# What a C++ or a CMake file must not name outside of its folder.
OWN = {
    "backends/onednn": re.compile(
        r"#include\s*[<\"](dnnl|oneapi/)|DNNL::|DNNL_VERSION|dnnl_version|dnnl::"
    ),
    "backends/eigen": re.compile(
        r"#include\s*[<\"](unsupported/)?Eigen/|Eigen3::|EIGEN_\w*VERSION"
    ),
}


def sources() -> list[Path]:
    return [
        path.relative_to(SOURCES)
        for folder in FOLDERS
        for path in (SOURCES / folder).rglob("*")
        if path.suffix in {".h", ".cpp"} or path.name == "CMakeLists.txt"
    ]


@pytest.mark.parametrize("room", OWN)
def test_a_library_is_named_in_its_room_alone(room: str) -> None:
    naming = [path for path in sources() if OWN[room].search((SOURCES / path).read_text())]
    assert any(path.is_relative_to(room) for path in naming), "the search finds nothing"
    assert [path for path in naming if not path.is_relative_to(room)] == []


@pytest.mark.parametrize("room", OWN)
def test_a_backends_headers_are_the_registrys_alone(room: str) -> None:
    include = f'#include "{room}/'
    outside = [path for path in sources() if not path.is_relative_to(room)]
    assert [path for path in outside if include in (SOURCES / path).read_text()] == [REGISTRY]
