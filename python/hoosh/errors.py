"""Everything that hoosh raises, in one tree.

HooshError
├── ConfigError                 fix the file, start again
├── RequestError                the caller's side
│   ├── InvalidRequest          malformed, too large, refused by the upstream (also a ValueError)
│   ├── AuthenticationError     no key, or one that is not known
│   ├── PermissionDenied        a known key that may not do this
│   ├── UnknownModel            no provider serves it
│   ├── RateLimited             too many requests, come back later
│   └── BudgetExceeded          the budget has not enough left
├── ProviderError               the upstream's side
│   ├── ProviderTimeout         it was silent for too long
│   ├── ProviderRateLimited     its own limit, on every candidate
│   ├── ProviderUnavailable     refused, reset, answered 5xx, or is benched
│   └── MalformedReply          it answered something that is not its protocol
└── InternalError               ours, or our operator's
    └── ForkError               used in another process than the one that made it (also a RuntimeError)

The codes, their statuses and who is at fault are decided by the core (`native/core/src/error.rs`). This module only says
which class carries which code; a test compares the two.
"""

from typing import ClassVar, Literal

Fault = Literal["caller", "upstream", "gateway"]


class HooshError(Exception):
    """Base of all that hoosh raises; catching it catches everything.

    Attributes:
        message: for a person, with the fix in it; never holds a secret.
        code: the stable word, such as `rate_limit_exceeded`: `error.code` in the OpenAI shape and in the ledger.
        status: the HTTP status that a server answers with it.
        param: the request field concerned, if one is.
        request_id: `x-request-id` of the exchange that failed, if one had begun.
        retry_after: seconds after which a retry makes sense, if that is known.

    """

    fault: ClassVar[Fault] = "gateway"
    """Who has to change something: the caller, the provider, or hoosh and its operator."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "internal_error",
        status: int = 500,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after


class ConfigError(HooshError):
    """The configuration cannot be used as it is; the message says what to change.

    Attributes:
        line: line in the file, from 1, if the fault has a place there.

    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message, code="invalid_configuration")
        self.line = line

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


class RequestError(HooshError):
    """The caller's side: the same request fails again unless the caller changes something or waits."""

    fault: ClassVar[Fault] = "caller"


class InvalidRequest(RequestError, ValueError):
    """The request is malformed, too large, or was refused by the upstream for what it says; `param` names the field."""


class AuthenticationError(RequestError):
    """No key, or one that is not known."""


class PermissionDenied(RequestError):
    """The key is known and may not use this model or this budget."""


class UnknownModel(RequestError):
    """No provider serves the model."""


class RateLimited(RequestError):
    """More requests a minute, or at once, than the key may send; `retry_after` says when to come back."""


class BudgetExceeded(RequestError):
    """The budget has not enough left for the worst case of this request."""


class ProviderError(HooshError):
    """The upstream's side; an instance of this class itself means that it rejected the operator's credential."""

    fault: ClassVar[Fault] = "upstream"


class ProviderTimeout(ProviderError):
    """The upstream was silent for too long."""


class ProviderRateLimited(ProviderError):
    """The upstream's own rate limit, on every candidate."""


class ProviderUnavailable(ProviderError):
    """The upstream could not be reached, answered 5xx or reset, or is benched after failing too often."""


class MalformedReply(ProviderError):
    """The upstream answered something that is not its protocol, or stopped in the middle of it."""


class InternalError(HooshError):
    """A defect of hoosh, or a gateway that is overloaded, going down, or cut off from its store."""


class ForkError(InternalError, RuntimeError):
    """A gateway was used in a child of the process that made it: its threads, wake-ups and budgets stayed there."""


_CLASS_OF_CODE: dict[str, type[HooshError]] = {
    "malformed_request": InvalidRequest,
    "invalid_json": InvalidRequest,
    "invalid_value": InvalidRequest,
    "missing_required_parameter": InvalidRequest,
    "reservation_not_found": InvalidRequest,
    "reservation_settled": InvalidRequest,
    "duplicate_parameter": InvalidRequest,
    "incomplete_body": InvalidRequest,
    "previous_response_not_found": InvalidRequest,
    "unknown_budget": InvalidRequest,
    "unbounded_input": InvalidRequest,
    "context_length_exceeded": InvalidRequest,
    "unsupported_by_model": InvalidRequest,
    "translation_loses": InvalidRequest,
    "unknown_url": InvalidRequest,
    "endpoint_not_supported": InvalidRequest,
    "method_not_allowed": InvalidRequest,
    "request_timeout": InvalidRequest,
    "idempotency_in_progress": InvalidRequest,
    "idempotency_mismatch": InvalidRequest,
    "request_too_large": InvalidRequest,
    "unsupported_media_type": InvalidRequest,
    "expectation_failed": InvalidRequest,
    "headers_too_large": InvalidRequest,
    "unsupported_transfer_coding": InvalidRequest,
    "http_version_not_supported": InvalidRequest,
    "upstream_refused": InvalidRequest,
    "invalid_api_key": AuthenticationError,
    "model_not_allowed": PermissionDenied,
    "budget_not_allowed": PermissionDenied,
    "path_not_allowed": PermissionDenied,
    "host_not_allowed": PermissionDenied,
    "origin_not_allowed": PermissionDenied,
    "model_not_found": UnknownModel,
    "rate_limit_exceeded": RateLimited,
    "request_exceeds_rate_limit": InvalidRequest,
    "concurrency_limit_exceeded": RateLimited,
    "budget_exceeded": BudgetExceeded,
    "upstream_credential_rejected": ProviderError,
    "upstream_quota_exhausted": ProviderError,
    "upstream_rate_limited": ProviderRateLimited,
    "upstream_unreachable": ProviderUnavailable,
    "upstream_error": ProviderUnavailable,
    "upstream_unavailable": ProviderUnavailable,
    "upstream_malformed": MalformedReply,
    "upstream_truncated": MalformedReply,
    "upstream_timeout": ProviderTimeout,
    "budget_unavailable": InternalError,
    "store_unavailable": InternalError,
    "mount_unavailable": InternalError,
    "overloaded": InternalError,
    "draining": InternalError,
    "internal_error": InternalError,
}


def from_code(
    code: str,
    status: int,
    message: str,
    *,
    param: str | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
    unknown: type[HooshError] | None = None,
) -> HooshError:
    """The exception for a stable code of the core; to be raised by the caller.

    A code that this version does not know (one of a newer gateway) is classed by its status: 4xx is the caller's side,
    502 and 504 the upstream's, all else ours; or it is an `unknown`.
    """
    cls = _CLASS_OF_CODE.get(code) or unknown or _class_of_status(status)
    return cls(message, code=code, status=status, param=param, request_id=request_id, retry_after=retry_after)


def _class_of_status(status: int) -> type[HooshError]:
    if 400 <= status < 500:
        return RequestError
    return ProviderError if status in (502, 504) else InternalError
