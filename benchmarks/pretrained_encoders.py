"""Makes the weights of pre-trained encoders that come with the package.

    OMP_NUM_THREADS=1 python benchmarks/pretrained_encoders.py [--spaces darts enas ...]

One file for each built-in space, with the encoder and number of steps that ``Predictor`` has by default. They know no
labels. ``tests/predict/test_pretraining.py`` holds that training gives what ships.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch

from archpredict.predict.predictor import Predictor
from archpredict.predict.pretraining.pretrained_weights import SHIPPED
from archpredict.spaces.base import load_space

SPACES = ("nasbench101", "nasbench201", "darts", "enas", "enas-micro", "mobilenetv3")


def make(name: str, cache: Path) -> Path:
    """The file that a fit leaves in the cache where nothing ships."""
    os.environ["ARCHPREDICT_CACHE"] = str(cache)
    space = load_space(name)
    architectures = space.architectures(space.sample(8, np.random.default_rng(0)))
    Predictor(encoder="asynchronous", ensemble=1, regressors=None, device="cpu").fit(architectures, range(8))
    (path,) = cache.glob("encoders/*")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=SPACES, choices=SPACES, metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    SHIPPED.mkdir(exist_ok=True)
    for name in options.spaces:
        for old in SHIPPED.glob(f"{name}-{'[0-9a-f]' * 32}.safetensors"):
            old.unlink()
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            path = make(name, Path(folder))
            shutil.copyfile(path, SHIPPED / path.name)
        print(
            f"{(SHIPPED / path.name).stat().st_size:8,} bytes  {time.process_time() - start:6.1f} s  {path.name}",
            flush=True,
        )


if __name__ == "__main__":
    main()
