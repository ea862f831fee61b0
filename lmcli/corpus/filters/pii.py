"""Personal data: what points at one person, an account or a machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from lmcli.config import section
from lmcli.corpus.filters import personal


@section
class Pii:
    """Masks e-mail and IP addresses, phone and card numbers, IBANs and Chinese resident ids.

    Where a number has check digits they are computed. Cautious everywhere else, so some personal data stays: names,
    postal addresses, and phone numbers without a country code unless they are written as is usual in North America,
    China, Japan, France or Britain. Four numbers of which three are below 32 count as a version, not as an address, and
    so do those behind the word version or a v. An empty placeholder switches a kind off.
    """

    email: Annotated[str, "what stands for an e-mail address"] = "<email>"
    ip: Annotated[str, "what stands for an IPv4 or IPv6 address"] = "<ip>"
    phone: Annotated[str, "what stands for a phone number"] = "<phone>"
    card: Annotated[str, "what stands for the number of a payment card"] = "<card>"
    iban: Annotated[str, "what stands for an IBAN"] = "<iban>"
    resident_id: Annotated[str, "what stands for a Chinese resident id"] = "<id>"
    private_addresses: Annotated[
        bool, "mask IP addresses of private networks, of the machine itself and of examples in documentation too"
    ] = False

    def apply(self, text: str) -> str:
        if self.email and "@" in text:
            text = _masked(text, personal.emails(text), self.email)
        if self.ip:
            text = _masked(text, personal.ipv6_addresses(text, self.private_addresses), self.ip)
            text = _masked(text, personal.ipv4_addresses(text, self.private_addresses), self.ip)
        if not personal.has_long_number(text):
            return text
        # In this order: an IBAN has groups of four digits like a card, and a card has parts like a phone number.
        for find, placeholder in (
            (personal.ibans, self.iban),
            (personal.resident_ids, self.resident_id),
            (personal.cards, self.card),
            (personal.phones, self.phone),
        ):
            if placeholder:
                text = _masked(text, find(text), placeholder)
        return text


def _masked(text: str, found: Iterator[tuple[int, int]], placeholder: str) -> str:
    """The text with the placeholder for each (start, end); they are sorted and don't overlap."""
    kept: list[str] = []
    place = 0
    for start, end in found:
        kept += text[place:start], placeholder
        place = end
    if not kept:
        return text
    kept.append(text[place:])
    return "".join(kept)
