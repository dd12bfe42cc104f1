"""The global settings of a process: how each is read and set, and whether it moves numbers.

A setting that this version of torch does not have is left out. Knows no cell and no plug-in.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

SET_BY_OTHERS = ("CUDA_MODULE_LOADING", "PYTEST_CURRENT_TEST", "RAY_", "TORCHINDUCTOR_", "TRITON_")
"""Beginnings of environment variables that torch, Ray and the tests set at times of their own."""


@dataclass(frozen=True)
class Setting:
    """One global setting.

    Args:
        name: as a user knows it.
        read: its value now, whose `str` is the same in all processes that agree in it.
        write: sets it; raises or does nothing where that cannot be done.
        moves_numbers: whether the numbers of a training run may depend on it.
        instead: what a plug-in should do that wants another value for itself.
        is_recorded: whether it is a part of the digest; some have columns of their own.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    moves_numbers: bool = True
    instead: str | None = None
    is_recorded: bool = True


class Objects(tuple[Any, ...]):
    """What has no value that another process could have, shown by its number."""

    def __str__(self) -> str:
        return str(len(self))


def settings() -> tuple[Setting, ...]:
    """Every setting that can be read here, in the order in which they are to be restored."""
    return tuple(setting for setting in _all_settings() if _is_readable(setting))


def _is_readable(setting: Setting) -> bool:
    try:
        setting.read()
    except (AttributeError, RuntimeError, TypeError):  # of another version of torch
        return False
    return True


def _all_settings() -> Iterator[Setting]:
    # First: it may stand in the way of all others.
    yield Setting("modes over torch's functions", _function_modes, _leave_function_modes)
    yield from _of_tensors()
    yield from _of_products()
    yield from _of_kernels()
    yield from _of_autograd()
    yield from _of_hooks()
    yield from _of_python()


def _of_tensors() -> Iterator[Setting]:
    """What new tensors are, and how many threads compute them."""
    yield Setting(
        "torch's default dtype",
        torch.get_default_dtype,
        torch.set_default_dtype,
        instead="give the dtype to the tensors that you make",
    )
    yield Setting(
        "torch's default device",
        lambda: str(torch.get_default_device()),
        _set_default_device,
        instead="give `device=logits.device` to the tensors that you make",
    )
    yield Setting(
        "the number of torch's threads",
        torch.get_num_threads,
        torch.set_num_threads,
        instead="set `resources.cpus_per_trial` in the study",
        is_recorded=False,
    )
    yield Setting("flushing of denormal numbers", _flushes_denormals, torch.set_flush_denormal)


def _set_default_device(device: str) -> None:
    """The CPU is the default where none is set, at no cost for each call of torch."""
    torch.set_default_device(None if device == "cpu" else device)


def _flushes_denormals() -> bool:
    """There is no function that says so."""
    tiny = torch.tensor(1e-310, dtype=torch.float64, device="cpu")
    return float(tiny * 1) == 0


def _of_products() -> Iterator[Setting]:
    """The precision of float32 products and convolutions. Torch has an old and a new way to it."""
    instead = "set `precision: tf32` or `precision: bf16` in the study"
    yield Setting(
        "torch's float32 matmul precision",
        _matmul_precision,
        torch.set_float32_matmul_precision,
        instead=instead,
    )
    for backend, operation in (
        ("generic", "all"),
        *((b, o) for b in ("cuda", "mkldnn") for o in ("all", "matmul", "conv", "rnn")),
    ):
        yield _fp32_precision(backend, operation, instead)


