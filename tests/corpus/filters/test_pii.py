from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmcli.corpus.filters.pii import Pii

from .scaling import UNITS, growth


def resident(start: str) -> str:
    """A Chinese id with its check digit, computed as the standard describes it: weights 7, 9, 10, ..."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(start, weights, strict=True))
    return start + "10X98765432"[total % 11]


def luhn(start: str) -> str:
    """The number with the last digit that makes it pass, found by trying."""
    for last in "0123456789":
        digits = [int(sign) for sign in reversed(start + last)]
        if (
            sum(digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(digits)) % 10
            == 0
        ):
            return start + last
    raise AssertionError


ID = resident("11010119900307775")
ID_X = next(number for serial in range(100) if (number := resident(f"44052419800101{serial:03}")).endswith("X"))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Mail to jane.doe+x@mail.example.co.uk.", "Mail to <email>."),
        ("<jane@example.org>, mailto:bob_1@a-b.de?x", "<<email>>, mailto:<email>?x"),
        ("邮箱abc@qq.com联系", "邮箱<email>联系"),
        ("ftp://user:secret@example.org/", "ftp://user:<email>/"),
        ("...a%b@x.museum--", "...<email>--"),
        ("a@b.cc and @c and d@e.ff", "<email> and @c and <email>"),
        ("juan@correo.com.py", "<email>"),
    ],
)
def test_emails(text: str, rest: str) -> None:
    assert Pii().apply(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        "@decorator",
        "root@localhost",
        "a @ b.com",
        "x@1.2.3",
        "logo@2x.png",
        "A@B.T",
        "name@.com",
        "@example.org",
        "pkg@example.org_x",
        "@@@",
        "a@" + "b" * 64 + ".org",
    ],
)
def test_no_emails(text: str) -> None:
    assert Pii().apply(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("from 93.184.216.34.", "from <ip>."),
        ("93.184.216.34:8080, 185.199.108.153/32", "<ip>:8080, <ip>/32"),
        ("93.184.216.34-93.184.216.99", "<ip>-<ip>"),
        ("地址93.184.216.34。", "地址<ip>。"),
        ("at 2606:2800:220:1:248:1893:25c8:1946.", "at <ip>."),
        ("[2a00:1450:4001:80b::200e]:443", "[<ip>]:443"),
        ("2001:4860::8888: text", "<ip>: text"),
        ("2A00:1450::", "<ip>"),
        ("::ffff:93.184.216.34", "::ffff:<ip>"),
    ],
)
def test_addresses_of_machines(text: str, rest: str) -> None:
    assert Pii().apply(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3",
        "version 93.184.216.34",
        "v93.184.216.34",
        "Release: 93.184.216.34",
        "2.5.29.36 and 12.0.4.66 and 8.8.8.8",
        "93.184.216.34.5",
        "5.93.184.216.34",
        "93.184.216.256",
        "93.184.216.034",
        "pkg-93.184.216.34.tar",
        "93.184.216.34-beta",
        "10.20.133.244 192.168.133.244 127.0.0.1 169.254.99.98 172.16.99.98 100.64.99.98 203.0.113.99",
        "0.99.98.97 224.99.98.97 255.255.255.255",
        "12:30:45",
        "std::vector a::b ::  x[::1] 2001::x",
        "fe80::1 fd00::1 2001:db8::1 ::1",
        "2606:2800:220:1:248:1893:25c8",
        "2606:2800:220:1:248:1893:25c8:1946:1",
        "2001::1::1 x2001:4860::1",
        "de:ad:be:ef:00:01:02:03",
    ],
)
def test_no_addresses_of_machines(text: str) -> None:
    assert Pii().apply(text) == text


def test_private_addresses_where_asked_for() -> None:
    ours = "10.0.0.1 192.168.1.1 127.0.0.1 172.31.255.255 203.0.113.99 fe80::1 fd00::1 ::1 2001:db8::1"
    assert Pii(private_addresses=True).apply(ours) == " ".join(["<ip>"] * 9)
    others = "0.99.98.97 255.255.255.255 1.2.3.4 172.32.1.1x ff02::1 ::"
    assert Pii(private_addresses=True).apply(others) == others


@pytest.mark.parametrize(
    "number",
    [
        "+49 30 1234567",
        "+1-816-555-1212",
        "+44 (0)20 7946 0958",
        "+8613812345678",
        "+1.415.555.2671",
        "0049 171 1234567",
        "(415) 555-2671",
        "(415)555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-555-0199",
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        "010-12345678",
        "0755-1234567",
        "(010) 12345678",
        "03-1234-5678",
        "090-1234-5678",
        "01 23 45 67 89",
        "06.12.34.56.78",
        "020 7946 0958",
        "07700 900123",
        "01632 960123",
    ],
)
def test_phones(number: str) -> None:
    assert Pii().apply(f"Call {number}, now") == "Call <phone>, now"
    assert Pii().apply(f"({number})") == "(<phone>)"
    assert Pii().apply(f"电话{number}。") == "电话<phone>。"


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02 and 01-02-2024",
        "12:30:45.123456",
        "+0100 +12 +1234567",
        "Decimal('+35236450.6')",
        "1234567890",
        "1700000000 1700000000000",
        "12345678901",
        "115-555-2671 415-155-2671 415-555-26711",
        "415 555 2671",
        "415-555.2671",
        "0069 0307 0303",
        "978-3-16-148410-0",
        "ISBN 0-306-40615-2",
        "a13812345678 13812345678b 0.13812345678 13812345678.5",
        "3.141592653589793",
        "1,234,567.89",
        "00 11 22 33 44",
        "http://a.b/415-555-2671",
        "+1234567890123456",
    ],
)
def test_no_phones(text: str) -> None:
    assert Pii().apply(text) == text


@pytest.mark.parametrize(
    "number",
    [
        luhn("411111111111111"),
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        luhn("55555555555544" + "4"),
        luhn("222100000000000"),
        "3782 822463 10005",
        "378282246310005",
        luhn("601111111111111"),
        luhn("62220212345678901" + "2"),
        luhn("353011133330000"),
        luhn("3056930902590"),
        luhn("411111111111"),
    ],
)
def test_cards(number: str) -> None:
    assert Pii().apply(f"card {number}, 12/25") == "card <card>, 12/25"
    last = str((int(number[-1]) + 1) % 10)
    wrong = f"card {number[:-1]}{last}"
    assert Pii().apply(wrong) == wrong


def test_cards_with_more_behind_them() -> None:
    assert Pii().apply("4111 1111 1111 1111 123 Street") == "<card> 123 Street"
    assert Pii().apply("4111 1111 1111 1111 12345") == "<card> 12345"


@pytest.mark.parametrize(
    "text",
    [
        luhn("911111111111111"),
        luhn("41111111111"),
        "4111 1111-1111 1111",
        "4111 1111 1111 11112",
        "x4111111111111111",
        "0.4111111111111111",
        "4111111111111111e5",
        "0000 0000 0000 0000",
    ],
)
def test_no_cards(text: str) -> None:
    assert Pii().apply(text) == text


@pytest.mark.parametrize(
    "number",
    [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NL91ABNA0417164300",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ],
)
def test_ibans(number: str) -> None:
    assert Pii().apply(f"IBAN {number}, BIC X") == "IBAN <iban>, BIC X"
    assert Pii().apply(f"IBAN: {number} AND MORE 12") == "IBAN: <iban> AND MORE 12"
    wrong = number.replace(number[3], str((int(number[3]) + 1) % 10), 1)
    assert "<iban>" not in Pii().apply(wrong)


@pytest.mark.parametrize(
    "text", ["XX89370400440532013000", "DE8937040044053201300", "ADE89370400440532013000", "DE89370400440532013000X"]
)
def test_no_ibans(text: str) -> None:
    assert Pii().apply(text) == text


@pytest.mark.parametrize("number", [ID, ID_X, ID_X.lower()])
def test_chinese_resident_ids(number: str) -> None:
    assert Pii().apply(f"身份证号{number}。") == "身份证号<id>。"


@pytest.mark.parametrize(
    "number",
    [
        ID[:17] + ("0" if ID[17] != "0" else "1"),
        resident("99010119900307775"),
        resident("11010119901307775"),
        resident("11010117900307775"),
        "x" + ID,
        ID + "1",
    ],
)
def test_no_chinese_resident_ids(number: str) -> None:
    assert "<id>" not in Pii().apply(number)


KINDS = {
    "email": "a@b.org",
    "ip": "93.184.216.34",
    "phone": "+49 30 1234567",
    "card": "4111111111111111",
    "iban": "DE89370400440532013000",
    "resident_id": ID,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_placeholder_and_can_be_switched_off(kind: str) -> None:
    settings: dict[str, Any] = {kind: "[X]"}
    assert Pii(**settings).apply(f"a {KINDS[kind]} b") == "a [X] b"
    settings = dict.fromkeys(KINDS, "")
    assert Pii(**settings).apply(" ; ".join(KINDS.values())) == " ; ".join(KINDS.values())


@pytest.mark.parametrize("text", ["", "1", "@", "+", ":", "\x00", "a" * 100_000])
def test_short_and_long(text: str) -> None:
    assert Pii().apply(text) == text


PIECES = st.sampled_from(
    [*KINDS.values(), *"+-.: @(/1aA", "2606:2800::1", "138 1234 5678", "見", "<ip>", "\ud800", "٣"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(st.characters(exclude_categories=())))
@example("a@b.ccc@d.ee")
def test_masks_are_left_alone(text: str) -> None:
    once = Pii().apply(text)
    for placeholder in ("<email>", "<ip>", "<phone>", "<card>", "<iban>", "<id>"):
        assert once.count(placeholder) >= text.count(placeholder)


@given(st.lists(PIECES, max_size=12).map(" ".join))
@example("13812345678+49 30 901820")
@example("13812345678(13812345678")
@example("me@x.com2606:4700::1me@x.com")
@example("me@x.com-GB82WEST12345698765432")
@example("2606:2800::1:13812345678")
@example("AA00 4111111111111111 GB82WEST12345698765432")
def test_twice_is_once(text: str) -> None:
    once = Pii().apply(text)
    assert Pii().apply(once) == once


def test_random_numbers_are_seldom_taken_for_personal_ones() -> None:
    generator = random.Random(0)
    numbers = [str(generator.randrange(10**length)) for length in range(6, 22) for _ in range(1000)]
    text = "\n".join(numbers)
    masked = Pii().apply(text).split("\n")
    assert sum(new != old for new, old in zip(masked, numbers, strict=True)) < 0.02 * len(numbers)


@pytest.mark.parametrize(
    "unit",
    [*UNITS, "1a@b.", "a.b@", "+1 ", "1.", "12-", "0 ", "00", "9" * 16 + " ", "DE89 ", "a:b:", "1:", "(1", "::1."],
)
@pytest.mark.parametrize("before", ["", "x@y.zz +49 30 1234567 "])
def test_time_is_linear(unit: str, before: str) -> None:
    assert growth(lambda text: Pii(private_addresses=True).apply(before + text), unit) < 2.6
