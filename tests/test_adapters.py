"""Segment Anything behind strokes, against its own processor's path; modules of PyTorch, against their own output."""

import numpy as np
import pytest

from varconvex import Session, refine, segment
from varconvex.adapters import ModulePredictor, SamPredictor
from varconvex.adapters.sam import spread
from varconvex.errors import (
    AxesWarning,
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    UnsupportedTypeError,
)

SHAPE = (48, 64)


@pytest.fixture
def drawn():
    """A photograph of noise, and strokes."""
    strokes = np.zeros(SHAPE, int)
    strokes[20:30, 30], strokes[2, 3:60] = 2, 1
    return np.random.default_rng(0).random((*SHAPE, 3)), strokes


class Network:
    """What a predictor of segment_anything knows of its model."""

    class image_encoder:
        img_size = 64


class Predictor:
    """The interface of segment_anything.SamPredictor; its masks are a disc, the same spoilt, and its complement."""

    input_size = SHAPE
    model = Network()

    def __init__(self):
        self.images, self.prompts, self.features = [], [], None

    def set_image(self, image):
        assert image.dtype == np.uint8
        assert image.shape == (*SHAPE, 3)
        self.images.append(image)
        self.features = object()

    def predict(self, **prompt):
        self.prompts.append(prompt)
        y, x = np.mgrid[:16, :16] * 4 + 1.5  # a quarter of the frame of 64 x 64, in whose upper part the image is
        disc = np.where((y - 25) ** 2 + (x - 30) ** 2 < 144, 4.0, -4.0)
        spoilt = np.where((y - 25) ** 2 + (x - 34) ** 2 < 36, -4.0, disc)
        return None, np.array([0.5, 0.6, 0.9]), np.stack([disc, spoilt, -disc])


def test_points_and_box_come_in_the_order_that_sam_expects(drawn):
    model = Predictor()
    logits = SamPredictor(model, points=2, background_points=1, box=(5, 6, 40, 50)).logits(*drawn)
    (prompt,) = model.prompts
    assert logits.shape == (12, 16)
    np.testing.assert_array_equal(prompt["point_coords"], [[30, 24], [30, 29], [31, 2]])
    np.testing.assert_array_equal(prompt["point_labels"], [1, 1, 0])
    np.testing.assert_array_equal(prompt["box"], [6, 5, 50, 40])
    assert prompt["multimask_output"]


def test_the_mask_that_agrees_with_the_strokes_is_taken_or_the_surest(drawn):
    by_strokes = SamPredictor(Predictor()).logits(*drawn)
    np.testing.assert_allclose(by_strokes, Predictor().predict()[2][0, :12], rtol=1e-6)
    by_score = SamPredictor(Predictor(), choice="score").logits(*drawn)
    np.testing.assert_allclose(by_score, -by_strokes, rtol=1e-6)


def test_an_image_is_looked_at_once(drawn):
    image, strokes = drawn
    model = Predictor()
    sam = SamPredictor(model)
    session = Session(image, predictor=sam)
    session.add(strokes == 1, 1)
    session.add([(22, 28), (28, 32)], 2)
    first = session.result
    session.add([(40, 10)], 1)
    assert first is not None
    assert session.result is not first
    segment(image.copy(), strokes, predictor=sam)
    assert len(model.images) == 1
    assert len(model.prompts) == 3
    model.set_image(model.images[0])  # somebody else uses it
    segment(image, strokes, predictor=sam)
    segment(1 - image, strokes, predictor=sam)
    assert len(model.images) == 4


def test_strokes_hold_and_shapes_are_certified(drawn):
    image, strokes = drawn
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disc = (y - 25) ** 2 + (x - 30) ** 2 < 144
    sam = SamPredictor(Predictor())
    result = segment(image, strokes, predictor=sam, shape="convex")
    assert result.certificate.convex
    assert (result.mask[strokes == 2]).all()
    assert not result.mask[strokes == 1].any()
    assert (result.mask & disc).sum() / (result.mask | disc).sum() > 0.85
    picture = np.where(disc, 0.8, 0.2)
    fine = refine(sam.logits(image, strokes), picture, strokes, "convex", kind="logits")
    assert (fine.mask != disc).mean() < 0.002


def test_a_click_suffices():
    logits = SamPredictor(Predictor()).logits(np.random.default_rng(0).random(SHAPE), {"object": [(25, 30)]})
    np.testing.assert_allclose(logits, Predictor().predict()[2][0, :12], rtol=1e-6)


