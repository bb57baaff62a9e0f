"""Small random networks in PyTorch, timm and ONNX as features; each test is skipped where its library is missing."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from varconvex import FileFormatError, InvalidImageError, InvalidParameterError
from varconvex.extractors import Features, OnnxExtractor, TimmExtractor, TorchExtractor


@pytest.fixture
def image(rng):
    return rng.random((50, 70, 3)).astype(np.float32)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch, the extra torch, is not installed")


@pytest.fixture
def network(torch):
    """Two convolutions; the second has cells of four pixels, and a normalisation that knows training from testing."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, padding=1),
        torch.nn.BatchNorm2d(5),
        torch.nn.Conv2d(5, 12, 4, stride=4),
    )


def test_a_torch_module_is_its_output(torch, network, image):
    network.train()
    network[2].eval()
    before = network[1].running_mean.clone()
    found = Features(TorchExtractor(network, mean=0, std=1, stride=2), components=None).of(image)
    assert [part.training for part in network.modules()] == [True, True, True, False]
    assert torch.equal(network[1].running_mean, before)
    assert found.shape == (50, 70, 8)
    every = Features(TorchExtractor(network, mean=0, std=1, stride=4), components=12)
    (maps,) = every.source.maps(image[:48, :68])
    with torch.inference_mode():
        wanted = network.eval()(torch.from_numpy(np.moveaxis(image[:48, :68], -1, 0).copy())[None])[0]
    np.testing.assert_allclose(maps, np.moveaxis(wanted.numpy(), 0, -1), atol=1e-6)


def test_tiles_of_a_network_are_the_whole(network, rng):
    image = rng.random((96, 128, 3)).astype(np.float32)
    source = TorchExtractor(network, stride=4)
    whole, tiled = (Features(source, components=12, tile=tile, margin=8).of(image) for tile in (None, 48))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_layers_by_name_and_weights_by_content(torch, network, image):
    two = Features(TorchExtractor(network, layers=("0", "2"), stride=4), components=17).of(image)
    assert two.shape == (50, 70, 17)
    before = TorchExtractor(network).digest()
    assert TorchExtractor(network).digest() == before
    with torch.no_grad():
        network[0].bias += 1
    assert TorchExtractor(network).digest() != before


def test_tokens_are_cells_in_rows(torch, image):
    class Tokens(torch.nn.Module):
        def forward(self, x):
            maps = torch.nn.functional.avg_pool2d(x, 8)
            tokens = maps.flatten(2).transpose(1, 2)
            return {"last_hidden_state": torch.cat([torch.full_like(tokens[:, :1], 9.0), tokens], 1)}

    (maps,) = TorchExtractor(Tokens(), stride=8, mean=0, std=1).maps(image[:48, :64])
    np.testing.assert_allclose(maps, image[:48, :64].reshape(6, 8, 8, 8, 3).mean(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"layers": "conv"}, InvalidParameterError, "layers must be submodules of the network; got 'conv'. Among them"),
        ({"layers": 3}, InvalidParameterError, "layers must be None or names"),
        ({"channels": 4}, InvalidImageError, "image must have 4 channels for this network; got 3"),
        ({"std": 0}, InvalidParameterError, "std must be"),
        ({"stride": 1, "layers": "flat"}, InvalidParameterError, "layers must be submodules"),
    ],
)
def test_torch_refusals(network, image, given, error, match):
    with pytest.raises(error, match=match):
        Features(TorchExtractor(network, **given)).of(image)


def test_networks_that_fail_say_how(torch, image):
    with pytest.raises(InvalidParameterError, match="the network for features must take an image of shape"):
        Features(torch.nn.Linear(7, 3)).of(image)
    with pytest.raises(InvalidParameterError, match=r"must be maps \(1, F, h, w\)"):
        Features(torch.nn.Flatten()).of(image)
    with pytest.raises(InvalidParameterError, match=r"module must be a torch.nn.Module"):
        TorchExtractor({"weights": 3})
    with pytest.raises(InvalidImageError, match="features must be finite"):
        Features(torch.nn.Threshold(2.0, float("nan"))).of(image)


