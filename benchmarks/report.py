"""The goals and the figures, in Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.servers import SYSTEMS, Load

Loads = dict[tuple[str, str], list[Load]]  # by workload and system, a load for each round

ON = {"gunicorn": "", "granian": " on granian"}  # how the systems on it are called


@dataclass
class Result:
    machine: str
    at_50: Loads = field(default_factory=dict)
    at_1000: Loads = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)  # by page
    memory: dict[str, float] = field(default_factory=dict)  # by system, in MiB

    def __str__(self) -> str:
        parts = [self.machine, table(["", "goal", *ON], self.goals())]
        for connections, loads in [("50", self.at_50), ("1,000", self.at_1000)]:
            workloads = list(dict.fromkeys(workload for workload, _ in loads))
            rows = [[name, *(of_rounds(loads[workload, name]) for workload in workloads)] for name in SYSTEMS]
            parts += [table([f"{connections} connections", *workloads], rows)] if workloads else []
        return "\n\n".join(parts)

    def goals(self) -> Iterable[list[str]]:
        if ("mixed", "project") in self.at_50:
            for peer, goals in [("seed", (4, 5.5)), ("tuned", (0.7, 1)), ("bare", (0.7, 0.7))]:
                ours = zip(ON.values(), goals, strict=True)
                cells = [self.ratio("project" + on, peer + on * (peer == "bare"), goal) for on, goal in ours]
                yield [f"mixed load, 50 connections: requests/s ÷ {peer}", f"≥ {goals[0]}; ≥ {goals[1]}", *cells]
            yield ["the same: granian ÷ gunicorn", "≥ 1.3", "", self.ratio("project on granian", "project", 1.3)]
        if self.at_1000:
            loads = [(name, load) for (_, name), [load] in self.at_1000.items()]
            errors = [sum(load.errors for name, load in loads if name == "project" + on) for on in ON.values()]
            yield ["1,000 connections: errors", "0", *(f"{count:,}, {verdict(count == 0)}" for count in errors)]
        for workload in dict.fromkeys(workload for workload, _ in self.at_1000):
            cells = [self.beside_bare(workload, on) for on in ON.values()]
            yield [f"1,000 connections: p95, {workload}, and ÷ that of bare", "≤ 1.4 ×", *cells]
        for page, times in self.growth.items():
            cell = f"{times:.2f} ×, {verdict(times <= 1.2)}"
            yield [f"`?limit=50`, {page}, 100 → 10,000 tasks a user, 100k → 2M rows", "≤ 1.2 ×", cell, ""]
        if self.memory:
            grown = [self.memory["project" + on] for on in ON.values()]
            cells = [f"{mebibytes:.0f} MiB, {verdict(mebibytes <= 100)}" for mebibytes in grown]
            yield ["list of 10,000 tasks, 8 clients: worker memory over idle", "≤ 100 MiB", *cells]

    def beside_bare(self, workload: str, on: str) -> str:
        [ours], [bare] = self.at_1000[workload, "project" + on], self.at_1000[workload, "bare" + on]
        reached = ours.p95 <= 1.4 * bare.p95 and not ours.starved
        return f"{ours.latency}, {ours.p95 / bare.p95:.2f} ×, {verdict(reached)}"

    def ratio(self, name: str, peer: str, goal: float) -> str:
        pairs = zip(self.at_50["mixed", name], self.at_50["mixed", peer], strict=True)
        ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
        return f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}), {verdict(median(ratios) >= goal)}"


def verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def of_rounds(loads: list[Load]) -> str:
    middle = sorted(loads, key=lambda load: load.rate)[len(loads) // 2]
    return f"{middle.rate:,.0f}/s, {middle.latency}"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