def test_points_are_far_apart_and_repeatable():
    pixels = np.stack([np.zeros(101, int), np.arange(101)], axis=1)
    np.testing.assert_array_equal(spread(pixels, 3)[:, 1], [50, 0, 100])
    assert len(spread(pixels, 1000)) == 101
    assert not len(spread(pixels, 0))
    drawn = [spread(pixels, 5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize(
    ("model", "parameters", "error"),
    [
        (object(), {}, UnsupportedTypeError),
        (Predictor(), {"points": -1}, InvalidParameterError),
        (Predictor(), {"box": (1, 2, 3)}, InvalidParameterError),
        (Predictor(), {"box": (40, 2, 3, 30)}, InvalidParameterError),
        (Predictor(), {"choice": "best"}, InvalidParameterError),
        (Predictor(), {"energy": "tv"}, InvalidParameterError),
        (Predictor(), {"points": 0}, InvalidScribblesError),
    ],
)
def test_prompts_that_are_none(drawn, model, parameters, error):
    with pytest.raises(error):
        SamPredictor(model, **parameters).logits(*drawn)


def test_images_and_answers_that_no_model_has(drawn):
    image, strokes = drawn
    with pytest.warns(AxesWarning), pytest.raises(InvalidImageError, match="one channel or three"):
        SamPredictor(Predictor()).logits(image[..., :2], strokes)
    with pytest.raises(InvalidImageError, match="slice by slice"):
        SamPredictor(Predictor()).logits(np.dstack([image, image]).copy(), {"object": [(20, 30, 1)]})
    broken = Predictor()
    broken.predict = lambda **prompt: (None, [1.0], np.full((1, 16, 16), np.nan))
    with pytest.raises(InvalidImageError, match="the model's map"):
        SamPredictor(broken).logits(*drawn)
    for answer in (
        None,
        (None, [], np.zeros((0, 4, 4))),
        (None, [1.0], np.ones((4, 4))),
        (None, [1.0], np.ones((1, 0, 4))),
        (None, [1.0, 2.0], np.ones((1, 4, 4))),
    ):
        broken.predict = lambda found=answer, **prompt: found
        with pytest.raises(InvalidImageError, match=r"of the model|does not take"):
            SamPredictor(broken).logits(*drawn)
    broken.predict = lambda **prompt: (None, [1.0], np.ones((1, 4, 4)) * 1j)
    with pytest.raises(UnsupportedTypeError, match="complex128"):
        SamPredictor(broken).logits(*drawn)


def test_a_score_that_is_no_number_does_not_win_and_a_box_suffices(drawn):
    model = Predictor()
    masks = Predictor().predict()[2]
    model.predict = lambda **prompt: (None, [np.nan, 0.2, 0.1], masks)
    for strokes in (drawn[1], np.zeros(SHAPE, int)):
        found = SamPredictor(model, box=(5, 6, 40, 50), choice="score").logits(drawn[0], strokes)
        np.testing.assert_allclose(found, masks[1, :12], rtol=1e-6)
    found = SamPredictor(model, box=(5, 6, 40, 50)).logits(drawn[0], np.zeros(SHAPE, int))
    np.testing.assert_allclose(found, masks[1, :12], rtol=1e-6)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch, the extra torch, is not installed")


@pytest.fixture(scope="module")
def small(torch):
    """A SAM of transformers with random weights, and its processor."""
    transformers = pytest.importorskip("transformers", reason="transformers, the extra sam, is not installed")
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 64, "patch_size": 8,
            "output_channels": 16, "mlp_dim": 32, "window_size": 4, "num_pos_feats": 8, "global_attn_indexes": [0],
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4, "num_point_embeddings": 4,
        },
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.SamModel(config).eval()
    for values in model.parameters():
        values.data.normal_(0, 0.3)
    sides = {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}}
    return model, transformers.SamProcessor(transformers.SamImageProcessor(**sides))


