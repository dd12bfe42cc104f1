"""Steps replayed from a recording: all kernels of a step in one launch, on a GPU.

The kernels of a small network take microseconds, less than a host needs to launch them one by one.
A recording runs the same kernels on the same memory without Python, so its figures are those of the
step itself; what changes from step to step has to lie in tensors that stay where they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

import torch

from trainables.training.batches import Batch

Step = Callable[[Batch], None]
Work = Callable[[], None]
Recorder = Callable[[Work], Work]
"""Does work on tensors that are there already, and returns what does it again."""

logger = logging.getLogger(__name__)


class CudaGraphs:
    """Records work as CUDA graphs, whose temporary tensors share one pool of memory.

    Args:
        device: the GPU that the work is done on.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Work) -> Work:
        """Raises RuntimeError if the work waits for the device, which a graph cannot hold."""
        graph = torch.cuda.CUDAGraph()
        # The outer context brings the present stream back where recording fails; in mode
        # `thread_local`, threads that read images ahead may go on meanwhile.
        with (
            torch.cuda.stream(torch.cuda.current_stream(self._device)),
            torch.cuda.graph(graph, self._pool, self._stream, "thread_local"),
        ):
            work()
        graph.replay()
        return graph.replay


def recorder_for(device: str) -> Recorder | None:
    """None where launching a kernel costs little beside running it."""
    return CudaGraphs(device) if torch.device(device).type == "cuda" else None


class RecordedStep:
    """A step that is done as it is written once for each shape of batch, then recorded.

    The first time creates what a recording may not: momentum, tuned kernels, handles of libraries.
    A step that cannot be recorded, such as one with a loss that reads a value back, goes on as it
    is written, with a warning.
    """

    def __init__(self, step: Step, record: Recorder) -> None:
        self._step, self._record = step, record
        self._done: set[Hashable] = set()
        self._recorded: dict[Hashable, Step] = {}

    def __call__(self, batch: Batch) -> None:
        form = batch.form
        if form in self._recorded:
            self._recorded[form](batch)
        elif form in self._done:
            self._recorded[form] = self._do_and_record(batch)
        else:
            self._step(batch)
            self._done.add(form)

    def _do_and_record(self, batch: Batch) -> Step:
        """What does the step from now on."""
        place = batch.clone()
        try:
            again = self._record(lambda: self._step(place))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            logger.warning("steps cannot be recorded, so each kernel is launched: %s", error)
            self._step(batch)
            return self._step

        def replay(batch: Batch) -> None:
            place.copy_(batch)
            again()

        return replay
