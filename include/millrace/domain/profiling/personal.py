"""Columns that seem to tell who a person is."""

import re
from collections.abc import Sequence

from millrace.domain.profiling.naming import words_of

_PERSON = {"first", "last", "full", "given", "family", "middle", "maiden", "customer", "patient", "user", "client"}
_PERSON |= {"person", "employee", "member", "contact", "guest", "student", "applicant", "borrower", "doctor"}
_WORDS = {
    "a person's name": {"firstname", "lastname", "fullname", "surname", "forename", "username", "nickname", "vorname"},
    "an e-mail address": {"email", "mail"},
    "a phone number": {"phone", "mobile", "telephone", "tel", "fax", "handy", "telefon"},
    "an address": {"address", "street", "adresse", "strasse", "addr"},
    "a postal code": {"zip", "zipcode", "postcode", "postal", "plz"},
    "a day of birth": {"dob", "birth", "birthday", "birthdate", "geburtsdatum"},
    "an official number": {"ssn", "passport", "iban", "nin", "licence", "license", "insurance", "taxid"},
    "an internet address": {"ip"},
    "a place on the map": {"latitude", "longitude", "lat", "lon", "lng", "gps"},
}
_TEXTS = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "phone numbers": re.compile(r"(\+|00)[0-9][0-9 ()/.-]{6,18}|\(?[0-9]{3}\)?[ -][0-9]{3}-[0-9]{4}"),
    "bank accounts (IBAN)": re.compile(r"[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})?"),
    "internet addresses": re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}"),
    "social security numbers": re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
}
_FEW_VALUES = 20
"""A column with no more values than this names kinds and not persons, whatever it is called."""


def why_personal(header: str, values: Sequence[str]) -> str | None:
    """What makes a column look personal; None if nothing does.

    Args:
        header: Its name in the file.
        values: Some of its distinct texts; none of them is told.
    """
    texts = [value for value in values if value]
    for kind, pattern in _TEXTS.items():
        if texts and sum(pattern.fullmatch(text) is not None for text in texts) > 0.5 * len(texts):
            return f"its values look like {kind}"
    if len(texts) <= _FEW_VALUES:
        return None
    words = set(words_of(header))
    for kind, known in _WORDS.items():
        if words & known:
            return f"its name says {kind}"
    if "name" in words and (words == {"name"} or words & _PERSON):
        return "its name says a person's name"
    return None
