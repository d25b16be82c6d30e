"""The evaluator of zero-cost proxies: what its labels depend on, its record, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UnknownNameError, UsageError
from archpredict.evaluators.base import as_evaluator
from archpredict.evaluators.zero_cost import ZeroCostEvaluator
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.proxies.naswot import NASWOT
from archpredict.proxies.synflow import SynFlow
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.toys import ToySpace

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(6, np.random.default_rng(0)))
SMALL = {"channels": 4, "cells": 1}


def evaluator(proxy: str, **options: Any) -> ZeroCostEvaluator:
    images = load_images("digits")
    return ZeroCostEvaluator(proxy, Form.of(images, SMALL), images=images, device="cpu", **options)


def test_a_label_is_the_score_of_the_proxy() -> None:
    form = Form(options=SMALL)
    (result,) = ZeroCostEvaluator("synflow", form, seed=2, device="cpu").evaluate(CELLS[:1])
    assert result.score == SynFlow().score_graph(form.graph(SPACE, CELLS[0].choices), seed=2)
    assert result.seconds > 0


@pytest.mark.parametrize("proxy", ["synflow", "snip", "naswot"])
def test_labels_do_not_depend_on_what_else_is_labelled_and_when(proxy: str) -> None:
    together = [result.score for result in evaluator(proxy).evaluate(CELLS)]
    backwards = [result.score for result in evaluator(proxy).evaluate(CELLS[::-1])]
    alone = [next(evaluator(proxy).evaluate([cell])).score for cell in CELLS]
    assert together == backwards[::-1] == alone


@pytest.mark.parametrize("proxy", ["synflow", "snip"])
def test_another_seed_gives_other_labels(proxy: str) -> None:
    one, two = (next(evaluator(proxy, seed=seed).evaluate(CELLS[:1])).score for seed in (0, 1))
    assert one != two


def test_a_score_that_is_not_defined_is_a_failed_result() -> None:
    dead = SPACE.architecture([0] * 6)
    good, failed = evaluator("naswot").evaluate([CELLS[0], dead])
    assert good.score is not None
    assert failed.score is None
    assert failed.error is not None
    assert failed.error.startswith("naswot is nan, no finite number: it is not defined for this network")


def test_a_network_that_fails_is_a_failed_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*given: Any, **more: Any) -> float:
        raise RuntimeError("out of memory")

    labelling = evaluator("naswot")
    monkeypatch.setattr(NASWOT, "score_graph", out_of_memory)
    (failed,) = labelling.evaluate(CELLS[:1])
    assert failed.error is not None
    assert failed.error.startswith("naswot cannot be computed: RuntimeError: out of memory")


def test_the_record_says_what_labels_depend_on() -> None:
    record = evaluator("snip", seed=3, batch_size=16).describe()
    assert json.loads(json.dumps(record)) == record
    assert record["labels"] == "the zero-cost proxy snip on 16 images of digits, computed on untrained networks"
    assert (record["proxy"], record["seed"], record["batch_size"]) == ("snip", 3, 16)
    assert record["images"]["sha256"] == load_images("digits").sha256
    assert record["form"] == Form.of(load_images("digits"), SMALL).describe()
    assert ZeroCostEvaluator("macs", device="cpu").describe()["labels"] == (
        "the zero-cost proxy macs, computed on untrained networks"
    )


def test_a_name_and_options_say_proxy_data_set_and_network() -> None:
    made = as_evaluator(
        "zero-cost:jacob_cov", SPACE, options={"dataset": "digits", "network": SMALL}, seed=4, device="cpu"
    )
    assert made.describe() == evaluator("jacob-cov", seed=4).describe()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "zero-cost",
            {},
            r"the evaluator zero-cost needs `proxy` .*, e.g. as zero-cost:PROXY",
        ),
        (
            "zero-cost:snip",
            {},
            r"the zero-cost proxy snip reads a batch of labelled images and no data set was given",
        ),
        (
            "zero-cost:synflow",
            {"network": {"width": 3}},
            r"networks of the space nasbench201 have no option 'width'; they have: c",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_once(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_evaluator(name, SPACE, options=changes, device="cpu")


def test_an_unknown_proxy_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown proxy 'zen'; choose from: grad-norm, "):
        ZeroCostEvaluator("zen")


def test_a_form_that_is_not_the_images_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"the form has \(classes, channels, pixels\) \(10, 3, 32\), the data set digits "
    ):
        ZeroCostEvaluator("snip", Form(), images=load_images("digits"))


def test_a_space_without_networks_is_refused_with_what_to_write() -> None:
    toy = ToySpace()
    cell = toy.architecture(toy.enumerate()[0].tolist())
    with pytest.raises(
        UsageError, match=r"the space toy does not define network\(\), .*write ToySpace\.network\(choices"
    ):
        list(ZeroCostEvaluator("synflow", device="cpu").evaluate([cell]))
