"""Where a text has personal data. Each finder yields (start, end), sorted, without overlaps, in linear time.

All patterns begin with a plain character or a set of them: the search for it is what most of the time goes to. What may
not stand in front is looked at afterwards, by a lookbehind that includes this character.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Iterator

Found = Iterator[tuple[int, int]]

_LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24})(?![A-Za-z0-9_@])")
_FILES = frozenset("png jpg jpeg gif webp svg css js ts html htm json xml".split())  # image@2x.png

_QUAD = re.compile(
    r"[0-9](?<![\w.][0-9])(?<![A-Za-z]-[0-9])[0-9]{0,2}+(?:\.[0-9]{1,3}+){3}(?!\w|\.[0-9a-z]|-[A-Za-z]|::)", re.ASCII
)
_VERSION = re.compile(r"(?:\bv|version|release|build|revision|section|chapter|firmware|driver)[\s:=\"'#]{0,3}\Z", re.I)
_SMALL_PART = 32
_COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")
_HEXTETS = re.compile("[0-9A-Fa-f:]*+")
_V4_TAIL = re.compile(r"\.[0-9]")
_LONGEST_V6 = len("0000:0000:0000:0000:0000:0000:0000:0000")

# IANA's registries of special-purpose addresses: nobody's own, and no address of one machine at all.
_LOCAL_V4 = (
    "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 "
    "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24"
).split()
_NEVER_V4 = ("0.0.0.0/8", "224.0.0.0/3")
_PUBLIC_V6 = ("2000::/3",)
_LOCAL_V6 = ("::1/128", "fc00::/7", "fe80::/10", "2001:db8::/32")

_LONG_NUMBER = re.compile(r"[0-9](?:[ ().\-/]{0,2}+[0-9]){6}")

_IBAN = re.compile("[A-Z](?<![0-9A-Za-z_][A-Z])(?<![0-9]-[A-Z])[A-Z][0-9]{2}(?: ?[A-Z0-9]){11,30}+")
# Characters of an IBAN by country: the IBAN registry of SWIFT.
_IBAN_LENGTHS = {
    item[:2]: int(item[2:])
    for item in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 "
        "SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    ).split()
}

_RESIDENT = re.compile(
    r"[1-8](?<![\w.][0-9])[0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"(?!\w|\.[0-9]|::)",
    re.ASCII,
)
_PROVINCES = frozenset(map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55))))
_PROVINCES |= frozenset(map(str, (*range(61, 66), 71, 81, 82, 83)))

_CARD = re.compile(
    r"[2-6](?<![\w.\-][0-9])(?:[0-9]{12,18}+|[0-9]{3}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?P<tail>\1[0-9]{1,3})?"
    r"|[0-9]{3}([ \-])[0-9]{6}\3[0-9]{4,5}+)(?!\w|[.\-][0-9]|::)",
    re.ASCII,
)
# First digits, from and to, and lengths of card numbers: Visa, Mastercard, American Express, Discover, UnionPay, JCB,
# Diners Club, as their networks publish them (ISO/IEC 7812).
_CARDS = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("6011", "6011", (16, 19)),
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),
    ("3528", "3589", (16, 19)),
    ("300", "305", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
)

_PHONE = re.compile(
    r"[+(0-9](?<![\w.\-/+].)(?:"
    r"(?<=\+)(?![0-9]{1,15}+\.[0-9]{1,15}+(?![.\-]))[1-9](?:[ .\-/()]{0,2}+[0-9]){7,14}"  # with a country code
    r"|(?<=0)0[1-9][0-9]{0,2}+[ \-][1-9](?:[ .\-/]?+[0-9]){6,11}"
    r"|(?<=\()[2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .\-][0-9]{4}"  # North America
    r"|(?<=[2-9])[0-9]{2}([.\-])[2-9][0-9]{2}\1[0-9]{4}"
    r"|(?<=1)[.\-][2-9][0-9]{2}([.\-])[2-9][0-9]{2}\2[0-9]{4}"
    r"|(?<=1)[3-9][0-9](?:[0-9]{8}|([ \-])[0-9]{4}\3[0-9]{4})"  # China, mobile and fixed
    r"|(?<=0)[1-9][0-9]{1,2}-[0-9]{7,8}"
    r"|(?<=\()0[1-9][0-9]{1,2}\) ?[0-9]{7,8}"
    r"|(?<=0)(?=[0-9\-]{11,12}(?![0-9\-]))[1-9][0-9]{0,3}-[0-9]{1,4}-[0-9]{4}"  # Japan: 10 or 11 digits
    r"|(?<=0)[1-9]([ .\-])[0-9]{2}(?:\4[0-9]{2}){3}"  # France
    r"|(?<=0)(?:20[ \-]?[378][0-9]{3}[ \-]?[0-9]{4}|[17][0-9]{3}[ \-][0-9]{6})"  # Britain
    r")(?!\w|[.\-/+][0-9]|\([0-9]{3,4}\)|::)",
    re.ASCII,
)


def emails(text: str) -> Found:
    place = 0
    at = text.find("@")
    while at >= 0:
        before = text[max(place, at - _LONGEST_LOCAL) : at]
        local = before[len(before.rstrip(_LOCAL)) :].lstrip("._%+-")
        domain = _DOMAIN.match(text, at + 1) if local else None
        if domain and domain[1].lower() not in _FILES:
            place = domain.end()
            yield at - len(local), place
        at = text.find("@", at + 1)


def ipv4_addresses(text: str, with_local: bool = False) -> Found:
    """Addresses that somebody may have, or those of private networks and examples too if `with_local`.

    Where three of the four parts are below 32 it may be a version or the number of a section or object: these addresses
    aren't found, which are one in 140 of all.
    """
    for match in _QUAD.finditer(text):
        parts = match[0].split(".")
        numbers = [int(part) for part in parts]
        if max(numbers) > 255 or any(len(part) > 1 and part[0] == "0" for part in parts):
            continue
        address = int.from_bytes(numbers)
        if _within(address, _NEVER_V4):
            continue
        if not with_local if _within(address, _LOCAL_V4) else sorted(numbers)[2] < _SMALL_PART:
            continue
        if not _VERSION.search(text[max(0, match.start() - 16) : match.start()]):
            yield match.span()


def ipv6_addresses(text: str, with_local: bool = False) -> Found:
    place = 0
    while colons := _COLONS.search(text, place):
        before = text[max(place, colons.start() - 4) : colons.start()]
        start = colons.start() - len(before) + len(before.rstrip("0123456789abcdefABCDEF"))
        run = _HEXTETS.match(text, start)
        assert run
        place = run.end()
        if _is_name(text[start - 1 : start]) or text[start - 1 : start] == "." or _is_name(text[place : place + 1]):
            continue
        found = run[0]
        if _V4_TAIL.match(text, place) or len(found) - found.rfind(":") > 5:
            found = found[: found.rfind(":") + 1]  # what follows is another number
        found = found if found.endswith("::") else found.rstrip(":")
        if len(found) <= _LONGEST_V6 and (found.count(":") == 7 or "::" in found) and _is_v6(found, with_local):
            yield start, start + len(found)


def _is_name(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _is_v6(text: str, with_local: bool) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ipaddress.AddressValueError:
        return False
    return with_local if _within(int(address), _LOCAL_V6) else _within(int(address), _PUBLIC_V6)


def _within(address: int, networks: Iterable[str]) -> bool:
    return any(address & mask == base for base, mask in map(_network, networks))


@functools.cache
def _network(name: str) -> tuple[int, int]:
    network = ipaddress.ip_network(name)
    return int(network.network_address), int(network.netmask)


def has_long_number(text: str) -> bool:
    """Whether there are seven digits in a row, or nearly so; without them nothing below is found."""
    return _LONG_NUMBER.search(text) is not None


def ibans(text: str) -> Found:
    """ISO 13616: the length is the country's, and the number modulo 97 is 1."""
    place = 0
    while match := _IBAN.search(text, place):
        start = match.start()
        place = start + 4  # where this is none, the next one may begin among its characters
        length = _IBAN_LENGTHS.get(match[0][:2], 0)
        end = _after(match[0], length)
        if not length or not end or _goes_on(text, start + end):
            continue
        number = match[0][:end].replace(" ", "")
        if int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1:
            place = start + end
            yield start, place


