"""``archpredict rank`` as a user meets it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import AdaptedPredictor
from archpredict.spaces.base import load_space

BY = ("--predictor", "ranker")


@pytest.fixture
def models(ranker: Path, onnx_writer: Any) -> Path:
    """``models`` with three networks of 1, 3 and 5 convolutions, and a copy of the second with another numbering."""
    for depth in (1, 3, 5):
        onnx_writer(f"models/net{depth}.onnx", [16] * depth)
    onnx_writer("models/deeper/copy3.onnx.gz", [16] * 3)
    return Path("models")


def ranking(result: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(result.stdout)["ranking"]
    return rows


def test_json_is_one_object_with_all_there_is_to_know(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert list(content) == ["predictor", "score", "ranking", "failed"]
    assert (content["predictor"], content["score"], content["failed"]) == ("ranker", "accuracy on toys in percent", [])
    rows = content["ranking"]
    assert [row["model"] for row in rows] == [
        "models/net5.onnx", "models/net3.onnx", "models/deeper/copy3.onnx.gz", "models/net1.onnx",
    ]  # fmt: skip
    assert [row["rank"] for row in rows] == [1, 2, 2, 4]
    keys = ["rank", "model", "score", "std", "beats_next", "params", "macs", "nodes", "warnings"]
    assert all(list(row) == keys for row in rows)
    assert (rows[3]["params"], rows[3]["macs"]) == (3 * 16 * 9 + 16 + 16 * 10 + 10, 16 * 16 * 16 * 27 + 160)


def test_scores_are_the_predictors_and_the_probability_is_that_of_two_normal_variables(cli: Any, models: Path) -> None:
    from archpredict.onnx.reader import load

    rows = ranking(cli("rank", "models", *BY, "--json"))
    predictor, graphs = Predictor.load("ranker"), [load(row["model"]) for row in rows]
    assert [row["score"] for row in rows] == pytest.approx(predictor.predict(graphs).tolist())
    assert [row["std"] for row in rows] == pytest.approx(predictor.predict_std(graphs).tolist())
    first, second = rows[:2]
    z = (first["score"] - second["score"]) / math.hypot(first["std"], second["std"])
    assert first["beats_next"] == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)))
    assert [row["beats_next"] for row in rows[1::2]] == [0.5, None]


def test_the_table_shows_ties_and_says_what_the_score_means(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY)
    assert result.exit_code == 0
    assert "4 models ranked by ranker" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    ranks = [(words[0], words[1]) for words in lines if len(words) > 6 and ".onnx" in words[1]]
    assert ranks == [("1", "net5.onnx"), ("=2", "net3.onnx"), ("=2", "copy3.onnx.gz"), ("4", "net1.onnx")]
    assert "Score: accuracy on toys in percent; ± is one standard deviation." in result.stdout
    assert "beats next: probability of being better than the model below." in result.stdout


def test_csv_has_a_row_for_each_model(cli: Any, models: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("rank", "models", *BY, "--format", "csv").stdout)))
    expected = ranking(cli("rank", "models", *BY, "--json"))
    assert [row["model"] for row in rows] == [row["model"] for row in expected]
    assert [float(row["score"]) for row in rows] == [row["score"] for row in expected]
    assert (rows[-1]["beats_next"], rows[-1]["warnings"]) == ("", "")


def test_files_folders_and_patterns_are_found_and_each_file_is_ranked_once(cli: Any, models: Path) -> None:
    Path("models/notes.txt").write_text("no model")
    Path("link.onnx").symlink_to("models/net1.onnx")
    given = ("models/net1.onnx", "models/*.onnx", "models/deeper", "./models/net1.onnx", "link.onnx")
    assert [row["model"] for row in ranking(cli("rank", *given, *BY, "--json"))] == [
        "models/net5.onnx", "models/net3.onnx", "models/deeper/copy3.onnx.gz", "models/net1.onnx",
    ]  # fmt: skip


def test_files_of_one_name_are_shown_with_their_folders(cli: Any, models: Path) -> None:
    shutil.copytree("models", "others")
    result = cli("rank", "models/net1.onnx", "others", *BY)
    assert "=4   models/net1.onnx" in result.stdout
    assert "=4   others/net1.onnx" in result.stdout


def test_what_cannot_be_read_is_listed_and_the_others_are_ranked(cli: Any, models: Path) -> None:
    Path("models/broken.onnx").write_text("no model")
    result = cli("rank", "models", "missing.onnx", *BY, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert len(content["ranking"]) == 4
    assert [failure["model"] for failure in content["failed"]] == ["models/broken.onnx", "missing.onnx"]
    table = cli("rank", "models", "missing.onnx", *BY)
    assert table.exit_code == 1
    assert "4 models ranked by ranker" in table.stdout
    first, second = table.stderr.splitlines()
    assert re.match("Error: .*models/broken.onnx", first)
    assert re.match("Error: .*missing.onnx", second)


def test_an_executor_reads_with_the_same_result_progress_record_and_cache(cli: Any, models: Path) -> None:
    Path("models/broken.onnx").write_text("no model")
    here = ("rank", "models", *BY, "--json", "--follow")
    elsewhere = ("--executor", "archpredict.executors.local:Local", "--cache", "read.db")
    alone, first = cli(*here, "alone.csv"), cli(*here, "scores.csv", *elsewhere)
    assert (first.stdout, first.exit_code) == (alone.stdout, 1)
    assert sorted(Path("scores.csv").read_text().splitlines()) == sorted(Path("alone.csv").read_text().splitlines())
    again = cli(*here, "again.csv", *elsewhere, "--file-seconds", "0.000001")
    assert again.stdout == alone.stdout


def test_nothing_that_can_be_read_is_no_table_and_exit_code_1(cli: Any, ranker: Path) -> None:
    Path("broken.onnx").write_text("no model")
    result = cli("rank", "broken.onnx", *BY)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch("Error: .*broken.onnx.*\n", result.stderr)
    content = json.loads(cli("rank", "broken.onnx", *BY, "--json").stdout)
    assert (content["ranking"], len(content["failed"])) == ([], 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.onnx",), "there is no ONNX model in nothing.onnx; give .onnx or .onnx.gz files, folders or patter"),
        (("no/*.onnx", "empty"), "there is no ONNX model in any of the 2 places given; give"),
        (("models", "--predictor", "nothing"), "unknown predictor 'nothing'; choose from: "),
        (("models", "--json", "--format", "csv"), "--json and --format csv both say what to print; leave one"),
        (("models", "--save", "mine"), "--save keeps a predictor that --labels adapts; give --labels too, or leave"),
        (("models", "--labels", "l.csv", "--save", "models"), "the folder models is not empty and holds no adapted"),
        (("models", "--input-shape", "image=1x3xbig"), "'image=1x3xbig' is no shape; expected NAME=1x3x224x224, or"),
        (("models", "--input-shape", "0x3x4x4"), "'0x3x4x4' is no shape; expected NAME=1x3x224x224, or"),
        (("models", "--input-shape", "imag=1x3x8x8"), "no model has an input 'imag'; there are: image"),
        (("models", "--recipe", "modern"), "knows no training recipes; leave --recipe out"),
        (
            ("models", "--predictor", "imagenet", "--recipe", "x"),
            "unknown recipe 'x'; choose from: augmented, classic,",
        ),
        (("models", "--predictor", "cells"), "the predictor cells was fitted on the space nasbench201, not on ONNX"),
        (("models", "--resources", "cpu=2"), "--ray-address and --resources are for --executor ray; give it too"),
        (("models", "--executor", "ray", "--jobs", "2"), "--jobs is for --executor local; ray does as many at a time"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Any, models: Path, words: tuple[str, ...], message: str) -> None:
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(8, np.random.default_rng(0)))
    Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(8)).save("cells")
    Path("empty").mkdir()
    assert message in cli.fails("rank", *BY, *words)


# ---------------------------------------------------------------------- warnings


def test_a_shape_that_is_left_open_can_be_given_with_and_without_the_inputs_name(cli: Any, onnx_writer: Any) -> None:
    onnx_writer("open.onnx", [8, 8], shape=("batch", 3, "height", "width"))
    onnx_writer("set.onnx", [8, 8], shape=(1, 3, 20, 20))
    macs = [
        json.loads(cli("inspect", file, *words, "--json").stdout)["macs"]
        for file, words in (
            ("set.onnx", ()),
            ("open.onnx", ("--input-shape", "1x3x20x20")),
            ("open.onnx", ("--input-shape", "image=1x3x20x20")),
        )
    ]
    assert macs[0] == macs[1] == macs[2] > 0


def test_a_size_that_is_left_open_is_taken_as_stated_and_named_first(cli: Any, models: Path, onnx_writer: Any) -> None:
    onnx_writer("open.onnx", [8, 8], shape=("batch", 3, "height", "width"))
    onnx_writer("set.onnx", [8, 8], shape=(1, 3, 224, 224))
    rows = {row["model"]: row for row in ranking(cli("rank", "open.onnx", "set.onnx", *BY, "--json"))}
    assert [rows["open.onnx"][name] for name in ("score", "params", "macs")] == [
        rows["set.onnx"][name] for name in ("score", "params", "macs")
    ]
    assert rows["open.onnx"]["assumed"] == {"image": [1, 3, 224, 224]}
    assert "assumed" not in rows["set.onnx"]
    assert rows["open.onnx"]["warnings"][0] == (
        "the file leaves open how large the input 'image' is, and it was taken for 1x3x224x224; for another size give "
        "--input-size or --input-shape image=1x3x224x224"
    )
    content = json.loads(cli("rank", "open.onnx", *BY, "--json", "--input-size", "32").stdout)
    assert (content["input_size"], content["sequence_length"]) == (32, 128)
    assert content["ranking"][0]["assumed"] == {"image": [1, 3, 32, 32]}
    table = cli("rank", "open.onnx", *BY, "--input-size", "32").stdout
    assert "size taken" in next(line for line in table.splitlines() if "open.onnx  " in line)
    assert "images as 32 x 32, sequences as 128 long, batches as 1" in table
    assert "--input-size" in cli.fails("rank", "open.onnx", "--input-size", "0")


def test_the_sizes_that_the_command_states_are_those_of_the_library() -> None:
    from archpredict.cli.rank import command
    from archpredict.onnx.reader import DEFAULT_SIZES

    stated = {option.name: option.default for option in command.params}
    assert (stated["input_size"], stated["sequence_length"]) == (DEFAULT_SIZES.image, DEFAULT_SIZES.sequence)


def test_a_batch_that_is_left_open_is_no_reason_for_a_warning(cli: Any, models: Path, onnx_writer: Any) -> None:
    onnx_writer("open.onnx", [8, 8], shape=("batch", 3, 16, 16))
    (row,) = ranking(cli("rank", "open.onnx", *BY, "--json"))
    assert (row["assumed"], row["warnings"]) == ({"image": [1, 3, 16, 16]}, [])


def test_a_model_of_unknown_size_is_not_ranked_by_zeros(cli: Any, models: Path) -> None:
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["r"]),
        helper.make_node("Expand", ["r", "lengths"], ["e"]),
        helper.make_node("Conv", ["e", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "odd",
        [info("x", TensorProto.FLOAT, None), info("scales", 1, ["n"]), info("lengths", TensorProto.INT64, ["n"])],
        [info("y", TensorProto.FLOAT, None)],
        [TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(8, 3, 3, 3))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    Path("odd.onnx").write_bytes(model.SerializeToString())
    result = cli("rank", "odd.onnx", "models/net1.onnx", *BY, "--json")
    assert result.exit_code == 1
    (failure,) = json.loads(result.stdout)["failed"]
    assert (
        "odd.onnx cannot be ranked: layers with 100 % of its parameters have sizes that are not known"
        in failure["error"]
    )


def test_what_is_no_image_classifier_is_ranked_and_flagged(cli: Any, models: Path) -> None:
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["tokens"], ["out"])],
        "text",
        [info("tokens", TensorProto.FLOAT, [1, 77])],
        [info("out", TensorProto.FLOAT, [1, 77])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    Path("text.onnx").write_bytes(model.SerializeToString())
    result = cli("rank", "models/net1.onnx", "text.onnx", *BY, "--json")
    assert result.exit_code == 0
    warnings = {row["model"]: row["warnings"] for row in ranking(result)}
    assert warnings["models/net1.onnx"] == []
    assert warnings["text.onnx"][0] == (
        "out of distribution: it looks like no image classifier: its input 'tokens' has shape 1x77, "
        "expected images, e.g. 1x3x224x224"
    )
    table = cli("rank", "models/net1.onnx", "text.onnx", *BY)
    assert "text.onnx: out of distribution: it looks like no image classifier" in table.stdout
    (row,) = [line for line in table.stdout.splitlines() if re.match(r"\s*\d+\s+text\.onnx", line)]
    assert row.rstrip().endswith("out of distribution")


def test_a_network_far_from_those_learnt_from_is_flagged(cli: Any, models: Path, onnx_writer: Any) -> None:
    onnx_writer("huge.onnx", [4096] * 60)
    rows = ranking(cli("rank", "models", "huge.onnx", *BY, "--json"))
    flagged = {row["model"]: row["warnings"] for row in rows if row["warnings"]}
    assert flagged == {
        "huge.onnx": ["out of distribution: it is far from all models that the predictor has learnt from"]
    }


def test_unknown_operators_are_told_in_the_table_and_below(cli: Any, models: Path, onnx_writer: Any) -> None:
    onnx_writer("custom.onnx", [8, 8], extra="Wavelet")
    result = cli("rank", "models", "custom.onnx", *BY)
    assert result.exit_code == 0
    assert "unknown operators" in next(line for line in result.stdout.splitlines() if "custom.onnx  " in line)
    assert re.search(r"^custom\.onnx: .*Wavelet", result.stdout, re.MULTILINE)


# ---------------------------------------------------------------------- labels


@pytest.fixture
def measured(ranker: Path, onnx_writer: Any) -> Path:
    """``mine`` with twelve networks, and ``labels.csv``: accuracies that grow with depth."""
    rng = np.random.default_rng(3)
    lines = ["model,score"]
    for i in range(12):
        depth = 1 + i % 6
        onnx_writer(f"mine/n{i}.onnx", rng.integers(4, 33, depth).tolist())
        lines.append(f"n{i}{'.onnx' if i % 2 else ''},{0.5 + 0.05 * depth + 0.001 * i}")
    Path("labels.csv").write_text("\n".join(lines) + "\n")
    return Path("labels.csv")


def test_labels_adapt_the_predictor_and_say_how_well(cli: Any, measured: Path) -> None:
    result = cli("rank", "mine", *BY, "--labels", "labels.csv", "--save", "kept")
    assert result.exit_code == 0
    match = re.search(
        r"Adapted to 12 labels of labels\.csv; Kendall's tau with them, each left out in turn: "
        r"(-?\d\.\d{3}) before, (-?\d\.\d{3}) after\.",
        result.stdout,
    )
    assert match is not None
    assert "Score: score as in labels.csv, expected by ranker adapted to 12 labels; ±" in result.stdout
    content = json.loads(cli("rank", "mine", *BY, "--labels", "labels.csv", "--json").stdout)
    adaptation = content["adaptation"]
    assert (adaptation["models"], adaptation["not_found"], adaptation["saved"]) == (12, [], None)
    assert [f"{adaptation[f'tau_{when}']:.3f}" for when in ("before", "after")] == list(match.groups())
    assert 0.4 < min(row["score"] for row in content["ranking"]) < max(r["score"] for r in content["ranking"]) < 1.0


def test_the_saved_predictor_ranks_the_same(cli: Any, measured: Path) -> None:
    before = ranking(cli("rank", "mine", *BY, "--labels", "labels.csv", "--save", "kept", "--json"))
    shutil.rmtree("ranker")
    result = cli("rank", "mine", "--predictor", "kept", "--json")
    after = ranking(result)
    assert [row["model"] for row in after] == [row["model"] for row in before]
    assert [row["score"] for row in after] == pytest.approx([row["score"] for row in before])
    card = AdaptedPredictor.load("kept").card_
    assert (card["data"], card["rows"], card["adapted_from"]["name"]) == ("labels.csv", 12, "ranker")
    assert card["adapted_from"]["card"] == {"meaning": "accuracy on toys in percent"}


def test_an_adapted_predictor_is_replaced_and_is_not_adapted_again(cli: Any, measured: Path) -> None:
    save = ("--labels", "labels.csv", "--save", "kept")
    for _ in range(2):
        assert cli("rank", "mine", *BY, *save).exit_code == 0
    error = cli.fails("rank", "mine", "--predictor", "kept", *save)
    assert error == (
        "Error: the predictor kept is adapted already; name the one it came from, and put all labels into one table"
    )


@pytest.mark.filterwarnings("default::UserWarning")
def test_scores_of_which_fewer_seem_better_are_pointed_out(cli: Any, measured: Path) -> None:
    rows = [line.split(",") for line in measured.read_text().splitlines()[1:]]
    measured.write_text("model,score\n" + "".join(f"{model},-{score}\n" for model, score in rows))
    result = cli("rank", "mine", *BY, "--labels", "labels.csv", "--quiet")
    assert "Warning: labels.csv: the scores go against the predictor's (Kendall's tau -0." in result.stderr
    assert "if they are errors or latencies, give them with a minus: higher must be better" in result.stderr


def test_rows_of_other_models_are_counted_and_those_of_broken_ones_too(cli: Any, measured: Path) -> None:
    Path("mine/n0.onnx").write_text("broken")
    measured.write_text(measured.read_text() + "resnet,0.9\n")
    result = cli("rank", "mine", *BY, "--labels", "labels.csv", "--json")
    assert result.exit_code == 1
    adaptation = json.loads(result.stdout)["adaptation"]
    assert (adaptation["models"], adaptation["not_found"]) == (11, ["resnet"])
    assert "Warning: labels.csv: 1 rows name none of the models, the first is 'resnet'\n" in result.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,score\nn1,1\n", "labels.csv has no column 'model'; its columns are: name, score"),
        ("model,top1\nn1,1\n", "labels.csv has no column 'score'; its columns are: model, top1"),
        ("model,score\n", "labels.csv has no rows; expected a header with 'model' and 'score', then one row per model"),
        (
            "model,score\nn1,1\nn2,2\nresnet,3\n",
            "labels.csv: 2 of its 3 rows name one of the models given, e.g. 'resnet' is none of them; "
            "at least 3 labelled models are needed (column 'model': a file's name or path)",
        ),
        ("model,score\nn1,1\nn2,high\n", "labels.csv, line 3, column 'score': found 'high', expected a number"),
        ("model,score\nn1,1\nn2,nan\n", "labels.csv, line 3, column 'score': found 'nan', expected a finite number"),
        (
            "model,score\nn1,1\nmine/n1.onnx,2\n",
            "labels.csv, line 3: the model 'mine/n1.onnx' has a score in line 2 already; keep one of them",
        ),
        (
            "model,score\nn1,1\ntwin,2\n",
            "labels.csv, line 3: 'twin' may be any of mine/a/twin.onnx, mine/b/twin.onnx; give its path",
        ),
        ("model,score\nn1,1\nn2,1\nn3,1\n", "all 3 labels are equal (1); there is no ranking to learn"),
    ],
)
def test_labels_that_cannot_be_used_are_one_sentence(
    cli: Any, measured: Path, onnx_writer: Any, table: str, message: str
) -> None:
    onnx_writer("mine/a/twin.onnx", [4])
    onnx_writer("mine/b/twin.onnx", [5])
    measured.write_text(table)
    error = cli.fails("rank", "mine", *BY, "--labels", "labels.csv", "--save", "kept")
    assert message in error
    assert not Path("kept").exists()


# ---------------------------------------------------------------------- the shipped ranker


def test_the_shipped_predictor_is_the_default(cli: Any, onnx_writer: Any) -> None:
    from archpredict.predict.storage import shipped

    if "imagenet" not in shipped():
        pytest.skip("the shipped ranker is not there yet")
    onnx_writer("net.onnx", [16, 32], shape=(1, 3, 64, 64))
    content = json.loads(cli("rank", "net.onnx", "--json").stdout)
    assert content["predictor"] == "imagenet"
    assert "ImageNet" in content["score"]
    assert content["recipe"] == "modern"
    classic = json.loads(cli("rank", "net.onnx", "--json", "--recipe", "classic").stdout)
    assert classic["recipe"] == "classic"
    assert classic["ranking"][0]["score"] < content["ranking"][0]["score"]
