"""Images of somebody's recording, from an array, a folder or a zip: same form, same order, named.

An image is known by its content: the sha256 of its decoded pixels, before any change of size or
color, so that the same file in two sessions is one image however it is called.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.errors import DataError
from src.data.stored import read_npy

DEEP_MODES = ("I", "F")  # PIL's names of pixels of more than 8 bits start so
LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what operating systems leave behind


@dataclass(frozen=True)
class Pictures:
    """n named images of one session, each decoded when asked for."""

    where: str  # for error messages: the session and its folder, zip or array
    names: tuple[str, ...]
    read: Callable[[int], np.ndarray]  # i -> (h, w, 3) uint8

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.read, range(len(self)))


def open_pictures(session: str, source: np.ndarray | str | Path) -> Pictures:
    """Images of one session: array (n, h, w[, c]), or a folder or zip of image files.

    Files are taken in natural order of their names (image2 before image10), sub-folders included,
    never in the order in which a zip or a file system lists them.
    """
    if isinstance(source, np.ndarray):
        return _from_array(f"session '{session}': the image array", source)
    path = Path(source).expanduser()
    where = f"session '{session}': {path}"
    if path.is_dir():
        files = (f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file())
        return _from_files(where, files, lambda name: (path / name).read_bytes())
    if path.suffix == ".npy" and path.is_file():
        return _from_array(where, read_npy(path, f"session '{session}'"))
    if not path.is_file():
        raise DataError(f"{where} does not exist: give an array, a folder or a zip of images")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{where} is not a zip: give an array, a folder or a zip") from None
    files = (i.filename for i in archive.infolist() if not i.is_dir())
    return _from_files(where, files, archive.read)


def natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """Sort key by which image2 comes before image10, and folder a/ before folder b/."""
    parts = re.findall(r"(\D*)(\d*)", name.lower())
    return [(text, int(digits or -1)) for text, digits in parts], name


def content(image: np.ndarray) -> str:
    """sha256 of pixels and shape: (h, w, 3) -> text; equal for a gray image and its RGB copy."""
    gray = (image == image[..., :1]).all()
    pixels = np.ascontiguousarray(image[..., 0] if gray else image)
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def prepare(image: np.ndarray, color: bool, height: int | None) -> np.ndarray:
    """Image as models see it: (h, w, 3) uint8 -> (c, h, w) uint8, c 3 or 1 (ITU-R 601 luma).

    With a `height`, width in proportion; pixels are averaged into fewer (PIL's bilinear filter).
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    if not color:
        picture = picture.convert("L")
    if height is not None:
        width = max(1, round(picture.width * height / picture.height))
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels.transpose(2, 0, 1).copy() if color else pixels[None].copy()


def squared(image: np.ndarray, size: int, crop: bool) -> np.ndarray:
    """An image for a network: (h, w, 3) -> (size, size, 3) uint8, PIL's bilinear filter.

    Stretched to the square; or with `crop` its middle, of 224 pixels where the short side has 256.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    if not crop:
        return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    short = round(size * 256 / 224)
    sides = [int(short * n / min(picture.size)) for n in picture.size]
    left, top = (round((n - size) / 2) for n in sides)
    picture = picture.resize(sides, Image.Resampling.BILINEAR)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def _from_array(where: str, array: np.ndarray) -> Pictures:
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise DataError(
            f"{where} is {array.shape}, not (images, height, width) or (images, height, width, "
            "1 or 3): move its axes"
        )
    if array.dtype.kind not in "uif":
        raise DataError(f"{where} holds {array.dtype}, not numbers: save it as uint8")
    low, high = (float(f(array)) for f in (np.min, np.max)) if array.size else (0.0, 255.0)
    if not (low >= 0 and high <= 255) or (array.dtype.kind == "f" and high <= 1):
        raise DataError(
            f"{where} has values {low:g} to {high:g}, not 0 to 255: rescale them (NaN is not a "
            "pixel)"
        )
    names = tuple(f"image {i}" for i in range(len(array)))
    return Pictures(where, names, partial(_from_row, array))


def _from_row(array: np.ndarray, i: int) -> np.ndarray:
    """(h, w[, 1 or 3]), whole or not -> (h, w, 3) uint8."""
    image = np.rint(array[i]).astype(np.uint8)
    image = image[..., None] if image.ndim == 2 else image
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _from_files(where: str, files: Iterator[str], read: Callable[[str], bytes]) -> Pictures:
    names = tuple(sorted((f for f in files if not is_litter(f)), key=natural))
    if not names:
        raise DataError(f"{where} holds no image: give the folder or zip that contains them")
    return Pictures(where, names, lambda i: decode(where, names[i], read))


def is_litter(name: str) -> bool:
    """Whether a file is one that operating systems leave behind."""
    parts = PurePosixPath(name).parts
    return any(p in LITTER or p.startswith(".") for p in parts)


def decode(where: str, name: str, read: Callable[[str], bytes]) -> np.ndarray:
    """Bytes of one file as (h, w, 3) uint8; the error names the file."""
    try:
        with Image.open(BytesIO(read(name))) as picture:
            if picture.mode.startswith(DEEP_MODES):
                raise DataError(
                    f"{where}: {name} has pixels of more than 8 bits ({picture.mode}): convert it "
                    "to 8 bits"
                )
            return np.asarray(picture.convert("RGB"))
    except UnidentifiedImageError:
        raise DataError(f"{where}: {name} is not an image: remove it") from None
    except (OSError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{where}: {name} cannot be read ({error}): get it again") from None


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Small gray copy, by which re-encoded images are recognized: (h, w, 3) -> (64, 64) uint8."""
    gray = Image.fromarray(np.ascontiguousarray(image)).convert("L")
    return np.asarray(gray.resize((64, 64), Image.Resampling.BILINEAR))


def same_picture(thumbnails: np.ndarray) -> np.ndarray:
    """First image that each one is a copy of: (k, 64, 64) uint8 -> (k,) indices.

    Copies (another encoding, another resolution) differ by less than 2.5 gray levels (RMS, over
    16x16 block means) and correlate above .9. JPEG at quality 30 and a round trip through twice
    the size stay under 1.5 on photographs; different stimuli of the macaque V4 recordings that
    share a background begin at 5.1 (measured). Uniform images are never copies.
    """
    k = len(thumbnails)
    blocks = thumbnails.reshape(k, 16, 4, 16, 4).mean((2, 4), dtype=np.float32).reshape(k, 256)
    pairs = [(i, j) for i, j in _close(blocks, 2.5) if _correlate(thumbnails[i], thumbnails[j])]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(k, k))
    _, group = connected_components(graph, directed=False)
    return np.unique(group, return_index=True)[1][group]


def _close(vectors: np.ndarray, distance: float) -> Iterator[tuple[int, int]]:
    """Pairs i < j of rows whose RMS difference is below `distance`: (k, d) -> indices."""
    squares = np.square(vectors).sum(1)
    for start in range(0, len(vectors), 1024):
        part = slice(start, start + 1024)
        apart = squares[part, None] + squares - 2 * vectors[part] @ vectors.T
        first, second = np.nonzero(apart < vectors.shape[1] * distance**2)
        pairs = zip((first + start).tolist(), second.tolist(), strict=True)
        yield from ((i, j) for i, j in pairs if i < j)


def _correlate(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two thumbnails, neither of them uniform, correlate above .9."""
    return min(a.std(), b.std()) > 1 and np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9
