"""The sums of the official files, as they are published; they are compared before a file is opened.

The .npz files of other tools have no sums of their own: their contents are put back into the official form and compared
with the same sums. Of small NORB SHA-256 are published for the packed files and MD5 for the unpacked ones; of the
jittered NORB none that could be confirmed: its files are checked by their structure.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from augcore import _files
from augcore._errors import ChecksumError, FileFormatError

__all__ = ["BYTES", "SUMS", "check_sum", "found", "kind_of_sum", "opened", "unpacked"]

# By the number of hexadecimal digits.
_ALGORITHMS = {32: "MD5", 64: "SHA-256"}

SUMS = {
    # MNIST, the official files.
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    # CIFAR-10, the binary version.
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    # Small NORB.
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat": "8138a0902307b32dfa0025a36dfa45ec",
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat": "fd5120d3f770ad57ebe620eb61a0b633",
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat": "19faee774120001fc7e17980d6960451",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat": "e9920b7f7b2869a8f1a12e945b2c166c",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat": "fd5120d3f770ad57ebe620eb61a0b633",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat": "7c5b871cc69dcadec1bf6a18141f5edc",
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz": (
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873"
    ),
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat.gz": (
        "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa"
    ),
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat.gz": (
        "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32"
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat.gz": (
        "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474"
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat.gz": (
        "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff"
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat.gz": (
        "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2"
    ),
}

# Of what can be fetched.
BYTES = {
    "train-images-idx3-ubyte.gz": 9_912_422,
    "train-labels-idx1-ubyte.gz": 28_881,
    "t10k-images-idx3-ubyte.gz": 1_648_877,
    "t10k-labels-idx1-ubyte.gz": 4_542,
    "cifar-10-binary.tar.gz": 170_052_171,
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz": 131_896_188,
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat.gz": 348,
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat.gz": 71_052,
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat.gz": 130_799_817,
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat.gz": 347,
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat.gz": 10_428,
}


def kind_of_sum(name: str) -> str | None:
    """What sum is published for a file: "SHA-256", "MD5", or None."""
    return _ALGORITHMS[len(SUMS[name])] if name in SUMS else None


def check_sum(path: Path | str, digest: str, expected: str) -> None:
    if digest != expected:
        kind = _ALGORITHMS[len(expected)]
        raise ChecksumError(f"{path}: is damaged or another file: {kind} {digest} instead of {expected}")


def found(root: Path, name: str, *, packed: bool) -> Path | None:
    """Where an official file is: as it is, or, of those that may be `packed`, gzipped."""
    for path in (root / name, root / f"{name}.gz") if packed else (root / name,):
        if path.is_file():
            return path
    return None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """An official file, opened, after its sum has been found right, if one is published."""
    with _files.open_regular(path) as file:
        if expected := SUMS.get(path.name):
            algorithm = _ALGORITHMS[len(expected)].replace("-", "")
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
            check_sum(path, digest.hexdigest(), expected)
            file.seek(0)
        yield file


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[io.BufferedIOBase]:
    """The content of an official file that may be gzipped; FileFormatError where the packing is damaged."""
    with opened(path) as file:
        if path.suffix != ".gz":
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise FileFormatError(f"{path}: not a readable gzip file ({error})") from None
