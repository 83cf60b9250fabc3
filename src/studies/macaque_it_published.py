"""What course projects reached on the real file, with its source."""

from __future__ import annotations

from src.studies.records import PublishedScore

STORED = "stored output of a course project"
PUBLISHED = tuple(
    PublishedScore(system, "pooled", metric, value, 0.01, STORED)
    for system, ev, r in (
        ("pixels, PCA-1000, tuned ridge", 0.0926, 0.285),
        ("ResNet-50 conv1, ridge", 0.098, None),
        ("ResNet-50 layer1, PCA-1000, ridge", 0.253, 0.491),
        ("ResNet-50 layer2, PCA-1000, ridge", 0.330, 0.563),
        ("ResNet-50 layer3, PCA-1000, ridge", 0.407, 0.629),
        ("ResNet-50 layer4, PCA-1000, ridge", 0.354, 0.592),
        ("random ResNet-50, best layer", 0.209, None),
        ("CNN trained on rates", 0.225, 0.460),
        ("CNN on ResNet-50 layer3", 0.3038, 0.5589),
        ("best frozen: Barlow Twins layer4.0, ridge", 0.4553, 0.6674),
        ("best: DenseNet-201, fine-tuned", 0.4930, 0.6967),
    )
    for metric, value in (("ev", ev), ("avg", r))
    if value is not None
)
