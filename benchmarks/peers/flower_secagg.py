"""SecAgg+ by the functions that Flower ships, all clients and the server in one process, one round.

    python flower_secagg.py PARTIES DIM THRESHOLD REPEATS SEED

Nothing is sent: this is the arithmetic alone, of which Flower's own client and server are made (its
`secaggplus_mod` and `SecAggPlusWorkflow`), with their defaults: every client shares with every
other, nobody drops out. Prints, as JSON, the seconds and CPU seconds of each repeat, the bytes of
the masked vectors, keys and shares, and how far the mean is off.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass

import numpy as np
from flwr.common.secure_aggregation.crypto import shamir, symmetric_encryption
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_combine,
    factor_extract,
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import dequantize, quantize
from flwr.common.secure_aggregation.secaggplus_utils import (
    pseudo_rand_gen,
    share_keys_plaintext_concat,
    share_keys_plaintext_separate,
)
from flwr.supercore.primitives.asymmetric import (
    bytes_to_private_key,
    bytes_to_public_key,
    generate_key_pairs,
    private_key_to_bytes,
    public_key_to_bytes,
)

CLIP, TARGET, MODULUS = 8.0, 1 << 22, 1 << 32  # The workflow's defaults; weights are equal.


@dataclass
class Client:
    """What one client keeps from stage to stage: key pairs, its seed, the shares it holds."""

    number: int
    keys: list[tuple[bytes, bytes]]
    seed: bytes
    held: dict[int, bytes]


def set_up(number: int) -> Client:
    """Two key pairs and a private seed."""
    pairs = [generate_key_pairs() for _ in range(2)]
    keys = [(private_key_to_bytes(own), public_key_to_bytes(public)) for own, public in pairs]
    return Client(number, keys, os.urandom(32), {})


def shared(client: Client, other: Client, pair: int) -> bytes:
    """The key that two clients have in common."""
    return symmetric_encryption.generate_shared_key(
        bytes_to_private_key(client.keys[pair][0]), bytes_to_public_key(other.keys[pair][1])
    )


def share_keys(client: Client, clients: list[Client], threshold: int) -> int:
    """Shamir-share the seed and the first key, encrypted for each other client; returns bytes."""
    seeds = shamir.create_shares(client.seed, threshold, len(clients))
    keys = shamir.create_shares(client.keys[0][0], threshold, len(clients))
    sent = 0
    for other, seed, key in zip(clients, seeds, keys, strict=True):
        if other is client:
            client.held[client.number] = seed
            continue
        about = (client.number, other.number, seed, key)
        sealed = symmetric_encryption.encrypt(
            shared(client, other, 1), share_keys_plaintext_concat(*about)
        )
        sent += 2 * len(sealed)  # To the server and on.
        plain = symmetric_encryption.decrypt(shared(other, client, 1), sealed)
        other.held[client.number] = share_keys_plaintext_separate(plain)[2]
    return sent


def masked(client: Client, clients: list[Client], vector: np.ndarray) -> list[np.ndarray]:
    """The quantised vector under the private mask and one mask for each other client."""
    parameters = factor_combine(TARGET, quantize([vector], CLIP, TARGET))
    shapes = [one.shape for one in parameters]
    parameters = parameters_addition(parameters, pseudo_rand_gen(client.seed, MODULUS, shapes))
    for other in clients:
        if other is client:
            continue
        mask = pseudo_rand_gen(shared(client, other, 0), MODULUS, shapes)
        combine = parameters_addition if client.number > other.number else parameters_subtraction
        parameters = combine(parameters, mask)
    return parameters_mod(parameters, MODULUS)


def unmasked(total: list[np.ndarray], clients: list[Client], threshold: int) -> np.ndarray:
    """The server's last stage: every private mask from its shares, and off with it."""
    shapes = [one.shape for one in total]
    for client in clients:
        shares = [other.held[client.number] for other in clients][:threshold]
        seed = shamir.combine_shares(shares)
        total = parameters_subtraction(total, pseudo_rand_gen(seed, MODULUS, shapes))
    ratio, total = factor_extract(parameters_mod(total, MODULUS))
    (mean,) = dequantize(total, CLIP, TARGET)
    return (mean - (len(clients) - 1) * CLIP) * (TARGET / ratio)


def one_round(vectors: np.ndarray, threshold: int) -> tuple[np.ndarray, int]:
    """All stages; the mean as the server has it, and the bytes that would have been sent."""
    clients = [set_up(number) for number in range(len(vectors))]
    sent = sum(share_keys(client, clients, threshold) for client in clients)
    total: list[np.ndarray] | None = None
    for client, vector in zip(clients, vectors, strict=True):
        one = masked(client, clients, vector)
        sent += sum(part.nbytes for part in one)
        total = one if total is None else parameters_addition(total, one)
    assert total is not None
    mean = unmasked(total, clients, threshold)
    return mean, sent + len(clients) * mean.astype(np.float32).nbytes


def main() -> None:
    """Repeat, and print what it cost."""
    parties, dim, threshold, repeats, seed = map(int, sys.argv[1:])
    vectors = np.random.default_rng(seed).normal(size=(parties, dim)) * 0.1
    told: dict[str, list[float]] = {"seconds": [], "cpu_seconds": [], "bytes": [], "error": []}
    for _ in range(repeats):
        begin = time.monotonic(), time.process_time()
        mean, sent = one_round(vectors, threshold)
        told["seconds"].append(time.monotonic() - begin[0])
        told["cpu_seconds"].append(time.process_time() - begin[1])
        told["bytes"].append(sent)
        told["error"].append(float(np.abs(mean - vectors.mean(axis=0)).max()))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
