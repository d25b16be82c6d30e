"""A process that trains networks for another one: each question holds a graph, and its answer is the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict._files import read_tensors
from archpredict.images.base import SPLITS, Images, Split

if TYPE_CHECKING:
    from archpredict.networks.labelling import Task


def setup_of(task: Task, file: Path) -> dict[str, Any]:
    """What :func:`handler` is given to label as ``task`` does on the CPU; images go into the file."""
    return {
        "images": write_images(task.images, file),
        "recipe": asdict(task.recipe),
        "seed": task.seed,
        "split": task.split,
    }


def write_images(images: Images, path: Path) -> dict[str, Any]:
    """Put the images into a file; what is returned goes to :func:`read_images` with it."""
    from safetensors.numpy import save_file

    splits = {name: images.split(name) for name in SPLITS}
    arrays = {f"{name}/images": split.images for name, split in splits.items()}
    save_file({**arrays, **{f"{name}/labels": split.labels for name, split in splits.items()}}, str(path))
    return {"file": str(path), "name": images.name, "num_classes": images.num_classes, "flips": images.flips}


def read_images(given: Mapping[str, Any]) -> Images:
    """The images of a file that :func:`write_images` wrote."""
    arrays = read_tensors(given["file"], "np")[1]
    splits = {name: Split(arrays[f"{name}/images"], arrays[f"{name}/labels"]) for name in SPLITS}
    return Images(given["name"], **splits, num_classes=given["num_classes"], flips=given["flips"])


def handler(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What labels, for :class:`archpredict.executors.processes.pool.Pool`."""
    import torch

    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.networks.labelling import Task
    from archpredict.networks.recipe import Recipe
    from archpredict.runtime import one_thread

    images, recipe = read_images(setup["images"]), Recipe(**setup["recipe"])
    task = Task(images, recipe, setup["seed"], setup["split"], torch.device("cpu"))

    def label(question: dict[str, Any]) -> dict[str, Any]:
        with one_thread():
            return asdict(task.label(ArchGraph.from_json(question["graph"])))

    return label
