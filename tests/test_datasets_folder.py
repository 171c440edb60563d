"""Sets of image files: order, kinds of images, and files that nobody should put there."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

import augcore
from augcore import datasets
from augcore.datasets import folder

Image = pytest.importorskip("PIL.Image")

RED, CLEAR_RED, BLACK = (255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 255)


def grey(value: int, shape: tuple[int, int] = (3, 4)) -> Image.Image:
    return Image.fromarray(np.full(shape, value, np.uint8))


@pytest.fixture
def put(tmp_path):
    """Saves an image, or writes bytes, below the folder of the set."""

    def save(name: str, image: Image.Image | bytes, **options) -> Path:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path, **options)
        return path

    return save


@pytest.fixture
def name(tmp_path):
    return f"folder:{tmp_path / 'set'}"


@pytest.fixture
def plain(put):
    """Two classes of grey images whose values tell class, part and place."""
    for part, base, n in (("train", 0, 12), ("test", 100, 3)):
        for i in range(n):
            put(f"{part}/class2/{i + 1}.png", grey(base + i))
            put(f"{part}/class10/img{i + 1}.PNG", grey(base + 50 + i))


def values(images: np.ndarray) -> list[int]:
    assert (images == images[:, :1, :1]).all()
    return images[:, 0, 0, 0].tolist()


# ---- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plain")
def test_classes_and_files_are_in_natural_order(name):
    data = datasets.load(name)
    assert data.class_names == ("class2", "class10")
    assert data.x_train.shape == (24, 3, 4, 1)
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert values(data.x_train) == [*range(12), *range(50, 62)]
    assert values(data.x_test) == [100, 101, 102, 150, 151, 152]
    assert data.y_train.tolist() == [0] * 12 + [1] * 12
    assert data.y_test.tolist() == [0] * 3 + [1] * 3


@pytest.mark.usefixtures("plain")
def test_the_first_images_are_of_classes_that_take_turns(name, put):
    for part in ("train", "test"):
        put(f"{part}/class11/a.bmp", grey(200))
    five = datasets.load(name, n_train=5, classes=("class10", "class2"))
    assert values(five.x_train) == [0, 1, 50, 51, 52]
    assert five.y_train.tolist() == [1, 1, 0, 0, 0]
    uneven = datasets.load(name, n_train=8)
    assert values(uneven.x_train) == [0, 1, 2, 3, 50, 51, 52, 200]
    assert uneven.y_train.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert len(datasets.load(name, n_train=25).y_train) == 25


@pytest.mark.usefixtures("plain")
def test_only_the_chosen_images_are_read(name, put):
    put("train/class3/bad.png", b"never opened")
    put("test/class3/bad.png", b"never opened")
    put("train/class2/99.png", b"never opened")
    assert len(datasets.load(name, classes=(0, "class10"), n_train=24).y_train) == 24
    with pytest.raises(augcore.FileFormatError, match=r"99\.png"):
        datasets.load(name, classes=(0, "class10"))


@pytest.mark.usefixtures("plain")
def test_what_is_left_out(name, put, tmp_path):
    root = tmp_path / "set"
    put("train/class2/.hidden.png", b"x")
    put("train/.class/a.png", b"x")
    put("train/class2/notes.txt", b"x")
    put("train/class2/deeper/a.png", b"x")
    put("train/readme.png", b"x")
    put("valid/class2/a.png", b"x")
    (root / "train" / "empty").mkdir()
    (root / "train" / "loop").symlink_to(root / "train")
    (root / "train" / "class2" / "loop").symlink_to(root)
    (root / "train" / "self").symlink_to(root / "train" / "self")
    assert datasets.load(name).x_train.shape == (24, 3, 4, 1)


def test_links_are_followed(name, put, tmp_path):
    target = put("elsewhere/a.png", grey(7))
    for part in ("train", "test"):
        (tmp_path / "set" / part / "a").mkdir(parents=True)
        (tmp_path / "set" / part / "a" / "link.png").symlink_to(target)
        (tmp_path / "set" / part / "b").symlink_to(target.parent)
    assert values(datasets.load(name).x_train) == [7, 7]


FORMATS = ("bmp", "jpg", "jpeg", "JPG", "png", "pgm", "ppm", "tif", "tiff", "webp")


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(name, put, suffix):
    assert f".{suffix.lower()}" in folder.SUFFIXES
    mode = "L" if suffix == "pgm" else "RGB"
    for part in ("train", "test"):
        put(f"{part}/a/1.{suffix}", Image.new(mode, (5, 2), "white"))
    image = datasets.load(name).x_train
    assert image.shape == (1, 2, 5, len(mode))
    assert image.min() >= 254


def two(mode: str, *colours: object) -> Image.Image:
    image = Image.new(mode, (2, 1))
    for x, colour in enumerate(colours):
        image.putpixel((x, 0), colour)
    return image


def palette(*colours: tuple[int, int, int]) -> Image.Image:
    image = two("P", *range(len(colours)))
    image.putpalette([value for colour in colours for value in colour])
    return image


KINDS = {
    "grey": (two("L", 7, 200), {}, [[7], [200]]),
    "bilevel": (two("1", 0, 1), {}, [[0], [255]]),
    "grey-alpha": (two("LA", (7, 255), (7, 0)), {}, [[7], [255]]),
    "grey-half": (two("LA", (0, 255), (0, 51)), {}, [[0], [204]]),
    "grey-key": (two("L", 7, 200), {"transparency": 200}, [[7], [255]]),
    "colour": (two("RGB", (1, 2, 3), (4, 5, 6)), {}, [[1, 2, 3], [4, 5, 6]]),
    "colour-alpha": (two("RGBA", RED, CLEAR_RED), {}, [[255, 0, 0], [255, 255, 255]]),
    "colour-key": (two("RGB", (1, 2, 3), (4, 5, 6)), {"transparency": (4, 5, 6)}, [[1, 2, 3], [255, 255, 255]]),
    "palette": (palette((9, 8, 7), (3, 4, 5)), {}, [[9, 8, 7], [3, 4, 5]]),
    "palette-key": (palette((9, 8, 7), (3, 4, 5)), {"transparency": 0}, [[255, 255, 255], [3, 4, 5]]),
}


@pytest.mark.parametrize(("image", "options", "expected"), KINDS.values(), ids=KINDS)
def test_kinds_of_images(name, put, image, options, expected):
    for part in ("train", "test"):
        put(f"{part}/a/1.png", image, **options)
    np.testing.assert_array_equal(datasets.load(name).x_train[0, 0], expected)


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (grey(1, (4, 3)), r"5\.png: is 4 x 3 grey, but .*1\.png is 3 x 4 grey"),
        (Image.new("RGB", (4, 3)), r"5\.png: is 3 x 4 RGB, but .*1\.png is 3 x 4 grey"),
        (Image.new("I;16", (4, 3)), r"5\.png: is neither grey nor RGB, but I;16"),
        (b"", r"5\.png: not a readable image$"),
        (b"\x89PNG\r\n\x1a\n", r"5\.png: not a readable image"),
        (b"GIF89a\1\0\1\0\0\0\0;", r"5\.png: not a readable image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 3\n", r"5\.png: not a readable image"),
    ],
    ids=["size", "colour", "16-bit", "empty", "magic", "gif", "postscript"],
)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("part", ["train", "test"])
def test_the_first_image_that_differs_is_named(name, put, tmp_path, image, words, part):
    for i in (5, 7):
        put(f"{part}/class2/{i}.png", image)
    with pytest.raises(augcore.FileFormatError, match=words) as caught:
        datasets.load(name)
    assert str(tmp_path / "set" / part) in str(caught.value)
    assert "\n" not in str(caught.value)


def encoded(put, suffix: str, mode: str = "RGB") -> bytes:
    """A file of noise, large enough to be cut."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, len(mode)), np.uint8)
    return put(f"encoded.{suffix}", Image.fromarray(noise.squeeze(), mode)).read_bytes()


