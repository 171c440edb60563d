"""ResNet v2: its arithmetic, its order of layers, and what may differ between training and use."""

from __future__ import annotations

import numpy as np
import pytest

from augcore import features
from augcore.features import networks
from augcore.features.recipes import RECIPES, recipe_of

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

STAGES = ((16, 64), (64, 128), (128, 256))


def build(name="resnet11v2", shape=(16, 12, 3), n_classes=4, seed=0, **options):
    return networks.build(name, shape, n_classes, networks.Layers(np.random.default_rng(seed), **options))


def count(units, channels, classes):
    """The parameters of the network, after its definition: biases everywhere, four numbers per normalised channel."""
    total, width = (9 * channels + 1) * 16 + 4 * 16, 16
    for inner, outer in STAGES:
        for unit in range(units):
            total += 0 if (inner, unit) == (16, 0) else 4 * width
            total += (width + 1) * inner + 4 * inner + (9 * inner + 1) * inner + 4 * inner + (inner + 1) * outer
            total += (width + 1) * outer if unit == 0 else 0
            width = outer
    return total + 4 * width + (width + 1) * classes


@pytest.mark.parametrize(("depth", "channels", "classes"), [(11, 1, 2), (20, 3, 10), (29, 2, 5), (56, 3, 10)])
def test_parameters(depth, channels, classes):
    network = build(f"resnet{depth}v2", (32, 32, channels), classes)
    assert network.count_params() == count((depth - 2) // 9, channels, classes)
    kinds = [type(layer).__name__ for layer in network.layers]
    # the depth counts the longest path: one unit is three convolutions, and shortcuts are beside it
    assert kinds.count("Conv2D") - 3 + 1 == depth
    assert kinds.count("Add") == (depth - 2) // 3
    assert network.output_shape == (None, classes)
    assert network.layers[-1].input.shape == (None, 256)


def test_depth_56_is_that_of_the_paper():
    network = build("resnet56v2", (32, 32, 3), 10)
    assert network.count_params() == 1_673_738
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert trainable == 1_663_338


@pytest.mark.parametrize("name", ["resnet2v2", "resnet10v2", "resnet12v2", "resnet56", "resnet56v1", "resnet056v2"])
def test_other_names_are_none(name):
    assert not networks.is_network(name)


def test_names_that_are_some():
    assert [networks.resnet_units(f"resnet{9 * n + 2}v2") for n in (1, 2, 6, 18, 22)] == [1, 2, 6, 18, 22]
    assert networks.resnet_units("resnet209v2") is None
    assert networks.resnet_units("resnet56v2\n") is None
    assert networks.is_network("cnn")


def before(layer):
    """The layers that feed a layer."""
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation for tensor in inputs]


def test_normalisation_and_relu_come_before_each_convolution():
    network = build("resnet20v2", (16, 16, 3))
    kinds = {layer: type(layer).__name__ for layer in network.layers}
    convolutions = [layer for layer in network.layers if kinds[layer] == "Conv2D"]
    shortcuts = [source for layer in network.layers if kinds[layer] == "Add" for source in before(layer)[:1]]
    assert sum(kinds[layer] == "Conv2D" for layer in shortcuts) == 3, "one for each stage, the others are identities"
    for layer in convolutions[1:]:
        (source,) = before(layer)
        if layer in shortcuts:
            assert kinds[source] == ("ReLU" if layer is shortcuts[0] else "Add"), (
                "of what comes into the unit, as it is"
            )
        else:
            assert kinds[source] == "ReLU"
            assert kinds[before(source)[0]] == "BatchNormalization"
    for layer in network.layers:
        if kinds[layer] == "BatchNormalization":
            assert kinds[before(layer)[0]] in ("Conv2D", "Add")
        if kinds[layer] == "Add":
            assert kinds[before(layer)[1]] == "Conv2D", "nothing between the last convolution and the sum"
    average, last = network.layers[-2:]
    assert (kinds[average], kinds[before(average)[0]], kinds[last]) == ("GlobalAveragePooling2D", "ReLU", "Dense")


