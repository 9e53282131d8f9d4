from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Feature(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_UNSPECIFIED: _ClassVar[Feature]
    FEATURE_DOMAIN: _ClassVar[Feature]
    FEATURE_PERSONALISED: _ClassVar[Feature]

class QueryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_KIND_UNSPECIFIED: _ClassVar[QueryKind]
    QUERY_KIND_MEANS: _ClassVar[QueryKind]
    QUERY_KIND_PAIRWISE: _ClassVar[QueryKind]

class EchoStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ECHO_STAGE_UNSPECIFIED: _ClassVar[EchoStage]
    ECHO_STAGE_BATCH: _ClassVar[EchoStage]
    ECHO_STAGE_ASSIGNMENT: _ClassVar[EchoStage]
FEATURE_UNSPECIFIED: Feature
FEATURE_DOMAIN: Feature
FEATURE_PERSONALISED: Feature
QUERY_KIND_UNSPECIFIED: QueryKind
QUERY_KIND_MEANS: QueryKind
QUERY_KIND_PAIRWISE: QueryKind
ECHO_STAGE_UNSPECIFIED: EchoStage
ECHO_STAGE_BATCH: EchoStage
ECHO_STAGE_ASSIGNMENT: EchoStage

class AttemptKey(_message.Message):
    __slots__ = ("run", "round", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    round: int
    attempt: int
    def __init__(self, run: _Optional[str] = ..., round: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

class Residues(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Vector(_message.Message):
    __slots__ = ("residues", "seed")
    RESIDUES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    residues: Residues
    seed: bytes
    def __init__(self, residues: _Optional[_Union[Residues, _Mapping]] = ..., seed: _Optional[bytes] = ...) -> None: ...

class SharingSpec(_message.Message):
    __slots__ = ("kind", "dim", "clip", "fraction_bits")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    CLIP_FIELD_NUMBER: _ClassVar[int]
    FRACTION_BITS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    dim: int
    clip: float
    fraction_bits: int
    def __init__(self, kind: _Optional[str] = ..., dim: _Optional[int] = ..., clip: _Optional[float] = ..., fraction_bits: _Optional[int] = ...) -> None: ...

class RoundParams(_message.Message):
    __slots__ = ("key", "coordinator", "roster", "colluders", "stragglers", "adversaries", "feature", "sharings", "minimum_cluster", "query_kind", "query_budget", "queries_per_party", "rounds", "strict_queries", "witnesses")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_FIELD_NUMBER: _ClassVar[int]
    ROSTER_FIELD_NUMBER: _ClassVar[int]
    COLLUDERS_FIELD_NUMBER: _ClassVar[int]
    STRAGGLERS_FIELD_NUMBER: _ClassVar[int]
    ADVERSARIES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    SHARINGS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    QUERY_KIND_FIELD_NUMBER: _ClassVar[int]
    QUERY_BUDGET_FIELD_NUMBER: _ClassVar[int]
    QUERIES_PER_PARTY_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    STRICT_QUERIES_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    coordinator: str
    roster: _containers.RepeatedScalarFieldContainer[str]
    colluders: int
    stragglers: int
    adversaries: int
    feature: Feature
    sharings: _containers.RepeatedCompositeFieldContainer[SharingSpec]
    minimum_cluster: int
    query_kind: QueryKind
    query_budget: int
    queries_per_party: int
    rounds: int
    strict_queries: bool
    witnesses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., coordinator: _Optional[str] = ..., roster: _Optional[_Iterable[str]] = ..., colluders: _Optional[int] = ..., stragglers: _Optional[int] = ..., adversaries: _Optional[int] = ..., feature: _Optional[_Union[Feature, str]] = ..., sharings: _Optional[_Iterable[_Union[SharingSpec, _Mapping]]] = ..., minimum_cluster: _Optional[int] = ..., query_kind: _Optional[_Union[QueryKind, str]] = ..., query_budget: _Optional[int] = ..., queries_per_party: _Optional[int] = ..., rounds: _Optional[int] = ..., strict_queries: _Optional[bool] = ..., witnesses: _Optional[_Iterable[str]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("params",)
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    params: RoundParams
    def __init__(self, params: _Optional[_Union[RoundParams, _Mapping]] = ...) -> None: ...

class Commitment(_message.Message):
    __slots__ = ("root", "signature", "salt", "path")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    signature: bytes
    salt: bytes
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, root: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Deal(_message.Message):
    __slots__ = ("key", "shares", "masks", "abstains", "commitment", "params_digest")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    ABSTAINS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PARAMS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    shares: _containers.RepeatedCompositeFieldContainer[Vector]
    masks: Vector
    abstains: str
    commitment: Commitment
    params_digest: bytes
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., shares: _Optional[_Iterable[_Union[Vector, _Mapping]]] = ..., masks: _Optional[_Union[Vector, _Mapping]] = ..., abstains: _Optional[str] = ..., commitment: _Optional[_Union[Commitment, _Mapping]] = ..., params_digest: _Optional[bytes] = ...) -> None: ...

class Received(_message.Message):
    __slots__ = ("dealer", "shares", "masks", "root", "root_signature", "checks")
    DEALER_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    ROOT_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    dealer: str
    shares: bool
    masks: bool
    root: bytes
    root_signature: bytes
    checks: bytes
    def __init__(self, dealer: _Optional[str] = ..., shares: _Optional[bool] = ..., masks: _Optional[bool] = ..., root: _Optional[bytes] = ..., root_signature: _Optional[bytes] = ..., checks: _Optional[bytes] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("key", "received", "signature")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    received: _containers.RepeatedCompositeFieldContainer[Received]
    signature: bytes
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., received: _Optional[_Iterable[_Union[Received, _Mapping]]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("party", "ready")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    party: str
    ready: bytes
    def __init__(self, party: _Optional[str] = ..., ready: _Optional[bytes] = ...) -> None: ...

class Dispute(_message.Message):
    __slots__ = ("key", "dealer", "words")
    KEY_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    dealer: str
    words: _containers.RepeatedCompositeFieldContainer[Word]
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., dealer: _Optional[str] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ...) -> None: ...

class Opening(_message.Message):
    __slots__ = ("key", "dealer", "shares", "masks", "commitment")
    KEY_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    dealer: str
    shares: _containers.RepeatedCompositeFieldContainer[Residues]
    masks: Residues
    commitment: Commitment
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., dealer: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[Residues, _Mapping]]] = ..., masks: _Optional[_Union[Residues, _Mapping]] = ..., commitment: _Optional[_Union[Commitment, _Mapping]] = ...) -> None: ...

class CloseDealing(_message.Message):
    __slots__ = ("key", "missing")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...

class MemberSet(_message.Message):
    __slots__ = ("members",)
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, members: _Optional[_Iterable[int]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("key", "batch", "dealers", "mask_dealers", "subjects", "chosen", "sets", "unsigned")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    DEALERS_FIELD_NUMBER: _ClassVar[int]
    MASK_DEALERS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    UNSIGNED_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    batch: int
    dealers: _containers.RepeatedScalarFieldContainer[str]
    mask_dealers: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[int]
    chosen: _containers.RepeatedScalarFieldContainer[int]
    sets: _containers.RepeatedCompositeFieldContainer[MemberSet]
    unsigned: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., batch: _Optional[int] = ..., dealers: _Optional[_Iterable[str]] = ..., mask_dealers: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[int]] = ..., chosen: _Optional[_Iterable[int]] = ..., sets: _Optional[_Iterable[_Union[MemberSet, _Mapping]]] = ..., unsigned: _Optional[_Iterable[str]] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("key", "batch", "values")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    batch: int
    values: Residues
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., batch: _Optional[int] = ..., values: _Optional[_Union[Residues, _Mapping]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("party", "cluster")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    party: str
    cluster: int
    def __init__(self, party: _Optional[str] = ..., cluster: _Optional[int] = ...) -> None: ...

class Assign(_message.Message):
    __slots__ = ("key", "batches", "labels")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    batches: int
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., batches: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class Echo(_message.Message):
    __slots__ = ("key", "stage", "batch", "digest", "signature")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    stage: EchoStage
    batch: int
    digest: bytes
    signature: bytes
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., stage: _Optional[_Union[EchoStage, str]] = ..., batch: _Optional[int] = ..., digest: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SumShare(_message.Message):
    __slots__ = ("key", "cluster", "values")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    cluster: int
    values: Residues
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., cluster: _Optional[int] = ..., values: _Optional[_Union[Residues, _Mapping]] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("key", "opened")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    opened: bool
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., opened: _Optional[bool] = ...) -> None: ...

class Halt(_message.Message):
    __slots__ = ("key", "code", "reason")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    key: AttemptKey
    code: str
    reason: str
    def __init__(self, key: _Optional[_Union[AttemptKey, _Mapping]] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
