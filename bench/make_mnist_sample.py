"""Make python/augcore/data/mnist-sample.npz from the official MNIST files (see the README.md beside that file).

    python bench/make_mnist_sample.py [FOLDER]

FOLDER holds the official files as `augcore.datasets.load("mnist", root=FOLDER)` reads them, sums checked; the default
is the data folder of the library. The same zlib writes the same bytes each time: names, order and times are fixed.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from augcore import datasets

CLASSES = (3, 8)
N_TRAIN = 1000
TARGET = Path(__file__).resolve().parents[1] / "python" / "augcore" / "data" / "mnist-sample.npz"


def main() -> None:
    root = sys.argv[1] if len(sys.argv) > 1 else None
    data = datasets.load("mnist", root=root, classes=CLASSES, n_train=N_TRAIN)
    digits = np.array(CLASSES, np.uint8)
    arrays = {
        "x_train": data.x_train[..., 0],
        "y_train": digits[data.y_train],
        "x_test": data.x_test[..., 0],
        "y_test": digits[data.y_test],
    }
    with zipfile.ZipFile(TARGET, "w") as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, values, version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16  # those of Unix, wherever this runs
            archive.writestr(member, buffer.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
            print(f"{name}  {values.shape}  {hashlib.sha256(values.tobytes()).hexdigest()}")
    print(f"{TARGET.name}  {TARGET.stat().st_size} bytes  {hashlib.sha256(TARGET.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