def test_strides_and_widths():
    network = build("resnet20v2", (33, 16, 3))
    shapes = [layer.output.shape[1:] for layer in network.layers if type(layer).__name__ == "Add"]
    assert shapes == 2 * [(33, 16, 64)] + 2 * [(17, 8, 128)] + 2 * [(9, 4, 256)]
    sizes = [layer.kernel_size for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert sizes.count((3, 3)) == 7
    assert sizes.count((1, 1)) == 15


def test_initial_weights_follow_from_the_seed_and_are_he_normal():
    kernels = [np.asarray(layer.kernel) for layer in build(seed=1).layers if hasattr(layer, "kernel")]
    for kernel in kernels:
        expected = np.sqrt(2 / np.prod(kernel.shape[:-1]))
        assert abs(kernel.std() / expected - 1) < 5 / np.sqrt(kernel.size)
    assert all(len(set(map(float, kernel.ravel()[:9]))) == 9 for kernel in kernels)
    heads = [kernel.ravel()[:9] * np.sqrt(np.prod(kernel.shape[:-1])) for kernel in kernels]
    assert all(not np.allclose(a, b, rtol=1e-3) for i, a in enumerate(heads) for b in heads[:i])
    again, other = (build(seed=seed).get_weights() for seed in (1, 2))
    for kernel, same in zip(kernels, [weight for weight in again if weight.ndim > 1], strict=True):
        np.testing.assert_array_equal(kernel, same)
    assert not np.array_equal(again[0], other[0])


def test_training_has_the_same_weights_under_the_same_names():
    """What training adds (dropout, penalty, another precision, another kernel) is not in the file of weights."""
    plain = build()
    trained = build(for_training=True, precision="mixed_bfloat16", l2=1e-4, dropout=0.25)

    def named(network):
        return [(f"{layer.name}.{weight.name}", weight.shape) for layer in network.layers for weight in layer.weights]

    assert named(trained) == named(plain)
    assert {str(weight.dtype) for weight in trained.weights} == {"float32"}
    dropped = [layer for layer in trained.layers if hasattr(layer, "rate")]
    assert [layer.rate for layer in dropped] == [0.25] * 3
    assert len({layer.seed_generator.state.numpy()[0] for layer in dropped}) == 3
    images = np.random.default_rng(0).random((5, 16, 12, 3), np.float32)
    trained.set_weights(plain.get_weights())
    expected, found = (np.asarray(keras.ops.convert_to_numpy(network(images))) for network in (plain, trained))
    np.testing.assert_allclose(found, expected, atol=0.02)
    penalty = sum(float((weight**2).sum()) for weight in plain.get_weights() if weight.ndim == 4)
    assert float(sum(trained.losses)) == pytest.approx(1e-4 * penalty, rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_normalisation_in_training_is_that_of_keras(dtype):
    rng = np.random.default_rng(0)
    images = rng.normal(3, 2, (64, 5, 4, 6)).astype(np.float32)
    found, expected = [], []
    for layer, results in (
        (networks.training_norm(dtype=dtype), found),
        (keras.layers.BatchNormalization(dtype=dtype), expected),
    ):
        layer.build(images.shape)
        layer.gamma.assign(np.arange(1, 7))
        layer.beta.assign(np.arange(6) / 7)
        results += [keras.ops.convert_to_numpy(keras.ops.cast(layer(images, training=True), "float32"))]
        results += [keras.ops.convert_to_numpy(weight) for weight in layer.weights]
        results += [keras.ops.convert_to_numpy(keras.ops.cast(layer(images), "float32"))]
    for a, b in zip(found, expected, strict=True):
        # the kernel divides by n - 1 where Keras divides by n
        np.testing.assert_allclose(a, b, rtol=0.02 if dtype != "float32" and a.ndim > 1 else 2e-5, atol=2e-5)


def test_features_are_256_whatever_the_batch():
    network = build("resnet11v2", (12, 16, 1))
    images = np.random.default_rng(1).integers(0, 256, (9, 12, 16), np.uint8)
    whole = features.featurize(images, network, batch_size=4)
    assert whole.shape == (9, 256)
    assert whole.min() >= 0
    assert np.ptp(whole, axis=0).max() > 0
    for rows in (slice(0, 1), slice(2, 9), slice(5, 5)):
        np.testing.assert_array_equal(features.featurize(images[rows], network, batch_size=4), whole[rows])
    np.testing.assert_allclose(features.featurize(images, network, batch_size=9), whole, rtol=1e-4, atol=1e-5)


# ---- recipes ---------------------------------------------------------------------------------------------------------


def test_learning_rates_of_the_paper():
    rate = RECIPES["paper"].rate
    epochs = {0: 1e-3, 80: 1e-3, 81: 1e-4, 120: 1e-4, 121: 1e-5, 160: 1e-5, 161: 1e-6, 180: 1e-6, 181: 5e-7, 199: 5e-7}
    for epoch, expected in epochs.items():
        found = [RECIPES["paper"].learning_rate * rate(part, 200) for part in (epoch, epoch + 0.99)]
        assert found == pytest.approx([expected] * 2, rel=1e-12), epoch


def test_one_cycle_of_the_learning_rate():
    def rate(epoch, epochs):
        return RECIPES["short"].learning_rate * RECIPES["short"].rate(epoch, epochs)

    assert rate(5, 20) == pytest.approx(0.1)
    assert rate(2.5, 20) == rate(12.5, 20) == pytest.approx(0.05)
    assert rate(0, 20) == rate(20, 20) == pytest.approx(1e-4)
    rates = [rate(epoch / 10, 20) for epoch in range(201)]
    assert rates.index(max(rates)) == 50
    assert rates[:51] == sorted(rates[:51])
    assert rates[50:] == sorted(rates[50:], reverse=True)


def test_recipes():
    paper, short = RECIPES["paper"], RECIPES["short"]
    assert (paper.epochs, paper.batch_size, paper.l2, paper.keep_best) == (200, 32, 1e-4, True)
    assert (paper.weight_decay, paper.dropout, paper.label_smoothing) == (0, 0, 0)
    assert isinstance(paper.optimizer(), keras.optimizers.Adam)
    optimizer = short.optimizer()
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, optimizer.weight_decay) == (0.9, True, 5e-3)
    assert recipe_of("resnet56v2") == ("short", short)
    assert recipe_of("resnet56v2", "paper") == ("paper", paper)
    name, small = recipe_of("cnn")
    assert (name, small.epochs, small.batch_size, small.learning_rate) == ("paper", 40, 512, 1e-3)
    assert {small.rate(epoch, 40) for epoch in range(40)} == {1.0}
    with pytest.raises(ValueError, match="recipe: expected one of 'paper', got 'short'"):
        recipe_of("cnn", "short")
    with pytest.raises(ValueError, match="recipe: expected one of 'paper', 'short', got 'long'"):
        recipe_of("resnet11v2", "long")


def test_weight_decay_spares_all_but_kernels():
    network = build("resnet11v2", (8, 8, 1), 2)
    optimizer = RECIPES["short"].optimizer()
    optimizer.build(network.trainable_variables)
    kept = {variable.path.split("/")[-1] for variable in network.trainable_variables if decays(optimizer, variable)}
    assert kept == {"kernel"}


def decays(optimizer, variable):
    return optimizer._use_weight_decay(variable)
