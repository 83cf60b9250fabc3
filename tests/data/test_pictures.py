"""Images from arrays, folders and zips: order, identity and what is refused."""

import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from src.data.errors import DataError
from src.data.pictures import content, natural, open_pictures, prepare, same_picture, thumbnail


def draw_images(n=12, size=16, seed=0):
    """Random color images: -> (n, size, size, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)


def photograph(seed, size=112):
    """A smooth random picture, on which JPEG behaves as on a photograph: -> (size, size, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def encoded(image, form="PNG", **options):
    """Bytes of an image file."""
    stream = BytesIO()
    Image.fromarray(image).save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture
def three_forms(tmp_path):
    """The same images as array, as folder, and as zip listed backwards with a sub-folder."""
    images, folder, path = draw_images(), tmp_path / "images", tmp_path / "images.zip"
    files = {f"part{1 + i // 6}/im{i}.png": encoded(image) for i, image in enumerate(images)}
    with zipfile.ZipFile(path, "w") as archive:
        for name in reversed(files):
            archive.writestr(f"set/{name}", files[name])
        archive.writestr("__MACOSX/set/._im0.png", b"litter")
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / ".DS_Store").write_bytes(b"litter")
    np.save(tmp_path / "images.npy", images)
    return images, (images, folder, path, tmp_path / "images.npy")


def test_array_folder_zip_and_npy_give_the_same_images_in_natural_order(three_forms):
    images, forms = three_forms
    for form in forms:
        np.testing.assert_array_equal(list(open_pictures("a", form)), images)


def test_natural_order_reads_numbers_as_numbers():
    names = ["b/im2.png", "a/im10.png", "a/im9.png", "a/im1b.png", "a/im1.png", "im3.png"]
    expected = ["a/im1.png", "a/im1b.png", "a/im9.png", "a/im10.png", "b/im2.png", "im3.png"]
    assert sorted(names, key=natural) == expected


def test_content_knows_a_gray_image_in_any_coding_and_tells_images_apart():
    images = draw_images(40)
    assert len({content(image) for image in images}) == 40
    gray = images[0, ..., 0]
    (single,), (triple,) = (
        open_pictures("a", a[None]) for a in (gray.astype(float), np.stack([gray] * 3, -1))
    )
    assert content(single) == content(triple)
    assert content(np.zeros((2, 8, 3), np.uint8)) != content(np.zeros((4, 4, 3), np.uint8))


def test_copies_are_recognized_and_different_stimuli_are_not():
    first, second = photograph(1), photograph(2)
    jpeg = np.asarray(Image.open(BytesIO(encoded(first, "JPEG", quality=40))))
    larger = np.asarray(Image.fromarray(first).resize((224, 224), Image.Resampling.BICUBIC))
    wave = np.sin(np.arange(112) * 2 * np.pi / 7)
    fine = [  # gratings of opposite phase: the same block means, another picture
        np.broadcast_to((127 + 30 * s * wave)[:, None], (112, 112, 3)).astype(np.uint8)
        for s in (1, -1)
    ]
    uniform = [np.full((112, 112, 3), value, np.uint8) for value in (127, 128)]
    pictures = [second, first, *fine, jpeg, *uniform, larger]
    found = same_picture(np.stack([thumbnail(p) for p in pictures]))
    assert found.tolist() == [0, 1, 2, 3, 1, 5, 6, 1]


def test_prepare_gives_channels_first_in_color_gray_and_size():
    image = draw_images(1)[0]
    np.testing.assert_array_equal(prepare(image, True, None), image.transpose(2, 0, 1))
    gray = prepare(image, False, None)
    np.testing.assert_allclose(gray[0], image @ [0.299, 0.587, 0.114], atol=1)
    assert prepare(image[:8], True, 4).shape == (3, 4, 8)
    flat = np.full((16, 16, 3), 99, np.uint8)
    np.testing.assert_array_equal(prepare(flat, False, 4), np.full((1, 4, 4), 99))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 3, 8, 8)), r"\(4, 3, 8, 8\), not \(images, height, width\)"),
        (np.full((4, 8, 8), 0.5), "values 0.5 to 0.5, not 0 to 255"),
        (np.full((4, 8, 8), np.nan), "values nan to nan"),
        (np.full((4, 8, 8), 300), "values 300 to 300"),
        (np.full((4, 8, 8), "x"), "holds <U1, not numbers"),
    ],
)
def test_arrays_that_are_no_images_are_refused(array, message):
    with pytest.raises(DataError, match=f"session 'a': the image array.*{message}"):
        open_pictures("a", array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"see me", r"im1\.txt is not an image: remove it"),
        (encoded(photograph(1), "JPEG")[:-900], r"im1\.txt cannot be read"),
        (encoded(np.zeros((8, 8), np.uint16)), r"im1\.txt has pixels of more than 8 bits"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_files_that_are_no_images_are_named(tmp_path, data, message, zipped):
    path = tmp_path / ("images.zip" if zipped else "images")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("im1.txt", data)
    else:
        path.mkdir()
        (path / "im1.txt").write_bytes(data)
    with pytest.raises(DataError, match=rf"session 'a': .*{path.name}: {message}"):
        list(open_pictures("a", path))


def test_missing_empty_and_broken_sources_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    for name, message in {
        "absent.zip": "does not exist",
        "empty": "holds no image",
        "broken.zip": "is not a zip",
    }.items():
        with pytest.raises(DataError, match=f"session 'a': .*{name} {message}"):
            open_pictures("a", tmp_path / name)