def _matmul_precision() -> str:
    """The old way's word; it has none for what only the new way can say."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "mixed"


def _fp32_precision(backend: str, operation: str, instead: str) -> Setting:
    """The new way. `none` means what is set above it, at the top `ieee`; restored as it was."""

    def read() -> str:
        word: str = torch._C._get_fp32_precision_getter(backend, operation)
        return "ieee" if word == "none" else word

    def write(word: str) -> None:
        torch._C._set_fp32_precision_setter(backend, operation, word)

    return Setting(f"torch's fp32 precision of {backend} {operation}", read, write, instead=instead)


def _of_kernels() -> Iterator[Setting]:
    """Which kernels torch takes."""
    yield Setting("torch's deterministic algorithms", _determinism, _set_determinism)
    backends: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
        ("cudnn", torch.backends.cudnn, ("enabled", "benchmark", "deterministic")),
        ("mkldnn", torch.backends.mkldnn, ("enabled", "deterministic")),
        (
            "cuda.matmul",
            torch.backends.cuda.matmul,
            (
                "allow_fp16_reduced_precision_reduction",
                "allow_bf16_reduced_precision_reduction",
                "allow_fp16_accumulation",
            ),
        ),
    )
    for name, backend, flags in backends:
        for flag in flags:
            yield _flag(f"torch.backends.{name}.{flag}", backend, flag)
    for kind in ("flash", "mem_efficient", "math", "cudnn"):
        yield _attention(kind)


def _flag(name: str, backend: Any, flag: str) -> Setting:
    return Setting(name, lambda: getattr(backend, flag), lambda v: setattr(backend, flag, v))


def _attention(kind: str) -> Setting:
    cuda = torch.backends.cuda
    return Setting(
        f"torch's {kind} attention",
        lambda: getattr(cuda, f"{kind}_sdp_enabled")(),
        lambda value: getattr(cuda, f"enable_{kind}_sdp")(value),
    )


def _determinism() -> str:
    is_on = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    return "off" if not is_on else "with warnings" if warns else "on"


def _set_determinism(word: str) -> None:
    torch.use_deterministic_algorithms(word != "off", warn_only=word == "with warnings")


def _of_autograd() -> Iterator[Setting]:
    """How gradients are taken."""
    yield Setting(
        "torch's gradients",
        torch.is_grad_enabled,
        torch.set_grad_enabled,
        instead="use `with torch.no_grad():` around what needs none",
    )
    yield Setting("torch's inference mode", torch.is_inference_mode_enabled, _cannot_be_set)
    yield Setting(
        "torch's anomaly detection",
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
        moves_numbers=False,
    )
    for device in ("cpu", "cuda"):
        yield Setting(
            f"torch's autocast on {device}",
            partial(torch.is_autocast_enabled, device),
            partial(torch.set_autocast_enabled, device),
            instead="use `with torch.autocast(…):` around what needs it",
        )
        yield Setting(
            f"torch's autocast dtype on {device}",
            partial(torch.get_autocast_dtype, device),
            partial(torch.set_autocast_dtype, device),
        )


def _cannot_be_set(value: object) -> None:
    raise RuntimeError(f"only a context can set it to {value}")


def _of_hooks() -> Iterator[Setting]:
    """What is called in every network, every optimizer, every function of torch."""
    for module in (nn.modules.module, importlib.import_module("torch.optim.optimizer")):
        for name, hooks in vars(module).items():
            if name.startswith("_global_") and isinstance(hooks, dict):
                yield _hooks(name.strip("_").replace("_", " "), hooks)


def _hooks(name: str, hooks: dict[Any, Any]) -> Setting:
    def write(former: Objects) -> None:
        hooks.clear()
        hooks.update(former)

    return Setting(f"torch's {name}", lambda: Objects(hooks.items()), write)


def _function_modes() -> Objects:
    """But for that of the default device, which is a setting of its own."""
    modes = torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    return Objects(mode for mode in modes if type(mode).__name__ != "DeviceContext")


def _leave_function_modes(former: Objects) -> None:
    while len(_function_modes()) > len(former):
        torch._C._pop_torch_function_stack()


def _of_python() -> Iterator[Setting]:
    """What moves no number of ours, and may move others' plug-ins."""
    yield Setting(
        "numpy's floating-point errors",
        lambda: tuple(sorted(np.geterr().items())),
        lambda value: np.seterr(**dict(value)),
        moves_numbers=False,
    )
    yield Setting("the current folder", os.getcwd, os.chdir, moves_numbers=False)
    yield Setting("the environment", _environment, _set_environment, moves_numbers=False)


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(SET_BY_OTHERS)}


def _set_environment(former: Mapping[str, str]) -> None:
    for name in _environment().keys() - former.keys():
        del os.environ[name]
    os.environ.update(former)
