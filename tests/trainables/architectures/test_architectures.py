"""Networks: parameter counts of the papers, initial weights, layouts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from trainables.architectures import ARCHITECTURES
from trainables.architectures.initialization import kaiming_normal
from trainables.architectures.residual import ZeroPadShortcut
from trainables.architectures.transformer import Block
from trainables.components import build_config
from trainables.config import Choice
from trainables.registry import ParameterError

COLOUR, GREY, LARGE = (3, 32, 32), (1, 28, 28), (3, 224, 224)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny batches gain nothing from a second thread and wait for it where cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(name: str, shape=COLOUR, num_classes: int = 10, seed: int = 0, **parameters):
    network = ARCHITECTURES.build(Choice.of(name, **parameters))
    return network(shape, num_classes, torch.Generator().manual_seed(seed))


@pytest.fixture
def without_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks stay on the meta device: shapes and counts at no cost."""
    monkeypatch.setattr(nn.Module, "to_empty", lambda self, *, device: self)


@pytest.mark.usefixtures("without_storage")
@pytest.mark.parametrize(
    ("name", "shape", "num_classes", "parameters", "count"),
    [
        ("resnet20", COLOUR, 10, {}, 269_722),
        ("resnet32", COLOUR, 10, {}, 464_154),
        ("resnet32", GREY, 10, {}, 463_866),
        ("resnet44", COLOUR, 10, {}, 658_586),
        ("resnet56", COLOUR, 10, {}, 853_018),
        ("resnet110", COLOUR, 10, {}, 1_727_962),
        ("resnet20", COLOUR, 10, {"shortcut": "B"}, 272_474),
        ("resnet32", COLOUR, 10, {"shortcut": "B"}, 466_906),
        ("resnet56", COLOUR, 10, {"shortcut": "B"}, 855_770),
        ("resnet18", COLOUR, 10, {}, 11_173_962),
        ("resnet34", COLOUR, 10, {}, 21_282_122),
        ("resnet34", COLOUR, 100, {}, 21_328_292),
        ("resnet18", COLOUR, 100, {}, 11_220_132),
        ("resnet34", COLOUR, 10, {"stem": "imagenet"}, 21_289_802),
        ("resnet34", COLOUR, 100, {"stem": "imagenet"}, 21_335_972),
        ("resnet50", COLOUR, 10, {"stem": "small"}, 23_520_842),
        ("resnet50", COLOUR, 100, {"stem": "small"}, 23_705_252),
        ("resnet50", LARGE, 50, {}, 23_610_482),
        ("cnn4", GREY, 10, {}, 422_090),
        ("cnn8", COLOUR, 10, {}, 1_639_794),
        ("lenet5", GREY, 10, {}, 61_706),
        ("preact_resnet18", COLOUR, 10, {}, 11_171_146),
        ("preact_resnet34", COLOUR, 100, {}, 21_325_476),
        ("preact_resnet34_thin", COLOUR, 10, {}, 1_860_138),
        ("preact_resnet34_thin", COLOUR, 100, {}, 1_871_748),
        ("wrn28_10", COLOUR, 10, {}, 36_479_194),
        ("wrn40_2", COLOUR, 100, {}, 2_255_156),
        ("vit_tiny", COLOUR, 10, {}, 5_362_762),
        ("resnet50", LARGE, 1000, {}, 25_557_032),
        ("wide_resnet101_2", LARGE, 1000, {}, 126_886_696),
        ("googlenet_bn", LARGE, 1000, {}, 6_624_904),
        ("googlenet_bn", LARGE, 625, {}, 6_240_529),
        ("mlp1024", COLOUR, 10, {}, 3_939_338),
        ("mlp1024", GREY, 10, {}, 1_596_426),
        ("mlp", GREY, 10, {"hidden": [256, 128]}, 235_146),
    ],
)
def test_parameter_counts(name: str, shape, num_classes: int, parameters, count: int) -> None:
    network = build(name, shape, num_classes, **parameters)
    assert sum(weight.numel() for weight in network.parameters()) == count
    images = torch.zeros(2, *shape, device=next(network.parameters()).device)
    assert network(images).shape == (2, num_classes)