@pytest.fixture
def onnx_file(tmp_path, rng):
    """Writes a network y = relu(conv(x)) of cells of four pixels, for images of this shape; and its weights."""
    onnx = pytest.importorskip("onnx", reason="onnx, the extra onnx, is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime, the extra onnx, is not installed")
    weights = rng.normal(size=(6, 3, 4, 4)).astype(np.float32)

    def write(shape=(1, 3, None, None), kind=onnx.TensorProto.FLOAT):
        graph = onnx.helper.make_graph(
            [
                onnx.helper.make_node("Conv", ["x", "w"], ["inside"], strides=[4, 4]),
                onnx.helper.make_node("Relu", ["inside"], ["y"]),
            ],
            "small",
            [onnx.helper.make_tensor_value_info("x", kind, shape)],
            [onnx.helper.make_tensor_value_info("y", kind, None)],
            [onnx.numpy_helper.from_array(weights, "w")],
        )
        version = onnx.helper.make_opsetid("", 17)
        path = tmp_path / "small.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=[version], ir_version=8), path)
        return str(path)

    return write, weights


def test_onnx_is_its_nodes(onnx_file, image):
    write, weights = onnx_file
    path = write()
    patches = image[:48, :68].reshape(12, 4, 17, 4, 3)
    wanted = np.einsum("hiwjc,fcij->hwf", patches, weights)
    extractor = OnnxExtractor(path, layers=("inside", "y"), mean=0, std=1, stride=4)
    inside, y = extractor.maps(image[:48, :68])
    np.testing.assert_allclose(inside, wanted, atol=1e-4)
    np.testing.assert_allclose(y, np.maximum(wanted, 0), atol=1e-4)
    assert Features(path).of(image).shape == (50, 70, 6)
    assert Features(path).of(image[..., :1]).shape == (50, 70, 6)  # grey is repeated
    assert OnnxExtractor(write((1, 3, 32, 32)), stride=4).size == (32, 32)
    assert Features(OnnxExtractor(path, stride=4)).of(image).shape == (50, 70, 6)


def test_onnx_refusals(onnx_file, tmp_path, image):
    write, _ = onnx_file
    with pytest.raises(InvalidParameterError, match=r"outputs of nodes of the network; got 'z'. Such are y, inside"):
        OnnxExtractor(write(), layers="z")
    with pytest.raises(InvalidParameterError, match=r"must take one image of floats \(1, channels, H, W\).*takes x"):
        OnnxExtractor(write((8, 3, None, None)))
    no_model = tmp_path / "none.onnx"
    no_model.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(FileFormatError, match=r"a file of ONNX was expected; .* is not one"):
        Features(str(no_model))
    with pytest.raises(FileFormatError, match=r"got .*No such file"):
        Features(str(tmp_path / "missing.onnx"))
    with pytest.raises(InvalidImageError, match="image must have 3 channels"):
        Features(write()).of(np.zeros((20, 20, 2)) + image[:20, :20, :2])


def test_a_pickle_of_a_network_in_a_file_is_the_network(onnx_file, image):
    write, _ = onnx_file
    source = OnnxExtractor(write(), stride=4)
    again = pickle.loads(pickle.dumps(source))
    assert again.digest() == source.digest()
    np.testing.assert_array_equal(again.maps(image)[0], copy.deepcopy(source).maps(image)[0])