@pytest.mark.parametrize("suffix", ["bmp", "jpg", "png", "ppm", "tif", "webp"])
def test_files_that_are_cut(name, put, suffix):
    whole = encoded(put, suffix)
    for part in ("train", "test"):
        put(f"{part}/a/1.{suffix}", whole)
    datasets.load(name)
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 40):
        put(f"train/a/2.{suffix}", whole[:length])
        with pytest.raises(augcore.FileFormatError, match=rf"2\.{suffix}: not a readable image"):
            datasets.load(name)


@pytest.mark.parametrize("suffix", ["bmp", "jpg", "png", "ppm", "tif", "webp"])
def test_damaged_bytes_give_images_or_typed_errors(name, put, suffix, capfd):
    whole = encoded(put, suffix)
    put(f"test/a/1.{suffix}", whole)
    rng = np.random.default_rng(1)
    messages = []
    for turn in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.integers(0, min(len(damaged), 40 if turn % 2 else len(damaged)))] = rng.integers(0, 256)
        put(f"train/a/1.{suffix}", bytes(damaged))
        try:
            assert datasets.load(name).x_test.size
        except augcore.FileFormatError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)
    assert capfd.readouterr() == ("", "")


def png(width: int, height: int) -> bytes:
    """An image of zeros that is stated, and packed, without being made."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "words"),
    [((4097, 4096), "more than 16777216 pixels"), ((10_001, 10_001), "more than"), ((60_000, 60_000), "bomb")],
)
def test_bombs_are_refused_unopened(name, put, size, words, monkeypatch):
    put("train/a/1.png", png(*size))
    put("test/a/1.png", grey(0))
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(augcore.FileFormatError, match=rf"1\.png: .*{words}"):
        datasets.load(name)
    assert folder.MAX_PIXELS == 4096**2


def test_folders_that_are_no_sets(name, put, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder: no such folder"):
        datasets.load(name)
    (tmp_path / "set").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="folder: no such folder"):
        datasets.load(name)
    (tmp_path / "set").unlink()
    put("train/a/1.png", grey(0))
    with pytest.raises(FileNotFoundError, match=r"has no folder test; images are expected in train/CLASS/") as caught:
        datasets.load(name)
    assert caught.value.filename == str(tmp_path / "set")
    put("test/1.png", grey(0))
    with pytest.raises(augcore.FileFormatError, match=r"test/a: has no images of this class"):
        datasets.load(name)
    put("test/a/1.png", grey(0))
    put("test/b/1.png", grey(0))
    with pytest.raises(augcore.FileFormatError, match=r"train/b: has no images of this class"):
        datasets.load(name)
    put("train/b/1.png", grey(0))
    assert datasets.load(name).class_names == ("a", "b")
    for path in (tmp_path / "set" / "train").rglob("*.png"):
        path.unlink()
    with pytest.raises(augcore.FileFormatError, match="train: has no folder with images"):
        datasets.load(name)


@pytest.mark.usefixtures("plain")
def test_names_that_are_no_files(name, tmp_path):
    path = tmp_path / "set/train/class2/3.png"
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        datasets.load(name)
    assert caught.value.filename == str(path)
    path.rmdir()
    path.symlink_to("nowhere")
    with pytest.raises(FileNotFoundError) as caught:
        datasets.load(name)
    assert caught.value.filename == str(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file") as caught:
        datasets.load(name)
    assert caught.value.filename == str(path)


@pytest.mark.usefixtures("plain")
def test_verify_names_every_damaged_image(name, put, tmp_path):
    root = tmp_path / "set"
    (whole,) = datasets.verify(name)
    assert whole == (root, "ok", "all images read")
    put("train/class2/1.png", b"")
    put("train/class10/img3.PNG", grey(0, (4, 3)))
    put("test/class2/2.png", Image.new("RGB", (4, 3)))
    findings = list(datasets.verify(name))
    assert {(found.path, found.state) for found in findings} == {(root, "damaged")}
    assert [found.words.removeprefix(f"{root}/") for found in findings] == [
        "train/class2/1.png: not a readable image",
        f"train/class10/img3.PNG: is 4 x 3 grey, but {root}/train/class2/2.png is 3 x 4 grey",
        f"test/class2/2.png: is 3 x 4 RGB, but {root}/train/class2/2.png is 3 x 4 grey",
    ]


@pytest.mark.usefixtures("plain")
def test_errors_of_the_disk_stay_what_they_are(name, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        datasets.load(name)
    assert caught.value.filename == str(tmp_path / "set/train/class2/1.png")


@pytest.mark.usefixtures("plain")
def test_a_class_that_is_not_there(name):
    with pytest.raises(
        ValueError, match=r"classes: expected labels or names among 0 \(class2\), 1 \(class10\), got 'a'"
    ):
        datasets.load(name, classes=("class2", "a"))


@pytest.mark.usefixtures("plain")
def test_without_pillow(name, run_python):
    code = f"import sys; sys.modules['PIL'] = None\nfrom augcore import datasets\ndatasets.load({name!r})"
    process = run_python(code, check=False)
    assert "ImportError: Pillow is not installed; install it with: pip install 'augcore[experiments]'" in process.stderr
    assert "PIL" not in run_python("import sys, augcore.datasets; print(*sys.modules)").stdout


def test_a_class_whose_name_no_report_could_hold(tmp_path):
    for part in ("train", "test"):
        folder = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), part.encode(), b"\xff\xfe")))
        folder.mkdir(parents=True)
        (folder / "1.png").touch()
    with pytest.raises(augcore.FileFormatError, match=r"the name of the class b'\\xff\\xfe' is not UTF-8"):
        datasets.load(f"folder:{tmp_path}")
