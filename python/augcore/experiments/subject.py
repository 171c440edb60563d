"""What a report is about: one run, or several beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from augcore.experiments import style
from augcore.experiments.finished import Run
from augcore.experiments.markup import Markup, data_uri, png_size, tag

__all__ = ["Subject", "grid", "row", "union"]

_PIXELS_PER_INCH = 112


@dataclass(frozen=True)
class Subject:
    """Runs with their names, and the pictures of the first that are drawn already, as PNG by the names of figures."""

    runs: Sequence[Run]
    names: Sequence[str]
    drawn: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Sequence[Run], drawn: Mapping[str, bytes] | None = None) -> Subject:
        """Runs are called after their folders, with a number where two are the same."""
        names = [run.folder.resolve().name for run in runs]
        unique = [f"{name} ({index + 1})" if names.count(name) > 1 else name for index, name in enumerate(names)]
        return cls(runs, unique, drawn or {})

    @property
    def is_one(self) -> bool:
        return len(self.runs) == 1

    def each(self) -> Iterable[tuple[Run, str]]:
        """Runs with the name to write beside them: none where there is one run."""
        return zip(self.runs, [""] if self.is_one else self.names, strict=True)

    def per_run(self, make: Callable[[Run], list[Markup]]) -> list[Markup]:
        """The parts of each run under its name, in columns where there are several; runs without parts are left out."""
        if self.is_one:
            return make(self.runs[0])
        made = [(name, make(run)) for run, name in self.each()]
        columns = [tag("div", tag("h3", name), *parts) for name, parts in made if parts]
        return [grid(columns)] if columns else []

    def chart(self, name: str, make: Callable[[], style.Figure], caption: str, told: str = "") -> Markup:
        """The figure `name` of a run at one size of type for all; a wide one keeps it on a small screen, and scrolls.

        `told` adds to its description for those who cannot see it.
        """
        png = self.drawn.get(name) if self.is_one else None
        if png is None:
            png = style.png(make())
        width, height = (round(side * _PIXELS_PER_INCH / style.DPI) for side in png_size(png))
        kind = "chart wide" if width > 650 else "chart"
        alt = f"{caption} {told}".strip()
        image = tag("img", src=data_uri(png), alt=alt, width=width, height=height, class_=kind)
        return tag("figure", tag("div", image, class_="scroll"), tag("figcaption", caption))


def grid(parts: Iterable[Markup]) -> Markup:
    """As many columns as there is room for."""
    return tag("div", parts, class_="columns")


def row(charts: Iterable[Markup]) -> Markup:
    """Charts beside each other, as many as there is room for."""
    return tag("div", charts, class_="charts")


def union(groups: Iterable[Iterable[str]]) -> list[str]:
    """All names, each once, in the order in which they come first."""
    return list(dict.fromkeys(name for group in groups for name in group))