def test_modules_that_differ_in_an_attribute_a_buffer_or_code_only_are_not_taken_for_each_other(torch, image):
    class Scaled(torch.nn.Module):
        def __init__(self, factor, buffer=1.0):
            super().__init__()
            self.factor = factor
            self.register_buffer("more", torch.tensor(buffer), persistent=False)

        def forward(self, x):
            return self.factor * self.more * x

    class Squared(Scaled):
        def forward(self, x):
            return x * x

    Squared.__name__ = "Scaled"  # so that its text is the same
    modules = [Scaled(1.0), Scaled(2.0), Scaled(1.0, 4.0), Squared(1.0)]
    found = [Features(TorchExtractor(m, mean=0, std=1)).of(image) for m in modules]
    for value, expected in zip(found, (image, 2 * image, 4 * image, image**2), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    called = Scaled(lambda: 0)  # a function has no text that lasts
    assert called.factor in TorchExtractor(called).digest()[2][0][1]


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16"])
def test_a_network_gets_floats_like_its_weights(torch, image, kind):
    network = torch.nn.Conv2d(3, 2, 1).to(getattr(torch, kind))
    found = Features(TorchExtractor(network, mean=0, std=1)).of(image)
    weight, bias = (value.detach().float().numpy() for value in (network.weight[..., 0, 0], network.bias))
    np.testing.assert_allclose(found, image @ weight.T + bias, atol=0.02)


@pytest.mark.parametrize("of", ["lazy", "meta", "complex", "sparse"])
def test_networks_without_weights_or_with_other_numbers_are_refused(torch, image, of):
    class Returns(torch.nn.Module):
        def forward(self, x):
            return x * 1j if of == "complex" else x.to_sparse()

    made = {"lazy": lambda: torch.nn.LazyConv2d(3, 1), "meta": lambda: torch.nn.Conv2d(3, 2, 1, device="meta")}
    with pytest.raises(InvalidParameterError, match=r"must have its weights|must return dense tensors of real numbers"):
        Features(made.get(of, Returns)()).of(image)


@pytest.mark.parametrize("wrong", [{"mean": (0.1, 0.2)}, {"std": (1, 1, 1, 1)}])
def test_a_scaling_of_other_channels_is_refused(network, onnx_file, image, wrong):
    write, _ = onnx_file
    for source in (TorchExtractor(network, **wrong), OnnxExtractor(write(), **wrong)):
        with pytest.raises(InvalidParameterError, match=f"{next(iter(wrong))} must be .* the network's 3 channels"):
            Features(source).of(image)


@pytest.mark.parametrize(
    "wrong", [{"stages": ()}, {"stages": 3}, {"options": 3}, {"options": {"features_only": False}}]
)
def test_what_is_asked_of_timm_is_checked(timm, wrong):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(wrong))} must be"):
        TimmExtractor("test_efficientnet", weights=False, **wrong)


def test_a_grey_network_of_timm_takes_a_grey_image(timm, image):
    source = TimmExtractor("test_efficientnet", weights=False, options={"in_chans": 1})
    assert Features(source).of(image[..., :1]).shape == (50, 70, 8)


@pytest.fixture
def timm(torch):
    try:
        import timm
    except Exception as error:  # its torchvision may be of another torch
        pytest.skip(f"timm, the extra timm, cannot be imported: {error}")
    return timm


@pytest.mark.parametrize(("name", "stride"), [("test_vit", 16), ("test_efficientnet", 16)])
def test_timm_by_name(timm, torch, image, tmp_path, name, stride):
    torch.manual_seed(1)
    source = TimmExtractor(name, weights=False)
    assert source.stride == stride
    found = Features(source, components=5).of(image)
    assert found.shape == (50, 70, 5)
    path = tmp_path / "weights.pt"
    torch.manual_seed(1)
    torch.save(timm.create_model(name, pretrained=False).state_dict(), path)
    loaded = TimmExtractor(name, weights=path)
    assert loaded.digest() == TimmExtractor(name, weights=path).digest() != source.digest()


def test_timm_refusals(timm, torch, tmp_path):
    with pytest.raises(InvalidParameterError, match="name must be a network of timm; got 'resnet_of_mine'"):
        Features("timm:resnet_of_mine")

    class Evil:
        def __reduce__(self):
            return (print, ("code that was run",))

    torch.save(Evil(), tmp_path / "evil.pt")
    with pytest.raises(InvalidParameterError, match="weights must be a file with those of the network"):
        TimmExtractor("test_vit", weights=tmp_path / "evil.pt")


@pytest.mark.parametrize(
    ("module", "code", "extra"),
    [
        ("torch", "TorchExtractor(None)", "torch"),
        ("timm", "Features('timm:resnet18')", "timm"),
        ("onnxruntime", "Features('model.onnx')", "onnx"),
    ],
)
def test_a_missing_extra_is_named(module, code, extra):
    program = (
        f"import sys; sys.modules[{module!r}] = None; from varconvex.extractors import *\n"
        "from varconvex import MissingExtraError\n"
        f"try:\n    {code}\nexcept MissingExtraError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith(f'pip install "varconvex[{extra}]"')
