"""``archpredict fit --features``: zero-cost proxies as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict.batch import Batch
from archpredict.predict.predictor import Predictor
from archpredict.predict.sources.proxies import Proxies
from archpredict.spaces.base import Architecture

ON_CELLS = ("--space", "nasbench201", "--data", "cells.csv", "--target", "size")
RIDGE = ("--predictor", "bayesian-ridge")
SMALL = ("--network", "channels=4", "--network", "cells=1")


def test_proxies_are_computed_with_progress_and_once_in_a_process(
    cli: Any, table: Path, cells: list[Architecture]
) -> None:
    own = ("--network", "channels=5", "--network", "cells=1")  # of which no other test has computed scores
    result = cli("fit", *ON_CELLS, *RIDGE, "--features", "synflow,macs", *own, "--out", "model")
    assert result.exit_code == 0
    assert "zero-cost proxies 40/40" in result.stderr
    loaded = Predictor.load("model", device="cpu")
    scores = loaded.spec_.source(Proxies)
    assert scores is not None
    assert scores.form is not None
    assert (scores.names, dict(scores.form.options)) == (("synflow", "macs"), {"channels": 5, "cells": 1})
    assert loaded.card_["proxies"] == ["synflow", "macs"]
    assert loaded.feature_names_ == ()
    by_hand = Proxies(["synflow", "macs"], network={"channels": 5, "cells": 1}).fit(Batch.of(cells))
    assert scores.bounds == by_hand.bounds
    predicted = cli("predict", "--model", "model", "--data", "cells.csv", "--out", "-")
    lines = predicted.stdout.splitlines()
    assert "zero-cost proxies" not in predicted.stderr  # remembered by what the space is, not by its object
    np.testing.assert_allclose([float(line.split(",")[-2]) for line in lines[1:]], loaded.predict(cells), rtol=1e-6)


def test_a_column_of_the_table_goes_before_a_proxy_of_its_name(cli: Any, table: Path) -> None:
    table.write_text(table.read_text().replace(",proxy,", ",macs,", 1))
    assert cli("fit", *ON_CELLS, *RIDGE, "--features", "macs,params", *SMALL, "--out", "model").exit_code == 0
    loaded = Predictor.load("model", device="cpu")
    assert loaded.feature_names_ == ("macs",)
    assert loaded.card_["proxies"] == ["params"]


def test_proxies_that_read_images_take_them_from_the_data_set(cli: Any, table: Path) -> None:
    words = ("--features", "naswot", "--dataset", "digits", *SMALL)
    assert cli("fit", *ON_CELLS, *RIDGE, *words, "--out", "model", "--quiet").exit_code == 0
    scores = Predictor.load("model", device="cpu").spec_.source(Proxies)
    assert scores is not None
    assert scores.form is not None
    assert (scores.dataset, scores.form.image_size) == ("digits", 8)
    assert cli("evaluate", "--model", "model", "--data", "cells.csv", "--target", "size", "--quiet").exit_code == 0


def test_predictors_with_proxies_are_cross_validated(cli: Any, table: Path) -> None:
    words = ("--features", "synflow,macs", *SMALL, "--folds", "2", "--json", "--quiet")
    with_proxies = json.loads(cli("evaluate", *ON_CELLS, *RIDGE, *words).stdout)
    without = json.loads(cli("evaluate", *ON_CELLS, *RIDGE, "--folds", "2", "--json", "--quiet").stdout)
    assert with_proxies["mean"]["kendall_tau"] != without["mean"]["kendall_tau"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--features", "synflo"),
            "cells.csv has no column 'synflo', which the predictor reads as a feature; its columns",
        ),
        (("--features", "synflo"), "zero-cost proxies are: grad-norm, jacob-cov, macs, naswot, params, snip, synflow"),
        (
            ("--dataset", "digits"),
            "--dataset says how zero-cost proxies are computed, none is among the --features; lea",
        ),
        (
            ("--network", "channels=4"),
            "--network says how zero-cost proxies are computed, none is among the --features",
        ),
        (("--features", "snip"), "the zero-cost proxy snip reads a batch of labelled images and no data set was given"),
        (("--features", "macs", "--network", "width=4"), "networks of the space nasbench201 have no option 'width'"),
        (("--features", "macs", "--network", "cells=1.5"), "1.5"),
        (("--features", "snip", "--dataset", "cifar10:none"), "none"),
    ],
)
def test_features_that_cannot_be_had_are_refused(cli: Any, table: Path, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails("fit", *ON_CELLS, *RIDGE, *words, "--out", "model", "--quiet")
    assert not Path("model").exists()
