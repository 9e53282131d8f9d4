"""Measure the embedded CLIP and photographs: zero-shot, tuned prompts, and their clusters.

Writes one JSON file; docs/embedded-default.md explains the figures. About five minutes on one core:

    python scripts/measure_embedded.py --out benchmarks/results/embedded-default.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secfpp.bench.machine import provenance
from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.plain import adjusted_rand_index, run_plain
from secfpp.cluster.queries import Assignment, Task
from secfpp.learn import trainer
from secfpp.learn.clip import load_clip
from secfpp.learn.embedded import embedded_train_test, rendered, tiny_clip_directory
from secfpp.learn.images import ImageSet
from secfpp.learn.partition import by_domain
from secfpp.learn.prompt import HierarchicalPrompt
from secfpp.learn.renderings import Domain
from secfpp.learn.settings import ClipSettings, Optimiser, TrainingSettings

DOMAINS = [str(domain) for domain in Domain]
BASELINE = "a photo of a {}."
CLIP = ClipSettings(template=BASELINE)
TEMPLATES = [
    BASELINE,
    "a photograph of a {}.",
    "a pencil drawing of a {}.",
    "a pencil sketch of a {}.",
    "an outline drawing of a {}.",
    "a cartoon of a {}.",
    "a flat cartoon of a {}.",
    "a dark photo of a {}.",
    "a night photo of a {}.",
    "a noisy dark photo of a {}.",
]
RECIPE = TrainingSettings(
    optimiser=Optimiser.ADAM,
    learning_rate=0.005,
    class_learning_rate=0.0005,
    steps=20,
    batch=1000,
)
"""What a party does in one round; a batch holds all its images."""

ALONE = replace(RECIPE, steps=60, batch=3000)
"""For one prompt tuned outside a federation."""

FRACTION_BITS = 16
ROUNDS = 3
PARTIES_PER_DOMAIN = 4
FEDERATIONS = [["photograph", "pencil"], ["pencil", "cartoon", "night"]]
PAIRED_SEEDS, CLUSTER_SEEDS = range(3), range(5)
SHARE = 0.75
"""Of the training photographs, how many a seed draws for tuning one prompt."""

Hits = NDArray[np.float64]
Rows = NDArray[np.int64]
Prompts = tuple[Tensor, Tensor]


class Photographs:
    """The ten classes in every domain: cached features of training and held-out photographs."""

    def __init__(self) -> None:
        train, test = embedded_train_test()
        self.clip = load_clip(CLIP, torch.device("cpu"))
        self.tuning = trainer.Task(self.clip.tower(train.classes), self.clip.scale)
        self.classes, self.train_labels, self.test_labels = (
            train.classes,
            train.labels,
            torch.from_numpy(test.labels),
        )
        self.train = {d: self._features(rendered(train, d, seed=0)) for d in DOMAINS}
        self.test = {d: self._features(rendered(test, d, seed=1)) for d in DOMAINS}
        self.start = self.clip.initial_context()
        self.nothing = torch.zeros_like(self.start)

    def _features(self, images: ImageSet) -> Tensor:
        fitted = self.clip.preprocessing.fit_all(images)
        return torch.from_numpy(self.clip.image_features(fitted.images))

    @torch.no_grad()
    def hits(self, context: Tensor, domain: str) -> Hits:
        """Per held-out image, 1 where the nearest class is the right one and 0 where not."""
        logits = self.tuning.logits(context, self.test[domain])
        return self._right(logits)

    def template_hits(self, template: str, domain: str) -> Hits:
        """The same without a prompt, for a hand-written template."""
        clip = load_clip(ClipSettings(template=template), torch.device("cpu"))
        return self._right(self.test[domain] @ clip.zero_shot_features(self.classes).T)

    def _right(self, logits: Tensor) -> Hits:
        return (logits.argmax(dim=1) == self.test_labels).numpy().astype(np.float64)

    def tune(
        self, start: Prompts, parts: list[tuple[str, Rows]], recipe: TrainingSettings, *, seed: int
    ) -> Prompts:
        """Tune G and L on the given training images, each part in its domain."""
        features = torch.cat([self.train[domain][rows] for domain, rows in parts])
        labels = torch.cat([torch.from_numpy(self.train_labels[rows]) for _, rows in parts])
        prompt = HierarchicalPrompt(*start)
        trainer.train(self.tuning, trainer.Examples(features, labels), prompt, recipe, seed=seed)
        return prompt.domain.detach(), prompt.classes.detach()


def _interval(differences: Hits) -> dict[str, float]:
    """Mean of paired differences in points, with a normal 95 % interval over images."""
    points = 100 * differences
    half = 1.96 * points.std(ddof=1) / np.sqrt(len(points))
    return {
        "mean": round(points.mean(), 2),
        "low": round(points.mean() - half, 2),
        "high": round(points.mean() + half, 2),
    }


def tuned_prompts(task: Photographs, domains: list[str]) -> Hits:
    """Held-out hits (domain of test, image) of one prompt tuned on `domains`, mean over seeds."""
    total = np.zeros((len(DOMAINS), len(task.test_labels)))
    for seed in PAIRED_SEEDS:
        generator = np.random.default_rng(seed)
        count = len(task.train_labels)
        rows = generator.permutation(count)[: int(SHARE * count)]
        parts = [(domain, rows) for domain in domains]
        domain, own = task.tune((task.start, task.nothing), parts, ALONE, seed=seed)
        total += [task.hits(domain + own, name) for name in DOMAINS]
    return total / len(PAIRED_SEEDS)


def accuracy_figures(task: Photographs) -> dict[str, object]:
    """Zero-shot, right, wrong and pooled prompts in every domain, paired."""
    zero = {t: [task.template_hits(t, d) for d in DOMAINS] for t in TEMPLATES}
    by_domain = {name: tuned_prompts(task, [name]) for name in DOMAINS}
    pooled = tuned_prompts(task, DOMAINS)
    figures: dict[str, object] = {}
    for index, name in enumerate(DOMAINS):
        right = by_domain[name][index]
        best = max(TEMPLATES, key=lambda text: zero[text][index].mean())
        figures[name] = {
            "zero_shot": {text: _percent(zero[text][index]) for text in TEMPLATES},
            "best_template": best,
            "tuned_in": {other: _percent(by_domain[other][index]) for other in DOMAINS},
            "pooled": _percent(pooled[index]),
            "right_minus_zero_shot": _interval(right - zero[BASELINE][index]),
            "right_minus_best_template": _interval(right - zero[best][index]),
            "right_minus_pooled": _interval(right - pooled[index]),
            "right_minus_wrong": {
                other: _interval(right - by_domain[other][index])
                for other in DOMAINS
                if other != name
            },
        }
    return figures


def _percent(hits: Hits) -> float:
    return round(100 * float(hits.mean()), 2)


class Federation:
    """Some parties in true domains, in an order that tells nothing, over several rounds."""

    def __init__(self, task: Photographs, domains: list[str], seed: int) -> None:
        self._task, self._seed = task, seed
        one = np.zeros_like(task.train_labels)
        rows = {
            domain: by_domain(task.train_labels, one, PARTIES_PER_DOMAIN, 10 * seed + index)
            for index, domain in enumerate(domains)
        }
        parties = [(domain, part) for domain in domains for part in rows[domain]]
        order = np.random.default_rng(seed).permutation(len(parties))
        self._images = [parties[index] for index in order]
        self.names = tuple(f"party-{index:02d}" for index in range(len(parties)))
        self.domain = {
            name: domain for name, (domain, _) in zip(self.names, self._images, strict=True)
        }
        self.true = {name: domains.index(domain) for name, domain in self.domain.items()}
        self._shared = dict.fromkeys(self.names, task.start)
        self._own = dict.fromkeys(self.names, task.nothing)
        self._previous: Assignment | None = None

    def round(self, number: int, method: ClusteringMethod) -> dict[str, object]:
        """Tune, cluster on plain levels, and average in each found cluster."""
        begin = time.perf_counter()
        for index, (name, images) in enumerate(zip(self.names, self._images, strict=True)):
            start = self._shared[name], self._own[name]
            seed = 1000 * self._seed + 100 * number + index
            self._shared[name], self._own[name] = self._task.tune(
                start, [images], RECIPE, seed=seed
            )
        seconds = (time.perf_counter() - begin) / len(self.names)
        prompts = dict(self._shared)
        levels = {
            name: np.rint(prompt.flatten().double().numpy() * 2**FRACTION_BITS).astype(np.int64)
            for name, prompt in prompts.items()
        }
        count = len(self.names)
        task = Task(self.names, 3 * count * count, self._previous)
        found, questions = run_plain(method.clusterer, task, levels)
        self._previous = found
        for cluster in found.clusters:
            mean = torch.stack([prompts[name] for name in cluster]).mean(0)
            self._shared |= dict.fromkeys(cluster, mean)
        return {
            "adjusted_rand_index": round(adjusted_rand_index(found.labels, self.true), 4),
            "distances_asked": len(questions),
            "largest_value": round(max(float(p.abs().max()) for p in prompts.values()), 3),
            "seconds_per_party": round(seconds, 3),
            **spread(prompts, self.true),
        }

    def accuracy(self) -> dict[str, float]:
        """Held-out accuracy of G + L by domain, mean over its parties."""
        right: dict[str, list[Hits]] = {}
        for name, domain in self.domain.items():
            context = self._shared[name] + self._own[name]
            right.setdefault(domain, []).append(self._task.hits(context, domain))
        return {domain: _percent(np.mean(hits, axis=0)) for domain, hits in right.items()}


def federation(
    task: Photographs, domains: list[str], seed: int, *, method: ClusteringMethod
) -> dict[str, object]:
    """All rounds of one federation."""
    parties = Federation(task, domains, seed)
    rounds = [parties.round(number, method) for number in range(ROUNDS)]
    return {
        "domains": domains,
        "method": method.value,
        "seed": seed,
        "rounds": rounds,
        "accuracy": parties.accuracy(),
    }


def spread(prompts: dict[str, Tensor], true: dict[str, int]) -> dict[str, float]:
    """Squared distances within and between true domains: means, their ratio, and the gap."""
    names = list(prompts)
    pairs = [(a, b) for index, a in enumerate(names) for b in names[:index]]
    squared = {pair: float((prompts[pair[0]] - prompts[pair[1]]).square().sum()) for pair in pairs}
    within = [squared[a, b] for a, b in pairs if true[a] == true[b]]
    between = [squared[a, b] for a, b in pairs if true[a] != true[b]]
    return {
        "within": round(float(np.mean(within)), 5),
        "between": round(float(np.mean(between)), 5),
        "ratio": round(float(np.mean(between) / np.mean(within)), 2),
        "closest_between_over_farthest_within": round(min(between) / max(within), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.monotonic()
    task = Photographs()
    weights = (tiny_clip_directory() / "weights.safetensors").read_bytes()
    report = {
        "schema_version": 1,
        **provenance(PAIRED_SEEDS[0]),
        "threads": 1,
        "torch": torch.__version__,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "recipe_of_a_round": asdict(RECIPE),
        "recipe_outside_a_federation": asdict(ALONE),
        "template": CLIP.template,
        "tokens": len(task.start),
        "held_out_per_domain": len(task.test_labels),
        "paired_seeds": list(PAIRED_SEEDS),
        "accuracy": accuracy_figures(task),
        "federations": [
            federation(task, domains, seed, method=method)
            for method in ClusteringMethod
            for domains in FEDERATIONS
            for seed in CLUSTER_SEEDS
        ],
        "seconds": 0.0,
    }
    report["seconds"] = round(time.monotonic() - begin, 1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out} after {report['seconds']} s")


if __name__ == "__main__":
    main()
