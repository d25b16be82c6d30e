"""Arguments that published predictors share."""

from __future__ import annotations

from typing import Any

ALONE: dict[str, Any] = {"side": (), "ensemble": 1, "pretrain": 0, "regressors": None}
"""One network that reads the graph and nothing else."""

PUBLISHED_TRAINING: dict[str, Any] = {
    "optimizer": "adam",
    "betas": (0.5, 0.999),
    "weight_decay": 5e-4,
    "learning_rate": 2e-4,
    "schedule": "constant",
    "batch_size": 256,
    "epochs": 1000,
}
"""How the published code of CTNAS trains its comparator."""

PUBLISHED_GCN: dict[str, Any] = {
    "dim": 128,
    "layers": 4,
    "direction": "forward",
    "layer_norm": False,
    "dropout": 0.0,
    "readout": "mean",
}
"""Its encoder."""
