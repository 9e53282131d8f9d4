from secfpp.wire.v1 import round_pb2 as _round_pb2
from secfpp.wire.v1 import run_pb2 as _run_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("wire_version", "invite", "accept", "refuse", "progress", "report", "ended", "open", "deal", "ready", "close_dealing", "ask", "answers", "assign", "echo", "sum_share", "done", "halt", "dispute", "opening")
    WIRE_VERSION_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    REFUSE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    DEAL_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    CLOSE_DEALING_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_FIELD_NUMBER: _ClassVar[int]
    ECHO_FIELD_NUMBER: _ClassVar[int]
    SUM_SHARE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HALT_FIELD_NUMBER: _ClassVar[int]
    DISPUTE_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    wire_version: int
    invite: _run_pb2.Invite
    accept: _run_pb2.Accept
    refuse: _run_pb2.Refuse
    progress: _run_pb2.Progress
    report: _run_pb2.Report
    ended: _run_pb2.Ended
    open: _round_pb2.Open
    deal: _round_pb2.Deal
    ready: _round_pb2.Ready
    close_dealing: _round_pb2.CloseDealing
    ask: _round_pb2.Ask
    answers: _round_pb2.Answers
    assign: _round_pb2.Assign
    echo: _round_pb2.Echo
    sum_share: _round_pb2.SumShare
    done: _round_pb2.Done
    halt: _round_pb2.Halt
    dispute: _round_pb2.Dispute
    opening: _round_pb2.Opening
    def __init__(self, wire_version: _Optional[int] = ..., invite: _Optional[_Union[_run_pb2.Invite, _Mapping]] = ..., accept: _Optional[_Union[_run_pb2.Accept, _Mapping]] = ..., refuse: _Optional[_Union[_run_pb2.Refuse, _Mapping]] = ..., progress: _Optional[_Union[_run_pb2.Progress, _Mapping]] = ..., report: _Optional[_Union[_run_pb2.Report, _Mapping]] = ..., ended: _Optional[_Union[_run_pb2.Ended, _Mapping]] = ..., open: _Optional[_Union[_round_pb2.Open, _Mapping]] = ..., deal: _Optional[_Union[_round_pb2.Deal, _Mapping]] = ..., ready: _Optional[_Union[_round_pb2.Ready, _Mapping]] = ..., close_dealing: _Optional[_Union[_round_pb2.CloseDealing, _Mapping]] = ..., ask: _Optional[_Union[_round_pb2.Ask, _Mapping]] = ..., answers: _Optional[_Union[_round_pb2.Answers, _Mapping]] = ..., assign: _Optional[_Union[_round_pb2.Assign, _Mapping]] = ..., echo: _Optional[_Union[_round_pb2.Echo, _Mapping]] = ..., sum_share: _Optional[_Union[_round_pb2.SumShare, _Mapping]] = ..., done: _Optional[_Union[_round_pb2.Done, _Mapping]] = ..., halt: _Optional[_Union[_round_pb2.Halt, _Mapping]] = ..., dispute: _Optional[_Union[_round_pb2.Dispute, _Mapping]] = ..., opening: _Optional[_Union[_round_pb2.Opening, _Mapping]] = ...) -> None: ...