def test_mlp_weights_are_xavier_uniform_and_biases_zero() -> None:
    network = build("mlp1024", GREY)
    bound = (6 / (784 + 1024)) ** 0.5
    weights = network[1].weight.detach()
    assert weights.abs().max() <= bound
    assert float(weights.std()) == pytest.approx(bound / 3**0.5, rel=0.01)
    assert not any(layer.bias.any() for layer in network if isinstance(layer, nn.Linear))


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "googlenet_bn"])
def test_convolutions_are_kaiming_normal_with_fan_in(name: str) -> None:
    network = build(name)
    wide = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.weight.numel() > 20_000]
    assert wide
    for convolution in wide:
        fan_in = convolution.weight[0].numel()
        assert float(convolution.weight.detach().std()) == pytest.approx(
            (2 / fan_in) ** 0.5, rel=0.02
        )
        assert convolution.bias is None
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    assert float(linear.weight.detach().std()) == pytest.approx(
        (2 / linear.in_features) ** 0.5, rel=0.15
    )
    assert not linear.bias.any()


def test_batch_norms_start_neutral() -> None:
    for module in build("resnet20").modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.running_var == 1).all()
            assert not module.bias.any() and not module.running_mean.any()
            assert module.num_batches_tracked == 0


def test_option_a_keeps_every_second_pixel_between_zero_channels() -> None:
    images = torch.arange(2 * 4 * 4.0).reshape(1, 2, 4, 4) + 1
    shortened = ZeroPadShortcut(2, 4)(images)
    assert torch.equal(shortened[:, 1:3], images[:, :, ::2, ::2])
    assert not shortened[:, [0, 3]].any()


def test_a_layer_without_a_rule_is_refused() -> None:
    layers = (nn.LayerNorm(4), nn.BatchNorm1d(4, affine=False))
    for layer in layers:
        with pytest.raises(TypeError, match=type(layer).__name__):
            kaiming_normal(lambda layer=layer: nn.Sequential(layer), torch.Generator())


def test_googlenet_draws_no_random_numbers_in_training() -> None:
    network = build("googlenet_bn").train()
    assert not [m for m in network.modules() if isinstance(m, nn.Dropout) and m is network.dropout]
    images = torch.ones(2, *COLOUR)
    before = torch.get_rng_state()
    assert torch.equal(network(images), network(images))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("hidden", [(), (16, 0)])
