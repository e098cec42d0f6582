"""The Python tree against the codes of the core, and the exceptions' own behaviour."""

import pickle

import pytest

from hoosh import _native, errors
from hoosh.errors import HooshError, from_code


def subclasses(cls: type) -> set[type]:
    return {cls}.union(*(subclasses(child) for child in cls.__subclasses__()))


def test_every_code_of_the_core_has_a_class_and_no_other_code_has():
    assert {code for code, *_ in _native.error_codes()} == set(errors._CLASS_OF_CODE)


@pytest.mark.parametrize(("code", "status", "_type", "fault"), _native.error_codes())
def test_class_and_core_agree_on_who_is_at_fault(code, status, _type, fault):
    error = from_code(code, status, "words", param="model", request_id="r-1", retry_after=2.0)
    assert error.fault == fault
    assert (error.code, error.status, error.message) == (code, status, "words")
    assert (error.param, error.request_id, error.retry_after) == ("model", "r-1", 2.0)
    assert str(error) == "words"


def test_every_class_of_the_tree_is_drawn_in_the_docstring():
    drawn = {name for name in vars(errors) if f"─ {name} " in errors.__doc__ or name == "HooshError"}
    assert drawn == {cls.__name__ for cls in subclasses(HooshError)}


@pytest.mark.parametrize(
    ("status", "cls"), [(418, errors.RequestError), (502, errors.ProviderError), (599, errors.InternalError)]
)
def test_a_code_of_a_newer_gateway_is_classed_by_its_status(status, cls):
    error = from_code("invented_tomorrow", status, "words")
    assert type(error) is cls
    assert error.code == "invented_tomorrow"


def test_an_invalid_request_is_a_value_error_too():
    assert isinstance(from_code("invalid_json", 400, "words"), ValueError)


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(from_code("rate_limit_exceeded", 429, "words", retry_after=3)))
    assert (type(error), error.code, error.retry_after) == (errors.RateLimited, "rate_limit_exceeded", 3)


def test_a_config_error_shows_its_line():
    assert str(errors.ConfigError("no such key", line=3)) == "line 3: no such key"
    assert str(errors.ConfigError("no such key")) == "no such key"
