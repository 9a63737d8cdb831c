"""What differs between reports besides their figures, what matters most first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson

from voxmark_reports import details, environment
from voxmark_reports.cases import Case, number
from voxmark_reports.text import clean, significant

if TYPE_CHECKING:
    from voxmark_reports.reading import Report

# What is measured anew each time is no difference, nor what moves by itself (environment.py).
_VOLATILE = ("limits.memory_bytes", "limits.memory_source", "limits.machine", "limits.ranks")
# Ranked by how much they usually decide about a training step's time. The rest follows by name.
_RANKED = (
    "cpu.model_name",
    "cpu.flags",
    "cpu.isa",
    "cpu.allowed",
    "cpu.online",
    "measured",
    "cpu.sockets",
    "cpu.cores_per_socket",
    "cpu.numa_nodes",
    "cpu.smt",
    "cpu.governor",
    "cpu.no_turbo",
    "cpu.boost",
    "cpu.max_frequency_khz",
    "cpu.caches",
    "memory.total_bytes",
    "memory.transparent_hugepages",
    "variables",
    "libraries",
    "bench",
    "voxmark",
    "build",
    "limits",
    "system.virtual_machine",
    "system.kernel",
    "cpu.vulnerabilities",
    "cpu.microcode",
    "memory",
    "cpu",
    "system",
)
# Without the same of these, seconds are seconds of something else.
_MACHINE = ("cpu.model_name", "cpu.allowed", "cpu.online", "cpu.sockets", "cpu.flags")
# Where a report does not tell its CPU's name, these must do: op-level files of other programs.
_NAMELESS = ("system.host", "cpu.caches")
ISA_CAPS = ("variables.ONEDNN_MAX_CPU_ISA", "variables.DNNL_MAX_CPU_ISA")
_FPMATH = ("variables.ONEDNN_DEFAULT_FPMATH_MODE", "variables.DNNL_DEFAULT_FPMATH_MODE")
# The part of the CPU's flags that kernels are chosen by.
_ISA_FLAGS = ("sse4", "avx", "fma", "f16c", "amx", "bmi")


@dataclass
class Difference:
    name: str  # "cpu.model_name"
    values: list[str]  # one per report; "-" where there is none
    blocks: str | None = None  # why figures are not comparable then


@dataclass
class StageChange:
    """An op that another implementation computes now."""

    what: str  # "decodeA_conv1 backward_weights: jit:avx512_core → ref:any"
    cases: list[str]


def facts(report: Report) -> dict[str, Any]:
    """Everything known of the state of a machine, flat: "cpu.model_name" → value."""
    flat: dict[str, Any] = {}

    def add(prefix: str, value: Any) -> None:
        if prefix == "cpu.topology":
            flat.update(environment.leaves(value, prefix))
        elif isinstance(value, dict) and prefix != "cpu.vulnerabilities":
            for name, member in value.items():
                if name not in ("reasons", "reason"):
                    add(f"{prefix}.{name}" if prefix else name, member)
        elif value is not None:
            flat[prefix] = value

    libraries = report.environment.get("libraries")
    add("", {name: v for name, v in report.environment.items() if name != "libraries"})
    add("voxmark", report.program)
    add("limits", report.limits)
    for library in libraries if isinstance(libraries, list) else []:
        path = PurePath(str(library.get("path")))
        digest = str(library.get("sha256") or "no hash")[:12]
        flat[f"libraries.{path.name.split('.so')[0]}"] = f"{path.name} ({digest})"
    return flat


def measured_limits(report: Report) -> dict[str, Any]:
    """What a run measured before its cases: "measured.fp32 peak" → "105 GFLOP/s on 2 threads"."""
    found: dict[str, list[str]] = {}
    for entry in details.measured_limits(report):
        for name, value in entry.items():
            for ending, what, unit in _RATES:
                if name.endswith(ending) and number(value):
                    text = f"{significant(value / 1e9, 3)} {unit} on {_threads(entry)}"
                    own = f"measured.{clean(name.removesuffix(ending))} {what}"
                    found.setdefault(own, []).append(text)
    return {name: ", ".join(texts) for name, texts in found.items()}


_RATES = (
    ("_flops_per_second", "peak", "GFLOP/s"),
    ("_bytes_per_second", "bandwidth", "GB/s"),
)


def _threads(entry: dict[str, Any]) -> str:
    threads = clean(entry.get("threads", "?"))
    return f"{threads} thread" if threads == "1" else f"{threads} threads"


def fact_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return clean(orjson.dumps(value).decode())
    return clean(value)


def _flag_texts(values: list[Any]) -> list[str]:
    """Of flags only those that not all reports have."""
    sets = [set(str(value or "").split()) for value in values]
    common = set.intersection(*sets)
    return [clean(" ".join(sorted(own - common)) or "(none more)") for own in sets]


def _rank(name: str) -> tuple[int, str]:
    for position, prefix in enumerate(_RANKED):
        if name == prefix or name.startswith(prefix + "."):
            return position, name
    return len(_RANKED), name


def isa_flags(report: Report) -> list[str]:
    flags = str(report.environment.get("cpu", {}).get("flags") or "").split()
    return sorted(flag for flag in flags if flag.startswith(_ISA_FLAGS))


def _blocking(name: str, reports: list[Report]) -> str | None:
    if name == "cpu.flags":
        isas = {tuple(isa_flags(report)) for report in reports}
        return "another instruction set" if len(isas) > 1 else None
    if name in _MACHINE:
        return "another machine"
    if name == "cpu.isa":
        return "another instruction set"
    nameless = any(not r.environment.get("cpu", {}).get("model_name") for r in reports)
    if name in _NAMELESS and nameless:
        return "maybe another machine: no report names its CPU"
    if name in ISA_CAPS:
        return "another instruction set"
    return "another precision of the kernels" if name in _FPMATH else None


def _is_guest(known: dict[str, Any]) -> bool:
    return known.get("system.virtual_machine") is True


def _cannot_matter(name: str, known: list[dict[str, Any]]) -> bool:
    """A guest's memory is as large as its host likes at the time."""
    if name in _VOLATILE or environment.is_moving(name):
        return True
    hosts = {fact_text(own.get("system.host")) for own in known}
    return environment.is_memory(name) and len(hosts) == 1 and all(map(_is_guest, known))