def test_an_mlp_without_hidden_units_is_refused(hidden: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        build("mlp", hidden=hidden)
    assert caught.value.key == "hidden"


def test_channels_last_gives_the_same_logits() -> None:
    images = torch.rand(4, *COLOUR, generator=torch.Generator().manual_seed(0))
    plain, last = build("resnet20"), build("resnet20").to(memory_format=torch.channels_last)
    logits = last(images.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(plain(images), logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "mlp1024",
        "resnet20",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet18", "googlenet_bn")),
    ],
)
def test_a_network_is_one_graph(name: str) -> None:
    from torch._dynamo.testing import CompileCounter

    network, images = build(name), torch.rand(2, *COLOUR, generator=torch.Generator())
    counter = CompileCounter()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    assert torch.allclose(compiled(images), build(name)(images), rtol=1e-4, atol=1e-4)
    assert counter.frame_count == 1


def test_looking_names_up_needs_no_torch() -> None:
    program = (
        "import sys; from trainables.architectures import ARCHITECTURES as a; "
        "[a.component(name) for name in a.names()]; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_weights_of_imagenet_fill_all_layers_but_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in lies where torch keeps what it has downloaded."""
    from torchvision.models import ResNet50_Weights, resnet50

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = resnet50(weights=None).state_dict()
    name = Path(ResNet50_Weights.IMAGENET1K_V1.url).name
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub/checkpoints" / name)
    network = build("resnet50", (3, 64, 64), 14, weights="imagenet")
    loaded = network.state_dict()
    assert loaded["fc.weight"].shape == (14, 2048)
    assert all(torch.equal(loaded[n], state[n]) for n in state if not n.startswith("fc."))
    assert torch.equal(loaded["fc.weight"], build("resnet50", (3, 64, 64), 14).fc.weight)


def test_weights_that_cannot_be_had_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", _no_network)
    with pytest.raises(ParameterError, match=r"resnet50-\w+\.pth is not in .* no network"):
        build("resnet50", (3, 64, 64), 14, weights="imagenet")


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_kaiming_uniform_is_that_of_the_active_passive_line() -> None:
    network = build("cnn8")
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        fan_in = layer.weight[0].numel()
        bound = (6 / fan_in) ** 0.5
        if isinstance(layer, nn.Linear):
            bound = (6 / (fan_in + layer.out_features)) ** 0.5
        assert layer.weight.abs().max() <= bound
        assert float(layer.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.06)
        assert 0 < layer.bias.abs().max() <= fan_in**-0.5


def test_small_images_need_a_choice_of_stem() -> None:
    with pytest.raises(ParameterError, match="'small', as for CIFAR") as caught:
        build("resnet50", COLOUR)
    assert caught.value.key == "stem"
    reduced = build("resnet50", COLOUR, stem="small").layer4[-1].relu
    assert isinstance(reduced, nn.ReLU)
    assert build("resnet50", COLOUR, stem="imagenet")(torch.zeros(2, *COLOUR)).shape == (2, 10)


@pytest.mark.parametrize(
    ("architecture", "key", "message"),
    [
        ({"name": "resnet50"}, "architecture.stem", "images of 32 × 32 need a choice"),
        ({"name": "vit_tiny", "patch": 5}, "architecture.patch", "do not tile"),
    ],
)
def test_a_cell_whose_images_do_not_fit_is_refused_before_anything_runs(
    architecture: dict[str, object], key: str, message: str
) -> None:
    fields = {"dataset": "cifar10", "loss": "ce", "learning_rate": 0.1, "epochs": 1}
    with pytest.raises(ParameterError, match=message) as caught:
        build_config({**fields, "architecture": architecture})
    assert caught.value.key == key


def test_a_transformer_sees_where_a_patch_is() -> None:
    network = build("vit_tiny", depth=1)
    images = torch.zeros(2, *COLOUR)
    images[0, :, :4, :4], images[1, :, -4:, -4:] = 1, 1
    first, second = network(images)
    assert not torch.allclose(first, second)


def test_a_block_of_attention_is_that_of_torch() -> None:
    ours = Block(12, 3).double()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    pairs = {
        "self_attn.in_proj_weight": ours.attention.inputs.weight,
        "self_attn.in_proj_bias": ours.attention.inputs.bias,
        "self_attn.out_proj.weight": ours.attention.output.weight,
        "self_attn.out_proj.bias": ours.attention.output.bias,
        "linear1.weight": ours.perceptron[0].weight,
        "linear1.bias": ours.perceptron[0].bias,
        "linear2.weight": ours.perceptron[2].weight,
        "linear2.bias": ours.perceptron[2].bias,
        **{
            f"norm{i}.{kind}": getattr(getattr(ours, f"norm{i}"), kind)
            for i in (1, 2)
            for kind in ("weight", "bias")
        },
    }
    theirs.load_state_dict(pairs)
    tokens = torch.rand(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(tokens), theirs(tokens))


class TestTimm:
    timm = pytest.importorskip("timm") if find_spec("timm") else None
    pytestmark = pytest.mark.skipif(timm is None, reason="timm is not installed")

    def test_weights_follow_from_the_generator_alone(self) -> None:
        first, again = (build("timm", model="resnet10t").state_dict() for _ in range(2))
        other = build("timm", model="resnet10t", seed=1).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["conv1.0.weight"], other["conv1.0.weight"])

    def test_the_global_generator_stays_where_it_was(self) -> None:
        before = torch.get_rng_state()
        build("timm", model="resnet10t")
        assert torch.equal(before, torch.get_rng_state())

    def test_a_transformer_takes_the_size_of_the_images(self) -> None:
        network = build("timm", model="deit_tiny_patch16_224")
        assert network(torch.zeros(1, *COLOUR)).shape == (1, 10)

    def test_an_unknown_model_is_named_with_the_nearest(self) -> None:
        with pytest.raises(ParameterError, match="no model 'resnet34x'") as caught:
            build("timm", model="resnet34x")
        assert caught.value.nearest == "resnet34"
