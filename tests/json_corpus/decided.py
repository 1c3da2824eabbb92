"""What readers of JSON may decide for themselves, and what acuse decides: True is taken, False is refused with 400.

The names are those of the public JSONTestSuite; those with `ours` are not in it. Three of its `y_` are refused here,
since I-JSON (RFC 7493) or DynamoDB is stricter than RFC 8259.
"""

from __future__ import annotations

from typing import NamedTuple


class Decided(NamedTuple):
    """A text that some readers take and others do not."""

    text: bytes
    taken: bool
    why: str


EXPONENT = "beyond the magnitudes that a store keeps exactly; RFC 8259 section 6 lets a reader set limits"
DIGITS = "more than 38 digits cannot be kept exactly; RFC 8259 section 6 lets a reader set limits"
EXACT = "kept exactly, though beyond a double; RFC 8259 section 6 leaves precision to the reader"
SURROGATE = "a lone surrogate is no character: RFC 7493 section 2.1"
UTF_8 = "not UTF-8: RFC 8259 section 8.1, RFC 7493 section 2.1"
TWICE = "names must differ within an object: RFC 7493 section 2.3"
NONCHARACTER = "RFC 7493 section 2.1 asks senders not to; it is kept as it is, since every store can"

DECIDED: dict[str, Decided] = {
    "i_number_double_huge_neg_exp": Decided(b"[123.456e-789]", False, EXPONENT),
    "i_number_huge_exp": Decided(b"[0.4e006699999%b]" % (b"9" * 90), False, EXPONENT),
    "i_number_neg_int_huge_exp": Decided(b"[-1e+9999]", False, EXPONENT),
    "i_number_pos_double_huge_exp": Decided(b"[1.5e+9999]", False, EXPONENT),
    "i_number_real_neg_overflow": Decided(b"[-123123e100000]", False, EXPONENT),
    "i_number_real_pos_overflow": Decided(b"[123123e100000]", False, EXPONENT),
    "i_number_real_underflow": Decided(b"[123e-10000000]", False, EXPONENT),
    "i_number_too_big_neg_int": Decided(b"[-123123123123123123123123123123]", True, EXACT),
    "i_number_too_big_pos_int": Decided(b"[100000000000000000000]", True, EXACT),
    "i_number_very_big_negative_int": Decided(b"[-237462374673276894279832749832423479823246327846]", False, DIGITS),
    "i_object_key_lone_2nd_surrogate": Decided(rb'{"\uDFAA":0}', False, SURROGATE),
    "i_string_1st_surrogate_but_2nd_missing": Decided(rb'["\uDADA"]', False, SURROGATE),
    "i_string_1st_valid_surrogate_2nd_invalid": Decided(rb'["\uD888\u1234"]', False, SURROGATE),
    "i_string_UTF-16LE_with_BOM": Decided(b'\xff\xfe[\x00"\x00\xe9\x00"\x00]\x00', False, UTF_8),
    "i_string_UTF-8_invalid_sequence": Decided(b'["\xe6\x97\xa5\xd1\x88\xfa"]', False, UTF_8),
    "i_string_UTF8_surrogate_U+D800": Decided(b'["\xed\xa0\x80"]', False, UTF_8),
    "i_string_incomplete_surrogate_and_escape_valid": Decided(rb'["\uD800\n"]', False, SURROGATE),
    "i_string_incomplete_surrogate_pair": Decided(rb'["\uDd1ea"]', False, SURROGATE),
    "i_string_incomplete_surrogates_escape_valid": Decided(rb'["\uD800\uD800\n"]', False, SURROGATE),
    "i_string_invalid_lonely_surrogate": Decided(rb'["\ud800"]', False, SURROGATE),
    "i_string_invalid_surrogate": Decided(rb'["\ud800abc"]', False, SURROGATE),
    "i_string_invalid_utf-8": Decided(b'["\xff"]', False, UTF_8),
    "i_string_inverted_surrogates_U+1D11E": Decided(rb'["\uDd1e\uD834"]', False, SURROGATE),
    "i_string_iso_latin_1": Decided(b'["\xe9"]', False, UTF_8),
    "i_string_lone_second_surrogate": Decided(rb'["\uDFAA"]', False, SURROGATE),
    "i_string_lone_utf8_continuation_byte": Decided(b'["\x81"]', False, UTF_8),
    "i_string_not_in_unicode_range": Decided(b'["\xf4\xbf\xbf\xbf"]', False, UTF_8),
    "i_string_overlong_sequence_2_bytes": Decided(b'["\xc0\xaf"]', False, UTF_8),
    "i_string_overlong_sequence_6_bytes": Decided(b'["\xfc\x83\xbf\xbf\xbf\xbf"]', False, UTF_8),
    "i_string_overlong_sequence_6_bytes_null": Decided(b'["\xfc\x80\x80\x80\x80\x80"]', False, UTF_8),
    "i_string_truncated-utf-8": Decided(b'["\xe0\xff"]', False, UTF_8),
    "i_string_utf16BE_no_BOM": Decided(b'\x00[\x00"\x00\xe9\x00"\x00]', False, UTF_8),
    "i_string_utf16LE_no_BOM": Decided(b'[\x00"\x00\xe9\x00"\x00]\x00', False, UTF_8),
    "i_structure_500_nested_arrays": Decided(b"[" * 500 + b"]" * 500, False, "deeper than 30, RFC 8259 section 9"),
    "i_structure_UTF-8_BOM_empty_object": Decided(
        b"\xef\xbb\xbf{}", False, "a byte order mark must not be sent: RFC 8259 section 8.1"
    ),
    "y_object_duplicated_key": Decided(b'{"a":"b","a":"c"}', False, TWICE),
    "y_object_duplicated_key_and_value": Decided(b'{"a":"b","a":"b"}', False, TWICE),
    "y_object_escaped_null_in_key": Decided(rb'{"foo\u0000bar": 42}', False, "no store could name such a column"),
    "i_ours_number_39_digits": Decided(b"[%b]" % (b"1" * 39), False, DIGITS),
    "i_ours_number_39_digits_with_fraction": Decided(b"[-1.%b]" % (b"1" * 38), False, DIGITS),
    "i_ours_number_5000_digits": Decided(b"[%b]" % (b"1" * 5_000), False, EXPONENT),
    "i_ours_number_lonely_39_digits": Decided(b"1" * 39, False, DIGITS),
    "i_ours_number_lonely_10_to_the_126": Decided(b"1" + b"0" * 126, False, EXPONENT),
    "i_ours_number_lonely_minus_10_to_the_125": Decided(b"-1" + b"0" * 125, True, EXACT),
    "i_ours_number_1e126": Decided(b"[1e126]", False, EXPONENT),
    "i_ours_number_-1e126": Decided(b"[-1e126]", False, EXPONENT),
    "i_ours_number_9.99e-131": Decided(b"[9.99e-131]", False, EXPONENT),
    "i_ours_number_zero_with_huge_exponent": Decided(b"[0e999999]", True, "it is zero, whatever the exponent"),
    "i_ours_number_zero_with_exponent_beyond_use": Decided(
        b"[0e%b]" % (b"9" * 30), False, "a reader of exact decimals cannot read it"
    ),
    "i_ours_number_decimal_shifted_into_range": Decided(b"[0.%b1e200]" % (b"0" * 99), True, EXACT),
    "i_ours_object_duplicated_key_deep": Decided(b'[[{"b":{"a":1,"c":2,"a":3}}]]', False, TWICE),
    "i_ours_object_duplicated_key_by_escape": Decided(rb'{"a":1,"\u0061":1}', False, TWICE),
    "i_ours_object_duplicated_key_by_surrogates": Decided(b'{"\xf0\x9f\x98\x80":1,"\\ud83d\\ude00":1}', False, TWICE),
    "i_ours_object_duplicated_empty_key": Decided(b'{"":1,"":1}', False, TWICE),
    "i_ours_object_key_lone_1st_surrogate": Decided(rb'{"\uD800":0}', False, SURROGATE),
    "i_ours_object_key_U+FFFF": Decided(b'{"\xef\xbf\xbf":0}', True, NONCHARACTER),
    "i_ours_object_key_in_utf-8_of_a_surrogate": Decided(b'{"\xed\xbf\xbf":0}', False, UTF_8),
    "i_ours_string_nonCharacter_U+FDD0": Decided(b'["\xef\xb7\x90"]', True, NONCHARACTER),
    "i_ours_string_overlong_sequence_3_bytes": Decided(b'["\xe0\x80\xaf"]', False, UTF_8),
    "i_ours_string_overlong_null": Decided(b'["\xc0\x80"]', False, UTF_8),
    "i_ours_string_surrogate_pair_in_utf-8": Decided(b'["\xed\xa0\xbd\xed\xb8\x80"]', False, UTF_8),
    "i_ours_string_surrogate_half_escaped_half_raw": Decided(b'["\\ud83d\xed\xb8\x80"]', False, UTF_8),
    "i_ours_structure_30_arrays": Decided(b"[" * 30 + b"]" * 30, False, "deeper than 30 within a request"),
    "i_ours_structure_30_objects": Decided(b'{"a":' * 29 + b"{}" + b"}" * 29, False, "deeper than 30 within a request"),
}
