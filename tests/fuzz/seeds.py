"""Where the fuzzer begins: the corpus of odd JSON as requests, and requests that are odd in other ways."""

from __future__ import annotations

from tests.json_corpus.decided import DECIDED
from tests.json_corpus.refused import REFUSED
from tests.json_corpus.taken import TAKEN

ID = "0192f0c1-0000-7000-8000-00000000000a"

REQUESTS = (
    '{"id":"%s","action":"delay"}',
    '{"id":"%s","action":"delay","seconds":3,"note":"a","on":true,"off":null}',
    '{"action":"delay","id":"%s","a":{"id":"x"},"b":[1.50,{"c":"\\u00e9"}]}',
    '{"id":"%s","action":"delay","n":1,"n":1}',
    '{"id":"%s","action":"delay","n":{"a":1,"a":2}}',
    '{"id":"%s","action":"delay","big":9007199254740993,"small":-9007199254740993,"zero":-0}',
    '{"id":"%s","action":"delay","n":[1,1.0,10e-1,100,1e2,1E+2,0.1,1e-1]}',
    '{"id":"%s","action":"delay","n":0.12345678901234567890123456789012345678}',
    '{"id":"%s","action":"delay","n":1.5}',
    '{"id":"%s","action":"delay","n":"1.5"}',
    '{"id":"%s","action":"delay","name":"\\ud83d\\ude00 \\" \\\\ \\/ \u2028"}',
    '{"id":"%s","action":"delay","status":1}',
    '{"id":"%s","action":"delay","_x":1}',
    '{"id":"%s","action":"delay","\\u005fx":1}',
    '{"id":"%s","action":"delay","st\\u0061tus":1}',
    '{"id":"%s","action":7}',
    '{"id":"%s","act\\u0069on":"delay","":1}',
    ' {\t"id" :\r"%s"\n, "action":"delay" } \n',
)


def request(member: bytes) -> bytes:
    """A request with that as the text of one member's value."""
    return b'{"id":"%b","action":"delay","x":%b}' % (ID.encode(), member)


def seeds() -> list[bytes]:
    """Each as an input of its own."""
    ids = (ID, ID.upper(), ID.replace("0", "f"), "00000000-0000-0000-0000-000000000000", "x")
    texts = [*TAKEN.values(), *REFUSED.values(), *(one.text for one in DECIDED.values())]
    return [
        *((one % id_).encode() for one in REQUESTS for id_ in ids),
        *map(request, texts),
        *texts,
    ]
