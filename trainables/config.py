"""What one training run is, in plain values.

Knows the fields that decide a run's numbers and how they read from and write to plain dictionaries.
Must not know torch, files, devices or how many runs there are: a `TrainingConfig` is the whole
identity of a run, so nothing that may differ between two machines belongs here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args

from trainables.errors import ParameterError

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | None"
Precision = Literal["fp32", "tf32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class Choice:
    """A named component with its parameters, such as the loss `gce` with `q = 0.7`.

    Args:
        name: the registered name, or an import path (`package.module` or `package.module:name`).
        parameters: (name, value) pairs sorted by name; hashable, so that choices can be compared.
    """

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, name: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> Choice:
        """Build a choice from plain values: `Choice.of("gce", q=0.7)`.

        Raises ParameterError for a mapping without a name, wherever it lies among the parameters.
        """
        pairs = {**(parameters or {}), **more}
        return cls(
            name, tuple(sorted((key, _parameter(key, value)) for key, value in pairs.items()))
        )

    def as_dict(self) -> dict[str, Any]:
        """Parameters as a plain dictionary of plain values."""
        return {key: _plain(value) for key, value in self.parameters}

    def get(self, parameter: str, default: Any = None) -> Any:
        """One parameter's plain value."""
        return self.as_dict().get(parameter, default)

    def replace(self, **changes: Any) -> Choice:
        """The same component with some parameters changed."""
        return Choice.of(self.name, {**self.as_dict(), **changes})


@dataclass(frozen=True)
class TrainingConfig:
    """One training run, fully specified: equal configurations give equal numbers.

    Args:
        dataset: what is learned.
        architecture: the network; its input shape and class count come from the data set.
        loss: the training loss; `logit_bias` (ε) is a parameter that every loss takes.
        noise: how training labels are corrupted; `none` leaves them true.
        optimizer: the update rule without its learning rate.
        learning_rate: initial learning rate, > 0.
        schedule: how the learning rate changes with the epoch.
        augmentation: random image transforms of the training images, in order.
        normalization: per-channel statistics; `dataset` takes those the data set declares.
        epochs: passes over the training data, >= 1.
        batch_size: images per step, >= 1; the last, smaller batch of an epoch is kept.
        micro_batch: images that pass through the network at once, for networks whose batch does
            not fit into memory: gradients add up over a batch, but batch normalisation sees only
            so many. None for the whole batch.
        clip_norm: > 0; gradients of a step are scaled down where their norm over all weights is
            larger. None (default) for as they are.
        precision: arithmetic of the matrix products.
        seed: the replicate; generators for every purpose derive from it.
        noise_seed: fixes the label noise across replicates; None derives it from `seed`.
    """

    dataset: Choice
    architecture: Choice
    loss: Choice
    learning_rate: float
    epochs: int
    seed: int = 0
    noise: Choice = Choice("none")
    optimizer: Choice = Choice("sgd")
    schedule: Choice = Choice("constant")
    augmentation: tuple[Choice, ...] = ()
    normalization: Choice = Choice("dataset")
    batch_size: int = 128
    micro_batch: int | None = None
    clip_norm: float | None = None
    precision: Precision = "fp32"
    noise_seed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain values; `from_dict` is its inverse."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Read what `to_dict` wrote. Raises TypeError on an unknown or a missing field."""
        return cls(**{key: _frozen(value) for key, value in values.items()})


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch measured. Accuracies are fractions in [0, 1]; losses are means per image.

    Training figures are running figures of the epoch's own batches (training mode, with
    augmentation); test figures are taken after the epoch, in evaluation mode, without logit bias.
    `train_accuracy_noisy` counts agreement with the labels trained on, `train_accuracy_clean` with
    the true ones; `memorization` is the share of wrongly labelled training images that the network
    assigns to their wrong label (None if no label is wrong). Both of the latter are None where the
    data set's own labels are not known to be true. `test_loss` is the plain training loss on test
    data. A non-finite loss is recorded as None. A retrieval data set has CMC-1 and mean average
    precision in place of the other test figures, and only after the last epoch.
    """

    epoch: int
    learning_rate: float
    train_loss: float | None
    train_accuracy_noisy: float
    train_accuracy_clean: float | None
    memorization: float | None
    test_accuracy: float | None
    test_top5_accuracy: float | None
    test_loss: float | None
    seconds: float
    test_cmc1: float | None = None
    test_map: float | None = None


@dataclass(frozen=True)
class TrainingResult:
    """A run that reached its end: its curve and the facts that make it checkable.

    Args:
        epochs: one record per epoch, 1 to `config.epochs`. After a divergence the remaining epochs
            are filled with chance accuracy, so that a mean over seeds stays a mean.
        diverged_epoch: first epoch with a non-finite loss or weight, None for a finite run.
        num_parameters: trainable parameters.
        num_classes: K.
        noisy_label_sha256: digest of the label vector that was trained on (int64, little endian).
        realized_noise_rate: share of training labels that differ from the true ones; None where
            the data set's own labels are not known to be true.
        transition_matrix: [K, K] row-wise shares of true class (row) given label (column); None
            where the true ones are not known.
        initial_weights_sha256: digest of the initial weights, equal for all losses at one seed.
        device: human name of the device.
        seconds: wall time of the whole run, all attempts' training epochs included.
        peak_memory_bytes: peak device memory (CUDA) or peak resident set of the process (CPU).
        num_broken_images: images that could not be decoded and were blank.
        resumed_from_epoch: last epoch of the checkpoint the run went on from, None if it ran whole.
        train_data_sha256, test_data_sha256: digests of the images and original labels that were
            used, taken after the last epoch (`trainables.datasets.content`).
        labels_are_true: whether the data set's own labels are known to be true.
        num_threads: CPU threads of torch.
        stack_size: runs trained together as one batched model; 1 for a lone one.
        stack_position: place in the stack, from 0.
        process_state_sha256: digest of torch's global settings, the same before and after the run.
    """

    config: TrainingConfig
    epochs: tuple[EpochRecord, ...]
    diverged_epoch: int | None
    num_parameters: int
    num_classes: int
    noisy_label_sha256: str
    realized_noise_rate: float | None
    transition_matrix: tuple[tuple[float, ...], ...] | None = field(repr=False)
    initial_weights_sha256: str
    device: str
    seconds: float
    peak_memory_bytes: int
    num_broken_images: int = 0
    resumed_from_epoch: int | None = None
    train_data_sha256: str | None = None
    test_data_sha256: str | None = None
    labels_are_true: bool = True
    num_threads: int | None = None
    stack_size: int = 1
    stack_position: int = 0
    process_state_sha256: str | None = None


def _parameter(name: str, value: Any) -> Any:
    """The frozen value of one parameter; an error bears its name."""
    try:
        return _frozen(value)
    except ParameterError as error:
        if error.key is None:
            raise ParameterError(f"'{name}' {error.message}", key=name) from None
        raise ParameterError(error.message, key=f"{name}.{error.key}") from None


def _frozen(value: Any) -> Any:
    """Plain YAML/JSON values → hashable ones; a mapping is a choice and needs a `name`."""
    if isinstance(value, Mapping):
        if "name" not in value:
            raise ParameterError("must be a value, not a mapping without 'name'")
        rest = {key: item for key, item in value.items() if key != "name"}
        return Choice.of(value["name"], rest)
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


def _plain(value: Any) -> Any:
    """The inverse of `_frozen`."""
    if isinstance(value, Choice):
        return {"name": value.name, **value.as_dict()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
