"""If only one test file is run, then this is the one: each part of the library does its work once, on small data."""

from __future__ import annotations

import numpy as np

import augcore


def test_images_to_augmented_set():
    data = augcore.datasets.load("mnist-sample", n_train=200)
    X = data.x_train.reshape(200, -1) / np.float32(255)
    model = augcore.linear_model.LogisticRegression(C=0.1).fit(X, data.y_train)

    scores = augcore.scores.SCORES["loo_influence"](model, X, data.y_train)
    chosen = augcore.policies.sample(scores, 50, rng=0)
    assert len(set(chosen.tolist())) == 50
    # Drawn by influence, the chosen points have more of it than their share.
    assert np.abs(scores[chosen]).sum() > 1.5 * np.abs(scores).sum() * 50 / 200

    extra = augcore.augmentations.Translate(2).expand(
        data.x_train[chosen], data.y_train[chosen], include_original=False
    )
    assert extra.images.shape == (200, 28, 28, 1)
    np.testing.assert_array_equal(extra.images[:50, 2:, 2:], data.x_train[chosen][:, :-2, :-2])

    images = np.concatenate([data.x_train, extra.images])
    labels = np.concatenate([data.y_train, extra.labels])
    again = augcore.linear_model.LogisticRegression(C=0.1).fit(images.reshape(400, -1) / np.float32(255), labels)

    moved = augcore.transforms.translate(data.x_test, 2, 2).reshape(len(data.x_test), -1) / np.float32(255)
    assert again.score(moved, data.y_test) > model.score(moved, data.y_test) + 0.05


def test_build_info():
    info = augcore.build_info()
    assert info["version"] == augcore.__version__
    assert info["simd"] in ("baseline", "v3", "v4")
    assert info["threads"] == augcore.get_num_threads() >= 1