@pytest.mark.parametrize("box", [None, (5.0, 6.0, 30.0, 40.0)])
@pytest.mark.parametrize("side", [64, 50])
def test_logits_are_those_of_the_model_by_its_own_processor(torch, small, side, box):
    model, processor = small
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    image[0, 0], image[0, 1] = 0, 255  # its whole range
    strokes = np.zeros((side, side), int)
    strokes[20:30, 30], strokes[2, 3:40] = 2, 1
    points = np.concatenate([spread(np.argwhere(strokes == 2), 3), spread(np.argwhere(strokes == 1), 2)])
    prompt = {"input_points": [[points[:, ::-1].astype(float).tolist()]], "input_labels": [[[1, 1, 1, 0, 0]]]}
    if box is not None:
        prompt["input_boxes"] = [[[box[1], box[0], box[3], box[2]]]]
    inputs = processor(images=image, return_tensors="pt", **prompt)
    kept = {name: inputs[name].float() for name in ("pixel_values", "input_points", "input_boxes") if name in inputs}
    with torch.no_grad():
        found = model(**kept, input_labels=inputs["input_labels"], multimask_output=True)
    expected = found.pred_masks[0, 0, int(found.iou_scores[0, 0].argmax())].numpy()
    sam = SamPredictor(model, processor, points=3, background_points=2, box=box, choice="score")
    np.testing.assert_allclose(sam.logits(image, strokes), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_model_is_read_from_its_folder_without_pickles(torch, small, drawn, tmp_path):
    model, processor = small
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    expected = SamPredictor(model, processor, points=2).logits(*drawn)
    found = SamPredictor.read(tmp_path, points=2).logits(*drawn)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert SamPredictor(model, processor, points=2, box=(1, 1, 40, 60)).logits(*drawn).shape == expected.shape
    with pytest.raises(InvalidParameterError, match="device must be"):
        SamPredictor.read(tmp_path, device="abacus")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])  # as of a download that ended early
    with pytest.raises(FileFormatError, match="save_pretrained"):
        SamPredictor.read(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(FileFormatError, match="save_pretrained"):
        SamPredictor.read(tmp_path)
    with pytest.raises(FileFormatError, match=r"config\.json"):
        SamPredictor.read(tmp_path / "none")


def test_a_module_gives_its_maps(torch, drawn):
    image, strokes = drawn
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 4, stride=4), torch.nn.Dropout(0.5)).train()
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    unit = (image - image.min()) / (image.max() - image.min())
    values = torch.tensor(np.moveaxis((unit - mean) / std, -1, 0)[None], dtype=torch.float32)
    with torch.no_grad():
        maps = torch.log_softmax(module.eval()(values)[0], dim=0).numpy()
    module.train()
    expected = maps[1] - np.log1p(-np.exp(maps[1]))
    found = ModulePredictor(module, channel=1, mean=mean, std=std)
    np.testing.assert_allclose(found.logits(image, strokes), expected, rtol=1e-4, atol=1e-5)
    assert module.training
    module[1].eval()  # a part that is not to be trained
    found.logits(image, strokes)
    assert module.training
    assert not module[1].training
    assert segment(image, strokes, predictor=found, shape="convex").certificate.convex
    with pytest.raises(InvalidParameterError, match="channel=2"):
        ModulePredictor(module).logits(image, strokes)


def test_forms_of_a_module_s_answer(torch, drawn):
    class Answer(torch.nn.Module):
        def __init__(self, make):
            super().__init__()
            self.make = make

        def forward(self, image):
            return self.make(image[:, :1] - 0.5)

    def logits(make, **parameters):
        return ModulePredictor(Answer(make), **parameters).logits(*drawn)

    plain = logits(lambda maps: maps)
    for make in (
        lambda m: {"out": m},
        lambda m: {"logits": m},
        lambda m: (m, None),
        lambda m: m[:, 0],
        lambda m: m.numpy(),
    ):
        np.testing.assert_array_equal(logits(make), plain)
    p = logits(lambda maps: maps + 0.5, kind="probability")
    np.testing.assert_allclose(1 / (1 + np.exp(-p)), plain + 0.5, atol=1e-5)
    assert logits(lambda maps: maps, grey=True).shape == SHAPE
    for make in (
        lambda m: None,
        lambda m: m[0, 0],
        lambda m: {"maps": m},
        lambda m: m * np.nan,
        lambda m: m[:, :, :0],
        lambda m: {}["a"],
    ):
        with pytest.raises(InvalidImageError):
            logits(make)
    with pytest.raises(InvalidImageError, match="does not take an image"):
        ModulePredictor(torch.nn.Conv2d(3, 1, 100)).logits(*drawn)
    with pytest.raises(UnsupportedTypeError, match=r"torch\.nn\.Module"):
        ModulePredictor(lambda image: image)


@pytest.mark.parametrize(("parameters", "error"), [({"std": 1e-45}, "finite"), ({"mean": 1e300}, "mean must be")])
def test_a_scaling_beyond_float32_is_refused_without_a_warning(torch, drawn, parameters, error):
    module = torch.nn.Conv2d(3, 2, 1)
    with pytest.raises((InvalidImageError, InvalidParameterError), match=error):
        ModulePredictor(module, channel=1, **parameters).logits(*drawn)


@pytest.mark.parametrize("make", [lambda maps: maps * 1j, lambda maps: maps / 0])
def test_complex_and_infinite_maps_are_refused_without_a_warning(torch, drawn, make):
    class Answer(torch.nn.Module):
        def forward(self, image):
            return make(image)

    with pytest.raises((InvalidImageError, InvalidParameterError), match=r"finite|real numbers"):
        ModulePredictor(Answer(), channel=1).logits(*drawn)