def _goes_on(text: str, place: int) -> bool:
    return text[place : place + 1].isalnum() or text.startswith("::", place)


def _after(text: str, count: int) -> int:
    """Where so many characters other than spaces end, or 0 where there are fewer."""
    for place, sign in enumerate(text, 1):
        count -= sign != " "
        if count == 0:
            return place
    return 0


def resident_ids(text: str) -> Found:
    """Chinese ids: GB 11643-1999, with the check digit of ISO 7064 MOD 11-2."""
    for match in _RESIDENT.finditer(text):
        number = match[0]
        total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(number[:17]))
        if number[:2] in _PROVINCES and number[17].upper() == "10X98765432"[total % 11]:
            yield match.span()


def cards(text: str) -> Found:
    for match in _CARD.finditer(text):
        start, end = match.span()
        if _is_card(match[0]):
            yield start, end
        elif match["tail"] and _is_card(text[start : match.start("tail")]):
            yield start, match.start("tail")


def _is_card(text: str) -> bool:
    """Whether a network has such numbers, and the check digit of Luhn (ISO/IEC 7812-1) is right."""
    number = text.replace(" ", "").replace("-", "")
    if not any(low <= number[: len(low)] <= high and len(number) in lengths for low, high, lengths in _CARDS):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(doubled) + sum(map(int, number[-1::-2]))) % 10 == 0


def phones(text: str) -> Found:
    for match in _PHONE.finditer(text):
        yield match.span()