def environment_differences(reports: list[Report], machines: bool = False) -> list[Difference]:
    """Of all reports at once, the most important first. Of `machines` also their measured peaks and
    bandwidth, which differ from run to run of one."""
    known = [facts(report) for report in reports]
    if machines:
        known = [own | measured_limits(report) for own, report in zip(known, reports, strict=True)]
    found = []
    for name in sorted({name for own in known for name in own}, key=_rank):
        if _cannot_matter(name, known):
            continue
        values = [own.get(name) for own in known]
        if all(value == values[0] for value in values):
            continue
        if name == "cpu.flags":
            texts = _flag_texts(values)
        else:
            texts = ["-" if value is None else fact_text(value) for value in values]
        found.append(Difference(name, texts, _blocking(name, reports)))
    return found


def machine_fingerprint(report: Report) -> str:
    """The same for two reports exactly where nothing of the machine keeps them apart."""
    known = facts(report)
    names = [name for name in _MACHINE if name != "cpu.flags"]
    if not known.get("cpu.model_name"):
        names += _NAMELESS
    identity = {name: known.get(name) for name in names}
    identity["isa"] = isa_flags(report) or known.get("cpu.isa")
    identity["caps"] = [known.get(name) for name in (*ISA_CAPS, *_FPMATH)]
    if not _is_guest(known):  # whose memory is as large as its host likes
        total = known.get("memory.total_bytes")
        is_count = number(total) and 0 <= total < 2**63
        identity["memory_gib"] = round(total / 2**30) if is_count else 0
    text = orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


def machine_name(report: Report) -> str:
    """ "AMD EPYC, 2 CPUs": for people; not unique."""
    cpu = report.environment.get("cpu", {})
    count = cpu.get("allowed") or cpu.get("online") or "?"
    return clean(f"{cpu.get('model_name') or 'unknown CPU'}, {count} CPUs")


def host_name(report: Report) -> str:
    return clean(report.environment.get("system", {}).get("host") or "-")


def _implementations(case: Case) -> dict[str, str]:
    stages = next((record["stages"] for record in case.measured if record["stages"]), [])
    return {
        op: clean(f"{stage['implementation']} {stage['layout']}".strip())
        for stage in stages
        for op in stage["ops"]
    }


def workload_difference(base: Case, new: Case) -> str | None:
    """Cases of one name that are not one workload: why, or None."""
    for name in ("flops_per_step", "parameters", "input_sha256", "weights_sha256"):
        before, after = base.fact(name), new.fact(name)
        if before is not None and after is not None and before != after:
            return f"another workload: {name} {clean(before)[:16]} → {clean(after)[:16]}"
    return None


def _changes(base: Case, new: Case) -> list[tuple[str, str, str]] | None:
    """Op, what computed it and what does; None where a side does not tell."""
    before, after = _implementations(base), _implementations(new)
    if not before or not after:
        return None
    ops = dict.fromkeys([*before, *after])
    pairs = [(op, before.get(op, "(none)"), after.get(op, "(none)")) for op in ops]
    return [(op, old, now) for op, old, now in pairs if old != now]


def changed_ops(base: Case, new: Case) -> int | None:
    """How many ops another implementation computes; None where a side does not tell."""
    found = _changes(base, new)
    return None if found is None else len(found)


def stage_changes(pairs: list[tuple[Case, Case]]) -> list[StageChange]:
    """Per op what computes it, before and after; the same change in several cases once."""
    found: dict[str, list[str]] = {}
    for base, new in pairs:
        for op, old, now in _changes(base, new) or []:
            what = f"{clean(op).replace('/', ' ')}: {old} → {now}"
            found.setdefault(what, []).append(new.label())
    return [StageChange(what, cases) for what, cases in found.items()]
