"""What known weights make of a fixed image: mean and standard deviation of each layer.

`check_network` compares with these, so that a wrong stride, channel order, range or epsilon shows.
They were written down after an independent test: AlexNet's published similarity with human IT, the
accuracy of EfficientNet-lite on photographs (.91 to .93 of 67), and for ResNet-50 that photographs
give every batch norm the mean and variance stored in it.
"""

from __future__ import annotations

Statistics = tuple[tuple[str, float, float], ...]  # layer, mean, standard deviation

REFERENCES: dict[str, Statistics] = {
    "alexnet": (
        ("conv1", 0.397203, 1.16889),
        ("conv2", 0.836984, 2.17991),
        ("conv3", 0.522041, 1.75198),
        ("conv4", 0.405885, 1.24033),
        ("conv5", 0.0907562, 0.512715),
    ),
    "resnet50_caffe": (
        ("conv1", 0.0690347, 62.3493),
        ("layer1", 1.01998, 1.0279),
        ("layer2", 0.768247, 1.17232),
        ("layer3", 0.46685, 0.827706),
    ),
    "efficientnet_lite0": (
        ("stem", 1.9749, 1.52478),
        ("stage1", -0.105457, 4.53164),
        ("stage2", 0.243056, 7.63913),
        ("stage3", -0.50521, 7.24752),
        ("stage4", -0.0814608, 7.08444),
        ("stage5", 0.149924, 4.84109),
        ("stage6", 0.444103, 4.25187),
        ("stage7", -0.129702, 2.31344),
        ("head", 0.152744, 0.626637),
        ("pool", 0.152744, 0.42379),
    ),
    "efficientnet_lite1": (
        ("stem", 1.74222, 1.47845),
        ("stage1", 0.0426503, 4.41566),
        ("stage2", 3.05813, 8.31123),
        ("stage3", -1.01007, 9.40779),
        ("stage4", -0.703136, 8.22458),
        ("stage5", -0.234895, 5.42021),
        ("stage6", 0.315772, 4.34489),
        ("stage7", 0.0124582, 2.30647),
        ("head", 0.161349, 0.64595),
        ("pool", 0.161349, 0.463429),
    ),
    "efficientnet_lite2": (
        ("stem", 1.67505, 1.5114),
        ("stage1", -0.125204, 4.10635),
        ("stage2", -0.429474, 8.07506),
        ("stage3", -0.209304, 8.22444),
        ("stage4", 0.0741777, 8.53714),
        ("stage5", -0.159806, 5.10711),
        ("stage6", 0.111987, 5.30537),
        ("stage7", 0.132543, 2.39728),
        ("head", 0.157325, 0.65819),
        ("pool", 0.157325, 0.403175),
    ),
}
