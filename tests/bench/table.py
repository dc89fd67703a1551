"""The table: what, goal, measured, met."""

from dataclasses import dataclass


@dataclass
class Row:
    what: str
    goal: str
    measured: str
    met: bool | None = None
    """None where there is no goal: told for comparison."""

    def cells(self) -> tuple[str, str, str, str]:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.what, self.goal, self.measured, met)


class Table:
    def __init__(self) -> None:
        self.rows: list[Row | str] = []

    def part(self, title: str) -> None:
        self.rows.append(title)

    def at_most(self, what: str, most: float, value: float, unit: str = "", more: str = "") -> None:
        """A row that is met where `value` is at most `most`."""
        unit = f" {unit}" if unit else ""
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        self.rows.append(
            Row(what, f"<= {most}{unit}", f"{shown}{unit}{more}", value <= most)
        )

    def at_least(self, what: str, least: float, value: float) -> None:
        self.add(what, f">= {least}", f"{value:.1f}", value >= least)

    def add(self, what: str, goal: str, measured: str, met: bool | None = None) -> None:
        self.rows.append(Row(what, goal, measured, met))

    def missed(self) -> list[str]:
        return [row.what for row in self.rows if isinstance(row, Row) and row.met is False]

    def told(self) -> str:
        """The whole as text."""
        head = ("what", "goal", "measured", "met")
        cells = [head, *(row.cells() for row in self.rows if isinstance(row, Row))]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        lines = []

        def put(row: tuple[str, ...]) -> None:
            padded = (cell.ljust(width) for cell, width in zip(row, widths))
            lines.append("  ".join(padded).rstrip())

        put(head)
        for row in self.rows:
            if isinstance(row, str):
                lines.extend(["", row])
            else:
                put(row.cells())
        missed = self.missed()
        goals = sum(isinstance(row, Row) and row.met is not None for row in self.rows)
        lines.extend(["", f"{goals - len(missed)} of {goals} goals met"])
        return "\n".join(lines)
