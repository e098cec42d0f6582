"""hoosh.cache: what shares a key, what does not, and what has none."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoosh.cache import key
from hoosh.errors import InvalidRequest

BODY = b'{"model":"m","messages":[{"role":"user","content":"a/b"}],"temperature":1}'


@pytest.mark.parametrize(
    "same",
    [
        b' {"temperature" : 1.0,"messages":[ {"content":"\\u0061\\/b", "role":"user"} ],"mod\\u0065l":"m"}\n',
        BODY[:-1] + b',"stream":true,"stream_options":{"include_usage":true},"user":"u","metadata":{"a":"b"}}',
        BODY.replace(b"1}", b"10e-1}"),
        bytearray(BODY),
    ],
)
def test_other_spellings_share_the_key(same):
    assert key(same, "team") == key(BODY, "team")


@pytest.mark.parametrize(
    "other",
    [
        BODY.replace(b"a/b", b"a/B"),
        BODY.replace(b"1}", b'"1"}'),
        BODY.replace(b"1}", b"1.0000000000000000000001}"),
        BODY[:-1] + b',"unknown":null}',
        BODY[:-1] + b',"seed":7}',
    ],
)
def test_what_can_change_the_answer_changes_the_key(other):
    assert key(other, "team") != key(BODY, "team")


def test_a_key_belongs_to_its_tenant():
    assert re.fullmatch("[0-9a-f]{64}", key(BODY, "a"))
    assert len({key(BODY, tenant) for tenant in ("", "a", "b", "ab", "a\0")}) == 5


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=6), st.randoms(use_true_random=False))
def test_order_space_and_escapes_never_matter(fields, random):
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    pretty = json.dumps(dict(shuffled), indent=1).encode()
    plain = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    assert key(pretty, "t") == key(plain, "t")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_value", None),
        (b'{"a":1,"\\u0061":2}', "duplicate_parameter", "a"),
        (b'{"a":' + b"[" * 100_000, "invalid_json", None),
        (b'{"a":1e9999999999999999999}', "invalid_value", None),
    ],
)
def test_what_has_no_key_is_refused(body, code, param):
    with pytest.raises(InvalidRequest) as caught:
        key(body, "t")
    assert (caught.value.code, caught.value.param) == (code, param)
