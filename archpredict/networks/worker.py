"""A process that trains networks for another one: a line of JSON in, a line of JSON out.

The first line says how to label, each further one holds a graph and is answered by its label. It ends when its input
does, also in the middle of a training, so that none is left behind by a process that was killed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from archpredict._files import read_tensors
from archpredict.images.base import SPLITS, Images, Split


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


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, lines), daemon=True).start()
    _serve(lines, answers)


def _listen(source: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in source:
        lines.put(line)
    os._exit(0)


def _serve(lines: queue.SimpleQueue[str], answers: IO[str]) -> None:
    import torch

    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.networks.labelling import Task
    from archpredict.networks.recipe import Recipe
    from archpredict.runtime import one_thread

    given = json.loads(lines.get())
    images, recipe = read_images(given["images"]), Recipe(**given["recipe"])
    task = Task(images, recipe, given["seed"], given["split"], torch.device("cpu"))
    with one_thread():
        while True:
            label = task.label(ArchGraph.from_json(json.loads(lines.get())["graph"]))
            answers.write(json.dumps(asdict(label)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
