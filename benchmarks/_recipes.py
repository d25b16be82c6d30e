"""Training recipes of published ImageNet weights: from the tag that they are published with to one of a few.

The rule is what the publications say of the training, not what came out of it:

* more images than ImageNet-1k's, or another network's predictions: ``extra-data``, ``distilled``;
* 100 epochs at 160 or 176 pixels: ``short``;
* SGD for about 100 epochs on crops and flips (at most with label smoothing, mixup or a cosine schedule): ``classic``,
  of 2016 to 2020;
* longer, with AutoAugment or RandAugment, or RMSProp with dropped paths and averaged weights, as of 2019 and 2020:
  ``augmented``;
* 300 epochs or more with mixup and CutMix beside these, as since 2021: ``modern``, which is all the rest.

Weights without the name of a recipe are their authors' own: there the first letters of the network's name tell whose.
"""

from __future__ import annotations

__all__ = ["RECIPES", "STATED", "SUPERNET", "recipe_of"]

STATED = "modern"
SUPERNET = "supernet"
RECIPES = {
    "modern": "300 epochs or more with mixup and CutMix, as since 2021",
    "augmented": "200 epochs or more with AutoAugment or RandAugment, or RMSProp and averaged weights, as in 2019",
    "classic": "SGD for about 100 epochs on crops and flips, as of 2016 to 2020",
    "short": "100 epochs at 160 or 176 pixels",
    "extra-data": "pre-trained on more images than ImageNet-1k",
    "distilled": "taught by the predictions of another network",
    SUPERNET: "weights shared with all subnets of one supernet, as in Once-for-All",
}

_KINDS = {"extra": "extra-data", "dist": "distilled"}
_TAGS = {
    "short": ("a3", "c3"),
    "classic": ("tv", "gluon", "tf", "bt", "pycls", "rvgg"),
    "augmented": ("rmsp", "aa", "ap", "ra", "ra2", "lamb", "idstcv", "apple"),
}
_AUTHORS = (
    ("legacy_", "classic"),  # SENet, 2017
    ("res2ne", "classic"),  # Res2Net, 2019
    ("ghostnetv3", "distilled"),  # 2024
    ("ghostnet", "augmented"),  # GhostNet and its second version
    ("resnest", "augmented"),  # 2020
    ("tinynet", "augmented"),  # 2020
    ("tf_efficientnetv2", "modern"),  # 2021
    ("tf_", "augmented"),  # EfficientNet, MixNet, MobileNetV3, 2019
    ("efficientnet_", "augmented"),  # pruned, 2020
)
"""Authors' own weights by the first letters of the network, the first that fit; all others are of 2021 and later."""


def recipe_of(name: str, tag: str, kind: str) -> str:
    """The recipe of published weights.

    Args:
        name: Of the network, such as ``resnet50``.
        tag: What its weights are published with, such as ``a1h_in1k``; ``in1k`` for the authors' own.
        kind: ``in1k``, ``extra`` (more data) or ``dist`` (distilled).

    Example:
        >>> recipe_of("resnet50", "tv_in1k", "in1k"), recipe_of("tf_mixnet_l", "in1k", "in1k")
        ('classic', 'augmented')
    """
    if kind in _KINDS:
        return _KINDS[kind]
    if tag == "in1k":
        return next((recipe for start, recipe in _AUTHORS if name.startswith(start)), STATED)
    if name.startswith("resnetrs"):  # published with the tag of classics, trained for 350 epochs with RandAugment
        return "augmented"
    return next((recipe for recipe, tags in _TAGS.items() if tag.removesuffix("_in1k") in tags), STATED)
