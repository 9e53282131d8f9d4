"""Prompts tuned by the trainer's process on this party's own images (`training.kind = "clip"`)."""

from __future__ import annotations

from secfpp.errors import ConfigError
from secfpp.learn.settings import (
    ClipSettings,
    DataKind,
    DataSettings,
    OnBadImage,
    Optimiser,
    Partition,
    TrainingSettings,
)
from secfpp.party.learner import OnProgress, Prompt, Trained
from secfpp.party.training import Description, TrainerProcess, TrainerTask
from secfpp.settings.files import JobSettings, PartySettings

PATIENCE = 4
"""A trainer may be silent for so many idle timeouts: loading a model says nothing for a while."""


class ClipLearner:
    """One trainer process for the whole run; this process never loads torch."""

    def __init__(self, job: JobSettings, settings: PartySettings) -> None:
        self._job = job
        self._settings = settings
        self._trainer = TrainerProcess(idle_timeout=PATIENCE * settings.time.idle_timeout)
        self._description: Description | None = None
        self._initial: Prompt | None = None
        self._class_prompt: Prompt | None = None
        self._restored: Prompt | None = None

    async def prepare(self, told: OnProgress) -> dict[str, str]:
        """Load the model and this party's images; what all parties must have alike."""
        task = TrainerTask(self._clip(), self._data(), self._training())
        await self._trainer.start()
        prepared = await self._trainer.prepare(
            task,
            cache=self._settings.state_dir / "features",
            on_progress=lambda done, total, loss: told(done, total),
        )
        self._description = prepared.description
        self._initial = prepared.initial
        tokens, width = prepared.description.shape
        return {**prepared.description.geometry, "dim": str(tokens * width)}

    def restore(self, class_prompt: Prompt | None) -> None:
        """Go on from the class prompt that a run had before; a new trainer knows none."""
        self._class_prompt = self._restored = class_prompt

    async def train(self, round_number: int, start: Prompt | None, told: OnProgress) -> Trained:
        """Tune from `start`, or from the initial text in the first round."""
        start = self._initial if start is None else start
        assert start is not None  # noqa: S101 (prepare comes first)
        tuned = await self._trainer.train(
            start,
            round_number=round_number,
            seed=self._job.seed + round_number,
            class_prompt=self._restored,
            on_progress=lambda done, total, loss: told(done, total),
        )
        self._class_prompt, self._restored = tuned.class_prompt, None
        summary = tuned.summary
        facts = {
            "loss_first": summary.loss_first,
            "loss_last": summary.loss_last,
            "steps": float(summary.steps),
            "train_seconds": summary.seconds,
            "train_cpu_seconds": summary.cpu_seconds,
            "train_gpu_seconds": summary.gpu_seconds,
            "own_accuracy": summary.accuracy,
        }
        return Trained(tuned.domain_prompt, tuned.class_prompt, facts)

    async def evaluate(self, domain_prompt: Prompt) -> dict[str, float]:
        """Accuracy on the own held-out images of the template, and of the domain prompt with L."""
        assert self._description is not None  # noqa: S101 (prepare comes first)
        own = self._class_prompt
        context = domain_prompt if own is None else domain_prompt + own
        measured = await self._trainer.evaluate(context)
        return {"accuracy": measured.accuracy, "zero_shot": self._description.zero_shot}

    def metadata(self) -> dict[str, str]:
        """Weights digest, template and classes that a stored prompt belongs to."""
        described = self._description
        if described is None:
            return {}
        return {
            "kind": "clip",
            "weights": described.geometry["weights"],
            "template": self._job.clip.template,
            "classes": ", ".join(described.classes),
            "train_count": str(described.train_count),
            "test_count": str(described.test_count),
        }

    async def stop(self) -> None:
        """End the trainer's process."""
        await self._trainer.stop()

    def _clip(self) -> ClipSettings:
        return ClipSettings(**self._job.clip.model_dump())

    def _data(self) -> DataSettings:
        chosen = self._settings.data
        if chosen.kind is None:
            raise ConfigError(
                "data.kind says not which images this party trains on",
                fix="set it to imagefolder, npz or, for a trial with public images, to embedded",
            )
        return DataSettings(
            kind=DataKind(chosen.kind),
            path=None if chosen.path is None else str(chosen.path),
            domain=chosen.domain,
            part=chosen.part,
            partition=Partition(chosen.partition),
            beta=chosen.beta,
            shots=chosen.shots,
            test_fraction=chosen.test_fraction,
            seed=chosen.seed,
            on_bad_image=OnBadImage(chosen.on_bad_image),
        )

    def _training(self) -> TrainingSettings:
        job, device = self._job.training, self._settings.training
        return TrainingSettings(
            optimiser=Optimiser(job.optimiser),
            learning_rate=job.learning_rate,
            class_learning_rate=job.class_learning_rate,
            steps=job.steps,
            batch=job.batch,
            gradient_clip=job.gradient_clip,
            rank=job.rank,
            device=device.device,
            threads=device.threads,
        )
