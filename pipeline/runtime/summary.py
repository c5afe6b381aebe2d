"""What a run did, stage by stage."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pixsieve.runtime.execute import Failure

DONE, UNITS_FAILED = 0, 3


@dataclass
class StageSummary:
    name: str
    units: int = 0
    ran: int = 0
    failed: int = 0
    blocked: int = 0  # units whose input is missing because another unit failed
    seconds: float = 0.0
    done: int = 0  # rows of the units that ran
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def rates(self) -> dict[str, float]:
        """Rows a second of each part of the work while that was at it, beside the others; the slowest first."""
        parts = {name[:-2]: seconds for name, seconds in self.counts.items() if name.endswith("_s") and seconds > 0}
        return {name: self.done / seconds for name, seconds in sorted(parts.items(), key=lambda part: -part[1])}

    @property
    def rate(self) -> float | None:
        return self.done / self.seconds if self.done and self.seconds else None


@dataclass
class Summary:
    path: Path
    stages: list[StageSummary]
    failures: list[tuple[str, Failure]]
    notes: list[str] = field(default_factory=list)  # what whoever started the run should know

    @property
    def exit_code(self) -> int:
        return UNITS_FAILED if self.failures else DONE

    def stage(self, name: str) -> StageSummary:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def idle(self) -> bool:
        """Nothing had to be done."""
        return not self.failures and not any(stage.ran for stage in self.stages)
