"""What of a machine changed, told by the leaf that changed. environment_changes.h has the same
rule, and results/environment_changes_examples.json holds both to it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

import orjson

from voxmark_reports.text import bytes_text, clean

# What moves by itself: each with all that lies below it.
MOVING = ("cpu.mhz", "memory.available_bytes", "memory.available_source", "system.load_average")
_MEMORY = re.compile(r"memory\.total_bytes|cpu\.topology\.numa_nodes\.(\d+)\.bytes")
_LONG = 80  # of a text as long as that only the words that differ are told


def is_moving(fact: str) -> bool:
    return any(fact == own or fact.startswith(f"{own}.") for own in MOVING)


def is_memory(fact: str) -> bool:
    """Of the machine or a node: in a guest it grows and shrinks as its host likes."""
    return bool(_MEMORY.fullmatch(fact))


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """ "cpu.topology.numa_nodes.0.bytes" -> value. What has a path of its own (a library) goes by
    its file's name. Reasons go with their nulls."""
    prefix = f"{path}." if path else ""
    if isinstance(value, dict):
        members = [(name, member) for name, member in value.items() if name != "reasons"]
    elif isinstance(value, list):
        members = [(_name_in_list(own, place), own) for place, own in enumerate(value)]
    else:
        return {path: value}
    return {
        leaf: found
        for name, member in members
        for leaf, found in leaves(member, prefix + name).items()
    }


def _name_in_list(value: Any, place: int) -> str:
    own = value.get("path") if isinstance(value, dict) else None
    return PurePath(own).name if isinstance(own, str) else str(place)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _can_matter(fact: str, before: Any, after: Any) -> bool:
    if before == after or is_moving(fact):
        return False
    grew = _number(before) and _number(after) and after > before
    return not (is_memory(fact) and grew)


def change_texts(before: Any, after: Any, path: str = "") -> list[str]:
    """What differs and can matter to what was measured in between, one line each. `path`: of the
    fact that both are of, "" for whole environments."""
    old, new = leaves(before, path), leaves(after, path)
    return [
        _text(fact, old.get(fact), new.get(fact))
        for fact in sorted({*old, *new})
        if _can_matter(fact, old.get(fact), new.get(fact))
    ]


def recorded_change_texts(change: Any) -> list[str]:
    """Of an entry of a report's environment_changes, those of older versions included."""
    if isinstance(change, dict) and isinstance(change.get("fact"), str):
        return change_texts(change.get("before"), change.get("after"), change["fact"])
    return [clean(change)]


def _value_text(fact: str, value: Any) -> str:
    if value is None:
        return "not known"
    if fact.endswith("bytes") and _number(value):
        return bytes_text(value)
    return clean(value if isinstance(value, str) else orjson.dumps(value).decode())


def _text(fact: str, before: Any, after: Any) -> str:
    old, new = _value_text(fact, before), _value_text(fact, after)
    memory = _MEMORY.fullmatch(fact)
    if memory and memory[1]:
        return f"NUMA node {memory[1]}: {old} -> {new} of memory"
    if len(old) > _LONG and len(new) > _LONG:
        lost = " ".join(sorted(set(old.split()) - set(new.split()))) or "nothing"
        gained = " ".join(sorted(set(new.split()) - set(old.split()))) or "nothing"
        return f"{clean(fact)}: lost {lost}, gained {gained}"
    return f"{clean(fact)}: {old} -> {new}"
