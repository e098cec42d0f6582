"""hoosh.body: spans of fields, and changes that touch nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoosh.body import edit, scan
from hoosh.errors import InvalidRequest

BODY = b'{ "model":"small" , "n" : 1.0, "messages":[ {"\xc3\xa9":"\\ud800"} ] }'


def test_fields_are_found_where_they_are():
    assert {name: BODY[span] for name, span in scan(BODY).items()} == {
        "model": b'"small"',
        "n": b"1.0",
        "messages": b'[ {"\xc3\xa9":"\\ud800"} ]',
    }
    assert list(scan(b'{"\\u0061":1}')) == ["a"]


def test_an_edit_leaves_every_other_byte():
    assert edit(BODY, {}) == BODY
    assert edit(BODY, {"model": b'"large"'}) == BODY.replace(b'"small"', b'"large"')
    assert edit(BODY, {"n": None, "absent": None}) == b'{ "model":"small", "messages":[ {"\xc3\xa9":"\\ud800"} ] }'
    assert edit(b"{}", {"a": memoryview(b"1"), "b": b"[]"}) == b'{"a":1,"b":[]}'


names = st.text(max_size=3)


@given(st.dictionaries(names, st.integers() | st.text()), st.dictionaries(names, st.none() | st.integers()))
def test_an_edit_means_what_a_dict_update_means(fields, changes):
    edited = edit(
        json.dumps(fields).encode(),
        {name: None if value is None else json.dumps(value).encode() for name, value in changes.items()},
    )
    expected = {name: value for name, value in (fields | changes).items() if name not in changes or value is not None}
    assert json.loads(edited) == expected


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b'{"a":1', "invalid_json", None),
        (b'{"a":"\xff"}', "invalid_json", None),
        (b"7", "invalid_value", None),
        (b'{"a":1,"a":2}', "duplicate_parameter", "a"),
    ],
)
def test_bad_bodies_are_refused(body, code, param):
    for refused in (lambda: scan(body), lambda: edit(body, {})):
        with pytest.raises(InvalidRequest) as caught:
            refused()
        assert (caught.value.code, caught.value.param) == (code, param)


def test_a_new_value_has_to_be_json():
    with pytest.raises(InvalidRequest) as caught:
        edit(b"{}", {"a": b'1,"b":2'})
    assert (caught.value.code, caught.value.param) == ("invalid_value", "a")


def test_fifty_megabytes_in_one_string():
    body = b'{"a":"' + b"x" * 50_000_000 + b'","b":1}'
    assert body[scan(body)["b"]] == b"1"
    assert len(edit(body, {"b": None})) == len(body) - len(b',"b":1')
