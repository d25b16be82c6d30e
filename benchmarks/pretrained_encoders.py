"""Makes the weights of pre-trained encoders that come with the package.

    OMP_NUM_THREADS=1 python benchmarks/pretrained_encoders.py [--spaces darts enas ...]

One file for each built-in space, with the encoder and number of steps that ``Predictor`` has by default. They know no
labels. Files of earlier versions are removed; ``tests/predict/test_pretraining.py`` holds that training gives what ships.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads
os.environ["ARCHPREDICT_CACHE"] = ""

import torch

from archpredict.predict.pretrained_weights import SHIPPED
from archpredict.predict.pretraining import weights_to_ship
from archpredict.spaces.base import load_space

SPACES = ("nasbench101", "nasbench201", "darts", "enas", "enas-micro", "mobilenetv3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=SPACES, choices=SPACES, metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    SHIPPED.mkdir(exist_ok=True)
    for name in options.spaces:
        start = time.process_time()
        file, content = weights_to_ship(load_space(name))
        for old in SHIPPED.glob(f"{name}-" + "?" * 32 + ".safetensors"):
            old.unlink()
        (SHIPPED / file).write_bytes(content)
        print(f"{name:12s} {len(content):8,} bytes  {time.process_time() - start:6.1f} s  {file}", flush=True)


if __name__ == "__main__":
    main()
