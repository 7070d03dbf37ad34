"""The latents on a plane: one map per modality and one of both, and the clusters of the joint one."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from model.figures.canvas import COLOURS, FAINT, INK, SIGNS, darker, sheet, short, write_labels
from model.figures.embedding import NEIGHBOUR, NOISE, Clustering, find_clusters, project
from model.figures.subject import Sample, Subject, draw_sample

Map = Float64[np.ndarray, "n 2"]
LEGEND_COLUMNS = 4
MOST_ROWS = 14
WIDE = 1.4  # times as wide as high
LABELLED_GROUPS = 7  # as many as there are colours: each of those is alone with its own


@dataclass(frozen=True, eq=False)
class Maps:
    """Hold a sample, its maps (n, 2) and the clusters of the joint map."""

    subject: Subject
    sample: Sample
    audio: Map
    visual: Map
    joint: Map
    clustering: Clustering

    @staticmethod
    def of(subject: Subject) -> Maps:
        """Draw a sample and map it. Raises FigureError."""
        sample = draw_sample(subject)
        audio, visual, joint = (project(p, subject.seed) for p in (sample.audio, sample.visual, sample.joint))
        return Maps(subject, sample, audio, visual, joint, find_clusters(joint))

    @property
    def titled(self) -> dict[str, Map]:
        """Return the maps by their titles."""
        titles = ("Sound: audio means", "Picture: visual means", "Joint: mean of both")
        return dict(zip(titles, (self.audio, self.visual, self.joint), strict=True))

    @property
    def caption(self) -> str:
        """Return the line under a title."""
        return self.subject.caption(f"{len(self.sample)} videos, one random second of each")


@dataclass(frozen=True, eq=False)
class Group:
    """Hold points that are drawn alike."""

    name: str
    rows: Int64[np.ndarray, "m"]
    colour: str
    marker: str


def draw_latents(maps: Maps) -> Figure:
    """Draw the three maps side by side, coloured by class, or by cluster where too little is labelled."""
    labelled = maps.sample.labelled
    groups = class_groups(maps.sample) if labelled else cluster_groups(maps.clustering)
    colour = "colour and shape: class" if labelled else "colour and shape: cluster of the joint map (no labels)"
    lines = -(-len(groups) // LEGEND_COLUMNS)
    figure = sheet(3.2 + 0.17 * lines, "Latents on a plane (t-SNE)", f"{maps.caption}; {colour}")
    figure.legend(
        handles=[_handle(g, "" if labelled or g.name == "noise" else "cluster ") for g in groups],
        loc="outside lower left",
        ncols=LEGEND_COLUMNS,
        handletextpad=0.2,
        labelspacing=0.35,
    )
    named = [g for g in groups if g.colour != FAINT][:LABELLED_GROUPS]
    drawn = []
    for axes, (title, points) in zip(figure.subplots(1, 3), maps.titled.items(), strict=True):
        _scatter(axes, points, groups, 1.0)
        axes.set_title(title)
        drawn.append((axes, points))
    for axes, points in drawn:  # once everything has its place
        write_labels(axes, [(*np.median(points[g.rows], axis=0), _lines(g.name), g.colour) for g in named], points)
    return figure


def class_groups(sample: Sample) -> list[Group]:
    """Return the points of each class, the most frequent first; classes beyond 28 share a grey sign."""
    present, size = np.unique(sample.label, return_counts=True)
    order = present[np.lexsort((present, -size))]
    return _groups([(sample.classes[c], np.flatnonzero(sample.label == c)) for c in order], "classes")


def cluster_groups(clustering: Clustering) -> list[Group]:
    """Return the points of each cluster, the largest first, and those in none."""
    members = [(str(c + 1), np.flatnonzero(clustering.cluster == c)) for c in range(clustering.count)]
    noise = np.flatnonzero(clustering.cluster == NOISE)
    return _groups(members, "clusters") + ([Group("noise", noise, FAINT, ".")] if len(noise) else [])


def _groups(members: list[tuple[str, Int64[np.ndarray, "_"]]], kind: str) -> list[Group]:
    groups = [Group(name, rows, *sign) for (name, rows), sign in zip(members, SIGNS, strict=False)]
    if rest := members[len(SIGNS) :]:
        groups.append(Group(f"{len(rest)} more {kind}", np.concatenate([rows for _, rows in rest]), FAINT, "D"))
    return groups


def _scatter(axes: Axes, points: Map, groups: list[Group], scale: float) -> None:
    size = scale * np.clip(4000 / len(points), 5, 24)  # square points: many dots are small ones
    for group in reversed(groups):
        x, y = points[group.rows].T
        axes.scatter(x, y, s=size, c=group.colour, marker=group.marker, linewidths=0.2, edgecolors="white")
    axes.set(xticks=[], yticks=[], xlabel="t-SNE axis 1 (map units)", ylabel="t-SNE axis 2 (map units)")


def _lines(name: str) -> str:
    """Return a name in at most two short lines."""
    return "\n".join(wrap(short(name, 28), 14, max_lines=2, placeholder="…"))


def _handle(group: Group, kind: str) -> Line2D:
    label = f"{kind}{short(group.name, 24)} ({len(group.rows)})"
    return Line2D([], [], color=group.colour, marker=group.marker, linestyle="none", markersize=4.5, label=label)


def draw_clusters(maps: Maps) -> Figure:
    """Draw the clusters of the joint map, the k-distances whose knee is their reach, and what they hold."""
    clustering, label = maps.clustering, maps.sample.label
    plural = "" if clustering.count == 1 else "s"
    title = f"{clustering.count} cluster{plural}, {clustering.noise:.0%} noise"
    if maps.sample.labelled:
        information, adjusted = (round(a, 2) + 0.0 for a in clustering.agreement(label))  # never -0.00
        title += f"; NMI with {len(np.unique(label))} classes {information:.2f} ({adjusted:.2f} adjusted for chance)"
    width, height = np.ptp(maps.joint, axis=0)
    wide = bool(width > WIDE * height)
    figure = sheet(6.0 if wide else 4.8, title, f"DBSCAN on the map of the joint latents; {maps.caption}")
    axes = _panels(figure, wide, maps.sample.labelled)
    groups = cluster_groups(clustering)
    _scatter(axes["map"], maps.joint, groups, 1.6)
    axes["map"].set_aspect("equal", adjustable="datalim")  # eps is the same in every direction
    axes["map"].set_title("Joint map (t-SNE); number: cluster, grey: noise")
    _draw_reach(axes["reach"], clustering)
    if maps.sample.labelled:
        _draw_content(axes["content"], groups, maps.sample)
    numbers = [(*np.median(maps.joint[g.rows], axis=0), g.name, INK) for g in groups if g.colour != FAINT]
    write_labels(axes["map"], numbers, maps.joint, 8.5)
    return figure


def _panels(figure: Figure, wide: bool, labelled: bool) -> dict[str, Axes]:
    """Lay the other panels below a wide map, and to the right of another."""
    others: list[Any] = ["reach", "content"] if labelled else ["reach"]
    if wide:
        return figure.subplot_mosaic([["map"] * len(others), others], height_ratios=(1.5, 1))
    rows: list[Any] = [["map", other] for other in others]
    return figure.subplot_mosaic(rows, width_ratios=(1.4, 1), height_ratios=(1, 1.3)[: len(rows)])


def _draw_reach(axes: Axes, clustering: Clustering) -> None:
    ordered = np.arange(1, len(clustering.k_distance) + 1)
    axes.plot(ordered, clustering.k_distance, color=INK, linewidth=1.3)
    axes.axhline(clustering.eps, color=COLOURS[1], linewidth=1, linestyle=(0, (4, 2)))
    words = f"knee: eps = {clustering.eps:.2f}"
    axes.annotate(words, (1, clustering.eps), (2, 3), textcoords="offset points", color=darker(COLOURS[1]))
    axes.set(
        xlabel="rank of the second (count)",
        ylabel="distance (map units)",
        xlim=(1, len(ordered)),
        ylim=(0, None),
    )
    axes.set_title(f"Distance to the {NEIGHBOUR}th neighbour")


def _draw_content(axes: Axes, groups: list[Group], sample: Sample) -> None:
    """Draw the share of each cluster's most frequent class, for as many clusters as have room."""
    shown = groups[:MOST_ROWS]
    for row, group in enumerate(shown):
        present, size = np.unique(sample.label[group.rows], return_counts=True)
        share = size.max() / len(group.rows)
        axes.barh(row, 100 * share, height=0.7, color=group.colour, alpha=0.35)
        words = f"{short(sample.classes[present[np.argmax(size)]], 34)} ({size.max()} of {len(group.rows)})"
        axes.text(1, row, words, va="center", fontsize=7)
    axes.set(xlim=(0, 100), ylim=(max(len(shown), 6) - 0.4, -0.6), xlabel="share of the cluster (%)", ylabel="cluster")
    axes.set_yticks(range(len(shown)), [g.name for g in shown], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Most frequent class" + (f", {len(shown)} largest" if len(groups) > len(shown) else ""))
